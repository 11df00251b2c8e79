# SPDX-License-Identifier: GPL-3.0-or-later
"""Muon: an optimizer that makes the momentum of matrices orthogonal before each step.

Source: Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024; the scale of
the step follows Liu et al., "Muon is Scalable for LLM Training", 2025, so that one learning rate
serves it and AdamW. torch has one too, but computes in bfloat16, which on CPUs that lack it is
three times slower than this one in float32.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5


class Muon(torch.optim.Optimizer):
    """Optimizes matrices (inputs, outputs) with Nesterov momentum and decoupled decay."""

    def __init__(
        self, weights: Iterable[Tensor], rate: float, momentum: float = 0.95, decay: float = 1e-2
    ) -> None:
        """Take the matrices.

        Args:
            weights: The matrices.
            rate: Learning rate.
            momentum: Share of the mean gradient that each step keeps.
            decay: Weight decay for each unit of the learning rate.

        Raises:
            ValueError: One of the weights is not a matrix.
        """
        super().__init__(weights, {"lr": rate, "momentum": momentum, "decay": decay})
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.ndim != 2:
                    raise ValueError(f"Muon takes matrices, not {tuple(weight.shape)}")

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move the weights against their gradients."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                if not state:
                    state["momentum"] = torch.zeros_like(weight)
                mean = state["momentum"]
                mean.lerp_(weight.grad, 1.0 - group["momentum"])
                update = orthogonal(weight.grad.lerp(mean, group["momentum"]))
                weight.mul_(1.0 - group["lr"] * group["decay"])
                weight.add_(update, alpha=-0.2 * group["lr"] * max(weight.shape) ** 0.5)


def orthogonal(matrix: Tensor) -> Tensor:
    """Approximate the orthogonal matrix nearest to (n, m) by a Newton-Schulz iteration."""
    a, b, c = _COEFFICIENTS
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    wide = wide / (wide.norm() + 1e-7)
    for _ in range(_ITERATIONS):
        square = wide @ wide.T
        wide = a * wide + (b * square + c * square @ square) @ wide
    return wide if matrix.shape[0] <= matrix.shape[1] else wide.T
