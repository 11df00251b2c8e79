# SPDX-License-Identifier: GPL-3.0-or-later
"""Hard motions that break solvers, on bodies of every size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import INDEX, JOINTS, LIMB_DIRECTIONS, TRACKERS, Skeleton
from ssrhmr_core.tracking.take import Take
from tests.core.conftest import make_skeleton, to_global

Pose = dict[str, tuple[float, float, float]]
"""Rotations of joints about X (to the left), Y (up) and Z (to the front), degrees, in this order.
``root`` is the position of the hips over the floor, in lengths of the leg."""

STANDING: Pose = {
    "root": (0.0, 1.09, 0.0),
    "left_shoulder": (0.0, 0.0, -70.0),
    "right_shoulder": (0.0, 0.0, 70.0),
    "left_elbow": (0.0, -15.0, 0.0),
    "right_elbow": (0.0, 15.0, 0.0),
}


def both(name: str, x: float, y: float, z: float) -> Pose:
    """Return mirrored rotations for the left and the right joint of a name."""
    return {f"left_{name}": (x, y, z), f"right_{name}": (x, -y, -z)}


T_POSE: Pose = {"root": (0.0, 1.09, 0.0)}
FORWARD: Pose = {"root": (0.0, 1.09, 0.0), **both("shoulder", 0.0, -85.0, 0.0)}
UP: Pose = {"root": (0.0, 1.09, 0.0), **both("shoulder", 0.0, 0.0, 80.0)}
SQUAT: Pose = {
    "root": (0.0, 0.42, -0.05),
    "hips": (25.0, 0.0, 0.0),
    **both("hip", -140.0, 0.0, 12.0),
    **both("knee", 140.0, 0.0, 0.0),
    **both("ankle", -25.0, 0.0, 0.0),
    "lower_spine": (15.0, 0.0, 0.0),
    "chest": (10.0, 0.0, 0.0),
    "neck": (-30.0, 0.0, 0.0),
    **both("shoulder", 0.0, -80.0, 0.0),
}
KNEELING: Pose = {
    "root": (0.0, 0.56, 0.0),
    **both("hip", -10.0, 0.0, 0.0),
    **both("knee", 100.0, 0.0, 0.0),
    **both("ankle", 20.0, 0.0, 0.0),
    **both("shoulder", 0.0, 0.0, -70.0),
}
LYING: Pose = {
    "root": (0.0, 0.12, 0.0),
    "hips": (-90.0, 0.0, 0.0),
    **both("hip", -10.0, 0.0, 5.0),
    **both("knee", 15.0, 0.0, 0.0),
    **both("shoulder", 0.0, 0.0, -60.0),
}
HANDS_ON_FLOOR: Pose = {
    "root": (0.0, 1.0, -0.1),
    "hips": (85.0, 0.0, 0.0),
    **both("hip", -85.0, 0.0, 8.0),
    **both("knee", 10.0, 0.0, 0.0),
    "lower_spine": (25.0, 0.0, 0.0),
    "middle_spine": (15.0, 0.0, 0.0),
    "neck": (-30.0, 0.0, 0.0),
    **both("shoulder", 0.0, -85.0, 0.0),
}
BEHIND: Pose = {
    "root": (0.0, 1.09, 0.0),
    **both("shoulder", 35.0, 25.0, -65.0),
    **both("elbow", 0.0, -70.0, -15.0),
}
CROSSED_BEHIND: Pose = {
    "root": (0.0, 1.09, 0.0),
    **both("shoulder", 40.0, 20.0, -75.0),
    **both("elbow", 0.0, -95.0, -10.0),
    "left_clavicle": (0.0, 10.0, 0.0),
}


def perform(skeleton: Skeleton, *poses: Pose, seconds: float = 1.0) -> Motion:
    """Return a motion from pose to pose, each step with ease in so many seconds."""
    leg = -skeleton.t_pose()[INDEX["left_ankle"], 1]
    tables, roots = [], []
    for pose in poses:
        local = np.zeros((len(JOINTS), 4))
        local[:, 0] = 1.0
        for name, angles in pose.items():
            if name == "root":
                continue
            for axis, angle in zip(np.eye(3), np.radians(angles), strict=True):
                rotation = quat.from_angle_axis(np.array([angle]), axis).reshape(4)
                local[INDEX[name]] = quat.mul(rotation, local[INDEX[name]])
        tables.append(local)
        roots.append(np.array(pose["root"]) * leg)
    steps = round(60 * seconds)
    shares = np.arange(steps * (len(poses) - 1) + 1) / steps
    begin = np.minimum(shares.astype(int), len(poses) - 2)
    share = shares - begin
    share = (share * share * (3.0 - 2.0 * share))[:, None]
    first, second = np.array(tables)[begin], np.array(tables)[begin + 1]
    local = quat.slerp(first, second, np.broadcast_to(share[:, None], (*first.shape[:2], 1)))
    rotations = to_global(local)
    root = np.array(roots)[begin] * (1.0 - share) + np.array(roots)[begin + 1] * share
    times = np.arange(len(shares)) / 60.0
    return Motion(skeleton, times, rotations.astype("f4"), root.astype("f4"))


def shake(take: Take, metres: float) -> Take:
    """Return the take with white noise on its positions."""
    random = np.random.default_rng(9)
    noise = metres * random.standard_normal(take.positions.shape)
    return replace(take, positions=(take.positions + noise).astype("f4"))


def pull_out_of_reach(take: Take, metres: float) -> Take:
    """Return the take with hands and feet slowly pulled away from the body and brought back."""
    positions = take.positions.copy()
    share = np.sin(np.linspace(0.0, np.pi, len(take)))[:, None] * metres
    for name in ("left_hand", "right_hand", "left_foot", "right_foot"):
        tracker = TRACKERS.index(name)
        outward = positions[:, tracker] - positions[:, 0]
        positions[:, tracker] += share * outward / np.linalg.norm(outward, axis=-1, keepdims=True)
    return replace(take, positions=positions)


def make_child() -> Skeleton:
    """Return a child of 1.2 m with short legs and a long neck."""
    body = make_skeleton().scaled(1.2 / 1.75)
    offsets = body.offsets.copy()
    for name in ("left_knee", "left_ankle", "right_knee", "right_ankle"):
        offsets[INDEX[name]] *= 0.88
    offsets[INDEX["neck"]] *= 1.2
    return Skeleton(offsets)


def make_cartoon() -> Skeleton:
    """Return a cartoon of 3 m whose arms are half as long again."""
    offsets = make_skeleton().scaled(3.0 / 1.75).offsets.copy()
    for joint in LIMB_DIRECTIONS:
        if "elbow" in JOINTS[joint] or "wrist" in JOINTS[joint]:
            offsets[joint] *= 1.5
    return Skeleton(offsets)


Case = Callable[[], tuple[Motion, Take]]


def _case(
    *poses: Pose,
    body: Callable[[], Skeleton] = make_skeleton,
    disturb: Callable[[Take], Take] | None = None,
) -> Case:
    def make() -> tuple[Motion, Take]:
        motion = perform(body(), *poses)
        take = Take.from_motion(motion)
        return motion, disturb(take) if disturb else take

    return make


CASES: dict[str, Case] = {
    "arms through full extension, 1 mm noise": _case(
        STANDING, T_POSE, FORWARD, UP, T_POSE, disturb=lambda take: shake(take, 0.001)
    ),
    "hands crossing behind the back": _case(STANDING, BEHIND, CROSSED_BEHIND, BEHIND, STANDING),
    "deep squats": _case(STANDING, SQUAT, STANDING, SQUAT),
    "kneeling": _case(STANDING, SQUAT, KNEELING, KNEELING),
    "lying": _case(SQUAT, LYING, LYING),
    "hands on the floor": _case(STANDING, HANDS_ON_FLOOR, STANDING),
    "a child of 1.2 m": _case(STANDING, UP, SQUAT, HANDS_ON_FLOOR, STANDING, body=make_child),
    "a cartoon of 3 m": _case(STANDING, UP, SQUAT, FORWARD, STANDING, body=make_cartoon),
    "30 cm out of reach": _case(
        STANDING, T_POSE, FORWARD, UP, disturb=lambda take: pull_out_of_reach(take, 0.3)
    ),
}
