# SPDX-License-Identifier: GPL-3.0-or-later
"""How far optional trackers count: fully while they are there, fading out around their losses.

An optional tracker moves joints that the model would place elsewhere. If it counted fully up to the
frame in which it is lost, the pose would jump there, and again when it comes back. Its weight
therefore fades: before a gap and after it in whole takes, after a loss and after a return live.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ...body.extra_trackers import EXTRA_TRACKERS
from ...body.interpolation import MODEL_RATE, find_runs
from ...geometry.arrays import dot, normalize
from .readings import ExtraReadings

FADE_SECONDS = 0.15
"""Seconds in which the weight of a tracker falls from 1 to 0, or rises."""
BRIDGED_SECONDS = 0.12
"""Seconds of the longest gap in whole takes that is bridged by interpolation."""
_COUNT = len(EXTRA_TRACKERS)
_STEP = 1.0 / (FADE_SECONDS * MODEL_RATE)
"""Share of a fade in one frame of the model's clock."""


def trust(readings: ExtraReadings, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how far the readings of a whole take count.

    The weights reach 0 in the frames without a reading and look ahead: they fall before a gap.
    Nothing fades at the ends of the take. Call :func:`bridge_gaps` first, or each lost frame costs
    0.3 seconds of the tracker.

    Args:
        readings: The readings.
        times: (F,) rising seconds of the frames.

    Returns:
        Weights of the positions and of the rotations, (F, 9) float32 each, from 0 to 1.
    """
    return _fade(readings.has_position, times), _fade(readings.has_rotation, times)


def _fade(present: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return weights (F, 9) that fade towards frames that are not present (F, 9)."""
    seconds = np.broadcast_to(np.asarray(times, np.float64)[:, None], present.shape)
    last = np.maximum.accumulate(np.where(present, -np.inf, seconds), 0)
    following = np.minimum.accumulate(np.where(present, np.inf, seconds)[::-1], 0)[::-1]
    distance = np.minimum(seconds - last, following - seconds)
    return _ease(np.clip(distance / FADE_SECONDS, 0.0, 1.0)).astype(np.float32)


def _ease(share: np.ndarray) -> np.ndarray:
    return share * share * (3.0 - 2.0 * share)


def bridge_gaps(
    readings: ExtraReadings, times: np.ndarray, longest: float = BRIDGED_SECONDS
) -> ExtraReadings:
    """Bridge short gaps between readings by interpolation.

    Args:
        readings: The readings.
        times: (F,) rising seconds of the frames.
        longest: Seconds between the readings around a gap, up to which it is bridged.

    Returns:
        The readings, those in short gaps interpolated and present; the same object if there are no
        such gaps.
    """
    has_position = _close_gaps(readings.has_position, times, longest)
    has_rotation = _close_gaps(readings.has_rotation, times, longest)
    if (has_position == readings.has_position).all() and (
        has_rotation == readings.has_rotation
    ).all():
        return readings
    between = readings.at(times, times)
    new_positions = (has_position & ~readings.has_position)[..., None]
    new_rotations = (has_rotation & ~readings.has_rotation)[..., None]
    return replace(
        readings,
        positions=np.where(new_positions, between.positions, readings.positions),
        rotations=np.where(new_rotations, between.rotations, readings.rotations),
        has_position=has_position,
        has_rotation=has_rotation,
    )


def _close_gaps(present: np.ndarray, times: np.ndarray, longest: float) -> np.ndarray:
    """Return the mask (F, 9) with short gaps closed."""
    closed = present.copy()
    for tracker in np.flatnonzero(present.any(0) & ~present.all(0)):
        for begin, end in find_runs(~present[:, tracker]):
            inside = begin > 0 and end < len(present)
            if inside and times[end] - times[begin - 1] <= longest + 1e-9:
                closed[begin:end, tracker] = True
    return closed


class TrustedReadings(NamedTuple):
    """Readings of optional trackers in one frame, and how far they count.

    Attributes:
        positions: (9, 3) float32 positions in metres.
        rotations: (9, 4) float32 unit quaternions.
        positions_trust: (9,) float32 weights of the positions, 0 to 1.
        rotations_trust: (9,) float32 weights of the rotations, 0 to 1.
    """

    positions: np.ndarray
    rotations: np.ndarray
    positions_trust: np.ndarray
    rotations_trust: np.ndarray


class LiveTrust:
    """Fades optional trackers out and in causally, one frame of the model's clock after the other.

    A tracker that is lost holds its last reading while it fades out. One that comes back fades in;
    if it had not faded out yet, its reading moves from the one that was held to the new one.
    """

    def __init__(self) -> None:
        """Create fades without a past."""
        self.reset()

    def reset(self) -> None:
        """Forget the past: trackers of the next frame count fully at once."""
        self._is_first = True
        self._positions = _Held(np.zeros((_COUNT, 3)))
        identity = np.array([1.0, 0.0, 0.0, 0.0])
        self._rotations = _Held(np.tile(identity, (_COUNT, 1)))

    def frame(
        self,
        positions: np.ndarray,
        rotations: np.ndarray,
        has_position: np.ndarray,
        has_rotation: np.ndarray,
    ) -> TrustedReadings:
        """Return the readings to be used in the next frame, and how far they count.

        Args:
            positions: (9, 3) positions in metres.
            rotations: (9, 4) quaternions.
            has_position: (9,) bool, False where a tracker has no position.
            has_rotation: (9,) bool, False where a tracker has no rotation.
        """
        last = self._rotations.values
        signs = np.where(dot(rotations, last) < 0.0, -1.0, 1.0)
        held_positions, positions_trust = self._positions.frame(
            positions, has_position, self._is_first
        )
        held_rotations, rotations_trust = self._rotations.frame(
            rotations * signs, has_rotation, self._is_first
        )
        self._is_first = False
        return TrustedReadings(
            held_positions.astype(np.float32),
            normalize(held_rotations).astype(np.float32),
            positions_trust.astype(np.float32),
            rotations_trust.astype(np.float32),
        )


class _Held:
    """Values of nine trackers that are held while they fade."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values
        self._held = values
        self._present = np.zeros(len(values), bool)
        self._share = np.zeros(len(values))
        self._left_behind = np.zeros(len(values))

    def frame(
        self, values: np.ndarray, present: np.ndarray, is_first: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the values (9, n) of a frame and their weights (9,)."""
        returns = present & ~self._present
        self._held = np.where(returns[:, None], self.values, self._held)
        # Without any weight nobody notices a jump.
        self._left_behind = np.where(
            returns, self._share > 0.0, np.maximum(self._left_behind - _STEP, 0.0)
        )
        steps = np.where(present, _STEP, -_STEP)
        self._share = np.where(
            is_first, present, np.minimum(np.maximum(self._share + steps, 0.0), 1.0)
        )
        kept = _ease(self._left_behind)[:, None]
        current = np.where(kept > 0.0, values + kept * (self._held - values), values)
        self.values = np.where(present[:, None], current, self.values)
        self._present = present
        return self.values, _ease(self._share)
