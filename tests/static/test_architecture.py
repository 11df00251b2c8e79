# SPDX-License-Identifier: GPL-3.0-or-later
"""The pictures of the architecture are those of the contracts and of the files that exist."""

from __future__ import annotations

import re

import pytest

from scripts.draw_architecture import _WAY, PICTURE_FUNCTIONS, PICTURES, ROOT, layers


@pytest.mark.parametrize("name", PICTURE_FUNCTIONS)
def test_picture_is_current(name: str) -> None:
    """After a change of the layers: ``python scripts/draw_architecture.py``."""
    assert (PICTURES / name).read_text(encoding="utf-8") == PICTURE_FUNCTIONS[name]()


def test_layers_are_those_of_the_contract() -> None:
    addon = layers("ssrhmr_blender")
    assert "bake" in addon[0] and addon[-1] == ["translations"]
    assert layers("ssrhmr_core")[-1] == ["console", "files", "geometry"]


def test_modules_of_the_way_exist() -> None:
    for _, modules in _WAY[1:]:
        folder = ""
        for path in re.findall(r"[\w/]+(?:\.py|/)", modules):
            folder = path.rpartition("/")[0] if "/" in path else folder
            name = path if "/" in path else f"{folder}/{path}"
            package = "ssrhmr_blender" if name == "baking/" else "ssrhmr_core"
            assert (ROOT / package / name).exists(), name
