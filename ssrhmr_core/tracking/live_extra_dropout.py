# SPDX-License-Identifier: GPL-3.0-or-later
"""Dropouts of optional trackers, found as frames come.

The causal counterpart of :mod:`ssrhmr_core.tracking.extra_dropout`, and simpler than what judges
the six (:mod:`ssrhmr_core.tracking.live_dropout`): a pose can do without optional trackers.
"""

from __future__ import annotations

import math

import numpy as np

from ..body.extra_trackers import EXTRA_TRACKERS
from ..body.interpolation import MODEL_RATE
from ..body.skeleton import TRACKERS, Skeleton
from .plausibility import (
    EXTRA_LIMITS,
    MODEL_STEP,
    measure_extra_overreach,
    measure_extra_reach,
)

_COUNT = len(EXTRA_TRACKERS)
_SPEEDS, _GAINS, _GAINS_PER_SPEED = (
    np.array([getattr(limits, name) for limits in EXTRA_LIMITS])
    for name in ("speed", "gain", "gain_per_speed")
)
_FULL_SPEED = 6.0
"""Speed in metres per second above which a faster body part does not gain speed faster."""
_SLACK = 0.02
"""Metres that a reading may be off in any case."""
_LONGEST_STEPS = MODEL_STEP * _SPEEDS + _SLACK
_NOISE_TIMES, _NOISE_SHARE, _LARGEST_NOISE = 3.0, 1.0 / 60.0, 0.03
"""Largest jolt that noise makes, as a multiple of the usual one; weight of the last frame in the
estimate of the noise; metres that a frame may add to it."""
_ALIVE_FRAMES, _FROZEN_FRAMES = 30, 5
"""Frames with changes after which a tracker is known to shake as sensors do, and equal frames after
which it is frozen then."""
_USUAL_SHARE = 0.1
"""Weight of the last run of equal readings: some sources send each of them several times."""
_NEAR, _NEAR_SPEED, _NEAR_LIMIT = 0.1, 1.0, 0.3
"""Metres from where it was lost within which a tracker may come back soon, how fast they grow in
metres per second, and how far."""
_STEADY_NEAR, _STEADY_ANYWHERE = 2, 30
"""Plausible steps that a tracker needs after a glitch, near where it was lost and elsewhere."""
_DOUBT_SECONDS = 3.0
"""Seconds over which implausible readings are counted."""
_IGNORED_FROM, _IGNORED_UNTIL = 0.5, 0.25
"""Shares of implausible readings at which a tracker is ignored, and believed again."""


