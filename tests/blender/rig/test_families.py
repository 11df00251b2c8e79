# SPDX-License-Identifier: GPL-3.0-or-later
"""Every family of rigs in one table: detected bones, and the bake against the core."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import bpy
import numpy as np
import pytest
from mathutils import Quaternion, Vector

from ssrhmr_core import Motion, Skeleton, Take
from ssrhmr_core.body.skeleton import INDEX, JOINTS, PARENTS
from tests.blender.bake.test_bake import core_result, degrees_between, directions, skeleton_of_setup
from tests.blender.conftest import TO_BLENDER, choose, joint_worlds, make_trackers
from tests.core.example_rigs import RIGS, Rig, family_of

# How far arms hang down at rest, and along what the bones lie: the limb, as in rigs made in
# Blender, or an axis of the file, as importers leave them.
REST = {
    "Bandai Namco": (0.0, "file"),
    "CMU (Acclaim)": (0.0, "limb"),
    "CMU (MotionBuilder)": (0.0, "file"),
    "LaFAN": (0.0, "file"),
    "Rokoko": (0.0, "file"),
    "SMPL": (0.0, "file"),
    "SMPL: SMPL-X": (0.0, "file"),
    "Xsens BVH and other classic BVH": (0.0, "file"),
    "Xsens MVN": (0.0, "file"),
    "3ds Max Biped": (80.0, "limb"),
    "Auto-Rig Pro export": (45.0, "limb"),
    "Auto-Rig Pro export: humanoid": (45.0, "limb"),
    "Blender": (45.0, "limb"),
    "Character Creator and AccuRig": (35.0, "file"),
    "DAZ and Poser: Genesis 8": (40.0, "limb"),
    "DAZ Genesis 9": (45.0, "limb"),
    "MakeHuman": (45.0, "limb"),
    "Mixamo and HumanIK": (0.0, "limb"),
    "Mixamo and HumanIK: HumanIK": (0.0, "limb"),
    "Rigify deform bones": (10.0, "limb"),
    "Rigify meta-rig": (10.0, "limb"),
    "Unreal mannequin: MPFB game engine": (45.0, "limb"),
    "Unreal mannequin: MetaHuman": (45.0, "file"),
    "Unreal mannequin: UE4": (45.0, "file"),
    "Unreal mannequin: UE5": (45.0, "file"),
    "VRChat": (40.0, "limb"),
    "VRM humanoid": (0.0, "file"),
    "VRoid": (0.0, "file"),
    "Auto-Rig Pro controls": (45.0, "limb"),
    "Captury": (0.0, "file"),
    "Character Creator and AccuRig: iClone": (35.0, "file"),
    "CloudRig": (10.0, "limb"),
    "CloudRig meta-rig": (10.0, "limb"),
    "CloudRig: deform bones": (10.0, "limb"),
    "FreeMoCap": (0.0, "limb"),
    "GDQuest": (30.0, "limb"),
    "KayKit": (0.0, "limb"),
    "Kenney": (0.0, "file"),
    "MB-Lab": (45.0, "limb"),
    "Mesh2Motion and Quaternius Universal": (0.0, "limb"),
    "MikuMikuDance": (35.0, "limb"),
    "MikuMikuDance: Japanese sides": (35.0, "limb"),
    "MikuMikuDance: plain": (35.0, "limb"),
    "Mixamo and HumanIK: Decentraland": (0.0, "limb"),
    "MocapNET": (0.0, "file"),
    "OptiTrack Motive": (0.0, "file"),
    "Quaternius": (0.0, "limb"),
    "Roblox R15": (80.0, "file"),
    "SMPL: HumanML3D": (0.0, "file"),
    "SOMA (Kimodo)": (0.0, "file"),
    "Second Life": (0.0, "file"),
    "Second Life: Ruth2": (0.0, "file"),
    "Sony mocopi": (0.0, "file"),
    "Theia": (0.0, "file"),
    "Unitree G1": (80.0, "file"),
    "Unitree H1": (80.0, "file"),
    "Unity and Godot humanoid": (0.0, "file"),
    "Unity and Godot humanoid: Meebits": (0.0, "file"),
    "iPi Mocap Studio": (0.0, "file"),
}
_TINY = 0.03
_TABLE: list[str] = []


@pytest.fixture(scope="module", autouse=True)
def table() -> Iterator[None]:
    """Print all rows together at the end."""
    _TABLE.clear()
    yield
    print(f"\n{'rig':36} slots    mm  degrees")
    print("\n".join(_TABLE))


def middle(_name: str) -> float:
    """Where a twist bone lies along its limb if its kind of rig says nothing else."""
    return 0.5


# Where twist bones that hang on a limb lie along it.
TWIST_AT: dict[str, Callable[[str], float]] = {
    "Character Creator and AccuRig": lambda name: 0.0 if name.endswith("01") else 0.5,
    "DAZ Genesis 9": lambda name: 0.25 if name.endswith("1") else 0.7,
    "Unreal mannequin: MetaHuman": lambda name: (
        0.33 if ("_02_" in name) == ("low" in name) else 0.67
    ),
    "Unreal mannequin: UE5": lambda name: 0.33 if ("_02_" in name) == ("low" in name) else 0.67,
}


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


def build(rig: Rig, joints: dict[str, str], skeleton: Skeleton, kind: str) -> bpy.types.Object:
    """Make an armature of all the bones of a family.

    Bones between two joints are spread along the way; others stick out a little.
    """
    hanging, axes = REST[kind]
    known = {bone: rest_of(skeleton, hanging)[INDEX[joint]] for joint, bone in joints.items()}
    names, parents = rig.names, rig.parents
    places: dict[str, np.ndarray] = {}

    def limb_of(bone: int) -> tuple[np.ndarray, np.ndarray] | None:
        """Both ends of the limb that a twist bone hangs on."""
        while parents[bone] >= 0:
            bone = parents[bone]
            if names[bone] in known:
                below = chain_to_joint(bone)
                return (known[names[bone]], known[names[below[-1]]]) if below else None
        return None

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
        limb = limb_of(bone) if "twist" in name.lower() and below is None else None
        if limb:
            places[name] = limb[0] + TWIST_AT.get(kind, middle)(name) * (limb[1] - limb[0])
        elif parent < 0 or (below is None and names[parent] not in known):
            places[name] = above + np.array([0.0, -_TINY, 0.0])
        elif below is None:
            places[name] = above + np.array([0.0, -_TINY, _TINY])
        else:
            places[name] = above + (known[names[below[-1]]] - above) / (len(below) + 1)

    data = bpy.data.armatures.new(kind)
    armature = bpy.data.objects.new(kind, data)
    bpy.context.scene.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    for bone, name in enumerate(names):
        made = data.edit_bones.new(name)
        made.head = places[name].tolist()
        ends = [places[names[child]] for child, parent in enumerate(parents) if parent == bone]
        far = [place for place in ends if np.linalg.norm(place - places[name]) > 0.02]
        along = far[0] - places[name] if far and axes == "limb" else np.array([0.0, 0.02, 0.06])
        made.tail = (places[name] + along).tolist()
        made.roll = 0.3 * (bone % 5)
        if parents[bone] >= 0:
            made.parent = data.edit_bones[names[parents[bone]]]
    bpy.ops.object.mode_set(mode="OBJECT")
    return armature


@pytest.mark.parametrize("kind", sorted(RIGS))
def test_detected_and_baked(kind: str, performance: Motion) -> None:
    rig, joints = RIGS[kind]
    armature = build(rig, joints, performance.skeleton, kind)
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
    row = f"{kind:35} {right:3}/{len(joints):<3} {away:6.3f} {off:8.4f}"
    _TABLE.append(row)
    assert setup.family == family_of(kind) and right == len(joints) == len(slots), row
    assert away < 1.0 and off < 0.5, row
