# SPDX-License-Identifier: GPL-3.0-or-later
"""What constraints, drivers, scales, NLA tracks and remapped time do to the evaluated character."""

from __future__ import annotations

from collections.abc import Callable

import bpy
import numpy as np
import pytest
from mathutils import Quaternion

from ssrhmr_blender.animation.actions import curves_of
from ssrhmr_core import Motion, Take
from tests.blender.bake.test_bake import (
    calibrated,
    core_result,
    off_the_core,
    run,
    skeleton_of_setup,
)
from tests.blender.conftest import TO_BLENDER, choose, joint_worlds, make_armature, make_trackers
from tests.blender.skins import add_bone
from tests.mixamo_names import mixamo_name

HIPS = mixamo_name("hips")


@pytest.fixture
def hero(performance: Motion) -> bpy.types.Object:
    return make_armature("Hero", performance.skeleton)


def add_cancel(armature: bpy.types.Object) -> None:
    """Put a bone between hips and legs, as MikuMikuDance's waist cancel."""
    head = armature.data.bones[HIPS].head_local.to_tuple()
    for side in ("left", "right"):
        add_bone(armature, f"cancel.{side}", head, HIPS, mixamo_name(f"{side}_hip"))


def cancel_by_constraint(armature: bpy.types.Object) -> None:
    add_cancel(armature)
    for side in ("left", "right"):
        constraint = armature.pose.bones[f"cancel.{side}"].constraints.new("COPY_ROTATION")
        constraint.target, constraint.subtarget = armature, HIPS
        constraint.invert_x = constraint.invert_y = constraint.invert_z = True
        constraint.target_space = constraint.owner_space = "LOCAL"


def cancel_by_driver(armature: bpy.types.Object) -> None:
    """The conjugate of the hips' quaternion, channel by channel."""
    add_cancel(armature)
    for side in ("left", "right"):
        for index in range(4):
            driver = armature.pose.bones[f"cancel.{side}"].driver_add("rotation_quaternion", index)
            variable = driver.driver.variables.new()
            variable.targets[0].id = armature
            variable.targets[0].data_path = f'pose.bones["{HIPS}"].rotation_quaternion[{index}]'
            driver.driver.expression = variable.name if index == 0 else f"-{variable.name}"


def add_on_top(armature: bpy.types.Object, mix: str) -> None:
    """Add the rotation of an empty to what the upper arms are keyed."""
    empty = bpy.data.objects.new("Twist", None)
    bpy.context.scene.collection.objects.link(empty)
    empty.rotation_euler = (0.3, -0.2, 0.4)
    for side in ("left", "right"):
        bone = armature.pose.bones[mixamo_name(f"{side}_shoulder")]
        constraint = bone.constraints.new("COPY_ROTATION")
        constraint.target, constraint.mix_mode = empty, mix
        constraint.owner_space = "LOCAL"


def add_before(armature: bpy.types.Object) -> None:
    add_on_top(armature, "BEFORE")


def add_after(armature: bpy.types.Object) -> None:
    add_on_top(armature, "AFTER")


def pull_by_half(armature: bpy.types.Object) -> None:
    """Draw a knee to a fixed rotation with a third of the influence."""
    empty = bpy.data.objects.new("Fixed", None)
    bpy.context.scene.collection.objects.link(empty)
    bone = armature.pose.bones[mixamo_name("left_knee")]
    constraint = bone.constraints.new("COPY_ROTATION")
    constraint.target, constraint.influence = empty, 1.0 / 3.0
    constraint.owner_space = "LOCAL"


@pytest.mark.parametrize(
    "hold", [cancel_by_constraint, cancel_by_driver, add_before, add_after, pull_by_half]
)
def test_what_reacts_to_keys_is_settled(
    hero: bpy.types.Object, performance: Motion, hold: Callable[[bpy.types.Object], None]
) -> None:
    """The first bake is as exact as the second, and nothing is left to report."""
    hold(hero)
    trackers = calibrated(hero, performance)
    for _ in range(2):
        run(1, 100)
        assert off_the_core(hero, trackers).max() < 1.5e-3
        assert "not follow" not in bpy.context.scene.ssrhmr.notes


def hold_a_knee(armature: bpy.types.Object) -> bpy.types.Constraint:
    target = bpy.data.objects.new("Target", None)
    bpy.context.scene.collection.objects.link(target)
    bone = armature.pose.bones[mixamo_name("left_knee")]
    constraint = bone.constraints.new("COPY_ROTATION")
    constraint.target = target
    return constraint


def test_what_does_not_react_is_reported_by_name(
    hero: bpy.types.Object, performance: Motion
) -> None:
    """Its keys are those that it would need without the constraint."""
    constraint = hold_a_knee(hero)
    trackers = calibrated(hero, performance)
    action = run(1, 100)
    notes = bpy.context.scene.ssrhmr.notes
    assert "'mixamorig:LeftLeg' does not follow its keys (joints are up to" in notes
    assert off_the_core(hero, trackers).max() > 0.05
    constraint.mute = True
    bpy.context.scene.frame_set(1)
    assert hero.animation_data.action == action
    assert off_the_core(hero, trackers).max() < 1e-3


