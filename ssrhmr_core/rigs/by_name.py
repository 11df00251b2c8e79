# SPDX-License-Identifier: GPL-3.0-or-later
"""Mapping bones by one family's names.

Names are compared as written and, less surely, without prefix, case, punctuation and the spelling
of the side. Where several bones have a joint's name, their place in the hierarchy decides.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..body.skeleton import JOINTS, MIRROR, PARENTS
from .bone_tree import BoneTree, Reading, keys_of_name, layer_of
from .families import Family
from .hierarchy import joints_above, joints_by_bone, may_hang, nearest_joint_above, rate_places
from .limbs import is_body_part
from .mapping import ARMS, CHEST, LOPSIDED, NONE, SPINE, TOLERANT, BoneMapping
from .trunk import place_trunk


def count_names(tree: BoneTree, reading: Reading, family: Family) -> int:
    """Return how many joints have a bone with one of the family's names."""
    return sum(
        not names.isdisjoint(tree.distinct_names) or not keys.isdisjoint(reading.distinct_keys)
        for names, keys in family.spellings
    )


def map_by_names(
    tree: BoneTree, reading: Reading, family: Family, heads: np.ndarray | None
) -> BoneMapping:
    """Map a rig by one table, with the trunk corrected by what its bones carry."""
    bones = np.full(len(JOINTS), NONE)
    confidence = np.zeros(len(JOINTS), np.float32)
    ranks = np.full(len(JOINTS), NONE)
    several: dict[int, list[int]] = {}
    # From the ends of limbs upwards, so that the bone below is mapped already.
    for joint in range(len(JOINTS) - 1, -1, -1):
        names = family.joints.get(JOINTS[joint], [])
        candidates, sure, ranks[joint] = _candidates(
            tree, reading, names, _bone_below(bones, joint)
        )
        confidence[joint] = sure * family.confidence
        if len(candidates) == 1 and candidates[0] not in bones:
            bones[joint] = candidates[0]
        elif len(candidates) > 1:
            several[joint] = candidates
    for joint, candidates in reversed(several.items()):
        several[joint] = _best_placed(bones, tree, joint, candidates)
        if len(several[joint]) == 1:
            bones[joint] = several[joint][0]
    _prefer_wrists(bones, tree)
    confidence[bones == NONE] = 0.0
    both = (bones != NONE) & (bones[list(MIRROR)] != NONE)
    confidence[both & (ranks != ranks[list(MIRROR)])] *= LOPSIDED
    place_trunk(bones, confidence, tree, heads)
    confidence *= rate_places(bones, tree).astype(np.float32)
    placed = SPINE if bones[CHEST] != NONE else ()
    ambiguous = {
        joint: candidates
        for joint, candidates in sorted(several.items())
        if bones[joint] == NONE and joint not in placed and len(candidates) > 1
    }
    return BoneMapping(family.name, bones, confidence, ambiguous)


def _prefer_wrists(bones: np.ndarray, tree: BoneTree) -> None:
    """Take the wrist, in place, where a name means the hand that hangs on it."""
    for elbow, hand in ((arm[2], arm[3]) for arm in ARMS):
        if NONE in (bones[elbow], bones[hand]):
            continue
        path = tree.path_between(int(bones[elbow]), int(bones[hand])) or []
        wrists = [bone for bone in path if _is_wrist(tree.words[bone])]
        if wrists:
            bones[hand] = wrists[0]


def _is_wrist(words: list[str]) -> bool:
    """Tell whether a bone with these words in its name is a wrist, and no twist bone before it."""
    return any("wrist" in word for word in words) and is_body_part(words)


def _bone_below(bones: np.ndarray, joint: int) -> int:
    """Return the bone of the joint that follows in a limb or along the trunk, or NONE."""
    continues = joint + 1 < len(JOINTS) and PARENTS[joint + 1] == joint
    return int(bones[joint + 1]) if continues else NONE


def _candidates(
    tree: BoneTree, reading: Reading, names: Sequence[str], below: int
) -> tuple[list[int], float, int]:
    """Return the bones with the best of a joint's names, how sure that is, and which name it is.

    Of several names, one whose bone carries the bone ``below`` precedes the others.
    """
    sure = 1.0
    matches = [(n, [tree.by_name[name]]) for n, name in enumerate(names) if name in tree.by_name]
    if not matches:
        sure = TOLERANT
        matches = [
            (n, match)
            for n, name in enumerate(names)
            for match in _match_tolerantly(tree, reading, name)
        ]
    if not matches:
        return [], 0.0, NONE
    above = set(tree.ancestors(below)) if below != NONE and len(matches) > 1 else set()
    carrying = [entry for entry in matches if not above.isdisjoint(entry[1])]
    rank, match = (carrying or matches)[0]
    return match, sure, rank


def _match_tolerantly(tree: BoneTree, reading: Reading, name: str) -> list[list[int]]:
    """Return the bones whose names equal a name except for prefix and spelling.

    A name of a generated rig's layer stands for the bones in that layer, if the rig has it.
    """
    layer = layer_of(name)
    matches = [reading.by_key[key] for key in keys_of_name(name) if key in reading.by_key]
    if layer and tree.has_layer(layer):
        matches = [[bone for bone in match if tree.layers[bone] == layer] for match in matches]
    return [match for match in matches if match]


def _best_placed(
    bones: np.ndarray, tree: BoneTree, joint: int, candidates: Sequence[int]
) -> list[int]:
    """Return those candidates that hang best between the bones of the joints around."""
    joint_of = joints_by_bone(bones)
    bone_below = _bone_below(bones, joint)
    below = set(tree.ancestors(bone_below)) if bone_below != NONE else set()
    scores: dict[int, float] = {}
    for bone in candidates:
        if bone not in joint_of:
            above = nearest_joint_above(bone, joint_of, tree)
            scores[bone] = _score_place(bones, joint, above) + (bone in below)
    return [bone for bone in scores if scores[bone] == max(scores.values())]


def _score_place(bones: np.ndarray, joint: int, above: int | None) -> float:
    """Return how well a bone fits below the joint ``above``: the nearer the joints, the better."""
    if above is None:
        return 0.0
    if not may_hang(joint, above):
        return -1.0
    joints = joints_above(joint)
    skipped = joints[: joints.index(above)] if above in joints else ()
    return 1.0 / (1.0 + sum(bones[j] != NONE for j in skipped))
