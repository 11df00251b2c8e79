"""Small linear algebra, against upc-pymotion and across both libraries."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pymotion.rotations import quat_np as quat

from ssrhmr_core import arrays

RANDOM = np.random.default_rng(0)
UNIT = arrays.normalize(RANDOM.standard_normal((50, 3)))
OTHER = arrays.normalize(RANDOM.standard_normal((50, 3)))
TURNS = quat.to_matrix(quat.normalize(RANDOM.standard_normal((50, 4))))


def test_between_turns_one_direction_into_the_other_by_the_smallest_angle() -> None:
    turn = arrays.between(UNIT, OTHER)
    np.testing.assert_allclose(arrays.rotate(turn, UNIT), OTHER, atol=1e-6)
    angle = np.arccos((np.trace(turn, axis1=1, axis2=2) - 1.0) / 2.0)
    np.testing.assert_allclose(angle, np.arccos((UNIT * OTHER).sum(-1)), atol=1e-5)


@pytest.mark.parametrize("direction", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0.6, 0.0, 0.8)])
def test_between_opposite_directions_is_a_rotation(direction: tuple[float, ...]) -> None:
    a = np.array(direction)
    turn = arrays.between(a, -a)
    np.testing.assert_allclose(arrays.rotate(turn, a), -a, atol=1e-6)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-6)
    assert np.linalg.det(turn) == pytest.approx(1.0)


def test_six_numbers_and_back() -> None:
    np.testing.assert_allclose(arrays.from_6d(arrays.to_6d(TURNS)), TURNS, atol=1e-6)


def test_rotation_vectors_agree_with_pymotion() -> None:
    vectors = 2.0 * RANDOM.standard_normal((50, 3))
    expected = quat.to_matrix(quat.from_scaled_angle_axis(vectors))
    np.testing.assert_allclose(arrays.from_rotation_vector(vectors), expected, atol=1e-6)
    np.testing.assert_allclose(arrays.from_rotation_vector(np.zeros(3)), np.eye(3), atol=1e-7)


@pytest.mark.parametrize(
    ("function", "inputs"),
    [
        (arrays.between, (UNIT, OTHER)),
        (arrays.from_6d, (arrays.to_6d(TURNS),)),
        (arrays.from_rotation_vector, (UNIT,)),
        (arrays.rotate, (TURNS, UNIT)),
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
    arrays.from_rotation_vector(vector).sum().backward()
    assert vector.grad is not None and torch.isfinite(vector.grad).all()
