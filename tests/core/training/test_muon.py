# SPDX-License-Identifier: GPL-3.0-or-later
"""The optimizer of matrices."""

from __future__ import annotations

import pytest
import torch

from ssrhmr_core.training.muon import Muon, orthogonal


@pytest.mark.parametrize("shape", [(30, 12), (12, 30), (16, 16)])
def test_steps_are_nearly_orthogonal(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    values = torch.linalg.svdvals(orthogonal(matrix))
    assert values.min() > 0.5 and values.max() < 1.3


def test_a_step_goes_against_the_gradient() -> None:
    target = torch.randn(8, 8, generator=torch.Generator().manual_seed(1))
    weight = torch.nn.Parameter(torch.zeros(8, 8))
    optimizer = Muon([weight], 0.1)
    losses = []
    for _ in range(200):
        loss = (weight - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.05 * losses[0]


def test_weights_without_a_gradient_stay() -> None:
    weight = torch.nn.Parameter(torch.ones(2, 2))
    Muon([weight], 0.1).step()
    assert torch.equal(weight.detach(), torch.ones(2, 2))


def test_only_matrices_are_taken() -> None:
    with pytest.raises(ValueError, match="matrices"):
        Muon([torch.nn.Parameter(torch.zeros(3))], 1e-3)
