# SPDX-License-Identifier: GPL-3.0-or-later
"""Mapping a body by hierarchy and lengths: two pairs of mirrored limbs on one trunk."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np

from ..body.skeleton import JOINTS
from .bone_tree import BoneTree
from .limbs import BodyGraph, Limb, LimbPair
from .mapping import (
    ARMS,
    DOUBTFUL,
    GUESSED,
    HEAD,
    HIPS,
    LEGS,
    NECK,
    NONE,
    SHAPE,
    BoneMapping,
)
from .trunk import place_trunk

_MOST_PAIRS = 16
"""The longest pairs of limbs that are compared."""
_NEAR_HIPS = 0.5
"""Greatest distance from the hips to the fork of the trunk, as a share of a thigh."""
_CROWN_STEP = 1.2
"""Length of the last step from neck to crown, as a share of the one before, that has a head."""
_ARM, _TRUNK, _TOLERANCE = 0.65, 0.6, 0.45
"""Usual lengths of arms and trunk, as shares of a leg, and how far the logarithms may be off."""
_RIVAL = 0.2
"""Price by which the next best body must be dearer for the best to be beyond doubt."""
_UPRIGHT = 0.7
"""Least part of the way up that leads along +Y or +Z, as in most rest poses."""
_SLANT = 0.35
"""Greatest share of a step from ankle to toe that may lead along the shin."""


@dataclass(frozen=True)
class _BodyShape:
    """What identifies a body: its trunk from ``hips`` to ``chest`` and what hangs on it."""

    hips: int
    legs: tuple[Limb, Limb]
    chest: int
    arms: tuple[Limb, Limb]
    crown: int
    """First bone of the neck, or of the head."""
    up: np.ndarray
    """(3,) from the thighs to the upper arms."""

    @property
    def limb_joints(self) -> frozenset[int]:
        """The bones of all limbs' joints."""
        return frozenset(bone for limb in (*self.legs, *self.arms) for bone in limb.joints)


def map_by_shape(tree: BoneTree, heads: np.ndarray) -> BoneMapping:
    """Map a body whose bones have their heads (bones, 3) at ``heads``."""
    graph = BodyGraph(tree, heads)
    bones = np.full(len(JOINTS), NONE)
    body, sure = _find_body(graph)
    confidence = np.zeros(len(JOINTS), np.float32)
    if body is not None:
        bones[HIPS] = body.hips
        bones[[NECK, HEAD]] = _find_neck_and_head(graph, body.crown)
        left, side_known = _find_left(graph, body)
        for joints, leg in zip(LEGS, _sort(graph, body.legs, left), strict=True):
            bones[list(joints)] = [*leg.joints, _find_toe(graph, leg)]
        for joints, arm in zip(ARMS, _sort(graph, body.arms, left), strict=True):
            bones[list(joints)] = [arm.before, *arm.joints]
        confidence[bones != NONE] = sure
        sided = np.array([*LEGS, *ARMS]).ravel()
        confidence[sided] = np.minimum(confidence[sided], side_known)
        place_trunk(bones, confidence, tree, heads)
    return BoneMapping("unknown", bones, confidence)


def _find_body(graph: BodyGraph) -> tuple[_BodyShape | None, float]:
    """Return the likeliest body and the confidence in it."""
    pairs = graph.find_pairs()[:_MOST_PAIRS]
    rated: list[tuple[float, int, _BodyShape]] = []
    for legs, arms in permutations(pairs, 2):
        body = _make_body(graph, legs, arms)
        if body is not None:
            rated.append((_price_of_body(graph, body), len(rated), body))
    if not rated:
        return None, 0.0
    rated.sort()
    price, _, best = rated[0]
    rivals = [other for other, _, body in rated if body.limb_joints != best.limb_joints]
    beyond_doubt = not rivals or rivals[0] - price > _RIVAL
    return best, SHAPE if beyond_doubt else DOUBTFUL


def _make_body(graph: BodyGraph, legs: LimbPair, arms: LimbPair) -> _BodyShape | None:
    """Return the body with these limbs, or None if they cannot belong to one."""
    limbs = [set(limb.chain) for limb in (*legs.limbs, *arms.limbs)]
    used = set().union(*limbs)
    if len(used) < sum(map(len, limbs)):
        return None
    hip, shoulder = (
        graph.heads[[limb.joints[0] for limb in pair.limbs]].mean(0) for pair in (legs, arms)
    )
    up = shoulder - hip
    crown = _find_crown(graph, arms.carrier, up, used)
    trunk = graph.path_up(arms.carrier)
    fork = next((bone for bone in graph.path_up(legs.carrier) if bone in trunk), NONE)
    if crown == NONE or fork == NONE or legs.carrier == arms.carrier:
        return None
    # A root on the floor that carries pelvis and spine side by side is not the hips.
    thigh = legs.limbs[0].lengths[0]
    near = fork != arms.carrier and graph.distance(fork, legs.carrier) < _NEAR_HIPS * thigh
    return _BodyShape(
        hips=fork if near else legs.carrier,
        legs=legs.limbs,
        chest=arms.carrier,
        arms=arms.limbs,
        crown=crown,
        up=up,
    )


