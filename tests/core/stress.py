# SPDX-License-Identifier: GPL-3.0-or-later
"""Hard motions, made here: what breaks solvers, on bodies of every size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import INDEX, JOINTS, LIMB_DIRECTIONS, PARENTS, TRACKERS, Skeleton
from ssrhmr_core.tracking.take import Take
from tests.core.conftest import make_skeleton

Pose = dict[str, tuple[float, float, float]]
"""Turns of joints about X (to the left), Y (up) and Z (to the front), degrees, one after the
other; of the hips also a place: ``place`` in legs' lengths, up from the floor."""

STANDING: Pose = {
    "place": (0.0, 1.09, 0.0),
    "left_shoulder": (0.0, 0.0, -70.0),
    "right_shoulder": (0.0, 0.0, 70.0),
    "left_elbow": (0.0, -15.0, 0.0),
    "right_elbow": (0.0, 15.0, 0.0),
}


def both(name: str, x: float, y: float, z: float) -> Pose:
    """The same on both sides, as in a mirror."""
    return {f"left_{name}": (x, y, z), f"right_{name}": (x, -y, -z)}


T_POSE: Pose = {"place": (0.0, 1.09, 0.0)}
FORWARD: Pose = {"place": (0.0, 1.09, 0.0), **both("shoulder", 0.0, -85.0, 0.0)}
UP: Pose = {"place": (0.0, 1.09, 0.0), **both("shoulder", 0.0, 0.0, 80.0)}
SQUAT: Pose = {
    "place": (0.0, 0.42, -0.05),
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
    "place": (0.0, 0.56, 0.0),
    **both("hip", -10.0, 0.0, 0.0),
    **both("knee", 100.0, 0.0, 0.0),
    **both("ankle", 20.0, 0.0, 0.0),
    **both("shoulder", 0.0, 0.0, -70.0),
}
LYING: Pose = {
    "place": (0.0, 0.12, 0.0),
    "hips": (-90.0, 0.0, 0.0),
    **both("hip", -10.0, 0.0, 5.0),
    **both("knee", 15.0, 0.0, 0.0),
    **both("shoulder", 0.0, 0.0, -60.0),
}
HANDS_ON_FLOOR: Pose = {
    "place": (0.0, 1.0, -0.1),
    "hips": (85.0, 0.0, 0.0),
    **both("hip", -85.0, 0.0, 8.0),
    **both("knee", 10.0, 0.0, 0.0),
    "lower_spine": (25.0, 0.0, 0.0),
    "middle_spine": (15.0, 0.0, 0.0),
    "neck": (-30.0, 0.0, 0.0),
    **both("shoulder", 0.0, -85.0, 0.0),
}
BEHIND: Pose = {
    "place": (0.0, 1.09, 0.0),
    **both("shoulder", 35.0, 25.0, -65.0),
    **both("elbow", 0.0, -70.0, -15.0),
}
CROSSED_BEHIND: Pose = {
    "place": (0.0, 1.09, 0.0),
    **both("shoulder", 40.0, 20.0, -75.0),
    **both("elbow", 0.0, -95.0, -10.0),
    "left_clavicle": (0.0, 10.0, 0.0),
}