class LiveExtraDropouts:
    """Finds lost optional trackers causally, one frame of the model's clock after the other."""

    def __init__(self, body: Skeleton) -> None:
        """Create a detector without a past.

        Args:
            body: The body that wears the trackers.
        """
        self._reach = measure_extra_reach(body)
        self._nearest = self._reach.argmin(-1)
        self.reset()

    def reset(self) -> None:
        """Forget the past."""
        self._raw = np.full((_COUNT, 7), np.nan)
        self._six = np.full((len(TRACKERS), 3), np.nan)
        self._equal, self._changes = np.zeros(_COUNT, int), np.zeros(_COUNT, int)
        self._usual_equal = np.zeros(_COUNT)
        self._positions = np.full((_COUNT, 3), np.nan)
        self._carried = np.full((_COUNT, 3), np.nan)
        self._velocities = np.full((_COUNT, 3), np.nan)
        self._noise = np.zeros(_COUNT)
        self._missed, self._steady = np.zeros(_COUNT, int), np.zeros(_COUNT, int)
        self._lost, self._by_glitch = np.zeros(_COUNT, bool), np.zeros(_COUNT, bool)
        self._doubt = np.zeros(_COUNT)
        self._ignored = np.zeros(_COUNT, bool)

    @property
    def ignored(self) -> tuple[str, ...]:
        """Names of the trackers whose readings have been implausible most of the time."""
        return tuple(n for n, own in zip(EXTRA_TRACKERS, self._ignored, strict=True) if own)

    def frame(
        self,
        poses: tuple[np.ndarray, np.ndarray],
        masks: tuple[np.ndarray, np.ndarray],
        positions: np.ndarray,
        believed: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Decide which optional trackers can be believed in the next frame.

        Args:
            poses: Calibrated positions (9, 3) in metres and rotations (9, 4) of the trackers.
            masks: (9,) bool each, which of them have a position, and which a rotation.
            positions: (6, 3) positions of the six.
            believed: (6,) bool, which of the six are believed.

        Returns:
            (9,) bool each: which positions and which rotations are believed.
        """
        placed, turned = masks
        places = np.where(placed[:, None], poses[0], 0.0).astype(np.float64)
        rotations = np.where(turned[:, None], poses[1], (1.0, 0.0, 0.0, 0.0))
        shift = self._find_shift(positions, believed)
        frozen = self._find_frozen(np.concatenate([places, rotations], -1), not shift.any())
        overreach = measure_extra_overreach(places, positions, believed, self._reach)
        reading = placed & ~frozen
        plausible = self._judge_steps(places, reading, shift) & (overreach == 0.0)
        fine = self._judge(places, reading, plausible, overreach == 0.0)
        self._follow(places, reading, fine)
        doubtful = reading & ~fine
        share = MODEL_STEP / _DOUBT_SECONDS
        self._doubt += np.where(placed, share * (doubtful - self._doubt), 0.0)
        limit = np.where(self._ignored, _IGNORED_UNTIL, _IGNORED_FROM)
        self._ignored = self._doubt > limit
        fine &= ~self._ignored
        return fine, turned & ~frozen & np.where(placed, fine, True)

    def _find_shift(self, positions: np.ndarray, believed: np.ndarray) -> np.ndarray:
        """Return how far (3,) most of the six moved; 0 if they stood still to the last digit."""
        steps = np.where(believed[:, None], positions, np.nan) - self._six
        self._six = np.where(believed[:, None], positions, np.nan)
        # A lost tracker moves about like the one of the six that is nearest on the body.
        carried = steps[self._nearest]
        self._carried += np.where(np.isfinite(carried), carried, 0.0)
        steps = steps[np.isfinite(steps).all(-1)]
        return _median(steps) if len(steps) else np.full(3, 1e-9)

    def _find_frozen(self, raw: np.ndarray, paused: bool) -> np.ndarray:
        """Return which trackers (9,) have given the same numbers (9, 7) for too long.

        Nothing is frozen while the six stand still too: the source has paused.
        """
        same = (raw == self._raw).all(-1)
        changed = ~same & np.isfinite(raw).all(-1)
        runs = np.minimum(self._equal, 8) - self._usual_equal
        self._usual_equal += np.where(changed, _USUAL_SHARE * runs, 0.0)
        self._equal = np.where(same, self._equal + (not paused), 0)
        self._changes += changed
        self._raw_step = _lengths(raw[:, :3] - self._raw[:, :3])
        self._raw = raw
        longest = np.maximum(_FROZEN_FRAMES, 4.0 * self._usual_equal + 1.0)
        return (self._changes >= _ALIVE_FRAMES) & (self._equal >= longest)

    def _judge_steps(
        self, places: np.ndarray, reading: np.ndarray, shift: np.ndarray
    ) -> np.ndarray:
        """Return which trackers (9,) went on as body parts do, or as all others when a take is cut.

        Args:
            places: (9, 3) positions.
            reading: (9,) bool, which trackers have a reading.
            shift: (3,) how far most of the six moved.
        """
        steps = places - self._positions
        lengths = _lengths(steps)
        lengths = np.fmin(lengths, _lengths(steps - shift))
        plausible = lengths <= _LONGEST_STEPS
        known = np.isfinite(self._velocities).all(-1)
        speeds = _lengths(np.where(known[:, None], self._velocities, 0.0))
        jolts = _lengths(steps - MODEL_STEP * self._velocities)
        gains = MODEL_RATE * lengths > speeds + 0.5
        changes = _GAINS + np.where(
            gains, _GAINS_PER_SPEED * np.minimum(speeds, _FULL_SPEED), speeds
        )
        allowed = MODEL_STEP * changes + _SLACK + _NOISE_TIMES * self._noise
        moved = math.hypot(*shift.tolist())
        plausible &= ~known | (jolts <= allowed + moved)
        noisy = reading & plausible & known & ~self._lost
        self._noise += np.where(
            noisy, _NOISE_SHARE * (np.fmin(jolts, _LARGEST_NOISE) - self._noise), 0.0
        )
        return plausible | np.isnan(lengths)

    def _judge(
        self, places: np.ndarray, reading: np.ndarray, plausible: np.ndarray, reached: np.ndarray
    ) -> np.ndarray:
        """Return which positions (9,) are believed.

        Args:
            places: (9, 3) positions.
            reading: (9,) bool, which trackers have a reading.
            plausible: (9,) bool, which went on from where they were believed last.
            reached: (9,) bool, which are where the body reaches.
        """
        steady = np.fmin(self._raw_step, np.inf) <= _LONGEST_STEPS
        self._steady = np.where(reading & steady & reached, self._steady + 1, 0)
        seconds = self._missed * MODEL_STEP
        near = np.minimum(_NEAR + _NEAR_SPEED * seconds, _NEAR_LIMIT)
        away = _lengths(places - self._positions)
        away = np.fmin(away, _lengths(places - self._carried))
        is_near = away <= near
        needed = np.where(is_near, _STEADY_NEAR, _STEADY_ANYWHERE)
        returns = np.where(self._by_glitch, self._steady >= needed, reached)
        return reading & np.where(self._lost, returns, plausible)

    def _follow(self, places: np.ndarray, reading: np.ndarray, fine: np.ndarray) -> None:
        """Note what was decided about positions (9, 3)."""
        known = fine & ~self._lost
        velocities = np.where(known[:, None], MODEL_RATE * (places - self._positions), np.nan)
        self._velocities = velocities
        self._positions = np.where(fine[:, None], places, self._positions)
        self._carried = np.where(fine[:, None], places, self._carried)
        self._by_glitch = ~fine & (self._by_glitch | (reading & ~self._lost))
        self._missed = np.where(fine, 0, self._missed + 1)
        self._lost = ~fine & np.isfinite(self._positions).all(-1)


# NumPy's own functions for these two take several times as long for so few numbers.


def _lengths(vectors: np.ndarray) -> np.ndarray:
    """Return the lengths (N,) of vectors (N, 3)."""
    return np.sqrt(np.einsum("ij,ij->i", vectors, vectors))


def _median(vectors: np.ndarray) -> np.ndarray:
    """Return the median (3,) of some vectors (N, 3), each number by itself."""
    ordered = np.sort(vectors, 0)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else 0.5 * (ordered[middle - 1] + ordered[middle])
