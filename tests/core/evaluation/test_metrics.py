# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics on errors whose size is known."""

from __future__ import annotations

import numpy as np
import pytest
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import INDEX, JOINTS, TRACKERS, Skeleton
from ssrhmr_core.evaluation.metrics import (
    FIRST_FRAME,
    detail_errors,
    measure_errors,
    pool_errors,
    summarize_errors,
)
from tests.core.conftest import make_motion


def changed(motion: Motion, **parts: np.ndarray) -> Motion:
    fields = {"rotations": motion.rotations, "root": motion.root} | parts
    return Motion(motion.skeleton, motion.times, **fields)


def test_the_truth_has_no_error(motion: Motion) -> None:
    figures = summarize_errors(measure_errors(motion, motion))
    for name in ("mpjpe_mm", "mpeepe_mm", "mpeepe_p95_mm", "mpjve_cm_s"):
        assert figures[name] == 0.0
    assert figures["mpjre_deg"] < 0.1
    assert figures["jitter"] == figures["jitter_gt"]
    assert figures["frames"] == len(motion) - FIRST_FRAME


def test_a_shift_is_a_shift(motion: Motion) -> None:
    moved = changed(motion, root=motion.root + np.array([0.003, 0.0, 0.004], np.float32))
    figures = summarize_errors(measure_errors(moved, motion))
    assert figures["mpjpe_mm"] == pytest.approx(5.0, abs=0.01)
    assert figures["mpeepe_mm"] == pytest.approx(5.0, abs=0.01)
    assert figures["mpjve_cm_s"] == pytest.approx(0.0, abs=0.01)


def test_one_joint_rotated(motion: Motion) -> None:
    """A wrist rotated by 22 degrees counts as one degree over 22 joints, and nothing moves."""
    rotations = motion.rotations.astype(np.float64).copy()
    turn = quat.from_angle_axis(np.radians([22.0]), np.array([0.0, 0.0, 1.0])).reshape(4)
    wrist = INDEX["left_wrist"]
    rotations[:, wrist] = quat.mul(
        np.broadcast_to(turn, rotations[:, wrist].shape), rotations[:, wrist]
    )
    figures = summarize_errors(
        measure_errors(changed(motion, rotations=rotations.astype("f4")), motion)
    )
    assert figures["mpjre_deg"] == pytest.approx(1.0, abs=0.05)
    assert figures["mpjpe_mm"] == pytest.approx(0.0, abs=1e-3)


def test_speed_and_jitter(motion: Motion) -> None:
    drift = np.outer(motion.times, [0.1, 0.0, 0.0]).astype("f4")
    figures = summarize_errors(measure_errors(changed(motion, root=motion.root + drift), motion))
    assert figures["mpjve_cm_s"] == pytest.approx(10.0, abs=0.05)
    shake = np.random.default_rng(0).normal(0.0, 0.001, motion.root.shape).astype("f4")
    figures = summarize_errors(measure_errors(changed(motion, root=motion.root + shake), motion))
    assert figures["jitter"] > 2.0 * figures["jitter_gt"]


def test_skate_counts_while_the_true_foot_stands(skeleton: Skeleton) -> None:
    moving = make_motion(skeleton, frames=120)
    still = changed(
        moving,
        rotations=np.repeat(moving.rotations[:1], 120, 0),
        root=np.repeat(moving.root[:1], 120, 0),
    )
    slide = np.outer(moving.times, [0.0, 0.0, 0.2]).astype("f4")
    figures = summarize_errors(measure_errors(changed(still, root=still.root + slide), still))
    assert figures["foot_skate_cm_s"] == pytest.approx(20.0, abs=0.1)
    # The other way round the true foot never stands.
    assert (
        summarize_errors(measure_errors(still, changed(still, root=still.root + slide)))[
            "foot_skate_cm_s"
        ]
        is None
    )


def test_jumps_of_the_truth_are_left_out_and_counted(motion: Motion) -> None:
    root = motion.root.copy()
    root[100] += 0.5
    truth = changed(motion, root=root)
    errors = measure_errors(motion, truth)
    assert errors.glitches == 6
    assert summarize_errors(errors)["mpjpe_mm"] == pytest.approx(0.0, abs=0.01)


def test_clips_are_pooled_by_frames(motion: Motion) -> None:
    short = Motion(motion.skeleton, motion.times[:62], motion.rotations[:62], motion.root[:62])
    off = changed(short, root=short.root + np.float32(0.01))
    pooled = summarize_errors(
        pool_errors([measure_errors(motion, motion), measure_errors(off, short)])
    )
    share = 20 / (len(motion) - FIRST_FRAME + 20)
    assert pooled["mpjpe_mm"] == pytest.approx(share * 10.0 * 3.0**0.5, rel=1e-3)


def test_errors_by_joint(motion: Motion) -> None:
    """A rotated elbow moves its wrist alone."""
    rotations = motion.rotations.astype(np.float64).copy()
    elbow = INDEX["left_elbow"]
    rotations[:, elbow] = quat.mul(
        rotations[:, elbow], quat.from_scaled_angle_axis(np.tile([0.0, 0.2, 0.0], (150, 1)))
    )
    result = changed(motion, rotations=rotations.astype("f4"))
    joints = detail_errors(measure_errors(result, motion))["joints"]
    assert list(joints) == list(JOINTS)
    assert {name for name, error in joints.items() if error > 1e-3} == {"left_wrist"}
    forearm = np.linalg.norm(motion.skeleton.offsets[INDEX["left_wrist"]])
    assert joints["left_wrist"] == pytest.approx(2000.0 * forearm * np.sin(0.1), rel=1e-3)