def _price_of_body(graph: BodyGraph, body: _BodyShape) -> float:
    """Return what speaks against a body: unusual proportions, directions and ends of limbs."""
    leg, arm = (sum(limb.length for limb in pair) / 2.0 for pair in (body.legs, body.arms))
    trunk = float(np.linalg.norm(body.up))
    if trunk < 1e-9:
        return np.inf
    up = body.up / trunk
    down = [_direction(graph, limb) @ -up for limb in body.legs]
    across = [
        graph.heads[pair[0].joints[1]] - graph.heads[pair[1].joints[1]]
        for pair in (body.legs, body.arms)
    ]
    across = [vector / max(float(np.linalg.norm(vector)), 1e-9) for vector in across]
    depths = -(graph.heads[graph.bones] @ up)
    depth = min(-(graph.heads[limb.joints[2]] @ up) for limb in body.legs)
    below = (float(depths.max()) - depth) / leg
    return (
        _price_of_ratio(arm / leg, _ARM)
        + _price_of_ratio(trunk / leg, _TRUNK)
        + 0.7 * (2.0 - down[0] - down[1])
        + (1.0 - abs(float(across[0] @ across[1])))
        + abs(float(across[0] @ up))
        + 2.0 * max(below - 0.2, 0.0)
        - 0.3 * sum(bool(graph.side_of(pair[0])) for pair in (body.legs, body.arms))
        - 0.4 * sum(len(graph.children[limb.joints[2]]) >= 2 for limb in body.arms)
        - 0.5 * float(np.log(leg + arm))
        + 0.4 * (float(max(up[1], up[2])) < _UPRIGHT)
    )


def _price_of_ratio(ratio: float, usual: float) -> float:
    return float(max(abs(np.log(ratio / usual)) - _TOLERANCE, 0.0))


def _direction(graph: BodyGraph, limb: Limb) -> np.ndarray:
    """Return the direction (3,) from a limb's start to its end."""
    vector = graph.heads[limb.joints[2]] - graph.heads[limb.joints[0]]
    return vector / max(float(np.linalg.norm(vector)), 1e-9)


def _find_crown(graph: BodyGraph, chest: int, up: np.ndarray, used: set[int]) -> int:
    """Return the child of the chest that rises farthest, or NONE.

    Children that carry bones of ``used`` do not count.
    """
    rises = {}
    for child in graph.children[chest]:
        bones = graph.subtree(child)
        if used.isdisjoint(bones):
            rises[child] = float(((graph.heads[bones] - graph.heads[chest]) @ up).max())
    highest = max(rises, key=rises.__getitem__, default=NONE)
    return highest if highest != NONE and rises[highest] > 0.0 else NONE


def _find_neck_and_head(graph: BodyGraph, crown: int) -> tuple[int, int]:
    chain = graph.chain_down(crown)
    if len(chain) > 1 and graph.is_end(chain[-1]):
        chain = chain[:-1]
        return (chain[0] if len(chain) > 1 else NONE), chain[-1]
    head = next((i for i, bone in enumerate(chain) if len(graph.children[bone]) > 1), None)
    if head is None:  # no face and no hair hang on any of them
        head = len(chain) - 1
        steps = [graph.step[below] for below in chain[1:]]
        # The crown is farther from the head than the parts of a neck are from one another.
        if len(steps) > 1 and steps[-1] > _CROWN_STEP * steps[-2]:
            head -= 1
    return (chain[0] if head else NONE), chain[head]


def _find_toe(graph: BodyGraph, leg: Limb) -> int:
    """Return the bone after the ankle that lies in front of it, or NONE."""
    toe = leg.after
    if toe == NONE or graph.is_end(toe):
        return NONE
    step = graph.heads[toe] - graph.heads[leg.joints[2]]
    shin = graph.heads[leg.joints[2]] - graph.heads[leg.joints[1]]
    along = float(step @ shin) / max(float(np.linalg.norm(step) * np.linalg.norm(shin)), 1e-12)
    return toe if along * along < 1.0 - _SLANT else NONE


def _find_left(graph: BodyGraph, body: _BodyShape) -> tuple[np.ndarray, float]:
    """Return which way (3,) is left: by side words, else by the feet, else by convention.

    The second value is the most confidence that this allows.
    """
    named = []
    for a, b in (body.legs, body.arms):
        sides = graph.side_of(a), graph.side_of(b)
        if sides != ("", ""):
            across = graph.heads[a.joints[0]] - graph.heads[b.joints[0]]
            named.append(across if sides[0] == "l" or sides[1] == "r" else -across)
    if named:
        return named[0], 1.0 if all(named[0] @ other > 0.0 for other in named) else DOUBTFUL
    toes = [_find_toe(graph, leg) for leg in body.legs]
    if NONE not in toes:
        ahead = sum(
            graph.heads[toe] - graph.heads[leg.joints[2]]
            for toe, leg in zip(toes, body.legs, strict=True)
        )
        return np.cross(body.up, ahead), 1.0
    across = graph.heads[body.legs[0].joints[0]] - graph.heads[body.legs[1].joints[0]]
    x = np.array([1.0, 0.0, 0.0])
    # Bodies face +Z where Y is up and -Y where Z is up: left is +X; else they face +X.
    usual = bool(abs(across @ x) > 0.7 * np.linalg.norm(across))
    return (x, DOUBTFUL) if usual else (np.cross(body.up, x), GUESSED)


def _sort(graph: BodyGraph, pair: tuple[Limb, Limb], left: np.ndarray) -> tuple[Limb, Limb]:
    """Return the left and the right limb of a pair: by its own names, else by the body's left."""
    sides = graph.side_of(pair[0]), graph.side_of(pair[1])
    if sides != ("", ""):
        return pair if sides[0] == "l" or sides[1] == "r" else (pair[1], pair[0])
    across = graph.heads[pair[0].joints[0]] - graph.heads[pair[1].joints[0]]
    return pair if across @ left > 0.0 else (pair[1], pair[0])
