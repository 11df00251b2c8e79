"""The controls of a generated Rigify rig that stand for joints.

Deform bones of such a rig follow controls through constraints. With the switches below, FK limbs
and a spine without automatic bends, all helper bones in between move rigidly, so that poses of
controls follow from rest matrices alone: nothing has to be evaluated frame by frame.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import bpy

_LIMBS = {
    "clavicle": "shoulder",
    "shoulder": "upper_arm_fk",
    "elbow": "forearm_fk",
    "wrist": "hand_fk",
    "hip": "thigh_fk",
    "knee": "shin_fk",
    "ankle": "foot_fk",
    "toe": "toe_fk",
}
_SPINE = ("hips", "lower_spine", "middle_spine", "chest")
_SAME_PLACE = 1e-4
"""Share of the rig's height within which two bones begin at the same place."""


@dataclass(frozen=True)
class Controls:
    """What is keyed instead of the bones that stand for the joints.

    Attributes:
        joints: control -> index of the joint that it turns as.
        torso: the control that carries all others.
        pivot: index of the joint that lies where the spine's two halves meet.
        at_rest: controls that add to others and stay at rest.
        parents: helper bone -> the bone that it follows instead of its parent.
        switches: bone, name of its property, and the value that FK needs.
    """

    joints: dict[str, int]
    torso: str
    pivot: int
    at_rest: tuple[str, ...]
    parents: dict[str, str]
    switches: tuple[tuple[str, str, float], ...]


def is_generated(armature: bpy.types.Object) -> bool:
    """Tell whether Rigify generated the rig."""
    return "rig_id" in armature.data


def find_controls(armature: bpy.types.Object, bones: tuple[str, ...]) -> Controls | None:
    """Find the controls of a generated rig whose deform bones stand for the joints.

    Args:
        armature: an armature object.
        bones: bone name of each joint, in the core's order, empty where there is none.

    Returns:
        None if Rigify did not generate it, or not from the parts of its human meta-rig.
    """
    from ssrhmr_core.skeleton import INDEX, JOINTS

    if not is_generated(armature):
        return None
    joints: dict[str, int] = {}
    for joint, name in enumerate(JOINTS):
        side, _, part = name.partition("_")
        if part in _LIMBS and side in ("left", "right") and bones[joint]:
            joints[f"{_LIMBS[part]}.{side[0].upper()}"] = joint
    joints |= {name: INDEX[name] for name in ("neck", "head") if bones[INDEX[name]]}
    joints |= _spine(armature, {name: bones[INDEX[name]] for name in _SPINE})
    pivot = _pivot(armature, bones)
    arms = [f"{part}_parent.{side}" for part in ("upper_arm", "thigh") for side in "LR"]
    known = armature.pose.bones
    if (
        pivot < 0
        or "spine_fk" not in joints
        or not {*joints, "torso", "chest", *arms} <= {*known.keys()}
    ):
        return None
    wanted = [("torso", "neck_follow", 1.0), ("torso", "head_follow", 1.0)]
    wanted += [(arm, "IK_FK", 1.0) for arm in arms] + [(arm, "FK_limb_follow", 0.0) for arm in arms]
    followed = {f"ORG-shoulder.{side}": f"shoulder.{side}" for side in "LR"}
    followed["MCH-torso.parent"] = "root"
    return Controls(
        joints,
        "torso",
        pivot,
        ("hips", "chest"),
        {bone: parent for bone, parent in followed.items() if {bone, parent} <= {*known.keys()}},
        tuple(switch for switch in wanted if switch[1] in known[switch[0]]),
    )


def _spine(armature: bpy.types.Object, mapped: dict[str, str]) -> dict[str, int]:
    """FK controls of the spine, each with the joint at or below its bone."""
    from ssrhmr_core.skeleton import INDEX

    numbers = {}
    for joint, bone in mapped.items():
        match = re.fullmatch(r"(?:DEF|ORG)-spine(?:\.(\d+))?", bone)
        if match:
            numbers[int(match[1] or 0)] = INDEX[joint]
    found: dict[str, int] = {}
    for bone in armature.pose.bones:
        match = re.fullmatch(r"spine_fk(?:\.(\d+))?", bone.name)
        if match:
            below = [number for number in numbers if number <= int(match[1] or 0)]
            if below:
                found[bone.name] = numbers[max(below)]
    return found


def _pivot(armature: bpy.types.Object, bones: tuple[str, ...]) -> int:
    """The joint of the spine that lies where the control of the hips is, or -1."""
    from ssrhmr_core.skeleton import INDEX

    data = armature.data.bones
    if "hips" not in data:
        return -1
    place = data["hips"].head_local
    near = _SAME_PLACE * max(armature.dimensions.z / max(armature.scale.z, 1e-9), 1e-6)
    for name in _SPINE:
        bone = data.get(bones[INDEX[name]])
        if bone is not None and (bone.head_local - place).length < near:
            return INDEX[name]
    return -1
