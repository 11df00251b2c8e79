# SPDX-License-Identifier: GPL-3.0-or-later
"""Rest poses in canonical terms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.rest_pose import MissingJointError, is_standing, read_rest_pose
from ssrhmr_core.body.skeleton import (
    INDEX,
    JOINTS,
    LIMB_DIRECTIONS,
    PARENTS,
    Skeleton,
    forward_kinematics,
)
from tests.core.drawn import bodies, numbers

ALL = np.ones(22, bool)


def posed(
    skeleton: Skeleton, **degrees: tuple[float, float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Return positions and global rotations of a body with rotated joints."""
    rotations = np.tile(np.eye(3), (22, 1, 1))
    for joint, name in enumerate(JOINTS):
        if joint:
            rotations[joint] = rotations[PARENTS[joint]]
        rotvec = np.radians(np.array(degrees.get(name, (0.0, 0.0, 0.0))))
        rotations[joint] = quat.to_matrix(quat.from_scaled_angle_axis(rotvec)) @ rotations[joint]
    return forward_kinematics(rotations, np.zeros(3), skeleton.offsets.astype(float)), rotations


# Feet stay flat on the floor, as in every rest pose: they are measured from how they stand.
POSES: dict[str, dict[str, tuple[float, float, float]]] = {
    "t": {},
    "a": {"left_shoulder": (0, 0, -45), "right_shoulder": (0, 0, 45)},
    "hanging": {"left_shoulder": (0, 0, -90), "right_shoulder": (0, 0, 90)},
    "spread": {
        "left_hip": (0, 0, 20),
        "right_hip": (0, 0, -20),
        "left_ankle": (0, 0, -20),
        "right_ankle": (0, 0, 20),
    },
    "bent": {
        "left_elbow": (0, -15, 0),
        "right_elbow": (0, 15, 0),
        "left_knee": (10, 0, 0),
        "left_ankle": (-10, 0, 0),
    },
}


@pytest.mark.parametrize("name", POSES)
def test_any_pose_gives_the_same_body(skeleton: Skeleton, name: str) -> None:
    positions, rotations = posed(skeleton, **POSES[name])
    rest = read_rest_pose(positions, ALL)
    assert is_standing(rest)
    assert np.allclose(rest.skeleton.offsets, skeleton.offsets, atol=1e-5)
    # In canonical terms the rest pose is the pose itself.
    canonical = rest.to_canonical(np.tile(np.eye(3), (22, 1, 1)))
    assert np.allclose(canonical, rotations, atol=1e-5)
    assert np.allclose(rest.from_canonical(canonical), np.eye(3), atol=1e-5)


@pytest.mark.parametrize(
    "degrees", [(0, 0, 0), (-90, 0, 0), (0, 90, 0), (0, 180, 0), (0, 0, 90), (0, -90, 0)]
)
def test_any_axes(skeleton: Skeleton, degrees: tuple[float, float, float]) -> None:
    matrix = quat.to_matrix(quat.from_scaled_angle_axis(np.radians(np.array(degrees, float))))
    rest = read_rest_pose(skeleton.t_pose() @ matrix.T, ALL)
    assert np.allclose(rest.skeleton.offsets, skeleton.offsets, atol=1e-5)
    assert np.allclose(rest.alignments, matrix.T, atol=1e-5)


def test_limbs_are_straight(skeleton: Skeleton) -> None:
    random = np.random.default_rng(4)
    degrees = {name: tuple(random.uniform(-15, 15, 3)) for name in JOINTS if name != "hips"}
    positions, _ = posed(skeleton, **degrees)
    t_pose = read_rest_pose(positions, ALL, up=np.array([0.0, 1.0, 0.0])).skeleton.t_pose()
    for joint, direction in LIMB_DIRECTIONS.items():
        if "wrist" not in JOINTS[joint]:
            bone = t_pose[joint + 1] - t_pose[joint]
            assert np.allclose(bone / np.linalg.norm(bone), direction, atol=1e-5)


def test_hands_follow_their_fingers(skeleton: Skeleton) -> None:
    """A bent wrist counts where fingers show it, and a hand's end on the wrong side does not."""
    positions, rotations = posed(skeleton, left_wrist=(0, 0, -30), right_wrist=(0, 20, 0))
    wrists = [INDEX["left_wrist"], INDEX["right_wrist"]]
    steps = np.array([[0.08, 0.0, 0.0], [-0.08, 0.0, 0.0]])
    ends = positions[wrists] + (rotations[wrists] @ steps[..., None])[..., 0]
    straight = np.tile(np.eye(3), (22, 1, 1))
    assert np.allclose(
        read_rest_pose(positions, ALL, ends).to_canonical(straight), rotations, atol=1e-5
    )
    for unknown in (np.full((2, 3), np.nan), positions[wrists] - steps, positions[wrists]):
        rest = read_rest_pose(positions, ALL, unknown)
        assert np.allclose(rest.to_canonical(straight)[wrists], np.eye(3), atol=1e-5)


