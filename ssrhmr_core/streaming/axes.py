# SPDX-License-Identifier: GPL-3.0-or-later
"""Unity's axes and ours: left-handed against right-handed, both Y up and facing +Z.

One is the mirror image of the other: X changes its sign, and so do turns about Y and Z. A mirror
keeps chains of rotations what they are, so they may be put together on either side.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from pymotion.rotations import quat_np as quat

from ..geometry.scalar import Quaternion, Vector, multiply


def mirrored(position: Sequence[float]) -> Vector:
    """Bring a position from Unity to the core, or back."""
    x, y, z = position
    return -x, y, z


def turned(rotation: Sequence[float]) -> Quaternion:
    """Bring a quaternion w, x, y, z from Unity to the core, or back."""
    w, x, y, z = rotation
    return w, x, -y, -z


def from_euler(degrees: Sequence[float]) -> Quaternion:
    """Unity's quaternion w, x, y, z of its Euler angles: about Z first, then X, then Y."""
    (sx, cx), (sy, cy), (sz, cz) = (
        (math.sin(math.radians(angle) / 2.0), math.cos(math.radians(angle) / 2.0))
        for angle in degrees
    )
    return multiply(multiply((cy, 0.0, sy, 0.0), (cx, sx, 0.0, 0.0)), (cz, 0.0, 0.0, sz))


def to_euler(rotation: Sequence[float]) -> Vector:
    """Unity's Euler angles x, y, z in degrees of its quaternion w, x, y, z."""
    matrix = quat.to_matrix(np.asarray(rotation, np.float64))
    x = math.asin(max(-1.0, min(1.0, -matrix[1, 2])))
    if abs(matrix[1, 2]) > 1.0 - 1e-9:
        # Y and Z turn about the same axis: any share of both will do.
        y, z = math.atan2(-matrix[2, 0], matrix[0, 0]), 0.0
    else:
        y = math.atan2(matrix[0, 2], matrix[2, 2])
        z = math.atan2(matrix[1, 0], matrix[1, 1])
    return math.degrees(x), math.degrees(y), math.degrees(z)
