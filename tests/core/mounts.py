# SPDX-License-Identifier: GPL-3.0-or-later
"""Performers with trackers mounted as people mount them, to test and measure calibration."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.skeleton import (
    ADULT_SIZE,
    FOOT_TRACKERS,
    INDEX,
    PARENTS,
    TRACKER_JOINTS,
    TRACKERS,
    Skeleton,
)
from ssrhmr_core.tracking.reference_pose import ReferencePose

PELVIS, HEAD, LEFT_HAND, LEFT_FOOT = (
    TRACKERS.index(name) for name in ("pelvis", "head", "left_hand", "left_foot")
)

# Offsets measured on pictures of products, in the joint's axes; the prior has other numbers.
MOUNT_OFFSETS = {
    "belt in front": {PELVIS: (0.0, 0.0, 0.13)},
    "belt behind": {PELVIS: (0.01, 0.05, -0.11)},
    "headset": {HEAD: (0.0, 0.07, 0.10)},
    "controllers": {LEFT_HAND: (0.07, -0.05, 0.01)},
    "back of the hand": {LEFT_HAND: (0.07, 0.03, 0.005)},
    "instep": {LEFT_FOOT: (0.0, -0.02, 0.10)},
    "ankle": {LEFT_FOOT: (0.01, 0.05, 0.04)},
}
MOUNT_SETS = (
    ("belt in front", "headset", "controllers", "instep"),
    ("belt behind", "headset", "controllers", "ankle"),
    ("belt behind", "headset", "back of the hand", "instep"),
    ("belt in front", "headset", "back of the hand", "ankle"),
)


class MountedTrackers(NamedTuple):
    """Trackers at one moment, and the joints they are mounted on.

    Attributes:
        positions: (6, 3) positions of the trackers in metres.
        rotations: (6, 4) rotations of the trackers.
        joint_positions: (6, 3) positions of the joints.
        joint_rotations: (6, 4) rotations of the joints.
    """

    positions: np.ndarray
    rotations: np.ndarray
    joint_positions: np.ndarray
    joint_rotations: np.ndarray


def mount_trackers(
    body: Skeleton,
    mounts: tuple[str, ...],
    seed: int,
    reference: ReferencePose = ReferencePose.T_POSE,
    sloppiness: float = 1.0,
) -> MountedTrackers:
    """Let a performer stand in a reference pose as accurately as people do.

    Args:
        body: The performer's skeleton.
        mounts: Names from :data:`MOUNT_OFFSETS`.
        seed: Seed of the heading, the position, the mount rotations and all inaccuracies.
        reference: The reference pose.
        sloppiness: Factor of the inaccuracies of the pose and the mount offsets.
    """
    random = np.random.default_rng(seed)
    adult = body.size / ADULT_SIZE

    def about(axis: tuple[float, float, float], degrees: float) -> np.ndarray:
        return quat.from_angle_axis(np.array([np.radians(degrees)]), np.array(axis)).reshape(4)

    x, y, z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
    local = np.tile([1.0, 0.0, 0.0, 0.0], (22, 1))
    local[0] = about(y, random.uniform(-180.0, 180.0))
    for side, sign in (("left", 1.0), ("right", -1.0)):
        down = reference.arm_elevation + sloppiness * 4.0 * random.standard_normal()
        forward = -sign * sloppiness * (3.0 + 4.0 * random.standard_normal())
        local[INDEX[f"{side}_shoulder"]] = quat.mul(about(y, forward), about(z, sign * down))
        local[INDEX[f"{side}_elbow"]] = about(y, -sign * sloppiness * abs(4.0 * random.normal()))
        spread = sloppiness * (3.0 + 2.0 * random.standard_normal())
        local[INDEX[f"{side}_hip"]] = about(z, sign * spread)
        local[INDEX[f"{side}_ankle"]] = quat.mul(
            about(z, -sign * spread), about(y, sign * sloppiness * (6.0 + 4.0 * random.normal()))
        )
    local[INDEX["lower_spine"]] = about(x, sloppiness * 2.0 * random.standard_normal())
    rotations = local.copy()
    for joint, parent in enumerate(PARENTS[1:], 1):
        rotations[joint] = quat.mul(rotations[parent], local[joint])
    positions = np.zeros((22, 3))
    for joint, parent in enumerate(PARENTS[1:], 1):
        offset = body.offsets[joint].astype(float)
        positions[joint] = (
            positions[parent] + quat.mul_vec(rotations[parent][None], offset[None])[0]
        )
    positions += [random.uniform(-2.0, 2.0), 0.0, random.uniform(-2.0, 2.0)]
    ankles = positions[[INDEX["left_ankle"], INDEX["right_ankle"]], 1].mean()
    toe = body.offsets[[INDEX["left_toe"], INDEX["right_toe"]], 1].mean()
    positions[:, 1] += 0.022 * adult - toe - ankles

    joint_positions = positions[list(TRACKER_JOINTS)]
    joint_rotations = rotations[list(TRACKER_JOINTS)]
    mount_offsets = np.zeros((6, 3))
    for name in mounts:
        for tracker, offset in MOUNT_OFFSETS[name].items():
            mount_offsets[tracker] = offset
            if tracker in (LEFT_HAND, LEFT_FOOT):
                mount_offsets[tracker + 1] = np.array(offset) * [-1.0, 1.0, 1.0]
    mount_offsets = adult * (mount_offsets + sloppiness * 0.012 * random.standard_normal((6, 3)))
    mount_rotations = quat.normalize(random.standard_normal((6, 4)))
    return MountedTrackers(
        joint_positions + quat.mul_vec(joint_rotations, mount_offsets),
        quat.mul(joint_rotations, mount_rotations),
        joint_positions,
        joint_rotations,
    )


def place_at_mean(
    body: Skeleton,
    trackers: MountedTrackers,
    reference: ReferencePose = ReferencePose.T_POSE,
) -> np.ndarray:
    """Place the joints (6, 3) of the pose at the mean of the trackers: the simplest calibration."""
    pose = mount_trackers(body, (), 0, reference, sloppiness=0.0).joint_positions
    a, b = pose - pose.mean(0), trackers.positions - trackers.positions.mean(0)
    heading = np.arctan2(
        (a[:, 2] * b[:, 0] - a[:, 0] * b[:, 2]).sum(), (a[:, 0] * b[:, 0] + a[:, 2] * b[:, 2]).sum()
    )
    rotation = quat.from_angle_axis(np.array([heading]), np.array([0.0, 1.0, 0.0])).reshape(4)
    rotated = quat.mul_vec(np.tile(rotation, (6, 1)), pose)
    shift = (trackers.positions - rotated).mean(0)
    # The feet stay on the floor.
    shift[1] = (trackers.positions - rotated)[list(FOOT_TRACKERS), 1].mean()
    return rotated + shift
