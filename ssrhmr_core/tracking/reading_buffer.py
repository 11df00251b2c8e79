# SPDX-License-Identifier: GPL-3.0-or-later
"""Readings of one tracker over time, each with a time of its own."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from pymotion.rotations import quat_np as quat

MAX_GAP = 0.25
"""Seconds between two readings beyond which a tracker counts as not seen in between.

Less than it takes to do anything that a straight line between both would miss by much, more than
lost packets make.
"""
SAME_TIME = 1e-7
"""Seconds by which two times may differ and still be the same."""


def sample(
    times: np.ndarray,
    positions: np.ndarray,
    rotations: np.ndarray,
    valid: np.ndarray,
    wanted: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bring readings of a tracker to other times.

    Args:
        times: (N,) seconds, rising, at least one.
        positions: (N, 3).
        rotations: (N, 4) unit quaternions.
        valid: (N,) bool.
        wanted: (G,) seconds.

    Returns:
        Positions (G, 3), rotations (G, 4) and validity (G,): a tracker is seen at the time of a
        valid reading, and between two of them that are not far apart. What is not seen has some
        finite numbers.
    """
    last = len(times) - 1
    ends = (
        np.clip(np.searchsorted(times, wanted + SAME_TIME, side="right") - 1, 0, last),
        np.clip(np.searchsorted(times, wanted - SAME_TIME), 0, last),
    )
    before, after = (_Moments(times[e], positions[e], rotations[e], valid[e]) for e in ends)
    return _between(before, after, wanted)


class _Moments(NamedTuple):
    """Readings at one side of wanted times: (G,), (G, 3), (G, 4), (G,)."""

    times: np.ndarray
    positions: np.ndarray
    rotations: np.ndarray
    valid: np.ndarray


def _between(
    before: _Moments, after: _Moments, wanted: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    apart = after.times - before.times
    share = np.clip((wanted - before.times) / np.where(apart > 0.0, apart, 1.0), 0.0, 1.0)
    share = np.where(apart > 0.0, share, 0.0)[:, None]
    inside = (before.times <= wanted + SAME_TIME) & (after.times >= wanted - SAME_TIME)
    return (
        (before.positions * (1.0 - share) + after.positions * share).astype(np.float32),
        _turned(before.rotations, after.rotations, share),
        before.valid & after.valid & (apart <= MAX_GAP) & inside,
    )


def _turned(before: np.ndarray, after: np.ndarray, share: np.ndarray) -> np.ndarray:
    if not share.any():
        return before.astype(np.float32)
    # In double precision: the arc cosine of nearly equal quaternions is noise in single.
    a, b = before.astype(np.float64), after.astype(np.float64)
    return quat.normalize(quat.slerp(a, b, share, shortest=True)).astype(np.float32)


class BufferedReading(NamedTuple):
    """One reading, as a track keeps it; sorted by time."""

    time: float
    position: tuple[float, float, float]
    rotation: tuple[float, float, float, float]
    valid: bool
    arrival: float


_NEVER = BufferedReading(-np.inf, (0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0), False, -np.inf)


def sample_buffers(
    tracks: Sequence[ReadingBuffer | None], times: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bring several trackers to the same times, as :func:`sample` does with one.

    Args:
        tracks: T of them; None for one that there is not.
        times: (G,) seconds.

    Returns:
        Positions (G, T, 3), rotations (G, T, 4) and validity (G, T).
    """
    nothing = (_NEVER, _NEVER)
    pairs = [track.around(t) if track else nothing for t in times.tolist() for track in tracks]
    before, after = (
        _Moments(*(np.array(column) for column in list(zip(*side, strict=True))[:4]))
        for side in zip(*pairs, strict=True)
    )
    with np.errstate(invalid="ignore"):
        found = _between(before, after, np.repeat(times, len(tracks)))
    shape = (len(times), len(tracks))
    positions, rotations, valid = (values.reshape(*shape, *values.shape[1:]) for values in found)
    return positions, rotations, valid


class ReadingBuffer:
    """The latest readings of one tracker, in order of their times, however they came in."""

    def __init__(self, seconds: float) -> None:
        """Begin empty.

        Args:
            seconds: to keep.
        """
        self._seconds = seconds
        self._samples: list[BufferedReading] = []
        self.last_valid: BufferedReading | None = None
        """The newest valid one; kept when all others are forgotten."""

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._samples)

    def add(self, sample: BufferedReading) -> None:
        """Take in a reading; one of the same time is replaced."""
        at = bisect_left(self._samples, sample.time, key=_time)
        if at < len(self._samples) and self._samples[at].time == sample.time:
            self._samples[at] = sample
        else:
            self._samples.insert(at, sample)
        if sample.valid and (self.last_valid is None or sample.time >= self.last_valid.time):
            self.last_valid = sample
        # Not one at a time, which would move the others each time.
        if self._samples[-1].time - self._samples[0].time > 2.0 * self._seconds:
            oldest = self._samples[-1].time - self._seconds
            del self._samples[: bisect_left(self._samples, oldest, key=_time)]

    @property
    def first(self) -> float:
        """Time of the oldest reading; infinite if there is none."""
        return self._samples[0].time if self._samples else np.inf

    @property
    def newest(self) -> float:
        """Time of the newest reading; minus infinity if there is none."""
        return self._samples[-1].time if self._samples else -np.inf

    def after(self, time: float) -> BufferedReading | None:
        """Return the first reading at or after a time."""
        at = bisect_left(self._samples, time - SAME_TIME, key=_time)
        return self._samples[at] if at < len(self._samples) else None

    def around(self, time: float) -> tuple[BufferedReading, BufferedReading]:
        """Return the readings at or before and at or after a time; at the ends the last one."""
        if not self._samples:
            return _NEVER, _NEVER
        before = bisect_right(self._samples, time + SAME_TIME, key=_time) - 1
        after = bisect_left(self._samples, time - SAME_TIME, key=_time)
        return self._samples[max(before, 0)], self._samples[min(after, len(self._samples) - 1)]


def _time(sample: BufferedReading) -> float:
    return sample.time
