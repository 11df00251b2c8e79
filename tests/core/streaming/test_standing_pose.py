# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles from places, while the performer stands in the T-pose."""

from __future__ import annotations

import numpy as np
import pytest
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.skeleton import INDEX, TRACKER_JOINTS, TRACKERS
from ssrhmr_core.geometry.scalar import Quaternion, Vector
from ssrhmr_core.streaming.standing_pose import Pose, find_roles_of_standing
from tests.core.conftest import make_skeleton

BODY = make_skeleton()
NAMES = {role: f"LHR-{(7 * index + 3) % 6}" for index, role in enumerate(TRACKERS)}
ROLES = {name: role for role, name in NAMES.items()}
KINDS = {"head": "hmd"}


def rotated(rotation: np.ndarray) -> Quaternion:
    w, x, y, z = rotation.tolist()
    return w, x, y, z


def placed(position: np.ndarray) -> Vector:
    x, y, z = position.tolist()
    return x, y, z


def worn(heading: float, size: float = 1.0, seed: int = 0) -> dict[str, Pose]:
    """Trackers that sit askew on somebody in the T-pose, somewhere in the room."""
    random = np.random.default_rng(seed)
    turn = quat.from_scaled_angle_axis(np.array([0.0, heading, 0.0]))
    joints = BODY.t_pose()[list(TRACKER_JOINTS)] + random.uniform(-0.06, 0.06, (6, 3))
    positions = size * quat.mul_vec(np.tile(turn, (6, 1)), joints) + (1.0, 1.0, -2.0)
    askew = quat.from_scaled_angle_axis(random.uniform(-3.0, 3.0, (6, 3)))
    # A headset looks to the front, more or less.
    askew[TRACKERS.index("head")] = quat.from_scaled_angle_axis(random.uniform(-0.3, 0.3, 3))
    rotations = quat.mul(np.tile(turn, (6, 1)), askew)
    return {
        NAMES[role]: (placed(positions[i]), rotated(rotations[i]), KINDS.get(role, "tracker"))
        for i, role in enumerate(TRACKERS)
    }


@pytest.mark.parametrize("heading", [0.0, 1.0, 2.5, -2.0])
@pytest.mark.parametrize("size", [0.7, 1.0, 1.2])
def test_six_trackers_in_the_t_pose(heading: float, size: float) -> None:
    for seed in range(5):
        poses = worn(heading, size, seed)
        assert find_roles_of_standing(poses, {}) == NAMES
        # In whatever order.
        shuffled = dict(sorted(poses.items(), reverse=True))
        assert find_roles_of_standing(shuffled, {}) == NAMES


def test_without_a_front_there_is_no_left_and_right() -> None:
    poses = {name: (place, turn, "tracker") for name, (place, turn, _) in worn(1.0).items()}
    centre = {role: NAMES[role] for role in ("head", "pelvis")}
    assert find_roles_of_standing(poses, {}) == centre
    # Until one side is known.
    hands = {role: NAMES[role] for role in ("left_hand", "right_hand")}
    assert find_roles_of_standing(poses, hands) == NAMES


VRCHAT = {
    "Amethyst": {1: "hips", 2: "chest", 8: "left_ankle", 7: "right_ankle", 6: "left_knee"},
    "SlimeVR": {
        1: "hips",
        2: "left_ankle",
        3: "right_ankle",
        4: "left_knee",
        5: "right_knee",
        6: "chest",
        7: "left_elbow",
        8: "right_elbow",
    },
}


@pytest.mark.parametrize("sender", VRCHAT)
def test_numbers_of_vrchat_mean_what_their_places_say(sender: str) -> None:
    """Bones of a body that the sender computed: their rotations have its front in common."""
    turn = quat.from_scaled_angle_axis(np.array([0.0, 2.0, 0.0]))
    place = np.array([0.5, 1.0, 0.3])
    rest = place + quat.mul_vec(np.tile(turn, (22, 1)), BODY.t_pose())
    poses: dict[str, Pose] = {
        f"tracker {number}": (placed(rest[INDEX[joint]]), rotated(turn), "tracker")
        for number, joint in VRCHAT[sender].items()
    }
    poses["head"] = (placed(rest[INDEX["head"]]), None, "hmd")
    number_of = {joint: number for number, joint in VRCHAT[sender].items()}
    role_of = {"hips": "pelvis", "left_ankle": "left_foot", "right_ankle": "right_foot"}
    assert find_roles_of_standing(poses, {"head": "head"}) == {
        "head": "head",
        **{role_of.get(joint, joint): f"tracker {n}" for joint, n in number_of.items()},
    }


