# SPDX-License-Identifier: GPL-3.0-or-later
"""The model's 60 Hz clock, and interpolation over time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..geometry.rotations import slerp

MODEL_RATE = 60.0
"""Clock of the model, frames a second."""
_SLICE = 4096
"""Frames of the matrices of a body that take a few megabytes."""


def regular_times(times: np.ndarray, rate: float) -> np.ndarray:
    """Return the times of an even clock over a span of time.

    Args:
        times: (F,) rising times in seconds; only the first and the last count.
        rate: Frames a second of the even clock.

    Returns:
        (G,) times, the first one that of ``times``.
    """
    span = float(times[-1] - times[0])
    return times[0] + np.arange(int(np.floor(span * rate + 1e-3)) + 1) / rate


def slices(frames: int) -> Iterator[slice]:
    """Yield the slices in which to compute on the frames of long takes within bounds of memory."""
    for begin in range(0, frames, _SLICE):
        yield slice(begin, min(begin + _SLICE, frames))


def find_runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """Return the first and one past the last index of each run of True in (F,) bools."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _neighbours(
    times: np.ndarray, new_times: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the frames before and after each new time, and the share of the later one."""
    if len(times) == 1:
        zeros = np.zeros(len(new_times), int)
        return zeros, zeros, np.zeros(len(new_times))
    before = np.clip(np.searchsorted(times, new_times, side="right") - 1, 0, len(times) - 2)
    share = (new_times - times[before]) / (times[before + 1] - times[before])
    return before, before + 1, np.clip(share, 0.0, 1.0)


def interpolate(times: np.ndarray, values: np.ndarray, new_times: np.ndarray) -> np.ndarray:
    """Interpolate values linearly over time; beyond both ends they are held.

    Args:
        times: (F,) rising times of the values, seconds.
        values: (F, ...) values.
        new_times: (G,) times in any order, seconds.

    Returns:
        (G, ...) float32 values.
    """
    before, after, share = _neighbours(times, new_times)
    share = share.reshape(-1, *[1] * (values.ndim - 1))
    return (values[before] * (1.0 - share) + values[after] * share).astype(np.float32)


def interpolate_rotations(
    times: np.ndarray, rotations: np.ndarray, new_times: np.ndarray
) -> np.ndarray:
    """Interpolate quaternions along the shortest arc over time; beyond both ends they are held.

    Args:
        times: (F,) rising times of the quaternions, seconds.
        rotations: (F, ..., 4) unit quaternions of any signs.
        new_times: (G,) times in any order, seconds.

    Returns:
        (G, ..., 4) float32 unit quaternions.
    """
    before, after, share = _neighbours(times, new_times)
    share = share.reshape(-1, *[1] * (rotations.ndim - 1))
    if not share.any():
        return rotations[before].astype(np.float32)
    result = np.empty((len(new_times), *rotations.shape[1:]), np.float32)
    for part in slices(len(new_times)):
        result[part] = slerp(rotations[before[part]], rotations[after[part]], share[part])
    return result
