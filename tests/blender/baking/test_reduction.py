# SPDX-License-Identifier: GPL-3.0-or-later
"""Fewer keys, measured on the pose that Blender evaluates."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
import pytest

from ssrhmr_blender.animation.actions import curves_of
from ssrhmr_blender.baking.existing import reduce_bake
from ssrhmr_blender.common.typed import action_of, pose_of, scene_of
from ssrhmr_core import Motion, Reconstructor, Take
from ssrhmr_core.body.skeleton import INDEX
from tests.blender.conftest import choose, make_armature, make_trackers, snapshot
from tests.mixamo_names import mixamo_name


def evaluated(armature: bpy.types.Object, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return heads and tails (F, B, 2, 3) of all bones in the world, and rotations (F, B, 3, 3)."""
    ends, rotations = [], []
    for frame in frames:
        scene_of(bpy.context).frame_set(int(frame))
        world, bones = armature.matrix_world, pose_of(armature).bones
        ends.append([[world @ bone.head, world @ bone.tail] for bone in bones])
        rotations.append([(world @ bone.matrix).to_3x3().normalized() for bone in bones])
    return np.array(ends), np.array(rotations)


def off(
    armature: bpy.types.Object, frames: np.ndarray, before: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return by how much ends of bones (F, B, 2) are off in millimetres, and bones in degrees."""
    ends, rotations = evaluated(armature, frames)
    chord = np.linalg.norm(rotations - before[1], axis=(-1, -2))
    angles = np.degrees(2.0 * np.arcsin(chord / np.sqrt(8.0)))
    return 1000.0 * np.linalg.norm(ends - before[0], axis=-1), angles


def count_keys(armature: bpy.types.Object) -> int:
    return sum(len(curve.keyframe_points) for curve in curves_of(armature))


def baked(performance: Motion, rotation_mode: Any = "QUATERNION") -> bpy.types.Object:
    """Return a character with a bake of two seconds."""
    armature = make_armature("Hero", performance.skeleton)
    for bone in pose_of(armature).bones:
        bone.rotation_mode = rotation_mode
    choose(armature, make_trackers(Take.from_motion(performance)))
    setup = bpy.context.scene.ssrhmr
    setup.calibration_frame, setup.frame_start, setup.frame_end = 20, 1, 130
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}, setup.message
    return armature


FRAMES = np.arange(1, 131)


def test_the_sample_take_needs_a_fifth_of_its_keys(scene: bpy.types.Scene) -> None:
    scene.render.fps = 24
    bpy.ops.ssrhmr.load_example()
    bpy.ops.ssrhmr.calibrate()
    setup = scene.ssrhmr
    bpy.ops.ssrhmr.bake()
    frames = np.arange(scene.frame_start, scene.frame_end + 1)
    before, keys = evaluated(setup.armature, frames), count_keys(setup.armature)
    setup.keyframes.reduce = True
    bpy.ops.ssrhmr.bake()
    millimetres, degrees = off(setup.armature, frames, before)
    assert millimetres.max() <= 1.0 and degrees.max() <= 0.5
    left = count_keys(setup.armature)
    assert left <= 0.2 * keys
    assert f"{left:,} keys instead of {keys:,}" in setup.message


@pytest.mark.parametrize("rotation_mode", ["QUATERNION", "XYZ", "AXIS_ANGLE"])
def test_an_existing_bake_in_every_rotation_mode(performance: Motion, rotation_mode: str) -> None:
    armature = baked(performance, rotation_mode)
    before, keys = evaluated(armature, FRAMES), count_keys(armature)
    setup = bpy.context.scene.ssrhmr
    setup.keyframes.joint_error = setup.keyframes.end_error = 3.0
    setup.keyframes.contact_error = 2.0
    setup.keyframes.angle_error = 1.5
    assert bpy.ops.ssrhmr.reduce_keys() == {"FINISHED"}
    millimetres, degrees = off(armature, FRAMES, before)
    assert millimetres.max() <= 3.0 and degrees.max() <= 1.5
    assert count_keys(armature) < 0.5 * keys
    points = [point for curve in curves_of(armature) for point in curve.keyframe_points]
    assert {point.handle_left_type for point in points} == {"ALIGNED"}
    assert {point.interpolation for point in points} == {"BEZIER"}


def test_contacts_keep_their_keys_and_their_own_tolerance(performance: Motion) -> None:
    armature = baked(performance)
    before = evaluated(armature, FRAMES)
    setup = bpy.context.scene.ssrhmr
    contact = setup.contacts.entries.add()
    contact.part, contact.frame_start, contact.frame_end = "left_foot", 61, 83
    setup.contacts.source = "LIST"
    keys = setup.keyframes
    keys.joint_error = keys.end_error = 20.0
    keys.contact_error, keys.angle_error = 0.3, 5.0
    assert bpy.ops.ssrhmr.reduce_keys() == {"FINISHED"}
    millimetres, _ = off(armature, FRAMES, before)
    names = [bone.name for bone in pose_of(armature).bones]
    ankle, toe = (names.index(mixamo_name(f"left_{joint}")) for joint in ("ankle", "toe"))
    standing = millimetres[(FRAMES >= 61) & (FRAMES <= 83)]
    assert standing[:, [ankle, toe]].max() <= 0.3 < millimetres[:, [ankle, toe]].max()
    keyed = {
        joint: {
            round(point.co[0])
            for curve in curves_of(armature)
            if curve.data_path.startswith(f'pose.bones["{mixamo_name(joint)}"]')
            for point in curve.keyframe_points
        }
        for joint in INDEX
    }
    for joint in ("hips", "left_hip", "left_knee", "left_ankle", "left_toe"):
        assert {1, 61, 83, 130} <= keyed[joint], joint
    assert not {61, 83} <= keyed["right_wrist"]


def test_cancelled_it_leaves_no_trace_and_undone_neither(performance: Motion) -> None:
    armature = baked(performance)
    before, keys = snapshot(), count_keys(armature)
    steps = reduce_bake(scene_of(bpy.context))
    for _ in range(6):
        next(steps)
    steps.close()
    assert snapshot() == before and count_keys(armature) == keys
    bpy.context.preferences.edit.use_global_undo = True
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.ssrhmr.reduce_keys()
    bpy.ops.ed.undo_push(message="after")
    assert count_keys(bpy.data.objects["Hero"]) < keys
    bpy.ops.ed.undo()
    assert count_keys(bpy.data.objects["Hero"]) == keys and snapshot() == before


def test_says_why_it_cannot(performance: Motion) -> None:
    armature = baked(performance)
    curve = next(iter(curves_of(armature)))
    curve.modifiers.new("NOISE")
    with pytest.raises(RuntimeError, match="have modifiers: remove or apply"):
        bpy.ops.ssrhmr.reduce_keys()
    armature.animation_data_clear()
    with pytest.raises(RuntimeError, match="no action to reduce: bake first"):
        bpy.ops.ssrhmr.reduce_keys()
    armature.keyframe_insert("location", frame=1)
    with pytest.raises(RuntimeError, match="no keys of this character's bones"):
        bpy.ops.ssrhmr.reduce_keys()


def test_a_layer_above_an_old_bake_merges_nothing(performance: Motion) -> None:
    armature = baked(performance)
    former = action_of(armature)
    before, keys = evaluated(armature, FRAMES), count_keys(armature)
    setup = bpy.context.scene.ssrhmr
    setup.keyframes.result, setup.keyframes.blend = "LAYER", 4
    setup.root_motion.target, setup.root_motion.smoothing = "IN_PLACE", 0.0
    setup.frame_start, setup.frame_end = 60, 100
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}, setup.message
    data = armature.animation_data
    assert data is not None and data.action is None
    below, above = (track.strips[0] for track in data.nla_tracks)
    assert below.action == former and above.action != former
    assert sum(len(c.keyframe_points) for c in _curves(below)) == keys
    assert (above.frame_start, above.frame_end) == (60.0, 100.0)
    millimetres, _ = off(armature, FRAMES, before)
    outside = (FRAMES < 60) | (FRAMES > 100)
    # Outside of the layer the old bake shows, inside the new one; they blend at its ends.
    assert millimetres[outside].max() < 0.05
    hips = [bone.name for bone in pose_of(armature).bones].index(mixamo_name("hips"))
    middle = millimetres[(FRAMES >= 66) & (FRAMES <= 94), hips, 0]
    assert middle.max() > 20.0


def test_a_layer_above_nothing_is_an_action(performance: Motion) -> None:
    armature = make_armature("Hero", performance.skeleton)
    choose(armature, make_trackers(Take.from_motion(performance)))
    setup = bpy.context.scene.ssrhmr
    setup.calibration_frame, setup.frame_start, setup.frame_end = 20, 1, 30
    setup.keyframes.result = "LAYER"
    bpy.ops.ssrhmr.calibrate()
    bpy.ops.ssrhmr.bake()
    data = armature.animation_data
    assert data is not None and data.action is not None and not data.nla_tracks


def _curves(strip: bpy.types.NlaStrip) -> list[bpy.types.FCurve]:
    from ssrhmr_blender.common.compat import assigned_slot, slot_curves

    assert strip.action is not None
    return list(slot_curves(strip.action, assigned_slot(strip)))


def test_contacts_of_a_bake_are_computed_once(
    performance: Motion, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Feet are planted by them; reducing keys uses the same ones."""

    def again(*_: object) -> None:
        raise AssertionError("contacts are computed a second time")

    baked(performance)
    setup = bpy.context.scene.ssrhmr
    setup.keyframes.reduce, setup.planting = True, 1.0
    with monkeypatch.context() as patched:
        patched.setattr(Reconstructor, "find_contacts", again)
        assert bpy.ops.ssrhmr.bake() == {"FINISHED"}, setup.message
    assert "fewer" in setup.message
    # Nothing is planted: they are looked for, as they keep their keys.
    setup.planting = 0.0
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}, setup.message
    assert "fewer" in setup.message
