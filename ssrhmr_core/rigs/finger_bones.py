# SPDX-License-Identifier: GPL-3.0-or-later
"""The finger bones of a character, by Unity's names for them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

PARTS = ("Proximal", "Intermediate", "Distal")
_WORDS = {
    "Thumb": ("thumb", "親指"),
    "Index": ("index", "pointer", "forefinger", "人指", "人差"),
    "Middle": ("middle", "中指"),
    "Ring": ("ring", "薬指"),
    "Little": ("little", "pinky", "pinkie", "小指"),
}
FINGER_BONES = tuple(
    f"{side}{finger}{part}" for side in ("Left", "Right") for finger in _WORDS for part in PARTS
)
"""Names of finger bones, as Unity and VMC have them."""
_NOT_PHALANGES = re.compile(r"metacarpal|carpal|palm|(?<![a-z])(end|tip|nub|twist|ik)(?![a-z])")
_HELPERS = ("DEF-", "ORG-", "MCH-", "VIS_")


def find_finger_bones(side: str, bones: Iterable[tuple[str, int]]) -> dict[str, str]:
    """Find the finger bones among those of a hand.

    Args:
        side: "Left" or "Right".
        bones: Name and depth in the hierarchy of the bones below the hand.

    Returns:
        Name of the bone by Unity's name. A thumb or finger of fewer than three bones has only the
        first parts; the metacarpals of the hand and the tips of fingers do not count.
    """
    chains: dict[str, list[tuple[int, str]]] = {finger: [] for finger in _WORDS}
    for name, depth in bones:
        finger = _finger_of(name)
        if finger and not name.startswith(_HELPERS):
            chains[finger].append((depth, name))
    found: dict[str, str] = {}
    for finger, chain in chains.items():
        for part, name in zip(PARTS, _phalanges(chain), strict=False):
            found[f"{side}{finger}{part}"] = name
    return found


def _phalanges(chain: Sequence[tuple[int, str]]) -> list[str]:
    """Return the bones of a finger from the hand outwards; one of each depth."""
    phalanges: list[str] = []
    depths: set[int] = set()
    for depth, name in sorted(chain):
        if depth not in depths and not _NOT_PHALANGES.search(name.lower()):
            depths.add(depth)
            phalanges.append(name)
    return phalanges


def _finger_of(name: str) -> str:
    lowered = name.lower()
    for finger, words in _WORDS.items():
        if any(word in lowered for word in words):
            return finger
    return ""
