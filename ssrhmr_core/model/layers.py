# SPDX-License-Identifier: GPL-3.0-or-later
"""The network's layers, for NumPy arrays and torch tensors alike."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from ..geometry.arrays import Array, namespace

HALVED = "halved"
"""Name among the weights that says that layers before a silu are halved."""
_HALF = np.array(0.5, np.float32)
"""An array, because NumPy takes longer to convert a float than to multiply hundreds by it."""


def linear(weights: Mapping[str, Array], name: str, x: Array) -> Array:
    """Apply a layer with the weights ``name.w`` and ``name.b``: (..., inputs) -> (..., outputs)."""
    matrix_name, bias_name = _names(name)
    matrix, bias = weights[matrix_name], weights[bias_name]
    if x.ndim > 2 and matrix.ndim == 2:
        # One product of two axes: with more of them NumPy would compute many small products.
        outputs = x.reshape(-1, x.shape[-1]) @ matrix
        outputs = outputs.reshape(*x.shape[:-1], matrix.shape[-1])
    else:
        outputs = x @ matrix
    outputs += bias
    return outputs


@functools.cache
def _names(layer: str) -> tuple[str, str]:
    """Return the names of a layer's weights, which are made once instead of in every frame."""
    return f"{layer}.w", f"{layer}.b"


def fold_inputs(
    weights: Mapping[str, np.ndarray], name: str, begin: int, values: np.ndarray
) -> dict[str, np.ndarray]:
    """Return a layer without the inputs that are always the same: they become part of the bias.

    Args:
        weights: Arrays by name.
        name: Name of the layer.
        begin: Index of the first of these inputs.
        values: (..., n) the inputs. With leading axes each row gets a bias of its own.

    Returns:
        The arrays ``name.w`` (inputs - n, outputs) and ``name.b`` (..., outputs).
    """
    matrix, bias = weights[f"{name}.w"], weights[f"{name}.b"]
    folded = slice(begin, begin + values.shape[-1])
    product = values.astype(np.float64) @ matrix[folded].astype(np.float64)
    return {
        f"{name}.w": np.delete(matrix, folded, 0),
        f"{name}.b": (bias + product).astype(np.float32),
    }


def halve_layers(weights: Mapping[str, np.ndarray], layers: Iterable[str]) -> dict[str, np.ndarray]:
    """Return weights whose outputs are half as large, which is exact: a silu begins with that.

    Args:
        weights: Arrays by name.
        layers: Names of all layers before a silu, or of those without a bias.
    """
    halved = {HALVED: np.ones(1, np.float32)}
    for name in layers:
        for key in _names(name):
            if key in weights:
                halved[key] = weights[key] * _HALF
    return halved


def residual_net(
    weights: Mapping[str, Array], name: str, blocks: int, x: Array, added: Array | None = None
) -> Array:
    """Apply a net of residual blocks; see :func:`residual_hidden`.

    Returns:
        (..., outputs).
    """
    return linear(weights, f"{name}.out", residual_hidden(weights, name, blocks, x, added))


def residual_hidden(
    weights: Mapping[str, Array], name: str, blocks: int, x: Array, added: Array | None = None
) -> Array:
    """Apply all of a net of residual blocks but its last layer.

    Args:
        weights: Weights of the layers ``name.in``, ``name.0.a``, ``name.0.b`` and so on, and
            ``name.out``.
        name: Prefix of the layers' names.
        blocks: Number of blocks.
        x: (..., inputs).
        added: (..., width) terms to add to the first layer; None for none.

    Returns:
        (..., width) of the last block.
    """
    activate = activation(weights)
    first = linear(weights, f"{name}.in", x)
    hidden = activate(first if added is None else first + added)
    for block in range(blocks):
        inner = activate(linear(weights, f"{name}.{block}.a", hidden))
        hidden = hidden + activate(linear(weights, f"{name}.{block}.b", inner))
    return hidden


def activation(weights: Mapping[str, Array]) -> Callable[[Array], Array]:
    """Return what follows each layer but the last of a net: silu, of its outputs or of halves."""
    return silu_of_twice if HALVED in weights else silu


def silu(x: Array) -> Array:
    """Return ``x`` times its logistic function."""
    xp = namespace(x)
    return silu_of_twice(x * _HALF) if xp is np else xp.nn.functional.silu(x)


def silu_of_twice(half: np.ndarray) -> np.ndarray:
    """Return the silu of twice an array: what :func:`halve_layers` leaves to be done."""
    # tanh cannot overflow.
    share = np.tanh(half)
    share *= half
    share += half
    return share
