# SPDX-License-Identifier: GPL-3.0-or-later
"""The path of a body on the floor and the direction that it faces, as roots of game characters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pymotion.rotations import quat_np as quat

from ..geometry.rotations import heading, rotation_about
from .motion import Motion

_UP = 1
_REACH = 4.0
"""Standard deviations up to which the filter reaches."""


@dataclass(frozen=True, eq=False)
class RootPath:
    """Where a root is, and where it faces.

    Attributes:
        positions: (F, 3) positions on the floor, which is at height 0.
        headings: (F,) radians about the vertical axis, without jumps.
    """

    positions: np.ndarray
    headings: np.ndarray

    @property
    def rotations(self) -> np.ndarray:
        """The headings as rotations (F, 3, 3)."""
        return np.asarray(rotation_about(_UP, self.headings))


def find_root_path(
    positions: np.ndarray, rotations: np.ndarray, rate: float, smoothing: float
) -> RootPath:
    """Project hips to the floor and smooth their path with a Gaussian filter, without delay.

    Args:
        positions: (F, 3) positions of the hips, Y up.
        rotations: (F, 3, 3) rotations of the hips since they faced ahead.
        rate: Frames per second.
        smoothing: Standard deviation of the filter in seconds; 0 leaves the path as it is.
    """
    floor = np.asarray(positions, np.float64) * (1.0, 0.0, 1.0)
    facing = heading(np.asarray(rotations, np.float64))
    angles = np.unwrap(np.arctan2(facing[:, 0, 2], facing[:, 2, 2]))
    path = np.concatenate([floor, angles[:, None]], 1)
    path = _smooth(path, smoothing * rate)
    return RootPath(path[:, :3], path[:, 3])


def move_in_place(motion: Motion, path: RootPath, turns: bool) -> Motion:
    """Take the path out of a motion: the body stays where it is at the first frame.

    Args:
        motion: The motion.
        path: Its path.
        turns: Whether to take out the headings too.
    """
    offsets = motion.root.astype(np.float64) - path.positions
    rotations = motion.rotations
    if turns:
        angles = path.headings[0] - path.headings
        back = np.asarray(rotation_about(_UP, angles))
        offsets = (back @ offsets[..., None])[..., 0]
        unit = np.zeros((len(angles), 1, 4))
        unit[:, 0, 0], unit[:, 0, 1 + _UP] = np.cos(0.5 * angles), np.sin(0.5 * angles)
        rotations = quat.mul(np.broadcast_to(unit, rotations.shape), rotations.astype(np.float64))
    root = (path.positions[0] + offsets).astype(np.float32)
    return Motion(motion.skeleton, motion.times, rotations.astype(np.float32), root)


def _smooth(values: np.ndarray, deviation: float) -> np.ndarray:
    """Filter values (F, n) with a Gaussian; past the ends they go on as they came, mirrored."""
    if deviation <= 0.0 or len(values) < 2:
        return values
    reach = int(np.ceil(_REACH * deviation))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    weights /= weights.sum()
    padded = np.pad(values, ((reach, reach), (0, 0)), mode="reflect", reflect_type="odd")
    return np.stack([np.convolve(column, weights, "valid") for column in padded.T], -1)
