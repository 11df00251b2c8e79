# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotations in batches: against upc-pymotion, and the same for tensors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pymotion.rotations import quat_np as quat

from ssrhmr_core.geometry import arrays, rotations
from tests.core.drawn import directions, numbers, quaternions
from tests.core.drawn import rotations as matrices

RANDOM = np.random.default_rng(0)
UNIT = arrays.normalize(RANDOM.standard_normal((50, 3)))
OTHER = arrays.normalize(RANDOM.standard_normal((50, 3)))
QUATS = quat.normalize(RANDOM.standard_normal((50, 4)))
MATRICES = quat.to_matrix(QUATS)
ANGLES = RANDOM.uniform(-np.pi, np.pi, 50)


def assert_rotations(matrix: np.ndarray, atol: float = 1e-6) -> None:
    product = matrix @ rotations.transpose(matrix)
    np.testing.assert_allclose(product, np.broadcast_to(np.eye(3), product.shape), atol=atol)
    np.testing.assert_allclose(np.linalg.det(matrix), 1.0, atol=atol)


@pytest.mark.parametrize(
    ("function", "inputs"),
    [
        (rotations.rotation_between, (UNIT, OTHER)),
        (rotations.from_6d, (rotations.to_6d(MATRICES),)),
        (rotations.to_6d, (MATRICES,)),
        (rotations.from_rotvec, (UNIT,)),
        (rotations.rotate, (MATRICES, UNIT)),
        (rotations.heading, (MATRICES,)),
        (lambda angle: rotations.rotation_about(rotations.Z_AXIS, angle), (ANGLES,)),
    ],
)
def test_numpy_and_torch_agree(function: object, inputs: tuple[np.ndarray, ...]) -> None:
    expected = function(*inputs)  # type: ignore[operator]
    tensors = [torch.as_tensor(array) for array in inputs]
    np.testing.assert_allclose(function(*tensors).numpy(), expected, atol=1e-12)  # type: ignore[operator]


@pytest.mark.parametrize("count", [1, 3, 200])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
@given(matrix=matrices(), vector=numbers(3, 100.0))
def test_rotate_and_back(
    count: int, kind: type[np.floating], matrix: np.ndarray, vector: np.ndarray
) -> None:
    """Few vectors and many, in both precisions: they are computed in different ways."""
    matrix = np.tile(matrix, (count, 1, 1)).astype(kind)
    vector = np.tile(vector, (count, 1)).astype(kind)
    tolerance = 1e-2 if kind is np.float32 else 1e-9
    there = rotations.rotate(matrix, vector)
    assert there.dtype == kind and there.shape == vector.shape
    np.testing.assert_allclose(there[0], matrix[0] @ vector[0], atol=tolerance)
    back = rotations.rotate(rotations.transpose(matrix), there)
    np.testing.assert_allclose(back, vector, atol=tolerance)


def test_six_numbers_and_back() -> None:
    six = rotations.to_6d(MATRICES)
    np.testing.assert_array_equal(six[:, :3], MATRICES[:, :, 0])
    np.testing.assert_allclose(rotations.from_6d(six), MATRICES, atol=1e-6)
    np.testing.assert_array_equal(rotations.to_6d(np.eye(3)), rotations.IDENTITY_6D)


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


@given(unit=quaternions())
def test_quaternions_agree_with_pymotion(unit: np.ndarray) -> None:
    matrix = rotations.from_quat(unit)
    np.testing.assert_allclose(matrix, quat.to_matrix(unit), atol=1e-12)
    back = rotations.to_quat(matrix)
    assert back.shape == (4,)
    assert abs(back @ unit) == pytest.approx(1.0, abs=1e-12)


def test_batches_of_quaternions() -> None:
    many = QUATS.astype(np.float32).reshape(5, 10, 4)
    matrix = rotations.from_quat(many)
    assert matrix.shape == (5, 10, 3, 3) and matrix.dtype == np.float32
    back = rotations.to_quat(matrix)
    assert back.shape == many.shape and back.dtype == np.float32
    np.testing.assert_allclose(np.abs((back * many).sum(-1)), 1.0, atol=1e-6)


