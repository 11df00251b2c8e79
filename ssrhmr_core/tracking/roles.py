# SPDX-License-Identifier: GPL-3.0-or-later
"""Which object or device is which tracker, by name."""

from __future__ import annotations

import re
from collections.abc import Iterable

_WORDS = {
    "head": ("head", "hmd", "headset"),
    "hand": ("hand", "wrist", "controller"),
    "foot": ("foot", "feet", "ankle"),
    "pelvis": ("pelvis", "hips", "hip", "waist", "belt", "root"),
}
_SIDE = "(?:left|right)?"


def role_from_name(name: str) -> str | None:
    """Return the tracker that a name speaks of, or None.

    Names are split into words at punctuation, digits and capitals: ``Tracker_LeftFoot.001``,
    ``foot.L`` and ``vive_l_foot`` are all the left foot.
    """
    words = re.sub(r"[^a-z]+", " ", _spread(name).lower()).split()
    parts = [part for part in _WORDS if any(_speaks_of(word, part) for word in words)]
    if len(parts) != 1:
        return None
    (part,) = parts
    if part in ("head", "pelvis"):
        return part
    left, right = (
        any(word == short or long in word for word in words)
        for long, short in (("left", "l"), ("right", "r"))
    )
    if left == right:
        return None
    return ("left_" if left else "right_") + part


def strip_role(name: str) -> str:
    """Return what of a name does not speak of a tracker.

    ``Walk 2_LeftFoot`` and ``walk 2 head`` both become ``walk 2``: what trackers of a take share.
    """
    words = re.sub(r"[^a-z0-9]+", " ", _spread(name).lower()).split()
    sides = ("left", "right", "l", "r") if role_from_name(name) else ()
    kept = [
        word
        for word in words
        if word not in sides and not any(_speaks_of(word, part) for part in _WORDS)
    ]
    return " ".join(kept)


def _spread(name: str) -> str:
    """Put spaces where small letters meet capitals."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)


def _speaks_of(word: str, part: str) -> bool:
    return re.fullmatch(f"{_SIDE}({'|'.join(_WORDS[part])}){_SIDE}", word) is not None


def assign(names: Iterable[str]) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Find a name for each tracker.

    Args:
        names: of the objects or devices in question.

    Returns:
        Name by tracker where exactly one name fits, and all names by tracker where several do.
    """
    fitting: dict[str, list[str]] = {}
    for name in names:
        role = role_from_name(name)
        if role:
            fitting.setdefault(role, []).append(name)
    sure = {role: found[0] for role, found in fitting.items() if len(found) == 1}
    return sure, {role: found for role, found in fitting.items() if len(found) > 1}
