# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of bone names, one JSON file a rig family."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True)
class Family:
    """Bone names of one kind of rig.

    Attributes:
        name: What users call it.
        joints: The names of each joint's bone, best first.
        confidence: Factor on the confidence in its bones; below 1 for a table of words that are
            common everywhere.
    """

    name: str
    joints: dict[str, list[str]]
    confidence: float = 1.0


@cache
def families() -> tuple[Family, ...]:
    """Return all tables, in the order of their file names."""
    entries = resources.files(__package__).joinpath("bone_names").iterdir()
    tables = []
    for entry in sorted(entries, key=lambda entry: entry.name):
        if entry.name.endswith(".json"):
            table = json.loads(entry.read_text(encoding="utf-8"))
            tables.append(Family(table["family"], table["joints"], table.get("confidence", 1.0)))
    return tuple(tables)