OPTIONAL = ("chest", "left_elbow", "right_elbow", "left_knee", "right_knee")


@pytest.mark.parametrize("heading", [0.0, 2.5])
@pytest.mark.parametrize("hands", [True, False])
@pytest.mark.parametrize("below", [False, True])
def test_optional_trackers_in_the_t_pose(heading: float, hands: bool, below: bool) -> None:
    """On upper arms and thighs, or on forearms and shins."""
    rest, turn = BODY.t_pose(), quat.from_scaled_angle_axis(np.array([0.0, heading, 0.0]))
    for seed in range(5):
        random = np.random.default_rng(seed)
        poses = worn(heading, seed=seed)
        expected = dict(NAMES)
        if not hands:
            for role in ("left_hand", "right_hand"):
                del poses[NAMES[role]], expected[role]
        for role in OPTIONAL:
            joint = INDEX[role]
            near = joint + (1 if below else -1) if role != "chest" else joint
            place = rest[joint] + 0.2 * (rest[near] - rest[joint])
            place = place + random.uniform(-0.03, 0.03, 3)
            askew = quat.from_scaled_angle_axis(random.uniform(-3.0, 3.0, 3))
            position = np.array([1.0, 1.0, -2.0]) + quat.mul_vec(turn, place)
            poses[f"LHR-{role[::-1]}"] = (placed(position), rotated(askew), "tracker")
            expected[role] = f"LHR-{role[::-1]}"
        assert find_roles_of_standing(poses, {}) == expected


POINTS = {"head": "hmd", "left_hand": "controller", "right_hand": "controller"}


@pytest.mark.parametrize("heading", [0.0, 1.0, 2.5, -2.0])
@pytest.mark.parametrize("size", [0.7, 1.0, 1.2])
@pytest.mark.parametrize("more", [(), ("pelvis",)])
def test_two_controllers_beside_a_headset(
    heading: float, size: float, more: tuple[str, ...]
) -> None:
    for seed in range(5):
        poses = worn(heading, size, seed)
        poses = {
            NAMES[role]: (*poses[NAMES[role]][:2], POINTS.get(role, "tracker"))
            for role in (*POINTS, *more)
        }
        known = {"head": NAMES["head"]}
        wanted = {role: NAMES[role] for role in POINTS}
        assert find_roles_of_standing(poses, known) == wanted
        # Not from what hangs at the sides, or lies somewhere.
        for drop, shift in ((0.7, 0.0), (0.0, 1.0)):
            moved = dict(poses)
            for role in ("left_hand", "right_hand"):
                (x, y, z), turn, kind = moved[NAMES[role]]
                moved[NAMES[role]] = (x + shift, y - drop * size, z), turn, kind
            assert find_roles_of_standing(moved, known) == known
        # One that has a role already is not asked again.
        taken = {**known, "left_hand": NAMES["right_hand"]}
        assert find_roles_of_standing(poses, taken) == taken


def test_other_poses_and_other_things_tell_nothing() -> None:
    arms_down = BODY.t_pose()[list(TRACKER_JOINTS)]
    hands = [TRACKERS.index("left_hand"), TRACKERS.index("right_hand")]
    arms_down[hands] = arms_down[hands] * (0.3, 1.0, 1.0) - (0.0, 0.55, 0.0)
    lying = BODY.t_pose()[list(TRACKER_JOINTS)][:, [0, 2, 1]]
    one_place = np.zeros((6, 3))
    on_a_table = np.random.default_rng(1).uniform(-0.4, 0.4, (6, 3)) * (1.0, 0.02, 1.0)
    unit = (1.0, 0.0, 0.0, 0.0)
    for positions in (lying, one_place, on_a_table):
        poses: dict[str, Pose] = {
            NAMES[role]: (placed(positions[i]), unit, KINDS.get(role, "tracker"))
            for i, role in enumerate(TRACKERS)
        }
        assert find_roles_of_standing(poses, {}) == {}
    poses = {
        NAMES[role]: (placed(arms_down[i]), unit, KINDS.get(role, "tracker"))
        for i, role in enumerate(TRACKERS)
    }
    assert not {"left_hand", "right_hand"} & set(find_roles_of_standing(poses, {}))


def test_what_is_known_stays() -> None:
    poses = worn(0.5)
    known = {"pelvis": NAMES["pelvis"], "left_hand": "something else"}
    roles = find_roles_of_standing(poses, known)
    assert roles == {**NAMES, "left_hand": "something else"}
