# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's axes and the core's.

Blender: Z up, a character faces -Y. Core: Y up, a character faces +Z. Left is +X in both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import bpy
    import numpy as np
    from mathutils import Matrix


def core_axes() -> np.ndarray:
    """Return the rotation (3, 3) from Blender's world axes to the core's."""
    import numpy as np

    return np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])


def flatten_matrix(matrix: Matrix) -> list[float]:
    """Return the rows of a 4x4 matrix in one list, much faster than NumPy converts it."""
    return [*matrix[0][:], *matrix[1][:], *matrix[2][:], *matrix[3][:]]


def split_transforms(matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Split transforms into positions, rotations and scales.

    Args:
        matrices: Transforms (..., 4, 4) without shear.

    Returns:
        Positions (..., 3), rotations (..., 3, 3) and scales (..., 3). A mirrored axis gives a
        negative first scale.
    """
    import numpy as np

    basis = matrices[..., :3, :3]
    scales = np.linalg.norm(basis, axis=-2)
    flipped = np.linalg.det(basis) < 0.0
    scales[..., 0] = np.where(flipped, -scales[..., 0], scales[..., 0])
    with np.errstate(divide="ignore", invalid="ignore"):
        rotations = basis / scales[..., None, :]
    return matrices[..., :3, 3], rotations, scales


def metre(scene: bpy.types.Scene) -> float:
    """Return the length of a metre in scene units."""
    return 1.0 / scene.unit_settings.scale_length
