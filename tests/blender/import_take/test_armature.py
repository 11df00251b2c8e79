# SPDX-License-Identifier: GPL-3.0-or-later
"""Trackers from armatures that are animated already."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest
from mathutils import Euler, Quaternion, Vector

from ssrhmr_blender.animation.actions import curves_of
from ssrhmr_blender.import_take.armature import _make_trackers
from ssrhmr_core import Calibration, Motion, Reconstructor, Skeleton, Take
from ssrhmr_core.body.skeleton import TRACKER_JOINTS, TRACKERS
from ssrhmr_core.formats.bvh import save_bvh
from tests.blender.bake.test_bake import skeleton_of_setup
from tests.blender.conftest import (
    TO_BLENDER,
    active_object,
    choose,
    enable,
    joint_worlds,
    make_armature,
    snapshot,
)
from tests.blender.performers import perform
from tests.blender.rig.test_families import build
from tests.core.example_rigs import RIGS

A_POSE = {
    "left_shoulder": Quaternion((0.0, 1.0, 0.0), 0.8),
    "right_shoulder": Quaternion((0.0, 1.0, 0.0), -0.8),
}


def activate(obj: bpy.types.Object | None) -> None:
    for each in bpy.context.scene.objects:
        each.select_set(each == obj)
    bpy.context.view_layer.objects.active = obj


def key_range(obj: bpy.types.Object) -> tuple[float, float]:
    span = next(iter(curves_of(obj))).range()
    return span[0], span[1]


def bake(frames: np.ndarray) -> np.ndarray:
    """Bake without any further step; positions (F, 22, 3) of the character's joints."""
    setup = bpy.context.scene.ssrhmr
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}, setup.message
    return joint_worlds(setup.armature, frames)[0]


def distances(positions: np.ndarray, motion: Motion) -> np.ndarray:
    """Distances (F, joints that the character has) in metres."""
    away = np.linalg.norm(positions - motion.positions() @ TO_BLENDER.T, axis=-1)
    kept: np.ndarray = away[:, ~np.isnan(away).any(0)]
    return kept


@pytest.mark.parametrize("fps", [60, 24])
def test_an_identical_character_meets_the_joints(performance: Motion, fps: int) -> None:
    bpy.context.scene.render.fps = fps
    source = make_armature("Suit", performance.skeleton, A_POSE, {"left_elbow": 1.0})
    perform(source, performance, first_frame=7)
    hero = make_armature("Hero", performance.skeleton, A_POSE, {"left_elbow": 1.0})
    choose(hero, {})
    activate(source)
    bpy.context.scene.frame_set(30)
    assert bpy.ops.ssrhmr.trackers_from_armature() == {"FINISHED"}
    setup = bpy.context.scene.ssrhmr
    assert bpy.context.scene.frame_current == 30
    assert (setup.reference, setup.range) == ("JOINTS", "TRACKERS")
    assert setup.calibration and not setup.warnings
    assert round(key_range(setup.pelvis)[0]) == 7

    frames = 7 + np.arange(len(performance))
    positions = bake(frames)
    wanted, _ = joint_worlds(source, frames)
    tracked = list(TRACKER_JOINTS)
    away = 1000.0 * np.linalg.norm(positions - wanted, axis=-1)[:, tracked]
    # The T-pose in which the performance begins stretches limbs fully. The core does not, and a
    # hand is reached only as far as the chest that the network predicts lets it.
    assert away[45:].max() < 0.2 and away.max() < 3.0
    times = np.arange(len(performance)) / fps
    take = Take.from_motion(replace(performance, times=times))
    if fps == 60:
        expected = Reconstructor(performance.skeleton).clip(take)
        assert 1000.0 * distances(positions, expected).max() < 0.5


