# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of bone names, one JSON file a rig family."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources

from .bone_tree import Key, keys_of_name, split_words


@dataclass(frozen=True)
class Family:
    """Bone names of one kind of rig.

    Attributes:
        name: What users call it.
        joints: The names of each joint's bone, best first.
        confidence: Factor on the confidence in its bones; below 1 for a table of words that are
            common everywhere.
        instead_of: A family whose bones the bones of this one move: where both are there, this one
            is keyed.
    """

    name: str
    joints: dict[str, list[str]]
    confidence: float = 1.0
    instead_of: str = ""

    @cached_property
    def spellings(self) -> list[tuple[frozenset[str], frozenset[Key]]]:
        """The names of each joint's bone, and the keys of these names."""
        return [
            (frozenset(names), frozenset(key for name in names for key in keys_of_name(name)))
            for names in self.joints.values()
        ]


@cache
def families() -> tuple[Family, ...]:
    """Return all tables, in the order of their file names."""
    entries = resources.files(__package__).joinpath("bone_names").iterdir()
    tables = []
    for entry in sorted(entries, key=lambda entry: entry.name):
        if entry.name.endswith(".json"):
            table = json.loads(entry.read_text(encoding="utf-8"))
            tables.append(
                Family(
                    name=table["family"],
                    joints=table["joints"],
                    confidence=table.get("confidence", 1.0),
                    instead_of=table.get("instead_of", ""),
                )
            )
    return tuple(tables)


@cache
def vocabulary() -> frozenset[str]:
    """Return the words of all names in all tables."""
    names = {name for family in families() for bones in family.joints.values() for name in bones}
    return frozenset(word for name in names for word in split_words(name))
