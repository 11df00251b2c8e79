# SPDX-License-Identifier: GPL-3.0-or-later
"""Layers against torch's own."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ssrhmr_core.model.layers import (
    fold_inputs,
    halve_layers,
    linear,
    residual_net,
    silu,
)

RANDOM = np.random.default_rng(0)


def random_weights(**shapes: tuple[int, int]) -> dict[str, np.ndarray]:
    weights = {}
    for name, (inputs, outputs) in shapes.items():
        weights[f"net.{name}.w"] = RANDOM.standard_normal((inputs, outputs)).astype("f4")
        weights[f"net.{name}.b"] = RANDOM.standard_normal(outputs).astype("f4")
    return weights


def test_a_layer_of_any_leading_axes() -> None:
    weights = random_weights(a=(5, 3))
    x = RANDOM.standard_normal((2, 4, 5)).astype("f4")
    expected = torch.nn.functional.linear(
        torch.as_tensor(x),
        torch.as_tensor(weights["net.a.w"].T),
        torch.as_tensor(weights["net.a.b"]),
    )
    result = linear(weights, "net.a", x)
    assert result.shape == (2, 4, 3) and result.dtype == np.float32
    np.testing.assert_allclose(result, expected.numpy(), atol=1e-5)


def test_silu_is_torchs_and_does_not_overflow() -> None:
    x = np.concatenate([RANDOM.standard_normal(100), [-1e4, 0.0, 1e4]]).astype("f4")
    expected = torch.nn.functional.silu(torch.as_tensor(x))
    with np.errstate(all="raise", under="ignore"):
        result = silu(x)
    np.testing.assert_allclose(result, expected.numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(silu(torch.as_tensor(x)).numpy(), expected.numpy())


def test_blocks_add_to_what_they_get() -> None:
    weights = random_weights(**{"in": (5, 8), "0.a": (8, 8), "0.b": (8, 8), "out": (8, 2)})
    x = RANDOM.standard_normal((7, 5)).astype("f4")
    hidden = silu(linear(weights, "net.in", x))
    inner = silu(linear(weights, "net.0.b", silu(linear(weights, "net.0.a", hidden))))
    expected = linear(weights, "net.out", hidden + inner)
    np.testing.assert_allclose(residual_net(weights, "net", 1, x), expected, atol=1e-5)
    tensors = {name: torch.as_tensor(array) for name, array in weights.items()}
    result = residual_net(tensors, "net", 1, torch.as_tensor(x))
    np.testing.assert_allclose(result.numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("rows", [(), (4,)])
def test_folded_inputs_are_part_of_the_bias(rows: tuple[int, ...]) -> None:
    weights = random_weights(a=(9, 3))
    x = RANDOM.standard_normal((2, 4, 9)).astype("f4")
    x[..., 2:7] = same = RANDOM.standard_normal((*rows, 5)).astype("f4")
    folded = fold_inputs(weights, "net.a", 2, same)
    assert folded["net.a.w"].shape == (4, 3) and folded["net.a.b"].shape == (*rows, 3)
    result = linear(folded, "net.a", np.delete(x, range(2, 7), -1))
    np.testing.assert_allclose(result, linear(weights, "net.a", x), atol=1e-5)


def test_halved_layers_are_exact() -> None:
    weights = random_weights(**{"in": (5, 8), "0.a": (8, 8), "0.b": (8, 8), "out": (8, 2)})
    x = RANDOM.standard_normal((7, 5)).astype("f4")
    halved = weights | halve_layers(weights, ("net.in", "net.0.a", "net.0.b"))
    assert (halved["net.0.b.w"] == 0.5 * weights["net.0.b.w"]).all()
    expected = residual_net(weights, "net", 1, x)
    np.testing.assert_array_equal(residual_net(halved, "net", 1, x), expected)


def test_two_layers_in_one() -> None:
    weights = random_weights(a=(5, 3), b=(5, 3))
    both = {
        f"net.both.{part}": np.stack([np.atleast_2d(weights[f"net.{n}.{part}"]) for n in "ab"])
        for part in "wb"
    }
    x = RANDOM.standard_normal((2, 4, 5)).astype("f4")
    expected = np.stack([linear(weights, f"net.{name}", x[row]) for row, name in enumerate("ab")])
    np.testing.assert_allclose(linear(both, "net.both", x), expected, atol=1e-5)
