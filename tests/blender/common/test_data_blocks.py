# SPDX-License-Identifier: GPL-3.0-or-later
"""Data-blocks by name and library: of two with one name, each is found by its own key."""

from __future__ import annotations

from pathlib import Path

import bpy

from ssrhmr_blender.common.data_blocks import find_action, find_object, key_of
from ssrhmr_blender.common.typed import action_of


def test_a_key_finds_its_own_data_block(tmp_path: Path) -> None:
    path = str(tmp_path / "library.blend")
    made = bpy.data.objects.new("Prop", None)
    made.keyframe_insert("location", frame=1)
    action_of(made).name = "Move"
    bpy.data.libraries.write(path, {made})
    with bpy.data.libraries.load(path, link=True) as (_, wanted):
        wanted.objects = ["Prop"]
    linked = wanted.objects[0]
    for obj, library in ((made, None), (linked, linked.library.filepath)):
        assert key_of(obj) == ("Prop", library) and find_object(key_of(obj)) == obj
        action = action_of(obj)
        assert key_of(action) == ("Move", library) and find_action(key_of(action)) == action
    key = key_of(made)
    bpy.data.objects.remove(made)
    assert find_object(key) is None and find_object(key_of(linked)) == linked
