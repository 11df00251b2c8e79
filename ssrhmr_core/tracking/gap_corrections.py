# SPDX-License-Identifier: GPL-3.0-or-later
"""Corrections of lost trackers that the take itself teaches.

While a tracker is known, it shows what the net would have predicted of it wrongly from the others.
These errors are alike near in time, in like poses, and in all of a take, because it has one
performer. Regression over a Gaussian process with these three kinds of likeness gives the errors to
expect in a gap (Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006, section
2.2). A whole take shows both ends of a gap, live use only what was before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from ..body.interpolation import MODEL_RATE, find_runs
from ..body.skeleton import TRACKERS
from ..geometry.rotations import from_rotvec, heading, rotate, to_6d, to_rotvec, transpose
from ..model.tracker_predictor import AGO
from .past_readings import MEMORY, Readings
from .source_blend import shorten

_PELVIS, _HEAD = TRACKERS.index("pelvis"), TRACKERS.index("head")

_SHORT, _LONG, _POSE, _ALWAYS = 0.07, 0.2, 1.0, 0.3
"""Variances of errors that are alike for moments, for seconds, in like poses, and always. These and
the following numbers were chosen on 56 training clips; the errors hardly change if they are half or
twice as large."""
_NOISE, _END_NOISE = 0.02, 0.0005
"""Variances of what two equal moments do not share, and of the same at the ends of gaps, where a
correction is to meet the readings."""
_SHORT_SECONDS, _LONG_SECONDS = 0.3, 3.0
_POSE_DISTANCE = 0.6
"""Distance of features at which poses begin to differ, in sizes of the body."""
_ROTATION_WEIGHT, _EARLIER_WEIGHT, _OWN_WEIGHT = 0.3, 0.5, 1.5
"""Weights of rotations, of the earlier moment, and of the predicted pose among the features."""
_EARLIER = AGO.index(8)
"""Which of the moments of ``AGO`` poses are compared at too."""

_NEAR, _NEAR_STEP, _END = 300, 3, 4
"""Frames around a gap of which every third one teaches, and those at its ends, which all do."""
_NEAR_COUNT, _FAR_COUNT, _FEWEST = 500, 150, 30
"""How many frames near a gap and far from it teach at most, and how many of both at least."""
_USUAL, _OUTLIER = 0.9, 2.0
"""Frames with errors this many times as large as those of this share are left out."""
_LONGEST = 1200
"""Frames of a whole take that are corrected together at most."""

SEAMLESS = -1
"""Instead of a gap's number: what is filled in meets the readings at both ends."""

Poses = tuple[np.ndarray, np.ndarray]
"""Positions (F, 6, 3) and rotations (F, 6, 3, 3)."""
Predict = Callable[[Readings], Poses]
"""Predicts trackers from what is known of them at all moments of ``AGO``."""


class Gap(NamedTuple):
    """Frames in which the same trackers are lost.

    Attributes:
        lost: (6,) bool, the lost trackers.
        frames: (F,) indices of the frames, in order.
    """

    lost: np.ndarray
    frames: np.ndarray


def find_gaps(lost: np.ndarray, causal: bool) -> Iterator[Gap]:
    """Find the gaps of a take.

    Args:
        lost: (F, 6) bool, where trackers are lost.
        causal: Whether each gap ends where other trackers are lost, as live. Gaps of a whole take
            that lack the same trackers are joined, if they are near each other.

    Yields:
        The gaps, in order for each set of lost trackers.
    """
    for pattern in np.unique(lost, axis=0):
        if not pattern.any():
            continue
        mask = (lost == pattern).all(1)
        if causal:
            yield from (Gap(pattern, np.arange(begin, end)) for begin, end in find_runs(mask))
            continue
        frames = np.flatnonzero(mask)
        while len(frames):
            end = int(np.searchsorted(frames, frames[0] + _LONGEST))
            yield Gap(pattern, frames[:end])
            frames = frames[end:]


