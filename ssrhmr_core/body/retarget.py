# SPDX-License-Identifier: GPL-3.0-or-later
"""Move a performer's motion onto a character with other proportions."""

from __future__ import annotations

import numpy as np

from .motion import Motion
from .skeleton import INDEX, Skeleton, forward_kinematics, inherit_missing

_FEET = [INDEX[f"{side}_{part}"] for side in ("left", "right") for part in ("ankle", "toe")]


def retarget(motion: Motion, skeleton: Skeleton) -> Motion:
    """Give a performer's motion to a character: limbs turn alike, feet keep to the floor.

    The path is scaled by the length of the legs; then the hips are lifted or lowered so that the
    lower foot is as high over the floor, in lengths of the leg, as the performer's.

    Args:
        motion: of the performer, on a floor at height 0.
        skeleton: the character's.
    """
    performer = motion.skeleton
    factor = np.float32(_standing(skeleton) / _standing(performer))
    rotations = inherit_missing(motion.rotations.copy(), skeleton.present)
    turned = Motion(performer, motion.times, rotations, motion.root).matrices()
    root = motion.root * factor
    wanted = factor * _lowest(motion.matrices(), motion.root, performer)
    root[:, 1] += wanted - _lowest(turned, root, skeleton)
    return Motion(skeleton, motion.times, rotations, root)


def _standing(skeleton: Skeleton) -> float:
    """Height of the hips over the lowest joint."""
    return -float(skeleton.t_pose()[_FEET, 1].min())


def _lowest(turned: np.ndarray, root: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """How high (F,) the feet's lowest joint is over where it is in standing."""
    rest = skeleton.t_pose()[_FEET, 1]
    points = forward_kinematics(turned, root, skeleton.offsets)[:, _FEET, 1]
    return (points - (rest - rest.min())).min(-1)
