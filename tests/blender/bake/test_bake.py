# SPDX-License-Identifier: GPL-3.0-or-later
"""Baking in the real Blender: from animated empties to keys on several kinds of characters."""

from __future__ import annotations

import lzma
import math
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from mathutils import Matrix, Quaternion

from ssrhmr_blender.animation.actions import curves_of
from ssrhmr_blender.baking.job import bake
from ssrhmr_blender.common.typed import action_of, scene_of
from ssrhmr_blender.properties.values import write_values
from ssrhmr_core import Calibration, Motion, ReconstructionOptions, Reconstructor, Skeleton, Take
from ssrhmr_core.body.skeleton import INDEX, TRACKER_JOINTS, TRACKERS
from ssrhmr_core.tracking.denoising import Smoothing
from tests.blender.conftest import (
    TO_BLENDER,
    active_object,
    choose,
    enable,
    joint_worlds,
    make_armature,
    make_trackers,
    snapshot,
    with_t_pose,
)
from tests.mixamo_names import mixamo_name

LIMBS = [
    (INDEX[f"{side}_{a}"], INDEX[f"{side}_{b}"])
    for side in ("left", "right")
    for a, b in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))
]


def core_result(
    skeleton: Skeleton,
    trackers: dict[str, bpy.types.Object],
    frames: np.ndarray,
    **cleanup: Any,
) -> Motion:
    """What the core makes of the same empties, read here without the add-on's code."""
    scene, setup = bpy.context.scene, bpy.context.scene.ssrhmr
    rate = scene.render.fps / scene.render.fps_base
    positions, quats = [], []
    for frame in frames:
        scene.frame_set(int(frame))
        worlds = [trackers[role].matrix_world for role in trackers]
        positions.append([TO_BLENDER.T @ np.array(world.translation) for world in worlds])
        rotations = [world.to_quaternion().normalized() for world in worlds]
        quats.append([(q.w, q.x, q.z, -q.y) for q in rotations])
    take = Take(
        (frames - frames[0]) / rate,
        np.array(positions, np.float32),
        np.array(quats, np.float32),
        np.ones((len(frames), 6), bool),
    )
    reconstructor = Reconstructor(skeleton, ReconstructionOptions(**cleanup))
    return reconstructor.clip(Calibration.from_json(setup.calibration).apply(take))


def directions(points: np.ndarray) -> np.ndarray:
    bones = np.stack([points[:, b] - points[:, a] for a, b in LIMBS], 1)
    return bones / np.linalg.norm(bones, axis=-1, keepdims=True)


def degrees_between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.degrees(np.arccos(np.clip((a * b).sum(-1), -1.0, 1.0)))


def run(frame_start: int, frame_end: int) -> bpy.types.Action:
    setup = bpy.context.scene.ssrhmr
    setup.frame_start, setup.frame_end = frame_start, frame_end
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}, setup.message
    return setup.armature.animation_data.action


def skeleton_of_setup() -> Skeleton:
    from ssrhmr_blender.rig.reading import read_character

    setup = bpy.context.scene.ssrhmr
    return read_character(setup.armature, tuple(s.bone for s in setup.bones)).rest.skeleton


def calibrated(armature: bpy.types.Object, performance: Motion) -> dict[str, bpy.types.Object]:
    """Let trackers perform, choose them and the character, and calibrate; the trackers by role."""
    trackers = make_trackers(Take.from_motion(performance))
    choose(armature, trackers)
    setup = bpy.context.scene.ssrhmr
    setup.calibration_frame = 20
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
    return trackers


def off_the_core(armature: bpy.types.Object, trackers: dict[str, bpy.types.Object]) -> np.ndarray:
    """How far joints are from where the core has them, (100, 22, 3) metres."""
    frames = np.arange(1, 101)
    positions, _ = joint_worlds(armature, frames)
    wanted = core_result(skeleton_of_setup(), trackers, frames).positions() @ TO_BLENDER.T
    return np.abs(positions - wanted)


def test_own_skeleton_in_its_own_rest_pose(performance: Motion) -> None:
    armature = make_armature("Hero", performance.skeleton)
    trackers = calibrated(armature, performance)
    run(1, len(performance))
    frames = np.arange(1, len(performance) + 1)
    expected = core_result(skeleton_of_setup(), trackers, frames)
    positions, rotations = joint_worlds(armature, frames)
    wanted = expected.positions() @ TO_BLENDER.T
    assert np.abs(positions - wanted).max() < 1e-3
    # The T-pose is the rest pose here, so bones turn as joints do.
    rest = np.array(
        [
            armature.data.bones[slot.bone].matrix_local.to_3x3()
            for slot in bpy.context.scene.ssrhmr.bones
        ]
    )
    expected_rotations = TO_BLENDER @ expected.matrices() @ TO_BLENDER.T @ rest
    assert np.abs(rotations - expected_rotations).max() < 2e-3


