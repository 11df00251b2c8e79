# SPDX-License-Identifier: GPL-3.0-or-later
"""Root motion: the pose in the room stays the same, whatever carries the character."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from ssrhmr_blender.common.typed import action_of
from ssrhmr_core import Motion, Take
from ssrhmr_core.body.skeleton import INDEX
from ssrhmr_core.geometry.rotations import from_quat, rotation_about, to_quat
from tests.blender.conftest import (
    TO_BLENDER,
    choose,
    joint_worlds,
    make_armature,
    make_trackers,
    with_t_pose,
)
from tests.core.conftest import make_motion
from tests.mixamo_names import mixamo_name

FRAMES = np.arange(1, 141)


@pytest.fixture
def walk(skeleton: Any) -> Motion:
    """A T-pose, then motion that goes two metres ahead and turns by two radians."""
    moving = make_motion(skeleton, frames=100)
    share = np.linspace(0.0, 1.0, 100) ** 2
    turn = np.asarray(rotation_about(1, 2.0 * share))
    rotations = turn[:, None] @ moving.matrices().astype(np.float64)
    root = (turn @ moving.root[..., None].astype(np.float64))[..., 0]
    root = root + 2.0 * share[:, None] * (0.0, 0.0, 1.0)
    quats = to_quat(rotations.astype(np.float32))
    return with_t_pose(Motion(skeleton, moving.times, quats, root.astype(np.float32)))


def rooted_armature(walk: Motion, scale: float = 1.0) -> bpy.types.Object:
    """A character whose hips have a root bone above them."""
    armature = make_armature("Hero", walk.skeleton, scale=scale)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    bones = armature.data.edit_bones
    root = bones.new("Root")
    root.head, root.tail = (0.0, 0.0, 0.0), (0.0, 0.3 / scale, 0.0)
    bones[mixamo_name("hips")].parent = root
    bpy.ops.object.mode_set(mode="OBJECT")
    return armature


def bake(target: str, **options: Any) -> np.ndarray:
    """Bake with a root motion and return where joints are, (140, 22, 3)."""
    setup = bpy.context.scene.ssrhmr
    setup.root_motion.target = target
    for name, value in options.items():
        setattr(setup.root_motion, name, value)
    setup.frame_start, setup.frame_end = 1, 140
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}, setup.message
    return joint_worlds(setup.armature, FRAMES)[0]


def calibrate(armature: bpy.types.Object, walk: Motion) -> None:
    choose(armature, make_trackers(Take.from_motion(walk)))
    setup = bpy.context.scene.ssrhmr
    setup.calibration_frame = 20
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message


def bone_matrices(armature: bpy.types.Object, name: str) -> np.ndarray:
    """Return the matrices (140, 4, 4) of a bone in the armature's space."""
    matrices = []
    for frame in FRAMES:
        bpy.context.scene.frame_set(int(frame))
        matrices.append(np.array(armature.pose.bones[name].matrix))
    return np.array(matrices)


@pytest.mark.parametrize("scale", [1.0, 0.01])
def test_a_root_bone_carries_the_hips(walk: Motion, scale: float) -> None:
    armature = rooted_armature(walk, scale)
    armature.rotation_euler = (0.2, 0.0, 0.7)
    armature.location = (0.4, -0.2, 0.1)
    bpy.context.view_layer.update()
    calibrate(armature, walk)
    wanted = bake("HIPS")
    resting = bone_matrices(armature, "Root")
    assert np.abs(resting - resting[0]).max() == 0.0
    carried = bake("BONE")
    assert np.abs(carried - wanted).max() < 1e-4
    roots = np.array(armature.matrix_world) @ bone_matrices(armature, "Root")
    heads = roots[:, :3, 3]
    assert np.ptp(heads[:, 2]) < 1e-5
    assert np.linalg.norm(heads[-1] - heads[0]) > 1.0
    # It turns as the hips do, which are tilted too.
    across = wanted[:, INDEX["left_hip"]] - wanted[:, INDEX["right_hip"]]
    turns = [
        np.unwrap(np.arctan2(vectors[:, 1], vectors[:, 0])) for vectors in (roots[:, :, 1], across)
    ]
    turned = [angles - angles[0] for angles in turns]
    assert np.ptp(turned[1]) > 1.5 and np.abs(turned[0] - turned[1]).max() < 0.3
    # Without its heading the root keeps facing one way.
    straight = bake("BONE", heading=False)
    assert np.abs(straight - wanted).max() < 1e-4
    roots = np.array(armature.matrix_world) @ bone_matrices(armature, "Root")
    assert np.abs(roots[:, :3, :3] - roots[:1, :3, :3]).max() < 1e-5


