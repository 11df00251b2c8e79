# SPDX-License-Identifier: GPL-3.0-or-later
"""The published architecture: its parts, and that they learn."""

from __future__ import annotations

import numpy as np
import torch

from ssrhmr_core.body.skeleton import INDEX, TRACKER_JOINTS, TRACKERS
from ssrhmr_core.training.augment import Batch, Windows
from ssrhmr_core.training.corpus import Corpus
from ssrhmr_core.training.paper import WINDOW, Published, bones_between, nearest_trackers
from ssrhmr_core.training.sensors import Readings
from tests.core.training.conftest import CONTEXT_FRAMES, CPU, PLAIN


def ideal_readings(batch: Batch) -> Readings:
    joints = list(TRACKER_JOINTS)
    positions, rotations = batch.positions[:, :, joints], batch.rotations[:, :, joints]
    return Readings(
        positions=positions,
        rotations=rotations,
        valid=torch.ones(positions.shape[:3], dtype=torch.bool),
        context_positions=batch.context_positions,
        context_rotations=batch.context_rotations,
        known=torch.ones(len(positions), dtype=torch.bool),
    )


def test_43_frames_and_neighbours_within_two_bones() -> None:
    assert WINDOW == 43
    bones = bones_between()
    np.testing.assert_array_equal(bones, bones.T)
    assert bones[INDEX["left_toe"], INDEX["right_toe"]] == 8
    assert bones[INDEX["head"], INDEX["left_wrist"]] == 6
    mask = Published(0).mask[..., 0].reshape(22, 8, 22, 8)[:, 0, :, 0]
    np.testing.assert_array_equal(mask.numpy() > 0.0, bones <= 2)
    nearest = nearest_trackers()
    assert [nearest[joint] for joint in TRACKER_JOINTS] == list(range(6))
    assert nearest[INDEX["left_elbow"]] == TRACKERS.index("left_hand")
    assert nearest[INDEX["lower_spine"]] == TRACKERS.index("pelvis")


def test_poses_turn_with_the_room(corpus: Corpus) -> None:
    """The root's heading and position are not among the inputs."""
    batch = Windows(corpus, 32, PLAIN, CPU, CONTEXT_FRAMES).draw(
        4, torch.Generator().manual_seed(0)
    )
    readings, model = ideal_readings(batch), Published(0)
    turn = torch.tensor([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
    with torch.no_grad():
        here = model.pose(readings.positions, readings.rotations, batch.offsets, batch.sizes)
        moved = readings.positions @ turn.T + torch.tensor([3.0, 0.0, -2.0])
        there = model.pose(moved, turn @ readings.rotations, batch.offsets, batch.sizes)
    assert here.shape == (4, batch.positions.shape[1] - WINDOW + 1, 22, 3, 3)
    torch.testing.assert_close(there, turn @ here, atol=1e-4, rtol=0.0)


def test_the_loss_falls_in_every_stage(corpus: Corpus) -> None:
    windows, generator = (
        Windows(corpus, 32, PLAIN, CPU, CONTEXT_FRAMES),
        torch.Generator().manual_seed(0),
    )
    model = Published(0)
    (optimizer,) = model.optimizers(1e-3)
    history = []
    for _ in range(30):
        batch = windows.draw(4, generator)
        loss, terms = model(batch, ideal_readings(batch))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append({name: float(term.detach()) for name, term in terms.items()})
    for name in ("guess", "torso", "limbs"):
        assert history[-1][name] < 0.7 * history[0][name]
    assert all(weight.grad is not None for weight in model.parameters())


def test_stages_learn_separately(corpus: Corpus) -> None:
    """Detached, as published: the loss of the limbs moves neither torso nor generator."""
    batch = Windows(corpus, 32, PLAIN, CPU, CONTEXT_FRAMES).draw(
        2, torch.Generator().manual_seed(0)
    )
    model = Published(0)
    _, terms = model(batch, ideal_readings(batch))
    terms["limbs"].backward()
    assert all(weight.grad is None for weight in model.convolutions.parameters())
    assert all(weight.grad is None for weight in model.torso.parameters())
    assert all(weight.grad is not None for weight in model.limbs.parameters())


def test_weights_are_copied() -> None:
    first, second, other = Published(1), Published(1), Published(2)
    for name, array in first.export().items():
        np.testing.assert_array_equal(second.export()[name], array)
    assert any((other.export()[name] != array).any() for name, array in first.export().items())
    other.load(first.export())
    for name, array in first.export().items():
        np.testing.assert_array_equal(other.export()[name], array)
