# SPDX-License-Identifier: GPL-3.0-or-later
"""Which bone is which joint: names first, hierarchy second, the same for files and for rigs.

Each file in ``bone_names`` is the table of one rig family: its bones by our joint names, best name
first. The family that explains most of the rig, checked against its hierarchy, wins; joints that no
name explains are identified by shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..body.skeleton import JOINTS, MIRROR
from .bone_tree import BoneTree
from .by_name import count_names, map_by_names
from .by_shape import map_by_shape
from .combining import ask_about_doubtful, combine, fill_from_other_side, fill_gaps
from .families import Family, families, vocabulary
from .mapping import CONTRADICTED, LEGS, NONE, BoneMapping, empty_mapping

__all__ = ["NONE", "BoneMapping", "Family", "families", "map_bones"]

_CERTAINLY_BACKWARDS = 0.5
"""Of the volume that leg, shin and foot span at right angles, the share that leaves no doubt."""

_FEWER = 5
"""Names that the best family may know less than the one that knows most: names alone are not all.
"""
_MOST_CONTROLS = 0.7
"""Share of joints that have a control above which controls are keyed, not what they move."""

_MIRROR = np.array(MIRROR)


def map_bones(
    names: Sequence[str], parents: Sequence[int], positions: np.ndarray | None = None
) -> BoneMapping:
    """Find the 22 joints among the bones of a rig or a motion file.

    Args:
        names: The names of the bones.
        parents: The index of each bone's parent, negative for roots.
        positions: (bones, 3) heads of the bones, any axes and unit, in a pose whose toes point
            forward; for bodies with unknown names. Without it only names count.

    Returns:
        The best mapping; it may be incomplete (:attr:`BoneMapping.missing`).
    """
    tree = BoneTree(names, parents, vocabulary())
    heads = None if positions is None else np.asarray(positions, np.float64)
    best = _map_by_best_family(tree, heads)
    if heads is None:
        return ask_about_doubtful(best, tree)
    if (best.bones == NONE).any():
        best = combine(best, map_by_shape(tree, heads), tree, heads)
    if _do_toes_point_back(best.bones, heads):
        best = _mirror(best)
    return ask_about_doubtful(best, tree)


def _map_by_best_family(tree: BoneTree, heads: np.ndarray | None) -> BoneMapping:
    """Return the mapping of the family that explains most, completed by common words."""
    mappings = _map_by_families(tree, heads)
    best = empty_mapping()
    general: list[BoneMapping] = []
    controls: dict[str, BoneMapping] = {}
    for family in families():
        mapping = mappings.get(family.name)
        if mapping is None:
            continue
        if family.confidence < 1.0:
            general.append(mapping)
        if family.instead_of and (mapping.bones != NONE).mean() > _MOST_CONTROLS:
            controls[family.instead_of] = mapping
        # The first of equals wins, so the order of the files settles ties.
        if _rate(mapping) > _rate(best):
            best = mapping
    best = controls.get(best.family, best)
    # A family may know fewer joints than words that are common everywhere.
    for mapping in general:
        if mapping is not best:
            fill_gaps(best, mapping, tree, heads)
    fill_from_other_side(best, tree)
    return best


def _map_by_families(tree: BoneTree, heads: np.ndarray | None) -> dict[str, BoneMapping]:
    """Return each family's best mapping, except for those that know far too few names."""
    counts = {
        family.name: [count_names(tree, reading, family) for reading in tree.readings]
        for family in families()
    }
    most = max((max(count) for count in counts.values()), default=0)
    mappings: dict[str, BoneMapping] = {}
    for family in families():
        count = counts[family.name]
        enough = max(count) >= (most - _FEWER if family.confidence == 1.0 else 1)
        if max(count) and (enough or family.instead_of):
            candidates = [
                map_by_names(tree, reading, family, heads)
                for reading, known in zip(tree.readings, count, strict=True)
                if known == max(count)
            ]
            mappings[family.name] = max(candidates, key=_rate)
    return mappings


def _rate(mapping: BoneMapping) -> tuple[float, int]:
    """Return what makes a mapping better than another."""
    return float(mapping.confidence.sum()), len(mapping.ambiguous)


def _do_toes_point_back(bones: np.ndarray, heads: np.ndarray) -> bool:
    """Tell whether both feet would point backwards if left were where the mapping has it.

    However the legs are bent, toes are in front of a plane through the shin and the other leg.
    """
    legs = bones[np.array(LEGS)]
    if NONE in legs:
        return False
    across = heads[legs[0, 0]] - heads[legs[1, 0]]
    for _, knee, ankle, toe in legs:
        shin, foot = heads[knee] - heads[ankle], heads[toe] - heads[ankle]
        lengths = np.prod([np.linalg.norm(v) for v in (across, shin, foot)])
        if np.cross(across, shin) @ foot > -_CERTAINLY_BACKWARDS * lengths:
            return False
    return True


def _mirror(mapping: BoneMapping) -> BoneMapping:
    """Exchange left and right, and lower the confidence in all joints that have a side."""
    confidence = mapping.confidence[_MIRROR]
    sided = np.arange(len(JOINTS)) != _MIRROR
    confidence[sided] *= CONTRADICTED
    bones = mapping.bones[_MIRROR]
    ambiguous = {int(_MIRROR[joint]): choices for joint, choices in mapping.ambiguous.items()}
    for joint in np.flatnonzero(sided & (bones != NONE)):
        other = mapping.bones[joint]
        choices = [int(bones[joint]), *([int(other)] if other != NONE else [])]
        ambiguous[int(joint)] = choices
    return replace(mapping, bones=bones, confidence=confidence, ambiguous=ambiguous, mirrored=True)
