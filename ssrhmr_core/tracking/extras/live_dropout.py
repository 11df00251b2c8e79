# SPDX-License-Identifier: GPL-3.0-or-later
"""Dropouts of optional trackers, found as frames come.

The causal counterpart of :mod:`ssrhmr_core.tracking.extras.dropout`, and simpler than what judges
the six (:mod:`ssrhmr_core.tracking.live_dropout`): a pose can do without optional trackers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...body.extra_trackers import EXTRA_TRACKERS
from ...body.interpolation import MODEL_RATE
from ...body.skeleton import TRACKERS, Skeleton
from ...geometry.scalar import Vector, add, scale, subtract
from ..plausibility import EXTRA_LIMITS, MODEL_STEP, MotionLimits, measure_extra_reach

_FULL_SPEED = 6.0
"""Speed in metres per second above which a faster body part does not gain speed faster."""
_SLACK = 0.02
"""Metres that a reading may be off in any case."""
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
        reach = measure_extra_reach(body)
        self._reach: list[list[float]] = reach.tolist()
        self._nearest: list[int] = reach.argmin(-1).tolist()
        self.reset()

    def reset(self) -> None:
        """Forget the past."""
        self._trackers = [
            _Tracker(limits, reach) for limits, reach in zip(EXTRA_LIMITS, self._reach, strict=True)
        ]
        self._six: list[Sequence[float] | None] = [None] * len(TRACKERS)

    @property
    def ignored(self) -> tuple[str, ...]:
        """Names of the trackers whose readings have been implausible most of the time."""
        trackers = zip(EXTRA_TRACKERS, self._trackers, strict=True)
        return tuple(name for name, tracker in trackers if tracker.is_ignored)

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
        six: list[Sequence[float] | None] = [
            position if own else None
            for position, own in zip(positions.tolist(), believed.tolist(), strict=True)
        ]
        steps = [
            subtract(now, before) if now and before else None
            for now, before in zip(six, self._six, strict=True)
        ]
        self._six = six
        shift = _median([step for step in steps if step])
        decided = [
            tracker.judge(_Reading(*reading), six, steps[nearest], shift)
            for tracker, nearest, *reading in zip(
                self._trackers,
                self._nearest,
                *(values.tolist() for values in (*poses, *masks)),
                strict=True,
            )
        ]
        fine, turned = zip(*decided, strict=True)
        return np.array(fine), np.array(turned)


class _Reading(NamedTuple):
    """A calibrated reading of one tracker, which may lack a position or a rotation."""

    position: Sequence[float]
    rotation: Sequence[float]
    has_position: bool
    has_rotation: bool


class _Tracker:
    """The past of one tracker, in plain floats, which are faster for so few of them."""

    __slots__ = (
        "_by_glitch",
        "_carried",
        "_changes",
        "_doubt",
        "_equal",
        "_is_lost",
        "_limits",
        "_longest_step",
        "_missed",
        "_noise",
        "_position",
        "_raw",
        "_raw_step",
        "_reach",
        "_steady",
        "_usual_equal",
        "_velocity",
        "is_ignored",
    )

    def __init__(self, limits: MotionLimits, reach: Sequence[float]) -> None:
        self._limits, self._reach = limits, reach
        self._longest_step = MODEL_STEP * limits.speed + _SLACK
        self._raw: tuple[Sequence[float], Sequence[float]] | None = None
        self._raw_step = math.inf
        self._equal = self._changes = 0
        self._usual_equal = 0.0
        self._position: Sequence[float] | None = None
        self._carried: Sequence[float] | None = None
        self._velocity: Vector | None = None
        self._noise = 0.0
        self._missed = self._steady = 0
        self._is_lost = self._by_glitch = False
        self._doubt = 0.0
        self.is_ignored = False

    def judge(
        self,
        reading: _Reading,
        six: Sequence[Sequence[float] | None],
        carried: Vector | None,
        shift: Vector,
    ) -> tuple[bool, bool]:
        """Return whether position and rotation of the next reading are believed.

        Args:
            reading: The reading.
            six: Positions of the six trackers, None for those that are not believed.
            carried: How far the nearest of them moved; None if nobody knows.
            shift: How far most of them moved; 0 if they stood still to the last digit.
        """
        place = reading.position if reading.has_position else (0.0, 0.0, 0.0)
        rotation = reading.rotation if reading.has_rotation else (1.0, 0.0, 0.0, 0.0)
        if carried and self._carried:
            # A lost tracker moves about like the one of the six that is nearest on the body.
            self._carried = add(self._carried, carried)
        frozen = self._is_frozen((place, rotation), not any(shift))
        has_reading = reading.has_position and not frozen
        reached = not reading.has_position or self._is_in_reach(place, six)
        plausible = self._goes_on(place, has_reading, shift) and reached
        fine = has_reading and self._is_fine(place, plausible, reached)
        self._note(place, has_reading, fine)
        if reading.has_position:
            doubtful = has_reading and not fine
            self._doubt += MODEL_STEP / _DOUBT_SECONDS * (doubtful - self._doubt)
        self.is_ignored = self._doubt > (_IGNORED_UNTIL if self.is_ignored else _IGNORED_FROM)
        fine = fine and not self.is_ignored
        turned = reading.has_rotation and not frozen and (fine or not reading.has_position)
        return fine, turned

    def _is_frozen(self, raw: tuple[Sequence[float], Sequence[float]], paused: bool) -> bool:
        """Return whether the tracker has given the same numbers for too long.

        Nothing is frozen while the six stand still too: the source has paused.
        """
        before, self._raw = self._raw, raw
        if before is None:
            self._changes = 1
            return False
        if before == raw:
            self._equal += not paused
        else:
            self._usual_equal += _USUAL_SHARE * (min(self._equal, 8) - self._usual_equal)
            self._equal = 0
            self._changes += 1
        self._raw_step = math.dist(raw[0], before[0])
        longest = max(_FROZEN_FRAMES, 4.0 * self._usual_equal + 1.0)
        return self._changes >= _ALIVE_FRAMES and self._equal >= longest

    def _is_in_reach(self, place: Sequence[float], six: Sequence[Sequence[float] | None]) -> bool:
        """Return whether a position is where the body reaches."""
        return not any(
            position and math.dist(place, position) > reach
            for position, reach in zip(six, self._reach, strict=True)
        )

    def _goes_on(self, place: Sequence[float], has_reading: bool, shift: Vector) -> bool:
        """Return whether a tracker goes on as body parts do, or as all others if a take is cut."""
        if self._position is None:
            return True
        step = subtract(place, self._position)
        length = min(math.hypot(*step), math.dist(step, shift))
        plausible, velocity = length <= self._longest_step, self._velocity
        if velocity is not None:
            limits, speed = self._limits, math.hypot(*velocity)
            change = limits.gain
            if MODEL_RATE * length > speed + 0.5:
                change += limits.gain_per_speed * min(speed, _FULL_SPEED)
            else:
                change += speed
            allowed = MODEL_STEP * change + _SLACK + _NOISE_TIMES * self._noise
            jolt = math.dist(step, scale(velocity, MODEL_STEP))
            plausible = plausible and jolt <= allowed + math.hypot(*shift)
            if has_reading and plausible and not self._is_lost:
                self._noise += _NOISE_SHARE * (min(jolt, _LARGEST_NOISE) - self._noise)
        return plausible

    def _is_fine(self, place: Sequence[float], plausible: bool, reached: bool) -> bool:
        """Return whether a position is believed that went on plausibly, or that is a return."""
        steady = self._raw_step <= self._longest_step and reached
        self._steady = self._steady + 1 if steady else 0
        if not self._is_lost:
            return plausible
        if not self._by_glitch:
            return reached
        near = min(_NEAR + _NEAR_SPEED * self._missed * MODEL_STEP, _NEAR_LIMIT)
        known = [known for known in (self._position, self._carried) if known]
        is_near = any(math.dist(place, last) <= near for last in known)
        return self._steady >= (_STEADY_NEAR if is_near else _STEADY_ANYWHERE)

    def _note(self, place: Sequence[float], has_reading: bool, fine: bool) -> None:
        """Note what was decided about a position."""
        if not has_reading:
            self._steady = 0
        last, was_lost = self._position, self._is_lost
        self._velocity = None
        if not fine:
            self._by_glitch = self._by_glitch or (has_reading and not was_lost)
            self._missed += 1
            self._is_lost = last is not None
            return
        if last is not None and not was_lost:
            self._velocity = scale(subtract(place, last), MODEL_RATE)
        self._position = self._carried = place
        self._is_lost = self._by_glitch = False
        self._missed = 0


def _median(vectors: Sequence[Vector]) -> Vector:
    """Return the median of some vectors, each number by itself; about zero if there are none."""
    if not vectors:
        return 1e-9, 1e-9, 1e-9
    middle = len(vectors) // 2
    x, y, z = (sorted(numbers) for numbers in zip(*vectors, strict=True))
    if len(vectors) % 2:
        return x[middle], y[middle], z[middle]
    return (
        0.5 * (x[middle - 1] + x[middle]),
        0.5 * (y[middle - 1] + y[middle]),
        0.5 * (z[middle - 1] + z[middle]),
    )
