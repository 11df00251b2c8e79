# SPDX-License-Identifier: GPL-3.0-or-later
"""The numbers of a motion in the arrays of SMPL, checked and brought to one shape."""

from __future__ import annotations

import numpy as np
from pymotion.rotations import quat_np as quat

from ...geometry.rotations import transpose
from .spellings import Source

AGAIN = "download or export it again"

_WHOLE_JOINTS = (22, 24, 52, 55)
"""Joints of the body alone, SMPL, SMPL+H and SMPL-X."""
_PART_JOINTS = ((1,), (21, 23))
"""Joints of the root and of the rest of the body, without and with SMPL's two hand joints."""
_SLOWEST, _FASTEST = 1.0, 1e5
"""Frames a second."""
_LARGEST = 1e6
"""Radians or metres: larger numbers are damage, and would overflow."""
_MOST_FRAMES = 1_000_000


def check_numbers(arrays: dict[str, np.ndarray], name: str) -> np.ndarray:
    """Return one array of numbers of a sane size.

    Raises:
        ValueError: The array is anything else.
    """
    values = arrays[name]
    if values.dtype.kind not in "fiu" or not (np.abs(values) <= _LARGEST).all():
        raise ValueError(f"{name!r} holds values that are not finite numbers: {AGAIN}")
    return values


def read_pose_parts(arrays: dict[str, np.ndarray], source: Source) -> list[np.ndarray]:
    """Return poses (F, J, 3) as rotation vectors or (F, J, 3, 3) as matrices, one array a part.

    Raises:
        ValueError: An array has another shape, or the parts do not go together.
    """
    joints = _PART_JOINTS if len(source.poses) == 2 else (_WHOLE_JOINTS,)
    parts = []
    for name, counts in zip(source.poses, joints, strict=True):
        values = check_numbers(arrays, name)
        shape = next((shape for count in counts for shape in _pose_shapes(values, count)), None)
        if shape is None:
            raise ValueError(
                f"{name!r} of {values.shape} holds no poses of SMPL, SMPL+H or SMPL-X: save"
                " rotation vectors (frames, joints, 3) or matrices (frames, joints, 3, 3)"
            )
        parts.append(values.reshape(shape))
    if len({len(part) for part in parts}) != 1:
        raise ValueError(f"{' and '.join(source.poses)} do not go together: {AGAIN}")
    return parts


def _pose_shapes(values: np.ndarray, joints: int) -> list[tuple[int, ...]]:
    """Return the shape that poses of so many joints are given in, if this array can be that."""
    vectors, matrices = (joints, 3), (joints, 3, 3)
    for shape in (vectors, matrices):
        flat = (int(np.prod(shape)),)
        squeezed = shape[1:] if joints == 1 else flat
        if values.shape[1:] in (shape, flat, squeezed):
            return [(len(values), *shape)]
    return []


def to_matrices(part: np.ndarray) -> np.ndarray:
    """Convert rotation vectors (F, J, 3) to matrices (F, J, 3, 3), and check matrices.

    Raises:
        ValueError: Matrices are not rotations.
    """
    if part.ndim == 3:
        return quat.to_matrix(quat.from_scaled_angle_axis(part.astype(np.float64)))
    matrices = part.astype(np.float64)
    errors = np.abs(matrices @ transpose(matrices) - np.eye(3)).max(initial=0.0)
    if errors > 0.05 or (np.linalg.det(matrices) < 0.0).any():
        raise ValueError(f"poses hold matrices that are not rotations: {AGAIN}")
    return matrices


def read_translation(arrays: dict[str, np.ndarray], source: Source, frames: int) -> np.ndarray:
    """Return the translation (F, 3).

    Raises:
        ValueError: The array does not fit the poses.
    """
    values = check_numbers(arrays, source.translation)
    if values.shape == (frames, 1, 3):
        values = values[:, 0]
    if frames == 0 or values.shape != (frames, 3):
        raise ValueError(
            f"{frames} poses do not go with {source.translation} of {values.shape}: {AGAIN}"
        )
    if frames > _MOST_FRAMES:
        raise ValueError(f"{frames} frames, of {_MOST_FRAMES} at most: cut the motion in two")
    if not source.scaling:
        return values.astype(np.float64)
    scaling = check_numbers(arrays, source.scaling)
    if scaling.size != 1 or not scaling.item() > 0.0:
        raise ValueError(f"{source.scaling!r} is not a positive number: {AGAIN}")
    return values / float(scaling.item())


def read_frame_rate(arrays: dict[str, np.ndarray], source: Source) -> float:
    """Return frames a second.

    Raises:
        ValueError: The archive does not say.
    """
    if not source.rate and source.usual_rate:
        return source.usual_rate
    rate = arrays[source.rate] if source.rate else np.zeros(0)
    if rate.size != 1 or rate.dtype.kind not in "fiu" or not _SLOWEST <= rate.item() <= _FASTEST:
        raise ValueError(
            "no frame rate: add it, as in numpy.savez(NEW, **numpy.load(OLD), fps=30.0)"
        )
    return float(rate.item())
