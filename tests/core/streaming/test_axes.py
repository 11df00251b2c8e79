# SPDX-License-Identifier: GPL-3.0-or-later
"""Unity's axes against ours."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from pymotion.rotations import quat_np as quat

from ssrhmr_core.geometry.scalar import rotate
from ssrhmr_core.streaming.axes import from_euler, mirror_position, mirror_rotation, to_euler
from tests.core.drawn import numbers, quaternions
from tests.core.streaming.conftest import turn_between

TURNS = quat.from_scaled_angle_axis(np.random.default_rng(5).uniform(-3.0, 3.0, (40, 3)))


def test_a_person_who_faces_forward_does_so_in_both() -> None:
    # Unity: X to the right, Y up, Z ahead. Core: X to the left, Y up, Z ahead.
    assert mirror_position((1.0, 2.0, 3.0)) == (-1.0, 2.0, 3.0)
    # In Unity a positive turn about Y looks to the right, in the core to the left.
    right = mirror_rotation(from_euler((0.0, 90.0, 0.0)))
    np.testing.assert_allclose(rotate(right, (0.0, 0.0, 1.0)), (-1.0, 0.0, 0.0), atol=1e-12)


@pytest.mark.parametrize("rotation", TURNS)
def test_turning_and_mirroring_may_be_swapped(rotation: np.ndarray) -> None:
    vector = (0.3, -1.2, 0.7)
    np.testing.assert_allclose(
        rotate(mirror_rotation(rotation.tolist()), mirror_position(vector)),
        mirror_position(rotate(rotation.tolist(), vector)),
        atol=1e-12,
    )


def test_euler_angles_are_applied_z_then_x_then_y() -> None:
    x, y, z = (
        quat.from_scaled_angle_axis(np.radians(angle) * np.eye(3)[axis])
        for axis, angle in enumerate((20.0, 50.0, -35.0))
    )
    expected = quat.mul(y, quat.mul(x, z))
    assert turn_between(from_euler((20.0, 50.0, -35.0)), expected) < 1e-9


@pytest.mark.parametrize("rotation", TURNS)
def test_euler_angles_come_back(rotation: np.ndarray) -> None:
    assert turn_between(from_euler(to_euler(rotation.tolist())), rotation) < 1e-6


@pytest.mark.parametrize("pitch", [90.0, -90.0, 89.9999])
def test_straight_up_and_down(pitch: float) -> None:
    rotation = from_euler((pitch, 30.0, 10.0))
    assert turn_between(from_euler(to_euler(rotation)), rotation) < 1e-3


@given(turn=quaternions(), vector=numbers(3, 100.0))
def test_any_turn_by_angles_and_in_the_mirror(turn: np.ndarray, vector: np.ndarray) -> None:
    """Also where the middle angle is a right one, or nearly."""
    again = from_euler(to_euler(turn.tolist()))
    expected = rotate(turn.tolist(), vector.tolist())
    np.testing.assert_allclose(rotate(again, vector.tolist()), expected, atol=1e-2)
    np.testing.assert_allclose(mirror_rotation(mirror_rotation(turn.tolist())), turn)
    there = rotate(mirror_rotation(turn.tolist()), mirror_position(vector.tolist()))
    np.testing.assert_allclose(mirror_position(there), expected, atol=1e-9)
