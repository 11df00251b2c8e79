# SPDX-License-Identifier: GPL-3.0-or-later
"""Normal equations of many poses and of what all of them share, and their solution.

Poses couple to their neighbours only, so that their part is block-tridiagonal; what is shared
remains as a small dense system (a Schur complement).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..geometry.rotations import rotate, transpose
from .pose_model import DEGREES
from .pose_priors import REDUCED_NAMES, SHARE_OF_SPINE

POSE_UNKNOWNS = 3 + DEGREES
"""Number of unknowns of a pose: the root's position and the degrees of freedom."""
REDUCED_UNKNOWNS = 3 + len(REDUCED_NAMES)
"""The same if the joints of the spine turn alike."""
REDUCTION = np.zeros((POSE_UNKNOWNS, REDUCED_UNKNOWNS))
REDUCTION[:3, :3] = np.eye(3)
REDUCTION[3:, 3:] = SHARE_OF_SPINE
"""Matrix that brings reduced unknowns to all unknowns of a pose."""
_DIAGONAL = np.arange(3, POSE_UNKNOWNS)


class NormalEquations:
    """Normal equations of the poses (F blocks of n) and of what all frames share (G).

    Attributes:
        poses: (F, n, n) blocks of the poses.
        coupling: (F, n, G) between poses and what is shared.
        shared: (G, G) block of what is shared.
        pose_right: (F, n) right-hand sides.
        shared_right: (G,) right-hand side.
    """

    def __init__(self, frames: int, unknowns: int) -> None:
        self.poses = np.zeros((frames, POSE_UNKNOWNS, POSE_UNKNOWNS))
        self.coupling = np.zeros((frames, POSE_UNKNOWNS, unknowns))
        self.shared = np.zeros((unknowns, unknowns))
        self.pose_right = np.zeros((frames, POSE_UNKNOWNS))
        self.shared_right = np.zeros(unknowns)

    def add(self, residuals: np.ndarray, by_pose: np.ndarray, by_shared: np.ndarray) -> None:
        """Add residuals in units of their spreads.

        Args:
            residuals: (F, r) measured less modelled.
            by_pose: (F, r, n) derivatives of the modelled values.
            by_shared: (F, r, G) derivatives of the modelled values.
        """
        transposed = transpose(by_pose)
        self.poses += transposed @ by_pose
        self.coupling += transposed @ by_shared
        self.pose_right += rotate(transposed, residuals)
        flat = by_shared.reshape(-1, by_shared.shape[-1])
        self.shared += flat.T @ flat
        self.shared_right += flat.T @ residuals.ravel()

    def add_diagonal(self, errors: np.ndarray, precisions: np.ndarray) -> None:
        """Pull each angle (F, D) by its error, measured less modelled, with a precision."""
        self.poses[:, _DIAGONAL, _DIAGONAL] += precisions
        self.pose_right[:, 3:] += precisions * errors

    def pull_shared(self, index: slice | int, errors: np.ndarray | float, spread: object) -> None:
        """Pull shared unknowns by their errors, with a spread."""
        precision = 1.0 / np.square(np.asarray(spread, np.float64))
        rows = np.atleast_1d(np.arange(len(self.shared))[index])
        self.shared[rows, rows] += precision
        self.shared_right[rows] += precision * np.asarray(errors)

    def reduce(self) -> None:
        """Let the three joints of the spine turn alike."""
        self.poses = REDUCTION.T @ self.poses @ REDUCTION
        self.coupling = REDUCTION.T @ self.coupling
        self.pose_right = self.pose_right @ REDUCTION


class Solution(NamedTuple):
    """A Gauss-Newton step: (F, n) of the poses, (G,) shared, (G, G) covariance of the latter."""

    poses: np.ndarray
    shared: np.ndarray
    covariance: np.ndarray


def solve_equations(equations: NormalEquations, weights: np.ndarray) -> Solution:
    """Solve by elimination from frame to frame, then for what the frames share.

    Args:
        equations: The normal equations.
        weights: (F - 1, R) couplings between degrees of freedom of neighbouring frames.
    """
    right = np.concatenate([equations.pose_right[..., None], equations.coupling], -1)
    couplings = np.zeros((len(weights), REDUCED_UNKNOWNS))
    couplings[:, 3:] = -weights
    blocks, sides = equations.poses.copy(), right.copy()
    for frame, coupling in enumerate(couplings, 1):
        factor = coupling[:, None] * np.linalg.inv(blocks[frame - 1])
        blocks[frame] -= factor * coupling
        sides[frame] -= factor @ sides[frame - 1]
    solved = np.empty_like(sides)
    solved[-1] = np.linalg.solve(blocks[-1], sides[-1])
    for frame in range(len(blocks) - 2, -1, -1):
        known = sides[frame] - couplings[frame][:, None] * solved[frame + 1]
        solved[frame] = np.linalg.solve(blocks[frame], known)
    by_pose, by_shared = solved[..., 0], solved[..., 1:]
    flat = equations.coupling.reshape(-1, len(equations.shared))
    complement = equations.shared - flat.T @ by_shared.reshape(flat.shape)
    shared = np.linalg.solve(complement, equations.shared_right - flat.T @ by_pose.ravel())
    return Solution(by_pose - by_shared @ shared, shared, np.linalg.inv(complement))