class Corrections:
    """How the net errs about trackers that are lost for a while."""

    def __init__(
        self,
        lost: np.ndarray,
        size: float,
        learned: dict[int, _Errors],
        ends: dict[int, np.ndarray],
    ) -> None:
        self._lost, self._size, self._learned, self._ends = lost, size, learned, ends
        self.corrected = np.isin(np.arange(len(TRACKERS)), list(learned))
        """Which trackers (6,) are corrected."""

    @classmethod
    def learn(
        cls,
        readings: Readings,
        gap: Gap,
        causal: bool,
        predict: Predict,
        size: float,
        first: int = 0,
    ) -> Corrections | None:
        """Learn from frames of a take in which lost trackers are known, and all others too.

        Args:
            readings: All frames (F, 6, ...) of the take, or those until the gap begins.
            gap: The gap, of which only the first frame counts if it is causal.
            causal: Whether only the minute before the gap may teach.
            predict: The net.
            size: Size of the body, see :attr:`Skeleton.size`.
            first: Number of the first frame of the readings.

        Returns:
            The corrections; None if too few frames show any of the lost trackers.
        """
        others = (readings.known | gap.lost).all(1)
        gap_frames = gap.frames
        if causal:
            begin, gap_frames = int(gap.frames[0]), gap.frames[:1]
            others[begin:], others[: max(0, begin - MEMORY)] = False, False
        chosen, ends = {}, {}
        for tracker in np.flatnonzero(gap.lost).tolist():
            candidates = np.flatnonzero(others & readings.known[:, tracker])
            frames, is_end = _choose_frames(candidates, gap_frames)
            if len(frames) >= _FEWEST:
                chosen[tracker], ends[tracker] = frames, frames[is_end]
        if not chosen:
            return None
        frames = np.unique(np.concatenate(list(chosen.values())))
        history = readings.before(frames).without(gap.lost)
        predicted = predict(history)
        moments = _Moments.describe(history, gap.lost, (first + frames) / MODEL_RATE, size)
        learned = {}
        for tracker, own in chosen.items():
            rows = np.searchsorted(frames, own)
            own_predicted = predicted[0][rows, tracker], predicted[1][rows, tracker]
            true = readings.positions[own, tracker], readings.rotations[own, tracker]
            # Trackers often fly off before they are lost.
            errors = np.linalg.norm(true[0] - own_predicted[0], axis=-1)
            kept = errors <= _OUTLIER * np.quantile(errors, _USUAL)
            ends[tracker] = ends[tracker][np.isin(ends[tracker], own[kept])]
            learned[tracker] = _Errors.learn(
                moments.part(rows[kept]),
                (own_predicted[0][kept], own_predicted[1][kept]),
                (true[0][kept], true[1][kept]),
                np.where(np.isin(own[kept], ends[tracker]), _END_NOISE, _NOISE),
            )
        return cls(gap.lost, size, learned, ends)

    def meets(self, tracker: int, frame: int) -> bool:
        """Return whether the corrections of a tracker meet its reading in a frame at an end."""
        return bool((self._ends[tracker] == frame).any())

    def apply(self, history: Readings, seconds: np.ndarray, predict: Predict) -> Poses:
        """Predict trackers in the gap, corrected where :attr:`corrected` says so.

        Args:
            history: What is known (N, A, 6, ...) at the moments of ``AGO`` before each frame.
            seconds: (N,) when the frames are, from the first one of the take on.
            predict: The net.
        """
        history = history.without(self._lost)
        positions, rotations = predict(history)
        moments = _Moments.describe(history, self._lost, seconds, self._size)
        for tracker, errors in self._learned.items():
            positions[:, tracker], rotations[:, tracker] = errors.correct(
                moments, (positions[:, tracker], rotations[:, tracker])
            )
        return positions, rotations


