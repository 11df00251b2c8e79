# SPDX-License-Identifier: GPL-3.0-or-later
"""The published architecture: what it is made of, that it learns, and that it is run as trained."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import INDEX, TRACKER_JOINTS, Skeleton
from ssrhmr_core.cli import main
from ssrhmr_core.evaluation.paper import PublishedReconstructor
from ssrhmr_core.formats.bvh import save_bvh
from ssrhmr_core.model.weights import save_weights
from ssrhmr_core.tracking.take import Take, TrackerError
from ssrhmr_core.training.augment import Augmentation, Windows
from ssrhmr_core.training.corpus import load_corpus
from ssrhmr_core.training.paper import WINDOW, Published, _bones_between, _nearest_trackers
from ssrhmr_core.training.sensors import Readings
from tests.core.conftest import make_motion

CPU = torch.device("cpu")


def test_43_frames_and_neighbours_within_two_bones() -> None:
    assert WINDOW == 43
    away = _bones_between()
    np.testing.assert_array_equal(away, away.T)
    assert away[INDEX["left_toe"], INDEX["right_toe"]] == 8
    assert away[INDEX["head"], INDEX["left_wrist"]] == 6
    mask = Published(0).mask[..., 0].reshape(22, 8, 22, 8)[:, 0, :, 0]
    np.testing.assert_array_equal(mask.numpy() > 0.0, away <= 2)
    nearest = _nearest_trackers()
    assert [nearest[joint] for joint in TRACKER_JOINTS] == list(range(6))
    assert nearest[INDEX["left_elbow"]] == 2 and nearest[INDEX["lower_spine"]] == 0


def batch_of(tmp_path: Path, skeleton: Skeleton) -> tuple[Windows, torch.Generator]:
    paths = []
    for number in range(2):
        paths.append(tmp_path / f"clip{number}.bvh")
        save_bvh(paths[-1], make_motion(skeleton, frames=90, seed=number))
    corpus = load_corpus(paths, tmp_path / "cache", workers=1)
    plain = Augmentation(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, ())
    return Windows(corpus, 32, plain, CPU), torch.Generator().manual_seed(0)


def test_loss_falls_in_every_stage(tmp_path: Path, skeleton: Skeleton) -> None:
    windows, generator = batch_of(tmp_path, skeleton)
    model = Published(0)
    (optimizer,) = model.optimizers(1e-3)
    history = []
    for _ in range(30):
        batch = windows.draw(4, generator)
        joints = list(TRACKER_JOINTS)
        spots, turns = batch.positions[:, :, joints], batch.rotations[:, :, joints]
        readings = Readings(spots, turns, torch.ones(spots.shape[:3], dtype=torch.bool))
        loss, terms = model(batch, readings)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append({name: float(term.detach()) for name, term in terms.items()})
    for name in ("guess", "torso", "limbs"):
        assert history[-1][name] < 0.7 * history[0][name]
    assert all(weight.grad is not None for weight in model.parameters())


def test_stages_learn_side_by_side(tmp_path: Path, skeleton: Skeleton) -> None:
    """Detached, as published: the loss of the limbs moves neither torso nor generator."""
    windows, generator = batch_of(tmp_path, skeleton)
    model = Published(0)
    batch = windows.draw(2, generator)
    _, terms = model(batch, None)
    terms["limbs"].backward()
    assert all(weight.grad is None for weight in model.convolutions.parameters())
    assert all(weight.grad is None for weight in model.torso.parameters())
    assert all(weight.grad is not None for weight in model.limbs.parameters())


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "paper.npz"
    save_weights(path, Published(3).export())
    return path


def test_a_stream_is_the_clip(weights: Path, motion: Motion) -> None:
    take = Take.from_motion(motion)
    made = PublishedReconstructor(motion.skeleton, weights, "network")
    clip = made.clip(take)
    for row in range(60):
        rotations, root = made.frame(take.positions[row], take.rotations[row])
        np.testing.assert_allclose(np.abs((rotations * clip.rotations[row]).sum(-1)), 1, atol=1e-5)
        np.testing.assert_array_equal(root, clip.root[row])


def test_the_solve_puts_its_ends_onto_the_trackers(weights: Path, motion: Motion) -> None:
    take = Take.from_motion(motion)
    made = PublishedReconstructor(motion.skeleton, weights).clip(take)
    missed = np.linalg.norm(made.positions()[:, list(TRACKER_JOINTS)] - take.positions, axis=-1)
    # Nothing was learned, so the spine may be anywhere; legs start at the measured pelvis.
    assert missed[:, 4:].max() < 2e-3


def test_lost_trackers_are_refused(weights: Path, motion: Motion) -> None:
    take = Take.from_motion(motion)
    take.valid[5, 2] = False
    with pytest.raises(TrackerError, match="all six trackers"):
        PublishedReconstructor(motion.skeleton, weights).clip(take)


def test_trained_and_scored_by_the_same_commands(
    tmp_path: Path, skeleton: Skeleton, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    save_bvh(data / "clip.bvh", make_motion(skeleton, frames=90, seed=1))
    out, figures = tmp_path / "out.npz", tmp_path / "figures.json"
    command = ["train", "--data", str(data), "--out", str(out), "--preset", "paper", "--steps", "2"]
    assert main(command) == 0
    scored = ["evaluate", str(data), "--preset", "paper"]
    assert main([*scored, "--weights", str(out), "--json", str(figures)]) == 0
    pooled = json.loads(figures.read_text())["pooled"]
    assert 0.0 < pooled["mpjpe_mm"] < 1000.0
    assert main(scored) == 1
    assert "train --preset paper" in capsys.readouterr().err
