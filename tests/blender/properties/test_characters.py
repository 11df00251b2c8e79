# SPDX-License-Identifier: GPL-3.0-or-later
"""Several characters in one scene: the list, undo, files, deleted objects, copies of scenes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import pytest

import ssrhmr_blender
from ssrhmr_blender.common.typed import scene_of
from ssrhmr_blender.properties import characters
from ssrhmr_blender.properties.setup import SSRHMR_Setup
from ssrhmr_blender.properties.values import read_values
from ssrhmr_core import Motion, Take
from tests.blender.conftest import choose, make_armature, make_trackers


@pytest.fixture
def hero(performance: Motion) -> bpy.types.Object:
    """The first character, ready to bake."""
    armature = make_armature("Hero", performance.skeleton)
    choose(armature, make_trackers(Take.from_motion(performance)))
    setup = bpy.context.scene.ssrhmr
    setup.calibration_frame, setup.frame_start, setup.frame_end = 20, 1, 40
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}
    return armature


def select(armature: bpy.types.Object | None) -> None:
    for obj in bpy.context.scene.objects:
        obj.select_set(obj == armature)
    bpy.context.view_layer.objects.active = armature


def names() -> list[str]:
    return [entry.name for entry in bpy.context.scene.ssrhmr_characters.entries]


def test_each_character_has_its_own_settings(hero: bpy.types.Object, performance: Motion) -> None:
    scene = scene_of(bpy.context)
    before = read_values(scene.ssrhmr)
    villain = make_armature("Villain", performance.skeleton)
    select(villain)
    assert bpy.ops.ssrhmr.setup_add() == {"FINISHED"}
    assert names() == ["Hero", "Villain"] and scene.ssrhmr.armature == villain
    assert not scene.ssrhmr.calibration and scene.ssrhmr.head is None
    scene.ssrhmr.planting = 0.5
    scene.ssrhmr_characters.active = 0
    assert scene.ssrhmr.armature == hero and read_values(scene.ssrhmr) == before
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}
    assert hero.animation_data.action and villain.animation_data is None
    select(villain)
    assert bpy.ops.ssrhmr.setup_of_selected() == {"FINISHED"}
    assert scene.ssrhmr_characters.active == 1 and scene.ssrhmr.planting == 0.5


def test_a_copy_has_everything_and_is_its_own(hero: bpy.types.Object, performance: Motion) -> None:
    scene = scene_of(bpy.context)
    scene.ssrhmr.smoothing, scene.ssrhmr.tracker("head").weight = "OFF", 0.4
    before = read_values(scene.ssrhmr)
    assert before["calibration"] and len(before["bones"]) == 22 and before["range"] == "CUSTOM"
    assert bpy.ops.ssrhmr.setup_duplicate() == {"FINISHED"}
    assert names() == ["Hero", "Hero 2"]
    assert read_values(scene.ssrhmr) == before
    scene.ssrhmr.armature = make_armature("Twin", performance.skeleton)
    assert not scene.ssrhmr.calibration
    scene.ssrhmr_characters.active = 0
    assert read_values(scene.ssrhmr) == before


@pytest.mark.parametrize("number", [0, 1, 2])
def test_removing_leaves_the_others(hero: bpy.types.Object, number: int) -> None:
    scene = scene_of(bpy.context)
    bpy.ops.ssrhmr.setup_duplicate()
    scene.ssrhmr.cutoff = 5.0
    bpy.ops.ssrhmr.setup_duplicate()
    scene.ssrhmr.cutoff = 6.0
    scene.ssrhmr_characters.active = number
    values = [read_values(setup) for setup in characters.all_setups(scene)]
    assert [v["cutoff"] for v in values] == [8.0, 5.0, 6.0]
    assert bpy.ops.ssrhmr.setup_remove() == {"FINISHED"}
    del values[number]
    assert [read_values(setup) for setup in characters.all_setups(scene)] == values
    assert scene.ssrhmr.armature == hero
    for _ in range(2):
        bpy.ops.ssrhmr.setup_remove()
    assert names() == [] and scene.ssrhmr.armature is None and not scene.ssrhmr.bones
    assert bpy.data.objects.get("Hero") == hero


def test_the_only_setup_is_reset_by_removing_it(hero: bpy.types.Object) -> None:
    bpy.ops.ssrhmr.setup_remove()
    assert bpy.context.scene.ssrhmr.armature is None and names() == []


def test_undo_and_redo(hero: bpy.types.Object) -> None:
    bpy.context.preferences.edit.use_global_undo = True
    bpy.ops.ed.undo_push(message="one")
    bpy.ops.ssrhmr.setup_duplicate()
    bpy.context.scene.ssrhmr.cutoff = 5.0
    bpy.ops.ed.undo_push(message="two")
    bpy.context.scene.ssrhmr_characters.active = 0
    bpy.ops.ed.undo_push(message="switched")
    assert bpy.context.scene.ssrhmr.cutoff == 8.0
    bpy.ops.ed.undo()
    assert bpy.context.scene.ssrhmr.cutoff == 5.0 and names() == ["Hero", "Hero 2"]
    bpy.ops.ed.undo()
    assert names() == [] and bpy.context.scene.ssrhmr.armature.name == "Hero"
    bpy.ops.ed.redo()
    assert names() == ["Hero", "Hero 2"] and bpy.context.scene.ssrhmr.cutoff == 5.0


def test_saved_and_opened(hero: bpy.types.Object, tmp_path: Path) -> None:
    bpy.ops.ssrhmr.setup_duplicate()
    bpy.context.scene.ssrhmr.cutoff = 5.0
    path = str(tmp_path / "two.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    assert names() == []
    bpy.ops.wm.open_mainfile(filepath=path)
    scene = scene_of(bpy.context)
    assert names() == ["Hero", "Hero 2"] and scene.ssrhmr.cutoff == 5.0
    scene.ssrhmr_characters.active = 0
    assert scene.ssrhmr.cutoff == 8.0
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}


def test_copies_of_scenes_are_independent(hero: bpy.types.Object) -> None:
    bpy.ops.ssrhmr.setup_duplicate()
    first = bpy.context.scene
    second = first.copy()
    second.ssrhmr_characters.active = 0
    second.ssrhmr.cutoff = 3.0
    assert first.ssrhmr_characters.active == 1 and first.ssrhmr.cutoff == 8.0
    bpy.ops.scene.new(type="FULL_COPY")
    full = bpy.context.scene
    assert full.ssrhmr.armature != hero and full.ssrhmr.armature.name in full.objects
    bpy.ops.scene.new(type="NEW")
    assert bpy.context.scene.ssrhmr.armature is None


def test_deleted_objects_are_not_kept_by_any_setup(
    hero: bpy.types.Object, performance: Motion, tmp_path: Path
) -> None:
    scene = scene_of(bpy.context)
    elsewhere = bpy.data.scenes.new("Elsewhere")
    elsewhere.ssrhmr.armature = other = make_armature("Other", performance.skeleton)
    scene.collection.objects.unlink(other)
    elsewhere.collection.objects.link(other)
    bpy.ops.ssrhmr.setup_duplicate()
    scene.ssrhmr.head = extra = bpy.data.objects.new("Extra", None)
    scene.collection.objects.link(extra)
    select(hero)
    extra.select_set(True)
    bpy.ops.object.delete()
    with pytest.raises(RuntimeError, match="'Hero' is not in this scene"):
        bpy.ops.ssrhmr.bake()
    path = str(tmp_path / "deleted.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    assert scene.ssrhmr.armature is None and scene.ssrhmr.head is None
    assert scene.ssrhmr.left_hand.name == "Tracker left_hand"
    bpy.ops.wm.open_mainfile(filepath=path)
    assert "Hero" not in bpy.data.objects and "Extra" not in bpy.data.objects
    assert bpy.data.scenes["Elsewhere"].ssrhmr.armature.name == "Other"


def test_files_with_one_setup_open(
    performance: Motion, tmp_path: Path, scene: bpy.types.Scene
) -> None:
    """As they were saved when ``scene.ssrhmr`` was itself the setup."""
    armature = make_armature("Hero", performance.skeleton)
    ssrhmr_blender.unregister()
    for group in ssrhmr_blender.properties.CLASSES:
        bpy.utils.register_class(group)
    bpy.types.Scene.ssrhmr = bpy.props.PointerProperty(type=SSRHMR_Setup)
    path = str(tmp_path / "old.blend")
    try:
        bpy.context.scene.ssrhmr.armature = armature
        bpy.context.scene.ssrhmr.bones.add().name = "hips"
        bpy.context.scene.ssrhmr.cutoff = 5.0
        bpy.ops.wm.save_as_mainfile(filepath=path)
    finally:
        del bpy.types.Scene.ssrhmr
        for group in reversed(ssrhmr_blender.properties.CLASSES):
            bpy.utils.unregister_class(group)
        ssrhmr_blender.register()
    bpy.ops.wm.open_mainfile(filepath=path)
    setup = bpy.context.scene.ssrhmr
    assert (setup.armature.name, setup.cutoff, setup.bones[0].name) == ("Hero", 5.0, "hips")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    assert bpy.context.scene.ssrhmr.cutoff == 5.0


def test_enabled_in_an_open_file_takes_its_old_setup_over(performance: Motion) -> None:
    armature = make_armature("Hero", performance.skeleton)
    ssrhmr_blender.unregister()
    scene = scene_of(bpy.context)
    own = getattr(scene, "bl_system_properties_get", None)
    values: Any = own(do_create=True) if own else scene
    values["ssrhmr"] = {"armature": armature, "cutoff": 5.0}
    ssrhmr_blender.register()
    assert scene.ssrhmr.armature == armature and scene.ssrhmr.cutoff == 5.0


def test_the_list_waits_for_a_job(hero: bpy.types.Object, monkeypatch: pytest.MonkeyPatch) -> None:
    from ssrhmr_blender.characters import ops

    monkeypatch.setattr(ops, "is_running", lambda: True)
    with pytest.raises(RuntimeError, match="poll"):
        bpy.ops.ssrhmr.setup_add()


def test_choosing_by_a_mesh(hero: bpy.types.Object) -> None:
    mesh = bpy.data.objects.new("Body", bpy.data.meshes.new("Body"))
    bpy.context.scene.collection.objects.link(mesh)
    mesh.modifiers.new("Armature", "ARMATURE").object = hero
    bpy.ops.ssrhmr.setup_add()
    select(mesh)
    bpy.ops.ssrhmr.setup_of_selected()
    assert bpy.context.scene.ssrhmr_characters.active == 0
    select(None)
    with pytest.raises(RuntimeError, match="No character is selected"):
        bpy.ops.ssrhmr.setup_of_selected()
