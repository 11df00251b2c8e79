"""Every family of rigs in one table: detected bones, and the bake against the core."""

from __future__ import annotations

import math
from collections.abc import Iterator

import bpy
import numpy as np
import pytest
from mathutils import Quaternion, Vector

from ssrhmr_core import Motion, Skeleton, Take
from ssrhmr_core.skeleton import INDEX, JOINTS, PARENTS
from tests.core.test_mapping import RIGS, Rig

from .conftest import TO_BLENDER, choose, joint_worlds, make_trackers
from .test_bake import core_result, degrees_between, directions, skeleton_of_setup

# How far arms hang down at rest, and along what the bones lie: the limb, as in rigs made in
# Blender, or an axis of the file, as importers leave them.
REST = {
    "CMU (Acclaim)": (0.0, "limb"),
    "CMU (MotionBuilder)": (0.0, "file"),
    "SMPL": (0.0, "file"),
    "Xsens MVN": (0.0, "file"),
    "Bandai Namco": (0.0, "file"),
    "DAZ and Poser": (40.0, "limb"),
    "Rigify meta-rig": (10.0, "limb"),
    "Rigify deform bones": (10.0, "limb"),
    "VRoid": (0.0, "file"),
    "Unreal mannequin": (45.0, "file"),
    "Character Creator and AccuRig": (35.0, "file"),
    "3ds Max Biped": (80.0, "limb"),
    "Mixamo and HumanIK": (0.0, "limb"),
}
_TINY = 0.03
_TABLE: list[str] = []


@pytest.fixture(scope="module", autouse=True)
def table() -> Iterator[None]:
    """Print all rows together at the end."""
    _TABLE.clear()
    yield
    print("\nfamily                          slots    mm  degrees")
    print("\n".join(_TABLE))


def rest_of(skeleton: Skeleton, hanging: float) -> np.ndarray:
    """Joints (22, 3) at rest in Blender's axes, arms hanging by so many degrees."""
    heads = np.zeros((len(JOINTS), 3))
    turns = [Quaternion()] * len(JOINTS)
    for joint, name in enumerate(JOINTS):
        parent = PARENTS[joint]
        above = turns[parent] if parent >= 0 else Quaternion()
        down = math.radians(hanging) * (1.0 if name.startswith("left") else -1.0)
        turned = name.endswith("_shoulder")
        turns[joint] = Quaternion((0.0, 1.0, 0.0), down) @ above if turned else above
        offset = Vector(TO_BLENDER @ skeleton.offsets[joint].astype(float))
        heads[joint] = (heads[parent] if parent >= 0 else 0.0) + np.array(above @ offset)
    return heads


def build(rig: Rig, joints: dict[str, str], skeleton: Skeleton, family: str) -> bpy.types.Object:
    """Make an armature of all the bones of a family.

    Bones between two joints are spread along the way; others stick out a little.
    """
    hanging, axes = REST.get(family, (0.0, "limb"))
    known = {bone: rest_of(skeleton, hanging)[INDEX[joint]] for joint, bone in joints.items()}
    names, parents = rig.names, rig.parents
    places: dict[str, np.ndarray] = {}

    def chain_to_joint(bone: int) -> list[int] | None:
        """Bones from here down to the next joint, if there is one."""
        children = [child for child, parent in enumerate(parents) if parent == bone]
        for child in children:
            if names[child] in known:
                return [child]
        for child in children:
            below = chain_to_joint(child)
            if below:
                return [child, *below]
        return None

    for bone, name in enumerate(names):
        parent = parents[bone]
        above = places[names[parent]] if parent >= 0 else np.zeros(3)
        if name in known:
            places[name] = known[name]
            continue
        below = chain_to_joint(bone)
        if parent < 0 or (below is None and names[parent] not in known):
            places[name] = above + np.array([0.0, -_TINY, 0.0])
        elif below is None:
            places[name] = above + np.array([0.0, -_TINY, _TINY])
        else:
            places[name] = above + (known[names[below[-1]]] - above) / (len(below) + 1)

    data = bpy.data.armatures.new(family)
    armature = bpy.data.objects.new(family, data)
    bpy.context.scene.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    for bone, name in enumerate(names):
        made = data.edit_bones.new(name)
        made.head = places[name]
        below = [places[names[child]] for child, parent in enumerate(parents) if parent == bone]
        far = [place for place in below if np.linalg.norm(place - places[name]) > 0.02]
        along = far[0] - places[name] if far and axes == "limb" else np.array([0.0, 0.02, 0.06])
        made.tail = places[name] + along
        made.roll = 0.3 * (bone % 5)
        if parents[bone] >= 0:
            made.parent = data.edit_bones[names[parents[bone]]]
    bpy.ops.object.mode_set(mode="OBJECT")
    return armature


@pytest.mark.parametrize("family", list(RIGS))
def test_detected_and_baked(family: str, performance: Motion) -> None:
    rig, joints = RIGS[family]
    armature = build(rig, joints, performance.skeleton, family)
    trackers = make_trackers(Take.from_motion(performance))
    choose(armature, trackers)
    setup = bpy.context.scene.ssrhmr
    slots = {slot.name: slot.bone for slot in setup.bones if slot.bone}
    right = sum(slots.get(joint) == bone for joint, bone in joints.items())

    setup.calibration_frame = 20
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
    setup.frame_start, setup.frame_end = 1, len(performance)
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}, setup.message
    frames = np.arange(1, len(performance) + 1, 5)
    expected = core_result(skeleton_of_setup(), trackers, np.arange(1, len(performance) + 1))
    places, _ = joint_worlds(armature, frames)
    wanted = (expected.positions() @ TO_BLENDER.T)[frames - 1]
    there = ~np.isnan(places).any((0, 2))
    away = 1000.0 * np.linalg.norm(places - wanted, axis=-1)[:, there].max()
    off = np.nanmax(degrees_between(directions(places), directions(wanted)))
    row = f"{setup.family[:30]:30} {right:3}/{len(joints):<3} {away:6.3f} {off:8.4f}"
    _TABLE.append(row)
    assert setup.family == family and right == len(joints) == len(slots), row
    assert away < 1.0 and off < 0.5, row
