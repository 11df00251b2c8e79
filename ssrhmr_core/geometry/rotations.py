# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotations in batches: matrices, quaternions, rotation vectors, six numbers.

Training calls the network and the exact solve with tensors, everything else calls them with arrays.
Both are written once on top of these functions, which keeps the runtime equal to the trained model.
Functions on :data:`Array` take both libraries and are differentiable; those on ``numpy.ndarray``
serve the runtime alone. Quaternion products, Euler angles and files stay with upc-pymotion.

Matrices apply to column vectors, quaternions are w, x, y, z. In shapes ``...`` stands for any
leading axes, which broadcast as usual.
"""

from __future__ import annotations

import numpy as np
from pymotion.rotations import quat_np

from . import scalar
from .arrays import (
    EINSUM_SIZE,
    EPSILON,
    Array,
    clamp,
    constant,
    cross,
    cross_matrix,
    dot,
    namespace,
    norm,
    normalize,
    reject,
)

IDENTITY_MATRIX = np.eye(3, dtype=np.float32)
IDENTITY_6D = np.array([1.0, 0.0, 0.0, 0.0, 1.0, 0.0], np.float32)
"""The identity as :func:`to_6d` returns it."""
_FEW = 72
"""Number of elements up to which plain floats are faster than calls of NumPy."""
X_AXIS, Y_AXIS, Z_AXIS = 0, 1, 2
"""Axes of :func:`rotation_about`."""


def rotate(matrix: Array, vector: Array) -> Array:
    """Apply rotations to vectors: (..., 3, 3) x (..., 3) -> (..., 3)."""
    if isinstance(matrix, np.ndarray):
        if matrix.size > EINSUM_SIZE:
            return np.einsum("...ij,...j->...i", matrix, vector)
        return (matrix @ vector[..., None])[..., 0]
    return (matrix * vector[..., None, :]).sum(-1)


def transpose(matrix: Array) -> Array:
    """Swap the last two axes: the inverse of a rotation (..., 3, 3)."""
    return matrix.swapaxes(-1, -2)


def to_6d(matrix: Array) -> Array:
    """Return the first two columns of rotations: (..., 3, 3) -> (..., 6).

    Source: Zhou et al., "On the Continuity of Rotation Representations in Neural Networks",
    CVPR 2019.
    """
    return namespace(matrix).concatenate([matrix[..., :, 0], matrix[..., :, 1]], -1)


def axes_6d(matrix: Array) -> Array:
    """Return the first two columns of rotations as rows: (..., n, 3, 3) -> (..., 2 n, 3).

    They are the numbers of :func:`to_6d` in the same order, as vectors that a product can rotate.
    """
    axes = matrix[..., :2].swapaxes(-1, -2)
    return axes.reshape(*matrix.shape[:-3], 2 * matrix.shape[-3], 3)


def from_6d(six: Array) -> Array:
    """Return rotations by Gram-Schmidt: (..., 6) -> (..., 3, 3), the inverse of :func:`to_6d`."""
    if isinstance(six, np.ndarray) and six.size <= _FEW:
        numbers = [scalar.from_6d(row) for row in six.reshape(-1, 6).tolist()]
        return np.array(numbers, six.dtype).reshape(*six.shape[:-1], 3, 3)
    x, y = _orthonormalize(six)
    columns = [x[..., None], y[..., None], cross(x, y)[..., None]]
    return namespace(six).concatenate(columns, -1)


def orthonormalize(six: Array) -> Array:
    """Return the first two columns of what :func:`from_6d` makes: (..., 6) -> (..., 2, 3)."""
    if isinstance(six, np.ndarray) and six.size <= _FEW:
        rows = [scalar.orthonormalize(row) for row in six.reshape(-1, 6).tolist()]
        return np.array(rows, six.dtype).reshape(*six.shape[:-1], 2, 3)
    return namespace(six).stack(_orthonormalize(six), -2)


def _orthonormalize(six: Array) -> tuple[Array, Array]:
    x = normalize(six[..., :3])
    return x, normalize(reject(six[..., 3:], x))


def to_quat(matrix: np.ndarray) -> np.ndarray:
    """Return the unit quaternions (..., 4) of rotations (..., 3, 3).

    pymotion needs some forty operations on small arrays for this, which is more than a single frame
    can afford. Here one product gives all sixteen products of the quaternion's numbers; the row
    of the largest one is the quaternion but for its length.
    """
    products = matrix.reshape(-1, 9) @ _QUATERNION_PRODUCTS + _QUATERNION_UNIT
    largest = products[:, ::5].argmax(-1)
    largest += np.arange(0, 4 * len(products), 4)
    rows = products.reshape(-1, 4).take(largest, 0)
    return normalize(rows).reshape(*matrix.shape[:-2], 4)


def from_quat(unit: np.ndarray) -> np.ndarray:
    """Return the rotations (..., 3, 3) of unit quaternions (..., 4): the inverse of to_quat."""
    products = unit[..., :, None] * unit[..., None, :]
    return (products.reshape(-1, 16) @ _QUATERNION_PRODUCTS.T).reshape(*unit.shape[:-1], 3, 3)


def _quaternion_products() -> np.ndarray:
    """Return (9, 16): from a flat rotation to flat 4 q q^T less the unit matrix."""
    products = np.zeros((3, 3, 4, 4), np.float32)
    for x, (y, z) in enumerate(((1, 2), (2, 0), (0, 1))):
        products[x, x] = -np.eye(4)
        products[x, x, [0, x + 1], [0, x + 1]] = 1.0
        products[z, y, [0, x + 1], [x + 1, 0]] = 1.0
        products[y, z, [0, x + 1], [x + 1, 0]] = -1.0
        products[y, z, [y + 1, z + 1], [z + 1, y + 1]] = 1.0
        products[z, y, [y + 1, z + 1], [z + 1, y + 1]] = 1.0
    return products.reshape(9, 16)


_QUATERNION_PRODUCTS = _quaternion_products()
_QUATERNION_UNIT = np.eye(4, dtype=np.float32).ravel()


def slerp(start: np.ndarray, end: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Interpolate unit quaternions along the shortest arc.

    The arc cosine of nearly equal quaternions is noise in single precision, so the function
    computes in double precision.

    Args:
        start: (..., 4) quaternions at share 0.
        end: (..., 4) quaternions at share 1, of either sign.
        share: (..., 1) shares of the way from ``start`` to ``end``.

    Returns:
        (..., 4) float32 unit quaternions.
    """
    start, end = start.astype(np.float64), end.astype(np.float64)
    between = quat_np.slerp(start, end, share, shortest=True)
    return quat_np.normalize(between).astype(np.float32)


