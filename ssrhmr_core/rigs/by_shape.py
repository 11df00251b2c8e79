# SPDX-License-Identifier: GPL-3.0-or-later
"""Mapping a body by hierarchy and lengths: two pairs of mirrored limbs on one trunk."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ..body.skeleton import INDEX, JOINTS
from .bone_tree import BoneTree
from .hierarchy import place_spine
from .limbs import BodyGraph, Limb
from .mapping import GUESSED, HEAD, HIPS, NECK, NONE, SHAPE, BoneMapping

_MOST_PAIRS = 12
"""The longest pairs of limbs that are compared."""
_NEAR_HIPS = 0.5
"""Greatest distance from the hips to the fork of the trunk, as a share of a thigh."""
_CROWN_STEP = 1.2
"""Length of the last step from neck to crown, as a share of the one before, that has a head."""


@dataclass(frozen=True)
class _BodyShape:
    """What identifies a body: its trunk from ``hips`` to ``chest`` and what hangs on it."""

    hips: int
    legs: tuple[Limb, Limb]
    chest: int
    arms: tuple[Limb, Limb]
    crown: int
    """First bone of the neck, or of the head."""


def map_by_shape(tree: BoneTree, heads: np.ndarray) -> BoneMapping:
    """Map a body whose bones have their heads (bones, 3) at ``heads``."""
    graph = BodyGraph(tree, heads)
    bones = np.full(len(JOINTS), NONE)
    body = _find_body(graph)
    known = True
    if body is not None:
        bones[HIPS] = body.hips
        bones[[NECK, HEAD]] = _find_neck_and_head(graph, body.crown)
        left, known = _find_left(graph, body)
        for side, leg in zip(("left", "right"), _sort(graph, body.legs, left), strict=True):
            start = INDEX[f"{side}_hip"]
            bones[start : start + 4] = [*leg.joints, leg.after]
        for side, arm in zip(("left", "right"), _sort(graph, body.arms, left), strict=True):
            start = INDEX[f"{side}_clavicle"]
            bones[start : start + 4] = [arm.before, *arm.joints]
    confidence = np.where(bones == NONE, 0.0, SHAPE).astype(np.float32)
    if not known:
        sided = [joint for joint, name in enumerate(JOINTS) if name.startswith(("left", "right"))]
        confidence[sided] = np.minimum(confidence[sided], GUESSED)
    place_spine(bones, confidence, tree)
    return BoneMapping("unknown", bones, confidence)


def _find_body(graph: BodyGraph) -> _BodyShape | None:
    for lower, upper in combinations(graph.find_pairs()[:_MOST_PAIRS], 2):
        limbs = [set(limb.chain) for limb in (*lower.limbs, *upper.limbs)]
        if any(a & b for a, b in combinations(limbs, 2)):
            continue
        used = set().union(*limbs)
        hips, chest = lower, upper
        # The chest is where a head is; where both or neither have one, the longer limbs are legs.
        crown = _find_crown(graph, chest.carrier, hips.carrier, used)
        if crown == NONE:
            hips, chest = chest, hips
            crown = _find_crown(graph, chest.carrier, hips.carrier, used)
        trunk = graph.path_up(chest.carrier)
        fork = next((bone for bone in graph.path_up(hips.carrier) if bone in trunk), NONE)
        if crown == NONE or fork in (NONE, chest.carrier):
            continue
        # A root on the floor that carries pelvis and spine side by side is not the hips.
        thigh = hips.limbs[0].lengths[0]
        near = graph.distance(fork, hips.carrier) < _NEAR_HIPS * thigh
        return _BodyShape(
            hips=fork if near else hips.carrier,
            legs=hips.limbs,
            chest=chest.carrier,
            arms=chest.limbs,
            crown=crown,
        )
    return None


def _find_crown(graph: BodyGraph, chest: int, hips: int, used: set[int]) -> int:
    """Return the child of the chest that rises farthest from the hips, or NONE.

    Children that carry bones of ``used`` do not count.
    """
    up = graph.heads[chest] - graph.heads[hips]
    rises = {}
    for child in graph.children[chest]:
        bones = graph.subtree(child)
        if used.isdisjoint(bones):
            rises[child] = float(((graph.heads[bones] - graph.heads[chest]) @ up).max())
    highest = max(rises, key=rises.__getitem__, default=NONE)
    return highest if highest != NONE and rises[highest] > 0.0 else NONE


def _find_neck_and_head(graph: BodyGraph, crown: int) -> tuple[int, int]:
    chain = graph.chain_down(crown)
    head = next((i for i, bone in enumerate(chain) if len(graph.children[bone]) > 1), None)
    if head is None:  # no face and no hair hang on any of them
        head = len(chain) - 1
        steps = [graph.step[below] for below in chain[1:]]
        # The crown is farther from the head than the parts of a neck are from one another.
        if len(steps) > 1 and steps[-1] > _CROWN_STEP * steps[-2]:
            head -= 1
    return (chain[0] if head else NONE), chain[head]


def _find_left(graph: BodyGraph, body: _BodyShape) -> tuple[np.ndarray, bool]:
    """Return which way (3,) is left: by side words, else by the feet, else by convention.

    The second value tells whether any of these says so; else it is a guess.
    """
    for a, b in (body.legs, body.arms):
        sides = [graph.sides[limb.joints[0]] for limb in (a, b)]
        if sorted(sides) == ["l", "r"]:
            across = graph.heads[a.joints[0]] - graph.heads[b.joints[0]]
            return (across if sides[0] == "l" else -across), True
    up = graph.heads[body.chest] - graph.heads[body.hips]
    if all(leg.after != NONE for leg in body.legs):
        ahead = sum(graph.heads[leg.after] - graph.heads[leg.joints[2]] for leg in body.legs)
        return np.cross(up, ahead), True
    across = graph.heads[body.legs[0].joints[0]] - graph.heads[body.legs[1].joints[0]]
    x = np.array([1.0, 0.0, 0.0])
    # Bodies face +Z where Y is up and -Y where Z is up: left is +X; else they face +X.
    usual = bool(abs(across @ x) > 0.7 * np.linalg.norm(across))
    return (x if usual else np.cross(up, x)), usual


def _sort(graph: BodyGraph, pair: tuple[Limb, Limb], left: np.ndarray) -> tuple[Limb, Limb]:
    """Return the left and the right limb of a pair."""
    across = graph.heads[pair[0].joints[0]] - graph.heads[pair[1].joints[0]]
    return pair if across @ left > 0.0 else (pair[1], pair[0])