def twisted_rig(skeleton: Skeleton) -> bpy.types.Object:
    """Mixamo names, A-pose, twisted rolls, 0.01 scale, rotated, moved and parented."""
    down = math.radians(45.0)
    y = (0.0, 1.0, 0.0)
    rest_rotations = {"left_shoulder": Quaternion(y, down), "right_shoulder": Quaternion(y, -down)}
    rolls = {name: 0.7 * number for number, name in enumerate(INDEX)}
    armature = make_armature("Twisted", skeleton, rest_rotations, rolls, scale=0.01)
    armature.rotation_euler = (math.radians(90.0), 0.3, -1.0)
    armature.location = (2.0, -1.0, 0.5)
    parent = bpy.data.objects.new("Parent", None)
    bpy.context.scene.collection.objects.link(parent)
    parent.location, parent.rotation_euler = (0.3, 0.2, 0.1), (0.2, 0.4, 0.6)
    armature.parent = parent
    bpy.context.view_layer.update()
    return armature


def test_a_pose_twisted_rolls_scaled_rotated_parented(performance: Motion) -> None:
    other = Skeleton(performance.skeleton.offsets * 1.05)
    armature = twisted_rig(other)
    trackers = make_trackers(Take.from_motion(performance))
    choose(armature, trackers)
    setup = bpy.context.scene.ssrhmr
    setup.calibration_frame, setup.proportions = 20, "FIT"
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
    run(1, len(performance))
    frames = np.arange(1, len(performance) + 1)
    expected = core_result(skeleton_of_setup(), trackers, frames)
    positions, _ = joint_worlds(armature, frames)
    wanted = expected.positions() @ TO_BLENDER.T
    ends = list(TRACKER_JOINTS)
    assert np.abs(positions[:, ends] - wanted[:, ends]).max() < 1e-3
    assert degrees_between(directions(positions), directions(wanted)).max() < 1.0


@pytest.mark.parametrize("mode", ["XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX", "AXIS_ANGLE"])
def test_rotation_modes_are_keyed_as_the_bones_have_them(performance: Motion, mode: str) -> None:
    armature = make_armature("Hero", performance.skeleton)
    trackers = make_trackers(Take.from_motion(performance))
    choose(armature, trackers)
    setup = bpy.context.scene.ssrhmr
    setup.calibration_frame = 20
    bpy.ops.ssrhmr.calibrate()
    run(1, 100)
    frames = np.arange(1, 101)
    quaternions, _ = joint_worlds(armature, frames)
    for bone in armature.pose.bones:
        bone.rotation_mode = mode
    run(1, 100)
    others, _ = joint_worlds(armature, frames)
    assert np.abs(others - quaternions).max() < 1e-4
    if mode != "AXIS_ANGLE":
        for curve in curves_of(armature):
            if "rotation_euler" in curve.data_path:
                values = np.array([point.co[1] for point in curve.keyframe_points])
                assert np.abs(np.diff(values)).max() < math.pi


def test_scene_rate_below_the_model_and_ends_still_exact(
    skeleton: Skeleton, scene: bpy.types.Scene
) -> None:
    from tests.core.conftest import make_motion

    motion = with_t_pose(make_motion(skeleton, frames=120, rate=120.0), 60)
    scene.render.fps, scene.render.fps_base = 24, 1.0
    armature = make_armature("Hero", skeleton)
    trackers = make_trackers(Take.from_motion(motion))
    choose(armature, trackers)
    setup = scene.ssrhmr
    setup.calibration_frame = 6
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
    run(1, 36)
    frames = np.arange(1, 37)
    positions, _ = joint_worlds(armature, frames)
    expected = core_result(skeleton_of_setup(), trackers, frames)
    ends = list(TRACKER_JOINTS)
    wanted = (expected.positions() @ TO_BLENDER.T)[:, ends]
    assert np.abs(positions[:, ends] - wanted).mean() < 1e-3


