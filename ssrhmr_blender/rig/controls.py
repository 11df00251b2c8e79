# SPDX-License-Identifier: GPL-3.0-or-later
"""The controls of a control rig that stand for joints.

Deform bones of such a rig follow controls through constraints. With the switches of its scheme, all
helper bones between a control and the bone whose space it is in move rigidly, so that poses of
controls follow from rest matrices alone: nothing has to be evaluated frame by frame.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import bpy

from ..common.typed import armature_of, pose_of
from .control_schemes import Control, Scheme, SchemeError, Section, schemes

_SAME_PLACE = 1e-4
"""Share of the rig's height within which two bones begin at the same place."""
_NUMBER = r"(?:\.?(\d+))?"
"""What ``*`` stands for at the end of a name."""


@dataclass(frozen=True)
class Controls:
    """What is keyed instead of the bones that stand for the joints.

    Attributes:
        family: Name of the scheme.
        rotations: Index of the joint that a control rotates as, by name of the control.
        locations: Index of the joint that a control moves with, by name of the control.
        poles: Index of a limb's first joint, by name of the pole that moves to where it bends.
        at_rest: Controls that add to others and stay at rest.
        parents: Bone that a bone follows instead of its parent, by name of the bone.
        switches: Bone, name of its property (custom or Blender's), and value of each switch.
    """

    family: str
    rotations: dict[str, int]
    locations: dict[str, int]
    poles: dict[str, int]
    at_rest: tuple[str, ...]
    parents: dict[str, str]
    switches: tuple[tuple[str, str, float], ...]

    @property
    def keyed(self) -> tuple[str, ...]:
        """Names of the controls that stand for joints, the moved ones first."""
        return (*self.locations, *self.rotations)


def recognize(armature: bpy.types.Object) -> list[Scheme]:
    """Return the schemes of the control rigs that an armature may be."""
    return [scheme for scheme in schemes()[0] if _is_of(armature, scheme)]


def find_controls(
    armature: bpy.types.Object, bones: tuple[str, ...], ik: bool = False
) -> Controls | None:
    """Find the controls of a control rig some of whose bones stand for the joints.

    Args:
        armature: Armature object.
        bones: Name of each joint's bone, in the core's order, empty where there is none.
        ik: Whether the IK controls of the limbs are keyed too.

    Returns:
        None if no scheme fits it.
    """
    return _match(armature, bones, ik)[0]


def find_problems(armature: bpy.types.Object, bones: tuple[str, ...]) -> list[str]:
    """Return why the chosen bones are keyed on what looks like a control rig, if they are."""
    controls, problems = _match(armature, bones, ik=False)
    return [] if controls else problems


def _match(
    armature: bpy.types.Object, bones: tuple[str, ...], ik: bool
) -> tuple[Controls | None, list[str]]:
    problems = []
    for scheme in recognize(armature):
        try:
            return _Finder(armature, bones).find(scheme, ik), []
        except SchemeError as error:
            problems.append(
                f"this looks like a control rig of {scheme.name}, but {error}: its chosen bones are"
                " keyed instead of its controls"
            )
    return None, problems


def _is_of(armature: bpy.types.Object, scheme: Scheme) -> bool:
    data = armature_of(armature)
    if scheme.property and data.get(scheme.property) is None:
        return False
    return all(any(name in data.bones for name in group) for group in scheme.bones)


