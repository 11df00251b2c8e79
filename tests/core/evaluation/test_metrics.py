# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics on errors whose size is known."""

from __future__ import annotations

import numpy as np
import pytest
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import INDEX, Skeleton
from ssrhmr_core.evaluation.metrics import ENDS, FIRST_FRAME, detail, measure, pool, summarize
from tests.core.conftest import make_motion


def changed(motion: Motion, **parts: np.ndarray) -> Motion:
    fields = {"rotations": motion.rotations, "root": motion.root} | parts
    return Motion(motion.skeleton, motion.times, **fields)


def test_the_truth_has_no_error(motion: Motion) -> None:
    figures = summarize(measure(motion, motion))
    for name in ("mpjpe_mm", "mpeepe_mm", "mpeepe_p95_mm", "mpjve_cm_s"):
        assert figures[name] == 0.0
    assert figures["mpjre_deg"] < 0.1
    assert figures["jitter"] == figures["jitter_gt"]
    assert figures["frames"] == len(motion) - FIRST_FRAME


def test_a_shift_is_a_shift(motion: Motion) -> None:
    moved = changed(motion, root=motion.root + np.array([0.003, 0.0, 0.004], np.float32))
    figures = summarize(measure(moved, motion))
    assert figures["mpjpe_mm"] == pytest.approx(5.0, abs=0.01)
    assert figures["mpeepe_mm"] == pytest.approx(5.0, abs=0.01)
    assert figures["mpjve_cm_s"] == pytest.approx(0.0, abs=0.01)


def test_one_joint_turned(motion: Motion) -> None:
    """A wrist turned by 22 degrees: one degree over 22 joints, and nothing moves."""
    rotations = motion.rotations.astype(np.float64).copy()
    turn = quat.from_angle_axis(np.radians([22.0]), np.array([0.0, 0.0, 1.0])).reshape(4)
    wrist = INDEX["left_wrist"]
    rotations[:, wrist] = quat.mul(
        np.broadcast_to(turn, rotations[:, wrist].shape), rotations[:, wrist]
    )
    figures = summarize(measure(changed(motion, rotations=rotations.astype("f4")), motion))
    assert figures["mpjre_deg"] == pytest.approx(1.0, abs=0.05)
    assert figures["mpjpe_mm"] == pytest.approx(0.0, abs=1e-3)


def test_speed_and_jitter(motion: Motion) -> None:
    drift = np.outer(motion.times, [0.1, 0.0, 0.0]).astype("f4")
    figures = summarize(measure(changed(motion, root=motion.root + drift), motion))
    assert figures["mpjve_cm_s"] == pytest.approx(10.0, abs=0.05)
    shake = np.random.default_rng(0).normal(0.0, 0.001, motion.root.shape).astype("f4")
    figures = summarize(measure(changed(motion, root=motion.root + shake), motion))
    assert figures["jitter"] > 2.0 * figures["jitter_gt"]


def test_skate_counts_while_the_true_foot_stands(skeleton: Skeleton) -> None:
    moving = make_motion(skeleton, frames=120)
    still = changed(
        moving,
        rotations=np.repeat(moving.rotations[:1], 120, 0),
        root=np.repeat(moving.root[:1], 120, 0),
    )
    slide = np.outer(moving.times, [0.0, 0.0, 0.2]).astype("f4")
    figures = summarize(measure(changed(still, root=still.root + slide), still))
    assert figures["foot_skate_cm_s"] == pytest.approx(20.0, abs=0.1)
    # The other way round the true foot never stands.
    assert (
        summarize(measure(still, changed(still, root=still.root + slide)))["foot_skate_cm_s"]
        is None
    )


def test_jumps_of_the_truth_are_left_out_and_counted(motion: Motion) -> None:
    root = motion.root.copy()
    root[100] += 0.5
    truth = changed(motion, root=root)
    errors = measure(motion, truth)
    assert errors.glitches == 6
    assert summarize(errors)["mpjpe_mm"] == pytest.approx(0.0, abs=0.01)


def test_clips_are_pooled_by_frames(motion: Motion) -> None:
    short = Motion(motion.skeleton, motion.times[:62], motion.rotations[:62], motion.root[:62])
    off = changed(short, root=short.root + np.float32(0.01))
    pooled = summarize(pool([measure(motion, motion), measure(off, short)]))
    share = 20 / (len(motion) - FIRST_FRAME + 20)
    assert pooled["mpjpe_mm"] == pytest.approx(share * 10.0 * 3.0**0.5, rel=1e-3)
    assert len(ENDS) == 5


def test_what_the_body_does_and_joint_by_joint(motion: Motion) -> None:
    figures = detail(measure(motion, motion))
    assert sum(kind["frames"] for kind in figures["kinds"].values()) == len(motion) - FIRST_FRAME
    assert set(figures["joints"].values()) == {0.0}


def test_seams_are_leaps_where_a_tracker_goes_or_comes(motion: Motion) -> None:
    valid = np.ones((len(motion), 6), bool)
    valid[60:90, 2] = False
    root = motion.root.copy()
    root[60:90] += (0.0, 0.04, 0.0)
    errors = measure(changed(motion, root=root), motion, valid)
    figures = summarize(errors)
    assert figures["lost_mpjpe_mm"] == pytest.approx(40.0, abs=0.1)
    assert 20.0 < figures["lost_jump_mm"] <= 40.1
    assert len(errors.seams) == 2
    assert summarize(measure(motion, motion))["lost_jump_mm"] is None


def test_sunk_is_how_far_feet_are_under_their_contact(skeleton: Skeleton) -> None:
    still = make_motion(skeleton, frames=120)
    still = changed(
        still, rotations=still.rotations[:1].repeat(120, 0), root=still.root[:1].repeat(120, 0)
    )
    lower = changed(still, root=still.root - np.array([0.0, 0.007, 0.0], np.float32))
    assert summarize(measure(lower, still))["foot_sunk_p99_mm"] == pytest.approx(7.0, abs=0.01)
    assert summarize(measure(still, still))["foot_sunk_p99_mm"] == pytest.approx(0.0, abs=0.01)
