# SPDX-License-Identifier: GPL-3.0-or-later
"""What is probable of poses, bones and mounts before any tracker is looked at.

All spreads are standard deviations of normal distributions.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..body.skeleton import INDEX
from .pose_model import BALL_ANGLES, DEGREE_INDEX, DEGREES, DEGREES_OF_FREEDOM, SIDES

# Mean and spread of each angle in degrees: about X, Y and Z for ball joints of the left side.
_MOVING: dict[str, tuple[tuple[float, float], ...]] = {
    "lower_spine": ((4, 10), (0, 7), (0, 6)),
    "middle_spine": ((4, 10), (0, 7), (0, 6)),
    "chest": ((4, 10), (0, 7), (0, 6)),
    "neck": ((0, 10), (0, 12), (0, 6)),
    "head": ((0, 14), (0, 18), (0, 8)),
    "shoulder": ((0, 50), (0, 60), (0, 60)),
    "hip": ((-15, 35), (5, 15), (3, 15)),
    "ankle": ((-10, 14), (-2, 11), (-6, 8)),
    "clavicle": ((3, 7), (0, 7)),
    "elbow": ((30, 60), (0, 45)),
    "wrist": ((0, 20), (0, 12)),
    "knee": ((20, 50),),
}
_PERSONAL = {"hip": (0, 7, 4), "ankle": (6, 9, 8)}
"""Spread between people of the middle of these angles, degrees, as the people of the training list
have them: how feet are turned against shins, and legs against the pelvis, is a matter of build and
of habit, which no number of frames averages out."""
_STANDING: dict[str, tuple[tuple[float, float], ...]] = {
    "lower_spine": ((0, 1.5), (0, 1.2), (0, 1.0)),
    "middle_spine": ((0, 1.5), (0, 1.2), (0, 1.0)),
    "chest": ((0, 1.5), (0, 1.2), (0, 1.0)),
    "neck": ((0, 3), (0, 2.5), (0, 2)),
    "head": ((0, 3), (0, 2.5), (0, 2)),
    "shoulder": ((0, 5), (-3, 5), (0, 5)),
    "hip": ((0, 3), (6, 4), (3, 2.5)),
    "ankle": ((0, 3), (0, 5), (-3, 2.5)),
    "clavicle": ((0, 2), (0, 2)),
    "elbow": ((4, 4), (0, 5)),
    "wrist": ((0, 5), (0, 4)),
    "knee": ((4, 3),),
}
"""People who stand in a reference pose: feet turned out and apart, arms a little in front."""
_UPRIGHT = {"hips.x": 2.5, "hips.z": 1.5}
"""Spreads of the pelvis in a reference pose, degrees."""

BONE_GROUPS = (
    ("knee",),
    ("ankle",),
    ("elbow",),
    ("wrist",),
    ("lower_spine", "middle_spine", "chest"),
    ("neck", "head"),
    ("clavicle", "shoulder"),
    ("hip",),
)
"""Joints at the ends of bones whose lengths change together on both sides."""

_SPINE = ("lower_spine", "middle_spine", "chest")


class AngleDistribution(NamedTuple):
    """Normal distributions of the degrees of freedom.

    Attributes:
        mean: (D,) radians.
        spread: (D,) radians, infinite where nothing is known.
    """

    mean: np.ndarray
    spread: np.ndarray


def moving_angles() -> AngleDistribution:
    """Return the distribution of the angles of somebody who moves."""
    return _tabulate(_MOVING)


def personal_spreads() -> np.ndarray:
    """Return by how much the middle of each angle differs between people, (D,) radians."""
    spreads = np.zeros(DEGREES)
    for number, degree in enumerate(DEGREES_OF_FREEDOM[:BALL_ANGLES]):
        part = degree.name.partition(".")[0].removeprefix("left_").removeprefix("right_")
        if part in _PERSONAL:
            spreads[number] = np.radians(_PERSONAL[part][degree.axis])
    return spreads


def standing_angles(elevation: float) -> AngleDistribution:
    """Return the distribution of the angles of somebody who stands in a reference pose.

    Args:
        elevation: Angle of the arms over the horizontal, radians.
    """
    mean, spread = _tabulate(_STANDING)
    for side, mirror in SIDES:
        mean[DEGREE_INDEX[f"{side}_shoulder.z"]] += mirror * elevation
    for name, degrees in _UPRIGHT.items():
        spread[DEGREE_INDEX[name]] = np.radians(degrees)
    return AngleDistribution(mean, spread)


def _tabulate(table: dict[str, tuple[tuple[float, float], ...]]) -> AngleDistribution:
    mean, spread = np.zeros(DEGREES), np.full(DEGREES, np.inf)
    axes_of_joint: dict[int, int] = {}
    for number, degree in enumerate(DEGREES_OF_FREEDOM):
        order = axes_of_joint.get(degree.joint, 0)
        axes_of_joint[degree.joint] = order + 1
        joint = degree.name.partition(".")[0]
        part = joint.removeprefix("left_").removeprefix("right_")
        if part not in table:
            continue
        middle, width = table[part][order]
        if number < BALL_ANGLES and degree.axis > 0 and joint.startswith("right_"):
            middle = -middle
        mean[number], spread[number] = np.radians(middle), np.radians(width)
    return AngleDistribution(mean, spread)


def bone_group_joints() -> list[list[int]]:
    """Return the joints (indices) of each of :data:`BONE_GROUPS`."""
    return [
        [
            index
            for name, index in INDEX.items()
            if name.removeprefix("left_").removeprefix("right_") in parts
        ]
        for parts in BONE_GROUPS
    ]


def _name_without_spine(name: str) -> str:
    joint, _, kind = name.partition(".")
    return f"spine.{kind}" if joint in _SPINE else name


REDUCED_NAMES = tuple(dict.fromkeys(_name_without_spine(d.name) for d in DEGREES_OF_FREEDOM))
"""Degrees of freedom (R) of a body whose three spine joints turn alike: six trackers cannot tell
them apart."""
SUM_OF_SPINE = np.array(
    [
        [float(_name_without_spine(degree.name) == name) for name in REDUCED_NAMES]
        for degree in DEGREES_OF_FREEDOM
    ]
)
"""(D, R): sums angles of the spine's joints."""
SHARE_OF_SPINE = SUM_OF_SPINE / SUM_OF_SPINE.sum(0)
"""(D, R): splits an angle of the spine evenly."""