def perform(skeleton: Skeleton, *poses: Pose, seconds: float = 1.0) -> Motion:
    """Go from pose to pose, each way in so many seconds, with ease."""
    leg = -skeleton.t_pose()[INDEX["left_ankle"], 1]
    tables, places = [], []
    for pose in poses:
        turns = np.zeros((22, 4))
        turns[:, 0] = 1.0
        for name, angles in pose.items():
            if name == "place":
                continue
            for axis, angle in zip(np.eye(3), np.radians(angles), strict=True):
                turn = quat.from_angle_axis(np.array([angle]), axis).reshape(4)
                turns[INDEX[name]] = quat.mul(turn, turns[INDEX[name]])
        tables.append(turns)
        places.append(np.array(pose["place"]) * leg)
    steps = round(60 * seconds)
    shares = np.arange(steps * (len(poses) - 1) + 1) / steps
    begin = np.minimum(shares.astype(int), len(poses) - 2)
    share = shares - begin
    share = (share * share * (3.0 - 2.0 * share))[:, None]
    first, second = np.array(tables)[begin], np.array(tables)[begin + 1]
    local = quat.slerp(first, second, np.broadcast_to(share[:, None], (*first.shape[:2], 1)))
    turned = local.copy()
    for joint, parent in enumerate(PARENTS[1:], 1):
        turned[:, joint] = quat.mul(turned[:, parent], local[:, joint])
    root = np.array(places)[begin] * (1.0 - share) + np.array(places)[begin + 1] * share
    times = np.arange(len(shares)) / 60.0
    return Motion(skeleton, times, turned.astype("f4"), root.astype("f4"))


def shaken(take: Take, metres: float) -> Take:
    """The take with white noise on its positions."""
    random = np.random.default_rng(9)
    noise = metres * random.standard_normal(take.positions.shape)
    return replace(take, positions=(take.positions + noise).astype("f4"))


def out_of_reach(take: Take, metres: float) -> Take:
    """Hands and feet slowly taken away from the body and brought back."""
    away = take.positions.copy()
    share = np.sin(np.linspace(0.0, np.pi, len(take)))[:, None] * metres
    for name in ("left_hand", "right_hand", "left_foot", "right_foot"):
        tracker = TRACKERS.index(name)
        outward = away[:, tracker] - away[:, 0]
        away[:, tracker] += share * outward / np.linalg.norm(outward, axis=-1, keepdims=True)
    return replace(take, positions=away)


def child() -> Skeleton:
    """1.2 m tall, with short legs and a large head's neck."""
    body = make_skeleton().scaled(1.2 / 1.75)
    offsets = body.offsets.copy()
    for name in ("left_knee", "left_ankle", "right_knee", "right_ankle"):
        offsets[INDEX[name]] *= 0.88
    offsets[INDEX["neck"]] *= 1.2
    return Skeleton(offsets)


def cartoon() -> Skeleton:
    """3 m tall, with arms half as long again."""
    offsets = make_skeleton().scaled(3.0 / 1.75).offsets.copy()
    for joint in LIMB_DIRECTIONS:
        if "elbow" in JOINTS[joint] or "wrist" in JOINTS[joint]:
            offsets[joint] *= 1.5
    return Skeleton(offsets)


Case = Callable[[], tuple[Motion, Take]]


def _case(*poses: Pose, body: Callable[[], Skeleton] = make_skeleton, worse: object = None) -> Case:
    def make() -> tuple[Motion, Take]:
        motion = perform(body(), *poses)
        take = Take.from_motion(motion)
        return motion, worse(take) if callable(worse) else take

    return make


CASES: dict[str, Case] = {
    "arms through full extension, 1 mm noise": _case(
        STANDING, T_POSE, FORWARD, UP, T_POSE, worse=lambda take: shaken(take, 0.001)
    ),
    "hands crossing behind the back": _case(STANDING, BEHIND, CROSSED_BEHIND, BEHIND, STANDING),
    "deep squats": _case(STANDING, SQUAT, STANDING, SQUAT),
    "kneeling": _case(STANDING, SQUAT, KNEELING, KNEELING),
    "lying": _case(SQUAT, LYING, LYING),
    "hands on the floor": _case(STANDING, HANDS_ON_FLOOR, STANDING),
    "a child of 1.2 m": _case(STANDING, UP, SQUAT, HANDS_ON_FLOOR, STANDING, body=child),
    "a cartoon of 3 m": _case(STANDING, UP, SQUAT, FORWARD, STANDING, body=cartoon),
    "30 cm out of reach": _case(
        STANDING, T_POSE, FORWARD, UP, worse=lambda take: out_of_reach(take, 0.3)
    ),
}
