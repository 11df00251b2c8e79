"""Windows, augmentation and the loss."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from ssrhmr_core.formats.bvh import save_bvh
from ssrhmr_core.network import HISTORY
from ssrhmr_core.skeleton import PARENTS, Skeleton
from ssrhmr_core.training import train as training
from ssrhmr_core.training.augment import Augmentation, Windows
from ssrhmr_core.training.corpus import Corpus, load_corpus
from ssrhmr_core.training.model import Stages
from ssrhmr_core.training.sensors import SensorModel, Sensors

from ..conftest import make_motion

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


def test_an_interrupted_run_goes_on(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run.npz"
    monkeypatch.setattr(training, "_SAVE_SECONDS", 0.0)
    monkeypatch.setattr(training, "_LOG_STEPS", 1)

    class Stop(Exception):
        pass

    def stop(share: float, text: str) -> None:
        if text.startswith("step 3,"):
            raise Stop

    recipe = training.Recipe(minutes=0.05, windows=4)
    with pytest.raises(Stop):
        training.train(files, out, recipe, stop)
    assert out.with_suffix(".checkpoint.pt").exists()
    training.train(files, out, recipe, lambda share, text: None)
    with out.with_suffix(".log.csv").open() as file:
        steps = [int(row["step"]) for row in csv.DictReader(file)]
    # The step whose checkpoint was not written is done again; none is left out.
    assert steps[:4] in ([1, 2, 3, 3], [1, 2, 3, 4])
    assert steps[-1] > 3
