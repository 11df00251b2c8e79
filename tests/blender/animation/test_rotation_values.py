# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotation channels against Blender's own conversions."""

from __future__ import annotations

import numpy as np
import pytest
from mathutils import Euler, Quaternion

from ssrhmr_blender.animation.rotation_values import EULER_ORDERS, rotation_values, to_quaternions


def spin(frames: int = 400) -> np.ndarray:
    """Rotations (F, 3, 3) that go round several times, near the gimbal locks too."""
    times = np.linspace(0.0, 1.0, frames)
    return np.array(
        [
            (
                Quaternion((0.0, 0.0, 1.0), 9.0 * t)
                @ Quaternion((0.0, 1.0, 0.0), 1.55 * np.sin(7.0 * t))
                @ Quaternion((1.0, 0.0, 0.0), 5.0 * t)
            ).to_matrix()
            for t in times
        ]
    )


@pytest.mark.parametrize("order", EULER_ORDERS)
def test_eulers_give_the_rotation_back_without_jumps(order: str) -> None:
    rotations = spin()
    name, values = rotation_values(rotations, order)
    assert name == "rotation_euler"
    again = np.array([Euler(row, order).to_matrix() for row in values])
    np.testing.assert_allclose(again, rotations, atol=1e-5)
    # Near a gimbal lock two angles may turn quickly against each other, but never by a full turn.
    assert np.abs(np.diff(values, axis=0)).max() < 2.0


def test_axis_angles_give_the_rotation_back() -> None:
    rotations = spin()
    name, values = rotation_values(rotations, "AXIS_ANGLE")
    assert name == "rotation_axis_angle"
    again = np.array([Quaternion(row[1:], row[0]).to_matrix() for row in values])
    np.testing.assert_allclose(again, rotations, atol=1e-5)
    assert np.abs(np.diff(values[:, 0])).max() < 1.0


def test_quaternions_are_continuous() -> None:
    quaternions = to_quaternions(spin())
    assert ((quaternions[1:] * quaternions[:-1]).sum(-1) > 0.9).all()
    assert quaternions[0, 0] >= 0.0


def test_no_rotation_at_all() -> None:
    still = np.broadcast_to(np.eye(3), (5, 3, 3))
    np.testing.assert_allclose(rotation_values(still, "XYZ")[1], 0.0)
    np.testing.assert_allclose(rotation_values(still, "AXIS_ANGLE")[1][:, 0], 0.0)
