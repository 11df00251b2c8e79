# SPDX-License-Identifier: GPL-3.0-or-later
"""Detection of the bones that represent the joints of an armature."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from ..common.typed import armature_of
from ..properties.bones import bone_question, joint_label
from .reading import RigError

if TYPE_CHECKING:
    from ssrhmr_core.rigs.bone_mapping import BoneMapping


def detect_bones(armature: bpy.types.Object) -> BoneMapping:
    """Match the bones of an armature with the joints."""
    import numpy as np

    from ssrhmr_core.rigs.bone_mapping import map_bones

    bones = armature_of(armature).bones
    index = {bone.name: number for number, bone in enumerate(bones)}
    parents = [index[bone.parent.name] if bone.parent else -1 for bone in bones]
    heads = np.array([bone.head_local[:] for bone in bones]).reshape(-1, 3)
    return map_bones(list(index), parents, heads)


def detect_bone_names(armature: bpy.types.Object) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Detect the bones of an armature whose table of bones nobody sees.

    Returns:
        The name of each joint's bone, empty where the armature has none; and warnings about bones
        that may be wrong.

    Raises:
        RigError: if a required joint has no bone, or several that fit equally well.
    """
    from ssrhmr_core.body.skeleton import JOINTS, REQUIRED_JOINTS
    from ssrhmr_core.rigs.bone_mapping import NONE

    mapping = detect_bones(armature)
    names = [bone.name for bone in armature_of(armature).bones]
    advice = "add this armature as a character, and choose its bones there"
    for joint in REQUIRED_JOINTS:
        if mapping.bones[joint] == NONE and joint in mapping.ambiguous:
            choices = [names[bone] for bone in mapping.ambiguous[joint]]
            raise RigError(f"'{armature.name}': {bone_question(JOINTS[joint], choices)} {advice}")
    if mapping.missing:
        missing = ", ".join(joint_label(name) for name in mapping.missing)
        raise RigError(f"'{armature.name}': no bone found for {missing}: {advice}")
    warnings = [f"'{armature.name}': {warning}" for warning in mapping.warnings]
    if mapping.mirrored:
        warnings.append(
            f"'{armature.name}': the names of bones on the left of the body say right, so left and"
            f" right follow the direction of the toes instead: if that is wrong, {advice}"
        )
    bones = tuple(names[bone] if bone != NONE else "" for bone in mapping.bones)
    return bones, tuple(warnings)
