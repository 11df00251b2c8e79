"""Small differentiable linear algebra that runs on NumPy arrays and on torch tensors alike.

The network and the exact solve are written once on top of these functions: training calls them
with tensors, everything else with arrays. That is what keeps the runtime equal to the trained
model. Quaternions, Euler angles and files stay with upc-pymotion; here are only the few functions
on 3x3 matrices that must be differentiable and fast on both libraries.

Shapes: ``...`` stands for any leading axes, which broadcast as usual.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np

Array = Any
"""A ``numpy.ndarray`` or a ``torch.Tensor`` of floats."""

_TINY = 1e-8
_NUMPY = (np.ndarray, np.generic)
UNIT_6D = np.array([1.0, 0.0, 0.0, 0.0, 1.0, 0.0], np.float32)
"""No rotation, as :func:`to_6d` gives it."""
_SMALL = 400
"""Numbers up to which calling einsum takes longer than what it saves."""
IDENTITY = np.eye(3, dtype=np.float32)
# Rows x, y, z of the matrix of the vector product, each laid out flat.
_CROSS = np.array(
    [[0, 0, 0, 0, 0, -1, 0, 1, 0], [0, 0, 1, 0, 0, 0, -1, 0, 0], [0, -1, 0, 1, 0, 0, 0, 0, 0]],
    np.float32,
)
_CROSS_PRODUCTS = np.ascontiguousarray(_CROSS.reshape(3, 3, 3).swapaxes(1, 2).reshape(9, 3))

_HALF = np.array(0.5, np.float32)
"""As an array: NumPy takes longer to look at a number than to multiply hundreds by it."""


def namespace(array: Array) -> ModuleType:
    """Return the library (``numpy`` or ``torch``) that ``array`` belongs to.

    torch is looked up instead of imported: whoever holds a tensor has already imported it.
    """
    return np if isinstance(array, _NUMPY) else sys.modules["torch"]


def constant(values: np.ndarray, like: Array) -> Array:
    """Return ``values`` in the library, type and device of ``like``."""
    if namespace(like) is np:
        return values if values.dtype == like.dtype else values.astype(like.dtype)
    return sys.modules["torch"].as_tensor(values, dtype=like.dtype, device=like.device)


def clamp(array: Array, low: float | None = None, high: float | None = None) -> Array:
    """Return ``array`` within limits; ``numpy.clip`` takes longer than a matrix product."""
    if namespace(array) is not np:
        return array.clamp(low, high)
    if low is not None:
        array = np.maximum(array, low, dtype=array.dtype)
    return array if high is None else np.minimum(array, high, dtype=array.dtype)


def double(array: Array) -> Array:
    """Return ``array`` in 64 bits, for the few places where 32 lose what matters."""
    return array.astype(np.float64) if namespace(array) is np else array.double()


def single_as(array: Array, like: Array) -> Array:
    """Return ``array`` in the precision of ``like``."""
    return array.astype(like.dtype) if namespace(array) is np else array.to(like.dtype)


def dot(a: Array, b: Array) -> Array:
    """Scalar product over the last axis, kept: (..., n) x (..., n) -> (..., 1)."""
    if isinstance(a, np.ndarray):
        if a.size > _SMALL:
            return np.einsum("...i,...i->...", a, b)[..., None]
        return (a[..., None, :] @ b[..., :, None])[..., 0]
    return (a * b).sum(-1)[..., None]


def norm(a: Array) -> Array:
    """Length over the last axis, kept: (..., n) -> (..., 1); its gradient stays finite at zero."""
    return namespace(a).sqrt(dot(a, a) + _TINY**2)


def normalize(a: Array) -> Array:
    """Unit vectors along ``a`` (..., n); zero vectors stay near zero."""
    return a / norm(a)


def cross(a: Array, b: Array) -> Array:
    """Vector product over the last axis: (..., 3) x (..., 3) -> (..., 3)."""
    products = a[..., :, None] * b[..., None, :]
    return products.reshape(*products.shape[:-2], 9) @ constant(_CROSS_PRODUCTS, products)


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


def reject(a: Array, axis: Array) -> Array:
    """Return the part of ``a`` (..., 3) at right angles to the unit vector ``axis`` (..., 3)."""
    return a - dot(a, axis) * axis


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


def to_quaternion(matrix: np.ndarray) -> np.ndarray:
    """Unit quaternions (..., 4), w first, of rotations (..., 3, 3).

    pymotion does the same in some forty operations on small arrays, which is what a single frame
    cannot afford. Here one product gives all sixteen products of the quaternion's numbers; the row
    of the largest one is the quaternion but for its length.
    """
    products = matrix.reshape(-1, 9) @ _QUATERNION_PRODUCTS + _QUATERNION_UNIT
    largest = products[:, ::5].argmax(-1)
    rows = products.reshape(-1, 4, 4)[np.arange(len(products)), largest]
    return normalize(rows).reshape(*matrix.shape[:-2], 4)


def from_quaternion(unit: np.ndarray) -> np.ndarray:
    """Rotations (..., 3, 3) of unit quaternions (..., 4): :func:`to_quaternion` the other way."""
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


def from_rotation_vector(vector: Array) -> Array:
    """Rotations by ``|vector|`` radians about ``vector``: (..., 3) -> (..., 3, 3) (Rodrigues)."""
    xp = namespace(vector)
    angle = norm(vector)[..., None]
    skew = _skew(vector / angle[..., 0])
    turned = xp.sin(angle) * skew + (1.0 - xp.cos(angle)) * (skew @ skew)
    return constant(IDENTITY, vector) + turned


def linear(weights: Mapping[str, Array], name: str, x: Array) -> Array:
    """A layer: (..., inputs) -> (..., outputs) by the weights ``name.w`` and ``name.b``."""
    matrix = weights[f"{name}.w"]
    # As one product: with more than two axes NumPy makes many small ones of it.
    found = x.reshape(-1, x.shape[-1]) @ matrix
    found += weights[f"{name}.b"]
    return found.reshape(*x.shape[:-1], matrix.shape[-1])


def residual_net(weights: Mapping[str, Array], name: str, blocks: int, x: Array) -> Array:
    """A net of residual blocks: ``name.in``, ``name.0.a`` and ``.b`` and so on, ``name.out``."""
    hidden = silu(linear(weights, f"{name}.in", x))
    for block in range(blocks):
        inner = silu(linear(weights, f"{name}.{block}.a", hidden))
        hidden = hidden + silu(linear(weights, f"{name}.{block}.b", inner))
    return linear(weights, f"{name}.out", hidden)


def silu(x: Array) -> Array:
    """X times its logistic function."""
    xp = namespace(x)
    if xp is not np:
        return xp.nn.functional.silu(x)
    # Through tanh, which cannot overflow.
    half = x * _HALF
    share = np.tanh(half)
    share *= half
    share += half
    return share


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
