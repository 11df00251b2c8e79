# SPDX-License-Identifier: GPL-3.0-or-later
"""A character's armature in the core's terms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import bpy

from ..common.axes import core_axes, flatten_matrix, split_transforms
from ..common.errors import UserError
from .rigify import Controls, find_controls

if TYPE_CHECKING:
    import numpy as np

    from ssrhmr_core.body.rest_pose import RestPose
    from ssrhmr_core.rigs.twist_bones import Segment

_UNEVEN = 0.01


class RigError(UserError):
    """The character cannot be used as it is; the message says why and what to do."""


@dataclass(frozen=True)
class Character:
    """The rest pose of an armature object and the bones of its joints.

    Attributes:
        rest: rest pose in the core's terms, in the scene's units.
        bones: name of each joint's bone, empty where there is none.
        scale: size of the armature object, scene units in one unit of the armature.
        segments: bones between the joints that share what turns there.
        controls: what is keyed instead of the bones, on a control rig.
    """

    rest: RestPose
    bones: tuple[str, ...]
    scale: float
    segments: tuple[Segment, ...] = ()
    controls: Controls | None = None

    @property
    def keyed(self) -> tuple[str, ...]:
        """Names of the bones that stand for joints when it is keyed, the moved one first."""
        if self.controls:
            return (*self.controls.places, *self.controls.joints)
        return tuple(name for name in self.bones if name)


def uniform_scale(armature: bpy.types.Object) -> float:
    """Scale of an armature object.

    Raises:
        RigError: if it is mirrored, flat, or not the same along all axes.
    """
    import numpy as np

    _, _, scales = split_transforms(np.array(flatten_matrix(armature.matrix_world)).reshape(4, 4))
    size = float(abs(scales).mean())
    if not np.isfinite(size) or size < 1e-9 or scales.min() <= 0.0:
        raise RigError(f"'{armature.name}' is mirrored or has no size: give it a positive scale")
    if scales.max() / scales.min() > 1.0 + _UNEVEN:
        raise RigError(
            f"'{armature.name}' is scaled by {scales[0]:.3g}, {scales[1]:.3g}, {scales[2]:.3g}:"
            " give it the same scale along all axes"
        )
    return size


def read_character(
    armature: bpy.types.Object, bones: tuple[str, ...], ik_controls: bool = False
) -> Character:
    """Read the rest pose of the bones that stand for the 22 joints.

    Args:
        armature: an armature object.
        bones: bone name of each joint, in the core's order, empty where there is none.
        ik_controls: whether a control rig's IK controls are to be keyed too.

    Raises:
        RigError: naming the bone or joint at fault.
    """
    import numpy as np

    from ssrhmr_core.body.rest_pose import read_rest_pose
    from ssrhmr_core.body.skeleton import INDEX, JOINTS

    scale = uniform_scale(armature)
    data = armature.data.bones
    axes = core_axes() * scale
    points = np.zeros((len(JOINTS), 3))
    taken: dict[str, str] = {}
    for joint, name in enumerate(bones):
        if not name:
            continue
        bone = data.get(name)
        if bone is None:
            raise RigError(f"'{armature.name}' has no bone '{name}': press Detect Bones again")
        if name in taken:
            raise RigError(
                f"bone '{name}' is chosen for both {taken[name]} and {JOINTS[joint]}:"
                " choose another for one of them"
            )
        taken[name] = JOINTS[joint]
        points[joint] = axes @ np.array(bone.head_local)

    def tails(joints: tuple[str, str], to_child: bool) -> np.ndarray:
        """Tips of bones; ``to_child`` looks for the fingers that a hand carries."""
        found = np.full((2, 3), np.nan)
        for side, joint in enumerate(joints):
            if not bones[INDEX[joint]]:
                continue
            bone = data[bones[INDEX[joint]]]
            # The thumb points aside.
            fingers = [child for child in bone.children if "thumb" not in child.name.lower()]
            heads = [child.head_local for child in fingers] if to_child else []
            tip = sum((np.array(head) for head in heads), np.zeros(3)) / max(len(heads), 1)
            found[side] = axes @ (tip if heads else np.array(bone.tail_local))
        return found

    try:
        rest = read_rest_pose(
            points,
            np.array([bool(name) for name in bones]),
            hand_ends=tails(("left_wrist", "right_wrist"), to_child=True),
            toe_ends=tails(("left_ankle", "right_ankle"), to_child=False),
        )
    except ValueError as error:
        raise RigError(f"'{armature.name}': {error}") from error
    controls = find_controls(armature, bones, ik_controls)
    return Character(rest, bones, scale, _segments(armature, bones), controls)


def _segments(armature: bpy.types.Object, bones: tuple[str, ...]) -> tuple[Segment, ...]:
    """Twist bones and the like, but for those that the rig turns itself."""
    import numpy as np

    from ssrhmr_core.rigs.bone_mapping import NONE
    from ssrhmr_core.rigs.twist_bones import find_segments, without

    data = armature.data.bones
    index = {bone.name: number for number, bone in enumerate(data)}
    parents = [index[bone.parent.name] if bone.parent else NONE for bone in data]
    heads = np.array([list(bone.head_local) for bone in data]) @ core_axes().T
    joints = np.array([index[name] if name else NONE for name in bones])
    held = {
        bone.name
        for bone in armature.pose.bones
        if any(not constraint.mute for constraint in bone.constraints)
    }
    found = []
    for segment in find_segments(list(index), parents, heads, joints):
        # A bend shortens the way a little: the bone at its end has to be moved by as much.
        if not (segment.bends and data[bones[segment.end]].use_connect):
            found.append(without(segment, held))
    return tuple(segment for segment in found if segment is not None)
