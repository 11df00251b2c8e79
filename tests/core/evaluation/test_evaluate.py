# SPDX-License-Identifier: GPL-3.0-or-later
"""Disturbed trackers, random bodies, and the report."""

from __future__ import annotations

from argparse import ArgumentTypeError
from pathlib import Path

import numpy as np
import pytest

from ssrhmr_core.body.extra_trackers import EXTRA_TRACKERS, Measurement
from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import INDEX, MIRROR, TRACKERS, Skeleton
from ssrhmr_core.cli.arguments import halves
from ssrhmr_core.evaluation.evaluate import Disturbance, ScoredModel, evaluate, random_body
from ssrhmr_core.evaluation.worn.score import WornTrackers
from ssrhmr_core.formats.bvh import save_bvh
from ssrhmr_core.tracking.take import Take
from tests.core.conftest import make_motion

PELVIS = TRACKERS.index("pelvis")
IK = ScoredModel(preset="ik")


def test_trackers_are_lost_from_a_third_on_or_from_the_start(motion: Motion) -> None:
    take = Take.from_motion(motion)
    disturbed = Disturbance(lost=(("pelvis", 0.5), ("left_foot", float("inf")))).apply(take, 0)
    begin = (len(take) - 1) // 3
    assert disturbed.valid[:begin, PELVIS].all()
    assert not disturbed.valid[begin + 1 : begin + 29, PELVIS].any()
    assert disturbed.valid[begin + 32 :, PELVIS].all()
    foot = TRACKERS.index("left_foot")
    assert not disturbed.valid[:, foot].any()
    others = [tracker for tracker in range(6) if tracker not in (PELVIS, foot)]
    assert disturbed.valid[:, others].all()


