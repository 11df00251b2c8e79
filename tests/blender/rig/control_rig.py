# SPDX-License-Identifier: GPL-3.0-or-later
"""Small control rigs with the names, spaces and switches of rigs as add-ons generate them.

Each part of the body has three bones: an FK control, one of an IK chain, and the one that deforms,
which follows one of both by a switch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import bpy
import numpy as np
from mathutils import Quaternion, Vector

from ssrhmr_core import Skeleton
from ssrhmr_core.body.skeleton import INDEX, JOINTS, PARENTS
from tests.blender.conftest import TO_BLENDER

ARM, LEG = ("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle")
_BENT = {"elbow": 12.0, "knee": 8.0}
"""Degrees by which limbs are bent at rest, as rigs are built so that IK knows where to bend."""


_SHORT = np.array([0.0, 0.0, 0.1])
"""From the head to the tail of a bone whose length means nothing."""


@dataclass(frozen=True)
class Names:
    """How a family names its bones; "$" stands for the mark of a side, "@" for the side.

    Attributes:
        marks: Marks of left and right.
        fk: FK control of each part.
        deform: What follows the controls, of each part.
        ends: IK control and pole of an arm, and of a leg.
        root: What carries everything.
        switch: Bone and property that tell FK from IK, of an arm, and of a leg.
        fk_value: Value of the switch that means FK.
        properties: Further properties, by bone.
    """

    marks: tuple[str, str]
    fk: dict[str, str]
    deform: dict[str, str]
    ends: tuple[tuple[str, str], tuple[str, str]]
    root: str
    switch: tuple[tuple[str, str], tuple[str, str]]
    fk_value: float
    properties: dict[str, dict[str, float]] = field(default_factory=dict)


PARTS = ("neck", "head", "clavicle", *ARM, *LEG, "toe")


def parts(words: str) -> dict[str, str]:
    """Return names of the parts of a limb and of the head, given in order."""
    return dict(zip(PARTS, words.split(), strict=True))


CLOUDRIG = Names(
    marks=("L", "R"),
    fk={
        "hips": "TORSO-Spine",
        "lower_spine": "FK-Spine",
        "chest": "FK-Chest",
        **parts(
            "FK-Neck FK-Head FK-Shoulder.$ FK-UpperArm.$ FK-Forearm.$ FK-Hand.$ FK-Thigh.$"
            " FK-Knee.$ FK-Foot.$ FK-Toes.$"
        ),
    },
    deform=parts("Neck Head Shoulder.$ UpperArm.$ Forearm.$ Hand.$ Thigh.$ Knee.$ Foot.$ Toes.$"),
    ends=(("IK-Hand.$", "POLE-Arm.$"), ("IK-Foot.$", "POLE-Leg.$")),
    root="root",
    switch=(("Properties", "ik_@_arm"), ("Properties", "ik_@_leg")),
    fk_value=0.0,
)
AUTO_RIG_PRO = Names(
    marks=("l", "r"),
    fk={
        "hips": "c_root_master.x",
        "lower_spine": "c_spine_01.x",
        "middle_spine": "c_spine_02.x",
        "chest": "c_spine_03.x",
        **parts(
            "c_neck.x c_head.x c_shoulder.$ c_arm_fk.$ c_forearm_fk.$ c_hand_fk.$ c_thigh_fk.$"
            " c_leg_fk.$ c_foot_fk.$ c_toes_fk.$"
        ),
    },
    deform=parts(
        "neck.x head.x shoulder.$ arm_stretch.$ forearm_stretch.$ hand.$ thigh_stretch.$"
        " leg_stretch.$ foot.$ toes_01.$"
    ),
    ends=(("c_hand_ik.$", "c_arms_pole.$"), ("c_foot_ik.$", "c_leg_pole.$")),
    root="c_traj",
    switch=(("c_hand_ik.$", "ik_fk_switch"), ("c_foot_ik.$", "ik_fk_switch")),
    fk_value=1.0,
    properties={"c_head.x": {"head_free": 1.0}},
)


def make_control_rig(skeleton: Skeleton, names: Names) -> bpy.types.Object:
    """Make a control rig that is switched to IK, as new ones are."""
    return _Builder(skeleton, names).build()


class _Builder:
    """Builds one rig: bones in edit mode, then what holds them together."""

    def __init__(self, skeleton: Skeleton, names: Names) -> None:
        self._names = names
        self._heads = _bent_heads(skeleton)
        data = bpy.data.armatures.new("Control rig")
        self._armature = bpy.data.objects.new("Control rig", data)
        self._bones = data.edit_bones
        self._limbs: list[tuple[str, tuple[str, ...], int]] = []

    def build(self) -> bpy.types.Object:
        """Return the rig."""
        bpy.context.scene.collection.objects.link(self._armature)
        bpy.context.view_layer.objects.active = self._armature
        bpy.ops.object.mode_set(mode="EDIT")
        self._add(self._names.root, np.zeros(3), np.array([0.0, 0.3, 0.0]), "")
        for joint, name in enumerate(JOINTS):
            self._add_part(joint, name)
        for side in ("left", "right"):
            for number, limb in enumerate((ARM, LEG)):
                self._add_ik(side, limb, number)
        for bone in {bone for bone, _ in self._names.switch if "$" not in bone}:
            self._add(bone, np.array([0.0, 0.3, 0.0]), np.array([0.0, 0.4, 0.0]), self._names.root)
        bpy.ops.object.mode_set(mode="OBJECT")
        for bone, values in self._names.properties.items():
            for name, value in values.items():
                self._armature.pose.bones[bone][name] = value
        self._constrain()
        bpy.context.view_layer.update()
        return self._armature

    def _add(self, name: str, head: np.ndarray, tail: np.ndarray, parent: str) -> Any:
        bone = self._bones.new(name)
        bone.head, bone.tail = head.tolist(), tail.tolist()
        if parent:
            bone.parent = self._bones[parent]
        return bone

    def _name(self, table: dict[str, str], joint: str) -> str:
        side, _, part = joint.partition("_")
        if side not in ("left", "right"):
            return table.get(joint, "")
        return table.get(part, "").replace("$", self._mark(side))

    def _mark(self, side: str) -> str:
        return self._names.marks[side == "right"]

    def _tail(self, joint: int) -> np.ndarray:
        children = [child for child, parent in enumerate(PARENTS) if parent == joint]
        if not children:
            return 1.3 * self._heads[joint] - 0.3 * self._heads[PARENTS[joint]]
        return self._heads[children[-1] if JOINTS[joint] == "chest" else children[0]]

    def _parent_control(self, joint: int) -> str:
        """Return the FK control of the nearest joint above that has one."""
        while joint >= 0:
            joint = PARENTS[joint]
            name = self._name(self._names.fk, JOINTS[joint]) if joint >= 0 else self._names.root
            if name:
                return name
        return self._names.root

    def _add_part(self, joint: int, name: str) -> None:
        fk, deform = (self._name(t, name) for t in (self._names.fk, self._names.deform))
        if not fk:
            return
        head, tail, parent = self._heads[joint], self._tail(joint), self._parent_control(joint)
        if JOINTS[joint].endswith(("_shoulder", "_hip")) and self._names is CLOUDRIG:
            # Its rotation follows the body or the room, by a switch.
            parent = self._add(f"FK-HNG-{deform}", head, head + _SHORT, "").name
        elif name == "head" and self._names is AUTO_RIG_PRO:
            parent = self._add("head_scale_fix.x", head, head + _SHORT, "c_traj").name
        elif name.endswith("shoulder") and self._names is AUTO_RIG_PRO:
            parent = self._names.fk["chest"]  # it goes along with the clavicle, but does not turn
        self._add(fk, head, tail, parent)
        if deform:
            self._add(deform, head, tail, parent)

    def _add_ik(self, side: str, limb: tuple[str, ...], number: int) -> None:
        joints = [INDEX[f"{side}_{part}"] for part in limb]
        start, middle, end = (self._heads[joint] for joint in joints)
        end_name, pole_name = (
            name.replace("$", self._mark(side)) for name in self._names.ends[number]
        )
        root = self._names.root
        self._add(end_name, end, self._tail(joints[2]), root)
        line = (end - start) / np.linalg.norm(end - start)
        out = middle - start - ((middle - start) @ line) * line
        pole = middle + 0.5 * out / np.linalg.norm(out)
        self._add(pole_name, pole, pole + _SHORT, root)
        above = self._bones[self._name(self._names.deform, JOINTS[joints[0]])].parent
        parent = above.name if above else ""
        for n, joint in enumerate(joints[:2]):
            bone = self._add(f"MCH-{side}-{limb[n]}", self._heads[joint], self._tail(joint), parent)
            bone.align_roll(Vector(out.tolist()).cross(bone.tail - bone.head))
            parent = bone.name
        self._limbs.append((side, limb, number))

    def _constrain(self) -> None:
        names, pose = self._names, self._armature.pose.bones
        for joint in JOINTS:
            deform, fk = self._name(names.deform, joint), self._name(names.fk, joint)
            if deform:
                self._follow(deform, "COPY_TRANSFORMS", fk)
        for side, limb, number in self._limbs:
            self._switch_limb(side, limb, number)
            first = self._name(names.deform, f"{side}_{limb[0]}")
            clavicle = self._name(names.fk, f"{side}_clavicle")
            if names is CLOUDRIG:
                carrier = clavicle if limb is ARM else "TORSO-Spine"
                hinge = pose[f"FK-HNG-{first}"].constraints.new("ARMATURE")
                target = hinge.targets.new()
                target.target, target.subtarget = self._armature, carrier
            elif limb is ARM:
                for bone in (self._name(names.fk, f"{side}_shoulder"), f"MCH-{side}-shoulder"):
                    copy = self._follow(bone, "COPY_LOCATION", clavicle)
                    copy.head_tail = 1.0
        if names is AUTO_RIG_PRO:
            for space, expression in (("c_neck.x", "1 - free"), ("c_traj", "free")):
                child_of = self._follow("head_scale_fix.x", "CHILD_OF", space)
                child_of.inverse_matrix = self._armature.data.bones[space].matrix_local.inverted()
                self._drive(child_of, expression, free=("c_head.x", "head_free"))
            location = self._follow("head_scale_fix.x", "COPY_LOCATION", "c_neck.x")
            location.head_tail = 1.0

    def _switch_limb(self, side: str, limb: tuple[str, ...], number: int) -> None:
        names, pose = self._names, self._armature.pose.bones
        bone, name = names.switch[number]
        bone = bone.replace("$", self._mark(side))
        name = name.replace("@", side)
        pose[bone][name] = 1.0 - names.fk_value
        end, pole = (text.replace("$", self._mark(side)) for text in names.ends[number])
        ik = self._follow(f"MCH-{side}-{limb[1]}", "IK", end)
        ik.pole_target, ik.pole_subtarget, ik.chain_count = self._armature, pole, 2
        is_ik = "switch" if names.fk_value == 0.0 else "1 - switch"
        for part in limb:
            solved = end if part == limb[2] else f"MCH-{side}-{part}"
            deform = self._name(names.deform, f"{side}_{part}")
            copy = self._follow(deform, "COPY_TRANSFORMS", solved)
            self._drive(copy, is_ik, switch=(bone, name))

    def _follow(self, bone: str, kind: Any, followed: str) -> Any:
        constraint = self._armature.pose.bones[bone].constraints.new(kind)
        constraint.target, constraint.subtarget = self._armature, followed
        return constraint

    def _drive(self, constraint: Any, expression: str, **variables: tuple[str, str]) -> None:
        driver = constraint.driver_add("influence").driver
        driver.expression = expression
        for name, (bone, prop) in variables.items():
            variable = driver.variables.new()
            variable.name = name
            variable.targets[0].id = self._armature
            variable.targets[0].data_path = f'pose.bones["{bone}"]["{prop}"]'


def _bent_heads(skeleton: Skeleton) -> np.ndarray:
    """Return the heads (22, 3) of a T-pose with limbs a little bent, in Blender's axes."""
    heads = np.zeros((len(JOINTS), 3))
    rotations = [Quaternion()] * len(JOINTS)
    for joint, name in enumerate(JOINTS):
        parent = PARENTS[joint]
        above = rotations[parent] if parent >= 0 else Quaternion()
        side, _, part = name.partition("_")
        angle = math.radians(_BENT.get(part, 0.0))
        sign = 1.0 if side == "left" else -1.0
        # Elbows bend forwards, about the vertical; knees backwards, about the line of the hips.
        axis, angle = ((0, 0, 1), -sign * angle) if part == "elbow" else ((1, 0, 0), angle)
        rotations[joint] = Quaternion(axis, angle) @ above
        offset = Vector((TO_BLENDER @ skeleton.offsets[joint].astype(float)).tolist())
        heads[joint] = (heads[parent] if parent >= 0 else 0.0) + np.array(above @ offset)
    heads[:, 2] -= heads[:, 2].min()
    return heads
