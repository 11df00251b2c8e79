# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole sessions with worn trackers: the figures and what they mean."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from ssrhmr_core.body.extra_trackers import EXTRA_TRACKERS, Measurement
from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import TRACKERS, Skeleton
from ssrhmr_core.cli import main
from ssrhmr_core.evaluation.worn.mounts import Mounts, draw_extra_mounts, draw_mounts
from ssrhmr_core.evaluation.worn.score import (
    WornErrors,
    WornTrackers,
    pool_worn_errors,
    score_worn,
    summarize_worn_errors,
)
from ssrhmr_core.formats.bvh import save_bvh
from ssrhmr_core.pipeline import ReconstructionOptions, Reconstructor
from ssrhmr_core.tracking.calibration import Calibration
from ssrhmr_core.tracking.extras.readings import ExtraReadings
from ssrhmr_core.tracking.take import Take
from tests.core.conftest import make_motion

IK = ReconstructionOptions(preset="ik")
KEYS = ("worn_mpjpe_mm", "worn_mpjre_deg", "worn_abs_mpjpe_mm", "bone_percent")


def score(
    truth: Motion,
    evidence: Literal["pose", "movement", "take"],
    proportions: Literal["match", "retarget"] = "match",
    seed: int = 0,
) -> WornErrors:
    return score_worn(
        truth,
        WornTrackers(evidence, proportions, seed),
        0,
        lambda skeleton, take: Reconstructor(skeleton, IK).clip(take),
    )


def test_a_movement_brings_joints_nearer_than_the_pose(skeleton: Skeleton) -> None:
    truth = make_motion(skeleton, frames=240)
    seeds = range(4)
    pose, movement = (
        pool_worn_errors([score(truth, evidence, seed=seed) for seed in seeds])
        for evidence in ("pose", "movement")
    )
    assert not pose.refined.any() and movement.refined.all()
    assert movement.mount_offsets.mean() < 15.0 < pose.mount_offsets.mean()
    assert movement.positions.mean() < pose.positions.mean()
    assert movement.absolute_positions.mean() < pose.absolute_positions.mean()
    np.testing.assert_array_equal(pose.bones, 0.0)


def test_measured_bodies_have_bone_errors(skeleton: Skeleton) -> None:
    errors = score(make_motion(skeleton, frames=90), "pose", "retarget")
    assert 0.0 < errors.bones.mean() < 25.0


