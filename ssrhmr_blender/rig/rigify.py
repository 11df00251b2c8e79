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

from ..common.typed import armature_of, pose_of

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
        rotations: Index of the joint that a control rotates as, by name of the control.
        locations: Index of the joint that a control moves with, by name of the control.
        poles: Index of a limb's first joint, by name of the pole that moves to where it bends.
        at_rest: Controls that add to others and stay at rest.
        parents: Bone that a helper bone follows instead of its parent, by name of the helper.
        switches: Bone, name of its property (custom or Blender's), and value of each switch.
    """

    rotations: dict[str, int]
    locations: dict[str, int]
    poles: dict[str, int]
    at_rest: tuple[str, ...]
    parents: dict[str, str]
    switches: tuple[tuple[str, str, int], ...]

    @property
    def keyed(self) -> tuple[str, ...]:
        """Names of the controls that stand for joints, the moved ones first."""
        return (*self.locations, *self.rotations)


def is_generated(armature: bpy.types.Object) -> bool:
    """Return whether Rigify generated the rig."""
    return armature_of(armature).get("rig_id") is not None


def find_controls(
    armature: bpy.types.Object, bones: tuple[str, ...], ik: bool = False
) -> Controls | None:
    """Find the controls of a generated rig whose deform bones stand for the joints.

    Args:
        armature: Armature object.
        bones: Name of each joint's bone, in the core's order, empty where there is none.
        ik: Whether the IK controls of the limbs are keyed too.

    Returns:
        None if Rigify did not generate it, or not from the parts of its human meta-rig.
    """
    from ssrhmr_core.body.skeleton import INDEX, JOINTS

    if not is_generated(armature):
        return None
    rotations: dict[str, int] = {}
    for joint, name in enumerate(JOINTS):
        side, _, part = name.partition("_")
        if part in _LIMBS and side in ("left", "right") and bones[joint]:
            rotations[f"{_LIMBS[part]}.{side[0].upper()}"] = joint
    rotations |= {name: INDEX[name] for name in ("neck", "head") if bones[INDEX[name]]}
    rotations |= _spine_controls(armature, {name: bones[INDEX[name]] for name in _SPINE})
    pivot = _pivot_joint(armature, bones)
    limbs = [f"{part}_parent.{side}" for part in ("upper_arm", "thigh") for side in "LR"]
    names = {*pose_of(armature).bones.keys()}
    if (
        pivot < 0
        or "spine_fk" not in rotations
        or not {*rotations, "torso", "chest", *limbs} <= names
    ):
        return None
    controls = Controls(
        rotations={**rotations, "torso": INDEX["hips"]},
        locations={"torso": pivot},
        poles={},
        at_rest=("hips", "chest"),
        parents={
            "MCH-torso.parent": "root",
            "ORG-shoulder.L": "shoulder.L",
            "ORG-shoulder.R": "shoulder.R",
        },
        switches=(
            ("torso", "neck_follow", 1),
            ("torso", "head_follow", 1),
            *((limb, "IK_FK", 1) for limb in limbs),
            *((limb, "FK_limb_follow", 0) for limb in limbs),
        ),
    )
    return _without_absent(armature, _with_ik(controls) if ik else controls)


def _with_ik(controls: Controls) -> Controls:
    """Add hands, feet, toes and poles, all carried by the root."""
    from ssrhmr_core.body.skeleton import INDEX

    rotations, locations = dict(controls.rotations), dict(controls.locations)
    poles, parents = dict(controls.poles), dict(controls.parents)
    switches, at_rest = list(controls.switches), list(controls.at_rest)
    for side, mark in (("left", "L"), ("right", "R")):
        for end, joint in (("hand_ik", "wrist"), ("foot_ik", "ankle")):
            rotations[f"{end}.{mark}"] = locations[f"{end}.{mark}"] = INDEX[f"{side}_{joint}"]
            parents[f"MCH-{end}.parent.{mark}"] = "root"
        rotations[f"toe_ik.{mark}"] = INDEX[f"{side}_toe"]
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
    return Controls(
        rotations=rotations,
        locations=locations,
        poles=poles,
        at_rest=tuple(at_rest),
        parents=parents,
        switches=tuple(switches),
    )


def _without_absent(armature: bpy.types.Object, controls: Controls) -> Controls:
    """Leave out what the rig was generated without."""
    bones = pose_of(armature).bones
    return Controls(
        rotations={name: joint for name, joint in controls.rotations.items() if name in bones},
        locations={name: joint for name, joint in controls.locations.items() if name in bones},
        poles={name: joint for name, joint in controls.poles.items() if name in bones},
        at_rest=tuple(name for name in controls.at_rest if name in bones),
        parents={
            name: parent
            for name, parent in controls.parents.items()
            if name in bones and parent in bones
        },
        switches=tuple(
            (bone, name, value)
            for bone, name, value in controls.switches
            if bone in bones and _has_property(bones[bone], name)
        ),
    )


def switch_path(bone: str, name: str) -> str:
    """Return the data path of a switch from the armature object."""
    path = f'pose.bones["{bpy.utils.escape_identifier(bone)}"]'
    if name in bpy.types.PoseBone.bl_rna.properties:
        return f"{path}.{name}"
    return f'{path}["{bpy.utils.escape_identifier(name)}"]'


def read_switch(armature: bpy.types.Object, bone: str, name: str) -> float:
    """Return the value of a switch; of one that shows names, the number."""
    pose = pose_of(armature).bones[bone]
    return float(getattr(pose, name) if name in pose.bl_rna.properties else pose[name])


def set_switch(armature: bpy.types.Object, bone: str, name: str, value: float) -> None:
    """Set a switch in its own type; do nothing without the bone."""
    pose = pose_of(armature).bones.get(bone)
    if pose is None or not _has_property(pose, name) or read_switch(armature, bone, name) == value:
        return
    if name in pose.bl_rna.properties:
        setattr(pose, name, value)
    else:
        pose[name] = type(pose[name])(value)


def _has_property(pose: bpy.types.PoseBone, name: str) -> bool:
    return pose.get(name) is not None or name in pose.bl_rna.properties


def _spine_controls(armature: bpy.types.Object, mapped: dict[str, str]) -> dict[str, int]:
    """Return the FK controls of the spine, each with the joint at or below its bone."""
    from ssrhmr_core.body.skeleton import INDEX

    numbers = {}
    for joint, name in mapped.items():
        match = re.fullmatch(r"(?:DEF|ORG)-spine(?:\.(\d+))?", name)
        if match:
            numbers[int(match[1] or 0)] = INDEX[joint]
    controls: dict[str, int] = {}
    for bone in pose_of(armature).bones:
        match = re.fullmatch(r"spine_fk(?:\.(\d+))?", bone.name)
        if match:
            below = [number for number in numbers if number <= int(match[1] or 0)]
            if below:
                controls[bone.name] = numbers[max(below)]
    return controls


def _pivot_joint(armature: bpy.types.Object, bones: tuple[str, ...]) -> int:
    """Return the joint of the spine at the control of the hips, or -1."""
    from ssrhmr_core.body.skeleton import INDEX

    data = armature_of(armature).bones
    if "hips" not in data:
        return -1
    head = data["hips"].head_local
    near = _SAME_PLACE * max(armature.dimensions.z / max(armature.scale.z, 1e-9), 1e-6)
    for name in _SPINE:
        bone = data.get(bones[INDEX[name]])
        if bone is not None and (bone.head_local - head).length < near:
            return INDEX[name]
    return -1
