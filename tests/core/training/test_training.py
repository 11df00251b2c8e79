# SPDX-License-Identifier: GPL-3.0-or-later
"""Windows, augmentation and the loss."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ssrhmr_core.body.skeleton import PARENTS, TRACKER_JOINTS, Skeleton
from ssrhmr_core.formats.bvh import save_bvh
from ssrhmr_core.model.network import HISTORY
from ssrhmr_core.model.weights import load_weights, weights_header
from ssrhmr_core.training import train as training
from ssrhmr_core.training.augment import Augmentation, Windows
from ssrhmr_core.training.corpus import Corpus, load_corpus
from ssrhmr_core.training.model import Stages
from ssrhmr_core.training.muon import Muon, orthogonal
from ssrhmr_core.training.sensors import SensorModel, Sensors
from tests.core.conftest import make_motion

PLAIN = Augmentation(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, ())
IDEAL = Sensors(worn=0.0, lost=0.0)
CPU = torch.device("cpu")


@pytest.fixture
def files(tmp_path: Path, skeleton: Skeleton) -> list[Path]:
    paths = []
    for number in range(3):
        path = tmp_path / "data" / f"clip{number}.bvh"
        path.parent.mkdir(exist_ok=True)
        save_bvh(path, make_motion(skeleton, frames=90, seed=number))
        paths.append(path)
    return paths


@pytest.fixture
def corpus(files: list[Path], tmp_path: Path) -> Corpus:
    return load_corpus(files, tmp_path / "cache", workers=1)


def test_corpus_is_cached(files: list[Path], tmp_path: Path, corpus: Corpus) -> None:
    again = load_corpus(files, tmp_path / "cache", workers=1)
    np.testing.assert_array_equal(again.local, corpus.local)
    assert again.lengths.tolist() == [90, 90, 90]
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_windows_without_augmentation_are_the_clips(corpus: Corpus, skeleton: Skeleton) -> None:
    batch = Windows(corpus, 8, PLAIN, CPU).draw(16, torch.Generator().manual_seed(0))
    assert batch.positions.shape == (16, 8 + max(HISTORY), 22, 3)
    clips = [make_motion(skeleton, frames=90, seed=n).positions() for n in range(3)]
    mirror = np.array([-1.0, 1.0, 1.0])
    for window in batch.positions.numpy():
        last = window[-1]
        hits = [np.abs(clip - last).max((1, 2)).min() for clip in clips] + [
            np.abs(clip[:, [*range(1)]] * mirror - last[:1]).max((1, 2)).min() for clip in clips
        ]
        assert min(hits) < 1e-3


def test_same_seed_same_windows(corpus: Corpus) -> None:
    windows = Windows(corpus, 8, Augmentation(), CPU)
    first, second = (windows.draw(8, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(first.positions, second.positions)
    assert not torch.equal(
        first.positions, windows.draw(8, torch.Generator().manual_seed(6)).positions
    )


def test_augmented_bodies_hold_together(corpus: Corpus) -> None:
    batch = Windows(corpus, 8, Augmentation(), CPU).draw(64, torch.Generator().manual_seed(1))
    bones = batch.positions[:, :, 1:] - batch.positions[:, :, list(PARENTS[1:])]
    lengths = batch.offsets[:, None, 1:].norm(dim=-1).expand(bones.shape[:-1])
    assert torch.allclose(bones.norm(dim=-1), lengths, atol=1e-4)
    spread = batch.offsets[:, 2].norm(dim=-1)
    assert spread.std() > 0.02
    identity = torch.eye(3).expand(batch.rotations.shape)
    assert torch.allclose(batch.rotations @ batch.rotations.mT, identity, atol=1e-4)


def test_loss_falls(corpus: Corpus) -> None:
    windows, stages = Windows(corpus, 8, PLAIN, CPU), Stages(0)
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
    assert len(gradients) == len(list(stages.parameters()))
    assert all(torch.isfinite(gradient).all() for gradient in gradients)


RECIPE = training.Recipe(steps=8, windows=4)


def losses(out: Path) -> list[str]:
    with out.with_suffix(".log.csv").open() as file:
        return [row["loss"] for row in csv.DictReader(file)]


def test_an_interrupted_run_ends_as_if_it_had_not_been(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between two checkpoints and started again: the same log, the same weights."""
    monkeypatch.setattr(training, "_LOG_STEPS", 1)
    whole, broken = tmp_path / "whole" / "run.npz", tmp_path / "broken" / "run.npz"
    training.train(files, whole, RECIPE, lambda share, text: None)

    class Killed(Exception):
        pass

    def kill(share: float, text: str) -> None:
        # The step after the last checkpoint is lost and done again.
        monkeypatch.setattr(training, "_SAVE_SECONDS", 0.0 if "step 2," in text else 1e9)
        if text.startswith("step 5,"):
            raise Killed

    with pytest.raises(Killed):
        training.train(files, broken, RECIPE, kill)
    assert broken.with_suffix(".checkpoint.pt").exists()
    training.train(files, broken, RECIPE, lambda share, text: None)
    assert losses(broken) == losses(whole)
    for name, array in load_weights(whole).items():
        np.testing.assert_array_equal(load_weights(broken)[name], array, err_msg=name)
    assert not broken.with_suffix(".checkpoint.pt").exists()