@pytest.mark.parametrize("keyed", [False, True])
def test_constraints_are_muted_by_the_button(
    hero: bpy.types.Object, performance: Motion, keyed: bool
) -> None:
    constraint = hold_a_knee(hero)
    trackers = calibrated(hero, performance)
    setup = bpy.context.scene.ssrhmr
    assert setup.has_constraints
    setup.frame_start, setup.frame_end, setup.key_muting = 1, 100, keyed
    assert bpy.ops.ssrhmr.mute_constraints() == {"FINISHED"}
    assert not setup.has_constraints and setup.obstacles == ""
    assert constraint.mute != keyed
    run(1, 100)
    assert off_the_core(hero, trackers).max() < 1e-3
    assert "not follow" not in setup.notes
    influences = [curve for curve in curves_of(hero) if curve.data_path.endswith("influence")]
    assert [[key.co[:] for key in curve.keyframe_points] for curve in influences] == (
        [[(1.0, 0.0), (100.0, 0.0)]] if keyed else []
    )
    assert bpy.ops.ssrhmr.mute_constraints() == {"CANCELLED"}, "nothing is left to mute"


def test_a_driven_joint_is_reported_by_name(hero: bpy.types.Object, performance: Motion) -> None:
    for index, value in enumerate((0.9, 0.3, 0.0, 0.0)):
        path = "rotation_quaternion"
        driver = hero.pose.bones[mixamo_name("left_knee")].driver_add(path, index)
        driver.driver.expression = str(value)
    calibrated(hero, performance)
    run(1, 60)
    assert "'mixamorig:LeftLeg' does not follow its keys" in bpy.context.scene.ssrhmr.notes


def test_keyed_scale_of_an_old_action_is_told_and_ends(
    hero: bpy.types.Object, performance: Motion
) -> None:
    for name, scale in (("hips", 0.6), ("left_knee", 1.4)):
        bone = hero.pose.bones[mixamo_name(name)]
        bone.scale = (scale,) * 3
        bone.keyframe_insert("scale", frame=1)
        # As Alt S does: the keys bring it back at the next frame.
        bone.scale = (1.0, 1.0, 1.0)
    trackers = calibrated(hero, performance)
    told = "'mixamorig:Hips', 'mixamorig:LeftLeg' are scaled in the pose or by keys"
    assert told in bpy.context.scene.ssrhmr.obstacles
    run(1, 100)
    assert off_the_core(hero, trackers).max() < 1e-3
    for frame in (1, 60):
        bpy.context.scene.frame_set(frame)
        for bone in hero.pose.bones:
            assert bone.scale.to_tuple() == (1.0, 1.0, 1.0)
    run(1, 50)
    assert "scaled" not in bpy.context.scene.ssrhmr.notes


@pytest.mark.parametrize("inherit", ["FULL", "NONE"])
@pytest.mark.parametrize("scale", [100.0, 0.8])
def test_a_root_that_is_scaled_counts(performance: Motion, scale: float, inherit: str) -> None:
    """The body is as large as it is seen, in a file whose root is scaled to fit."""
    hero = make_armature("Hero", performance.skeleton, scale=scale)
    hero.scale = (1.0, 1.0, 1.0)
    root = add_bone(hero, "Root", (0.0, 0.0, -0.9 / scale), child=HIPS)
    root.scale = (scale,) * 3
    if inherit == "NONE":
        for name in ("chest", "left_knee", "right_elbow"):
            hero.data.bones[mixamo_name(name)].inherit_scale = "NONE"
    bpy.context.view_layer.update()
    trackers = calibrated(hero, performance)
    assert bpy.context.scene.ssrhmr.warnings.keys() == []
    run(1, 100)
    if inherit == "FULL":
        assert off_the_core(hero, trackers).max() < 1e-3
    else:
        # What is not scaled with its parent is smaller, but begins where it belongs.
        assert off_the_core(hero, trackers).max() < 2e-3
    assert root.scale.to_tuple() == pytest.approx((scale,) * 3)


@pytest.mark.parametrize(("old", "new"), [(100, 200), (200, 100), (100, 130)])
def test_keys_lie_where_remapped_time_looks(
    hero: bpy.types.Object, performance: Motion, old: int, new: int
) -> None:
    render = bpy.context.scene.render
    trackers = make_trackers(Take.from_motion(performance))
    choose(hero, trackers)
    setup = bpy.context.scene.ssrhmr
    render.frame_map_old, render.frame_map_new = old, new
    setup.calibration_frame = round(20 * new / old)
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
    setup.range = "TRACKERS"
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}, setup.message
    first, last = hero.animation_data.action.frame_range.to_tuple()
    assert first == pytest.approx(1.0, abs=2.0 * old / new)
    assert last == pytest.approx(len(performance), abs=2.0 * old / new)
    frames = 60 * new // old
    run(1, frames)
    numbers = np.arange(1, frames + 1)
    positions, _ = joint_worlds(hero, numbers)
    wanted = core_result(skeleton_of_setup(), trackers, numbers).positions() @ TO_BLENDER.T
    assert np.abs(positions - wanted).max() < 1e-3


def test_a_soloed_track_is_named(hero: bpy.types.Object, performance: Motion) -> None:
    bone = hero.pose.bones[mixamo_name("left_shoulder")]
    bone.rotation_quaternion = Quaternion((1.0, 0.0, 0.0), 0.5)
    bone.keyframe_insert("rotation_quaternion", frame=1)
    data = hero.animation_data
    assert data.action is not None
    track = data.nla_tracks.new()
    track.name = "Idle"
    track.strips.new("Idle", 1, data.action)
    data.action = None
    track.is_solo = True
    trackers = calibrated(hero, performance)
    setup = bpy.context.scene.ssrhmr
    assert setup.obstacles.startswith("NLA track 'Idle' is soloed, so nothing else moves")
    run(1, 100)
    assert "'Idle' is soloed" in setup.notes and "combined" not in setup.notes
    track.is_solo = False
    assert off_the_core(hero, trackers).max() < 1e-3
