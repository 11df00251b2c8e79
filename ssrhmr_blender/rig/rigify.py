# SPDX-License-Identifier: GPL-3.0-or-later
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
        places: control -> index of the joint that it is moved with.
        poles: control -> index of the limb's first joint; it is moved to where the limb bends.
        at_rest: controls that add to others and stay at rest.
        parents: helper bone -> the bone that it follows instead of its parent.
        switches: bone, name of its property (custom or Blender's), and its value.
    """

    joints: dict[str, int]
    places: dict[str, int]
    poles: dict[str, int]
    at_rest: tuple[str, ...]
    parents: dict[str, str]
    switches: tuple[tuple[str, str, int], ...]


def is_generated(armature: bpy.types.Object) -> bool:
    """Tell whether Rigify generated the rig."""
    return "rig_id" in armature.data


def find_controls(
    armature: bpy.types.Object, bones: tuple[str, ...], ik: bool = False
) -> Controls | None:
    """Find the controls of a generated rig whose deform bones stand for the joints.

    Args:
        armature: an armature object.
        bones: bone name of each joint, in the core's order, empty where there is none.
        ik: whether the IK controls of the limbs are to be keyed too.

    Returns:
        None if Rigify did not generate it, or not from the parts of its human meta-rig.
    """
    from ssrhmr_core.body.skeleton import INDEX, JOINTS

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
    found = Controls(
        {**joints, "torso": INDEX["hips"]},
        {"torso": pivot},
        {},
        ("hips", "chest"),
        {
            "MCH-torso.parent": "root",
            "ORG-shoulder.L": "shoulder.L",
            "ORG-shoulder.R": "shoulder.R",
        },
        (
            ("torso", "neck_follow", 1),
            ("torso", "head_follow", 1),
            *((arm, "IK_FK", 1) for arm in arms),
            *((arm, "FK_limb_follow", 0) for arm in arms),
        ),
    )
    return _present(armature, _with_ik(found) if ik else found)


def _with_ik(controls: Controls) -> Controls:
    """Add hands, feet, toes and poles, all carried by the root."""
    from ssrhmr_core.body.skeleton import INDEX

    joints, places, poles = dict(controls.joints), dict(controls.places), dict(controls.poles)
    parents, switches, at_rest = dict(controls.parents), list(controls.switches), []
    for side, mark in (("left", "L"), ("right", "R")):
        for end, joint in (("hand_ik", "wrist"), ("foot_ik", "ankle")):
            joints[f"{end}.{mark}"] = places[f"{end}.{mark}"] = INDEX[f"{side}_{joint}"]
            parents[f"MCH-{end}.parent.{mark}"] = "root"
        joints[f"toe_ik.{mark}"] = INDEX[f"{side}_toe"]
        parents[f"MCH-toe_ik_parent.{mark}"] = f"foot_ik.{mark}"
        for limb, lower, start in (("upper_arm", "forearm", "shoulder"), ("thigh", "shin", "hip")):
            poles[f"{limb}_ik_target.{mark}"] = INDEX[f"{side}_{start}"]
            parents[f"MCH-{limb}_ik_target.parent.{mark}"] = "root"
            at_rest.append(f"{limb}_ik.{mark}")
            parent = f"{limb}_parent.{mark}"
            switches += [(parent, "IK_parent", 1), (parent, "pole_parent", 1)]
            switches.append((parent, "pole_vector", 1))
            # Limbs that may stretch get shorter when they bend: knees would be 25 mm off.
            switches += [(f"{limb}_ik.{mark}", "ik_stretch", 0)]
            switches += [(f"MCH-{lower}_ik.{mark}", "ik_stretch", 0)]
    return Controls(joints, places, poles, (*controls.at_rest, *at_rest), parents, tuple(switches))


def _present(armature: bpy.types.Object, controls: Controls) -> Controls:
    """Leave out what the rig was generated without."""
    known = armature.pose.bones
    return Controls(
        {name: joint for name, joint in controls.joints.items() if name in known},
        {name: joint for name, joint in controls.places.items() if name in known},
        {name: joint for name, joint in controls.poles.items() if name in known},
        tuple(name for name in controls.at_rest if name in known),
        {name: up for name, up in controls.parents.items() if name in known and up in known},
        tuple(s for s in controls.switches if s[0] in known and _has(known[s[0]], s[1])),
    )


def switch_path(bone: str, name: str) -> str:
    """Data path of a switch from the armature object."""
    path = f'pose.bones["{bpy.utils.escape_identifier(bone)}"]'
    if name in bpy.types.PoseBone.bl_rna.properties:
        return f"{path}.{name}"
    return f'{path}["{bpy.utils.escape_identifier(name)}"]'


def read_switch(armature: bpy.types.Object, bone: str, name: str) -> float:
    """Value of a switch; of one that shows names, the number."""
    pose = armature.pose.bones[bone]
    return float(getattr(pose, name) if name in pose.bl_rna.properties else pose[name])


def set_switch(armature: bpy.types.Object, bone: str, name: str, value: float) -> None:
    """Set a switch, in the type that it has; nothing happens without the bone."""
    pose = armature.pose.bones.get(bone)
    if pose is None or not _has(pose, name) or read_switch(armature, bone, name) == value:
        return
    if name in pose.bl_rna.properties:
        setattr(pose, name, value)
    else:
        pose[name] = type(pose[name])(value)


def _has(pose: bpy.types.PoseBone, name: str) -> bool:
    return name in pose or name in pose.bl_rna.properties


def _spine(armature: bpy.types.Object, mapped: dict[str, str]) -> dict[str, int]:
    """FK controls of the spine, each with the joint at or below its bone."""
    from ssrhmr_core.body.skeleton import INDEX

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
    from ssrhmr_core.body.skeleton import INDEX

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
