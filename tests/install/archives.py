# SPDX-License-Identifier: GPL-3.0-or-later
"""The built zip, the same under another version, and what an installation leaves in a folder."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

NEXT = "99.0.0"
"""The version that Blender updates to."""


def built_zip(folder: Path) -> Path:
    """Return the zip that ``build_addon.py`` has built in a folder."""
    archives = list(folder.glob("ssrhmr-*.zip"))
    assert len(archives) == 1, f"run build_addon.py first, with no other version in {folder.name}/"
    return archives[0]


def rewrite(content: bytes, old: str, new: str) -> bytes:
    """Return a zip with another version in its names and texts."""
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(packed, "w") as target:
        for entry in source.infolist():
            held = source.read(entry)
            name = entry.filename.replace(f"ssrhmr_core-{old}", f"ssrhmr_core-{new}")
            if "ssrhmr_core-" in name and name.endswith(".whl"):
                held = rewrite(held, old, new)
            elif name.endswith(("RECORD", "METADATA", "blender_manifest.toml", "core/__init__.py")):
                held = held.replace(old.encode(), new.encode())
            target.writestr(name, held)
    return packed.getvalue()


def files_below(folder: Path) -> set[str]:
    """Return all files below a folder, except what Blender notes down of the repository itself."""
    return {
        name
        for path in folder.rglob("*")
        if path.is_file()
        and not re.search(
            r"/\.blender_ext/|/\.cache/|__pycache__", name := path.relative_to(folder).as_posix()
        )
    }
