# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames of a take that a fit looks at, and the mounts that it begins with."""

from __future__ import annotations

import numpy as np

from ...geometry.rotations import from_quat, rotate, transpose
from ..calibration import Calibration
from ..take import Take
from .evidence import TrackerMounts

_BURST = 20
"""Number of frames in a row that are taken from long takes: changes from frame to frame tell much,
so bursts spread over the take are worth more than single frames."""


def sample_frames(take: Take, rate: float, most: int) -> tuple[Take, np.ndarray]:
    """Choose frames with all trackers.

    Args:
        take: Raw trackers.
        rate: Frames per second that are looked at.
        most: The largest number of frames.

    Returns:
        The frames (F), at least one, and (F - 1,) bools, True where a frame is one step after the
        one before.
    """
    clock = take.resampled(rate)
    numbers = np.arange(len(clock))
    if len(numbers) > most:
        bursts = most // _BURST
        begins = np.linspace(0, len(numbers) - _BURST, bursts).round().astype(int)
        numbers = np.unique(begins[:, None] + np.arange(_BURST))
    numbers = numbers[clock.valid[numbers].all(-1)]
    if not len(numbers):
        numbers = np.zeros(1, int)
    return clock.part(numbers), np.diff(numbers) == 1


def to_tracker_mounts(calibration: Calibration) -> TrackerMounts:
    """Return how trackers sit as seen from the joints."""
    rotations = transpose(from_quat(calibration.mount_rotations.astype(np.float64)))
    return TrackerMounts(-rotate(rotations, calibration.mount_offsets), rotations)
