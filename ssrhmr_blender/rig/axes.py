"""Blender's axes (Z up, facing -Y) and the core's (Y up, facing +Z); left is +X in both."""

from __future__ import annotations

import numpy as np

TO_CORE = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
"""Rotation that turns Blender's axes into the core's."""


def points_to_core(points: np.ndarray) -> np.ndarray:
    """Points (..., 3) of Blender in the core's axes."""
    return points @ TO_CORE.T


def points_from_core(points: np.ndarray) -> np.ndarray:
    """Points (..., 3) of the core in Blender's axes."""
    return points @ TO_CORE.astype(points.dtype)


def rotations_to_core(rotations: np.ndarray) -> np.ndarray:
    """Rotations (..., 3, 3) in Blender's axes -> the same rotations in the core's."""
    return TO_CORE @ rotations @ TO_CORE.T


def rotations_from_core(rotations: np.ndarray) -> np.ndarray:
    """Rotations (..., 3, 3) in the core's axes -> the same rotations in Blender's."""
    to_core = TO_CORE.astype(rotations.dtype)
    return to_core.T @ rotations @ to_core


def split_matrices(matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Take transforms apart.

    Args:
        matrices: (..., 4, 4) with any scale, mirrored or sheared.

    Returns:
        Places (..., 3), the rotations (..., 3, 3) nearest to them and the scale along each axis
        (..., 3). A mirrored transform is turned inside out first, as Blender does: its rotation
        is that of the negated matrix. Where a scale is zero the rotation is not a number.
    """
    linear = np.asarray(matrices, np.float64)[..., :3, :3]
    scale = np.linalg.norm(linear, axis=-2)
    with np.errstate(divide="ignore", invalid="ignore"):
        rotation = linear / scale[..., None, :]
    mirrored = np.linalg.det(rotation) < 0.0
    rotation[mirrored] *= -1.0
    gram = np.swapaxes(rotation, -1, -2) @ rotation
    skewed = np.abs(gram - np.eye(3)).max((-1, -2)) > 1e-5
    if skewed.any():
        left, _, right = np.linalg.svd(rotation[skewed])
        rotation[skewed] = left @ right
    return np.asarray(matrices, np.float64)[..., :3, 3], rotation, scale
