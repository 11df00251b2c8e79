# SPDX-License-Identifier: GPL-3.0-or-later
"""Timestamped readings of one tracker, and their interpolation."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from pymotion.rotations import quat_np as quat

MAX_GAP = 0.25
"""Longest gap in seconds between two readings that is interpolated.

A straight line across such a gap stays close to any human motion, and gaps from lost packets are
shorter.
"""
SAME_TIME = 1e-7
"""Times that differ by no more than this, in seconds, are equal."""


def sample(
    times: np.ndarray,
    positions: np.ndarray,
    rotations: np.ndarray,
    valid: np.ndarray,
    wanted: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Interpolate the readings of one tracker.

    Args:
        times: (N,) increasing seconds, at least one.
        positions: (N, 3) positions.
        rotations: (N, 4) unit quaternions.
        valid: (N,) bool, False where a reading does not count.
        wanted: (G,) seconds to interpolate at.

    Returns:
        Positions (G, 3), rotations (G, 4) and validity (G,). A tracker is valid at the time of a
        valid reading and between two valid readings at most :data:`MAX_GAP` apart; elsewhere its
        values are finite but meaningless.
    """
    last = len(times) - 1
    ends = (
        np.clip(np.searchsorted(times, wanted + SAME_TIME, side="right") - 1, 0, last),
        np.clip(np.searchsorted(times, wanted - SAME_TIME), 0, last),
    )
    before, after = (_Readings(times[e], positions[e], rotations[e], valid[e]) for e in ends)
    return _interpolate_between(before, after, wanted)


class _Readings(NamedTuple):
    """The readings on one side of G wanted times: (G,), (G, 3), (G, 4), (G,)."""

    times: np.ndarray
    positions: np.ndarray
    rotations: np.ndarray
    valid: np.ndarray


def _interpolate_between(
    before: _Readings, after: _Readings, wanted: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    gap = after.times - before.times
    share = np.clip((wanted - before.times) / np.where(gap > 0.0, gap, 1.0), 0.0, 1.0)
    share = np.where(gap > 0.0, share, 0.0)[:, None]
    inside = (before.times <= wanted + SAME_TIME) & (after.times >= wanted - SAME_TIME)
    return (
        (before.positions * (1.0 - share) + after.positions * share).astype(np.float32),
        _interpolate_rotations(before.rotations, after.rotations, share),
        before.valid & after.valid & (gap <= MAX_GAP) & inside,
    )


def _interpolate_rotations(before: np.ndarray, after: np.ndarray, share: np.ndarray) -> np.ndarray:
    if not share.any():
        return before.astype(np.float32)
    # In double precision: the arc cosine of nearly equal quaternions is noise in single.
    a, b = before.astype(np.float64), after.astype(np.float64)
    return quat.normalize(quat.slerp(a, b, share, shortest=True)).astype(np.float32)


class BufferedReading(NamedTuple):
    """One reading of one tracker, as a :class:`ReadingBuffer` keeps it.

    Attributes:
        time: Seconds.
        position: The position; means nothing if there is none.
        rotation: The rotation; means nothing if there is none.
        valid: Whether the tracker was seen.
        arrival: Seconds at which the reading came.
        has_position: Whether there is a position.
        has_rotation: Whether there is a rotation.
    """

    time: float
    position: tuple[float, float, float]
    rotation: tuple[float, float, float, float]
    valid: bool
    arrival: float
    has_position: bool = True
    has_rotation: bool = True


_HAS_POSITION = BufferedReading._fields.index("has_position")
_HAS_ROTATION = BufferedReading._fields.index("has_rotation")
_NO_READING = BufferedReading(-np.inf, (0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0), False, -np.inf)


def sample_buffers(
    buffers: Sequence[ReadingBuffer | None], times: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Interpolate several trackers at the same times; see :func:`sample`.

    Args:
        buffers: T buffers; None for a tracker without one.
        times: (G,) seconds.

    Returns:
        Positions (G, T, 3), rotations (G, T, 4) and validity (G, T).
    """
    positions, rotations, has_position, has_rotation = sample_halves(buffers, times)
    return positions, rotations, has_position & has_rotation


def sample_halves(
    buffers: Sequence[ReadingBuffer | None], times: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Interpolate several trackers whose readings may have a position or a rotation alone.

    Args:
        buffers: T buffers; None for a tracker without one.
        times: (G,) seconds.

    Returns:
        Positions (G, T, 3), rotations (G, T, 4), and where there are positions (G, T) and rotations
        (G, T): where the readings before and after a time both have one.
    """
    missing = (_NO_READING, _NO_READING)
    pairs = [
        buffer.around(time) if buffer else missing for time in times.tolist() for buffer in buffers
    ]
    sides = [list(zip(*side, strict=True)) for side in zip(*pairs, strict=True)]
    before, after = (_Readings(*(np.array(column) for column in side[:4])) for side in sides)
    with np.errstate(invalid="ignore"):
        flat = _interpolate_between(before, after, np.repeat(times, len(buffers)))
    shape = (len(times), len(buffers))
    positions, rotations, valid = (values.reshape(*shape, *values.shape[1:]) for values in flat)
    has_position, has_rotation = (
        valid & (np.array(sides[0][part]) & np.array(sides[1][part])).reshape(shape)
        for part in (_HAS_POSITION, _HAS_ROTATION)
    )
    return positions, rotations, has_position, has_rotation


class ReadingBuffer:
    """The latest readings of one tracker, sorted by time whatever order they arrive in."""

    def __init__(self, seconds: float) -> None:
        """Create an empty buffer.

        Args:
            seconds: The least span of time to keep.
        """
        self._seconds = seconds
        self._readings: list[BufferedReading] = []
        self.last_valid: BufferedReading | None = None
        """The newest valid reading, kept even after it is too old for the buffer."""

    def __len__(self) -> int:
        """Return the number of readings."""
        return len(self._readings)

    def add(self, reading: BufferedReading) -> None:
        """Add a reading, replacing one with the same time."""
        at = bisect_left(self._readings, reading.time, key=_time)
        if at < len(self._readings) and self._readings[at].time == reading.time:
            self._readings[at] = reading
        else:
            self._readings.insert(at, reading)
        if reading.valid and (self.last_valid is None or reading.time >= self.last_valid.time):
            self.last_valid = reading
        # Deleting one reading at a time would move all the others every time.
        if self._readings[-1].time - self._readings[0].time > 2.0 * self._seconds:
            oldest = self._readings[-1].time - self._seconds
            del self._readings[: bisect_left(self._readings, oldest, key=_time)]

    @property
    def first(self) -> float:
        """Time of the oldest reading; infinity if there is none."""
        return self._readings[0].time if self._readings else np.inf

    @property
    def newest(self) -> float:
        """Time of the newest reading; minus infinity if there is none."""
        return self._readings[-1].time if self._readings else -np.inf

    def after(self, time: float) -> BufferedReading | None:
        """Return the first reading at or after a time, or None."""
        at = bisect_left(self._readings, time - SAME_TIME, key=_time)
        return self._readings[at] if at < len(self._readings) else None

    def around(self, time: float) -> tuple[BufferedReading, BufferedReading]:
        """Return the readings at or before and at or after a time; or the last one twice."""
        if not self._readings:
            return _NO_READING, _NO_READING
        before = bisect_right(self._readings, time + SAME_TIME, key=_time) - 1
        after = bisect_left(self._readings, time - SAME_TIME, key=_time)
        return self._readings[max(before, 0)], self._readings[min(after, len(self._readings) - 1)]


def _time(reading: BufferedReading) -> float:
    return reading.time
