# SPDX-License-Identifier: GPL-3.0-or-later
"""Single quaternions and vectors as tuples of floats: for one at a time, arrays take far longer."""

from __future__ import annotations

from collections.abc import Sequence

Vector = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]

IDENTITY_QUAT: Quaternion = (1.0, 0.0, 0.0, 0.0)


def multiply(a: Sequence[float], b: Sequence[float]) -> Quaternion:
    """Product of two quaternions w, x, y, z: turns by ``b``, then by ``a``."""
    aw, ax, ay, az = a
    bw, bx, by, bz = b
    return (
        aw * bw - ax * bx - ay * by - az * bz,
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
    )


def rotate(rotation: Sequence[float], vector: Sequence[float]) -> Vector:
    """Turn a vector by a unit quaternion w, x, y, z."""
    w, x, y, z = rotation
    a, b, c = vector
    # Twice the vector product of both.
    i, j, k = 2.0 * (y * c - z * b), 2.0 * (z * a - x * c), 2.0 * (x * b - y * a)
    return (
        a + w * i + y * k - z * j,
        b + w * j + z * i - x * k,
        c + w * k + x * j - y * i,
    )
