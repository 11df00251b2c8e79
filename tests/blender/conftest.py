# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenes in the real Blender: characters of several kinds, trackers that follow a performance."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np
import pytest
from mathutils import Matrix, Quaternion

import ssrhmr_blender
from ssrhmr_blender.common.typed import scene_of
from ssrhmr_core import Motion, Skeleton, Take
from ssrhmr_core.body.skeleton import JOINTS, PARENTS, TRACKERS
from tests.core.conftest import CORPUS, make_motion, make_skeleton
from tests.mixamo_names import mixamo_name

TO_BLENDER = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])

_PLAIN = {"BOOLEAN", "INT", "FLOAT", "STRING", "ENUM"}
_factory: dict[str, object] = {}
"""The preferences of a new Blender, once they were read."""


def preferences() -> dict[str, object]:
    """All settings of the preferences that a test may have changed, and the enabled add-ons."""
    found: dict[str, object] = {}
    whole = bpy.context.preferences
    for part in whole.bl_rna.properties:
        if part.type != "POINTER" or part.identifier == "rna_type":
            continue
        group = getattr(whole, part.identifier)
        for prop in group.bl_rna.properties if group else ():
            if prop.type in _PLAIN and not prop.is_readonly:
                value = getattr(group, prop.identifier)
                plain = isinstance(value, (bool, int, float, str, set))
                found[f"{part.identifier}.{prop.identifier}"] = value if plain else [*value]
    repositories = getattr(getattr(whole, "extensions", None), "repos", ())
    found["repositories"] = [(each.module, each.enabled) for each in repositories]
    found["add-ons"] = sorted(addon.module for addon in whole.addons)
    return found


def start_anew() -> None:
    """Open an empty file; in Blender as it is when new, if a test has left other preferences.

    To load those too, and all of Blender's own add-ons, takes five times as long.
    """
    if _factory and preferences() == _factory:
        bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
        return
    bpy.ops.wm.read_factory_settings(use_empty=True)
    if not _factory:
        _factory.update(preferences())


@pytest.fixture(autouse=True)
def scene() -> Iterator[bpy.types.Scene]:
    """An empty scene at 60 frames a second, with the add-on registered."""
    start_anew()
    # Since Blender 5.0 Rigify, when disabled, leaves one behind that fails at every file.
    handlers = bpy.app.handlers.load_post
    handlers[:] = [handler for handler in handlers if not handler.__module__.startswith("rigify")]
    ssrhmr_blender.register()
    bpy.context.scene.render.fps = 60
    yield scene_of(bpy.context)
    ssrhmr_blender.unregister()


@pytest.fixture
def corpus() -> Path:
    """The motion corpus beside the checkout."""
    if not (CORPUS / "split.json").is_file():
        pytest.skip("the motion corpus is not beside this checkout (../shared/data/mocap)")
    return CORPUS


@pytest.fixture
def skeleton() -> Skeleton:
    return make_skeleton()


@pytest.fixture
def performance(skeleton: Skeleton) -> Motion:
    """Two seconds: one of standing in a T-pose, one of motion."""
    moving = make_motion(skeleton, frames=90)
    return with_t_pose(moving)


def with_t_pose(motion: Motion, frames: int = 40) -> Motion:
    """Put a still T-pose before a motion, where it begins."""
    unit = np.tile(np.array([1, 0, 0, 0], np.float32), (frames, 22, 1))
    place = motion.root[:1].copy()
    place[0, 1] = -motion.skeleton.t_pose()[[3, 7], 1].mean() + 0.08
    step = motion.times[1] - motion.times[0]
    times = np.concatenate([np.arange(frames) * step, motion.times + frames * step])
    rotations = np.concatenate([unit, motion.rotations])
    return Motion(
        motion.skeleton, times, rotations, np.concatenate([place.repeat(frames, 0), motion.root])
    )


def make_armature(
    name: str,
    skeleton: Skeleton,
    rest_rotations: dict[str, Quaternion] | None = None,
    rolls: dict[str, float] | None = None,
    scale: float = 1.0,
) -> bpy.types.Object:
    """Make an armature with Mixamo's names, in the T-pose or with joints turned at rest.

    Args:
        name: of the object.
        skeleton: proportions in metres.
        rest_rotations: global rotation of a joint's bone and all below it, in Blender's axes, by
            name of the joint.
        rolls: extra roll of a joint's bone, radians.
        scale: of the object; its bones are made larger by as much.
    """
    data = bpy.data.armatures.new(name)
    armature = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    rotations: list[Quaternion] = []
    heads: list[np.ndarray] = []
    for joint, joint_name in enumerate(JOINTS):
        parent = PARENTS[joint]
        above = rotations[parent] if parent >= 0 else Quaternion()
        rotations.append((rest_rotations or {}).get(joint_name, Quaternion()) @ above)
        offset = TO_BLENDER @ skeleton.offsets[joint].astype(float) / scale
        moved = np.array(above.to_matrix()) @ offset
        heads.append((heads[parent] if parent >= 0 else np.zeros(3)) + moved)
    for joint, joint_name in enumerate(JOINTS):
        bone = data.edit_bones.new(mixamo_name(joint_name))
        bone.head = heads[joint].tolist()
        children = [heads[c] for c, p in enumerate(PARENTS) if p == joint]
        far = [c for c in reversed(children) if np.linalg.norm(c - heads[joint]) > 0.01 / scale]
        # Blender deletes bones without a length; leaves point on from their parent.
        onwards = 1.3 * heads[joint] - 0.3 * heads[PARENTS[joint]]
        bone.tail = (far[0] if far else onwards).tolist()
        bone.roll = (rolls or {}).get(joint_name, 0.0)
        if PARENTS[joint] >= 0:
            bone.parent = data.edit_bones[mixamo_name(JOINTS[PARENTS[joint]])]
    bpy.ops.object.mode_set(mode="OBJECT")
    armature.scale = (scale,) * 3
    return armature


