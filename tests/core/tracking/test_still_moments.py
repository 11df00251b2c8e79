# SPDX-License-Identifier: GPL-3.0-or-later
"""Still moments are found in takes, and movement and cuts are told apart."""

from __future__ import annotations

import numpy as np
import pytest

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import TRACKERS
from ssrhmr_core.tracking.reference_pose import ReferencePose
from ssrhmr_core.tracking.still_moments import (
    find_still_time,
    measure_peak_speeds,
    warn_of_movement,
)
from ssrhmr_core.tracking.take import Take, TrackerError
from tests.core.mounts import MOUNT_SETS, mount_trackers

PELVIS, HEAD = TRACKERS.index("pelvis"), TRACKERS.index("head")


def test_moving_trackers_are_named(motion: Motion) -> None:
    take = Take.from_motion(motion)
    warnings = warn_of_movement(measure_peak_speeds(take, 1.0))
    assert warnings and all("cm/s" in warning for warning in warnings)
    still = Take(take.times, take.positions * 0 + 1, take.rotations, take.valid)
    assert warn_of_movement(measure_peak_speeds(still, 1.0)) == ()


def test_the_still_frame_of_the_pose_is_found(motion: Motion) -> None:
    """A second of T-pose, half of it in motion, between a second of A-pose and a dance."""
    body, times = motion.skeleton, np.arange(301) / 60.0
    t, a = (
        mount_trackers(body, MOUNT_SETS[0], 3, pose)
        for pose in (ReferencePose.T_POSE, ReferencePose.A_POSE)
    )
    positions = np.concatenate([np.tile(a.positions, (60, 1, 1)), np.tile(t.positions, (91, 1, 1))])
    sway = np.where(np.arange(91) < 45, 0.2 * np.sin(np.arange(91) * 0.2), 0.0)
    positions[60:] += sway[:, None, None]
    dance = Take.from_motion(motion).positions
    positions = np.concatenate([positions, dance])
    rotations = np.tile(t.rotations, (301, 1, 1))
    take = Take(times, positions.astype("f4"), rotations.astype("f4"), np.ones((301, 6), bool))
    assert 105 / 60 < find_still_time(body, take, ReferencePose.T_POSE) < 2.5
    assert find_still_time(body, take, ReferencePose.A_POSE) < 1.0
    take.valid[:, PELVIS] = False
    assert 105 / 60 < find_still_time(body, take, ReferencePose.T_POSE) < 2.5
    take.valid[:, HEAD] = False
    with pytest.raises(TrackerError, match="neither pelvis nor head"):
        find_still_time(body, take)


@pytest.mark.parametrize("rate", [15.0, 30.0, 120.0])
@pytest.mark.parametrize("size", [0.01, 1.0, 100.0])
def test_a_pose_that_lasts_one_frame_is_found(motion: Motion, rate: float, size: float) -> None:
    """Many files begin with one frame of the T-pose, and with the performance in the next."""
    body = motion.skeleton.scaled(size)
    pose = mount_trackers(motion.skeleton, MOUNT_SETS[0], 3, ReferencePose.T_POSE)
    dance = Take.from_motion(motion).positions
    take = Take(
        np.arange(1 + len(dance)) / rate,
        (np.concatenate([pose.positions[None], dance]) * size).astype("f4"),
        np.tile(pose.rotations, (1 + len(dance), 1, 1)).astype("f4"),
        np.ones((1 + len(dance), 6), bool),
    )
    assert find_still_time(body, take) == 0.0
    assert measure_peak_speeds(take, 0.0).max() == 0.0


def test_speeds_across_a_cut_do_not_count() -> None:
    """Each side of it has its own speed; fast movement, which comes and goes, is no cut."""
    positions = np.zeros((60, 6, 3))
    positions[:, 1, 1] = 1.5
    positions[:30, 3, 0] = np.arange(30) * 0.01
    positions[30:, 3, 0] = 2.0 + np.arange(30) * 0.02
    rotations = np.tile([1.0, 0.0, 0.0, 0.0], (60, 6, 1))
    take = Take(
        np.arange(60) / 60.0, positions.astype("f4"), rotations.astype("f4"), np.ones((60, 6), bool)
    )
    assert measure_peak_speeds(take, 29 / 60).max() == pytest.approx(0.6, rel=1e-3)
    assert measure_peak_speeds(take, 30 / 60).max() == pytest.approx(1.2, rel=1e-3)
    # A blow of 8 m/s that builds up over four frames.
    speeds = np.array([0.5, 2.0, 5.0, 8.0, 5.0, 2.0, 0.5]) / 60.0
    take.positions[:, 3, 0] = np.concatenate([np.zeros(27), np.cumsum(speeds), np.full(26, 0.4)])
    assert measure_peak_speeds(take, 27 / 60).max() == pytest.approx(8.0, rel=1e-3)