def test_the_seed_draws_the_performer(skeleton: Skeleton) -> None:
    truth = make_motion(skeleton, frames=90)
    first, again, other = (score(truth, "pose", seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.positions, again.positions)
    assert np.abs(first.mount_offsets - other.mount_offsets).max() > 1.0


def test_true_mounts_give_the_joints_back(motion: Motion) -> None:
    mounts = draw_mounts(motion.skeleton, np.random.default_rng(4))
    calibration = Calibration(
        mounts.mount_rotations().astype("f4"), mounts.mount_offsets().astype("f4")
    )
    joints = Take.from_motion(motion)
    back = calibration.apply(mounts.to_trackers(joints))
    np.testing.assert_allclose(back.positions, joints.positions, atol=1e-5)
    slipped = calibration.apply(mounts.to_trackers(joints, slipping=True))
    away = np.linalg.norm(slipped.positions - joints.positions, axis=-1)
    assert 0.0 < away.max() <= 0.0101


def test_optional_trackers_are_worn_too(skeleton: Skeleton) -> None:
    truth = make_motion(skeleton, frames=90)
    names = ("chest", "left_elbow")
    worn_extras: tuple[tuple[str, Measurement], ...] = (("chest", "pose"), ("left_elbow", "pose"))
    taken: list[Take] = []

    def reconstruct(body: Skeleton, take: Take) -> Motion:
        taken.append(take)
        return Reconstructor(body, IK).clip(replace(take, extras=None))

    plain = score_worn(truth, WornTrackers("pose"), 0, reconstruct)
    errors = score_worn(truth, WornTrackers("pose", extras=worn_extras), 0, reconstruct)
    # The six are worn alike, whatever else is worn.
    np.testing.assert_array_equal(errors.positions, plain.positions)
    np.testing.assert_array_equal(errors.mount_offsets, plain.mount_offsets)
    assert taken[0].extras is None and np.isnan(plain.extra_mount_offsets).all()
    extras = taken[1].extras
    assert extras is not None and extras.worn == names
    offsets, angles = errors.extra_mount_offsets[0], errors.extra_mount_rotations[0]
    worn = [name in names for name in EXTRA_TRACKERS]
    np.testing.assert_array_equal(np.isfinite(offsets), worn)
    np.testing.assert_array_equal(np.isfinite(angles), worn)
    assert (offsets[worn] > 0.0).all() and (offsets[worn] < 140.0).all()
    # Slips and what the calibration is off by: within a few centimetres of the joints.
    ideal = ExtraReadings.from_motion(truth, names)
    away = np.linalg.norm(extras.positions - ideal.positions, axis=-1)[:, worn]
    assert (away.max(0) < 0.15).all()
    figures = summarize_worn_errors(errors)
    assert set(figures["mount_mm"]) == {*TRACKERS, *names, "mean"}
    assert figures["mount_mm"]["mean"] == summarize_worn_errors(plain)["mount_mm"]["mean"]


@pytest.mark.parametrize(
    ("chosen", "kinds"),
    (("left_knee:rotation", (False, True)), ("left_knee:position", (True, False))),
)
def test_evaluate_wears_what_is_chosen(
    tmp_path: Path, skeleton: Skeleton, chosen: str, kinds: tuple[bool, bool]
) -> None:
    save_bvh(tmp_path / "clip.bvh", make_motion(skeleton, frames=90))
    out = tmp_path / "figures.json"
    arguments = ["evaluate", str(tmp_path), "--preset", "ik", "--json", str(out), "--worn", "pose"]
    assert main([*arguments, "--extra", f"chest,{chosen}"]) == 0
    mounts = json.loads(out.read_text())["pooled"]
    assert set(mounts["mount_mm"]) == {*TRACKERS, "mean", "chest"}
    worn = draw_mounts(skeleton, np.random.default_rng(1))
    extras: tuple[tuple[str, Measurement], ...] = (
        ("left_knee", "rotation" if kinds[1] else "position"),
    )
    own = draw_extra_mounts(skeleton, extras, np.random.default_rng(2))
    worn = replace(worn, extras=own)
    devices = worn.to_trackers(worn.find_joints(make_motion(skeleton, frames=20))).extras
    assert devices is not None
    assert bool(devices.has_position.any()) == kinds[0]
    assert bool(devices.has_rotation.any()) == kinds[1]


@pytest.mark.parametrize("measures", ("rotation", "pose"))
def test_performers_say_where_a_tracker_sits_that_has_no_place(
    skeleton: Skeleton, measures: Measurement
) -> None:
    """On a forearm, one without a place would count as worn on the upper arm."""
    motion, wears = make_motion(skeleton, frames=20), (("left_elbow", measures),)
    elbow = EXTRA_TRACKERS.index("left_elbow")
    worn = draw_mounts(skeleton, np.random.default_rng(1))
    for seed in range(10):
        own = draw_extra_mounts(skeleton, wears, np.random.default_rng(seed))
        worn = replace(worn, extras=own)
        devices = worn.to_trackers(worn.find_joints(motion)).extras
        assert devices is not None
        is_lower = own.segments["left_elbow"] == "lower"
        assert devices.lower[elbow] == (is_lower and measures == "rotation")
        if is_lower:
            return
    pytest.fail("no tracker was worn below the elbow")


@pytest.mark.parametrize("proportions", ("match", "retarget"))
def test_evaluate_writes_the_figures(tmp_path: Path, skeleton: Skeleton, proportions: str) -> None:
    for number in range(2):
        save_bvh(tmp_path / f"clip{number}.bvh", make_motion(skeleton, frames=90, seed=number))
    out = tmp_path / "figures.json"
    arguments = ["--worn", "pose", "--proportions", proportions, "--seed", "3"]
    assert main(["evaluate", str(tmp_path), "--preset", "ik", "--json", str(out), *arguments]) == 0
    figures = json.loads(out.read_text())
    for row in (figures["pooled"], *figures["sets"].values(), *figures["clips"]):
        assert all(np.isfinite(row[key]) for key in KEYS)
        for key in ("mount_mm", "mount_deg"):
            assert set(row[key]) == {*TRACKERS, "mean"}
            by_tracker = [row[key][tracker] for tracker in TRACKERS]
            assert row[key]["mean"] == pytest.approx(np.mean(by_tracker))
        assert row["refined_share"] == 0.0
    clips = figures["clips"]
    assert figures["pooled"]["worn_mpjpe_mm"] == pytest.approx(
        np.mean([clip["worn_mpjpe_mm"] for clip in clips])
    )
    assert clips[0]["worn_mpjpe_mm"] != clips[1]["worn_mpjpe_mm"]


def test_evaluate_without_worn_trackers_has_no_such_figures(
    tmp_path: Path, skeleton: Skeleton
) -> None:
    save_bvh(tmp_path / "clip.bvh", make_motion(skeleton, frames=60))
    out = tmp_path / "figures.json"
    assert main(["evaluate", str(tmp_path), "--preset", "ik", "--json", str(out)]) == 0
    assert not [key for key in json.loads(out.read_text())["pooled"] if "worn" in key]


def test_what_is_altered_to_the_truth_has_no_error(skeleton: Skeleton) -> None:
    truth = make_motion(skeleton, frames=90)

    def alter(calibration: Calibration, mounts: Mounts, body: Skeleton) -> Calibration:
        return replace(
            calibration, mount_offsets=mounts.mount_offsets().astype("f4"), performer=body
        )

    errors = score_worn(
        truth,
        WornTrackers("pose", "retarget"),
        0,
        lambda skeleton, take: Reconstructor(skeleton, IK).clip(take),
        alter=alter,
    )
    np.testing.assert_allclose(errors.mount_offsets, 0.0, atol=1e-3)
    np.testing.assert_allclose(errors.bones, 0.0, atol=1e-4)
    assert (errors.mount_rotations > 0.1).all()