def test_minutes_become_steps(files: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "run.npz"
    training.train(files, out, training.Recipe(minutes=0.01, windows=2), lambda share, text: None)
    assert weights_header(out)["steps"] >= 41


def test_starting_from_weights(files: list[Path], tmp_path: Path) -> None:
    first, second = tmp_path / "first.npz", tmp_path / "second.npz"
    training.train(files, first, RECIPE, lambda share, text: None)
    tiny = replace(RECIPE, steps=1, rate=1e-9, decay=0.0)
    training.train(files, second, tiny, lambda share, text: None, start=first)
    for name, array in load_weights(first).items():
        np.testing.assert_allclose(load_weights(second)[name], array, atol=1e-5, err_msg=name)
    assert weights_header(second)["start"] == "first.npz"


_WORKER = """
import sys
from pathlib import Path
import torch
from ssrhmr_core.training import train as training
torch.set_num_threads(1)
training._LOG_STEPS = 1
windows, out, *paths = sys.argv[1:]
recipe = training.Recipe(steps=4, windows=int(windows))
training.train([Path(path) for path in paths], Path(out), recipe, lambda share, text: None)
"""


def test_two_processes_learn_as_one_with_the_doubled_batch(
    files: list[Path], tmp_path: Path
) -> None:
    worker = tmp_path / "worker.py"
    worker.write_text(_WORKER)
    one, two = tmp_path / "one" / "run.npz", tmp_path / "two" / "run.npz"
    # The clips are read once, so that two processes find them in the cache.
    for out in (one, two):
        load_corpus(files, out.parent / "cache", workers=1)
    paths = [str(path) for path in files]
    python = [sys.executable, str(worker), "8", str(one), *paths]
    run = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    address = ["--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0"]
    root = Path(__file__).resolve().parents[3]
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    for command in (python, [*run, *address, str(worker), "4", str(two), *paths]):
        subprocess.run(command, check=True, timeout=240, env=environment)
    for name, array in load_weights(one).items():
        np.testing.assert_allclose(load_weights(two)[name], array, atol=2e-3, err_msg=name)
    for mine, theirs in zip(losses(one), losses(two), strict=True):
        assert float(mine) == pytest.approx(float(theirs), rel=1e-3)


@pytest.mark.parametrize("shape", [(30, 12), (12, 30), (16, 16)])
def test_muon_steps_are_orthogonal(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    values = torch.linalg.svdvals(orthogonal(matrix))
    assert values.min() > 0.5 and values.max() < 1.3
    with pytest.raises(ValueError, match="matrices"):
        Muon([torch.nn.Parameter(torch.zeros(3))], 1e-3)


def test_readings_of_ideal_sensors_are_the_joints(corpus: Corpus) -> None:
    generator = torch.Generator().manual_seed(2)
    batch = Windows(corpus, 8, Augmentation(), CPU).draw(16, generator)
    joints = list(TRACKER_JOINTS)
    readings = SensorModel(IDEAL, CPU).read(batch, generator)
    assert readings.valid.all()
    assert torch.allclose(readings.positions, batch.positions[:, :, joints], atol=1e-5)
    assert torch.allclose(readings.rotations, batch.rotations[:, :, joints], atol=1e-4)


def test_readings_of_bad_sensors(corpus: Corpus) -> None:
    generator = torch.Generator().manual_seed(2)
    batch = Windows(corpus, 8, Augmentation(), CPU).draw(256, generator)
    joints = list(TRACKER_JOINTS)
    readings = SensorModel(Sensors(worn=1.0, lost=0.5), CPU).read(batch, generator)
    away = (readings.positions - batch.positions[:, :, joints]).norm(dim=-1)
    assert 0.003 < float(away.mean()) < 0.03
    lost = ~readings.valid
    assert 0.2 < float(lost.any(-1).any(-1).float().mean()) < 0.5
    # Pelvis and head are never lost together: there would be nothing to go by.
    assert not (lost[..., 0] & lost[..., 1]).any()
    turned = readings.rotations @ readings.rotations.mT
    assert torch.allclose(turned, torch.eye(3).expand(turned.shape), atol=1e-4)
