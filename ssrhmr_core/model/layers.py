# SPDX-License-Identifier: GPL-3.0-or-later
"""The network's layers, for NumPy arrays and torch tensors alike."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..geometry.arrays import Array, namespace

_HALF = np.array(0.5, np.float32)
"""As an array: NumPy takes longer to look at a number than to multiply hundreds by it."""


def linear(weights: Mapping[str, Array], name: str, x: Array) -> Array:
    """A layer: (..., inputs) -> (..., outputs) by the weights ``name.w`` and ``name.b``."""
    matrix = weights[f"{name}.w"]
    # As one product: with more than two axes NumPy makes many small ones of it.
    found = x.reshape(-1, x.shape[-1]) @ matrix
    found += weights[f"{name}.b"]
    return found.reshape(*x.shape[:-1], matrix.shape[-1])


def residual_net(weights: Mapping[str, Array], name: str, blocks: int, x: Array) -> Array:
    """A net of residual blocks: ``name.in``, ``name.0.a`` and ``.b`` and so on, ``name.out``."""
    hidden = silu(linear(weights, f"{name}.in", x))
    for block in range(blocks):
        inner = silu(linear(weights, f"{name}.{block}.a", hidden))
        hidden = hidden + silu(linear(weights, f"{name}.{block}.b", inner))
    return linear(weights, f"{name}.out", hidden)


def silu(x: Array) -> Array:
    """X times its logistic function."""
    xp = namespace(x)
    if xp is not np:
        return xp.nn.functional.silu(x)
    # Through tanh, which cannot overflow.
    half = x * _HALF
    share = np.tanh(half)
    share *= half
    share += half
    return share