def _price_group(name: str) -> str:
    """Return the group of a reduced degree of freedom; groups change together or not at all."""
    joint, _, kind = name.partition(".")
    if joint.endswith("wrist") or (joint.endswith("elbow") and kind == "twist"):
        return joint.rpartition("_")[0] + "_hand"
    return joint


_GROUPS = tuple(dict.fromkeys(_price_group(name) for name in REDUCED_NAMES))
GROUP_OF_DEGREE = np.array([_GROUPS.index(_price_group(name)) for name in REDUCED_NAMES])
"""(R,) the group in which each reduced degree of freedom pays for its changes."""
_DISTAL = np.array([group.endswith(("hand", "ankle", "head")) for group in _GROUPS])
_NECK = np.array([group == "neck" for group in _GROUPS])
_LEGS = np.array([group.endswith(("hip", "knee")) for group in _GROUPS])
ARM_GROUPS = np.array(
    [group.endswith(("clavicle", "shoulder", "elbow", "hand")) for group in _GROUPS]
)
"""(groups,) bool, whether a group is one of an arm."""


def change_scales(distal: float, neck: float, legs: float, proximal: float) -> np.ndarray:
    """Return the change of each group (groups,) beyond which more costs hardly more, radians.

    Args:
        distal: The change of hands, ankles and head from frame to frame, radians.
        neck: The change of the neck.
        legs: The change of hips and knees.
        proximal: The change of all other joints.
    """
    return np.select([_DISTAL, _NECK, _LEGS], [distal, neck, legs], proximal)