def moving(skeleton: Skeleton, speed: float, height: float, raised: bool) -> Motion:
    """Return a straight body that glides along X, arms out or up, hips at some height."""
    times = np.arange(120) / 60.0
    rotations = np.tile(np.array([1, 0, 0, 0], np.float32), (120, 22, 1))
    if raised:
        up = quat.from_scaled_angle_axis(np.array([0.0, 0.0, np.pi / 2.0]))
        for part in ("shoulder", "elbow", "wrist"):
            rotations[:, INDEX[f"left_{part}"]] = up
    thigh = quat.from_scaled_angle_axis(np.array([-np.arccos(height), 0.0, 0.0]))
    shin = quat.from_scaled_angle_axis(np.array([np.arccos(height), 0.0, 0.0]))
    for side in ("left", "right"):
        rotations[:, INDEX[f"{side}_hip"]] = thigh
        rotations[:, INDEX[f"{side}_knee"]] = shin
    root = np.stack([speed * times, np.ones(120), np.zeros(120)], -1)
    return Motion(skeleton, times, rotations.astype("f4"), root.astype("f4"))


@pytest.mark.parametrize(
    ("activity", "speed", "height", "raised"),
    [
        ("in place", 0.2, 1.0, False),
        ("walking", 1.0, 1.0, False),
        ("arms raised", 1.0, 1.0, True),
        ("running", 3.0, 1.0, True),
        ("low", 3.0, 0.5, True),
    ],
)
def test_errors_by_activity(
    skeleton: Skeleton, activity: str, speed: float, height: float, raised: bool
) -> None:
    motion = moving(skeleton, speed, height, raised)
    figures = detail_errors(measure_errors(motion, motion))
    assert figures["kinds"] == {activity: {"mpjpe_mm": 0.0, "frames": 120 - FIRST_FRAME}}


def test_jumps_where_a_tracker_goes_or_comes_back(motion: Motion) -> None:
    valid = np.ones((len(motion), 6), bool)
    valid[60:90, TRACKERS.index("left_hand")] = False
    root = motion.root.copy()
    root[60:90] += (0.0, 0.04, 0.0)
    errors = measure_errors(changed(motion, root=root), motion, valid)
    figures = summarize_errors(errors)
    assert figures["lost_mpjpe_mm"] == pytest.approx(40.0, abs=0.1)
    assert 20.0 < figures["lost_jump_mm"] <= 40.1
    assert len(errors.jumps) == 2
    assert summarize_errors(measure_errors(motion, motion))["lost_jump_mm"] is None


def test_depth_of_feet_under_their_contact(skeleton: Skeleton) -> None:
    still = make_motion(skeleton, frames=120)
    still = changed(
        still, rotations=still.rotations[:1].repeat(120, 0), root=still.root[:1].repeat(120, 0)
    )
    lower = changed(still, root=still.root - np.array([0.0, 0.007, 0.0], np.float32))
    assert summarize_errors(measure_errors(lower, still))["foot_sunk_p99_mm"] == pytest.approx(
        7.0, abs=0.01
    )
    assert summarize_errors(measure_errors(still, still))["foot_sunk_p99_mm"] == pytest.approx(
        0.0, abs=0.01
    )


def test_depth_of_feet_under_the_floor(skeleton: Skeleton) -> None:
    """On a box the true foot is higher; a foot through the box is not below the floor."""
    identity = np.tile(np.array([1.0, 0.0, 0.0, 0.0], np.float32), (240, len(JOINTS), 1))
    root = np.tile(np.array([0.0, 0.9, 0.0], np.float32), (240, 1))
    root[120:, 1] += 0.4
    truth = Motion(skeleton, np.arange(240) / 60.0, identity, root)

    def deepest(down: np.ndarray) -> float:
        lowered = root.copy()
        lowered[:, 1] -= down.astype("f4")
        figures = summarize_errors(measure_errors(changed(truth, root=lowered), truth))
        return float(figures["foot_under_floor_p99_mm"])

    frames = np.arange(240)
    assert deepest(np.zeros(240)) == 0.0
    assert deepest(np.where(frames < 120, 0.0, 0.3)) == 0.0
    assert deepest(np.where(frames < 120, 0.03, 0.0)) == pytest.approx(30.0, abs=0.1)
    assert deepest(np.where(frames < 120, 0.0, 0.45)) == pytest.approx(50.0, abs=0.1)


def test_crossed_legs_are_counted(skeleton: Skeleton) -> None:
    identity = np.tile(np.array([1.0, 0.0, 0.0, 0.0], np.float32), (120, len(JOINTS), 1))
    root = np.tile(np.array([0.0, 0.9, 0.0], np.float32), (120, 1))
    truth = Motion(skeleton, np.arange(120) / 60.0, identity, root)
    crossed = identity.copy()
    # Half of the scored frames: the left leg swings across the right one.
    turn = quat.from_angle_axis(np.radians([-25.0]), np.array([0.0, 0.0, 1.0])).reshape(4)
    for name in ("hip", "knee", "ankle", "toe"):
        crossed[81:, INDEX[f"left_{name}"]] = turn
    figures = summarize_errors(measure_errors(changed(truth, rotations=crossed), truth))
    assert figures["legs_crossed_percent"] == pytest.approx(50.0)
    assert figures["legs_crossed_percent_gt"] == 0.0
