# SPDX-License-Identifier: GPL-3.0-or-later
"""Vector algebra: against NumPy's own functions, and the same for tensors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ssrhmr_core.geometry import arrays
from tests.core.drawn import directions, numbers

RANDOM = np.random.default_rng(0)
A, B = RANDOM.standard_normal((2, 50, 3))
UNIT = B / np.linalg.norm(B, axis=-1, keepdims=True)


@pytest.mark.parametrize("count", [1, 3, 200])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
@given(a=numbers(3, 100.0), b=numbers(3, 100.0), axis=directions())
def test_vectors(
    count: int, kind: type[np.floating], a: np.ndarray, b: np.ndarray, axis: np.ndarray
) -> None:
    """Few vectors and many, in both precisions: they are computed in different ways."""
    a, b, axis = (np.tile(vector, (count, 1)).astype(kind) for vector in (a, b, axis))
    tolerance = 1e-2 if kind is np.float32 else 1e-9
    product = arrays.dot(a, b)
    assert product.dtype == kind and product.shape == (count, 1)
    np.testing.assert_allclose(product[:, 0], (a * b).sum(-1), atol=tolerance)
    # A norm adds 1e-8 to lengths near zero.
    length = np.linalg.norm(a, axis=-1)[:, None]
    np.testing.assert_allclose(arrays.norm(a), length, atol=max(tolerance, 2e-8))
    np.testing.assert_allclose(arrays.cross(a, b), np.cross(a, b), atol=tolerance)
    matrix_product = (arrays.cross_matrix(a) @ b[..., None])[..., 0]
    np.testing.assert_allclose(matrix_product, np.cross(a, b), atol=tolerance)
    rejected = arrays.reject(a, axis)
    np.testing.assert_allclose(arrays.dot(rejected, axis), 0.0, atol=tolerance)
    np.testing.assert_allclose(rejected + (a * axis).sum(-1)[:, None] * axis, a, atol=tolerance)


def test_unit_vectors() -> None:
    unit = arrays.normalize(A)
    np.testing.assert_allclose(np.linalg.norm(unit, axis=-1), 1.0, atol=1e-12)
    np.testing.assert_allclose(unit * np.linalg.norm(A, axis=-1, keepdims=True), A, atol=1e-12)
    np.testing.assert_array_equal(arrays.normalize(np.zeros(3)), np.zeros(3))


@pytest.mark.parametrize(
    ("function", "inputs"),
    [
        (arrays.dot, (A, B)),
        (arrays.norm, (A,)),
        (arrays.normalize, (A,)),
        (arrays.cross, (A, B)),
        (arrays.cross_matrix, (A,)),
        (arrays.reject, (A, UNIT)),
    ],
)
def test_numpy_and_torch_agree(function: object, inputs: tuple[np.ndarray, ...]) -> None:
    expected = function(*inputs)  # type: ignore[operator]
    tensors = [torch.as_tensor(array) for array in inputs]
    result = function(*tensors)  # type: ignore[operator]
    assert isinstance(result, torch.Tensor) and result.dtype == torch.float64
    np.testing.assert_allclose(result.numpy(), expected, atol=1e-12)


def test_the_gradient_of_a_norm_is_finite_at_zero() -> None:
    vector = torch.zeros(3, requires_grad=True)
    arrays.norm(vector).sum().backward()
    assert vector.grad is not None and torch.equal(vector.grad, torch.zeros(3))


@given(
    values=numbers(5, 10.0),
    low=st.none() | st.floats(-5.0, 0.0),
    high=st.none() | st.floats(0.5, 5.0),
)
def test_clamp(values: np.ndarray, low: float | None, high: float | None) -> None:
    expected = [
        min(max(value, -np.inf if low is None else low), np.inf if high is None else high)
        for value in values
    ]
    np.testing.assert_array_equal(arrays.clamp(values, low, high), expected)
    if low is not None or high is not None:
        tensor = arrays.clamp(torch.as_tensor(values), low, high)
        np.testing.assert_array_equal(tensor.numpy(), expected)
    single = arrays.clamp(values.astype(np.float32), low, high)
    assert single.dtype == np.float32


def test_libraries_and_types() -> None:
    values = np.arange(3, dtype=np.float32)
    single, double = torch.zeros(1), torch.zeros(1, dtype=torch.float64)
    assert arrays.namespace(values) is arrays.namespace(values[0]) is np
    assert arrays.namespace(single) is torch
    assert arrays.constant(values, values) is values
    assert arrays.constant(values, np.zeros(1)).dtype == np.float64
    assert arrays.constant(values, double).dtype == torch.float64
    np.testing.assert_array_equal(arrays.constant(values, single).numpy(), values)
    assert arrays.to_float64(values).dtype == np.float64
    assert arrays.to_float64(single).dtype == torch.float64
    assert arrays.cast_like(np.zeros(1), values).dtype == np.float32
    assert arrays.cast_like(double, single).dtype == torch.float32
