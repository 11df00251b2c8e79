# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and folders that the pages for contributors name are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    "CONTRIBUTING.md",
    *(f"docs/{name}.md" for name in ("code_map", "developers", "decisions")),
]
FOLDERS = [ROOT, ROOT / "ssrhmr_core", ROOT / "ssrhmr_blender"]
"""Where a path may begin."""


def find_missing(text: str) -> list[str]:
    """Return the paths in backticks, with a slash, at which nothing is."""
    named = re.findall(r"`([\w./]+/[\w./]*)`", text)
    return [name for name in named if not any((folder / name).exists() for folder in FOLDERS)]


@pytest.mark.parametrize("page", PAGES)
def test_named_files_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert find_missing(text) == []


def test_a_missing_file_is_found() -> None:
    assert find_missing("`tests/site/`, `rig/posing.py`, `body/gone.py`") == [
        *("tests/site/", "body/gone.py")
    ]
