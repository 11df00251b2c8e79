# SPDX-License-Identifier: GPL-3.0-or-later
"""The motion of one body."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pymotion.ops import skeleton_np
from pymotion.rotations import quat_np as quat

from .interpolation import MODEL_RATE, interpolate, interpolate_rotations, regular_times, slices
from .skeleton import PARENTS, Skeleton, forward_kinematics


@dataclass(frozen=True, eq=False)
class Motion:
    """The motion of a body, in metres, Y up; see :mod:`ssrhmr_core.body.skeleton`.

    Attributes:
        skeleton: The proportions of the body.
        times: (F,) float64 rising times, seconds.
        rotations: (F, 22, 4) float32 quaternions w, x, y, z: global, from the canonical T-pose.
        root: (F, 3) float32 positions of the hips, metres.
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
        """The mean number of frames a second; the model's rate for a single frame."""
        if len(self.times) < 2:
            return MODEL_RATE
        return (len(self.times) - 1) / float(self.times[-1] - self.times[0])

    def part(self, rows: np.ndarray | slice) -> Motion:
        """Return some frames, by their indices or as a slice."""
        return Motion(self.skeleton, self.times[rows], self.rotations[rows], self.root[rows])

    def matrices(self, joint: int | None = None) -> np.ndarray:
        """Return the global rotations as float32 matrices.

        Args:
            joint: The joint whose matrices (F, 3, 3) are wanted; (F, 22, 3, 3) of all by default.
        """
        rotations = self.rotations if joint is None else self.rotations[:, joint]
        return quat.to_matrix(rotations).astype(np.float32)

    def positions(self) -> np.ndarray:
        """Return the joint positions (F, 22, 3) in float32, metres."""
        positions = np.empty((*self.rotations.shape[:2], 3), np.float32)
        # The matrices of an hour would take several times the memory of the positions.
        for part in slices(len(self)):
            matrices = quat.to_matrix(self.rotations[part]).astype(np.float32)
            positions[part] = forward_kinematics(matrices, self.root[part], self.skeleton.offsets)
        return positions

    def local_rotations(self) -> np.ndarray:
        """Return quaternions (F, 22, 4) relative to each joint's parent; the root's stay global."""
        return skeleton_np.from_global_rotations(self.rotations, np.maximum(PARENTS, 0))

    def at(self, times: np.ndarray) -> Motion:
        """Return the motion at other times (G,) in seconds.

        Positions are interpolated linearly, rotations along the shortest arc. Beyond both ends the
        motion stands still.
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
        return self.at(regular_times(self.times, rate))