@given(start=quaternions(), end=quaternions(), share=st.floats(0.0, 1.0))
def test_slerp_takes_its_share_of_the_shortest_arc(
    start: np.ndarray, end: np.ndarray, share: float
) -> None:
    middle = rotations.slerp(start, end, np.array([share]))
    assert middle.dtype == np.float32
    assert np.linalg.norm(middle) == pytest.approx(1.0, abs=1e-6)
    whole, part = angle_between(start, end), angle_between(start, middle)
    if whole < 3.0:  # Opposite rotations have no shortest arc.
        assert part == pytest.approx(share * whole, abs=2e-3)
    other_sign = rotations.slerp(start, -end, np.array([share]))
    if abs(start @ end) > 1e-9:
        np.testing.assert_allclose(other_sign, middle, atol=1e-6)


def angle_between(a: np.ndarray, b: np.ndarray) -> float:
    """Return the angle between two unit quaternions, accurate near zero too."""
    difference = min(np.linalg.norm(a - b), np.linalg.norm(a + b))
    return 4.0 * np.arcsin(min(0.5 * float(difference), 1.0))


def test_rotation_vectors_agree_with_pymotion() -> None:
    rotvecs = 2.0 * RANDOM.standard_normal((50, 3))
    expected = quat.to_matrix(quat.from_scaled_angle_axis(rotvecs))
    np.testing.assert_allclose(rotations.from_rotvec(rotvecs), expected, atol=1e-6)
    np.testing.assert_allclose(rotations.from_rotvec(np.zeros(3)), np.eye(3), atol=1e-7)


@given(rotvec=numbers(3, 20.0))
def test_any_rotation_vector(rotvec: np.ndarray) -> None:
    matrix = rotations.from_rotvec(rotvec)
    assert_rotations(matrix)
    np.testing.assert_allclose(rotations.from_rotvec(-rotvec), matrix.T, atol=1e-6)
    np.testing.assert_allclose(rotations.rotate(matrix, rotvec), rotvec, atol=1e-5)


@given(axis=directions(), angle=st.floats(0.0, 3.1) | st.floats(0.0, 1e-5))
def test_rotation_vectors_and_back(axis: np.ndarray, angle: float) -> None:
    matrix = quat.to_matrix(quat.from_scaled_angle_axis(angle * axis))
    np.testing.assert_allclose(rotations.to_rotvec(matrix), angle * axis, atol=1e-7)
    assert rotations.rotation_angle(matrix) == pytest.approx(angle, abs=1e-4)


def test_rotation_vectors_take_the_short_way() -> None:
    """A rotation by 270 degrees is one by 90 degrees the other way; the identity is zero."""
    three_quarters = rotations.rotation_about(rotations.Y_AXIS, np.radians(270.0))
    batch = np.stack([three_quarters, np.eye(3)])
    expected = [[0.0, np.radians(-90.0), 0.0], [0.0, 0.0, 0.0]]
    np.testing.assert_allclose(rotations.to_rotvec(batch), expected, atol=1e-9)


def test_gradients_are_finite_at_zero() -> None:
    rotvec = torch.zeros(3, requires_grad=True)
    rotations.from_rotvec(rotvec).sum().backward()
    assert rotvec.grad is not None and torch.isfinite(rotvec.grad).all()


@pytest.mark.parametrize("axis", [rotations.X_AXIS, rotations.Y_AXIS, rotations.Z_AXIS])
def test_rotations_about_an_axis(axis: int) -> None:
    expected = quat.to_matrix(quat.from_scaled_angle_axis(ANGLES[:, None] * np.eye(3)[axis]))
    np.testing.assert_allclose(rotations.rotation_about(axis, ANGLES), expected, atol=1e-12)
    single = rotations.rotation_about(axis, float(ANGLES[0]))
    np.testing.assert_allclose(single, expected[0], atol=1e-12)
    assert rotations.rotation_about(axis, ANGLES.astype(np.float32)).dtype == np.float32


