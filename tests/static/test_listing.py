# SPDX-License-Identifier: GPL-3.0-or-later
"""What the platform shows of the extension: pictures of the right size, and an honest text."""

from __future__ import annotations

import struct
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LISTING = ROOT / "docs" / "listing"
LARGEST = 3_000_000


@pytest.mark.parametrize(("name", "size"), [("icon", (256, 256)), ("featured", (1920, 1080))])
def test_pictures_have_the_sizes_of_the_platform(name: str, size: tuple[int, int]) -> None:
    content = (LISTING / f"{name}.png").read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", content[16:24]) == size
    assert len(content) < LARGEST


def test_the_text_explains_every_permission() -> None:
    text = (LISTING / "description.md").read_text(encoding="utf-8")
    manifest = (ROOT / "ssrhmr_blender" / "blender_manifest.toml").read_text(encoding="utf-8")
    permissions = tomllib.loads(manifest)["permissions"]
    assert [name for name in permissions if f"*{name.title()}*" not in text] == []
    assert len(text) < 3000 and "does not do" in text