@pytest.mark.parametrize("proportions", ["MATCH", "RETARGET", "FIT"])
def test_another_rig_family_and_body(performance: Motion, proportions: str) -> None:
    """The source is small, turned, moved, scaled and follows a parent that is scaled too."""
    kind = "3ds Max Biped"
    source = build(*RIGS[kind], performance.skeleton.scaled(0.8), kind)
    holder = bpy.data.objects.new("Holder", None)
    bpy.context.scene.collection.objects.link(holder)
    holder.scale = (2.0,) * 3
    holder.rotation_euler = (0.0, 0.0, 0.4)
    source.parent = holder
    source.location, source.scale = (0.3, -0.2, 0.1), (0.4,) * 3
    source.rotation_euler = Euler((0.2, 0.1, 2.0))
    motion = perform(source, performance)
    assert motion.skeleton.size == pytest.approx(0.64 * performance.skeleton.size, rel=0.02)

    offsets = performance.skeleton.offsets.copy()
    offsets[[2, 3, 6, 7]] *= 1.2
    choose(make_armature("Hero", Skeleton(offsets), A_POSE), {})
    setup = bpy.context.scene.ssrhmr
    setup.proportions = proportions
    activate(source)
    assert bpy.ops.ssrhmr.trackers_from_armature() == {"FINISHED"}
    frames = 1 + np.arange(len(motion))
    positions = bake(frames)
    hero = skeleton_of_setup()
    performer = motion.skeleton if proportions == "RETARGET" else None
    scale = hero.size / motion.skeleton.size if proportions == "FIT" else 1.0
    take = replace(Calibration.none(), scale=scale).apply(Take.from_motion(motion))
    expected = Reconstructor(hero, performer=performer).clip(take)
    assert 1000.0 * distances(positions, expected).max() < 1.0


def test_scenes_in_centimetres(performance: Motion) -> None:
    bpy.context.scene.unit_settings.scale_length = 0.01
    skeleton = performance.skeleton
    source = make_armature("Suit", skeleton.scaled(100.0))
    motion = perform(source, performance)
    choose(make_armature("Hero", skeleton.scaled(50.0)), {})
    setup = bpy.context.scene.ssrhmr
    setup.proportions = "FIT"
    activate(source)
    assert bpy.ops.ssrhmr.trackers_from_armature() == {"FINISHED"}
    calibration = Calibration.from_json(setup.calibration)
    assert calibration.scale == pytest.approx(0.5, rel=1e-4)
    setup.proportions = "RETARGET"
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}
    performer = Calibration.from_json(setup.calibration).performer
    assert performer is not None
    np.testing.assert_allclose(performer.offsets, motion.skeleton.offsets, atol=1e-2)
    bpy.context.scene.frame_set(50)
    wanted = TO_BLENDER @ motion.positions()[49, TRACKER_JOINTS[1]]
    np.testing.assert_allclose(setup.head.matrix_world.translation, wanted, atol=0.02)


def test_constraints_count_and_the_scene_s_range_can_be_read(performance: Motion) -> None:
    """A rig without an action of its own copies the pose of one that has."""
    leader = make_armature("Leader", performance.skeleton)
    perform(leader, performance)
    follower = make_armature("Follower", performance.skeleton)
    for bone in follower.pose.bones:
        constraint = bone.constraints.new("COPY_TRANSFORMS")
        constraint.target, constraint.subtarget = leader, bone.name
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 20, 50
    activate(follower)
    assert bpy.ops.ssrhmr.trackers_from_armature() == {"FINISHED"}
    setup = scene.ssrhmr
    assert setup.armature is None and setup.reference == "JOINTS" and not setup.calibration
    assert key_range(setup.left_hand) == (20.0, 50.0)
    for frame in (20, 37, 50):
        scene.frame_set(frame)
        wanted = TO_BLENDER @ performance.positions()[frame - 1, TRACKER_JOINTS[2]]
        np.testing.assert_allclose(setup.left_hand.matrix_world.translation, wanted, atol=2e-4)