@given(matrix=matrices(), angle=st.floats(-np.pi, np.pi))
def test_heading_turns_with_the_body(matrix: np.ndarray, angle: float) -> None:
    about_y = rotations.rotation_about(rotations.Y_AXIS, angle)
    facing = rotations.heading(matrix)
    if np.hypot(matrix[0, 0] + matrix[2, 2], matrix[0, 2] - matrix[2, 0]) < 1e-3:
        return  # Upside down, where it is not defined.
    assert_rotations(facing)
    np.testing.assert_allclose(facing[1], (0.0, 1.0, 0.0), atol=1e-9)
    np.testing.assert_allclose(rotations.heading(facing), facing, atol=1e-6)
    np.testing.assert_allclose(rotations.heading(about_y @ matrix), about_y @ facing, atol=1e-5)


def test_heading_is_the_nearest_rotation_about_y() -> None:
    candidates = rotations.rotation_about(rotations.Y_AXIS, np.radians(np.arange(360.0)))
    for matrix in MATRICES:
        nearest = rotations.rotation_angle(rotations.transpose(candidates) @ matrix).min()
        own = rotations.rotation_angle(rotations.heading(matrix).T @ matrix)
        assert own <= nearest + 1e-6


def test_smallest_rotation_between_directions() -> None:
    matrix = rotations.rotation_between(UNIT, OTHER)
    np.testing.assert_allclose(rotations.rotate(matrix, UNIT), OTHER, atol=1e-6)
    angle = np.arccos((UNIT * OTHER).sum(-1))
    np.testing.assert_allclose(rotations.rotation_angle(matrix), angle, atol=1e-5)


@pytest.mark.parametrize("direction", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0.6, 0.0, 0.8)])
def test_opposite_directions(direction: tuple[float, ...]) -> None:
    a = np.array(direction)
    matrix = rotations.rotation_between(a, -a)
    np.testing.assert_allclose(rotations.rotate(matrix, a), -a, atol=1e-6)
    assert_rotations(matrix)


@given(a=directions(), b=directions(), near=st.sampled_from([0.0, 1.0, 1e-2, 1e-5, 1e-9]))
def test_any_directions(a: np.ndarray, b: np.ndarray, near: float) -> None:
    """Any two, and those that are nearly alike or nearly opposite."""
    for other in (b, a + near * b, -a + near * b):
        if np.linalg.norm(other) < 1e-3:
            continue
        other = other / np.linalg.norm(other)
        matrix = rotations.rotation_between(a, other)
        assert_rotations(matrix)
        # The function takes nearly opposite directions, to 0.8 degrees, for opposite ones.
        tolerance = 1e-6 if a @ other > -0.9999 else 0.015
        np.testing.assert_allclose(rotations.rotate(matrix, a), other, atol=tolerance)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_few_rotations_are_those_of_many(kind: type[np.floating]) -> None:
    """Few are computed in plain floats, many in arrays."""
    six = (rotations.to_6d(MATRICES) + 0.1 * RANDOM.standard_normal((50, 6))).astype(kind)
    rotvecs = (2.0 * UNIT).astype(kind)
    six[7], rotvecs[7] = 0.0, 0.0
    atol = 1e-6 if kind is np.float32 else 1e-9
    for function, values, last in (
        (rotations.from_6d, six, (3, 3)),
        (rotations.orthonormalize, six, (2, 3)),
        (rotations.from_rotvec, rotvecs, (3, 3)),
    ):
        many = function(values)
        few = np.stack([function(row.reshape(1, 2, -1)) for row in values.reshape(25, 2, -1)])
        assert few.dtype == many.dtype == kind and few.shape == (25, 1, 2, *last)
        np.testing.assert_allclose(few.reshape(many.shape), many, atol=atol)


def test_axes_as_rows() -> None:
    matrix = MATRICES[:48].reshape(8, 6, 3, 3)
    axes = rotations.axes_6d(matrix)
    assert axes.shape == (8, 12, 3)
    np.testing.assert_array_equal(axes.reshape(8, 6, 6), rotations.to_6d(matrix))
