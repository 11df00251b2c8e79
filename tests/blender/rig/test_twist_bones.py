# SPDX-License-Identifier: GPL-3.0-or-later
"""Twist bones, long spines and necks: what turns between two joints is shared out."""

from __future__ import annotations

from itertools import pairwise

import bpy
import numpy as np
import pytest
from mathutils import Matrix, Quaternion, Vector

from ssrhmr_blender.animation.actions import curves_of
from ssrhmr_blender.properties.tracker import TRACKERS
from ssrhmr_blender.rig.preview import Preview
from ssrhmr_blender.rig.reading import read_character
from ssrhmr_core import Motion, Take
from tests.blender.bake.test_bake import core_result, skeleton_of_setup
from tests.blender.conftest import TO_BLENDER, choose, joint_worlds, make_trackers
from tests.blender.rig.test_families import build
from tests.core.example_rigs import RIGS

SHARES = [
    # kind of rig, bone, the bones between which it lies, its share of what they twist
    ("Unreal mannequin: UE4", "lowerarm_twist_01_l", ("lowerarm_l", "hand_l"), 0.5),
    ("Unreal mannequin: UE4", "calf_twist_01_r", ("calf_r", "foot_r"), 0.5),
    ("Unreal mannequin: UE4", "upperarm_twist_01_r", ("clavicle_r", "upperarm_r"), 0.5),
    ("Unreal mannequin: UE5", "lowerarm_twist_02_l", ("lowerarm_l", "hand_l"), 0.33),
    ("Unreal mannequin: UE5", "lowerarm_twist_01_l", ("lowerarm_l", "hand_l"), 0.67),
    ("Unreal mannequin: MetaHuman", "thigh_twist_02_l", ("pelvis", "thigh_l"), 0.67),
    (
        "Character Creator and AccuRig",
        "CC_Base_L_ForearmTwist01",
        ("CC_Base_L_Forearm", "CC_Base_L_Hand"),
        0.0,
    ),
    (
        "Character Creator and AccuRig",
        "CC_Base_L_ForearmTwist02",
        ("CC_Base_L_Forearm", "CC_Base_L_Hand"),
        0.5,
    ),
    ("DAZ Genesis 9", "l_forearmtwist2", ("l_forearm", "l_hand"), 0.7),
    ("DAZ and Poser: Genesis 8", "lForearmTwist", ("lForearmBend", "lHand"), 0.5),
    (
        "Mixamo and HumanIK: HumanIK",
        "Character1_LeftForeArmRoll",
        ("Character1_LeftForeArm", "Character1_LeftHand"),
        0.5,
    ),
    ("Rigify deform bones", "DEF-forearm.R.001", ("DEF-forearm.R", "DEF-hand.R"), 0.5),
    ("MakeHuman", "lowerarm02.L", ("lowerarm01.L", "wrist.L"), 0.5),
    ("3ds Max Biped", "Bip001 L ForeTwist", ("Bip001 L Forearm", "Bip001 L Hand"), 0.5),
]


def bake(kind: str, performance: Motion) -> bpy.types.Object:
    armature = build(*RIGS[kind], performance.skeleton, kind)
    choose(armature, make_trackers(Take.from_motion(performance)))
    setup = bpy.context.scene.ssrhmr
    setup.calibration_frame = 20
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
    setup.frame_start, setup.frame_end = 1, len(performance)
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}, setup.message
    return armature


def turned(armature: bpy.types.Object, bone: str) -> Quaternion:
    """A bone's rotation since its rest pose, in the armature's axes."""
    pose, rest = armature.pose.bones[bone], armature.data.bones[bone]
    return pose.matrix.to_quaternion() @ rest.matrix_local.to_quaternion().inverted()


def degrees_about(turn: Quaternion, axis: Vector) -> float:
    """The twist of a rotation about an axis, -180..180."""
    angle = np.degrees(2.0 * np.arctan2(Vector(turn[1:]) @ axis, turn[0]))
    return float((angle + 180.0) % 360.0 - 180.0)


def part_of_upper_limb(joints: dict[str, str], bone: str) -> bool:
    """Whether a limb begins at a bone: what it twists is measured from the bone before."""
    name = next(joint for joint, known in joints.items() if known == bone)
    return name.endswith(("_hip", "_shoulder"))


@pytest.mark.parametrize(("kind", "bone", "ends", "share"), SHARES)
def test_twist_bones_take_their_share(
    performance: Motion, kind: str, bone: str, ends: tuple[str, str], share: float
) -> None:
    armature = bake(kind, performance)
    first, last = ends
    joints = RIGS[kind][1]
    heads = {bone: armature.data.bones[bone].head_local for bone in joints.values()}
    order = [*joints.values()]
    limb = order[order.index(last) + 1] if part_of_upper_limb(joints, last) else last
    start = last if limb != last else first
    axis = (heads[limb] - heads[start]).normalized()
    whole, taken = [], []
    for frame in range(41, len(performance), 7):
        bpy.context.scene.frame_set(frame)
        base = turned(armature, first).inverted()
        whole.append(degrees_about(base @ turned(armature, last), axis))
        taken.append(degrees_about(base @ turned(armature, bone), axis))
    print(f"{kind}: {bone} {max(np.abs(taken)):.1f} of {max(np.abs(whole)):.1f} degrees")
    assert np.abs(whole).max() > 4.0
    np.testing.assert_allclose(taken, share * np.array(whole), atol=0.3)


