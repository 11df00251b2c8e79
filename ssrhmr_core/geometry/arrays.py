# SPDX-License-Identifier: GPL-3.0-or-later
"""Vector algebra that runs on NumPy arrays and torch tensors alike."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np

Array = Any
"""A ``numpy.ndarray`` or a ``torch.Tensor`` of floats."""

EPSILON = 1e-8
"""Length that is added to every norm, so that none is zero."""
EINSUM_SIZE = 400
"""Number of elements up to which a call of einsum costs more than it saves."""
_EPSILON_SQUARED = np.array(EPSILON**2, np.float32)
"""An array, because NumPy takes longer to convert a float than to add it."""
_NUMPY = (np.ndarray, np.generic)
# Rows x, y and z of the matrix of the cross product, each laid out flat.
_CROSS = np.array(
    [[0, 0, 0, 0, 0, -1, 0, 1, 0], [0, 0, 1, 0, 0, 0, -1, 0, 0], [0, -1, 0, 1, 0, 0, 0, 0, 0]],
    np.float32,
)
_CROSS_PRODUCTS = np.ascontiguousarray(_CROSS.reshape(3, 3, 3).swapaxes(1, 2).reshape(9, 3))


def namespace(array: Array) -> ModuleType:
    """Return the library (``numpy`` or ``torch``) that ``array`` belongs to.

    The function looks torch up instead of importing it: whoever holds a tensor has imported it.
    """
    return np if isinstance(array, _NUMPY) else sys.modules["torch"]


def constant(values: np.ndarray, like: Array) -> Array:
    """Return ``values`` in the library, type and device of ``like``."""
    if namespace(like) is np:
        return values if values.dtype == like.dtype else values.astype(like.dtype)
    return sys.modules["torch"].as_tensor(values, dtype=like.dtype, device=like.device)


def clamp(array: Array, low: float | None = None, high: float | None = None) -> Array:
    """Limit ``array`` to a range; ``numpy.clip`` takes longer than a matrix product."""
    if namespace(array) is not np:
        return array.clamp(low, high)
    if low is not None:
        array = np.maximum(array, low, dtype=array.dtype)
    return array if high is None else np.minimum(array, high, dtype=array.dtype)


def to_float64(array: Array) -> Array:
    """Return ``array`` in 64 bits, for the few places where 32 bits lose what matters."""
    return array.astype(np.float64) if namespace(array) is np else array.double()


def cast_like(array: Array, like: Array) -> Array:
    """Return ``array`` in the precision of ``like``."""
    return array.astype(like.dtype) if namespace(array) is np else array.to(like.dtype)


def dot(a: Array, b: Array) -> Array:
    """Return scalar products over the last axis, kept: (..., n) x (..., n) -> (..., 1)."""
    if isinstance(a, np.ndarray):
        if a.size > EINSUM_SIZE:
            return np.einsum("...i,...i->...", a, b)[..., None]
        return (a[..., None, :] @ b[..., :, None])[..., 0]
    return (a * b).sum(-1)[..., None]


def norm(a: Array) -> Array:
    """Return lengths over the last axis, kept: (..., n) -> (..., 1).

    The gradient stays finite at zero.
    """
    squares = dot(a, a)
    if isinstance(squares, np.ndarray):
        squares += _EPSILON_SQUARED
        return np.sqrt(squares, squares)
    return namespace(a).sqrt(squares + EPSILON**2)


def normalize(a: Array) -> Array:
    """Return unit vectors along ``a`` (..., n); zero vectors stay near zero."""
    return a / norm(a)


def cross(a: Array, b: Array) -> Array:
    """Return cross products over the last axis: (..., 3) x (..., 3) -> (..., 3)."""
    products = a[..., :, None] * b[..., None, :]
    return products.reshape(*products.shape[:-2], 9) @ constant(_CROSS_PRODUCTS, products)


def cross_matrix(a: Array) -> Array:
    """Return the matrices whose product with a vector is the cross product of ``a`` with it.

    Args:
        a: (..., 3) vectors.

    Returns:
        (..., 3, 3) skew-symmetric matrices.
    """
    flat = a @ constant(_CROSS, a)
    return flat.reshape(*a.shape[:-1], 3, 3)


def reject(a: Array, axis: Array) -> Array:
    """Return the part of ``a`` (..., 3) at right angles to the unit vector ``axis`` (..., 3)."""
    return a - dot(a, axis) * axis
