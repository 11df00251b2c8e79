# SPDX-License-Identifier: GPL-3.0-or-later
"""From rotation and location channels to the pose of a chain of bones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pymotion.rotations import quat_np as quat

from ..geometry.rotations import from_quat, from_rotvec, rotation_about


@dataclass(frozen=True, eq=False)
class PoseBone:
    """What the pose of a bone depends on besides its channels.

    Attributes:
        parent: Index of the bone that it follows, which comes first, or -1.
        rest: (4, 4) rest matrix.
        relative: (4, 4) rest matrix in the space of the bone that it follows.
        static: (4, 4) or (F, 4, 4) pose in its own space where it has no channels.
        length: Distance from its head to its tip, which is along its Y axis.
        inherits_rotation: Whether it rotates with the bone that it follows.
        local_location: Whether its location is along its own axes.
    """

    parent: int
    rest: np.ndarray
    relative: np.ndarray
    static: np.ndarray
    length: float
    inherits_rotation: bool = True
    local_location: bool = True


@dataclass(frozen=True, eq=False)
class Pose:
    """The poses of B bones at F frames.

    Attributes:
        rotations: (B, F, 3, 3) rotations.
        heads: (B, F, 3) positions of the heads.
        tips: (B, F, 3) positions of the tips.
        bases: (B, F, 3, 3) rotations without the bones' own rotation channels.
        location_axes: (B, F, 3, 3) axes along which the bones' location channels move them.
    """

    rotations: np.ndarray
    heads: np.ndarray
    tips: np.ndarray
    bases: np.ndarray
    location_axes: np.ndarray

    @property
    def points(self) -> np.ndarray:
        """Return heads and tips (2 B, F, 3)."""
        return np.concatenate([self.heads, self.tips])


def channel_rotations(values: np.ndarray, mode: str) -> np.ndarray:
    """Return the rotations (F, 3, 3) that rotation channels stand for.

    Args:
        values: (F, 4) quaternions w, x, y, z of any length; (F, 4) angles and axes; or (F, 3)
            Euler angles in radians as x, y, z.
        mode: "QUATERNION", "AXIS_ANGLE" or an order such as "XYZ", which rotates about X first.
    """
    if mode == "QUATERNION":
        return from_quat(quat.normalize(values))
    if mode == "AXIS_ANGLE":
        length = np.linalg.norm(values[:, 1:], axis=-1, keepdims=True)
        return np.asarray(from_rotvec(values[:, :1] * values[:, 1:] / np.maximum(length, 1e-12)))
    first, second, third = (
        rotation_about(axis, values[:, axis]) for axis in map("XYZ".index, mode)
    )
    return np.asarray(third @ second @ first)


def pose_chain(
    bones: Sequence[PoseBone],
    rotations: Sequence[np.ndarray | None],
    locations: Sequence[np.ndarray | None],
    frames: int,
) -> Pose:
    """Pose bones by their channels, parents before children.

    Args:
        bones: The bones.
        rotations: (F, 3, 3) rotation of each bone in its own axes; None to keep its own pose.
        locations: (F, 3) location of each bone; None to keep its own pose.
        frames: Number of frames.
    """
    shape = (len(bones), frames, 3)
    pose = Pose(
        *(np.empty((*shape, 3)), np.empty(shape), np.empty(shape)),
        *(np.empty((*shape, 3)), np.empty((*shape, 3))),
    )
    for number, bone in enumerate(bones):
        _pose_bone(pose, number, bone, rotations[number], locations[number])
    return pose


def _pose_bone(
    pose: Pose,
    number: int,
    bone: PoseBone,
    rotation: np.ndarray | None,
    location: np.ndarray | None,
) -> None:
    """Fill in the pose of one bone."""
    at_rest = bone.rest[:3, :3]
    if bone.parent >= 0:
        above = pose.rotations[bone.parent]
        inherited = above @ bone.relative[:3, :3]
        start = pose.heads[bone.parent] + above @ bone.relative[:3, 3]
        # A bone that does not rotate with its parent is still carried along by it.
        axes = inherited if bone.local_location else above
    else:
        inherited = np.broadcast_to(at_rest, pose.rotations[number].shape)
        start = bone.rest[:3, 3]
        axes = inherited if bone.local_location else np.eye(3)
    base = inherited if bone.inherits_rotation else at_rest
    own = bone.static[..., :3, :3] if rotation is None else rotation
    moved = bone.static[..., :3, 3] if location is None else location
    pose.bases[number], pose.location_axes[number] = base, axes
    pose.rotations[number] = base @ own
    pose.heads[number] = start + (pose.location_axes[number] @ moved[..., None])[..., 0]
    pose.tips[number] = pose.heads[number] + bone.length * pose.rotations[number][..., 1]