@pytest.mark.parametrize("kind", ["Rigify deform bones", "Auto-Rig Pro export"])
def test_upper_limbs_of_several_bones_turn_wholly_at_the_hinge(
    performance: Motion, kind: str
) -> None:
    """The last bone before the elbow has all of the arm's twist, the first one half of it."""
    armature = bake(kind, performance)
    bones = {
        "Rigify deform bones": ["DEF-shoulder.L", "DEF-upper_arm.L", "DEF-upper_arm.L.001"],
        "Auto-Rig Pro export": ["shoulder.l", "c_arm_twist_offset.l", "arm_stretch.l"],
    }[kind]
    elbow = RIGS[kind][1]["left_elbow"]
    data = armature.data.bones
    axis = (data[elbow].head_local - data[bones[1]].head_local).normalized()
    twists = []
    for frame in range(30, 150, 10):
        bpy.context.scene.frame_set(frame)
        base = turned(armature, bones[0]).inverted()
        half, whole = (degrees_about(base @ turned(armature, bone), axis) for bone in bones[1:])
        assert half == pytest.approx(0.5 * whole, abs=0.3)
        twists.append(abs(whole))
    assert max(twists) > 5.0


@pytest.mark.parametrize(
    ("kind", "chain"),
    [
        ("Unreal mannequin: UE5", ["spine_03", "spine_04", "spine_05"]),
        ("Unreal mannequin: UE5", ["neck_01", "neck_02", "head"]),
        ("Xsens MVN", ["L5", "L3", "T12"]),
        ("MakeHuman", ["neck01", "neck02", "neck03", "head"]),
        ("CMU (MotionBuilder)", ["Neck", "Neck1", "Head"]),
    ],
)
def test_long_spines_and_necks_bend_evenly(
    performance: Motion, kind: str, chain: list[str]
) -> None:
    armature = bake(kind, performance)
    widest = 0.0
    for frame in range(41, len(performance), 7):
        bpy.context.scene.frame_set(frame)
        rotations = [turned(armature, bone) for bone in chain]
        bends = [np.degrees(a.rotation_difference(b).angle) for a, b in pairwise(rotations)]
        bends = [min(bend, 360.0 - bend) for bend in bends]
        # Their lengths are alike. Left stiff, one would take all.
        assert min(bends) > 0.8 * max(bends) - 0.3, (frame, bends)
        widest = max(widest, *bends)
    print(f"{kind}: {chain[0]} to {chain[-1]}, up to {widest:.1f} degrees at a bone")
    assert widest > 1.0


def test_live_shows_what_a_bake_keys(performance: Motion) -> None:
    armature = bake("Unreal mannequin: UE5", performance)
    frames = np.arange(1, len(performance) + 1)
    trackers = {role: getattr(bpy.context.scene.ssrhmr, role) for role in TRACKERS}
    motion = core_result(skeleton_of_setup(), trackers, frames)
    bones = ["spine_02", "spine_03", "neck_02", "head", "lowerarm_twist_01_l", "hand_l"]
    bpy.context.scene.frame_set(100)
    baked = [armature.pose.bones[bone].matrix.copy() for bone in bones]
    armature.animation_data.action = None
    character = read_character(armature, tuple(s.bone for s in bpy.context.scene.ssrhmr.bones))
    Preview(armature, character).show(motion.rotations[99], motion.root[99])
    bpy.context.view_layer.update()
    for bone, matrix in zip(bones, baked, strict=True):
        np.testing.assert_allclose(
            np.array(armature.pose.bones[bone].matrix), np.array(matrix), atol=1e-4
        )


def test_bones_between_joints_are_the_bodys(performance: Motion) -> None:
    """An old action turns bones between hips and thighs, and in the neck; they come to rest."""
    kind = "DAZ and Poser: Genesis 8"
    armature = build(*RIGS[kind], performance.skeleton, kind)
    for frame in (1, 60):
        for name in ("pelvis", "neckUpper", "lMetatarsals", "lPectoral"):
            pose = armature.pose.bones[name]
            pose.rotation_quaternion, pose.location = (1.0, 0.01 * frame, 0.2, 0.0), (0.0, 0.1, 0.0)
            pose.keyframe_insert("rotation_quaternion", frame=frame)
            pose.keyframe_insert("location", frame=frame)
    trackers = make_trackers(Take.from_motion(performance))
    choose(armature, trackers)
    setup = bpy.context.scene.ssrhmr
    setup.calibration_frame = 20
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
    setup.frame_start, setup.frame_end = 1, 100
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}, setup.message
    frames = np.arange(1, 101)
    positions, _ = joint_worlds(armature, frames)
    wanted = core_result(skeleton_of_setup(), trackers, frames).positions() @ TO_BLENDER.T
    assert np.abs(positions - wanted).max() < 1e-3
    bones = armature.pose.bones
    assert bones["pelvis"].matrix_basis == Matrix() == bones["lMetatarsals"].matrix_basis
    assert bones["lPectoral"].location.y == pytest.approx(0.1), "nothing of the body hangs on it"
    moved = {curve.data_path for curve in curves_of(armature) if "location" in curve.data_path}
    assert not any("Thigh" in path for path in moved), "thighs stay in their sockets"


def test_twist_bones_that_the_rig_turns_are_left_alone(performance: Motion) -> None:
    kind = "Unreal mannequin: UE4"
    armature = build(*RIGS[kind], performance.skeleton, kind)
    armature.pose.bones["lowerarm_twist_01_l"].constraints.new("COPY_ROTATION")
    choose(armature, make_trackers(Take.from_motion(performance)))
    character = read_character(armature, tuple(s.bone for s in bpy.context.scene.ssrhmr.bones))
    shared = {bone for segment in character.segments for bone in segment.bones}
    assert "lowerarm_twist_01_l" not in shared and "lowerarm_twist_01_r" in shared
