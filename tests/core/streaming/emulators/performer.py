# SPDX-License-Identifier: GPL-3.0-or-later
"""A performer whose every joint is known: stands in the T-pose, then acts the sample take."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import INDEX, TRACKERS
from ssrhmr_core.formats import load_motion
from ssrhmr_core.geometry.scalar import Quaternion, Vector
from ssrhmr_core.streaming.axes import mirror_position, mirror_rotation, to_euler
from ssrhmr_core.tracking.take import Take

STANDING = 6.0
"""Seconds for which the performer stands in the T-pose."""
ACTING = 4.0
_RATE = 240.0
_HEADING = 0.6
_ROOM_PLACE = (0.4, 0.0, -0.3)

_SPINE = {
    "Hips": "hips",
    "Spine": "lower_spine",
    "Chest": "middle_spine",
    "UpperChest": "chest",
    "Neck": "neck",
    "Head": "head",
}
_LIMBS = {
    "UpperLeg": "hip",
    "LowerLeg": "knee",
    "Foot": "ankle",
    "Toes": "toe",
    "Shoulder": "clavicle",
    "UpperArm": "shoulder",
    "LowerArm": "elbow",
    "Hand": "wrist",
}
JOINT_OF_BONE = {
    **_SPINE,
    **{
        side + bone: f"{side.lower()}_{joint}"
        for bone, joint in _LIMBS.items()
        for side in ("Left", "Right")
    },
}
"""Joint by Unity's name of the bone."""
FINGERS = tuple(
    f"{side}{finger}{part}"
    for side in ("Left", "Right")
    for finger in ("Thumb", "Index", "Middle", "Ring", "Little")
    for part in ("Proximal", "Intermediate", "Distal")
)
UNITY_BONES = (
    *(bone for bone in JOINT_OF_BONE if bone != "UpperChest"),
    *("LeftEye", "RightEye", "Jaw", *FINGERS, "UpperChest"),
)
"""Unity's bones; UpperChest comes last there."""

Pose = tuple[Vector, Quaternion]


class Performer:
    """A body with six trackers, which may be mounted any way.

    Attributes:
        motion: The truth: joints at 240 frames a second from second 0 on.
        end: Seconds of the performance.
    """

    def __init__(self, mounted: bool = True) -> None:
        """Load the sample take.

        Args:
            mounted: Whether trackers sit off their joints, rotated; otherwise they are joints.
        """
        acted = load_motion("examples/sample_take.bvh")
        times = acted.times[0] + np.arange(0.0, ACTING, 1.0 / _RATE)
        acted = acted.at(times)
        turn = np.array([math.cos(_HEADING / 2.0), 0.0, math.sin(_HEADING / 2.0), 0.0])
        rotations = quat.mul(np.broadcast_to(turn, acted.rotations.shape), acted.rotations)
        root = acted.root @ quat.to_matrix(turn).T + np.array(_ROOM_PLACE)
        frames = round(STANDING * _RATE)
        rotations = np.concatenate([np.repeat(rotations[:1], frames, 0), rotations])
        root = np.concatenate([np.repeat(root[:1], frames, 0), root])
        self.motion = Motion(
            acted.skeleton,
            np.arange(len(root)) / _RATE,
            rotations.astype(np.float32),
            root.astype(np.float32),
        )
        self.end = float(self.motion.times[-1])
        self._local = self.motion.local_rotations()
        self._joints = self.motion.positions()
        take = Take.from_motion(self.motion)
        random = np.random.default_rng(5)
        offsets = random.uniform(-0.05, 0.05, (6, 3)) * mounted
        offsets[TRACKERS.index("head")] += np.array((0.0, 0.06, 0.09)) * mounted
        mounts = quat.from_scaled_angle_axis(random.uniform(-0.6, 0.6, (6, 3)) * mounted)
        matrices = quat.to_matrix(take.rotations)
        self._positions = take.positions + np.einsum("ftij,tj->fti", matrices, offsets)
        self._rotations = quat.mul(take.rotations, np.broadcast_to(mounts, take.rotations.shape))

    def tracker(self, time: float, role: str) -> Pose:
        """Return a tracker in the room, core axes."""
        frame, number = self._frame(time), TRACKERS.index(role)
        return _pose(self._positions[frame, number], self._rotations[frame, number])

    def joint(self, time: float, bone: str) -> Pose:
        """Return a joint in the room, core axes, by Unity's name of the bone."""
        frame, number = self._frame(time), INDEX[JOINT_OF_BONE[bone]]
        return _pose(self._joints[frame, number], self.motion.rotations[frame, number])

    def local_bone(self, time: float, bone: str) -> Pose:
        """Return a bone relative to its parent, Unity's axes; the hips relative to the room."""
        if bone not in JOINT_OF_BONE:
            return (0.02, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0)
        frame, number = self._frame(time), INDEX[JOINT_OF_BONE[bone]]
        place = self.motion.root[frame] if number == 0 else self.motion.skeleton.offsets[number]
        return to_unity(_pose(place, self._local[frame, number]))

    def _frame(self, time: float) -> int:
        return min(max(round(time * _RATE), 0), len(self.motion.times) - 1)


class WaitingPerformer(Performer):
    """Stands in the T-pose until told to act.

    Attributes:
        acts_at: Second at which the performance begins; infinite before somebody has said so.
    """

    acts_at = math.inf

    def _frame(self, time: float) -> int:
        return super()._frame(1.0 if time < self.acts_at else STANDING + time - self.acts_at)


@cache
def performer(mounted: bool = True) -> Performer:
    """Return a performer; loading one takes a while."""
    return Performer(mounted)


def to_unity(pose: Pose) -> Pose:
    """Convert a pose from the core's axes to Unity's."""
    return mirror_position(pose[0]), mirror_rotation(pose[1])


def euler_of(pose: Pose) -> Vector:
    """Return the angles that Unity shows for a rotation in the core's axes."""
    return to_euler(mirror_rotation(pose[1]))


def _pose(position: Sequence[float], rotation: Sequence[float]) -> Pose:
    x, y, z = (float(value) for value in position)
    w, a, b, c = (float(value) for value in rotation)
    return (x, y, z), (w, a, b, c)
