# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between versions of Blender, in the one that runs."""

from __future__ import annotations

import bpy

from ssrhmr_blender.common import compat


def test_layered_actions() -> None:
    assert (bpy.app.version >= (4, 4, 0)) == compat.LAYERED_ACTIONS


def test_stored_properties_are_what_a_file_stores(scene: bpy.types.Scene) -> None:
    """Users' own properties of the same name are something else since Blender 5.0."""
    scene.ssrhmr.cutoff = 3.5
    assert compat.stored_properties(scene)["ssrhmr_characters"]["base"]["cutoff"] == 3.5


def test_handlers_of_data() -> None:
    count = 2 if bpy.app.version >= (4, 3, 0) else 1
    assert len(compat.data_handlers()) == count
