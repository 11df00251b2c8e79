# SPDX-License-Identifier: GPL-3.0-or-later
"""The better of a mapping by names and one by shape, and what to ask the user about."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..body.skeleton import JOINTS, REQUIRED_JOINTS
from .bone_tree import BoneTree, Key
from .hierarchy import has_short_spine, rate_places
from .limbs import is_body_part, is_end
from .mapping import (
    ARMS,
    ASKED,
    COUNTED,
    DOUBTFUL,
    HEAD,
    HIPS,
    LEGS,
    NONE,
    BoneMapping,
)
from .trunk import place_trunk

_LIMBS = (*LEGS, *ARMS)
_COMPARED = (HIPS, HEAD, *(joint for limb in _LIMBS for joint in limb if joint in REQUIRED_JOINTS))
"""Joints whose bones names and shape should agree about."""


def fill_gaps(
    best: BoneMapping, other: BoneMapping, tree: BoneTree, heads: np.ndarray | None
) -> None:
    """Give joints without a bone, in place, the one of another mapping, where it fits."""
    for joint in np.flatnonzero(best.bones == NONE):
        bone = other.bones[joint]
        if (
            bone == NONE
            or bone in best.bones
            or has_short_spine(joint, best.bones)
            or joint in best.ambiguous
        ):
            continue
        tried = best.bones.copy()
        tried[joint] = bone
        worse = rate_places(tried, tree) < rate_places(best.bones, tree)
        if not worse.any():
            best.bones[joint] = bone
            best.confidence[joint] = other.confidence[joint]
    place_trunk(best.bones, best.confidence, tree, heads)


def fill_from_other_side(mapping: BoneMapping, tree: BoneTree) -> None:
    """Give joints of limbs without a bone, in place, the one where the other side has its own."""
    for limb, other in (*zip(LEGS, LEGS[::-1], strict=True), *zip(ARMS, ARMS[::-1], strict=True)):
        for place, joint in enumerate(limb):
            if mapping.bones[joint] != NONE or mapping.bones[other[place]] == NONE:
                continue
            if joint in mapping.ambiguous:
                continue
            bone = _find_counterpart(place, limb, other, mapping, tree)
            if bone != NONE and bone not in mapping.bones and not is_end(tree.words[bone]):
                mapping.bones[joint] = bone
                mapping.confidence[joint] = min(mapping.confidence[other[place]], COUNTED)


def _find_counterpart(
    place: int,
    limb: tuple[int, ...],
    other: tuple[int, ...],
    mapping: BoneMapping,
    tree: BoneTree,
) -> int:
    """Return the bone as far above or below the next joint as on the other side, or NONE."""
    model = int(mapping.bones[other[place]])
    if place + 1 < len(limb):
        below, model_below = (int(mapping.bones[side[place + 1]]) for side in (limb, other))
        if NONE not in (below, model_below) and model in tree.ancestors(model_below):
            steps = list(tree.ancestors(model_below)).index(model)
            above = list(tree.ancestors(below))
            return above[steps] if steps < len(above) else NONE
    elif NONE not in (mapping.bones[limb[place - 1]], mapping.bones[other[place - 1]]):
        path = tree.path_between(int(mapping.bones[other[place - 1]]), model)
        return _walk_down(int(mapping.bones[limb[place - 1]]), path, tree)
    return NONE


def _walk_down(bone: int, model: list[int] | None, tree: BoneTree) -> int:
    """Return the only bone below those that are named as the ``model`` of the other side."""
    for step in model or ():
        key = _mirror_key(tree.keys[step])
        named = [child for child in tree.children_of(bone) if tree.keys[child] == key]
        bone = named[0] if len(named) == 1 else NONE
    children = tree.children_of(bone) if bone != NONE and model is not None else []
    return children[0] if len(children) == 1 else NONE


def _mirror_key(key: Key) -> Key:
    """Return the key of the same bone on the other side."""
    return {"l": "r", "r": "l"}.get(key[0], ""), key[1]


def combine(
    named: BoneMapping, shape: BoneMapping, tree: BoneTree, heads: np.ndarray
) -> BoneMapping:
    """Return the better of a mapping by names and one by shape, completed by the other.

    Args:
        named: The mapping by names.
        shape: The mapping by shape.
        tree: The rig.
        heads: (bones, 3) heads of its bones.
    """
    if shape.bones[HIPS] == NONE:
        return named
    if not named.missing:
        _fill_optional(named, shape, tree)
        return named
    if not named.ambiguous and shape.confidence.sum() > named.confidence.sum():
        best = shape
    else:
        best = replace(named, bones=named.bones.copy(), confidence=named.confidence.copy())
        _fill_optional(best, shape, tree)
        _fill_required(best, shape, tree, heads)
    differing = [] if best is shape and not _is_telling(named) else _find_differing(named, shape)
    choices = {joint: _choices(joint, best, named, shape) for joint in differing}
    best.confidence[differing] = np.minimum(best.confidence[differing], DOUBTFUL)
    return replace(
        best,
        ambiguous=best.ambiguous | choices,
        warnings=tuple(_describe(joint, named, shape, tree) for joint in differing),
    )


def _choices(joint: int, best: BoneMapping, named: BoneMapping, shape: BoneMapping) -> list[int]:
    """Return the bones that names and shape propose for a joint, the better one first."""
    proposed = [int(mapping.bones[joint]) for mapping in (best, named, shape)]
    return list(dict.fromkeys(proposed))


def _is_telling(named: BoneMapping) -> bool:
    """Tell whether names identify enough of a body to be heard where shape decides."""
    return bool((named.bones != NONE).sum() >= len(JOINTS) / 3)


def _fill_optional(named: BoneMapping, shape: BoneMapping, tree: BoneTree) -> None:
    """Take clavicles, toes and neck from the shape, where it agrees about the joints around."""
    for limb in _LIMBS:
        required = [joint for joint in limb if joint in REQUIRED_JOINTS]
        (optional,) = set(limb) - set(required)
        bone = int(shape.bones[optional])
        agree = (named.bones[required] == shape.bones[required]).all()
        if named.bones[optional] == NONE and agree and _is_free(bone, named, tree):
            named.bones[optional] = bone
            named.confidence[optional] = shape.confidence[optional]


def _is_free(bone: int, mapping: BoneMapping, tree: BoneTree) -> bool:
    """Tell whether a bone stands for no joint yet and may be a part of a body."""
    return (
        bone != NONE
        and bone not in mapping.bones
        and is_body_part(tree.words[bone])
        and not is_end(tree.words[bone])
    )


def _fill_required(
    named: BoneMapping, shape: BoneMapping, tree: BoneTree, heads: np.ndarray
) -> None:
    """Take required joints without a bone from the shape: alone, or else their whole limb."""
    required = np.zeros(len(JOINTS), bool)
    required[list(REQUIRED_JOINTS)] = True
    only_required = replace(shape, bones=np.where(required, shape.bones, NONE))
    fill_gaps(named, only_required, tree, heads)
    for limb in _LIMBS:
        joints = list(limb)
        lacks = [j for j in joints if j in REQUIRED_JOINTS and named.bones[j] == NONE]
        taken = np.isin(shape.bones[joints], np.delete(named.bones, joints))
        taken &= shape.bones[joints] != NONE
        if lacks and not taken.any() and not any(joint in named.ambiguous for joint in joints):
            agrees = named.bones[joints] == shape.bones[joints]
            confidence = np.maximum(shape.confidence[joints], named.confidence[joints] * agrees)
            named.bones[joints] = shape.bones[joints]
            named.confidence[joints] = confidence
    place_trunk(named.bones, named.confidence, tree, heads)


def _find_differing(named: BoneMapping, shape: BoneMapping) -> list[int]:
    """Return the joints that names and shape have different bones for."""
    return [
        joint
        for joint in _COMPARED
        if NONE not in (named.bones[joint], shape.bones[joint])
        and named.bones[joint] != shape.bones[joint]
    ]


def _describe(joint: int, named: BoneMapping, shape: BoneMapping, tree: BoneTree) -> str:
    label = JOINTS[joint].replace("_", " ")
    by_name, by_shape = (tree.names[mapping.bones[joint]] for mapping in (named, shape))
    return f"'{by_name}' is the {label} by its name, '{by_shape}' by the shape: check it"


def ask_about_doubtful(mapping: BoneMapping, tree: BoneTree) -> BoneMapping:
    """Add the joints of low confidence to those that the user is asked about."""
    ambiguous = dict(mapping.ambiguous)
    for joint, bone in enumerate(mapping.bones.tolist()):
        if bone != NONE and mapping.confidence[joint] < ASKED:
            others = [other for other in ambiguous.get(joint, []) if other != bone]
            ambiguous[joint] = [bone, *(others or _neighbours(bone, mapping, tree))]
    return replace(mapping, ambiguous=dict(sorted(ambiguous.items())))


def _neighbours(bone: int, mapping: BoneMapping, tree: BoneTree) -> list[int]:
    """Return the bones around a bone that stand for no joint."""
    around = [tree.parents[bone], *tree.children_of(bone)]
    return [other for other in around if other != NONE and other not in mapping.bones]