def test_which_armature_is_read(performance: Motion) -> None:
    hero = make_armature("Hero", performance.skeleton)
    choose(hero, {})
    activate(hero)
    with pytest.raises(RuntimeError, match="no armature besides the character"):
        bpy.ops.ssrhmr.trackers_from_armature()
    suits = [make_armature(f"Suit {n}", performance.skeleton) for n in range(2)]
    activate(hero)
    before = snapshot()
    with pytest.raises(RuntimeError, match="Select the armature that holds the motion"):
        bpy.ops.ssrhmr.trackers_from_armature()
    assert snapshot() == before
    setup = bpy.context.scene.ssrhmr
    # The only one that is selected besides the character; the only one that is animated.
    suits[1].select_set(True)
    assert bpy.ops.ssrhmr.trackers_from_armature(range="SCENE") == {"FINISHED"}
    assert setup.head.name == "Suit 1 Tracker Head"
    activate(hero)
    perform(suits[0], performance)
    assert bpy.ops.ssrhmr.trackers_from_armature() == {"FINISHED"}
    assert setup.head.name == "Suit 0 Tracker Head"


def test_armatures_that_cannot_be_read(
    performance: Motion, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_armature("Suit", performance.skeleton)
    perform(source, performance)
    choose(make_armature("Hero", performance.skeleton), {})
    activate(source)
    before = snapshot()
    source.data.pose_position = "REST"
    with pytest.raises(RuntimeError, match="rest position"):
        bpy.ops.ssrhmr.trackers_from_armature()
    source.data.pose_position = "POSE"
    source.scale = (1.0, 2.0, 1.0)
    bpy.context.view_layer.update()
    with pytest.raises(RuntimeError, match="same scale along all axes"):
        bpy.ops.ssrhmr.trackers_from_armature()
    source.scale = (1.0,) * 3
    bpy.context.view_layer.update()
    # Cancelled after some frames.
    monkeypatch.setattr("ssrhmr_blender.trackers.sampling._SLICE_SECONDS", 0.0)
    steps = _make_trackers(bpy.context, True)
    shares = [next(steps) for _ in range(20)]
    assert shares == sorted(shares) and 0.0 < shares[-1][0] < 1.0
    steps.close()
    assert snapshot() == before


def test_bones_that_the_user_chose_count(performance: Motion) -> None:
    """An armature with unknown names can be made a character, and its bones chosen there."""
    source = make_armature("Suit", performance.skeleton)
    for number, bone in enumerate(source.data.bones):
        bone.name = f"x{number}"
    names = [bone.name for bone in source.data.bones]
    choose(make_armature("Hero", performance.skeleton), {})
    bpy.context.scene.ssrhmr_characters.entries.add().is_base = True
    entry = bpy.context.scene.ssrhmr_characters.entries.add()
    entry.setup.armature = source
    from ssrhmr_core.body.skeleton import JOINTS

    for joint, name in zip(JOINTS, names, strict=True):
        slot = entry.setup.bones.add()
        slot.name, slot.bone = joint, name
    # Heads and necks exchanged, which no detection would do.
    activate(source)
    entry.setup.bones["head"].bone, entry.setup.bones["neck"].bone = (
        entry.setup.bones["neck"].bone,
        entry.setup.bones["head"].bone,
    )
    assert bpy.ops.ssrhmr.trackers_from_armature(range="SCENE") == {"FINISHED"}
    neck = names[JOINTS.index("neck")]
    head = np.array(bpy.context.scene.ssrhmr.head.matrix_world.translation)
    np.testing.assert_allclose(head, source.data.bones[neck].head_local[:], atol=1e-5)


def test_a_file_keeps_what_the_trackers_know(performance: Motion, tmp_path: Path) -> None:
    source = make_armature("Suit", performance.skeleton)
    perform(source, performance)
    choose(make_armature("Hero", performance.skeleton.scaled(0.7)), {})
    bpy.context.scene.ssrhmr.proportions = "FIT"
    activate(source)
    assert bpy.ops.ssrhmr.trackers_from_armature() == {"FINISHED"}
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    setup = bpy.context.scene.ssrhmr
    setup.calibration = ""
    assert setup.reference == "JOINTS" and bpy.ops.ssrhmr.calibrate() == {"FINISHED"}
    assert Calibration.from_json(setup.calibration).scale == pytest.approx(0.7, rel=1e-4)


def test_bones_that_nobody_can_tell(performance: Motion, capfd: pytest.CaptureFixture[str]) -> None:
    """Left and right exchanged by name are reported; a missing elbow says what to do."""
    source = make_armature("Suit", performance.skeleton)
    choose(make_armature("Hero", performance.skeleton), {})
    activate(source)
    for bone in source.data.bones:
        bone.name = bone.name.replace("Left", "Was")
    for bone in source.data.bones:
        bone.name = bone.name.replace("Right", "Left").replace("Was", "Right")
    assert bpy.ops.ssrhmr.trackers_from_armature(range="SCENE") == {"FINISHED"}
    assert "say right, so left and right follow" in capfd.readouterr().out
    bpy.ops.object.mode_set(mode="EDIT")
    bones = source.data.edit_bones
    for name in ("Hand", "ForeArm"):
        bones.remove(bones[f"mixamorig:Left{name}"])
    bpy.ops.object.mode_set(mode="OBJECT")
    with pytest.raises(RuntimeError, match=r"'Suit': .* add this armature as a character"):
        bpy.ops.ssrhmr.trackers_from_armature(range="SCENE")


def empty_worlds(frames: np.ndarray) -> np.ndarray:
    """Transforms (F, 6, 4, 4) of the setup's trackers."""
    scene, worlds = bpy.context.scene, []
    for frame in frames:
        scene.frame_set(int(frame))
        objects = [getattr(scene.ssrhmr, role) for role in TRACKERS]
        worlds.append([np.array(obj.matrix_world) for obj in objects])
    return np.array(worlds)


@pytest.mark.parametrize("kind", ["bvh", "fbx", "gltf"])
def test_what_blender_s_own_importers_make_is_the_same(
    performance: Motion, tmp_path: Path, kind: str
) -> None:
    """As this add-on reads the BVH; the others come from an armature that performs the same."""
    scene = bpy.context.scene
    path = tmp_path / "walk.bvh"
    save_bvh(path, performance)
    assert bpy.ops.ssrhmr.import_take(filepath=str(path)) == {"FINISHED"}
    frames = np.arange(1, len(performance) + 1, 7)
    wanted = empty_worlds(frames)
    enable({"bvh": "io_anim_bvh", "fbx": "io_scene_fbx", "gltf": "io_scene_gltf2"}[kind])
    if kind == "bvh":
        bpy.ops.import_anim.bvh(filepath=str(path), update_scene_fps=False)
        source = active_object()
    else:
        made = make_armature("Suit", performance.skeleton, A_POSE)
        perform(made, performance)
        scene.frame_end = len(performance)
        activate(made)
        # Without a mesh, the pose at this frame is the rest pose of an FBX: the T-pose.
        scene.frame_set(1)
        exporter, importer = (
            getattr(bpy.ops.export_scene, kind),
            getattr(bpy.ops.import_scene, kind),
        )
        options = {"bake_anim_simplify_factor": 0.0} if kind == "fbx" else {}
        file = str(tmp_path / f"walk.{'fbx' if kind == 'fbx' else 'glb'}")
        exporter(filepath=file, use_selection=True, **options)
        bpy.data.objects.remove(made)
        importer(filepath=file)
        (source,) = [obj for obj in scene.objects if obj.type == "ARMATURE"]
    activate(source)
    assert bpy.ops.ssrhmr.trackers_from_armature() == {"FINISHED"}
    first = round(key_range(scene.ssrhmr.pelvis)[0])
    found = empty_worlds(frames + first - 1)
    away = np.linalg.norm((found - wanted)[..., :3, 3], axis=-1)
    assert 1000.0 * away.max() < 0.1
    assert np.abs((found - wanted)[..., :3, :3]).max() < 1e-3


def test_a_rest_pose_that_nobody_stands_in_is_reported(
    performance: Motion, capfd: pytest.CaptureFixture[str]
) -> None:
    across = Vector((1.0, 0.0, 0.0))
    split = {"left_hip": Quaternion(across, -1.4), "right_hip": Quaternion(across, 1.4)}
    activate(make_armature("Suit", performance.skeleton, split))
    assert bpy.ops.ssrhmr.trackers_from_armature(range="SCENE") == {"FINISHED"}
    assert "'Suit' does not stand in its rest pose" in capfd.readouterr().out
