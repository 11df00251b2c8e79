# SPDX-License-Identifier: GPL-3.0-or-later
"""The bones of the trunk by what they carry.

The hips are the lowest bone that carries legs and spine, the chest is the lowest that carries arms
and head. Names call other bones hips or chest often enough.
"""

from __future__ import annotations

import numpy as np

from ..body.skeleton import INDEX
from .bone_tree import BoneTree
from .mapping import ARMS, CHEST, COUNTED, HEAD, HIPS, NECK, NONE, SPINE

_HIP_JOINTS = (INDEX["left_hip"], INDEX["right_hip"])
_NEAR = 0.6
"""Greatest distance of the hips from the middle of both thighs' heads, as a share of a thigh."""
_MECHANISMS = frozenset({"mch", "org", "str", "mstr", "root", "ik", "fk", "ctrl", "traj", "parent"})
"""First words in the names of bones that hold the parts of a generated rig together."""


def place_trunk(
    bones: np.ndarray, confidence: np.ndarray, tree: BoneTree, heads: np.ndarray | None
) -> None:
    """Correct hips, spine, chest and neck of a mapping in place.

    Args:
        bones: (22,) bone of each joint, or NONE.
        confidence: (22,) confidence in each bone.
        tree: The rig.
        heads: (bones, 3) heads of its bones, or None.
    """
    _place_hips(bones, confidence, tree, heads)
    _place_spine(bones, confidence, tree)


def _place_hips(
    bones: np.ndarray, confidence: np.ndarray, tree: BoneTree, heads: np.ndarray | None
) -> None:
    legs = [int(bones[joint]) for joint in _HIP_JOINTS]
    top = _top_of_spine(bones)
    if NONE in legs or top == NONE:
        return
    carrier = tree.carrier_of([*legs, int(bones[top])])
    hips = int(bones[HIPS])
    if carrier in (NONE, hips) or (hips != NONE and hips in tree.ancestors(carrier)):
        return
    taken = [int(bone) for joint, bone in enumerate(bones) if joint not in SPINE]
    if carrier in taken or carrier == _carrier_of_arms(bones, tree):
        return  # a trunk of one bone, with the hips on it or nowhere
    if _is_same_part(carrier, hips, tree) or not _is_near(carrier, legs, bones, heads):
        return
    bones[np.isin(bones, carrier)] = NONE
    bones[HIPS] = carrier
    confidence[HIPS] = min(confidence[[*_HIP_JOINTS, top]].min(), COUNTED)


def _top_of_spine(bones: np.ndarray) -> int:
    """Return the lowest mapped joint above the spine, or NONE."""
    return next((joint for joint in (NECK, HEAD) if bones[joint] != NONE), NONE)


def _carrier_of_arms(bones: np.ndarray, tree: BoneTree) -> int:
    """Return the lowest bone that carries both arms and neck or head, or NONE."""
    starts = [next((int(bones[j]) for j in arm[:2] if bones[j] != NONE), NONE) for arm in ARMS]
    top = _top_of_spine(bones)
    if NONE in starts or top == NONE:
        return NONE
    return tree.carrier_of([*starts, int(bones[top])])


def _is_same_part(carrier: int, hips: int, tree: BoneTree) -> bool:
    """Tell whether the carrier is the hips' own double in a generated rig, or a mechanism."""
    words = tree.names[carrier].lower().replace("_", "-").split("-")
    if not _MECHANISMS.isdisjoint(words) or not tree.words[carrier]:
        return True
    return hips != NONE and tree.keys[carrier] == tree.keys[hips]


def _is_near(carrier: int, legs: list[int], bones: np.ndarray, heads: np.ndarray | None) -> bool:
    """Tell whether a bone lies where hips do, not on the floor."""
    if heads is None:
        return True
    knees = [int(bones[joint + 1]) for joint in _HIP_JOINTS]
    if NONE in knees:
        return True
    thigh = np.linalg.norm(heads[legs] - heads[knees], axis=-1).max()
    middle = heads[legs].mean(0)
    return bool(np.linalg.norm(heads[carrier] - middle) < _NEAR * thigh)


def _place_spine(bones: np.ndarray, confidence: np.ndarray, tree: BoneTree) -> None:
    """Put the bones between hips and neck on the three spine joints, whatever their number."""
    top = _top_of_spine(bones)
    if bones[HIPS] == NONE or top == NONE:
        return
    path = tree.path_between(int(bones[HIPS]), int(bones[top]))
    sure = min(confidence[[HIPS, top]].min(), COUNTED)
    carrier = _carrier_of_arms(bones, tree)
    if not path:
        if bones[CHEST] == NONE and carrier not in (NONE, *bones):
            bones[CHEST], confidence[CHEST] = carrier, sure
        return
    path, carrier = _drop_doubles(path, carrier, tree)
    if carrier not in path and top == HEAD:
        carrier = int(bones[CHEST])  # arms hang on a mechanism: the name of the chest counts
    if carrier in path[:-1]:
        above = path[path.index(carrier) + 1 :]
        path = path[: path.index(carrier) + 1]
        if bones[NECK] == NONE and above[0] not in bones:
            bones[NECK], confidence[NECK] = above[0], sure
    for joint, bone in zip(SPINE, _spread_spine(path), strict=True):
        if bone != bones[joint]:
            bones[joint], confidence[joint] = bone, sure
        if bone == NONE:
            confidence[joint] = 0.0


def _drop_doubles(path: list[int], carrier: int, tree: BoneTree) -> tuple[list[int], int]:
    """Leave out bones that stand for the same part as the one they hang on.

    Generated rigs have them in several layers: ``FK-Chest`` carries ``Chest``.

    Returns:
        The bones that are left, and what the carrier of the arms is among them.
    """
    kept = path[:1]
    for bone in path[1:]:
        part, above = (tree.names_without_layer[each] for each in (bone, kept[-1]))
        if part != above or tree.names[bone] == tree.names[kept[-1]]:
            kept.append(bone)
        elif bone == carrier:
            carrier = kept[-1]
    return kept, carrier


def _spread_spine(path: list[int]) -> list[int]:
    """Return the bones of lower spine, middle spine and chest, given those of the spine."""
    if len(path) < 3:
        return [path[0] if len(path) == 2 else NONE, NONE, path[-1]]
    return [path[0], path[len(path) // 2], path[-1]]