def test_same_seed_same_noise(motion: Motion) -> None:
    take = Take.from_motion(motion)
    first, second, other = (Disturbance(5.0, 1.0).apply(take, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.positions, second.positions)
    assert np.abs(first.positions - other.positions).max() > 0.001
    assert 0.004 < (first.positions - take.positions).std() < 0.006
    cosine = np.abs((first.rotations * take.rotations).sum(-1))
    degrees = np.degrees(2.0 * np.arccos(np.clip(cosine, 0.0, 1.0)))
    # The mean length of three normal numbers is 1.6 times their spread.
    assert 1.4 < degrees.mean() < 1.8


def test_random_bodies_differ_and_hold_together(skeleton: Skeleton) -> None:
    own = np.linalg.norm(skeleton.offsets, axis=-1)
    bodies = [random_body(skeleton, seed) for seed in range(200)]
    ankle, middle, knee = INDEX["left_ankle"], INDEX["middle_spine"], INDEX["left_knee"]
    shins = np.array([np.linalg.norm(body.offsets[ankle]) / own[ankle] for body in bodies])
    assert 0.7 < shins.min() < 0.8 and 1.2 < shins.max() < 1.4
    # Some have fewer joints in the spine, and no leg is much longer than the other.
    assert 0.3 < np.mean([(body.offsets[middle] == 0.0).all() for body in bodies]) < 0.7
    for body in bodies:
        lengths = np.linalg.norm(body.offsets, axis=-1)
        np.testing.assert_allclose(lengths[knee], lengths[MIRROR[knee]], rtol=0.12)
    again = random_body(skeleton, 7)
    np.testing.assert_array_equal(again.offsets, bodies[7].offsets)


def test_the_report_of_some_clips(tmp_path: Path, skeleton: Skeleton) -> None:
    paths = []
    for number, (folder, frames) in enumerate((("a", 90), ("b", 60), ("a", 42), ("a", 50))):
        path = tmp_path / "set" / folder / f"clip{number}.bvh"
        path.parent.mkdir(parents=True, exist_ok=True)
        save_bvh(path, make_motion(skeleton, frames=frames, seed=number))
        paths.append(path)
    done: list[tuple[int, int]] = []
    report = evaluate([*paths, paths[0]], IK, progress=lambda *counts: done.append(counts))
    # The clip of 42 frames is listed; a clip that is named twice counts twice.
    assert report["too_short"] == [paths[2].as_posix()]
    names = [clip["path"] for clip in report["clips"]]
    assert names == [paths[number].as_posix() for number in (0, 1, 3, 0)]
    assert done == [(1, 5), (2, 5), (4, 5), (5, 5)]
    scored = {name: figures["frames"] for name, figures in report["sets"].items()}
    assert scored == {"set/a": 48 + 8 + 48, "set/b": 18}
    assert report["pooled"]["frames"] == sum(scored.values())
    weighted = sum(clip["mpjpe_mm"] * clip["frames"] for clip in report["clips"])
    assert report["pooled"]["mpjpe_mm"] == pytest.approx(weighted / sum(scored.values()))
    assert report["pooled"]["ms_per_frame_median"] > 0.0
    with pytest.raises(ValueError, match="no clip is longer than 42 frames"):
        evaluate(paths[2:3], IK)


def test_random_bodies_and_the_network_stage(tmp_path: Path, motion: Motion) -> None:
    path = tmp_path / "clip.bvh"
    save_bvh(path, motion)
    own = evaluate([path], IK)["pooled"]
    others = evaluate([path], IK, bodies=2)["pooled"]
    assert others["frames"] == 2 * own["frames"] and others["mpjpe_mm"] != own["mpjpe_mm"]
    network = evaluate([path], ScoredModel("ik", "network"))["pooled"]
    assert network["mpeepe_mm"] > 10.0 > own["mpeepe_mm"]


def test_the_published_architecture_needs_weights(tmp_path: Path, motion: Motion) -> None:
    path = tmp_path / "clip.bvh"
    save_bvh(path, motion)
    with pytest.raises(ValueError, match="train --preset paper"):
        evaluate([path], ScoredModel("paper"))


def test_only_some_trackers(tmp_path: Path, motion: Motion) -> None:
    take = Take.from_motion(motion)
    only = Disturbance(only=("head", "left_hand"))
    assert only.apply(take, 0).valid.tolist() == [[False, True, True, False, False, False]] * len(
        take
    )
    assert Disturbance().tracked.all()
    path = tmp_path / "clip.bvh"
    save_bvh(path, motion)
    pelvis = Disturbance(only=tuple(role for role in TRACKERS if role != "head"))
    lost = Disturbance(lost=(("head", float("inf")),))
    figures = [evaluate([path], disturbance=each)["pooled"]["mpjpe_mm"] for each in (pelvis, lost)]
    assert figures[0] == figures[1]
    worn = evaluate([path], disturbance=pelvis, worn=WornTrackers("pose"))["pooled"]
    assert "head" not in worn["mount_mm"] and worn["mount_mm"]["pelvis"] < 100.0
    assert np.isfinite(worn["mount_mm"]["mean"])
    with pytest.raises(ValueError, match="six trackers only"):
        evaluate([path], disturbance=pelvis, worn=WornTrackers("movement"))


def test_optional_trackers(tmp_path: Path, motion: Motion) -> None:
    path = tmp_path / "clip.bvh"
    save_bvh(path, motion)
    both = Disturbance(extras=(("left_elbow", "pose"), ("right_elbow", "pose")))
    turned = Disturbance(extras=(("left_elbow", "rotation"), ("right_elbow", "rotation")))
    bare, with_poses, with_rotations = (
        evaluate([path], disturbance=each) for each in (None, both, turned)
    )
    elbow, rotations = (
        [figures[part][name] for figures in (bare, with_rotations, with_poses)]
        for part, name in (("joints", "left_elbow"), ("pooled", "mpjre_deg"))
    )
    assert elbow[2] < 0.5 < min(elbow[:2])
    assert rotations[2] < rotations[1] < rotations[0]


def test_disturbed_optional_trackers(motion: Motion) -> None:
    take = Take.from_motion(motion, ["chest", "left_knee"])
    noisy = Disturbance(5.0, 2.0, extras=(("chest", "position"), ("left_knee", "pose")))
    extras = noisy.apply(take, 3).extras
    assert extras is not None and take.extras is not None
    chest, knee = EXTRA_TRACKERS.index("chest"), EXTRA_TRACKERS.index("left_knee")
    assert extras.has_position[:, [chest, knee]].all()
    assert not extras.has_rotation[:, chest].any() and extras.has_rotation[:, knee].all()
    moved = extras.positions[:, knee] - take.extras.positions[:, knee]
    assert 1000.0 * moved.std() == pytest.approx(5.0, rel=0.15)


def test_expected_errors_are_scored(tmp_path: Path, motion: Motion) -> None:
    path = tmp_path / "clip.bvh"
    save_bvh(path, motion)
    pooled = evaluate([path])["pooled"]
    assert -1.0 <= pooled["certainty_spearman"] <= 1.0
    worst, largest = (pooled[f"certainty_{which}_tenth_share"] for which in ("worst", "largest"))
    assert 0.0 < worst <= largest < 1.0 and largest >= 0.1
    assert 0.1 < pooled["certainty_ratio"] < 10.0
    without = evaluate([path], ScoredModel("ik"))["pooled"]
    assert without["certainty_spearman"] is None


def test_trackers_that_measure_half_of_their_pose(tmp_path: Path, motion: Motion) -> None:
    path = tmp_path / "clip.bvh"
    save_bvh(path, motion)
    measures: tuple[tuple[str, Measurement], ...] = (
        ("head", "rotation"),
        ("left_hand", "position"),
    )
    disturbance = Disturbance(measures=measures)
    take = disturbance.apply(Take.from_motion(motion), 0)
    assert take.has_rotation[:, 1].all() and take.has_position[:, 2].all()
    assert not take.valid[:, 1:3].any() and take.valid[:, [0, 3, 4, 5]].all()
    joints = evaluate([path], disturbance=disturbance)["joints"]
    assert joints["left_wrist"] < 1.0 < joints["head"]
    with pytest.raises(ValueError, match="leave out --worn or --measures"):
        evaluate([path], disturbance=disturbance, worn=WornTrackers("pose"))


def test_halves_are_named() -> None:
    assert halves("head:rotation, left_foot:position") == (
        ("head", "rotation"),
        ("left_foot", "position"),
    )
    for wrong in ("head", "head:half", "left_elbow:rotation"):
        with pytest.raises(ArgumentTypeError, match="each followed by :position or :rotation"):
            halves(wrong)
