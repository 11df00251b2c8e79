"""Readings of one tracker over time, each with a time of its own."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import NamedTuple

import numpy as np

from .motion import interpolate, interpolate_rotations

WIDEST_GAP = 0.25
"""Seconds between two readings beyond which a tracker counts as not seen in between.

Less than it takes to do anything that a straight line between both would miss by much, more than
lost packets make.
"""
_NOW = 1e-7
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
    after = np.clip(np.searchsorted(times, wanted - _NOW), 0, len(times) - 1)
    before = np.clip(np.searchsorted(times, wanted + _NOW, side="right") - 1, 0, len(times) - 1)
    near = times[after] - times[before] <= WIDEST_GAP
    inside = (times[before] <= wanted + _NOW) & (times[after] >= wanted - _NOW)
    seen = valid[before] & valid[after] & near & inside
    return (
        interpolate(times, positions, wanted),
        interpolate_rotations(times, rotations, wanted),
        seen,
    )


class Sample(NamedTuple):
    """One reading, as a track keeps it; sorted by time."""

    time: float
    position: tuple[float, float, float]
    rotation: tuple[float, float, float, float]
    valid: bool
    arrival: float


class Track:
    """The latest readings of one tracker, in order of their times, however they came in."""

    def __init__(self, seconds: float) -> None:
        """Begin empty.

        Args:
            seconds: to keep.
        """
        self._seconds = seconds
        self._samples: list[Sample] = []
        self.seen: Sample | None = None
        """The newest valid one; kept when all others are forgotten."""

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._samples)

    def add(self, sample: Sample) -> None:
        """Take in a reading; one of the same time is replaced."""
        at = bisect_left(self._samples, sample.time, key=_time)
        if at < len(self._samples) and self._samples[at].time == sample.time:
            self._samples[at] = sample
        else:
            self._samples.insert(at, sample)
        if sample.valid and (self.seen is None or sample.time >= self.seen.time):
            self.seen = sample
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

    def after(self, time: float) -> Sample | None:
        """Return the first reading at or after a time."""
        at = bisect_left(self._samples, time - _NOW, key=_time)
        return self._samples[at] if at < len(self._samples) else None

    def at(self, times: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return positions (G, 3), rotations (G, 4) and validity (G,) at rising times (G,)."""
        begin = max(bisect_right(self._samples, times[0], key=_time) - 2, 0)
        end = bisect_left(self._samples, times[-1], key=_time) + 2
        part = self._samples[begin:end] or self._samples[-1:]
        if not part:
            unit = np.tile(np.array([1.0, 0.0, 0.0, 0.0], np.float32), (len(times), 1))
            return np.zeros((len(times), 3), np.float32), unit, np.zeros(len(times), bool)
        known, places, turns, valid, _ = zip(*part, strict=True)
        return sample(
            np.array(known),
            np.array(places),
            np.array(turns),
            np.array(valid),
            times,
        )


def _time(sample: Sample) -> float:
    return sample.time
