# SPDX-License-Identifier: GPL-3.0-or-later
"""The stages as a torch module: weights, loss and gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ssrhmr_core.model.weights import shapes
from ssrhmr_core.training.augment import Windows
from ssrhmr_core.training.corpus import Corpus
from ssrhmr_core.training.model import Stages, Terms
from ssrhmr_core.training.sensors import SensorModel, Sensors
from tests.core.training.conftest import CONTEXT_FRAMES, CPU, PLAIN


def test_the_same_seed_gives_the_same_weights() -> None:
    first, second, other = Stages(7).export(), Stages(7).export(), Stages(8).export()
    assert {name: array.shape for name, array in first.items()} == shapes()
    assert all((first[name] == second[name]).all() for name in first)
    assert any((first[name] != array).any() for name, array in other.items())


def test_weights_are_copied() -> None:
    first, second = Stages(1), Stages(2)
    second.load(first.export())
    for name, array in first.export().items():
        np.testing.assert_array_equal(second.export()[name], array)


def test_the_loss_falls(corpus: Corpus) -> None:
    windows, stages = Windows(corpus, 8, PLAIN, CPU, CONTEXT_FRAMES), Stages(0)
    sensors = SensorModel(Sensors(), CPU)
    optimizer = torch.optim.AdamW(stages.parameters(), lr=2e-3)
    generator = torch.Generator().manual_seed(0)
    losses = []
    for _ in range(25):
        batch = windows.draw(16, generator)
        loss, _ = stages(batch, sensors.read(batch, generator))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])
    gradients = [weight.grad for weight in stages.parameters() if weight.grad is not None]
    assert len(gradients) == sum(weight.requires_grad for weight in stages.parameters())
    assert all(torch.isfinite(gradient).all() for gradient in gradients)


def test_the_loss_is_the_weighted_sum_of_its_terms(corpus: Corpus) -> None:
    generator = torch.Generator().manual_seed(0)
    batch = Windows(corpus, 8, PLAIN, CPU, CONTEXT_FRAMES).draw(16, generator)
    readings = SensorModel(Sensors(lost=0.8), CPU).read(batch, generator)
    weights = Terms(position=1.0, rotation=2.0, velocity=3.0, learned=4.0, guess=5.0, filled=6.0)
    loss, terms = Stages(0, weights)(batch, readings)
    values = {name: float(term.detach()) for name, term in terms.items()}
    assert all(value > 0.0 for value in values.values())
    expected = sum(getattr(weights, name) * value for name, value in values.items())
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-5)


def test_the_stages_do_not_train_the_predictor_of_lost_trackers(corpus: Corpus) -> None:
    """Without its own term it learns nothing, though the stages read its predictions."""
    generator = torch.Generator().manual_seed(0)
    batch = Windows(corpus, 8, PLAIN, CPU, CONTEXT_FRAMES).draw(16, generator)
    readings = SensorModel(Sensors(lost=0.8), CPU).read(batch, generator)
    stages = Stages(0, Terms(filled=0.0))
    loss, _ = stages(batch, readings)
    loss.backward()
    named = stages.named()
    predictor = {name for name in named if name.startswith("filling.")}
    assert predictor
    for name, weight in named.items():
        if not weight.requires_grad:
            continue
        assert weight.grad is not None
        assert bool((weight.grad == 0.0).all()) == (name in predictor), name
