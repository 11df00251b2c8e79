# SPDX-License-Identifier: GPL-3.0-or-later
"""Characters that stand still are read once; whatever may move them is noticed."""

from __future__ import annotations

import time
from collections.abc import Callable

import bpy
import numpy as np
import pytest

from ssrhmr_blender.baking import plan
from ssrhmr_blender.baking.still_character import read_still
from ssrhmr_blender.trackers import stage
from ssrhmr_core import Motion, Skeleton, Take
from tests.blender.bake.test_bake import core_result, skeleton_of_setup
from tests.blender.conftest import (
    TO_BLENDER,
    choose,
    joint_worlds,
    make_armature,
    make_trackers,
)

HIPS, HEAD = "mixamorig:Hips", "mixamorig:Head"


@pytest.fixture
def armature(skeleton: Skeleton) -> bpy.types.Object:
    made = make_armature("Still", skeleton)
    made.location, made.rotation_euler = (1.0, 2.0, 0.5), (0.0, 0.0, 0.7)
    made.pose.bones[HEAD].location = (0.1, 0.2, 0.3)
    bpy.context.view_layer.update()
    return made


def test_object_and_bones_are_read(armature: bpy.types.Object) -> None:
    still = read_still(armature, [(HEAD, False)])
    assert still is not None and still.shape == (2, 4, 4)
    np.testing.assert_allclose(still[0], np.array(armature.matrix_world), atol=1e-6)
    np.testing.assert_allclose(still[1, :3, 3], (0.1, 0.2, 0.3), atol=1e-6)
    assert read_still(armature, [(HEAD, True)]) is None  # its constraints count


def key_bone(armature: bpy.types.Object) -> None:
    armature.pose.bones[HEAD].keyframe_insert("location", frame=1)


def key_object(armature: bpy.types.Object) -> None:
    armature.keyframe_insert("location", frame=1)


def hang_on(armature: bpy.types.Object) -> None:
    armature.parent = bpy.data.objects.new("Carrier", None)


def constrain(armature: bpy.types.Object) -> None:
    armature.constraints.new("COPY_LOCATION")


def drive_object(armature: bpy.types.Object) -> None:
    armature.driver_add("location", 0).driver.expression = "frame"


def drive_bone(armature: bpy.types.Object) -> None:
    armature.pose.bones[HEAD].driver_add("location", 0).driver.expression = "frame"


def add_track(armature: bpy.types.Object) -> None:
    armature.animation_data_create().nla_tracks.new()


@pytest.mark.parametrize(
    "move", [key_bone, key_object, hang_on, constrain, drive_object, drive_bone, add_track]
)
def test_what_may_move_it_is_noticed(
    armature: bpy.types.Object, move: Callable[[bpy.types.Object], None]
) -> None:
    move(armature)
    assert read_still(armature, [(HEAD, False)]) is None


def test_other_bones_and_constraints_may_move(armature: bpy.types.Object) -> None:
    armature.pose.bones[HIPS].keyframe_insert("location", frame=1)
    constraint = armature.pose.bones[HEAD].constraints.new("COPY_ROTATION")
    constraint.driver_add("influence").driver.expression = "0.5"
    assert read_still(armature, [(HEAD, False)]) is not None


def test_the_bake_of_a_character_that_moves_by_itself(
    armature: bpy.types.Object, performance: Motion
) -> None:
    """One that is carried through the room, and one that is not: both end where the core says."""
    trackers = make_trackers(Take.from_motion(performance))
    choose(armature, trackers)
    setup = bpy.context.scene.ssrhmr
    setup.calibration_frame, setup.frame_start, setup.frame_end = 20, 1, 60
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
    shown = np.arange(1, 61, 7)
    for keyed in (False, True):
        if keyed:
            for frame in (1, 60):
                armature.location.x = 0.01 * frame
                armature.keyframe_insert("location", frame=frame)
        assert bpy.ops.ssrhmr.bake() == {"FINISHED"}, setup.message
        motion = core_result(skeleton_of_setup(), trackers, np.arange(1, 61))
        positions, _ = joint_worlds(armature, shown)
        wanted = (motion.positions() @ TO_BLENDER.T)[shown - 1]
        assert np.linalg.norm(positions - wanted, axis=-1).max() < 1e-3


def test_slow_scripts_of_others_are_named(
    armature: bpy.types.Object, performance: Motion, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(*_: object) -> None:
        time.sleep(0.005)

    choose(armature, make_trackers(Take.from_motion(performance)))
    setup = bpy.context.scene.ssrhmr
    setup.calibration_frame, setup.frame_start, setup.frame_end = 20, 1, 30
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
    monkeypatch.setattr(plan, "_SLOW", 0.1)
    bpy.app.handlers.frame_change_post.append(slow)
    try:
        assert stage.foreign_handlers() == [__name__]
        assert bpy.ops.ssrhmr.bake() == {"FINISHED"}, setup.message
    finally:
        bpy.app.handlers.frame_change_post.remove(slow)
    assert f"scripts of '{__name__}' run whenever the frame changes" in setup.notes
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}, setup.message
    assert "whenever the frame changes" not in setup.notes