def test_trackers_moved_by_parents_constraints_and_drivers(performance: Motion) -> None:
    """The same motion comes to the character through other ways than keys."""
    armature = make_armature("Hero", performance.skeleton)
    keyed = make_trackers(Take.from_motion(performance))
    choose(armature, keyed)
    setup = bpy.context.scene.ssrhmr
    setup.calibration_frame = 20
    bpy.ops.ssrhmr.calibrate()
    run(1, 100)
    frames = np.arange(1, 101)
    direct, _ = joint_worlds(armature, frames)

    followers = {}
    for role, tracker in keyed.items():
        empty = bpy.data.objects.new(f"follow {role}", None)
        bpy.context.scene.collection.objects.link(empty)
        if role == "head":
            empty.parent = tracker
            empty.matrix_parent_inverse = Matrix()
        elif role == "pelvis":
            empty.rotation_mode = "QUATERNION"
            for path, count in (("location", 3), ("rotation_quaternion", 4)):
                for index in range(count):
                    driver = empty.driver_add(path, index).driver
                    variable = driver.variables.new()
                    variable.targets[0].id = tracker
                    variable.targets[0].data_path = f"{path}[{index}]"
                    driver.expression = variable.name
        else:
            constraint = empty.constraints.new("COPY_TRANSFORMS")
            constraint.target = tracker
        empty.scale = (2.0, 2.0, 2.0) if role != "left_hand" else (0.01, 0.01, 0.01)
        followers[role] = empty
    choose(armature, followers)
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
    run(1, 100)
    followed, _ = joint_worlds(armature, frames)
    assert np.abs(followed - direct).max() < 1e-3


def test_calibrating_to_the_characters_pose(performance: Motion) -> None:
    """With the character standing where the performer stands, the mounts are found exactly."""
    armature = make_armature("Hero", performance.skeleton)
    take = Take.from_motion(performance)
    armature.location = TO_BLENDER @ performance.root[20].astype(float)
    trackers = make_trackers(take)
    choose(armature, trackers)
    setup = bpy.context.scene.ssrhmr
    setup.calibration_frame, setup.reference = 20, "CHARACTER"
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
    run(1, len(performance))
    positions, _ = joint_worlds(armature, np.arange(1, len(performance) + 1))
    ends = list(TRACKER_JOINTS)
    wanted = performance.positions()[:, ends] @ TO_BLENDER.T
    assert np.linalg.norm(positions[:, ends] - wanted, axis=-1).mean() < 1e-3


@pytest.mark.parametrize("inherit", [True, False])
@pytest.mark.parametrize("local", [True, False])
def test_root_bone_above_the_hips_and_inheritance_flags(
    performance: Motion, inherit: bool, local: bool
) -> None:
    armature = make_armature("Hero", performance.skeleton)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    root = armature.data.edit_bones.new("Root")
    root.head, root.tail, root.roll = (0.2, 0.1, -0.9), (0.4, 0.5, -0.2), 0.4
    armature.data.edit_bones[mixamo_name("hips")].parent = root
    bpy.ops.object.mode_set(mode="OBJECT")
    armature.pose.bones["Root"].rotation_mode = "XYZ"
    armature.pose.bones["Root"].rotation_euler = (0.3, -0.2, 0.5)
    armature.pose.bones["Root"].location = (0.1, 0.2, 0.3)
    for name in ("hips", "left_knee", "chest", "right_elbow"):
        bone = armature.data.bones[mixamo_name(name)]
        bone.use_inherit_rotation, bone.use_local_location = inherit, local
    trackers = calibrated(armature, performance)
    run(1, 100)
    assert off_the_core(armature, trackers).max() < 1e-3
    assert list(armature.pose.bones["Root"].location) == pytest.approx([0.1, 0.2, 0.3])


def test_bones_that_were_moved_before(performance: Motion) -> None:
    """Places given by hand, or left by another action, do not stay under the new keys."""
    armature = make_armature("Hero", performance.skeleton)
    for name in ("left_elbow", "right_knee", "chest"):
        armature.pose.bones[mixamo_name(name)].location = (0.1, -0.05, 0.2)
    trackers = calibrated(armature, performance)
    run(1, 100)
    assert off_the_core(armature, trackers).max() < 1e-3


