# SPDX-License-Identifier: GPL-3.0-or-later
"""Calibration and poses without hands, and heads without rotation."""

from __future__ import annotations

import numpy as np
import pytest
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.skeleton import TRACKER_JOINTS, TRACKERS
from ssrhmr_core.live.assumed_hands import (
    explain_missing,
    place_hands,
    rotate_head_with_pelvis,
)
from ssrhmr_core.tracking.reference_pose import ReferencePose
from ssrhmr_core.tracking.take import Take
from tests.core.conftest import make_skeleton

BODY = make_skeleton()
HANDS = [TRACKERS.index("left_hand"), TRACKERS.index("right_hand")]
HEAD, PELVIS = TRACKERS.index("head"), TRACKERS.index("pelvis")


def t_pose(heading: float, size: float) -> Take:
    turn = quat.from_scaled_angle_axis(np.array([0.0, heading, 0.0]))
    joints = BODY.t_pose()[list(TRACKER_JOINTS)]
    positions = size * quat.mul_vec(np.tile(turn, (6, 1)), joints) + (2.0, size, -1.0)
    return Take(
        np.arange(5) / 60.0,
        np.tile(positions, (5, 1, 1)).astype("f4"),
        np.tile(np.array([1, 0, 0, 0], "f4"), (5, 6, 1)),
        np.ones((5, 6), bool),
    )


@pytest.mark.parametrize("heading", [0.0, 1.2, -2.5])
@pytest.mark.parametrize("size", [0.8, 1.0, 1.15])
def test_hands_are_placed_where_the_t_pose_has_them(heading: float, size: float) -> None:
    whole = t_pose(heading, size)
    positions, valid = whole.positions.copy(), whole.valid.copy()
    positions[:, HANDS], valid[:, HANDS] = 0.0, False
    valid[4, PELVIS] = False
    without = Take(whole.times, positions, whole.rotations, valid)
    placed = place_hands(without, BODY, ReferencePose.T_POSE, ["left_hand", "right_hand"])
    missed = np.linalg.norm(placed.positions - whole.positions, axis=-1)
    # Whether the shoulders are over the ankles is not known.
    assert missed[:, HANDS].max() < 0.08 * size
    assert missed.max() == missed[:, HANDS].max()
    assert placed.valid[:4].all() and placed.valid[4].tolist() == [
        tracker not in (*HANDS, PELVIS) for tracker in range(6)
    ]
    # Only those that are missing.
    one = place_hands(without, BODY, ReferencePose.T_POSE, ["left_hand"])
    assert one.valid[0].tolist() == [True, True, True, False, True, True]
    down = place_hands(without, BODY, ReferencePose.ARMS_DOWN, ["left_hand", "right_hand"])
    assert (down.positions[:, HANDS, 1] < placed.positions[:, HANDS, 1] - 0.4 * size).all()


def test_a_head_without_rotation_rotates_with_the_pelvis() -> None:
    take = t_pose(0.0, 1.0)
    take.rotations[:, PELVIS] = (0.6, 0.0, 0.8, 0.0)
    rotated = rotate_head_with_pelvis(take)
    np.testing.assert_array_equal(rotated.rotations[:, HEAD], take.rotations[:, PELVIS])
    others = [tracker for tracker in range(6) if tracker != HEAD]
    np.testing.assert_array_equal(rotated.rotations[:, others], take.rotations[:, others])
    assert take.rotations[0, HEAD, 0] == 1.0


def test_what_is_missing_is_explained() -> None:
    roles = {role: role for role in TRACKERS}
    assert explain_missing(roles) == ""
    del roles["left_hand"]
    assert "no device is bound to left_hand: the arms are guessed" in explain_missing(roles)
    del roles["right_hand"]
    assert "bound to left_hand and right_hand: the arms" in explain_missing(roles)
    del roles["pelvis"]
    assert explain_missing(roles).startswith(
        "no device is bound to pelvis, left_hand, right_hand: calibration needs them."
    )
