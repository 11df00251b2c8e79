# SPDX-License-Identifier: GPL-3.0-or-later
"""Small differentiable linear algebra that runs on NumPy arrays and on torch tensors alike.

The network and the exact solve are written once on top of these functions: training calls them
with tensors, everything else with arrays. That is what keeps the runtime equal to the trained
model. Quaternions, Euler angles and files stay with upc-pymotion; here are only the few functions
on 3x3 matrices that must be differentiable and fast on both libraries.

Shapes: ``...`` stands for any leading axes, which broadcast as usual.
"""

from __future__ import annotations

import numpy as np

from .arrays import (
    _CROSS,
    _SMALL,
    _TINY,
    IDENTITY,
    Array,
    clamp,
    constant,
    cross,
    dot,
    namespace,
    norm,
    normalize,
    reject,
)

UNIT_6D = np.array([1.0, 0.0, 0.0, 0.0, 1.0, 0.0], np.float32)
"""No rotation, as :func:`to_6d` gives it."""


def rotate(matrix: Array, vector: Array) -> Array:
    """Apply rotations to vectors: (..., 3, 3) x (..., 3) -> (..., 3)."""
    if isinstance(matrix, np.ndarray):
        if matrix.size > _SMALL:
            return np.einsum("...ij,...j->...i", matrix, vector)
        return (matrix @ vector[..., None])[..., 0]
    return (matrix * vector[..., None, :]).sum(-1)


def transpose(matrix: Array) -> Array:
    """Swap the last two axes: the inverse of a rotation (..., 3, 3)."""
    return matrix.swapaxes(-1, -2)


def to_6d(matrix: Array) -> Array:
    """First two columns of rotations: (..., 3, 3) -> (..., 6).

    Source: Zhou et al., "On the Continuity of Rotation Representations in Neural Networks",
    CVPR 2019.
    """
    return namespace(matrix).concatenate([matrix[..., :, 0], matrix[..., :, 1]], -1)


def from_6d(six: Array) -> Array:
    """Nearest rotations by Gram-Schmidt: (..., 6) -> (..., 3, 3), the inverse of :func:`to_6d`."""
    x = normalize(six[..., :3])
    y = normalize(reject(six[..., 3:], x))
    columns = [x[..., None], y[..., None], cross(x, y)[..., None]]
    return namespace(six).concatenate(columns, -1)


def to_quat(matrix: np.ndarray) -> np.ndarray:
    """Unit quaternions (..., 4), w first, of rotations (..., 3, 3).

    pymotion does the same in some forty operations on small arrays, which is what a single frame
    cannot afford. Here one product gives all sixteen products of the quaternion's numbers; the row
    of the largest one is the quaternion but for its length.
    """
    products = matrix.reshape(-1, 9) @ _QUATERNION_PRODUCTS + _QUATERNION_UNIT
    largest = products[:, ::5].argmax(-1)
    rows = products.reshape(-1, 4, 4)[np.arange(len(products)), largest]
    return normalize(rows).reshape(*matrix.shape[:-2], 4)


def from_quat(unit: np.ndarray) -> np.ndarray:
    """Rotations (..., 3, 3) of unit quaternions (..., 4): :func:`to_quat` the other way."""
    products = unit[..., :, None] * unit[..., None, :]
    return (products.reshape(-1, 16) @ _QUATERNION_PRODUCTS.T).reshape(*unit.shape[:-1], 3, 3)


def _quaternion_products() -> np.ndarray:
    """(9, 16): from a rotation, laid out flat, to 4 q q^T less the unit matrix, laid out flat."""
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


def heading(matrix: Array) -> Array:
    """Turns about Y (up) nearest to rotations: (..., 3, 3) -> (..., 3, 3).

    The twist of the rotation about Y; it is defined for all but bodies upside down.
    """
    cosine = matrix[..., 0, 0] + matrix[..., 2, 2]
    sine = matrix[..., 0, 2] - matrix[..., 2, 0]
    xp = namespace(matrix)
    length = xp.sqrt(cosine * cosine + sine * sine + _TINY**2)
    cosine, sine = cosine / length, sine / length
    zero, one = cosine * 0.0, cosine * 0.0 + 1.0
    rows = [[cosine, zero, sine], [zero, one, zero], [-sine, zero, cosine]]
    return xp.stack([xp.stack(row, -1) for row in rows], -2)


def between(a: Array, b: Array) -> Array:
    """Smallest rotation that turns unit vectors ``a`` into ``b``: (..., 3) -> (..., 3, 3).

    Continuous everywhere but at opposite vectors, where a half turn about some axis at right
    angles to ``a`` is returned (the direction between them is not defined there).
    """
    xp = namespace(a)
    skew = _skew(cross(a, b))
    cosine = dot(a, b)[..., None]
    factor = 1.0 / clamp(1.0 + cosine, 1e-6)
    rotation = constant(IDENTITY, a) + skew + factor * (skew @ skew)
    opposite = cosine < -0.9999
    return xp.where(opposite, _half_turn(a), rotation) if opposite.any() else rotation


def from_rotvec(vector: Array) -> Array:
    """Rotations by ``|vector|`` radians about ``vector``: (..., 3) -> (..., 3, 3) (Rodrigues)."""
    xp = namespace(vector)
    angle = norm(vector)[..., None]
    skew = _skew(vector / angle[..., 0])
    turned = xp.sin(angle) * skew + (1.0 - xp.cos(angle)) * (skew @ skew)
    return constant(IDENTITY, vector) + turned


def _skew(vector: Array) -> Array:
    """(..., 3) -> (..., 3, 3), the matrix that does what the vector product with it does."""
    flat = vector @ constant(_CROSS, vector)
    return flat.reshape(*vector.shape[:-1], 3, 3)


def _half_turn(a: Array) -> Array:
    xp = namespace(a)
    x, y, z = a[..., 0], a[..., 1], a[..., 2]
    zero = x * 0.0
    # The helper that is less parallel to `a` keeps the axis well defined.
    flat = (abs(z) < 0.9)[..., None]
    axis = normalize(xp.where(flat, xp.stack([-y, x, zero], -1), xp.stack([zero, -z, y], -1)))
    return 2.0 * axis[..., :, None] * axis[..., None, :] - constant(IDENTITY, a)
