# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether bones hang where their joints do."""

from __future__ import annotations

import numpy as np

from ..body.skeleton import INDEX, JOINTS, MIRROR, PARENTS, REQUIRED_JOINTS
from .bone_tree import BoneTree
from .mapping import CHEST, CONTRADICTED, HEAD, LOOSE, NECK, NONE, SIDES, SPINE, TRUNK

_LIMB_STARTS = tuple(
    INDEX[f"{side}_{part}"] for side in SIDES for part in ("hip", "clavicle", "shoulder")
)
_CARRIERS = (
    (NECK, HEAD),
    *((INDEX[f"{side}_clavicle"], INDEX[f"{side}_shoulder"]) for side in SIDES),
)
"""Joints whose bones are there to carry another's: collision volumes of that name carry nothing."""
_MOST_LOOSE = 4
"""Limb joints on no mapped bone above which the rig has no hierarchy to hold against names."""


def joints_above(joint: int) -> list[int]:
    """Return the joints above a joint in our own skeleton, nearest first."""
    above = []
    while (joint := PARENTS[joint]) >= 0:
        above.append(joint)
    return above


def may_hang(joint: int, above: int) -> bool:
    """Tell whether a joint's bone may hang on another's.

    Limbs may hang on any bone of the trunk, and hips on the one bone of a trunk that has no more.
    """
    return (
        above in joints_above(joint)
        or (joint in _LIMB_STARTS and above in TRUNK)
        or (joint == TRUNK[0] and above == CHEST)
    )


def joints_by_bone(bones: np.ndarray) -> dict[int, int]:
    """Return the joint of each mapped bone."""
    return {int(bone): joint for joint, bone in enumerate(bones) if bone != NONE}


def nearest_joint_above(bone: int, joint_of: dict[int, int], tree: BoneTree) -> int | None:
    """Return the joint of the nearest mapped bone above a bone."""
    return next((joint_of[a] for a in tree.ancestors(bone) if a in joint_of), None)


def rate_places(bones: np.ndarray, tree: BoneTree) -> np.ndarray:
    """Return factors (22,) on the confidence in bones: 1 for those that hang where joints do.

    The nearest mapped bone above a joint's must belong to a joint above it; limbs may start from
    any bone of the trunk. A limb or a trunk that hangs on no mapped bone is no contradiction:
    generated rigs hold their parts together through bones of their own. Neither is the same part of
    both limbs: the feet of game rigs may hang on the root, where IK wants them.
    """
    joint_of = joints_by_bone(bones)
    wrong = np.zeros(len(JOINTS), bool)
    loose = np.zeros(len(JOINTS), bool)
    for bone, joint in joint_of.items():
        above = nearest_joint_above(bone, joint_of, tree)
        if above is None:
            loose[joint] = joint not in (*TRUNK, HEAD, *_LIMB_STARTS)
        elif not may_hang(joint, above):
            wrong[joint] = True
        elif _skips_limb(joint, above, bones):
            (loose if joint in REQUIRED_JOINTS else wrong)[joint] = True
    for joint, below in _CARRIERS:
        wrong[joint] |= not _carries(joint, below, bones, joint_of, tree)
    factors = np.where(wrong, CONTRADICTED, 1.0)
    if loose.sum() <= _MOST_LOOSE:
        both = loose & loose[list(MIRROR)]
        factors[loose] = np.where(both, LOOSE, CONTRADICTED)[loose]
    return factors


def _carries(
    joint: int, below: int, bones: np.ndarray, joint_of: dict[int, int], tree: BoneTree
) -> bool:
    """Tell whether the bone of the joint ``below`` hangs on a joint's, if both have one."""
    if NONE in (bones[joint], bones[below]):
        return True
    return nearest_joint_above(int(bones[below]), joint_of, tree) in (joint, None)


def _skips_limb(joint: int, above: int, bones: np.ndarray) -> bool:
    """Tell whether a joint of a limb hangs above a mapped joint of the same limb."""
    joints = joints_above(joint)
    if joint in (*TRUNK, HEAD) or above not in joints:
        return False
    between = joints[: joints.index(above)]
    return any(bones[j] != NONE for j in between if j not in (*TRUNK, HEAD))


def has_short_spine(joint: int, bones: np.ndarray) -> bool:
    """Tell whether a joint is a spine joint that a rig with a chest does not have."""
    return joint in SPINE and bones[CHEST] != NONE
