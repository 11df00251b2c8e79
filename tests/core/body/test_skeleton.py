# SPDX-License-Identifier: GPL-3.0-or-later
"""The 22 joints."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import (
    INDEX,
    JOINTS,
    LIMB_DIRECTIONS,
    MIRROR,
    PARENTS,
    REQUIRED_JOINTS,
    Skeleton,
    forward_kinematics,
    inherit_missing,
)
from tests.core.drawn import bodies, numbers, rotations, seeds


def test_parents_come_before_children() -> None:
    assert all(parent < joint for joint, parent in enumerate(PARENTS))
    assert len(PARENTS) == len(JOINTS) == 22


def test_mirror_swaps_sides_and_is_its_own_inverse() -> None:
    assert [MIRROR[MIRROR[joint]] for joint in range(22)] == list(range(22))
    assert MIRROR[INDEX["left_elbow"]] == INDEX["right_elbow"]
    assert MIRROR[INDEX["chest"]] == INDEX["chest"]


def test_required_joints_are_those_that_nothing_can_stand_in_for() -> None:
    optional = {JOINTS[joint] for joint in range(22) if joint not in REQUIRED_JOINTS}
    assert optional == {
        "left_toe",
        "right_toe",
        "lower_spine",
        "middle_spine",
        "neck",
        "left_clavicle",
        "right_clavicle",
    }


def test_t_pose_has_straight_limbs(skeleton: Skeleton) -> None:
    pose = skeleton.t_pose()
    for joint, direction in LIMB_DIRECTIONS.items():
        if joint in PARENTS:
            child = PARENTS.index(joint)
            bone = pose[child] - pose[joint]
            np.testing.assert_allclose(bone / np.linalg.norm(bone), direction, atol=1e-6)


def test_forward_kinematics_keeps_bone_lengths(motion: Motion) -> None:
    points = forward_kinematics(motion.matrices(), motion.root, motion.skeleton.offsets)
    lengths = np.linalg.norm(points[:, 1:] - points[:, PARENTS[1:]], axis=-1)
    expected = np.linalg.norm(motion.skeleton.offsets[1:], axis=-1)
    np.testing.assert_allclose(lengths, np.broadcast_to(expected, lengths.shape), atol=1e-5)


def test_size_grows_with_the_body(skeleton: Skeleton) -> None:
    assert skeleton.scaled(2.0).size == pytest.approx(2.0 * skeleton.size, rel=1e-5)


def test_bad_offsets_are_refused(skeleton: Skeleton) -> None:
    with pytest.raises(ValueError, match="22, 3"):
        Skeleton(np.zeros((21, 3)))
    broken = skeleton.offsets.copy()
    broken[3, 1] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        Skeleton(broken)
    broken = skeleton.offsets.copy()
    broken[INDEX["left_knee"]] = 0.0
    with pytest.raises(ValueError, match="left_knee has no length"):
        Skeleton(broken)
    with pytest.raises(ValueError, match="left_knee has no length"):
        Skeleton(np.zeros((22, 3)))


def test_missing_joints_turn_with_their_parent(motion: Motion) -> None:
    present = np.ones(22, bool)
    present[[INDEX["lower_spine"], INDEX["middle_spine"]]] = False
    turned = inherit_missing(motion.rotations.copy(), present)
    np.testing.assert_array_equal(turned[:, INDEX["middle_spine"]], turned[:, 0])
    np.testing.assert_array_equal(turned[:, INDEX["chest"]], motion.rotations[:, INDEX["chest"]])


@given(body=bodies(), seed=seeds(), turn=rotations(), place=numbers(3, 100.0))
def test_forward_kinematics_and_back(
    body: Skeleton, seed: int, turn: np.ndarray, place: np.ndarray
) -> None:
    """Positions lead back to offsets, and turn and move with the whole body."""
    random = np.random.default_rng(seed)
    turns = quat.to_matrix(quat.normalize(random.standard_normal((5, 22, 4))))
    root, offsets = random.standard_normal((5, 3)), body.offsets.astype(float)
    points = forward_kinematics(turns, root, offsets)
    np.testing.assert_array_equal(points[:, 0], root)
    above = list(PARENTS[1:])
    steps = (points[:, 1:] - points[:, above])[..., None]
    back = (turns[:, above].swapaxes(-1, -2) @ steps)[..., 0]
    np.testing.assert_allclose(back, np.tile(offsets[1:], (5, 1, 1)), atol=1e-6)
    moved = forward_kinematics(turn @ turns, root @ turn.T + place, offsets)
    np.testing.assert_allclose(moved, points @ turn.T + place, atol=1e-5)
    each = forward_kinematics(turns, root, np.tile(offsets, (5, 1, 1)))
    np.testing.assert_allclose(each, points, atol=1e-6)