def test_over_an_nla_track(performance: Motion) -> None:
    """A strip moves and turns the same bones: the new action goes over all of it."""
    armature = make_armature("Hero", performance.skeleton)
    for frame in (1, 60):
        for name in ("hips", "left_elbow", "neck"):
            pose = armature.pose.bones[mixamo_name(name)]
            pose.location = (0.002 * (frame - 1), 0.0, 0.0)
            pose.rotation_quaternion = (1.0, 0.0, 0.3, 0.0)
            pose.keyframe_insert("location", frame=frame)
            pose.keyframe_insert("rotation_quaternion", frame=frame)
    data = armature.animation_data
    data.nla_tracks.new().strips.new("Idle", 1, action_of(armature))
    data.action = None
    for pose in armature.pose.bones:
        pose.matrix_basis = Matrix()
    trackers = calibrated(armature, performance)
    run(1, 100)
    assert off_the_core(armature, trackers).max() < 1e-3


def test_a_root_that_goes_on_moving(performance: Motion) -> None:
    """An old action and a constraint move a bone above the hips: that stays, and is met."""
    armature = make_armature("Hero", performance.skeleton)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    bone = armature.data.edit_bones.new("Root")
    bone.head, bone.tail = (0.2, 0.1, -0.9), (0.4, 0.5, -0.2)
    armature.data.edit_bones[mixamo_name("hips")].parent = bone
    bpy.ops.object.mode_set(mode="OBJECT")
    root = armature.pose.bones["Root"]
    vehicle = bpy.data.objects.new("Vehicle", None)
    bpy.context.scene.collection.objects.link(vehicle)
    for frame, place in ((1, 0.0), (60, 1.5)):
        root.location, vehicle.rotation_euler = (place, 0.0, 0.3), (0.2 * place, 0.0, place)
        root.keyframe_insert("location", frame=frame)
        vehicle.keyframe_insert("rotation_euler", frame=frame)
    root.constraints.new("COPY_ROTATION").target = vehicle
    trackers = calibrated(armature, performance)
    for between in (1, 2):
        bpy.context.scene.render.fps = 60 // between
        run(1, 100)
        ends = list(TRACKER_JOINTS) if between > 1 else slice(None)
        assert off_the_core(armature, trackers)[:, ends].max() < 2e-3
        bpy.context.scene.frame_set(60)
        assert root.location.x == pytest.approx(1.5)


def import_performer(source: Path, folder: Path) -> bpy.types.Object:
    """Import a compressed clip of the corpus with Blender's own importer."""
    plain = folder / "clip.bvh"
    plain.write_bytes(lzma.decompress(source.read_bytes()))
    bpy.ops.import_anim.bvh(
        filepath=str(plain),
        axis_forward="-Z",
        axis_up="Y",
        use_fps_scale=False,
        update_scene_fps=False,
        update_scene_duration=False,
        frame_start=1,
    )
    return active_object()


def copy_at_rest(performer: bpy.types.Object, name: str) -> bpy.types.Object:
    """Copy an armature without its animation, in its rest pose."""
    twin = performer.copy()
    twin.data = performer.data.copy()
    twin.animation_data_clear()
    twin.name = name
    bpy.context.scene.collection.objects.link(twin)
    for bone in twin.pose.bones:
        bone.matrix_basis = Matrix()
    return twin


def follow_joints(performer: bpy.types.Object, bones: list[str]) -> dict[str, bpy.types.Object]:
    """Empties with odd mounts that follow the bones of the tracked joints."""
    random = np.random.default_rng(0)
    trackers = {}
    for role, joint in zip(TRACKERS, TRACKER_JOINTS, strict=True):
        holder = bpy.data.objects.new(f"holder {role}", None)
        empty = bpy.data.objects.new(f"Vive {role}", None)
        for obj in (holder, empty):
            bpy.context.scene.collection.objects.link(obj)
        constraint = holder.constraints.new("COPY_TRANSFORMS")
        constraint.target, constraint.subtarget = performer, bones[joint]
        empty.parent = holder
        empty.rotation_mode = "QUATERNION"
        empty.rotation_quaternion = Quaternion(random.standard_normal(4).tolist()).normalized()
        empty.location = (0.06 * random.standard_normal(3)).tolist()
        trackers[role] = empty
    return trackers


def bake_calibrated(frame: int, reference: str, count: int) -> None:
    """Calibrate in a reference pose, and bake the first frames."""
    setup = bpy.context.scene.ssrhmr
    setup.calibration_frame, setup.reference = frame, reference
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
    run(1, count)


