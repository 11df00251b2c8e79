# SPDX-License-Identifier: GPL-3.0-or-later
"""The model's 60 Hz clock, and interpolation over time."""

from __future__ import annotations

import numpy as np
from pymotion.rotations import quat_np as quat

MODEL_RATE = 60.0
"""Clock of the model, frames a second."""


def regular_times(times: np.ndarray, rate: float) -> np.ndarray:
    """Times of an even clock of ``rate`` frames a second over the span of ``times``, seconds."""
    span = float(times[-1] - times[0])
    return times[0] + np.arange(int(np.floor(span * rate + 1e-3)) + 1) / rate


def runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """First and one past the last index of each run of True in (F,) bools."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _neighbours(known: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Index of the frame at or before each wanted time, of the next one, and the share of it."""
    if len(known) == 1:
        zeros = np.zeros(len(wanted), int)
        return zeros, zeros, np.zeros(len(wanted))
    before = np.clip(np.searchsorted(known, wanted, side="right") - 1, 0, len(known) - 2)
    share = (wanted - known[before]) / (known[before + 1] - known[before])
    return before, before + 1, np.clip(share, 0.0, 1.0)


def interpolate(known: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Linear interpolation over time: values (F, ...) at ``known`` -> (G, ...) at ``wanted``."""
    before, after, share = _neighbours(known, wanted)
    share = share.reshape(-1, *[1] * (values.ndim - 1))
    return (values[before] * (1.0 - share) + values[after] * share).astype(np.float32)


def interpolate_rotations(
    known: np.ndarray, quaternions: np.ndarray, wanted: np.ndarray
) -> np.ndarray:
    """Shortest-arc interpolation over time: (F, ..., 4) at ``known`` -> (G, ..., 4)."""
    before, after, share = _neighbours(known, wanted)
    share = share.reshape(-1, *[1] * (quaternions.ndim - 1))
    if not share.any():
        return quaternions[before].astype(np.float32)
    # In double precision: the arc cosine of nearly equal quaternions is noise in single.
    a, b = quaternions[before].astype(np.float64), quaternions[after].astype(np.float64)
    return quat.normalize(quat.slerp(a, b, share, shortest=True)).astype(np.float32)
