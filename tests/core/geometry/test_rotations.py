# SPDX-License-Identifier: GPL-3.0-or-later
"""Small linear algebra, against upc-pymotion and across both libraries."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pymotion.rotations import quat_np as quat

from ssrhmr_core.geometry import arrays, rotations
from tests.core.drawn import directions, numbers
from tests.core.drawn import rotations as drawn_rotations

RANDOM = np.random.default_rng(0)
UNIT = arrays.normalize(RANDOM.standard_normal((50, 3)))
OTHER = arrays.normalize(RANDOM.standard_normal((50, 3)))
TURNS = quat.to_matrix(quat.normalize(RANDOM.standard_normal((50, 4))))


def test_between_turns_one_direction_into_the_other_by_the_smallest_angle() -> None:
    turn = rotations.between(UNIT, OTHER)
    np.testing.assert_allclose(rotations.rotate(turn, UNIT), OTHER, atol=1e-6)
    angle = np.arccos((np.trace(turn, axis1=1, axis2=2) - 1.0) / 2.0)
    np.testing.assert_allclose(angle, np.arccos((UNIT * OTHER).sum(-1)), atol=1e-5)


@pytest.mark.parametrize("direction", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0.6, 0.0, 0.8)])
def test_between_opposite_directions_is_a_rotation(direction: tuple[float, ...]) -> None:
    a = np.array(direction)
    turn = rotations.between(a, -a)
    np.testing.assert_allclose(rotations.rotate(turn, a), -a, atol=1e-6)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-6)
    assert np.linalg.det(turn) == pytest.approx(1.0)


def test_six_numbers_and_back() -> None:
    np.testing.assert_allclose(rotations.from_6d(rotations.to_6d(TURNS)), TURNS, atol=1e-6)


def test_rotation_vectors_agree_with_pymotion() -> None:
    vectors = 2.0 * RANDOM.standard_normal((50, 3))
    expected = quat.to_matrix(quat.from_scaled_angle_axis(vectors))
    np.testing.assert_allclose(rotations.from_rotvec(vectors), expected, atol=1e-6)
    np.testing.assert_allclose(rotations.from_rotvec(np.zeros(3)), np.eye(3), atol=1e-7)


@pytest.mark.parametrize(
    ("function", "inputs"),
    [
        (rotations.between, (UNIT, OTHER)),
        (rotations.from_6d, (rotations.to_6d(TURNS),)),
        (rotations.from_rotvec, (UNIT,)),
        (rotations.rotate, (TURNS, UNIT)),
        (arrays.cross, (UNIT, OTHER)),
        (arrays.reject, (UNIT, OTHER)),
    ],
)
def test_numpy_and_torch_agree(function: object, inputs: tuple[np.ndarray, ...]) -> None:
    expected = function(*inputs)  # type: ignore[operator]
    tensors = [torch.as_tensor(array) for array in inputs]
    np.testing.assert_allclose(function(*tensors).numpy(), expected, atol=1e-12)  # type: ignore[operator]


def test_gradients_are_finite_at_zero() -> None:
    vector = torch.zeros(3, requires_grad=True)
    rotations.from_rotvec(vector).sum().backward()
    assert vector.grad is not None and torch.isfinite(vector.grad).all()


def assert_rotations(matrix: np.ndarray, atol: float = 1e-6) -> None:
    product = matrix @ rotations.transpose(matrix)
    np.testing.assert_allclose(product, np.broadcast_to(np.eye(3), product.shape), atol=atol)
    np.testing.assert_allclose(np.linalg.det(matrix), 1.0, atol=atol)


@given(a=directions(), b=directions(), near=st.sampled_from([0.0, 1.0, 1e-2, 1e-5, 1e-9]))
def test_between_any_directions(a: np.ndarray, b: np.ndarray, near: float) -> None:
    """Any two, and those that are nearly alike or nearly opposite."""
    for other in (b, a + near * b, -a + near * b):
        if np.linalg.norm(other) < 1e-3:
            continue
        other = other / np.linalg.norm(other)
        turn = rotations.between(a, other)
        assert_rotations(turn)
        # Nearly opposite ones, to 0.8 degrees, are taken for opposite.
        off = 1e-6 if a @ other > -0.9999 else 0.015
        np.testing.assert_allclose(rotations.rotate(turn, a), other, atol=off)


@given(six=numbers(6, 100.0))
def test_any_six_numbers_are_a_rotation(six: np.ndarray) -> None:
    x, y = six[:3], six[3:]
    along = np.linalg.norm(x)
    # Some length, and not along each other.
    if along > 1e-3 and np.linalg.norm(np.cross(x, y)) > 1e-3 * along:
        matrix = rotations.from_6d(six)
        assert_rotations(matrix)
        np.testing.assert_allclose(rotations.from_6d(rotations.to_6d(matrix)), matrix, atol=1e-6)
        assert rotations.rotate(matrix, np.array([1.0, 0.0, 0.0])) @ x > 0.0


@given(turn=drawn_rotations(), about=st.floats(-np.pi, np.pi))
def test_heading_turns_with_the_body(turn: np.ndarray, about: float) -> None:
    y = rotations.from_rotvec(np.array([0.0, about, 0.0]))
    facing = rotations.heading(turn)
    if np.hypot(turn[0, 0] + turn[2, 2], turn[0, 2] - turn[2, 0]) < 1e-3:
        return  # upside down, where it is not defined
    assert_rotations(facing)
    np.testing.assert_allclose(facing[1], (0.0, 1.0, 0.0), atol=1e-9)
    np.testing.assert_allclose(rotations.heading(facing), facing, atol=1e-6)
    np.testing.assert_allclose(rotations.heading(y @ turn), y @ facing, atol=1e-5)


@given(vector=numbers(3, 20.0))
def test_rotation_vectors(vector: np.ndarray) -> None:
    turn = rotations.from_rotvec(vector)
    assert_rotations(turn)
    np.testing.assert_allclose(rotations.from_rotvec(-vector), turn.T, atol=1e-6)
    np.testing.assert_allclose(rotations.rotate(turn, vector), vector, atol=1e-5)
    if 1e-6 < np.linalg.norm(vector) < 3.0:
        cosine = 0.5 * (np.trace(turn) - 1.0)
        assert np.linalg.norm(vector) == pytest.approx(
            np.arctan2(np.linalg.norm(turn - turn.T) / np.sqrt(8.0), cosine), abs=1e-5
        )


@given(
    turn=drawn_rotations(),
    a=numbers(3, 100.0),
    b=numbers(3, 100.0),
    axis=directions(),
    count=st.sampled_from([1, 3, 200]),
    kind=st.sampled_from([np.float32, np.float64]),
)
def test_vectors(
    turn: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    axis: np.ndarray,
    count: int,
    kind: type[np.floating],
) -> None:
    """One at a time and many at once, in either precision: they take different ways."""
    turn, a, b, axis = (
        np.tile(x, (count,) + (1,) * x.ndim).astype(kind) for x in (turn, a, b, axis)
    )
    off = 1e-2 if kind is np.float32 else 1e-9
    there = rotations.rotate(turn, a)
    assert there.dtype == kind and there.shape == a.shape
    np.testing.assert_allclose(rotations.rotate(rotations.transpose(turn), there), a, atol=off)
    length = np.linalg.norm(a, axis=-1)[:, None]
    np.testing.assert_allclose(arrays.norm(there), length, atol=max(off, 1e-7))
    np.testing.assert_allclose(arrays.dot(a, b)[:, 0], (a * b).sum(-1), atol=off)
    np.testing.assert_allclose(arrays.cross(a, b), np.cross(a, b), atol=off)
    np.testing.assert_allclose(
        rotations.rotate(turn, arrays.cross(a, b)),
        arrays.cross(there, rotations.rotate(turn, b)),
        atol=off,
    )
    rejected = arrays.reject(a, axis)
    np.testing.assert_allclose(arrays.dot(rejected, axis), 0.0, atol=off)
    np.testing.assert_allclose(arrays.reject(rejected, axis), rejected, atol=off)
