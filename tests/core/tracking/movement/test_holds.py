# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses that are held are found where somebody holds them, and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.skeleton import TRACKER_JOINTS, TRACKERS
from ssrhmr_core.geometry.rotations import X_AXIS, rotation_about
from ssrhmr_core.tracking.movement.guided import MOVEMENT_SECONDS, pose_figure
from ssrhmr_core.tracking.movement.holds import Holds, find_holds
from ssrhmr_core.tracking.take import Take
from tests.core.conftest import make_skeleton

BODY = make_skeleton()
TIMES = np.arange(0.0, MOVEMENT_SECONDS + 1.0, 1.0 / 6.0)
TOGETHER, STACKED = MOVEMENT_SECONDS - 1.4, MOVEMENT_SECONDS - 3.7
"""Seconds at which the figure puts its palms together, and has its hands on each other before."""
LEFT_HAND = TRACKERS.index("left_hand")


def figure() -> Take:
    tracked = list(TRACKER_JOINTS)
    poses = [pose_figure(BODY, time) for time in TIMES]
    return Take(
        TIMES,
        np.array([positions[tracked] for positions, _ in poses], "f4"),
        quat.from_matrix(np.array([rotations[tracked] for _, rotations in poses])).astype("f4"),
        np.ones((len(TIMES), 6), bool),
    )


def find(take: Take, consecutive: np.ndarray | None = None) -> Holds:
    every = np.ones(len(take) - 1, bool)
    return find_holds(BODY, take, every if consecutive is None else consecutive)


def test_the_poses_of_the_figure_are_found() -> None:
    holds = find(figure())
    at = TIMES[holds.palms]
    assert len(at) >= 6 and at.min() > TOGETHER - 0.2
    at = TIMES[holds.stacked]
    assert len(at) >= 6 and at.min() > STACKED - 0.4 and at.max() < TOGETHER
    assert len(TIMES[holds.feet]) >= 20 and TIMES[holds.feet].min() > STACKED - 0.6
    np.testing.assert_array_equal(holds.looking, holds.palms | holds.stacked)
    assert not holds.warnings


def test_arms_move_for_a_second_around_poses_of_the_hands() -> None:
    masks = np.zeros((4, 40), bool)
    masks[0, 20:23], masks[2, 5] = True, True
    np.testing.assert_array_equal(np.flatnonzero(Holds(*masks).arms_move), np.arange(14, 29))
    # Hands that come together in another way do so with whole arms too; feet do not.
    masks[3, 1] = True
    np.testing.assert_array_equal(np.flatnonzero(Holds(*masks).arms_move[:14]), np.arange(8))
    assert not Holds.none(40).arms_move.any()
    assert Holds.none(3).arms_move.shape == (3,)


def turned(take: Take, degrees: float) -> Take:
    """Return a take with the left hand turned about its fingers."""
    rotations = take.rotations.copy()
    turn = quat.from_matrix(rotation_about(X_AXIS, np.radians(np.array([degrees]))))[0]
    rotations[:, LEFT_HAND] = quat.mul(
        rotations[:, LEFT_HAND].astype(np.float64), np.tile(turn, (len(take), 1))
    )
    return replace(take, rotations=rotations)


def test_hands_as_a_reference_pose_leaves_them_are_found() -> None:
    holds, true = find(turned(figure(), 20.0)), find(figure())
    np.testing.assert_array_equal(holds.palms, true.palms)
    np.testing.assert_array_equal(holds.stacked, true.stacked)


def test_palms_that_do_not_face_each_other_are_not() -> None:
    holds = find(turned(figure(), 60.0))
    assert not holds.palms.any() and not holds.stacked.any() and holds.feet.any()
    (warning,) = holds.warnings
    assert warning.startswith("the hands came together, but neither flat")


def test_hands_apart_are_not() -> None:
    take = figure()
    take.positions[:, LEFT_HAND, 0] += 0.25
    holds = find(take)
    assert not holds.palms.any() and not holds.stacked.any() and not holds.warnings


def test_feet_that_always_stand_close_tell_nothing() -> None:
    """Ankles that the reference pose takes for close together may stand anywhere."""
    take = figure()
    feet = [TRACKERS.index("left_foot"), TRACKERS.index("right_foot")]
    middle = take.positions[:, feet].mean(1, keepdims=True)
    beside = np.array([[0.06, 0.0, 0.0], [-0.06, 0.0, 0.0]])
    take.positions[:, feet] = middle + beside
    assert not find(take).feet.any()


def test_hands_in_motion_are_not() -> None:
    take = figure()
    shaking = 0.05 * (-1.0) ** np.arange(len(take))
    take.positions[:, LEFT_HAND, 1] += shaking
    take.positions[:, LEFT_HAND + 1, 1] += shaking
    holds = find(take)
    assert not holds.palms.any() and not holds.stacked.any()


@pytest.mark.parametrize("seconds", (0.2, 5.0))
def test_moments_are_not(seconds: float) -> None:
    """Frames that do not follow each other show no pose that is held."""
    take = figure()
    consecutive = np.ones(len(take) - 1, bool)
    consecutive[1::2] = seconds > 1.0
    assert find(take, consecutive).palms.any() == (seconds > 1.0)


def test_frames_before_hold_nothing() -> None:
    holds = find(figure())
    later = holds.after(3)
    assert not later.palms[:3].any() and later.palms[3:].tolist() == holds.palms.tolist()
    assert not Holds.none(5).looking.any()
