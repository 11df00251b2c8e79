# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be done without some of the six trackers.

VRChat's trackers, for one, have no hands, and a head without rotation.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from ..body.skeleton import INDEX, TRACKERS, Skeleton
from ..tracking.reference_pose import ReferencePose
from ..tracking.take import Take

HANDS = ("left_hand", "right_hand")
_OTHERS = [TRACKERS.index(role) for role in TRACKERS if role not in HANDS]
_HEAD, _PELVIS = TRACKERS.index("head"), TRACKERS.index("pelvis")
_FEET = [TRACKERS.index("left_foot"), TRACKERS.index("right_foot")]
_ANKLES = [INDEX["left_ankle"], INDEX["right_ankle"]]

HANDS_FILLED_IN = (
    "no device is bound to {hands}: the arms are guessed, and no measured hands move them. Senders"
    " of VRChat's trackers have none; VRChat itself sends its headset and wrists"
)


def explain_missing(roles: Mapping[str, str]) -> str:
    """Say what a calibration can do with the roles that are bound, "" if all six are."""
    missing = [role for role in TRACKERS if role not in roles]
    if not missing:
        return ""
    if set(missing) <= set(HANDS):
        return HANDS_FILLED_IN.format(hands=" and ".join(missing))
    return (
        f"no device is bound to {', '.join(missing)}: calibration needs them. Switch them on, and"
        " say which device is worn there, or stand in the T-pose to let places decide"
    )


def place_hands(
    take: Take, skeleton: Skeleton, reference: ReferencePose, missing: Collection[str]
) -> Take:
    """Place the hands that have no tracker where the reference pose has them.

    Args:
        take: Frames of a performer who stands in the reference pose.
        skeleton: The character, whose proportions are used.
        reference: The pose.
        missing: Roles of the hands that have no tracker.

    Returns:
        The take with these hands, valid where all other trackers are but hands.
    """
    rest = skeleton.t_pose().astype(np.float64)
    ground = rest[_ANKLES, 1].mean()
    head, feet = take.positions[:, _HEAD], take.positions[:, _FEET]
    rises = head[:, 1] - feet[:, :, 1].mean(1)
    size = rises / (rest[INDEX["head"], 1] - ground)
    left = (feet[:, 0] - feet[:, 1]) * (1.0, 0.0, 1.0)
    left /= np.maximum(np.linalg.norm(left, axis=-1, keepdims=True), 1e-9)
    centre = 0.5 * (head + feet.mean(1))
    positions, valid = take.positions.copy(), take.valid.copy()
    for role in missing:
        side = role.removesuffix("_hand")
        shoulder, wrist = rest[INDEX[f"{side}_shoulder"]], rest[INDEX[f"{side}_wrist"]]
        angle = np.radians(reference.arm_elevation)
        reach = np.linalg.norm(wrist - shoulder)
        outwards = abs(shoulder[0]) + reach * np.cos(angle)
        height = shoulder[1] + reach * np.sin(angle) - ground
        sign = 1.0 if side == "left" else -1.0
        tracker = TRACKERS.index(role)
        positions[:, tracker] = centre + sign * (size * outwards)[:, None] * left
        positions[:, tracker, 1] = feet[:, :, 1].mean(1) + size * height
        valid[:, tracker] = take.valid[:, _OTHERS].all(-1)
    return Take(take.times, positions.astype(np.float32), take.rotations, valid)


def rotate_head_with_pelvis(take: Take) -> Take:
    """Let a head that has no rotation rotate as the pelvis does."""
    rotations = take.rotations.copy()
    rotations[:, _HEAD] = rotations[:, _PELVIS]
    return Take(take.times, take.positions, rotations, take.valid)
