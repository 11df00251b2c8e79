# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure how a tracker sits after a slip, and take the slip back.

The curve that finds a slip (:mod:`ssrhmr_core.tracking.slips`) also measures it: the tracker's step
against the smooth path of the limb is how far its mount moved, to a fraction of the slip. All
readings after it are moved and turned back as if the strap had held.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from pymotion.rotations import quat_np as quat

from ..body.interpolation import MODEL_RATE
from ..body.skeleton import TRACKERS
from ..geometry.rotations import from_quat, rotate, to_rotvec, transpose
from .slips import Slip, StepFilter, fit_step
from .take import Take

_BLEND = 0.03
"""Seconds before and after the moment of a slip over which it is taken back: slips that are found
take no longer than a twentieth of a second."""
_MEASURED = (StepFilter(6, 3), StepFilter(9, 3))
"""The curves that measure a step: those that leave out all of a slip."""
_LATE = (-2, -1, 0, 1, 2)
"""Frames by which the moment of a slip may be off: the one with the least misfit counts."""
_AGREEMENT = 0.3
"""Largest difference between the steps that several curves measure, as a share of the slip. Quick
movements look like different steps to curves of different lengths."""
_LARGEST_TURN = np.radians(30.0)
"""Turn beyond which it was no strap that slid on a limb."""


@dataclass(frozen=True, eq=False)
class SlipCorrection:
    """What takes a slip back.

    Attributes:
        slip: The slip.
        offset: (3,) move of the tracker in its own axes after the slip, metres.
        rotvec: (3,) its turn about these axes, radians.
    """

    slip: Slip
    offset: np.ndarray
    rotvec: np.ndarray

    @property
    def tracker(self) -> int:
        """Index of the tracker among the six."""
        return TRACKERS.index(self.slip.tracker)


def measure_slip(take: Take, slip: Slip) -> SlipCorrection | None:
    """Measure how the mount of a tracker changed in a slip.

    Args:
        take: The raw trackers in which the slip was found.
        slip: The slip.

    Returns:
        What takes it back; None if all trackers slipped, or if it does not look like a step.
    """
    if not slip.tracker:
        return None
    tracker = TRACKERS.index(slip.tracker)
    even = take.resampled(MODEL_RATE)
    middle = int(np.abs(even.times - slip.time).argmin())
    steps = []
    for own in _MEASURED:
        windows = [_window(even, tracker, middle + late, own) for late in _LATE]
        seen = [window for window in windows if window is not None]
        if len(seen) < len(_LATE):
            return None
        steps.append(min(seen, key=lambda window: window.misfit).step)
    offsets, turns = np.array(steps)[:, :3], np.array(steps)[:, 3:]
    length = np.linalg.norm(offsets.mean(0))
    if np.linalg.norm(np.ptp(offsets, axis=0)) > _AGREEMENT * length:
        return None
    turn = turns.mean(0)
    if np.linalg.norm(turn) > _LARGEST_TURN:
        return None
    return SlipCorrection(slip, -offsets.mean(0), -turn)


class _Measured(NamedTuple):
    """A step (6,) in a tracker's own axes after it, metres and radians, and its misfit."""

    step: np.ndarray
    misfit: float


def _window(take: Take, tracker: int, middle: int, own: StepFilter) -> _Measured | None:
    """Fit a step at a frame of an even take; return None if not all of the window is seen."""
    first = middle - own.length // 2
    rows = slice(first, first + own.length)
    if first < 0 or rows.stop > len(take) or not take.valid[rows, tracker].all():
        return None
    rotations = from_quat(take.rotations[rows, tracker].astype(np.float64))
    # Turns are measured against the first reading after the slip.
    after = rotations[own.frames + own.gap]
    moves, misfit = fit_step(take.positions[rows, tracker], own)
    turns, _ = fit_step(to_rotvec(transpose(after) @ rotations), own)
    return _Measured(np.concatenate([transpose(after) @ moves, turns]), misfit)


def take_back(take: Take, corrections: Sequence[SlipCorrection]) -> Take:
    """Return a take as if its trackers had not slipped.

    Args:
        take: Raw trackers.
        corrections: What takes the slips back, in the order of their times, with offsets in the
            units of the take.
    """
    if not corrections:
        return take
    positions, rotations = take.positions.copy(), take.rotations.copy()
    for own in corrections:
        share = np.clip((take.times - own.slip.time) / (2.0 * _BLEND) + 0.5, 0.0, 1.0)
        share = share * share * (3.0 - 2.0 * share)
        tracker = own.tracker
        # Where there is no rotation, nothing tells the tracker's axes.
        rows = np.flatnonzero(take.has_rotation[:, tracker] & (share > 0.0))
        part = share[rows, None]
        before = quat.normalize(rotations[rows, tracker].astype(np.float64))
        turned = quat.mul(before, quat.from_scaled_angle_axis(part * own.rotvec))
        positions[rows, tracker] += rotate(from_quat(before), part * own.offset).astype("f4")
        rotations[rows, tracker] = turned.astype(np.float32)
    return replace(take, positions=positions, rotations=rotations)
