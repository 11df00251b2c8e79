# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether bones hang where their joints do, and the spine between hips and neck."""

from __future__ import annotations

import numpy as np

from ..body.skeleton import INDEX, JOINTS, PARENTS
from .bone_tree import BoneTree
from .mapping import CHEST, COUNTED, HEAD, HIPS, NECK, NONE, SPINE, TRUNK

_LIMB_STARTS = tuple(
    INDEX[f"{side}_{part}"]
    for side in ("left", "right")
    for part in ("hip", "clavicle", "shoulder")
)
_MOST_LOOSE = 4
"""Limb joints on no mapped bone above which the rig has no hierarchy to hold against names."""


def joints_above(joint: int) -> list[int]:
    """Return the joints above a joint in our own skeleton, nearest first."""
    above = []
    while (joint := PARENTS[joint]) >= 0:
        above.append(joint)
    return above


def may_hang(joint: int, above: int) -> bool:
    """Tell whether a joint's bone may hang on another's; limbs may on any bone of the trunk."""
    return above in joints_above(joint) or (joint in _LIMB_STARTS and above in TRUNK)


def joints_by_bone(bones: np.ndarray) -> dict[int, int]:
    """Return the joint of each mapped bone."""
    return {int(bone): joint for joint, bone in enumerate(bones) if bone != NONE}


def nearest_joint_above(bone: int, joint_of: dict[int, int], tree: BoneTree) -> int | None:
    """Return the joint of the nearest mapped bone above a bone."""
    return next((joint_of[a] for a in tree.ancestors(bone) if a in joint_of), None)


def find_contradicted(bones: np.ndarray, tree: BoneTree) -> np.ndarray:
    """Return a mask (22,) of the bones that do not hang where their joints do.

    The nearest mapped bone above a joint's must belong to a joint above it; limbs may start from
    any bone of the trunk. A limb or a trunk that hangs on no mapped bone is no contradiction:
    generated rigs hold their parts together through bones of their own.
    """
    joint_of = joints_by_bone(bones)
    wrong = np.zeros(len(JOINTS), bool)
    loose = np.zeros(len(JOINTS), bool)
    for bone, joint in joint_of.items():
        above = nearest_joint_above(bone, joint_of, tree)
        if above is None:
            loose[joint] = joint not in (*TRUNK, HEAD, *_LIMB_STARTS)
        else:
            wrong[joint] = not may_hang(joint, above)
    return wrong | loose if loose.sum() <= _MOST_LOOSE else wrong


def place_spine(bones: np.ndarray, confidence: np.ndarray, tree: BoneTree) -> None:
    """Put the bones between hips and neck on the three spine joints, whatever their number."""
    top = NECK if bones[NECK] != NONE else HEAD
    connected = bones[HIPS] != NONE and bones[top] != NONE
    path = tree.path_between(bones[HIPS], bones[top]) if connected else None
    if not path:
        return
    if len(path) < 3:
        chosen = [path[0] if len(path) == 2 else NONE, NONE, path[-1]]
    else:
        chosen = [path[0], path[len(path) // 2], path[-1]]
    for joint, bone in zip(SPINE, chosen, strict=True):
        if bone != bones[joint]:
            bones[joint] = bone
            confidence[joint] = min(confidence[[HIPS, top]].min(), COUNTED)
        if bone == NONE:
            confidence[joint] = 0.0


def has_short_spine(joint: int, bones: np.ndarray) -> bool:
    """Tell whether a joint is a spine joint that a rig with a chest does not have."""
    return joint in SPINE and bones[CHEST] != NONE