class _Finder:
    """Looks for what schemes name in one rig."""

    def __init__(self, armature: bpy.types.Object, bones: tuple[str, ...]) -> None:
        from ssrhmr_core.body.skeleton import JOINTS

        self._armature, self._pose = armature, pose_of(armature).bones
        self._data = armature_of(armature).bones
        self._bones = dict(zip(JOINTS, bones, strict=True))
        self._rotations: dict[str, int] = {}
        self._locations: dict[str, int] = {}
        self._poles: dict[str, int] = {}

    def find(self, scheme: Scheme, ik: bool) -> Controls:
        """Return what a scheme keys.

        Raises:
            SchemeError: If the rig lacks a control, or bones that say what it rotates as.
        """
        sections = (scheme.fk, scheme.ik) if ik else (scheme.fk,)
        for section in sections:
            for control in section.controls:
                self._add(control)
        return Controls(
            family=scheme.name,
            rotations=self._rotations,
            locations=self._locations,
            poles=self._poles,
            at_rest=tuple(
                name
                for section in sections
                for name in section.at_rest
                if name in self._pose and name not in self._rotations
            ),
            parents=self._find_parents(sections),
            switches=tuple(
                (switch.bone, switch.name, switch.value)
                for section in sections
                for switch in section.switches
                if switch.bone in self._pose and _has_property(self._pose[switch.bone], switch.name)
            ),
        )

    def _add(self, control: Control) -> None:
        """Add a control, or all of a chain.

        Raises:
            SchemeError: If it is missing.
        """
        if any(name.endswith("*") for name in control.names):
            self._add_chain(control)
            return
        joints = self._rotation_joints(control)
        wanted = [*joints, *control.location, *([control.pole] if control.pole else [])]
        if not any(self._bones[joint] for joint in wanted):
            return
        name = next((name for name in control.names if name in self._pose), None)
        if name is None:
            if control.optional:
                return
            raise SchemeError(f"it has no control '{control.names[0]}'")
        self._set(name, control, joints)

    def _set(self, name: str, control: Control, joints: Iterable[str]) -> None:
        from ssrhmr_core.body.skeleton import INDEX

        rotation = next((joint for joint in joints if self._bones[joint]), None)
        if rotation is not None:
            self._rotations[name] = INDEX[rotation]
        if control.location:
            self._locations[name] = INDEX[self._location_joint(control)]
        if control.pole:
            self._poles[name] = INDEX[control.pole]

    def _rotation_joints(self, control: Control) -> tuple[str, ...]:
        carried = [joint for joint, bone in self._bones.items() if bone in control.carries and bone]
        return (*carried, *control.rotation)

    def _location_joint(self, control: Control) -> str:
        """Return the joint that a control moves with.

        Raises:
            SchemeError: If none is at its pivot.
        """
        joints = [joint for joint in control.location if self._bones[joint]]
        if not control.pivot:
            return joints[0]
        pivot = self._data.get(control.pivot)
        if pivot is not None:
            armature = self._armature
            near = _SAME_PLACE * max(armature.dimensions.z / max(armature.scale.z, 1e-9), 1e-6)
            for joint in joints:
                bone = self._data.get(self._bones[joint])
                if bone is not None and (bone.head_local - pivot.head_local).length < near:
                    return joint
        raise SchemeError(
            f"no bone that is chosen for {', '.join(control.location)} begins at"
            f" '{control.pivot}', around which '{control.names[0]}' turns it"
        )

    def _add_chain(self, control: Control) -> None:
        """Add each control of a chain, which rotates as the joint at or before it in the chain.

        Raises:
            SchemeError: If the rig has none of them, or none of the bones that they carry is a
                joint's.
        """
        chain = _numbered(control.names, self._pose.keys())
        mapped = {bone: joint for joint, bone in self._bones.items() if bone}
        carried = _numbered(control.carries, mapped)
        if not chain or not carried:
            if control.optional:
                return
            raise SchemeError(
                f"it has no control '{control.names[0]}'"
                if not chain
                else f"none of its bones '{control.carries[0]}' is chosen"
            )
        joints = {number: mapped[bone] for number, bone in carried.items()}
        for number, name in chain.items():
            before = [other for other in joints if other <= number]
            if before:
                self._set(name, control, (joints[max(before)],))

    def _find_parents(self, sections: Iterable[Section]) -> dict[str, str]:
        parents: dict[str, str] = {}
        for section in sections:
            for bone, candidates in section.spaces:
                followed = next((name for name in candidates if name in self._pose), None)
                if bone in self._pose and followed is not None:
                    parents[bone] = followed
        return _without_circles(parents, self._data)


def _without_circles(parents: dict[str, str], bones: bpy.types.ArmatureBones) -> dict[str, str]:
    """Return which bone follows which.

    Raises:
        SchemeError: If a bone would follow itself.
    """
    for start in parents:
        seen, name = {start}, parents[start]
        while name:
            if name in seen:
                raise SchemeError(f"'{start}' would follow itself: correct its \"spaces\"")
            seen.add(name)
            parent = bones[name].parent
            name = parents.get(name, parent.name if parent else "")
    return parents


def _numbered(patterns: Iterable[str], names: Iterable[str]) -> dict[int, str]:
    """Return names that fit patterns with ``*``, by their number, in its order; none is 0."""
    numbered: dict[int, str] = {}
    candidates = list(names)
    for pattern in patterns:
        fitting = re.compile(re.escape(pattern).replace(r"\*", _NUMBER))
        for name in candidates:
            match = fitting.fullmatch(name)
            if match:
                numbered.setdefault(int(match[1] or 0) if fitting.groups else 0, name)
    return dict(sorted(numbered.items()))


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
    """Return whether a bone has a property that is a number."""
    if name in pose.bl_rna.properties:
        return pose.bl_rna.properties[name].type in ("BOOLEAN", "INT", "FLOAT")
    return isinstance(pose.get(name), (bool, int, float))
