# SPDX-License-Identifier: GPL-3.0-or-later
"""Single quaternions as tuples against pymotion's arrays."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from pymotion.rotations import quat_np as quat

from ssrhmr_core.geometry.scalar import multiply, rotate

TURNS = quat.from_scaled_angle_axis(np.random.default_rng(5).uniform(-3.0, 3.0, (40, 3)))


def test_quaternions_are_those_of_pymotion() -> None:
    for a, b in pairwise(TURNS):
        np.testing.assert_allclose(multiply(a, b), quat.mul(a, b), atol=1e-12)
        np.testing.assert_allclose(
            rotate(a, (1.0, 2.0, 3.0)), quat.mul_vec(a, np.array([1.0, 2.0, 3.0])), atol=1e-12
        )