def test_corpus_clip_through_blenders_importer(
    corpus: Path, tmp_path: Path, scene: bpy.types.Scene
) -> None:
    """A real clip; empties with odd mounts follow its joints; baked onto three characters."""
    enable("io_anim_bvh")
    performer = import_performer(corpus / "cmu_mb/05/05_01.bvh.xz", tmp_path)
    count = 240
    frames = np.arange(1, count + 1)
    setup = scene.ssrhmr
    setup.armature = performer
    assert bpy.ops.ssrhmr.detect_bones() == {"FINISHED"}
    bones = [slot.bone for slot in setup.bones]
    trackers = follow_joints(performer, bones)

    # (a) onto the same skeleton, posed as the performer at frame 1.
    twin = copy_at_rest(performer, "Twin")
    scene.frame_set(1)
    for bone in performer.pose.bones:
        twin.pose.bones[bone.name].rotation_mode = bone.rotation_mode
        twin.pose.bones[bone.name].matrix_basis = bone.matrix_basis.copy()
    choose(twin, trackers)
    assert [slot.bone for slot in setup.bones] == bones
    bake_calibrated(1, "CHARACTER", count)
    positions, _ = joint_worlds(twin, frames)
    expected = core_result(skeleton_of_setup(), trackers, frames)
    wanted = expected.positions() @ TO_BLENDER.T
    off = 1000.0 * np.linalg.norm(positions - wanted, axis=-1)
    print(f"\nsame skeleton: bake against core, worst {np.nanmax(off):.3f} mm")
    assert np.nanmax(off) < 1.0
    setup.armature = performer
    bpy.ops.ssrhmr.detect_bones()
    truth, _ = joint_worlds(performer, frames)
    error = 1000.0 * np.linalg.norm(positions - truth, axis=-1)
    print(f"same skeleton: bake against performer, mean {np.nanmean(error):.1f} mm")
    assert np.nanmean(error) < 40.0

    # (b) onto Rigify's meta-rig, (c) onto a rig with Mixamo's names and an awkward rest pose.
    enable("rigify")
    bpy.ops.object.armature_human_metarig_add()
    metarig = active_object()
    # The clip has no T-pose: let the performer stand in its rest pose, once, before frame 1.
    t_pose(performer, -30)
    for character in (metarig, twisted_rig(Skeleton(expected.skeleton.offsets * 1.1))):
        choose(character, trackers)
        setup.proportions = "FIT"
        bake_calibrated(-30, "T_POSE", count)
        positions, _ = joint_worlds(character, frames)
        wanted = core_result(skeleton_of_setup(), trackers, frames).positions() @ TO_BLENDER.T
        off = 1000.0 * np.linalg.norm(positions - wanted, axis=-1)[:, list(TRACKER_JOINTS)]
        turned = degrees_between(directions(positions), directions(wanted))
        worst = f"ends {off.max():.3f} mm, limbs {turned.max():.3f} degrees"
        print(f"{character.name}: bake against core, worst: {worst}")
        assert off.max() < 1.0
        assert turned.max() < 1.0


def t_pose(performer: bpy.types.Object, frame: int) -> None:
    """Key the performer's rest pose before the clip, held for a second."""
    for held in (frame - 20, frame + 20):
        for bone in performer.pose.bones:
            bone.rotation_euler = (0.0, 0.0, 0.0)
            bone.keyframe_insert("rotation_euler", frame=held)


def test_a_cancelled_bake_leaves_no_trace(performance: Motion) -> None:
    armature = make_armature("Hero", performance.skeleton)
    trackers = make_trackers(Take.from_motion(performance))
    choose(armature, trackers)
    setup = bpy.context.scene.ssrhmr
    setup.calibration_frame = 20
    bpy.ops.ssrhmr.calibrate()
    setup.frame_start, setup.frame_end = 1, 100
    bpy.context.scene.frame_set(7)
    before = snapshot()
    stop, finished = 0, False
    while not finished:
        steps = bake(scene_of(bpy.context))
        try:
            for _ in range(stop + 1):
                next(steps)
        except StopIteration:
            finished = True
        else:
            steps.close()
            assert snapshot() == before, f"changed when cancelled at step {stop}"
        stop += 1
    assert stop > 22, "a step for each bone at least"


