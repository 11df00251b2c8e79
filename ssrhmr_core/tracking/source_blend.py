# SPDX-License-Identifier: GPL-3.0-or-later
"""Blends of one tracker between its readings and what it is predicted to do, without a seam.

Blends are bounded: whatever readings do, a tracker is never further from its source than where the
last blend began, and no blend outlasts the next one.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ..body.interpolation import MODEL_RATE
from ..geometry.rotations import from_rotvec, to_rotvec, transpose

_BLEND_SPEED = 1.0
"""Metres per second at which short blends lead back at most."""
_SHORTEST_BLEND, _LONGEST_BLEND = 0.25, 0.45
"""Seconds that a blend takes."""
_LARGEST_BLEND_SPEED = 7.0
"""Metres per second above which even the longest blend takes longer."""
_STEEPEST = 1.875
"""Highest slope of a blend, whose mean slope is 1."""
_SPEED_DECAY = 18.0
"""Rate at which a difference of velocities decays, 1/s."""
_LARGEST_SPEED, _LARGEST_SPIN = 4.0, 12.0
"""Metres and radians per second: the largest difference of velocities that is carried on."""
_LEAP, _PREDICTED_LEAP = 12.0 / MODEL_RATE, 7.0 / MODEL_RATE
"""Metres in a frame from which on readings during a blend, and predictions, leap."""
KEPT_OUTPUTS = 4
"""Frames from which the speed is measured at which a tracker is lost or returns."""

Pose = tuple[np.ndarray, np.ndarray]
"""Positions (..., 3) and rotations (..., 3, 3)."""


class Source(NamedTuple):
    """Where the pose of a tracker comes from.

    Attributes:
        is_read: Whether it is a reading.
        is_held: Whether it is held for want of pelvis and head.
        anchor: The tracker that it is predicted from, and whether that is read; None otherwise.
        gap: Number of the gap in which the prediction is corrected, 0 if it is not.
    """

    is_read: bool
    is_held: bool
    anchor: tuple[int, bool] | None
    gap: int = 0


READ = Source(is_read=True, is_held=False, anchor=None)


class SourceBlend:
    """Keeps one tracker smooth where its source changes between readings and predictions.

    At a change the distance between where the tracker was heading and its new source is kept and
    decays, and with it the difference of their velocities: David Bollo, "Inertialization", GDC
    2018. The distance decays along a curve of minimum jerk, which ends in finite time; the
    velocities are limited, so that one blend never begins with what another one added.
    """

    def __init__(self) -> None:
        self._source: Source | None = None
        self._age, self._seconds = 0, _SHORTEST_BLEND
        self._offset, self._rotvec = np.zeros(3), np.zeros(3)
        self._velocity, self._spin = np.zeros(3), np.zeros(3)
        self._step, self._turn = np.zeros(3), np.zeros(3)
        self._pose: Pose = (np.zeros(3), np.eye(3))
        self._outputs: list[Pose] = []
        self.is_open = False

    def follow(self, position: np.ndarray, rotation: np.ndarray) -> None:
        """Take in a frame in which the tracker is valid and nothing is blended."""
        self._source, self._pose = READ, (position, rotation)
        self._outputs = [(position, rotation), *self._outputs[: KEPT_OUTPUTS - 1]]

    def frame(self, position: np.ndarray, rotation: np.ndarray, source: Source) -> Pose:
        """Return position (3,) and rotation (3, 3) of the next frame."""
        if self._source is not None and (source != self._source or self._leaps(position)):
            self._start(position, rotation)
        elif self.is_open and self._age == 1:
            self._compare_velocities(position, rotation)
        self._source, self._pose = source, (position, rotation)
        if self.is_open:
            seconds = self._age / MODEL_RATE
            share = _ease_out(seconds / self._seconds)
            coasted = seconds * math.exp(-_SPEED_DECAY * seconds)
            self._age += 1
            self.is_open = seconds < self._seconds or coasted > 1e-4
            position = position + share * self._offset + coasted * self._velocity
            change = share * self._rotvec + coasted * self._spin
            position, rotation = (
                position.astype(np.float32),
                (from_rotvec(change) @ rotation).astype(np.float32),
            )
        self._outputs = [(position, rotation), *self._outputs[: KEPT_OUTPUTS - 1]]
        return position, rotation

    def _leaps(self, position: np.ndarray) -> bool:
        """Return whether the source leaps: then it is another one, whatever it is called."""
        is_read = self._source == READ
        if is_read and not self.is_open:
            return False
        step = math.dist(position.tolist(), self._pose[0].tolist())
        return step > (_LEAP if is_read else _PREDICTED_LEAP)

    def _start(self, position: np.ndarray, rotation: np.ndarray) -> None:
        last, last_rotation = self._outputs[0]
        steps, turns = self._measure_steps()
        # The median bears one reading that was wrong already.
        self._step = shorten(np.median(steps, 0), _LARGEST_SPEED / MODEL_RATE)
        self._turn = shorten(np.median(turns, 0), _LARGEST_SPIN / MODEL_RATE)
        self._offset = last + self._step - position
        self._rotvec = to_rotvec(from_rotvec(self._turn) @ last_rotation @ transpose(rotation))
        distance = _STEEPEST * float(np.linalg.norm(self._offset))
        self._seconds = max(
            min(max(distance / _BLEND_SPEED, _SHORTEST_BLEND), _LONGEST_BLEND),
            distance / _LARGEST_BLEND_SPEED,
        )
        self._age, self.is_open = 0, True
        self._velocity, self._spin = np.zeros(3), np.zeros(3)

    def _compare_velocities(self, position: np.ndarray, rotation: np.ndarray) -> None:
        """Note how much faster the tracker was than its new source is, once that has moved."""
        before, before_rotation = self._pose
        self._velocity = shorten(MODEL_RATE * (self._step - (position - before)), _LARGEST_SPEED)
        own = to_rotvec(rotation @ transpose(before_rotation))
        self._spin = shorten(MODEL_RATE * (self._turn - own), _LARGEST_SPIN)

    def _measure_steps(self) -> tuple[np.ndarray, np.ndarray]:
        """Measure the last steps (N, 3) and turns (N, 3) of the tracker; zeros without a past."""
        pairs = list(pairwise(self._outputs))
        if not pairs:
            return np.zeros((1, 3)), np.zeros((1, 3))
        steps = [(after - before).astype(np.float64) for (after, _), (before, _) in pairs]
        turns = [to_rotvec(after @ transpose(before)) for (_, after), (_, before) in pairs]
        return np.stack(steps), np.stack(turns)


def _ease_out(share: float) -> float:
    """Go from 1 to 0 along the curve of minimum jerk."""
    share = min(share, 1.0)
    return 1.0 - share**3 * (10.0 - 15.0 * share + 6.0 * share * share)


def shorten(vector: np.ndarray, length: float) -> np.ndarray:
    """Shorten vectors (..., 3) to a length at most."""
    norm = np.linalg.norm(vector, axis=-1, keepdims=True)
    return vector * np.minimum(1.0, length / np.maximum(norm, 1e-12))
