# SPDX-License-Identifier: GPL-3.0-or-later
"""Find moments at which a tracker slips on its limb, or the whole tracking space is bumped.

Bodies move smoothly within a few hundredths of a second; mounts that give way do not. A curve is
fitted through the frames just before and after each moment, with a step between them. A step that
is large, many times larger than the misfit of the curve, and alone for some time is a slip. Slides
that take longer than about a twentieth of a second look like movement and are not found.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..body.interpolation import MODEL_RATE
from ..body.skeleton import TRACKERS
from .take import Take

_LEAST_STEP = 0.015
"""Metres that a tracker slips at least."""
_NOISE = 0.0005
"""Metres that are always added to the misfit of a curve."""
_ISOLATION, _NEIGHBOURHOOD = 0.3, 1.0
"""Largest other step within some seconds, as a share of a slip: quick movements come in a row."""
_LEAST_AROUND = 0.5
"""Seconds that must be seen before and after a slip to tell that it stands alone."""
_TOGETHER, _FEWEST_TOGETHER = 0.1, 4
"""Seconds within which so many trackers slip if the whole tracking space was bumped."""
_LEAST_RATE = 45.0
"""Frames per second below which steps cannot be told from movement."""
_DEGREE = 3


class StepFilter(NamedTuple):
    """How a step is looked for.

    Attributes:
        frames: Number of frames before and after it.
        gap: Number of frames between them that are left out, in which the tracker slips.
        ratio: How many times larger than the misfit a slip is.
    """

    frames: int
    gap: int
    ratio: float = 14.0

    @property
    def length(self) -> int:
        """Number of frames of a window."""
        return 2 * self.frames + self.gap

    @property
    def used(self) -> np.ndarray:
        """Numbers of the frames of a window (U) that are not left out."""
        return np.r_[0 : self.frames, self.frames + self.gap : self.length]

    def design(self) -> np.ndarray:
        """Return the columns (U, 5) of a curve, and of the step in its middle."""
        offsets = self.used - 0.5 * (self.length - 1)
        curve = np.vander(offsets / self.frames, _DEGREE + 1, increasing=True)
        return np.concatenate([curve, np.sign(offsets)[:, None] * 0.5], 1)


_FILTERS = (StepFilter(5, 1), StepFilter(6, 3))
"""How steps are looked for: at once, and within a twentieth of a second."""


class Slip(NamedTuple):
    """A moment at which the mount of a tracker changed.

    Attributes:
        tracker: Name of the tracker; "" if all of them moved at once, as when a base station is
            bumped.
        time: Seconds, as the take has them.
        distance: How far it slipped, metres.
    """

    tracker: str
    time: float
    distance: float


def find_slips(take: Take) -> tuple[Slip, ...]:
    """Find sudden slips in a take.

    Args:
        take: Raw trackers at 45 frames per second or more; slower takes show no slips.

    Returns:
        The slips in the order of their times.
    """
    rate = (len(take) - 1) / max(float(take.times[-1] - take.times[0]), 1e-9)
    if rate < _LEAST_RATE:
        return ()
    even = take.resampled(MODEL_RATE)
    slips: list[Slip] = []
    for own in _FILTERS:
        slips += _find_steps(even, own)
    return tuple(_merge(sorted(slips, key=lambda slip: slip.time)))


def name_seconds(seconds: float) -> str:
    """Return a time as users read it."""
    return f"{seconds:.1f} s"


def describe_slips(
    slips: tuple[Slip, ...], name_time: Callable[[float], str] = name_seconds
) -> tuple[str, ...]:
    """Return a warning for each slip, in plain words.

    Args:
        slips: The slips.
        name_time: Function that names a time in seconds of the take.
    """
    return tuple(
        f"{slip.tracker or 'the whole tracking space'} slipped by {100.0 * slip.distance:.0f} cm"
        f" at {name_time(slip.time)}: calibrate the part after it on its own, or record again"
        for slip in slips
    )


def fit_step(values: np.ndarray, own: StepFilter) -> tuple[np.ndarray, float]:
    """Fit a step in the middle of a window of a smooth path.

    Args:
        values: (length, 3) path.
        own: The window.

    Returns:
        The step (3,), and the root mean square of what is left.
    """
    design, used = own.design(), values[own.used].astype(np.float64)
    fitted = np.linalg.pinv(design) @ used
    return fitted[-1], float(np.sqrt(((used - design @ fitted) ** 2).mean()))


def _find_steps(take: Take, own: StepFilter) -> list[Slip]:
    """Return the slips of all trackers that one filter finds."""
    length, used = own.length, own.used
    if len(take) < length:
        return []
    design = own.design()
    solve = np.linalg.pinv(design)
    misfit = np.eye(len(used)) - design @ solve
    windows = np.lib.stride_tricks.sliding_window_view(
        take.positions.astype(np.float64), length, axis=0
    )[..., used]
    valid = np.lib.stride_tricks.sliding_window_view(take.valid, length, axis=0).all(-1)
    steps = np.linalg.norm(windows @ solve[-1], axis=-1)
    squares = ((windows @ misfit.T) ** 2).sum((-1, -2)) / (3 * (len(used) - design.shape[1]))
    spreads = np.sqrt(squares) * np.linalg.norm(solve[-1]) + _NOISE
    ratios = np.where(valid, steps / spreads, 0.0)
    return [
        Slip(
            TRACKERS[tracker],
            float(take.times[first + length // 2]),
            float(steps[first, tracker]),
        )
        for tracker in range(len(TRACKERS))
        for first in _find_peaks(ratios[:, tracker], steps[:, tracker], own)
    ]


def _find_peaks(ratios: np.ndarray, steps: np.ndarray, own: StepFilter) -> list[int]:
    """Return the windows (F) whose step is large and stands alone."""
    width = own.frames + own.gap
    around = round(_NEIGHBOURHOOD * MODEL_RATE)
    least = round(_LEAST_AROUND * MODEL_RATE)
    peaks = []
    for at in np.flatnonzero((ratios > own.ratio) & (steps > _LEAST_STEP)).tolist():
        near = ratios[max(at - width, 0) : at + width + 1]
        before = ratios[max(at - around, 0) : max(at - width, 0)]
        after = ratios[at + width + 1 : at + around + 1]
        others = max(before.max(initial=0.0), after.max(initial=0.0))
        seen = min(at, len(ratios) - 1 - at) >= least
        if seen and ratios[at] == near.max() and others < _ISOLATION * ratios[at]:
            peaks.append(at)
    return peaks


def _merge(slips: list[Slip]) -> list[Slip]:
    """Count what several filters find once, and slips of most trackers at once as one."""
    merged: list[Slip] = []
    while slips:
        first = slips[0].time
        group = [slip for slip in slips if slip.time - first <= _TOGETHER]
        slips = slips[len(group) :]
        trackers = {slip.tracker: slip for slip in sorted(group, key=lambda slip: slip.distance)}
        if len(trackers) >= _FEWEST_TOGETHER:
            distance = float(np.median([slip.distance for slip in trackers.values()]))
            merged.append(Slip("", first, distance))
        else:
            merged.extend(trackers.values())
    return merged