def test_missing_joints_turn_nothing(skeleton: Skeleton) -> None:
    gone = ["lower_spine", "middle_spine", "neck", "left_clavicle", "right_clavicle"]
    gone += ["left_toe", "right_toe"]
    present = ALL.copy()
    present[[INDEX[name] for name in gone]] = False
    positions = skeleton.t_pose().astype(float)
    tips = positions[[INDEX["left_toe"], INDEX["right_toe"]]] + (0.0, 0.0, 0.05)
    positions[~present] = np.nan
    body = read_rest_pose(positions, present, toe_ends=tips).skeleton
    assert np.array_equal(body.present, present)
    t_pose = body.t_pose()
    assert np.allclose(t_pose[present], skeleton.t_pose()[present], atol=1e-5)
    assert np.allclose(t_pose[[INDEX["left_toe"], INDEX["right_toe"]]], tips, atol=1e-5)
    assert np.allclose(t_pose[INDEX["lower_spine"]], t_pose[INDEX["chest"]], atol=1e-6)
    assert np.allclose(t_pose[INDEX["left_clavicle"]], t_pose[INDEX["left_shoulder"]], atol=1e-6)
    guessed = read_rest_pose(positions, present).skeleton.t_pose()[INDEX["left_toe"]]
    assert guessed[2] > t_pose[INDEX["left_ankle"], 2] + 0.05


@pytest.mark.parametrize("name", ["hips", "left_knee", "right_wrist", "chest", "head"])
def test_needed_joints(skeleton: Skeleton, name: str) -> None:
    present = ALL.copy()
    present[INDEX[name]] = False
    with pytest.raises(MissingJointError, match=name):
        read_rest_pose(skeleton.t_pose(), present)


def test_degenerate_bodies(skeleton: Skeleton) -> None:
    with pytest.raises(ValueError, match="on top of each other"):
        read_rest_pose(np.zeros((22, 3)), ALL)
    positions = skeleton.t_pose()
    positions[INDEX["left_knee"]] = positions[INDEX["left_hip"]]
    with pytest.raises(ValueError, match="left_knee has no length"):
        read_rest_pose(positions, ALL)
    positions = skeleton.t_pose() * (0.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="on top of each other"):
        read_rest_pose(positions, ALL)


def test_poses_that_nobody_stands_in(skeleton: Skeleton) -> None:
    positions = np.zeros((22, 3))
    for joint, parent in enumerate(PARENTS[1:], 1):
        side = 0.1 * (("left" in JOINTS[joint]) - ("right" in JOINTS[joint]))
        length = np.linalg.norm(skeleton.offsets[joint])
        positions[joint] = positions[parent] + (length, 0.0, side)
    assert not is_standing(read_rest_pose(positions, ALL))
    sitting, _ = posed(skeleton, left_hip=(-80, 0, 0), right_hip=(-80, 0, 0))
    assert not is_standing(read_rest_pose(sitting, ALL, up=np.array([0.0, 1.0, 0.0])))


@st.composite
def standing(draw: st.DrawFn) -> dict[str, tuple[float, float, float]]:
    """Draw degrees of a rest pose: arms from the T-pose down, legs apart, elbows a little bent."""
    arms, legs = draw(st.floats(-20.0, 90.0)), draw(st.floats(-3.0, 20.0))
    bend, forward = draw(st.floats(0.0, 25.0)), draw(st.floats(-15.0, 15.0))
    pose: dict[str, tuple[float, float, float]] = {}
    for side, sign in (("left", 1.0), ("right", -1.0)):
        pose[f"{side}_shoulder"] = (0.0, 0.0, -sign * arms)
        # About the upper arm's own Y, because bones do not twist in a rest pose.
        lowered = np.radians(-sign * arms)
        elbow = -sign * bend * np.array([-np.sin(lowered), np.cos(lowered), 0.0])
        pose[f"{side}_elbow"] = (float(elbow[0]), float(elbow[1]), 0.0)
        pose[f"{side}_hip"] = (forward, 0.0, sign * legs)
        # Feet stay as they are: they are measured from how they stand.
        pose[f"{side}_ankle"] = (-forward, 0.0, -sign * legs)
    return pose


AXES = [np.eye(3)[list(order)] for order in ((0, 1, 2), (1, 2, 0), (2, 0, 1))]
AXES += [
    axes @ np.diag(signs) for axes in AXES for signs in ((-1, -1, 1), (1, -1, -1), (-1, 1, -1))
]


@given(
    body=bodies(),
    pose=standing(),
    axes=st.sampled_from(AXES),
    position=numbers(3, 10.0),
    unit=st.sampled_from([1.0, 100.0, 1000.0, 0.01]),
)
def test_any_body_in_any_rest_pose_axes_position_and_unit(
    body: Skeleton,
    pose: dict[str, tuple[float, float, float]],
    axes: np.ndarray,
    position: np.ndarray,
    unit: float,
) -> None:
    positions, rotations = posed(body, **pose)
    rest = read_rest_pose(unit * ((positions + position) @ axes.T), ALL)
    np.testing.assert_allclose(rest.skeleton.offsets / unit, body.offsets, atol=1e-5)
    # In canonical terms the rest pose is the pose itself.
    canonical = rest.to_canonical(np.tile(np.eye(3), (22, 1, 1)))
    np.testing.assert_allclose(canonical, axes @ rotations, atol=1e-5)
    random = np.random.default_rng(1)
    rotations = quat.to_matrix(quat.normalize(random.standard_normal((4, 22, 4))))
    back = rest.to_canonical(rest.from_canonical(rotations))
    np.testing.assert_allclose(back, rotations, atol=1e-5)
