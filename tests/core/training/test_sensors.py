# SPDX-License-Identifier: GPL-3.0-or-later
"""Readings of ideal and of bad trackers."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from ssrhmr_core.body.skeleton import TRACKER_JOINTS, TRACKERS
from ssrhmr_core.training.augment import Augmentation, Batch, Windows
from ssrhmr_core.training.corpus import Corpus
from ssrhmr_core.training.sensors import Readings, SensorModel, Sensors
from tests.core.training.conftest import CONTEXT_FRAMES, CPU

JOINTS = list(TRACKER_JOINTS)
ONLY = Sensors(
    imperfect=1.0,
    noise=0.0,
    noise_rotation=0.0,
    slow=0.0,
    slow_rotation=0.0,
    mount_offset=0.0,
    mount_rotation=0.0,
    delay=0.0,
    rounding=0.0,
    lost=0.0,
)
"""Bad trackers without any ingredient."""


@pytest.fixture
def batch(corpus: Corpus) -> Batch:
    generator = torch.Generator().manual_seed(2)
    return Windows(corpus, 8, Augmentation(), CPU, CONTEXT_FRAMES).draw(128, generator)


def read(batch: Batch, sensors: Sensors, seed: int = 3) -> Readings:
    return SensorModel(sensors, CPU).read(batch, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("sensors", [Sensors(imperfect=0.0, lost=0.0), ONLY])
def test_ideal_readings_are_the_joints(batch: Batch, sensors: Sensors) -> None:
    readings = read(batch, sensors)
    assert readings.valid.all()
    assert torch.allclose(readings.positions, batch.positions[:, :, JOINTS], atol=1e-5)
    assert torch.allclose(readings.rotations, batch.rotations[:, :, JOINTS], atol=1e-4)


def test_bad_readings(batch: Batch) -> None:
    readings = read(batch, Sensors(imperfect=1.0, lost=0.0))
    distance = (readings.positions - batch.positions[:, :, JOINTS]).norm(dim=-1)
    assert 0.003 < float(distance.mean()) < 0.03
    product = readings.rotations @ readings.rotations.mT
    assert torch.allclose(product, torch.eye(3).expand(product.shape), atol=1e-4)


def test_the_same_seed_gives_the_same_readings(batch: Batch) -> None:
    first, second, other = (read(batch, Sensors(), seed) for seed in (3, 3, 4))
    assert torch.equal(first.positions, second.positions)
    assert torch.equal(first.valid, second.valid)
    assert not torch.equal(first.positions, other.positions)


def test_losses(batch: Batch) -> None:
    lost = ~read(batch, Sensors(lost=0.5)).valid
    assert 0.2 < float(lost.any(-1).any(-1).float().mean()) < 0.6
    # Pelvis and head are never lost together: there would be nothing to go by.
    assert not (lost[..., TRACKERS.index("pelvis")] & lost[..., TRACKERS.index("head")]).any()
    # A loss has one beginning and one end.
    changes = (lost[:, 1:] != lost[:, :-1]).sum(1)
    assert int(changes.max()) <= 2


def test_a_mount_is_constant_in_the_joints_axes(batch: Batch) -> None:
    readings = read(batch, Sensors(**(vars(ONLY) | {"mount_offset": 0.01})))
    joints, rotations = batch.positions[:, :, JOINTS], batch.rotations[:, :, JOINTS]
    offsets = (rotations.mT @ (readings.positions - joints)[..., None])[..., 0]
    assert float(offsets.norm(dim=-1).max()) > 0.005
    assert torch.allclose(offsets, offsets[:, :1].expand(offsets.shape), atol=1e-4)


def test_a_delay_is_between_a_frame_and_the_one_before(batch: Batch) -> None:
    readings = read(batch, Sensors(**(vars(ONLY) | {"delay": 1.0 / 60.0})))
    now, before = batch.positions[:, 1:, JOINTS], batch.positions[:, :-1, JOINTS]
    step, late = now - before, now - readings.positions[:, 1:]
    moving = step.norm(dim=-1) > 1e-3
    share = ((late * step).sum(-1) / step.square().sum(-1).clamp(min=1e-9))[moving]
    assert float(share.min()) > -0.02 and float(share.max()) < 1.02
    assert float(share.mean()) > 0.3


def test_rounding(batch: Batch) -> None:
    readings = read(batch, Sensors(**(vars(ONLY) | {"rounding": 0.001})))
    distance = (readings.positions - batch.positions[:, :, JOINTS]).abs()
    assert 1e-5 < float(distance.max()) < 0.00051


def test_parts_of_readings(batch: Batch) -> None:
    readings = read(batch, Sensors(lost=0.5))
    part = readings.part(slice(2, 4))
    assert torch.equal(part.positions, readings.positions[2:4])
    assert torch.equal(part.rotations, readings.rotations[2:4])
    assert torch.equal(part.valid, readings.valid[2:4])


def test_the_context_has_the_mounts_of_its_window(batch: Batch) -> None:
    readings = read(batch, replace(ONLY, mount_offset=0.05))
    truth = batch.positions[:, :, JOINTS]
    window = batch.rotations[:, :, JOINTS].mT @ (readings.positions - truth)[..., None]
    difference = readings.context_positions - batch.context_positions
    context = batch.context_rotations.mT @ difference[..., None]
    assert float(window.abs().max()) > 0.02
    assert torch.allclose(context[:, 0], window[:, 0], atol=1e-4)


def test_some_performers_are_unknown(corpus: Corpus) -> None:
    generator = torch.Generator().manual_seed(2)
    batch = Windows(corpus, 8, Augmentation(), CPU, CONTEXT_FRAMES).draw(2000, generator)
    readings = read(batch, Sensors(lost=0.5, unknown=0.1, unknown_lost=0.6))
    lost = (~readings.valid).flatten(1).any(1)
    assert 0.07 < float((~readings.known[~lost]).float().mean()) < 0.13
    assert 0.55 < float((~readings.known[lost]).float().mean()) < 0.65