def test_the_object_carries_the_hips(walk: Motion) -> None:
    armature = make_armature("Hero", walk.skeleton)
    calibrate(armature, walk)
    wanted = bake("HIPS")
    assert np.abs(bake("OBJECT") - wanted).max() < 1e-4
    worlds = []
    for frame in FRAMES:
        bpy.context.scene.frame_set(int(frame))
        worlds.append(np.array(armature.matrix_world))
    moved = np.array(worlds)
    assert np.ptp(moved[:, 2, 3]) < 1e-6 and np.linalg.norm(moved[-1, :2, 3]) > 1.0
    # Baked again, it starts from where the object was carried to before.
    assert np.abs(bake("OBJECT") - wanted).max() < 1e-4
    # The root is as smooth as it is asked to be: without the filter it is above the hips.
    bake("OBJECT", smoothing=0.0)
    over = []
    for frame in FRAMES[::10]:
        bpy.context.scene.frame_set(int(frame))
        rest = armature.data.bones[mixamo_name("hips")].head_local
        hips = armature.matrix_world @ armature.pose.bones[mixamo_name("hips")].head
        over.append((armature.matrix_world @ rest - hips)[:2])
    assert np.abs(np.array(over)).max() < 1e-4


def test_in_place_only_path_and_heading_go(walk: Motion) -> None:
    armature = make_armature("Hero", walk.skeleton)
    calibrate(armature, walk)
    wanted = bake("HIPS")
    hips = INDEX["hips"]
    free = bake("IN_PLACE", heading=False, smoothing=0.0)
    assert np.ptp(free[:, hips, :2], axis=0).max() < 1e-4
    np.testing.assert_allclose(free[:, hips, 2], wanted[:, hips, 2], atol=1e-4)
    relative = free - free[:, :1] - (wanted - wanted[:, :1])
    assert np.abs(relative).max() < 1e-4
    # With its heading, distances stay and the body faces one way.
    facing = bake("IN_PLACE", heading=True, smoothing=0.0)
    spans = [np.linalg.norm(each - each[:, :1], axis=-1) for each in (facing, wanted)]
    np.testing.assert_allclose(spans[0], spans[1], atol=1e-4)
    across = facing[:, INDEX["left_hip"]] - facing[:, INDEX["right_hip"]]
    sideways = np.unwrap(np.arctan2(across[:, 1], across[:, 0]))
    before = wanted[:, INDEX["left_hip"]] - wanted[:, INDEX["right_hip"]]
    turning = np.unwrap(np.arctan2(before[:, 1], before[:, 0]))
    assert np.ptp(sideways) < 0.5 < np.ptp(turning)


def test_says_what_a_root_needs(walk: Motion) -> None:
    armature = make_armature("Hero", walk.skeleton)
    calibrate(armature, walk)
    setup = bpy.context.scene.ssrhmr
    setup.root_motion.target = "BONE"
    with pytest.raises(RuntimeError, match="no bone above the hips: add one"):
        bpy.ops.ssrhmr.bake()
    setup.root_motion.bone = mixamo_name("head")
    with pytest.raises(RuntimeError, match="choose a bone above the hips"):
        bpy.ops.ssrhmr.bake()
    parent = bpy.data.objects.new("Cart", None)
    bpy.context.scene.collection.objects.link(parent)
    parent.keyframe_insert("location", frame=1)
    armature.parent = parent
    setup.root_motion.target = "OBJECT"
    with pytest.raises(RuntimeError, match="moving parent"):
        bpy.ops.ssrhmr.bake()