def test_existing_action_is_kept_and_new_ones_are_made(performance: Motion) -> None:
    armature = make_armature("Hero", performance.skeleton)
    trackers = make_trackers(Take.from_motion(performance))
    choose(armature, trackers)
    setup = bpy.context.scene.ssrhmr
    setup.calibration_frame = 20
    bpy.ops.ssrhmr.calibrate()
    bone = armature.pose.bones[mixamo_name("head")]
    bone.keyframe_insert("rotation_quaternion", frame=3)
    mine = armature.animation_data.action
    first = run(1, 50)
    second = run(1, 50)
    assert len({mine.name, first.name, second.name}) == 3
    assert bpy.data.actions.get(mine.name) is not None
    paths = {curve.data_path for curve in curves_of(armature)}
    for slot in setup.bones:
        assert any(f'"{slot.bone}"' in path for path in paths)
    assert all(len(curve.keyframe_points) == 50 for curve in curves_of(armature))
    hips = [p for p in paths if p.endswith("location")]
    assert hips == [f'pose.bones["{mixamo_name("hips")}"].location']


def test_keys_of_the_object_and_of_other_bones_go_on(performance: Motion, tmp_path: Path) -> None:
    armature = make_armature("Hero", performance.skeleton)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    finger = armature.data.edit_bones.new("Finger")
    hand = armature.data.edit_bones[mixamo_name("left_wrist")]
    finger.head, finger.tail, finger.parent = hand.tail, hand.tail * 1.1, hand
    bpy.ops.object.mode_set(mode="OBJECT")
    for frame, place in ((1, 0.0), (60, 1.5)):
        armature.location = (place, 0.0, 0.0)
        armature.keyframe_insert("location", frame=frame)
        armature.pose.bones["Finger"].rotation_quaternion = (1.0, place, 0.0, 0.0)
        armature.pose.bones["Finger"].keyframe_insert("rotation_quaternion", frame=frame)
        armature.pose.bones[mixamo_name("head")].keyframe_insert("rotation_quaternion", frame=frame)
    old = armature.animation_data.action.name
    trackers = make_trackers(Take.from_motion(performance))
    choose(armature, trackers)
    setup = bpy.context.scene.ssrhmr
    setup.calibration_frame = 20
    bpy.ops.ssrhmr.calibrate()
    run(1, 100)
    assert off_the_core(armature, trackers).max() < 1e-3
    bpy.context.scene.frame_set(60)
    assert armature.location.x == pytest.approx(1.5)
    assert armature.pose.bones["Finger"].rotation_quaternion.x == pytest.approx(1.5)
    # The action before is still there after saving and opening.
    path = str(tmp_path / "saved.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    assert old in bpy.data.actions


@pytest.mark.parametrize(
    ("settings", "cleanup"),
    [
        ({"planting": 1.0}, {"planting": 1.0}),
        (
            {"smoothing": "CUTOFF", "cutoff": 3.0},
            {"smoothing": Smoothing(auto=False, cutoff=3.0)},
        ),
        (
            {"trackers": {"left_hand": {"weight": 0.0}, "pelvis": {"weight": 0.5}}},
            {"tracker_weights": (0.5, 1.0, 0.0, 1.0, 1.0, 1.0)},
        ),
    ],
)
def test_cleanup_is_the_cores(performance: Motion, settings: dict, cleanup: dict) -> None:
    armature = make_armature("Hero", performance.skeleton)
    take = Take.from_motion(performance)
    # A standing foot that slides by four centimetres.
    take.positions[:60, 4, 0] += np.linspace(0.0, 0.04, 60)
    trackers = make_trackers(take)
    choose(armature, trackers)
    setup = bpy.context.scene.ssrhmr
    setup.calibration_frame = 20
    bpy.ops.ssrhmr.calibrate()
    run(1, 120)
    frames = np.arange(1, 121)
    plain, _ = joint_worlds(armature, frames)
    write_values(setup, settings)
    run(1, 120)
    positions, _ = joint_worlds(armature, frames)
    wanted = core_result(skeleton_of_setup(), trackers, frames, **cleanup).positions()
    assert np.abs(positions - wanted @ TO_BLENDER.T).max() < 1e-3
    assert np.abs(positions - plain).max() > 2e-3, "the setting does something"


def test_no_weight_on_pelvis_and_head_is_explained(performance: Motion) -> None:
    armature = make_armature("Hero", performance.skeleton)
    choose(armature, make_trackers(Take.from_motion(performance)))
    setup = bpy.context.scene.ssrhmr
    setup.calibration_frame = 20
    bpy.ops.ssrhmr.calibrate()
    setup.tracker("pelvis").weight = setup.tracker("head").weight = 0.5
    setup.frame_start, setup.frame_end = 1, 20
    with pytest.raises(RuntimeError, match="Pelvis or Head must count fully"):
        bpy.ops.ssrhmr.bake()
    assert armature.animation_data is None or armature.animation_data.action is None
