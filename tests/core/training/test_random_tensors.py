# SPDX-License-Identifier: GPL-3.0-or-later
"""Random tensors of one generator."""

from __future__ import annotations

import torch

from ssrhmr_core.training.random_tensors import RandomTensors
from tests.core.training.conftest import CPU


def test_the_same_seed_gives_the_same_tensors() -> None:
    draws = []
    for seed in (1, 1, 2):
        random = RandomTensors(torch.Generator().manual_seed(seed), CPU)
        weights = torch.tensor([1.0, 0.0, 3.0])
        draws.append(
            torch.cat(
                [
                    random.uniform(5),
                    random.normal(5),
                    random.permutation(50).float(),
                    random.indices(weights, 50).float(),
                ]
            )
        )
    assert torch.equal(draws[0], draws[1]) and not torch.equal(draws[0], draws[2])


def test_distributions() -> None:
    random = RandomTensors(torch.Generator().manual_seed(0), CPU)
    uniform, normal = random.uniform(40, 500), random.normal(40, 500)
    assert uniform.shape == (40, 500) and uniform.min() >= 0.0 and uniform.max() <= 1.0
    assert abs(float(uniform.mean()) - 0.5) < 0.01
    assert abs(float(normal.mean())) < 0.03 and abs(float(normal.std()) - 1.0) < 0.03
    assert random.permutation(7).sort().values.tolist() == list(range(7))
    chosen = random.indices(torch.tensor([1.0, 0.0, 3.0]), 4000)
    assert not (chosen == 1).any()
    assert abs(float((chosen == 2).float().mean()) - 0.75) < 0.03