def mark_seamless(
    numbers: np.ndarray,
    known: np.ndarray,
    learned: dict[int, Corrections],
    is_moved: Callable[[int, int], bool],
) -> np.ndarray:
    """Return numbers of gaps with those marked that meet their readings at both ends.

    Args:
        numbers: (F, 6) int, the number of the gap in which a tracker is corrected, else 0.
        known: (F, 6) bool, where trackers are known.
        learned: The corrections by the number of the gap.
        is_moved: Function that is called with a tracker and a frame, and says whether it is moved
            there after it was corrected.
    """
    result = numbers.copy()
    for tracker in np.flatnonzero(numbers.any(0)).tolist():
        for begin, end in find_runs(~known[:, tracker]):
            number = int(numbers[begin, tracker])
            if not number or (numbers[begin:end, tracker] != number).any():
                continue
            # The frames at the ends, and their neighbours that are read, if there are any.
            ends = [(begin, begin - 1), (end - 1, end)]
            if all(
                learned[number].meets(tracker, neighbour) and not is_moved(tracker, frame)
                for frame, neighbour in ends
                if 0 <= neighbour < len(known)
            ):
                result[begin:end, tracker] = SEAMLESS
    return result


def _choose_frames(candidates: np.ndarray, gap: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Choose frames that teach, of all that could: most of them near the gap.

    Args:
        candidates: (C,) indices of the frames that could.
        gap: (G,) those of the frames of the gap.

    Returns:
        (N,) indices of the chosen frames, in order, and (N,) bool, which are at ends of the gap.
    """
    after = np.searchsorted(gap, candidates)
    distance = np.minimum(
        np.abs(gap[np.minimum(after, len(gap) - 1)] - candidates),
        np.abs(gap[np.maximum(after - 1, 0)] - candidates),
    )
    is_end = distance <= _END
    near = is_end | ((distance <= _NEAR) & (distance % _NEAR_STEP == 0))
    chosen = [
        rows[_spread(len(rows), count)]
        for rows, count in (
            (np.flatnonzero(near), _NEAR_COUNT),
            (np.flatnonzero(distance > _NEAR), _FAR_COUNT),
        )
    ]
    rows = np.sort(np.concatenate(chosen))
    return candidates[rows], is_end[rows]


def _spread(length: int, count: int) -> np.ndarray:
    """Return at most so many indices, spread evenly over a length."""
    if length <= count:
        return np.arange(length)
    return np.linspace(0, length - 1, count).round().astype(int)


class _Moments(NamedTuple):
    """What moments are compared by.

    Attributes:
        seconds: (N,) when they are.
        origins: (N, 3) positions of the reference, pelvis or head.
        facing: (N, 3, 3) its headings.
        features: (N, n) poses of the trackers that are not lost.
        size: Size of the body.
    """

    seconds: np.ndarray
    origins: np.ndarray
    facing: np.ndarray
    features: np.ndarray
    size: float

    @classmethod
    def describe(
        cls, history: Readings, lost: np.ndarray, seconds: np.ndarray, size: float
    ) -> _Moments:
        """Describe frames at which all trackers but the lost ones (6,) are known.

        Args:
            history: What is known (N, A, 6, ...) at the moments of ``AGO`` before each frame.
            lost: (6,) bool, the lost trackers.
            seconds: (N,) when the frames are.
            size: Size of the body.
        """
        reference = _HEAD if lost[_PELVIS] else _PELVIS
        positions, rotations, known = history.part((slice(None), [0, _EARLIER]))
        # What was not known earlier counts as having stood still.
        positions = np.where(known[..., None], positions, positions[:, :1])
        rotations = np.where(known[..., None, None], rotations, rotations[:, :1])
        origins, facing = positions[:, 0, reference], heading(rotations[:, 0, reference])
        inverse = transpose(facing)[:, None, None]
        relative = rotate(inverse, positions[:, :, ~lost] - origins[:, None, None]) / size
        sixes = _ROTATION_WEIGHT * to_6d(inverse @ rotations[:, :, ~lost])
        poses = np.concatenate([relative, sixes], -1)
        poses[:, 1] *= _EARLIER_WEIGHT
        parts = [poses.reshape(len(seconds), -1), origins[:, 1:2] / size]
        features = np.concatenate(parts, 1).astype(np.float64)
        return cls(seconds, origins, facing, features, size)

    def part(self, rows: np.ndarray) -> _Moments:
        """Return some moments."""
        return _Moments(
            self.seconds[rows],
            self.origins[rows],
            self.facing[rows],
            self.features[rows],
            self.size,
        )

    def add_own(self, predicted: Poses) -> np.ndarray:
        """Return the features with what is predicted of a tracker, (N, 3) and (N, 3, 3)."""
        inverse = transpose(self.facing)
        relative = rotate(inverse, predicted[0] - self.origins) / self.size
        sixes = _ROTATION_WEIGHT * to_6d(inverse @ predicted[1])
        return np.concatenate([self.features, _OWN_WEIGHT * relative, _OWN_WEIGHT * sixes], 1)


class _Errors(NamedTuple):
    """The errors of predictions of one tracker, as a function of moments.

    Attributes:
        seconds: (N,) when they were found.
        features: (N, n) the poses then.
        shares: (N, 6) what each moment adds to errors that are like its own.
        largest: Length of the largest error and of its largest turn, metres and radians.
    """

    seconds: np.ndarray
    features: np.ndarray
    shares: np.ndarray
    largest: tuple[float, float]

    @classmethod
    def learn(cls, moments: _Moments, predicted: Poses, true: Poses, noise: np.ndarray) -> _Errors:
        """Learn from predictions, (N, 3) and (N, 3, 3), what was true, and its variances (N,)."""
        inverse = transpose(moments.facing)
        steps = rotate(inverse, true[0] - predicted[0])
        turns = to_rotvec(inverse @ (true[1] @ transpose(predicted[1])) @ moments.facing)
        features = moments.add_own(predicted)
        alike = _compare(moments.seconds, features, moments.seconds, features)
        alike[np.diag_indices_from(alike)] += noise
        errors = np.concatenate([steps, turns], 1).astype(np.float64)
        largest = [float(np.linalg.norm(part, axis=-1).max()) for part in (steps, turns)]
        shares = np.linalg.solve(alike, errors)
        return cls(moments.seconds, features, shares, (largest[0], largest[1]))

    def correct(self, moments: _Moments, predicted: Poses) -> Poses:
        """Correct predictions, (N, 3) and (N, 3, 3), by no more than the largest error seen."""
        alike = _compare(moments.seconds, moments.add_own(predicted), self.seconds, self.features)
        errors = (alike @ self.shares).astype(np.float32)
        steps = shorten(errors[:, :3], self.largest[0])
        turns = from_rotvec(shorten(errors[:, 3:], self.largest[1]))
        rotations = moments.facing @ turns @ transpose(moments.facing) @ predicted[1]
        return predicted[0] + rotate(moments.facing, steps), rotations


def _compare(
    seconds: np.ndarray, features: np.ndarray, other_seconds: np.ndarray, others: np.ndarray
) -> np.ndarray:
    """Return how alike the errors at N moments and at M others are, (N, M)."""
    apart = np.abs(seconds[:, None] - other_seconds)
    squares = (features**2).sum(1)[:, None] + (others**2).sum(1) - 2.0 * features @ others.T
    near = np.sqrt(3.0) * apart / _SHORT_SECONDS
    return (
        _ALWAYS
        + _SHORT * (1.0 + near) * np.exp(-near)
        + _LONG * np.exp(-apart / _LONG_SECONDS)
        + _POSE * np.exp(-np.maximum(squares, 0.0) / (2.0 * _POSE_DISTANCE**2))
    )
