"""A clip: one body moving."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pymotion.ops import skeleton_np
from pymotion.rotations import quat_np as quat

from .skeleton import PARENTS, Skeleton, forward_kinematics

MODEL_RATE = 60.0
"""Clock of the model, frames a second."""


@dataclass(frozen=True, eq=False)
class Motion:
    """A body's motion in the core's conventions (metres, Y up, see :mod:`ssrhmr_core.skeleton`).

    Attributes:
        skeleton: proportions of the body.
        times: (F,) float64, seconds, rising.
        rotations: (F, 22, 4) float32 quaternions w, x, y, z: global, from the canonical T-pose.
        root: (F, 3) float32, position of the hips, metres.
    """

    skeleton: Skeleton
    times: np.ndarray
    rotations: np.ndarray
    root: np.ndarray

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.times)

    @property
    def rate(self) -> float:
        """Mean frames a second; the model's rate for a single frame."""
        if len(self.times) < 2:
            return MODEL_RATE
        return (len(self.times) - 1) / float(self.times[-1] - self.times[0])

    def matrices(self) -> np.ndarray:
        """Global rotations as (F, 22, 3, 3) float32 matrices."""
        return quat.to_matrix(self.rotations).astype(np.float32)

    def positions(self) -> np.ndarray:
        """Joint positions (F, 22, 3) float32, metres."""
        return forward_kinematics(self.matrices(), self.root, self.skeleton.offsets)

    def local_rotations(self) -> np.ndarray:
        """Quaternions (F, 22, 4) relative to each joint's parent; the root's stay global."""
        return skeleton_np.from_global_rotations(self.rotations, np.maximum(PARENTS, 0))

    def at(self, times: np.ndarray) -> Motion:
        """Return the motion at other times (G,) in seconds; the ends are held.

        Positions are interpolated linearly, rotations along the shortest arc.
        """
        times = np.asarray(times, np.float64)
        if len(times) == len(self.times) and np.allclose(times, self.times, rtol=0.0, atol=1e-6):
            return Motion(self.skeleton, times, self.rotations, self.root)
        return Motion(
            self.skeleton,
            times,
            interpolate_rotations(self.times, self.rotations, times),
            interpolate(self.times, self.root, times),
        )

    def resampled(self, rate: float = MODEL_RATE) -> Motion:
        """Return the motion on an even clock of ``rate`` frames a second from its first frame."""
        return self.at(even_times(self.times, rate))


def even_times(times: np.ndarray, rate: float) -> np.ndarray:
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
