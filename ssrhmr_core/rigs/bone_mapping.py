# SPDX-License-Identifier: GPL-3.0-or-later
"""Which bone is which joint: names first, hierarchy second, the same for files and for rigs.

Each file in ``bone_names`` is the table of one rig family: its bones by our joint names, best name
first. The family that explains most of the rig, checked against its hierarchy, wins; joints that no
name explains are identified by shape.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..body.skeleton import INDEX, JOINTS, MIRROR
from .bone_tree import BoneTree
from .by_name import map_by_names
from .by_shape import map_by_shape
from .families import Family, families
from .hierarchy import find_contradicted, has_short_spine, place_spine
from .mapping import CONTRADICTED, NONE, BoneMapping, empty_mapping

__all__ = ["NONE", "BoneMapping", "Family", "families", "map_bones"]

_CERTAINLY_BACKWARDS = 0.5
"""Of the volume that leg, shin and foot span at right angles, the share that leaves no doubt."""

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
    tree = BoneTree(names, parents)
    best = _map_by_best_family(tree)
    if positions is None:
        return best
    heads = np.asarray(positions, np.float64)
    if (best.bones == NONE).any():
        shape = map_by_shape(tree, heads)
        if shape.confidence.sum() > best.confidence.sum() and not best.ambiguous:
            best = shape
        else:
            _fill_gaps(best, shape, tree)
    return _mirror(best) if _do_toes_point_back(best.bones, heads) else best


def _map_by_best_family(tree: BoneTree) -> BoneMapping:
    """Return the mapping of the family that explains most, completed by common words."""
    # max() keeps the first of equals, so the order of the files settles ties.
    mappings = [empty_mapping(), *(map_by_names(tree, family) for family in families())]
    best = max(mappings, key=lambda mapping: (mapping.confidence.sum(), len(mapping.ambiguous)))
    # A family may know fewer joints than words that are common everywhere.
    for mapping, family in zip(mappings[1:], families(), strict=True):
        if family.confidence < 1.0 and mapping is not best:
            _fill_gaps(best, mapping, tree)
    return best


def _fill_gaps(best: BoneMapping, other: BoneMapping, tree: BoneTree) -> None:
    """Give joints without a bone the one of another mapping, where it fits."""
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
        if not (find_contradicted(tried, tree) & ~find_contradicted(best.bones, tree)).any():
            best.bones[joint] = bone
            best.confidence[joint] = other.confidence[joint]
    place_spine(best.bones, best.confidence, tree)


def _do_toes_point_back(bones: np.ndarray, heads: np.ndarray) -> bool:
    """Tell whether both feet would point backwards if left were where the mapping has it.

    However the legs are bent, toes are in front of a plane through the shin and the other leg.
    """
    legs = [
        [bones[INDEX[f"{side}_{part}"]] for part in ("hip", "knee", "ankle", "toe")]
        for side in ("left", "right")
    ]
    if NONE in (*legs[0], *legs[1]):
        return False
    across = heads[legs[0][0]] - heads[legs[1][0]]
    for _, knee, ankle, toe in legs:
        shin, foot = heads[knee] - heads[ankle], heads[toe] - heads[ankle]
        lengths = np.prod([np.linalg.norm(v) for v in (across, shin, foot)])
        if np.cross(across, shin) @ foot > -_CERTAINLY_BACKWARDS * lengths:
            return False
    return True


def _mirror(mapping: BoneMapping) -> BoneMapping:
    """Exchange left and right, and lower the confidence in all joints that have a side."""
    confidence = mapping.confidence[_MIRROR]
    confidence[np.arange(len(JOINTS)) != _MIRROR] *= CONTRADICTED
    ambiguous = {int(_MIRROR[joint]): bones for joint, bones in mapping.ambiguous.items()}
    return BoneMapping(mapping.family, mapping.bones[_MIRROR], confidence, ambiguous, mirrored=True)