def from_rotvec(rotvec: Array) -> Array:
    """Return the rotations (..., 3, 3) of rotation vectors (..., 3), axis times angle in radians.

    This is Rodrigues' formula, or the same by way of quaternions for few of them.
    """
    if isinstance(rotvec, np.ndarray) and rotvec.size <= _FEW // 2:
        turns = [
            scalar.to_matrix(scalar.from_rotvec(row)) for row in rotvec.reshape(-1, 3).tolist()
        ]
        return np.array(turns, rotvec.dtype).reshape(*rotvec.shape[:-1], 3, 3)
    xp = namespace(rotvec)
    angle = norm(rotvec)[..., None]
    skew = cross_matrix(rotvec / angle[..., 0])
    change = xp.sin(angle) * skew + (1.0 - xp.cos(angle)) * (skew @ skew)
    return constant(IDENTITY_MATRIX, rotvec) + change


def to_rotvec(matrix: np.ndarray) -> np.ndarray:
    """Return rotation vectors (..., 3), at most half a turn long, of rotations (..., 3, 3)."""
    unit = to_quat(matrix)
    unit = np.where(unit[..., :1] < 0.0, -unit, unit)
    sine = np.linalg.norm(unit[..., 1:], axis=-1, keepdims=True)
    return 2.0 * np.arctan2(sine, unit[..., :1]) * unit[..., 1:] / np.maximum(sine, 1e-12)


