# SPDX-License-Identifier: GPL-3.0-or-later
"""Single values as tuples give what arrays give."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from pymotion.rotations import quat_np as quat

from ssrhmr_core.geometry import rotations, scalar
from tests.core.drawn import directions, numbers, quaternions

QUATS = quat.from_scaled_angle_axis(np.random.default_rng(5).uniform(-3.0, 3.0, (40, 3)))


@given(a=numbers(3, 100.0), b=numbers(3, 100.0))
def test_vectors(a: np.ndarray, b: np.ndarray) -> None:
    x, y = a.tolist(), b.tolist()
    assert scalar.add(x, y) == pytest.approx(tuple(a + b))
    assert scalar.subtract(x, y) == pytest.approx(tuple(a - b))
    assert scalar.scale(x, 0.3) == pytest.approx(tuple(0.3 * a))
    assert scalar.dot(x, y) == pytest.approx(a @ b, abs=1e-9)
    assert scalar.cross(x, y) == pytest.approx(tuple(np.cross(a, b)), abs=1e-9)
    assert scalar.norm(x) == pytest.approx(np.linalg.norm(a), abs=2e-8)


def test_clamp() -> None:
    assert [scalar.clamp(value, -1.0, 2.0) for value in (-3.0, 0.5, 3.0)] == [-1.0, 0.5, 2.0]


def test_quaternions_are_those_of_pymotion() -> None:
    vector = (1.0, 2.0, 3.0)
    for a, b in pairwise(QUATS):
        np.testing.assert_allclose(scalar.multiply(a, b), quat.mul(a, b), atol=1e-12)
        np.testing.assert_allclose(
            scalar.rotate(a, vector), quat.mul_vec(a, np.array(vector)), atol=1e-12
        )
        matrix = scalar.to_matrix(a)
        expected = quat.to_matrix(a).ravel()
        np.testing.assert_allclose(matrix, expected, atol=1e-12)
        rotated = scalar.rotate_by_matrix(matrix, vector)
        np.testing.assert_allclose(rotated, scalar.rotate(a, vector), atol=1e-12)


@given(rotvec=numbers(3, 20.0))
def test_rotation_vectors(rotvec: np.ndarray) -> None:
    # A length adds 1e-8 to angles near zero.
    expected = quat.from_scaled_angle_axis(rotvec)
    np.testing.assert_allclose(scalar.from_rotvec(rotvec.tolist()), expected, atol=2e-8)


@given(unit=quaternions())
def test_a_quaternion_and_its_negative_are_one_rotation(unit: np.ndarray) -> None:
    assert scalar.to_matrix(unit.tolist()) == scalar.to_matrix((-unit).tolist())


@given(a=directions(), b=directions())
def test_smallest_rotation(a: np.ndarray, b: np.ndarray) -> None:
    """Opposite directions too, where any half turn will do."""
    for other in (b, -a, a):
        matrix = np.array(scalar.rotation_between(a.tolist(), other.tolist())).reshape(3, 3)
        np.testing.assert_allclose(matrix, rotations.rotation_between(a, other), atol=1e-6)
        np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-9)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_opposite_axes(axis: int) -> None:
    a = np.eye(3)[axis]
    matrix = np.array(scalar.rotation_between(a.tolist(), (-a).tolist())).reshape(3, 3)
    np.testing.assert_allclose(matrix @ a, -a, atol=1e-12)
    assert np.linalg.det(matrix) == pytest.approx(1.0)


@given(rotvec=numbers(3, 20.0), vector=numbers(3, 100.0))
def test_a_turn_is_its_parts(rotvec: np.ndarray, vector: np.ndarray) -> None:
    by = scalar.from_rotvec(rotvec.tolist())
    rotation, turned = scalar.turn(rotvec.tolist(), QUATS[0].tolist(), vector.tolist())
    assert rotation == pytest.approx(scalar.multiply(by, QUATS[0].tolist()), abs=1e-12)
    assert turned == pytest.approx(scalar.rotate(by, vector.tolist()), abs=1e-9)
