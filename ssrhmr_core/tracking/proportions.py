# SPDX-License-Identifier: GPL-3.0-or-later
"""The performer's proportions, estimated from trackers in a reference pose.

A character whose proportions differ from the performer's can be posed in two ways: its hands and
feet reach the performer's, or its limbs rotate like the performer's. The second way needs the
performer's own body: it is reconstructed first and then retargeted to the character.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..body.skeleton import ADULT_SIZE, INDEX, Skeleton
from .body_shapes import body_prior
from .reference_pose import ReferencePose, estimate_stance
from .stance_average import AverageStance, average_stances

_OFFSETS = {
    "hip": (0.085, -0.08, 0.0),
    "knee": (0.0, -0.42, 0.0),
    "ankle": (0.0, -0.41, 0.0),
    "toe": (0.01, -0.06, 0.13),
    "lower_spine": (0.0, 0.05, 0.0),
    "middle_spine": (0.0, 0.11, -0.01),
    "chest": (0.0, 0.12, -0.01),
    "neck": (0.0, 0.17, 0.0),
    "head": (0.0, 0.1, 0.02),
    "clavicle": (0.02, 0.12, 0.02),
    "shoulder": (0.15, 0.02, -0.02),
    "elbow": (0.28, 0.0, 0.0),
    "wrist": (0.25, 0.0, 0.0),
}
"""Offsets in metres of an adult of 1.75 m, left side."""

_ROUNDS = 3
"""Number of estimates until a body has the height that was given."""
_HEAD_HEIGHT = 0.88
"""Height of the head joint as a share of the body's height."""
_ANKLE = 0.08
"""Height of the ankle above the floor, metres on an adult."""
_ANKLES = [INDEX["left_ankle"], INDEX["right_ankle"]]


def make_adult() -> Skeleton:
    """Return the skeleton of an adult of average proportions."""
    offsets = np.zeros((22, 3), np.float32)
    for name, offset in _OFFSETS.items():
        for side, sign in (("left_", 1.0), ("right_", -1.0)):
            if name in INDEX:
                offsets[INDEX[name]] = offset
            else:
                offsets[INDEX[side + name]] = np.array(offset) * [sign, 1.0, 1.0]
    return Skeleton(offsets)


def estimate_performer(
    positions: np.ndarray,
    reference: ReferencePose = ReferencePose.T_POSE,
    height: float | None = None,
    front: float = 0.0,
) -> AverageStance | None:
    """Estimate a performer's body and how it stands.

    The result is the average of all bodies and stances that fit the trackers, each as probable as
    bodies like it are (:mod:`ssrhmr_core.tracking.body_shapes`). What no tracker measures is as
    usual.

    Args:
        positions: (6, 3) positions of the trackers in the reference pose, metres, Y up; NaN without
            a tracker.
        reference: The pose in which the performer stands.
        height: The performer's height in metres; None to estimate it.
        front: Heading of the performer in radians, for trackers whose positions do not show it.

    Returns:
        The performer's body and joints; None if the trackers look nothing like a standing body.
    """
    usual = body_prior().skeleton
    if height is None:
        stance = estimate_stance(usual, positions, reference, None, front)
        if stance is None:
            return None
        return average_stances(body_prior(stance.size), positions, stance, reference, front)
    size = height / measure_height(usual)
    for _ in range(_ROUNDS):
        stance = estimate_stance(usual.scaled(size), positions, reference, 1.0, front)
        if stance is None:
            return None
        prior = replace(body_prior(size), size_spread=0.0)
        average = average_stances(prior, positions, stance, reference, front)
        factor = height / measure_height(average.skeleton)
        size *= factor
    return average._replace(skeleton=average.skeleton.scaled(factor))


def measure_height(body: Skeleton) -> float:
    """Return the standing height of a body in metres."""
    rest = body.t_pose()
    ankle = _ANKLE * body.size / ADULT_SIZE
    return float(rest[INDEX["head"], 1] - rest[_ANKLES, 1].mean() + ankle) / _HEAD_HEIGHT