def rotation_by_degrees(axis: int, degrees: np.ndarray | float) -> np.ndarray:
    """Return :func:`rotation_about` for angles in degrees, (...) or a single one."""
    rotations: np.ndarray = rotation_about(axis, np.radians(degrees))
    return rotations


def rotation_about(axis: int, angle: Array) -> Array:
    """Return rotations about a coordinate axis.

    Args:
        axis: One of :data:`X_AXIS`, :data:`Y_AXIS` and :data:`Z_AXIS`.
        angle: (...) angles or a single one, radians.

    Returns:
        (..., 3, 3) rotations.
    """
    if isinstance(angle, float):
        angle = np.float64(angle)
    xp = namespace(angle)
    return _rotation_about(axis, xp.cos(angle), xp.sin(angle))


def _rotation_about(axis: int, cosine: Array, sine: Array) -> Array:
    following, last = (axis + 1) % 3, (axis + 2) % 3
    if namespace(cosine) is np:
        matrix = np.zeros((*cosine.shape, 3, 3), cosine.dtype)
    else:
        matrix = cosine.new_zeros((*cosine.shape, 3, 3))
    matrix[..., axis, axis] = 1.0
    matrix[..., following, following] = matrix[..., last, last] = cosine
    matrix[..., last, following], matrix[..., following, last] = sine, -sine
    return matrix


def heading(matrix: Array) -> Array:
    """Return the rotations about Y (up) nearest to rotations: (..., 3, 3) -> (..., 3, 3).

    This is the twist of a rotation about Y, defined for all bodies but those upside down.
    """
    cosine = matrix[..., 0, 0] + matrix[..., 2, 2]
    sine = matrix[..., 0, 2] - matrix[..., 2, 0]
    length = namespace(matrix).sqrt(cosine * cosine + sine * sine + EPSILON**2)
    return _rotation_about(Y_AXIS, cosine / length, sine / length)


def rotation_angle(matrix: np.ndarray) -> np.ndarray:
    """Return the angles (...) of rotations (..., 3, 3), 0 to pi radians."""
    trace = np.trace(matrix, axis1=-2, axis2=-1)
    return np.arccos(np.clip(0.5 * (trace - 1.0), -1.0, 1.0))


def rotation_between(a: Array, b: Array) -> Array:
    """Return the smallest rotations of unit vectors ``a`` onto ``b``: (..., 3) -> (..., 3, 3).

    They are continuous everywhere but at opposite vectors. There the direction of the rotation is
    not defined, and the result is a half turn about some axis at right angles to ``a``.
    """
    xp = namespace(a)
    skew = cross_matrix(cross(a, b))
    cosine = dot(a, b)[..., None]
    factor = 1.0 / clamp(1.0 + cosine, 1e-6)
    rotation = constant(IDENTITY_MATRIX, a) + skew + factor * (skew @ skew)
    opposite = cosine < -0.9999
    return xp.where(opposite, _half_turn(a), rotation) if opposite.any() else rotation


def _half_turn(a: Array) -> Array:
    xp = namespace(a)
    x, y, z = a[..., 0], a[..., 1], a[..., 2]
    zero = x * 0.0
    # The helper that is less parallel to `a` keeps the axis well defined.
    flat = (abs(z) < 0.9)[..., None]
    axis = normalize(xp.where(flat, xp.stack([-y, x, zero], -1), xp.stack([zero, -z, y], -1)))
    return 2.0 * axis[..., :, None] * axis[..., None, :] - constant(IDENTITY_MATRIX, a)
