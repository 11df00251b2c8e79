# SPDX-License-Identifier: GPL-3.0-or-later
"""Random tensors from one generator, so that a run can be repeated and resumed."""

from __future__ import annotations

import torch
from torch import Tensor


class RandomTensors:
    """Draws tensors on a device; the same state of the generator gives the same tensors."""

    def __init__(self, generator: torch.Generator, device: torch.device) -> None:
        """Draw from ``generator``, which lives on ``device``."""
        self._generator, self._device = generator, device

    def uniform(self, *shape: int) -> Tensor:
        """Draw numbers from 0 to 1."""
        return torch.rand(shape, generator=self._generator, device=self._device)

    def normal(self, *shape: int) -> Tensor:
        """Draw numbers of mean 0 and standard deviation 1."""
        return torch.randn(shape, generator=self._generator, device=self._device)

    def permutation(self, count: int) -> Tensor:
        """Draw an order of the integers below ``count``."""
        return torch.randperm(count, generator=self._generator, device=self._device)

    def indices(self, weights: Tensor, count: int) -> Tensor:
        """Draw ``count`` indices, each with a chance in proportion to its weight."""
        return torch.multinomial(weights, count, replacement=True, generator=self._generator)
