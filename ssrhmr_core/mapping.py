"""Which bone is which joint: names first, hierarchy second, the same for files and for rigs."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np

from .skeleton import INDEX, JOINTS, REQUIRED_JOINTS

NONE = -1
"""Stands in a mapping for a joint that no bone was found for."""


@dataclass(frozen=True, eq=False)
class BoneMapping:
    """The bones of a rig that stand for the 22 joints.

    Attributes:
        family: name of the table that fitted best.
        bones: (22,) int, index of the bone of each joint, or :data:`NONE`.
        confidence: (22,) float32 in 0..1, how sure each one is.
    """

    family: str
    bones: np.ndarray
    confidence: np.ndarray

    @property
    def missing(self) -> list[str]:
        """Names of the joints that are needed and were not found."""
        return [JOINTS[joint] for joint in REQUIRED_JOINTS if self.bones[joint] == NONE]


@cache
def families() -> dict[str, dict[str, list[str]]]:
    """Return the tables of bone names: family -> joint -> names, best first."""
    tables = {}
    for entry in sorted(resources.files(__package__).joinpath("bonemaps").iterdir(), key=str):
        if entry.name.endswith(".json"):
            table = json.loads(entry.read_text(encoding="utf-8"))
            tables[table["family"]] = table["joints"]
    return tables


def map_bones(
    names: Sequence[str], parents: Sequence[int], positions: np.ndarray | None = None
) -> BoneMapping:
    """Find the 22 joints among the bones of a rig or a motion file.

    Args:
        names: bone names.
        parents: index of each bone's parent, negative for roots.
        positions: (bones, 3) heads of the bones at rest, for bodies with unknown names.

    Returns:
        The best mapping found; it may be incomplete (:attr:`BoneMapping.missing`).
    """
    index = {_plain(name): bone for bone, name in reversed(list(enumerate(names)))}
    best = BoneMapping("unknown", np.full(len(JOINTS), NONE), np.zeros(len(JOINTS), np.float32))
    best_found = 0
    for family, table in families().items():
        bones = np.full(len(JOINTS), NONE)
        for joint, candidates in table.items():
            for candidate in candidates:
                if _plain(candidate) in index:
                    bones[INDEX[joint]] = index[_plain(candidate)]
                    break
        found = int((bones != NONE).sum())
        if found > best_found:
            best_found = found
            best = BoneMapping(family, bones, (bones != NONE).astype(np.float32))
    _spine_from_hierarchy(best.bones, best.confidence, parents)
    return best


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.split(":")[-1].lower())


def _spine_from_hierarchy(
    bones: np.ndarray, confidence: np.ndarray, parents: Sequence[int]
) -> None:
    """Put the bones between hips and neck on the three spine joints, whatever their number."""
    top = bones[INDEX["neck"]] if bones[INDEX["neck"]] != NONE else bones[INDEX["head"]]
    path: list[int] = []
    bone = parents[top] if top != NONE else NONE
    while bone >= 0 and bone != bones[INDEX["hips"]]:
        path.insert(0, bone)
        bone = parents[bone]
    if bone < 0 or not path:
        return
    spine = [INDEX["lower_spine"], INDEX["middle_spine"], INDEX["chest"]]
    chosen = {
        1: [NONE, NONE, path[-1]],
        2: [path[0], NONE, path[-1]],
    }.get(len(path), [path[0], path[len(path) // 2], path[-1]])
    bones[spine] = chosen
    confidence[spine] = np.array(chosen) != NONE
