# SPDX-License-Identifier: GPL-3.0-or-later
"""The built zip where other systems and careful administrators let it run.

A user folder with blanks and letters of several regions, Python without its UTF-8 mode, output in
the letters of one region, and an installation that nobody may write to, as that of a studio is.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name("first_use.py")
ROOT_MAY_ANYTHING = hasattr(os, "geteuid") and os.geteuid() == 0
READ_ONLY_MOUNTS = """
while [ "$1" != -- ]; do
    mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" || exit 1
    shift
done
shift
exec "$@"
"""
"""A shell's words: permissions do not hold root back, mounts that are read-only do."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("home") / "Zoë Müller 工程"
    (folder / "blender").mkdir(parents=True)
    yield folder
    for path in folder.rglob("*"):
        if path.is_dir():
            path.chmod(0o755)


def run_blender(home: Path, *words: str, before: tuple[str, ...] = ()) -> str:
    """Run the script in a Blender of its own and return what it printed."""
    done = subprocess.run(
        [*before, sys.executable, str(SCRIPT), *words],
        cwd=home,
        env={
            **os.environ,
            "BLENDER_USER_RESOURCES": str(home / "blender"),
            "HOME": str(home),
            "USERPROFILE": str(home),
            "PYTHONUTF8": "0",
            "PYTHONIOENCODING": "cp1252:backslashreplace",
        },
        capture_output=True,
        timeout=3600,
    )
    said = done.stdout.decode("cp1252", "replace") + done.stderr.decode("cp1252", "replace")
    assert done.returncode == 0 and "Traceback" not in said, said
    assert "done" in said.splitlines(), said
    return said


def forbid_writing(*folders: Path) -> tuple[str, ...]:
    """Make folders read-only; return the words before a command that is held back by that."""
    for folder in folders:
        for path in [folder, *folder.rglob("*")]:
            path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    if not ROOT_MAY_ANYTHING:
        return ()
    if shutil.which("unshare") is None:
        pytest.skip("root may write everywhere, and util-linux is not installed")
    names = [str(folder) for folder in folders]
    before = ("unshare", "--mount", "sh", "-c", READ_ONLY_MOUNTS, "sh", *names, "--")
    for folder in folders:
        probe = folder / "probe"
        refused = subprocess.run([*before, "touch", str(probe)], capture_output=True, text=True)
        if probe.exists() or "ead-only" not in refused.stderr:
            pytest.skip(f"root may not mount anything here: {refused.stderr}")
    return before


def tree(folder: Path) -> dict[str, tuple[int, int]]:
    """Return size and time of change of each file below a folder."""
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_first_use_of_a_read_only_installation(home: Path) -> None:
    archives = list((CHECKOUT / "dist").glob("ssrhmr-*.zip"))
    assert len(archives) == 1, "run build_addon.py first, with no other version in dist/"
    said = run_blender(home, "install", str(archives[0]))
    assert re.search("^installed in ", said, re.MULTILINE)
    (package,) = (path.parent for path in home.rglob("blender_manifest.toml"))
    # The extension, and its wheels beside it.
    local = next(path for path in package.parents[1].iterdir() if path.name == ".local")
    before = tree(package) | tree(local)
    assert len(before) > 100
    work = home / "Eigene Dateien"
    work.mkdir()
    run_blender(home, "use", str(work), before=forbid_writing(package, local))
    assert tree(package) | tree(local) == before
    presets = [path for path in home.rglob("*.json") if "presets" in path.as_posix().lower()]
    assert any(path.is_relative_to(home / "blender") for path in presets), presets
