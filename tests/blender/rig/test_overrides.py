# SPDX-License-Identifier: GPL-3.0-or-later
"""Characters linked from a library: overridden, baked, saved, opened, and the library changed."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest

from ssrhmr_blender.common.typed import scene_of, view_layer_of
from ssrhmr_blender.properties.values import read_values
from ssrhmr_core import Motion, Take
from tests.blender.conftest import choose, joint_worlds, make_armature, make_trackers
from tests.mixamo_names import mixamo_name


def make_library(path: Path, performance: Motion) -> None:
    """A file with a character and a mesh in a collection, as studios keep them."""
    collection = bpy.data.collections.new("CH Hero")
    bpy.context.scene.collection.children.link(collection)
    armature = make_armature("Hero", performance.skeleton)
    body = bpy.data.objects.new("Hero Body", bpy.data.meshes.new("Hero Body"))
    body.parent = armature
    body.modifiers.new("Armature", "ARMATURE").object = armature
    for obj in (armature, body):
        collection.objects.link(obj)
    bpy.context.scene.collection.objects.unlink(armature)
    bpy.ops.wm.save_as_mainfile(filepath=str(path))


def link_collection(path: Path) -> bpy.types.Collection:
    with bpy.data.libraries.load(str(path), link=True) as (_, wanted):
        wanted.collections = ["CH Hero"]
    (collection,) = wanted.collections
    children = bpy.context.scene.collection.children
    if collection not in children.values():
        children.link(collection)
    return collection


@pytest.fixture
def library(tmp_path: Path, performance: Motion) -> Path:
    path = tmp_path / "hero.blend"
    make_library(path, performance)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.scene.render.fps = 60
    return path


def override_of(library: Path) -> bpy.types.Object:
    """Link the collection and override all of it, as Blender's menu does."""
    scene = scene_of(bpy.context)
    linked = link_collection(library)
    override = linked.override_hierarchy_create(
        scene, view_layer_of(bpy.context), do_fully_editable=True
    )
    assert override is not None
    (armature,) = (obj for obj in override.all_objects if obj.type == "ARMATURE")
    assert armature.override_library is not None and armature.library is None
    return armature


def test_linked_without_override_is_explained(library: Path, performance: Motion) -> None:
    link_collection(library)
    choose(bpy.data.objects["Hero"], make_trackers(Take.from_motion(performance)))
    with pytest.raises(RuntimeError, match="make a library override"):
        bpy.ops.ssrhmr.calibrate()
    bpy.ops.ssrhmr.find_takes()
    with pytest.raises(RuntimeError, match="make a library override"):
        bpy.ops.ssrhmr.bake_takes()


def test_two_overrides_of_one_character(library: Path, performance: Motion, tmp_path: Path) -> None:
    """Each with a setup of its own; everything is there after saving, and the library stays."""
    trackers = make_trackers(Take.from_motion(performance))
    first, second = override_of(library), override_of(library)
    assert first != second and first.override_library.reference == second.override_library.reference
    original = library.read_bytes()
    frames = np.arange(1, len(performance) + 1, 10)
    setup = bpy.context.scene.ssrhmr
    choose(first, trackers)
    setup.calibration_frame, setup.range = 20, "TRACKERS"
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}, setup.message
    bpy.ops.ssrhmr.setup_duplicate()
    setup = bpy.context.scene.ssrhmr
    setup.armature = second
    bpy.ops.ssrhmr.detect_bones()
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
    bpy.ops.ssrhmr.find_takes()
    bpy.context.scene.ssrhmr_batch.strips = "SEQUENCE"
    assert bpy.ops.ssrhmr.bake_takes() == {"FINISHED"}, setup.message
    assert all(action.library is None for action in bpy.data.actions)
    values = read_values(setup)
    positions = [joint_worlds(armature, frames)[0] for armature in (first, second)]
    assert np.abs(positions[0] - positions[1]).max() < 1e-4
    assert np.ptp(positions[0], axis=0).max() > 0.1

    path = str(tmp_path / "shot.blend")
    names = first.name, second.name
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    scene = scene_of(bpy.context)
    first, second = (bpy.data.objects[name] for name in names)
    assert scene.ssrhmr.armature == second
    read = read_values(scene.ssrhmr)
    assert read["calibration"] == values["calibration"] and read["bones"] == values["bones"]
    assert len(second.animation_data.nla_tracks[0].strips) == 1
    for armature, wanted in zip((first, second), positions, strict=True):
        assert np.abs(joint_worlds(armature, frames)[0] - wanted).max() < 1e-4
    assert library.read_bytes() == original


def test_a_library_whose_rig_changed(library: Path, performance: Motion, tmp_path: Path) -> None:
    """A bone was renamed by the rigger: said by name, and detecting again mends it."""
    armature = override_of(library)
    choose(armature, make_trackers(Take.from_motion(performance)))
    setup = bpy.context.scene.ssrhmr
    setup.calibration_frame, setup.range = 20, "TRACKERS"
    bpy.ops.ssrhmr.calibrate()
    shot, name = str(tmp_path / "shot.blend"), armature.name
    bpy.ops.wm.save_as_mainfile(filepath=shot)
    bpy.ops.wm.open_mainfile(filepath=str(library))
    bpy.data.objects["Hero"].data.bones[mixamo_name("neck")].name = "neck"
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.open_mainfile(filepath=shot)
    setup = bpy.context.scene.ssrhmr
    assert setup.armature.name == name
    with pytest.raises(RuntimeError, match="no bone 'mixamorig:Neck': press Detect Bones again"):
        bpy.ops.ssrhmr.bake()
    bpy.ops.ssrhmr.detect_bones()
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}, setup.message
