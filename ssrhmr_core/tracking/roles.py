# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles of objects and devices as trackers, inferred from their names."""

from __future__ import annotations

import re
from collections.abc import Iterable

_WORDS = {
    "head": ("head", "hmd", "headset"),
    "hand": ("hand", "wrist", "controller"),
    "foot": ("foot", "feet", "ankle"),
    "pelvis": ("pelvis", "hips", "hip", "waist", "belt", "root"),
}
_PAIRED = ("hand", "foot")
_SIDES = {"left": ("left", "l"), "right": ("right", "r")}


def role_from_name(name: str) -> str | None:
    """Return the tracker that a name refers to, or None.

    Names are split into words at punctuation, digits and capitals: ``Tracker_LeftFoot.001``,
    ``foot.L``, ``vive_l_foot`` and ``LFoot`` are all the left foot.
    """
    words = _split_words(name, r"[^\W\d_]+")
    parts = {part for word in words if (part := _part_of(word)) is not None}
    if len(parts) != 1:
        return None
    (part,) = parts
    if part not in _PAIRED:
        return part
    sides = {side for word in words if (side := _side_of(word)) is not None}
    if len(sides) != 1:
        return None
    (side,) = sides
    return f"{side}_{part}"


def strip_role(name: str) -> str:
    """Return the words of a name that do not refer to a tracker.

    ``Walk 2_LeftFoot`` and ``walk 2 head`` both become ``walk 2``: what trackers of a take share.
    """
    has_role = role_from_name(name) is not None
    sides = {word for words in _SIDES.values() for word in words} if has_role else set()
    words = _split_words(name, r"[^\W_]+")
    return " ".join(word for word in words if word not in sides and _part_of(word) is None)


def assign(names: Iterable[str]) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Find a name for each tracker.

    Args:
        names: The names of objects or devices.

    Returns:
        The name of each tracker that exactly one name fits, and all names of each that several fit.
    """
    fitting: dict[str, list[str]] = {}
    for name in names:
        role = role_from_name(name)
        if role:
            fitting.setdefault(role, []).append(name)
    clear = {role: names[0] for role, names in fitting.items() if len(names) == 1}
    return clear, {role: names for role, names in fitting.items() if len(names) > 1}


def _split_words(name: str, pattern: str) -> list[str]:
    spread = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return re.findall(pattern, spread.lower())


def _part_of(word: str) -> str | None:
    """Return the part of the body that a word names, with or without a side joined to it."""
    for part, names in _WORDS.items():
        side = "(?:left|right)?"
        # A single letter joins only parts of which there are two: "lhand", but not "lhead".
        before = "(?:left|right|l|r)?" if part in _PAIRED else side
        if re.fullmatch(f"{before}(?:{'|'.join(names)}){side}", word):
            return part
    return None


def _side_of(word: str) -> str | None:
    """Return the side that a word names, alone or joined to a part of the body."""
    for side, (long, short) in _SIDES.items():
        if word == short or long in word:
            return side
        if word.startswith(short) and _part_of(word) and _part_of(word[1:]):
            return side
    return None
