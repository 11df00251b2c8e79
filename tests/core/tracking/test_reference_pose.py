# SPDX-License-Identifier: GPL-3.0-or-later
"""Reference poses, and how a performer stands in one."""

from __future__ import annotations

import numpy as np
import pytest

from ssrhmr_core.body.skeleton import FOOT_TRACKERS, INDEX, TRACKERS, Skeleton
from ssrhmr_core.tracking.reference_pose import (
    ReferencePose,
    compare_with_pose,
    estimate_stance,
    measure_ankle_height,
    stands_on_ground,
)
from tests.core.mounts import MOUNT_SETS, mount_trackers

HANDS = [TRACKERS.index("left_hand"), TRACKERS.index("right_hand")]


def test_a_pose_equals_its_name() -> None:
    for pose in ReferencePose:
        assert pose == pose.value and ReferencePose(pose.value) is pose
    assert [pose.arm_elevation for pose in ReferencePose] == [0.0, -45.0, -80.0]


@pytest.mark.parametrize("reference", list(ReferencePose))
def test_an_exact_pose_is_recovered(skeleton: Skeleton, reference: ReferencePose) -> None:
    trackers = mount_trackers(skeleton, (), 4, reference, sloppiness=0.0)
    stance = estimate_stance(skeleton, trackers.joint_positions, reference)
    assert stance is not None
    np.testing.assert_allclose(stance.positions, trackers.joint_positions, atol=1e-5)
    np.testing.assert_allclose(stance.elevations, reference.arm_elevation, atol=0.05)
    size, distance = compare_with_pose(skeleton, trackers.joint_positions, reference)
    assert size == pytest.approx(1.0, abs=1e-3) and distance < 1e-3


@pytest.mark.parametrize("size", [0.8, 1.2])
def test_the_size_is_estimated(skeleton: Skeleton, size: float) -> None:
    trackers = mount_trackers(skeleton.scaled(size), (), 4, sloppiness=0.0)
    stance = estimate_stance(skeleton, trackers.joint_positions, size=None)
    assert stance is not None and stance.size == pytest.approx(size, abs=1e-3)


def test_raised_arms_are_measured(skeleton: Skeleton) -> None:
    """Arms at the elevation of one pose, with another one asked for."""
    trackers = mount_trackers(skeleton, (), 4, ReferencePose.A_POSE, sloppiness=0.0)
    stance = estimate_stance(skeleton, trackers.joint_positions, ReferencePose.ARMS_DOWN)
    assert stance is not None
    assert (stance.elevations > ReferencePose.ARMS_DOWN.arm_elevation + 11.0).all()


def test_feet_on_mounts_are_on_the_ground_and_joints_may_be_anywhere(skeleton: Skeleton) -> None:
    mounted = mount_trackers(skeleton, MOUNT_SETS[0], 1)
    stance = estimate_stance(skeleton, mounted.positions)
    assert stance is not None and stands_on_ground(skeleton, mounted.positions, stance)
    ankles = stance.positions[list(FOOT_TRACKERS), 1].mean()
    assert ankles == pytest.approx(measure_ankle_height(skeleton), abs=0.03)
    joints = mount_trackers(skeleton, (), 1, sloppiness=0.0).joint_positions
    stance = estimate_stance(skeleton, joints)
    assert stance is not None and not stands_on_ground(skeleton, joints, stance)


def test_an_upside_down_body_has_no_stance(skeleton: Skeleton) -> None:
    trackers = mount_trackers(skeleton, MOUNT_SETS[0], 1)
    assert estimate_stance(skeleton, -trackers.positions) is None
    assert compare_with_pose(skeleton, -trackers.positions) == (np.inf, np.inf)


def test_ankles_are_a_sole_above_the_ground(skeleton: Skeleton) -> None:
    toe = -skeleton.offsets[INDEX["left_toe"], 1]
    assert toe < measure_ankle_height(skeleton) < toe + 0.03


def test_feet_of_people_point_outwards_and_exact_feet_ahead(skeleton: Skeleton) -> None:
    """People stand with their toes out; joints of a file that is in the T-pose point ahead."""
    mounted = mount_trackers(skeleton, MOUNT_SETS[0], 1, sloppiness=0.0)
    for positions, angle in ((mounted.positions, 6.0), (mounted.joint_positions, 0.0)):
        stance = estimate_stance(skeleton, positions)
        assert stance is not None
        ahead = stance.rotations[TRACKERS.index("pelvis"), :, 2]
        left = stance.rotations[TRACKERS.index("pelvis"), :, 0]
        for foot, sign in zip(FOOT_TRACKERS, (1.0, -1.0), strict=True):
            toes = stance.rotations[foot, :, 2]
            turned = np.degrees(np.arctan2(sign * (toes @ left), toes @ ahead))
            assert turned == pytest.approx(angle, abs=0.05)
