# SPDX-License-Identifier: GPL-3.0-or-later
"""Single vectors, quaternions and matrices as tuples of floats.

For one value at a time, every call into NumPy takes longer than twenty multiplications.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

Vector = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]
Matrix = tuple[float, float, float, float, float, float, float, float, float]
"""Nine numbers, row by row."""

IDENTITY_QUAT: Quaternion = (1.0, 0.0, 0.0, 0.0)
_TINY = 1e-16
"""Added to squares of lengths, so that none is zero."""


def clamp(value: float, low: float, high: float) -> float:
    """Limit a number to a range."""
    return min(max(value, low), high)


def add(a: Sequence[float], b: Sequence[float]) -> Vector:
    """Return the sum of two vectors."""
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]


def subtract(a: Sequence[float], b: Sequence[float]) -> Vector:
    """Return the difference of two vectors."""
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


def scale(a: Sequence[float], factor: float) -> Vector:
    """Return a vector times a number."""
    return factor * a[0], factor * a[1], factor * a[2]


def dot(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the scalar product of two vectors."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def cross(a: Sequence[float], b: Sequence[float]) -> Vector:
    """Return the cross product of two vectors."""
    x, y, z = a
    i, j, k = b
    return y * k - z * j, z * i - x * k, x * j - y * i


def norm(a: Sequence[float]) -> float:
    """Return the length of a vector, never quite zero."""
    return math.sqrt(a[0] * a[0] + a[1] * a[1] + a[2] * a[2] + _TINY)


def multiply(a: Sequence[float], b: Sequence[float]) -> Quaternion:
    """Return the product of two quaternions: the rotation by ``b``, then by ``a``."""
    aw, ax, ay, az = a
    bw, bx, by, bz = b
    return (
        aw * bw - ax * bx - ay * by - az * bz,
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
    )


def compose(
    position: Sequence[float],
    rotation: Sequence[float],
    local_position: Sequence[float],
    local_rotation: Sequence[float],
) -> tuple[Vector, Quaternion]:
    """Return position and rotation of a child: :func:`rotate` and :func:`multiply` in one.

    Args:
        position: Position of the parent.
        rotation: Unit quaternion of the parent.
        local_position: Position of the child relative to the parent.
        local_rotation: Quaternion of the child relative to the parent.
    """
    px, py, pz = position
    w, x, y, z = rotation
    a, b, c = local_position
    lw, lx, ly, lz = local_rotation
    i, j, k = 2.0 * (y * c - z * b), 2.0 * (z * a - x * c), 2.0 * (x * b - y * a)
    return (
        (
            px + a + w * i + y * k - z * j,
            py + b + w * j + z * i - x * k,
            pz + c + w * k + x * j - y * i,
        ),
        (
            w * lw - x * lx - y * ly - z * lz,
            w * lx + x * lw + y * lz - z * ly,
            w * ly - x * lz + y * lw + z * lx,
            w * lz + x * ly - y * lx + z * lw,
        ),
    )


def rotate(quat: Sequence[float], vector: Sequence[float]) -> Vector:
    """Rotate a vector by a unit quaternion."""
    w, x, y, z = quat
    a, b, c = vector
    # Twice the cross product of both.
    i, j, k = 2.0 * (y * c - z * b), 2.0 * (z * a - x * c), 2.0 * (x * b - y * a)
    return (
        a + w * i + y * k - z * j,
        b + w * j + z * i - x * k,
        c + w * k + x * j - y * i,
    )


def rotate_by_matrix(matrix: Sequence[float], vector: Sequence[float]) -> Vector:
    """Apply a matrix, row by row, to a vector."""
    a, b, c, d, e, f, g, h, i = matrix
    x, y, z = vector
    return a * x + b * y + c * z, d * x + e * y + f * z, g * x + h * y + i * z


def multiply_matrices(a: Sequence[float], b: Sequence[float]) -> Matrix:
    """Return the product of two matrices, row by row: the rotation by ``b``, then by ``a``."""
    p, q, r, s, t, u, v, w, x = a
    c, d, e, f, g, h, i, j, k = b
    return (
        p * c + q * f + r * i,
        p * d + q * g + r * j,
        p * e + q * h + r * k,
        s * c + t * f + u * i,
        s * d + t * g + u * j,
        s * e + t * h + u * k,
        v * c + w * f + x * i,
        v * d + w * g + x * j,
        v * e + w * h + x * k,
    )


def from_rotvec(rotvec: Sequence[float]) -> Quaternion:
    """Return the unit quaternion of a rotation vector, axis times angle in radians."""
    angle = norm(rotvec)
    share = math.sin(0.5 * angle) / angle
    return math.cos(0.5 * angle), share * rotvec[0], share * rotvec[1], share * rotvec[2]


def turn(
    rotvec: Sequence[float], rotation: Sequence[float], vector: Sequence[float]
) -> tuple[Quaternion, Vector]:
    """Turn a rotation and a vector: :func:`from_rotvec`, :func:`multiply`, :func:`rotate` in one.

    Args:
        rotvec: Rotation vector of the turn.
        rotation: Quaternion of the rotation.
        vector: The vector.
    """
    x, y, z = rotvec
    angle = math.sqrt(x * x + y * y + z * z + _TINY)
    w, share = math.cos(0.5 * angle), math.sin(0.5 * angle) / angle
    x, y, z = share * x, share * y, share * z
    rw, rx, ry, rz = rotation
    a, b, c = vector
    i, j, k = 2.0 * (y * c - z * b), 2.0 * (z * a - x * c), 2.0 * (x * b - y * a)
    return (
        (
            w * rw - x * rx - y * ry - z * rz,
            w * rx + x * rw + y * rz - z * ry,
            w * ry - x * rz + y * rw + z * rx,
            w * rz + x * ry - y * rx + z * rw,
        ),
        (
            a + w * i + y * k - z * j,
            b + w * j + z * i - x * k,
            c + w * k + x * j - y * i,
        ),
    )


def to_matrix(quat: Sequence[float]) -> Matrix:
    """Return the rotation matrix of a unit quaternion, row by row."""
    w, x, y, z = quat
    return (
        1.0 - 2.0 * (y * y + z * z),
        2.0 * (x * y - w * z),
        2.0 * (x * z + w * y),
        2.0 * (x * y + w * z),
        1.0 - 2.0 * (x * x + z * z),
        2.0 * (y * z - w * x),
        2.0 * (x * z - w * y),
        2.0 * (y * z + w * x),
        1.0 - 2.0 * (x * x + y * y),
    )


def orthonormalize(
    six: Sequence[float],
) -> tuple[float, float, float, float, float, float]:
    """Return two unit vectors at right angles by Gram-Schmidt.

    See :func:`ssrhmr_core.geometry.rotations.orthonormalize`.
    """
    a, b, c, d, e, f = six
    share = 1.0 / math.sqrt(a * a + b * b + c * c + _TINY)
    a, b, c = share * a, share * b, share * c
    along = a * d + b * e + c * f
    d, e, f = d - along * a, e - along * b, f - along * c
    share = 1.0 / math.sqrt(d * d + e * e + f * f + _TINY)
    return a, b, c, share * d, share * e, share * f


def from_6d(six: Sequence[float]) -> Matrix:
    """Return the rotation matrix, row by row, of six numbers.

    See :func:`ssrhmr_core.geometry.rotations.from_6d`.
    """
    a, b, c, d, e, f = orthonormalize(six)
    return a, d, b * f - c * e, b, e, c * d - a * f, c, f, a * e - b * d


def rotation_between(a: Sequence[float], b: Sequence[float]) -> Matrix:
    """Return the smallest rotation of a unit vector onto another, row by row.

    See :func:`ssrhmr_core.geometry.rotations.rotation_between`.
    """
    cosine = dot(a, b)
    if cosine < -0.9999:
        x, y, z = a
        x, y, z = (-y, x, 0.0) if abs(z) < 0.9 else (0.0, -z, y)
        factor = 2.0 / (x * x + y * y + z * z)
        xy, xz, yz = factor * x * y, factor * x * z, factor * y * z
        return (
            factor * x * x - 1.0,
            xy,
            xz,
            xy,
            factor * y * y - 1.0,
            yz,
            xz,
            yz,
            factor * z * z - 1.0,
        )
    x, y, z = cross(a, b)
    share = 1.0 / (1.0 + cosine)
    # The matrix of the cross product, times itself: outer product less squared length.
    square = x * x + y * y + z * z
    xy, xz, yz = share * x * y, share * x * z, share * y * z
    return (
        1.0 + share * (x * x - square),
        xy - z,
        xz + y,
        xy + z,
        1.0 + share * (y * y - square),
        yz - x,
        xz - y,
        yz + x,
        1.0 + share * (z * z - square),
    )
