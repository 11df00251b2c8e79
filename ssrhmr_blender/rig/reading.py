# SPDX-License-Identifier: GPL-3.0-or-later
"""A character's armature in the core's terms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import bpy

from ..common.axes import core_axes, flatten_matrix, split_transforms
from ..common.errors import UserError
from ..common.typed import armature_of, pose_of
from .controls import Controls, find_controls
from .obstacles import find_driven
from .skin import read_feet_skins

if TYPE_CHECKING:
    import numpy as np

    from ssrhmr_core.body.rest_pose import RestPose
    from ssrhmr_core.rigs.twist_bones import Segment

_UNEVEN = 0.01
_SMALLEST_SCALE = 1e-6


class RigError(UserError):
    """The character cannot be used as it is; the message says why and what to do."""


@dataclass(frozen=True)
class Character:
    """The rest pose of an armature object and the bones of its joints.

    Attributes:
        rest: Rest pose in the core's terms, in the scene's units.
        bones: Name of each joint's bone, empty where there is none.
        scale: Scene units in one unit of the armature.
        pose_scale: Scale of the body in its pose: that of the bones above the hips.
        segments: Bones between two joints that share the rotation between them.
        controls: What is keyed instead of the bones, on a control rig.
    """

    rest: RestPose
    bones: tuple[str, ...]
    scale: float
    pose_scale: float = 1.0
    segments: tuple[Segment, ...] = ()
    controls: Controls | None = None

    @property
    def keyed(self) -> tuple[str, ...]:
        """Names of the bones that are keyed for joints, the moved one first."""
        if self.controls:
            return self.controls.keyed
        return tuple(name for name in self.bones if name)


def uniform_scale(armature: bpy.types.Object) -> float:
    """Return the scale of an armature object.

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
        armature: Armature object.
        bones: Name of each joint's bone, in the core's order, empty where there is none.
        ik_controls: Whether a control rig's IK controls are keyed too.

    Raises:
        RigError: naming the bone or joint at fault.
    """
    import numpy as np

    from ssrhmr_core.body.feet import FootEvidence
    from ssrhmr_core.body.rest_pose import read_rest_pose
    from ssrhmr_core.body.skeleton import INDEX

    _check_bones(armature, bones)
    scale = uniform_scale(armature)
    data = armature_of(armature).bones
    controls = find_controls(armature, bones, ik_controls)
    pose_scale = _read_pose_scale(
        armature, next(iter(controls.locations)) if controls else bones[0]
    )
    axes = core_axes() * scale * pose_scale
    heads = [np.array(data[name].head_local) if name else np.zeros(3) for name in bones]

    def tips(joints: tuple[str, str], to_fingers: bool) -> np.ndarray:
        named = [bones[INDEX[joint]] for joint in joints]
        none = np.full(3, np.nan)
        return np.stack([_tip(data[name], to_fingers) if name else none for name in named])

    legs = [
        [bones[INDEX[f"{side}_{part}"]] for part in ("knee", "ankle", "toe")]
        for side in ("left", "right")
    ]
    skins = [np.zeros((0, 3))] * 2
    if all(knee and ankle for knee, ankle, _ in legs):
        skins = read_feet_skins(armature, [(knee, ankle, toe) for knee, ankle, toe in legs])
    feet = FootEvidence(
        skins=(skins[0] @ axes.T, skins[1] @ axes.T),
        tips=tips(("left_ankle", "right_ankle"), to_fingers=False) @ axes.T,
    )
    try:
        rest = read_rest_pose(
            np.stack(heads) @ axes.T,
            np.array([bool(name) for name in bones]),
            hand_ends=tips(("left_wrist", "right_wrist"), to_fingers=True) @ axes.T,
            feet=feet,
        )
    except ValueError as error:
        raise RigError(f"'{armature.name}': {error}") from error
    return Character(
        rest, bones, scale, pose_scale, _find_segments(armature, bones), controls=controls
    )


def inherits_scale(bone: bpy.types.Bone) -> bool:
    """Return whether a bone is scaled with its parent."""
    return bone.parent is not None and not bone.inherit_scale.startswith("NONE")


def _read_pose_scale(armature: bpy.types.Object, hips: str) -> float:
    """Return the scale that bones above the hips give the body in the present pose."""
    bone = armature_of(armature).bones.get(hips)
    scale = 1.0
    while bone is not None and bone.parent is not None:
        # The head of the hips is where its parent's scale puts it, even if it is not scaled itself.
        bone = bone.parent
        own = pose_of(armature).bones[bone.name].scale
        scale *= float(abs(own[0] * own[1] * own[2]) ** (1.0 / 3.0))
        if not inherits_scale(bone):
            break
    return scale if scale > _SMALLEST_SCALE else 1.0


def _check_bones(armature: bpy.types.Object, bones: tuple[str, ...]) -> None:
    """Raise RigError if a bone of a joint is missing, or stands for two joints."""
    from ssrhmr_core.body.skeleton import JOINTS

    taken: dict[str, str] = {}
    for joint, name in zip(JOINTS, bones, strict=True):
        if not name:
            continue
        if name not in armature_of(armature).bones:
            raise RigError(f"'{armature.name}' has no bone '{name}': press Detect Bones again")
        if name in taken:
            raise RigError(
                f"bone '{name}' is chosen for both {taken[name]} and {joint}:"
                " choose another for one of them"
            )
        taken[name] = joint


def _tip(bone: bpy.types.Bone, to_fingers: bool) -> np.ndarray:
    """Return the tip (3,) of a bone; ``to_fingers`` takes the middle of a hand's fingers for it."""
    import numpy as np

    # The thumb points aside.
    fingers = [child for child in bone.children if "thumb" not in child.name.lower()]
    heads = [np.array(child.head_local) for child in fingers] if to_fingers else []
    if not heads:
        return np.array(bone.tail_local)
    middle: np.ndarray = sum(heads, np.zeros(3)) / len(heads)
    return middle


def _find_segments(armature: bpy.types.Object, bones: tuple[str, ...]) -> tuple[Segment, ...]:
    """Find twist bones and the like, except for those that the rig rotates itself."""
    import numpy as np

    from ssrhmr_core.rigs.bone_mapping import NONE
    from ssrhmr_core.rigs.twist_bones import drop_bones, find_segments

    data = armature_of(armature).bones
    index = {bone.name: number for number, bone in enumerate(data)}
    parents = [index[bone.parent.name] if bone.parent else NONE for bone in data]
    heads = np.array([bone.head_local[:] for bone in data]) @ core_axes().T
    joints = np.array([index[name] if name else NONE for name in bones])
    held = find_driven(armature) | {
        bone.name
        for bone in pose_of(armature).bones
        if any(not constraint.mute for constraint in bone.constraints)
    }
    segments = []
    for segment in find_segments(list(index), parents, heads, joints):
        # A bend shortens the way a little: the bone at its end has to be moved by as much.
        if not (segment.bends and data[bones[segment.end]].use_connect):
            segments.append(drop_bones(segment, held))
    return tuple(segment for segment in segments if segment is not None)
