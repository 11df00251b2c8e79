# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses of the guided movement that show how hands, feet and head are turned, found in a movement.

How straight people hold their hands, feet and head in a reference pose is a habit that no turning
joint shows. Palms that touch face each other, whoever holds them; feet side by side are parallel;
who looks ahead holds the head upright.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...body.skeleton import ADULT_SIZE, FOOT_TRACKERS, HAND_TRACKERS, Skeleton
from ...geometry.rotations import from_quat
from ..take import Take

_NEAR, _OVER = 0.16, 0.26
"""Largest distances of the wrists of an adult whose palms touch, and of hands on each other."""
_BESIDE, _CLOSER = 0.16, 0.8
"""Largest distance of the ankles of an adult whose feet touch, and relative to the usual one. The
reference pose knows them to some centimetres."""
_LARGEST_ANGLE = np.radians(40.0)
"""Largest angle between palms, or fingers, that count as parallel: the reference pose leaves
hands 9 degrees off."""
_LARGEST_CROSSING = np.radians(80.0)
"""The same for the fingers of hands on each other, which may cross."""
_STILL_STEP, _STILL_TURN = 0.03, np.radians(9.0)
"""Metres on an adult and radians between frames of a sixth of a second that count as still."""
_FEWEST_FRAMES = 3
_ON_THE_WAY = 6
"""Frames before and after a pose of the hands in which they come together or part: a second."""


@dataclass(frozen=True, eq=False)
class Holds:
    """In which of F frames a performer holds which pose.

    Attributes:
        palms: (F,) bool, the palms are pressed together.
        stacked: (F,) bool, one hand lies on the other, both palms down.
        feet: (F,) bool, the feet stand side by side.
        odd: (F,) bool, the hands rest close to each other in no such pose.
    """

    palms: np.ndarray
    stacked: np.ndarray
    feet: np.ndarray
    odd: np.ndarray

    @property
    def looking(self) -> np.ndarray:
        """(F,) bool, the performer was asked to look ahead."""
        return self.palms | self.stacked

    @property
    def arms_move(self) -> np.ndarray:
        """(F,) bool, all joints of the arms move at once: hands are together, or on their way."""
        near = np.ones(2 * _ON_THE_WAY + 1)
        return np.convolve(self.looking | self.odd, near, "full")[_ON_THE_WAY:][: len(self.odd)] > 0

    @classmethod
    def none(cls, frames: int) -> Holds:
        """Return that no pose is held."""
        return cls(*np.zeros((4, frames), bool))

    def after(self, frames: int) -> Holds:
        """Return the same after so many frames in which no pose is held."""
        masks = (self.palms, self.stacked, self.feet, self.odd)
        return Holds(*(np.concatenate([np.zeros(frames, bool), mask]) for mask in masks))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was held wrongly, in plain words."""
        if not self.odd.any() or self.looking.any():
            return ()
        return (
            "the hands came together, but neither flat on each other nor palm to palm, so that they"
            " are known no better for it: repeat it as shown",
        )


def find_holds(skeleton: Skeleton, joints: Take, consecutive: np.ndarray) -> Holds:
    """Find the poses in frames of a sixth of a second.

    Args:
        skeleton: The performer's body.
        joints: The tracked joints, F frames, as the reference pose calibrates them.
        consecutive: (F - 1,) bool, True where a frame follows the one before.
    """
    adult = skeleton.size / ADULT_SIZE
    left, right = (
        from_quat(joints.rotations[:, hand].astype(np.float64)) for hand in HAND_TRACKERS
    )
    wrists, ankles = (
        np.linalg.norm(joints.positions[:, pair[0]] - joints.positions[:, pair[1]], axis=-1) / adult
        for pair in (HAND_TRACKERS, FOOT_TRACKERS)
    )

    def angle(axis: int, sign: float) -> np.ndarray:
        """Return the angles (F,) between an axis of the left hand and plus or minus the right's."""
        return np.arccos(np.clip(sign * (left[..., axis] * right[..., axis]).sum(-1), -1.0, 1.0))

    facing = (angle(1, -1.0) < _LARGEST_ANGLE) & (angle(0, -1.0) < _LARGEST_ANGLE)
    level = np.cos(_LARGEST_ANGLE)
    down = (left[:, 1, 1] > level) & (right[:, 1, 1] > level)
    stacked = down & (angle(1, 1.0) < _LARGEST_ANGLE) & (angle(0, 1.0) < _LARGEST_CROSSING)
    hands_still = _find_still(joints, HAND_TRACKERS, adult, consecutive)
    beside = (ankles < _BESIDE) & (ankles < _CLOSER * np.median(ankles))
    facing &= (wrists < _NEAR) & hands_still
    stacked &= (wrists < _OVER) & hands_still
    masks = (
        facing,
        stacked,
        beside & _find_still(joints, FOOT_TRACKERS, adult, consecutive),
        ~facing & ~stacked & (wrists < _NEAR) & hands_still,
    )
    return Holds(*(_keep_long(mask, consecutive) for mask in masks))


def _find_still(
    joints: Take, pair: tuple[int, int], adult: float, consecutive: np.ndarray
) -> np.ndarray:
    """Return (F,) bools, True where both of a pair rest against a neighbouring frame."""
    own = list(pair)
    rotations = from_quat(joints.rotations[:, own].astype(np.float64))
    steps = np.linalg.norm(np.diff(joints.positions[:, own], axis=0), axis=-1).max(-1)
    traces = (rotations[1:] * rotations[:-1]).sum((-1, -2))
    turns = np.arccos(np.clip(0.5 * (traces - 1.0), -1.0, 1.0)).max(-1)
    rest = consecutive & (steps < _STILL_STEP * adult) & (turns < _STILL_TURN)
    still = np.zeros(len(joints), bool)
    still[1:] |= rest
    still[:-1] |= rest
    return still


def _keep_long(mask: np.ndarray, consecutive: np.ndarray) -> np.ndarray:
    """Return a mask (F,) without runs of too few frames."""
    kept = np.zeros(len(mask), bool)
    begin = 0
    for frame in range(1, len(mask) + 1):
        if frame < len(mask) and mask[frame] and mask[frame - 1] and consecutive[frame - 1]:
            continue
        if frame - begin >= _FEWEST_FRAMES:
            kept[begin:frame] = mask[begin]
        begin = frame
    return kept
