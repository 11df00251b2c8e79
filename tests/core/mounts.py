# SPDX-License-Identifier: GPL-3.0-or-later
"""Performers who wear trackers as people do, for tests and figures of the calibration."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.skeleton import ADULT_SIZE, INDEX, PARENTS, TRACKER_JOINTS, Skeleton
from ssrhmr_core.tracking.reference_pose import ELEVATIONS

# Not the numbers of the prior: places measured on pictures of products, in the joint's axes.
PLACES = {
    "belt in front": {0: (0.0, 0.0, 0.13)},
    "belt behind": {0: (0.01, 0.05, -0.11)},
    "headset": {1: (0.0, 0.07, 0.10)},
    "controllers": {2: (0.07, -0.05, 0.01)},
    "back of the hand": {2: (0.07, 0.03, 0.005)},
    "instep": {4: (0.0, -0.02, 0.10)},
    "ankle": {4: (0.01, 0.05, 0.04)},
}
SETS = (
    ("belt in front", "headset", "controllers", "instep"),
    ("belt behind", "headset", "controllers", "ankle"),
    ("belt behind", "headset", "back of the hand", "instep"),
    ("belt in front", "headset", "back of the hand", "ankle"),
)


class Worn(NamedTuple):
    """Trackers at one moment and the joints they are worn on.

    Attributes:
        positions: (6, 3) of the trackers, metres.
        rotations: (6, 4) of the trackers.
        joints: (6, 3) of the joints.
        turns: (6, 4) of the joints.
    """

    positions: np.ndarray
    rotations: np.ndarray
    joints: np.ndarray
    turns: np.ndarray


def wear(
    body: Skeleton,
    mounts: tuple[str, ...],
    seed: int,
    reference: str = "T_POSE",
    sloppy: float = 1.0,
) -> Worn:
    """Let a performer stand in a reference pose, as well as people do.

    Args:
        body: the performer's.
        mounts: names out of :data:`PLACES`.
        seed: of the heading, the place, the mounts' rotations and all that is not as it should.
        reference: the pose.
        sloppy: 0 stands exactly in it, with trackers exactly in their places.
    """
    random = np.random.default_rng(seed)
    adult = body.size / ADULT_SIZE

    def about(axis: tuple[float, float, float], degrees: float) -> np.ndarray:
        return quat.from_angle_axis(np.array([np.radians(degrees)]), np.array(axis)).reshape(4)

    x, y, z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
    local = np.tile([1.0, 0.0, 0.0, 0.0], (22, 1))
    local[0] = about(y, random.uniform(-180.0, 180.0))
    for side, sign in (("left", 1.0), ("right", -1.0)):
        down = ELEVATIONS[reference] + sloppy * 4.0 * random.standard_normal()
        forward = -sign * sloppy * (3.0 + 4.0 * random.standard_normal())
        local[INDEX[f"{side}_shoulder"]] = quat.mul(about(y, forward), about(z, sign * down))
        local[INDEX[f"{side}_elbow"]] = about(y, -sign * sloppy * abs(4.0 * random.normal()))
        spread = sloppy * (3.0 + 2.0 * random.standard_normal())
        local[INDEX[f"{side}_hip"]] = about(z, sign * spread)
        local[INDEX[f"{side}_ankle"]] = quat.mul(
            about(z, -sign * spread), about(y, sign * sloppy * (6.0 + 4.0 * random.normal()))
        )
    local[INDEX["lower_spine"]] = about(x, sloppy * 2.0 * random.standard_normal())
    turned = local.copy()
    for joint, parent in enumerate(PARENTS[1:], 1):
        turned[joint] = quat.mul(turned[parent], local[joint])
    points = np.zeros((22, 3))
    for joint, parent in enumerate(PARENTS[1:], 1):
        step = body.offsets[joint].astype(float)
        points[joint] = points[parent] + quat.mul_vec(turned[parent][None], step[None])[0]
    points += [random.uniform(-2.0, 2.0), 0.0, random.uniform(-2.0, 2.0)]
    ankles = points[[INDEX["left_ankle"], INDEX["right_ankle"]], 1].mean()
    toe = body.offsets[[INDEX["left_toe"], INDEX["right_toe"]], 1].mean()
    points[:, 1] += 0.022 * adult - toe - ankles

    joints, turns = points[list(TRACKER_JOINTS)], turned[list(TRACKER_JOINTS)]
    arms = np.zeros((6, 3))
    for name in mounts:
        for tracker, place in PLACES[name].items():
            arms[tracker] = place
            if tracker in (2, 4):
                arms[tracker + 1] = np.array(place) * [-1.0, 1.0, 1.0]
    arms = adult * (arms + sloppy * 0.012 * random.standard_normal((6, 3)))
    mounted = quat.normalize(random.standard_normal((6, 4)))
    return Worn(joints + quat.mul_vec(turns, arms), quat.mul(turns, mounted), joints, turns)


def mean_of_trackers(body: Skeleton, worn: Worn, reference: str = "T_POSE") -> np.ndarray:
    """Joints (6, 3) of the pose put at the mean of the trackers: the plain way to calibrate."""
    wanted = wear(body, (), 0, reference, sloppy=0.0).joints
    a, b = wanted - wanted.mean(0), worn.positions - worn.positions.mean(0)
    heading = np.arctan2(
        (a[:, 2] * b[:, 0] - a[:, 0] * b[:, 2]).sum(), (a[:, 0] * b[:, 0] + a[:, 2] * b[:, 2]).sum()
    )
    turn = quat.from_angle_axis(np.array([heading]), np.array([0.0, 1.0, 0.0])).reshape(4)
    placed = quat.mul_vec(np.tile(turn, (6, 1)), wanted)
    shift = (worn.positions - placed).mean(0)
    # Feet on the floor, as it was done.
    shift[1] = (worn.positions - placed)[-2:, 1].mean()
    return placed + shift