def read_gltf(path: Path) -> dict[str, dict[str, np.ndarray]]:
    """Return the animated values of nodes by name and property, as an engine reads them."""
    data = path.read_bytes()
    (length,) = struct.unpack_from("<I", data, 12)
    document = json.loads(data[20 : 20 + length])
    binary = data[20 + length + 8 :]

    def values(number: int) -> np.ndarray:
        accessor = document["accessors"][number]
        view = document["bufferViews"][accessor["bufferView"]]
        width = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}[accessor["type"]]
        start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
        flat = np.frombuffer(binary, np.float32, accessor["count"] * width, start)
        return flat.reshape(-1, width)

    (animation,) = document["animations"]
    nodes: dict[str, dict[str, np.ndarray]] = {}
    for channel in animation["channels"]:
        name = document["nodes"][channel["target"]["node"]]["name"]
        sampler = animation["samplers"][channel["sampler"]]
        nodes.setdefault(name, {})[channel["target"]["path"]] = values(sampler["output"])
    return nodes


def leave_alone(armature: bpy.types.Object) -> None:
    """Select a character and remove all actions but its own, as before an export."""
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 1, 140
    former = [action for action in bpy.data.actions if action != action_of(armature)]
    for action in former:
        bpy.data.actions.remove(action)
    for obj in scene.objects:
        obj.select_set(obj == armature)


def test_a_gltf_has_a_root_that_moves_and_local_hips(walk: Motion, tmp_path: Path) -> None:
    armature = rooted_armature(walk)
    calibrate(armature, walk)
    joints = bake("BONE", smoothing=0.1)
    leave_alone(armature)
    path = tmp_path / "walk.glb"
    bpy.ops.export_scene.gltf(
        filepath=str(path), use_selection=True, export_animations=True, export_frame_range=True
    )
    nodes = read_gltf(path)
    root, hips = (nodes[name]["translation"] for name in ("Root", mixamo_name("hips")))
    # Where an engine puts the hips is where they are in Blender, Y up.
    x, y, z, w = nodes["Root"]["rotation"].astype(np.float64).T
    turns = from_quat(np.stack([w, x, y, z], -1))
    placed = root + (turns @ hips[..., None])[..., 0]
    wanted = joints[:, INDEX["hips"]] @ TO_BLENDER
    np.testing.assert_allclose(placed, wanted, atol=1e-4)
    # The root goes where the hips go, on the floor; the hips sway about it and stay local.
    travel = np.ptp(wanted[:, [0, 2]], axis=0).max()
    assert travel > 0.8 and np.ptp(root[:, [0, 2]], axis=0).max() > 0.9 * travel
    assert np.ptp(root[:, 1]) < 1e-4
    assert np.ptp(hips[:, [0, 2]], axis=0).max() < 0.2 * travel


def test_an_fbx_comes_back_with_its_root(walk: Motion, tmp_path: Path) -> None:
    """Export and import with Blender's own add-on: what another program would show."""
    armature = rooted_armature(walk)
    calibrate(armature, walk)
    joints = bake("BONE", smoothing=0.1)
    leave_alone(armature)
    path = str(tmp_path / "walk.fbx")
    bpy.ops.export_scene.fbx(
        filepath=path,
        use_selection=True,
        add_leaf_bones=False,
        bake_anim_simplify_factor=0.0,
        bake_anim_use_all_actions=False,
        bake_anim_use_nla_strips=False,
    )
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj)
    bpy.ops.import_scene.fbx(filepath=path)
    (imported,) = [obj for obj in bpy.data.objects if obj.type == "ARMATURE"]
    first = action_of(imported).frame_range[0]
    shown = FRAMES[::13]
    hips, root = (
        np.array([world_head(imported, bone, first + frame - 1) for frame in shown])
        for bone in (mixamo_name("hips"), "Root")
    )
    wanted = joints[shown - 1, INDEX["hips"]]
    np.testing.assert_allclose(hips, wanted, atol=1e-4)
    travel = np.ptp(wanted[:, :2], axis=0).max()
    assert travel > 0.8 and np.ptp(root[:, :2], axis=0).max() > 0.9 * travel
    assert np.ptp(root[:, 2]) < 1e-4
    hand = [world_head(imported, mixamo_name("left_wrist"), first + f - 1) for f in shown]
    np.testing.assert_allclose(hand, joints[shown - 1, INDEX["left_wrist"]], atol=1e-3)


def world_head(armature: bpy.types.Object, bone: str, frame: float) -> np.ndarray:
    """Return where a bone begins in the room at a frame."""
    bpy.context.scene.frame_set(round(frame))
    evaluated = armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return np.array(evaluated.matrix_world @ evaluated.pose.bones[bone].head)
