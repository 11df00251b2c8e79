# SPDX-License-Identifier: GPL-3.0-or-later
"""Load Example: one click each to calibrate and bake, and undone in one step."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

from ssrhmr_blender.common.typed import scene_of
from ssrhmr_blender.example.character import TO_BLENDER
from ssrhmr_blender.example.performance import load_performance
from ssrhmr_core import Motion
from ssrhmr_core.body.skeleton import TRACKER_JOINTS
from tests.blender.conftest import joint_worlds, make_armature, snapshot


@pytest.mark.parametrize(("rate", "unit"), [(60, 1.0), (24, 0.5)])
def test_three_clicks_to_an_animated_character(
    scene: bpy.types.Scene, rate: int, unit: float
) -> None:
    scene.render.fps, scene.unit_settings.scale_length = rate, unit
    assert bpy.ops.ssrhmr.load_example() == {"FINISHED"}
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, scene.ssrhmr.message
    assert not scene.ssrhmr.warnings
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}, scene.ssrhmr.message
    performance = load_performance()
    armature = scene.ssrhmr.armature
    frames = np.arange(1, scene.frame_end, rate)
    positions, _ = joint_worlds(armature, frames)
    at = np.round((frames - 1) / rate * performance.rate).astype(int)
    wanted = performance.positions()[at] @ TO_BLENDER.T
    away = 1000.0 * np.linalg.norm(positions * unit - wanted, axis=-1)
    assert away[:, list(TRACKER_JOINTS)].mean() < 2.0 and away.mean() < 20.0
    body = bpy.data.objects["Mannequin Body"]
    assert body.find_armature() == armature and len(body.data.polygons) > 1000
    (own,) = scene.collection.children
    assert set(own.objects) == set(scene.objects)


def test_undone_in_one_step_and_loaded_beside_others(scene: bpy.types.Scene) -> None:
    mine = make_armature("Mine", load_performance().skeleton)
    scene.ssrhmr.armature = mine
    bpy.context.preferences.edit.use_global_undo = True
    bpy.ops.ed.undo_push(message="before")
    before = snapshot()
    bpy.ops.ssrhmr.load_example()
    bpy.ops.ed.undo_push(message="after")
    scene = scene_of(bpy.context)
    assert [entry.name for entry in scene.ssrhmr_characters.entries] == ["Mine", "Mannequin"]
    assert scene.ssrhmr.armature.name == "Mannequin"
    bpy.ops.ed.undo()
    assert snapshot() == before and bpy.context.scene.ssrhmr.armature.name == "Mine"


def test_needs_object_mode(scene: bpy.types.Scene) -> None:
    make_armature("Mine", load_performance().skeleton)
    bpy.ops.object.mode_set(mode="EDIT")
    with pytest.raises(RuntimeError, match="poll"):
        bpy.ops.ssrhmr.load_example()
    bpy.ops.object.mode_set(mode="OBJECT")


def test_picking_ones_own_character_leaves_nothing_in_the_way(performance: Motion) -> None:
    """Only the example's character stands where the performer does: it was placed there."""
    bpy.ops.ssrhmr.load_example()
    setup = bpy.context.scene.ssrhmr
    assert setup.reference == "CHARACTER"
    hero = make_armature("Hero", performance.skeleton)
    setup.armature = hero
    assert setup.reference == "T_POSE" and setup.range == "TRACKERS"
    assert bpy.ops.ssrhmr.detect_bones() == {"FINISHED"}
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
    assert not any("away" in warning.name for warning in setup.warnings)
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}, setup.message
    # A statement about the trackers holds for any character.
    setup.reference = "JOINTS"
    setup.armature = bpy.data.objects["Mannequin"]
    assert setup.reference == "JOINTS"
