# SPDX-License-Identifier: GPL-3.0-or-later
"""The 22 joints, bodies and forward kinematics."""

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
    TRACKER_JOINTS,
    TRACKERS,
    Skeleton,
    forward_kinematics,
    inherit_missing,
    units_per_metre,
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
    positions = forward_kinematics(motion.matrices(), motion.root, motion.skeleton.offsets)
    lengths = np.linalg.norm(positions[:, 1:] - positions[:, PARENTS[1:]], axis=-1)
    expected = np.linalg.norm(motion.skeleton.offsets[1:], axis=-1)
    np.testing.assert_allclose(lengths, np.broadcast_to(expected, lengths.shape), atol=1e-5)


def test_size_grows_with_the_body(skeleton: Skeleton) -> None:
    assert skeleton.scaled(2.0).size == pytest.approx(2.0 * skeleton.size, rel=1e-5)


def test_trackers_sit_on_their_joints() -> None:
    joints = {"pelvis": "hips", "head": "head"}
    joints |= {f"{side}_hand": f"{side}_wrist" for side in ("left", "right")}
    joints |= {f"{side}_foot": f"{side}_ankle" for side in ("left", "right")}
    assert [JOINTS[joint] for joint in TRACKER_JOINTS] == [joints[name] for name in TRACKERS]


def test_size_is_a_leg_and_a_trunk() -> None:
    offsets = np.full((22, 3), 9.0)  # Joints that do not count.
    for name, length in (("knee", 3.0), ("ankle", 2.0)):
        offsets[INDEX[f"left_{name}"]] = offsets[INDEX[f"right_{name}"]] = (0.0, -length, 0.0)
    for name in ("lower_spine", "middle_spine", "chest", "neck", "head"):
        offsets[INDEX[name]] = (0.0, 1.0, 0.0)
    assert Skeleton(offsets).size == pytest.approx(5.0 + 5.0)


def test_bodies_that_nobody_has_are_in_other_units(skeleton: Skeleton) -> None:
    for factor in (0.5, 1.0, 1.3):
        assert units_per_metre(skeleton.scaled(factor).size) == 1.0
    # An adult in centimetres and inches: the unit is one of an adult's size.
    for factor in (100.0, 39.4, 0.01):
        assert units_per_metre(skeleton.scaled(factor).size) == pytest.approx(factor, rel=0.1)


def test_bad_offsets_are_refused(skeleton: Skeleton) -> None:
    with pytest.raises(ValueError, match="22, 3"):
        Skeleton(np.zeros((21, 3)))
    broken = skeleton.offsets.copy()
    broken[INDEX["left_ankle"], 1] = np.nan
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
    rotations = inherit_missing(motion.rotations.copy(), present)
    np.testing.assert_array_equal(rotations[:, INDEX["middle_spine"]], rotations[:, 0])
    np.testing.assert_array_equal(rotations[:, INDEX["chest"]], motion.rotations[:, INDEX["chest"]])


@given(body=bodies(), seed=seeds(), turn=rotations(), shift=numbers(3, 100.0))
def test_forward_kinematics_and_back(
    body: Skeleton, seed: int, turn: np.ndarray, shift: np.ndarray
) -> None:
    """Positions lead back to offsets, and rotate and move with the whole body."""
    random = np.random.default_rng(seed)
    matrices = quat.to_matrix(quat.normalize(random.standard_normal((5, 22, 4))))
    root, offsets = random.standard_normal((5, 3)), body.offsets.astype(float)
    positions = forward_kinematics(matrices, root, offsets)
    np.testing.assert_array_equal(positions[:, 0], root)
    parents = list(PARENTS[1:])
    bones = (positions[:, 1:] - positions[:, parents])[..., None]
    back = (matrices[:, parents].swapaxes(-1, -2) @ bones)[..., 0]
    np.testing.assert_allclose(back, np.tile(offsets[1:], (5, 1, 1)), atol=1e-6)
    moved = forward_kinematics(turn @ matrices, root @ turn.T + shift, offsets)
    np.testing.assert_allclose(moved, positions @ turn.T + shift, atol=1e-5)
    each = forward_kinematics(matrices, root, np.tile(offsets, (5, 1, 1)))
    np.testing.assert_allclose(each, positions, atol=1e-6)
