# SPDX-License-Identifier: GPL-3.0-or-later
"""Low poses by their names, and joints that sink by known depths."""

from __future__ import annotations

import numpy as np
import pytest
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import INDEX, PARENTS, Skeleton
from ssrhmr_core.evaluation.low_poses import LOW_KINDS, RESTING_JOINTS, classify_low
from ssrhmr_core.evaluation.metrics import FIRST_FRAME, detail_errors, measure_errors

POSES = {
    # Degrees about X, forwards: of the body, thighs, shins, and arms down from the T-pose.
    "lying": (-90.0, -90.0, -90.0),
    "floor sit": (0.0, -90.0, -90.0),
    "crawling": (80.0, 0.0, 90.0),
    "kneeling": (0.0, 0.0, 90.0),
    "squatting": (0.0, -110.0, 20.0),
}


def posed(skeleton: Skeleton, kind: str, frames: int = 120) -> Motion:
    """Return a body that keeps a low pose."""
    trunk, thigh, shin = POSES[kind]
    turns = np.zeros((22, 3))
    for joint, parent in enumerate(PARENTS):
        turns[joint] = turns[parent] if parent >= 0 else (trunk, 0.0, 0.0)
    for side in ("left", "right"):
        turns[INDEX[f"{side}_hip"], 0] = thigh
        turns[INDEX[f"{side}_knee"], 0] = shin
        for part in ("ankle", "toe"):
            turns[INDEX[f"{side}_{part}"], 0] = 0.0
    rotations = quat.from_scaled_angle_axis(np.radians(turns))
    if kind in ("crawling", "kneeling", "floor sit", "squatting"):
        for side, sign in (("left", 1.0), ("right", -1.0)):
            down = quat.from_scaled_angle_axis(np.radians([0.0, 0.0, -80.0 * sign]))
            for part in ("shoulder", "elbow", "wrist"):
                rotations[INDEX[f"{side}_{part}"]] = down
    times = np.arange(frames) / 60.0
    motion = Motion(
        skeleton,
        times,
        np.repeat(rotations[None], frames, 0).astype(np.float32),
        np.zeros((frames, 3), np.float32),
    )
    lowest = motion.positions()[0, :, 1].min()
    root = np.tile(np.array([0.0, 0.05 - lowest, 0.0], np.float32), (frames, 1))
    return Motion(skeleton, times, motion.rotations, root)


@pytest.mark.parametrize("kind", LOW_KINDS)
def test_low_poses_by_name(skeleton: Skeleton, kind: str) -> None:
    motion = posed(skeleton, kind)
    found = {LOW_KINDS[number] for number in classify_low(motion.positions(), skeleton)}
    assert found == {kind}


def test_each_kind_is_scored_by_itself(skeleton: Skeleton) -> None:
    motion = posed(skeleton, "kneeling")
    off = Motion(skeleton, motion.times, motion.rotations, motion.root + np.float32(0.01))
    kinds = detail_errors(measure_errors(off, motion))["low_kinds"]
    assert list(kinds) == ["kneeling"]
    assert kinds["kneeling"]["frames"] == 120 - FIRST_FRAME
    assert kinds["kneeling"]["mpjpe_mm"] == pytest.approx(10.0 * 3.0**0.5, rel=1e-3)


@pytest.mark.parametrize("lower", [30.0, 12.0, -15.0])
def test_resting_joints_that_sink_or_float(skeleton: Skeleton, lower: float) -> None:
    motion = posed(skeleton, "kneeling")
    moved: np.ndarray = motion.root - np.array([0.0, 0.001 * lower, 0.0], np.float32)
    result = Motion(skeleton, motion.times, motion.rotations, moved)
    resting = detail_errors(measure_errors(result, motion))["resting"]
    assert set(resting) == {"left_knee", "right_knee"} < set(RESTING_JOINTS)
    for figures in resting.values():
        assert figures["sunk_p99_mm"] == pytest.approx(max(lower, 0.0), abs=0.01)
        assert figures["floating_p99_mm"] == pytest.approx(max(-lower, 0.0), abs=0.01)
        assert figures["sunk_over_20_percent"] == (100.0 if lower > 20.0 else 0.0)
        assert figures["frames"] == 120 - FIRST_FRAME
