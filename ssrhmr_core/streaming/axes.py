# SPDX-License-Identifier: GPL-3.0-or-later
"""Conversion between Unity's axes and those of the core.

Unity is left-handed, the core right-handed; both have Y up and face +Z. One is the mirror image of
the other: X changes its sign, and so do rotations about Y and Z. A mirror keeps chains of rotations
intact, so they may be multiplied on either side.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..geometry.scalar import Quaternion, Vector, clamp, multiply, to_matrix

_GIMBAL_LOCK = 1.0 - 1e-9
"""Sine of the X angle above which Y and Z rotate about the same axis."""


def mirror_position(position: Sequence[float]) -> Vector:
    """Convert a position from Unity to the core, or back."""
    x, y, z = position
    return -x, y, z


def mirror_rotation(rotation: Sequence[float]) -> Quaternion:
    """Convert a quaternion w, x, y, z from Unity to the core, or back."""
    w, x, y, z = rotation
    return w, x, -y, -z


def from_euler(degrees: Sequence[float]) -> Quaternion:
    """Convert Unity's Euler angles to Unity's quaternion w, x, y, z.

    Args:
        degrees: Angles about X, Y and Z; Unity rotates about Z first, then X, then Y.
    """
    (sx, cx), (sy, cy), (sz, cz) = (
        (math.sin(math.radians(angle) / 2.0), math.cos(math.radians(angle) / 2.0))
        for angle in degrees
    )
    return multiply(multiply((cy, 0.0, sy, 0.0), (cx, sx, 0.0, 0.0)), (cz, 0.0, 0.0, sz))


def to_euler(rotation: Sequence[float]) -> Vector:
    """Convert Unity's quaternion w, x, y, z to Unity's Euler angles x, y, z in degrees."""
    xx, _, xz, yx, yy, yz, zx, _, zz = to_matrix(rotation)
    x = math.asin(clamp(-yz, -1.0, 1.0))
    if abs(yz) > _GIMBAL_LOCK:
        # Y and Z rotate about the same axis: any split between both will do.
        y, z = math.atan2(-zx, xx), 0.0
    else:
        y, z = math.atan2(xz, zz), math.atan2(yx, yy)
    return math.degrees(x), math.degrees(y), math.degrees(z)
