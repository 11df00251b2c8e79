# SPDX-License-Identifier: GPL-3.0-or-later
"""Move a performer's motion onto a character with other proportions."""

from __future__ import annotations

import numpy as np

from .interpolation import slices
from .motion import Motion
from .skeleton import INDEX, Skeleton, inherit_missing

_FEET = [INDEX[f"{side}_{part}"] for side in ("left", "right") for part in ("ankle", "toe")]


def retarget(motion: Motion, skeleton: Skeleton) -> Motion:
    """Transfer a performer's motion to a character: limbs turn alike, feet keep to the floor.

    The path is scaled by the length of the legs. Then the hips are lifted or lowered so that the
    lower foot is as high over the floor, in lengths of the leg, as the performer's. Where the
    character's soles are known, they are what keeps that height.

    Args:
        motion: The performer's motion on a floor at height 0.
        skeleton: The character's skeleton.

    Returns:
        The motion of the character.
    """
    performer = motion.skeleton
    scale = np.float32(_hip_height(skeleton) / _hip_height(performer))
    rotations = inherit_missing(motion.rotations.copy(), skeleton.present)
    root = motion.root * scale
    target = scale * _lowest_foot(motion)
    if skeleton.sole is not None:
        target += skeleton.sole - scale * performer.sole_height
    result = Motion(skeleton, motion.times, rotations, root)
    root[:, 1] += target - _lowest_foot(result)
    return result


def _hip_height(skeleton: Skeleton) -> float:
    """Return the height of the hips over the lowest joint of the T-pose."""
    return -float(skeleton.t_pose()[_FEET, 1].min())


def _lowest_foot(motion: Motion) -> np.ndarray:
    """Return the heights (F,) of the feet's lowest joint over its height when standing."""
    rest = motion.skeleton.t_pose()[_FEET, 1]
    heights = np.concatenate(
        [motion.part(part).positions()[:, _FEET, 1] for part in slices(len(motion))]
    )
    return (heights - (rest - rest.min())).min(-1)
