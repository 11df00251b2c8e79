# SPDX-License-Identifier: GPL-3.0-or-later
"""The published architecture is run as it was trained, and scored by the same commands."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import FOOT_TRACKERS, TRACKER_JOINTS, TRACKERS, Skeleton
from ssrhmr_core.cli import main
from ssrhmr_core.evaluation.paper import PublishedReconstructor
from ssrhmr_core.formats.bvh import save_bvh
from ssrhmr_core.model.weights import WeightsError, save_weights
from ssrhmr_core.tracking.take import Take, TrackerError
from ssrhmr_core.training.paper import Published
from tests.core.conftest import make_motion


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "paper.npz"
    save_weights(path, Published(3).export())
    return path


def test_a_stream_is_the_clip(weights: Path, motion: Motion) -> None:
    take = Take.from_motion(motion)
    reconstructor = PublishedReconstructor(motion.skeleton, weights, "network")
    clip = reconstructor.clip(take)
    for frame in range(60):
        rotations, root = reconstructor.frame(take.positions[frame], take.rotations[frame])
        cosine = np.abs((rotations * clip.rotations[frame]).sum(-1))
        np.testing.assert_allclose(cosine, 1, atol=1e-5)
        np.testing.assert_array_equal(root, clip.root[frame])


def test_the_solve_puts_its_ends_onto_the_trackers(weights: Path, motion: Motion) -> None:
    take = Take.from_motion(motion)
    body = PublishedReconstructor(motion.skeleton, weights).clip(take)
    distance = np.linalg.norm(body.positions()[:, list(TRACKER_JOINTS)] - take.positions, axis=-1)
    # Nothing was learned, so the spine may be anywhere; legs start at the measured pelvis.
    assert distance[:, list(FOOT_TRACKERS)].max() < 2e-3
    free = PublishedReconstructor(motion.skeleton, weights, "network").clip(take)
    distance = np.linalg.norm(free.positions()[:, list(TRACKER_JOINTS)] - take.positions, axis=-1)
    assert distance[:, list(FOOT_TRACKERS)].max() > 0.1


def test_lost_trackers_are_refused(weights: Path, motion: Motion) -> None:
    take = Take.from_motion(motion)
    take.valid[5, TRACKERS.index("left_hand")] = False
    with pytest.raises(TrackerError, match="all six trackers"):
        PublishedReconstructor(motion.skeleton, weights).clip(take)


def test_weights_of_the_other_preset_are_refused(skeleton: Skeleton) -> None:
    from ssrhmr_core.model.weights import default_weights

    with pytest.raises(WeightsError, match="missing or misshapen"):
        PublishedReconstructor(skeleton, default_weights())


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