def make_trackers(
    take: Take, first_frame: int = 1, mounted: bool = True, seed: int = 4
) -> dict[str, bpy.types.Object]:
    """Key six empties that sit oddly on the joints of a take, one key a frame of the scene.

    Args:
        take: joint frames at the scene's rate.
        first_frame: of the scene.
        mounted: whether they are turned and moved away from the joints.
        seed: of their mounts.
    """
    random = np.random.default_rng(seed)
    rate = bpy.context.scene.render.fps / bpy.context.scene.render.fps_base
    trackers = {}
    for tracker, role in enumerate(TRACKERS):
        empty = bpy.data.objects.new(f"Tracker {role}", None)
        bpy.context.scene.collection.objects.link(empty)
        empty.rotation_mode = "QUATERNION"
        mount = (
            Quaternion(random.standard_normal(4).tolist()).normalized() if mounted else Quaternion()
        )
        offset = 0.05 * random.standard_normal(3) if mounted else np.zeros(3)
        values = []
        poses = zip(take.positions[:, tracker], take.rotations[:, tracker], strict=True)
        for position, quat in poses:
            w, x, y, z = (float(v) for v in quat)
            rotation = Quaternion((w, x, -z, y))
            world = Matrix.LocRotScale(
                (TO_BLENDER @ position.astype(float)).tolist(), rotation, None
            )
            values.append(world @ Matrix.LocRotScale(offset.tolist(), mount, None))
        frames = first_frame + take.times * rate
        key_transforms(empty, frames, values)
        trackers[role] = empty
    return trackers


def key_transforms(obj: bpy.types.Object, frames: np.ndarray, worlds: list[Matrix]) -> None:
    """Key location and rotation with the curves' own interpolation set to straight lines."""
    from ssrhmr_blender.animation.actions import ActionWriter

    writer = ActionWriter(f"{obj.name} motion", obj)
    rotations = np.array([world.to_quaternion()[:] for world in worlds])
    for row in range(1, len(rotations)):
        if rotations[row] @ rotations[row - 1] < 0.0:
            rotations[row] *= -1.0
    writer.write("Object", "location", frames, np.array([w.translation[:] for w in worlds]))
    writer.write("Object", "rotation_quaternion", frames, rotations)
    writer.assign(obj)


def active_object() -> bpy.types.Object:
    """Return the active object, such as the one that an operator has just added."""
    active = bpy.context.view_layer.objects.active
    assert active is not None
    return active


def choose(armature: bpy.types.Object, trackers: dict[str, bpy.types.Object]) -> None:
    """Fill the setup as a user would, bones included."""
    setup = bpy.context.scene.ssrhmr
    setup.armature = armature
    for role, tracker in trackers.items():
        setattr(setup, role, tracker)
    assert bpy.ops.ssrhmr.detect_bones() == {"FINISHED"}


def joint_worlds(armature: bpy.types.Object, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """World positions (F, 22, 3) of the mapped bones' heads and their matrices (F, 22, 3, 3).

    In Blender's axes; rows of joints without a bone are NaN.
    """
    scene, setup = bpy.context.scene, bpy.context.scene.ssrhmr
    positions = np.full((len(frames), 22, 3), np.nan)
    rotations = np.full((len(frames), 22, 3, 3), np.nan)
    for row, frame in enumerate(frames):
        scene.frame_set(int(frame))
        evaluated = armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
        for joint, slot in enumerate(setup.bones):
            if slot.bone:
                world = evaluated.matrix_world @ evaluated.pose.bones[slot.bone].matrix
                positions[row, joint] = world.translation
                rotations[row, joint] = world.to_3x3().normalized()
    return positions, rotations


def snapshot() -> dict[str, object]:
    """What must not change when an operator fails: data-blocks, actions in use, poses, frame."""
    kinds = ("objects", "actions", "armatures", "meshes", "collections", "scenes")
    state: dict[str, object] = {
        kind: sorted(d.name for d in getattr(bpy.data, kind)) for kind in kinds
    }
    state["frame"] = (bpy.context.scene.frame_current, bpy.context.scene.frame_subframe)
    for obj in bpy.data.objects:
        data = obj.animation_data
        state[f"{obj.name} action"] = data.action.name if data and data.action else None
        state[f"{obj.name} basis"] = [list(row) for row in obj.matrix_basis]
        if obj.pose:
            for bone in obj.pose.bones:
                state[f"{obj.name} {bone.name}"] = [list(row) for row in bone.matrix_basis]
    return state


def enable(module: str) -> None:
    """Enable one of Blender's own add-ons."""
    import addon_utils

    if importlib.util.find_spec(module) is None:
        module = f"bl_ext.system.{module}"
    assert addon_utils.enable(module, default_set=True) is not None
