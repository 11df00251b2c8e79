"""Reads what the add-on needs to know of an armature, once, as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from bpy.types import Object

from ..errors import UserError

_EVEN_SCALE = 0.01


@dataclass(frozen=True, eq=False)
class RigData:
    """The bones of an armature (B of them), parents before children.

    Attributes:
        names: bone names.
        parents: (B,) int, index of each parent, -1 for roots.
        rest: (B, 4, 4) float64 rest transforms in armature space.
        tails: (B, 3) float64 tails at rest in armature space.
        connected: (B,) bool, whether a bone hangs at its parent's tail and cannot move.
        inherit_rotation: (B,) bool, ``use_inherit_rotation``.
        local_location: (B,) bool, ``use_local_location``.
        modes: rotation mode of each bone.
        basis: (B, 4, 4) float64, the pose now: what each bone adds to its rest pose.
    """

    names: list[str]
    parents: np.ndarray
    rest: np.ndarray
    tails: np.ndarray
    connected: np.ndarray
    inherit_rotation: np.ndarray
    local_location: np.ndarray
    modes: list[str]
    basis: np.ndarray

    def chain(self, bone: int) -> list[int]:
        """Return the bones from the root down to ``bone``, itself included."""
        found: list[int] = []
        while bone >= 0:
            found.insert(0, bone)
            bone = int(self.parents[bone])
        return found


def read_armature(armature: Object) -> RigData:
    """Read the bones of an armature object."""
    bones = sorted(armature.data.bones, key=lambda bone: len(bone.parent_recursive))
    index = {bone.name: number for number, bone in enumerate(bones)}
    pose = [armature.pose.bones[bone.name] for bone in bones]
    return RigData(
        names=[bone.name for bone in bones],
        parents=np.array([index[bone.parent.name] if bone.parent else -1 for bone in bones]),
        rest=np.array([bone.matrix_local for bone in bones], np.float64).reshape(-1, 4, 4),
        tails=np.array([bone.tail_local for bone in bones], np.float64).reshape(-1, 3),
        connected=np.array([bone.use_connect and bone.parent is not None for bone in bones], bool),
        inherit_rotation=np.array([bone.use_inherit_rotation for bone in bones], bool),
        local_location=np.array([bone.use_local_location for bone in bones], bool),
        modes=[bone.rotation_mode for bone in pose],
        basis=np.array([bone.matrix_basis for bone in pose], np.float64).reshape(-1, 4, 4),
    )


def even_scale(name: str, scale: np.ndarray) -> float:
    """Return the size of an armature in the world.

    Args:
        name: of the armature, for the message.
        scale: (..., 3) along each axis, over time too.

    Raises:
        UserError: if it differs between the axes, or over time.
    """
    size = float(np.median(scale))
    if not np.isfinite(scale).all() or size < 1e-9:
        raise UserError(f"'{name}' has a scale of zero: give it a size")
    axes = np.ptp(scale, axis=-1).max()
    if axes > _EVEN_SCALE * size:
        example = scale.reshape(-1, 3)[np.ptp(scale.reshape(-1, 3), axis=-1).argmax()]
        text = ", ".join(f"{value:.3f}" for value in example)
        raise UserError(
            f"'{name}' is scaled differently along its axes ({text}): give it one scale"
            " (parents count too)"
        )
    if np.ptp(scale) > 2.0 * _EVEN_SCALE * size:
        raise UserError(f"the scale of '{name}' is animated: keep it constant over the range")
    return size
