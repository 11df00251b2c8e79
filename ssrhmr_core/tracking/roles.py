# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles of objects and devices as trackers, inferred from their names."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from ..body.extra_trackers import EXTRA_TRACKERS, SEGMENTED_TRACKERS, Segment
from ..body.skeleton import TRACKERS

ALL_ROLES = (*TRACKERS, *EXTRA_TRACKERS)
"""Names of all trackers: the six, then the optional ones."""

_Vocabulary = Mapping[str, tuple[str, ...]]
"""The words for each part of the body."""
_CORE_WORDS = {
    "head": ("head", "hmd", "headset"),
    "hand": ("hand", "wrist", "controller"),
    "foot": ("foot", "feet", "ankle"),
    "pelvis": ("pelvis", "hips", "hip", "waist", "belt", "root"),
}
_JOINT_WORDS = {
    "chest": ("chest", "upperchest", "sternum", "torso"),
    "shoulder": ("shoulder", "clavicle", "collarbone"),
    "elbow": ("elbow",),
    "knee": ("knee",),
    "toe": ("toe", "toes", "toebase"),
}
_SEGMENT_WORDS: dict[tuple[str, Segment], tuple[str, ...]] = {
    ("elbow", "upper"): ("upperarm", "uparm", "bicep", "biceps", "humerus"),
    ("elbow", "lower"): ("lowerarm", "forearm"),
    ("knee", "upper"): ("upperleg", "upleg", "thigh", "femur"),
    ("knee", "lower"): ("lowerleg", "shin", "calf", "shank"),
}
_EXTRA_WORDS = {
    part: (
        *names,
        *(name for (joint, _), words in _SEGMENT_WORDS.items() if joint == part for name in words),
    )
    for part, names in _JOINT_WORDS.items()
}
_COMPOUNDS = {
    "shoulder": ("collarbone",),
    "elbow": ("upperarm", "uparm", "lowerarm", "forearm"),
    "knee": ("upperleg", "upleg", "lowerleg"),
}
"""Parts whose names may be written as two words."""
_PAIRED = ("hand", "foot", "shoulder", "elbow", "knee", "toe")
_SIDES = {"left": ("left", "l"), "right": ("right", "r")}
_LOWER_NAMES = {"elbow": "forearm", "knee": "shin"}
"""What trackers that sit below their joint are called in files."""


def role_from_name(name: str) -> str | None:
    """Return the tracker that a name refers to, or None: one of the six or an optional one.

    Names are split into words at punctuation, digits and capitals: ``Tracker_LeftFoot.001``,
    ``foot.L``, ``vive_l_foot`` and ``LFoot`` are all the left foot, and ``human://LEFT_ELBOW``,
    ``UpperArm.L`` and ``left forearm`` the left elbow. What names one of the six is never an
    optional one.
    """
    words = _split_words(name, r"[^\W\d_]+")
    for vocabulary, spoken in ((_CORE_WORDS, words), (_EXTRA_WORDS, _join_words(words))):
        parts = {part for word in spoken if (part := _part_of(word, vocabulary)) is not None}
        if parts:
            return _role_of(parts, spoken, vocabulary) if len(parts) == 1 else None
    return None


def segment_from_name(name: str) -> Segment | None:
    """Return the bone that the name of a tracker at an elbow or a knee says it sits on, or None.

    An upper arm or a thigh is above the joint, a forearm or a shin below it; ``left_elbow`` does
    not say.
    """
    if role_from_name(name) not in SEGMENTED_TRACKERS:
        return None
    words = _join_words(_split_words(name, r"[^\W\d_]+"))
    segments = {
        segment
        for (part, segment), names in _SEGMENT_WORDS.items()
        if any(_part_of(word, {part: names}) for word in words)
    }
    return segments.pop() if len(segments) == 1 else None


def name_of_role(role: str, segment: Segment = "upper") -> str:
    """Return a name from which the role and the bone that the tracker sits on can be inferred.

    Args:
        role: One of :data:`ALL_ROLES`.
        segment: The bone that a tracker at an elbow or a knee sits on.
    """
    if segment == "upper" or role not in SEGMENTED_TRACKERS:
        return role
    side, _, part = role.partition("_")
    return f"{side}_{_LOWER_NAMES[part]}"


def strip_role(name: str) -> str:
    """Return the words of a name that do not refer to a tracker.

    ``Walk 2_LeftFoot`` and ``walk 2 head`` both become ``walk 2``: what trackers of a take share.
    """
    role = role_from_name(name)
    sides = {word for words in _SIDES.values() for word in words} if role else set()
    vocabulary, words = _CORE_WORDS, _split_words(name, r"[^\W_]+")
    if role in EXTRA_TRACKERS:
        vocabulary, words = _EXTRA_WORDS, _join_words(words)
    return " ".join(
        word for word in words if word not in sides and _part_of(word, vocabulary) is None
    )


def assign(
    names: Iterable[str], roles: Collection[str] = ALL_ROLES
) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Find a name for each tracker.

    Where names say that one tracker sits above an elbow or a knee and another one below it, the
    upper one gets the role.

    Args:
        names: The names of objects or devices.
        roles: The trackers to look for.

    Returns:
        The name of each tracker that exactly one name fits, and all names of each that several fit.
    """
    fitting: dict[str, list[str]] = {}
    for name in names:
        role = role_from_name(name)
        if role is not None and role in roles:
            fitting.setdefault(role, []).append(name)
    for role, fits in fitting.items():
        upper = [name for name in fits if segment_from_name(name) != "lower"]
        fitting[role] = upper or fits
    clear = {role: fits[0] for role, fits in fitting.items() if len(fits) == 1}
    return clear, {role: fits for role, fits in fitting.items() if len(fits) > 1}


def _role_of(parts: set[str], words: list[str], vocabulary: _Vocabulary) -> str | None:
    (part,) = parts
    if part not in _PAIRED:
        return part
    sides = {side for word in words if (side := _side_of(word, vocabulary)) is not None}
    if len(sides) != 1:
        return None
    (side,) = sides
    return f"{side}_{part}"


def _split_words(name: str, pattern: str) -> list[str]:
    spread = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return re.findall(pattern, spread.lower())


def _join_words(words: list[str]) -> list[str]:
    """Return words, with those joined that only together name a part: "upper arm"."""
    joined: list[str] = []
    for word in words:
        if joined and _part_of(joined[-1] + word, _COMPOUNDS):
            joined[-1] += word
        else:
            joined.append(word)
    return joined


def _part_of(word: str, vocabulary: _Vocabulary) -> str | None:
    """Return the part of the body that a word names, with or without a side joined to it."""
    for part, names in vocabulary.items():
        side = "(?:left|right)?"
        # A single letter joins only parts of which there are two: "lhand", but not "lhead".
        before = "(?:left|right|l|r)?" if part in _PAIRED else side
        if re.fullmatch(f"{before}(?:{'|'.join(names)}){side}", word):
            return part
    return None


def _side_of(word: str, vocabulary: _Vocabulary) -> str | None:
    """Return the side that a word names, alone or joined to a part of the body."""
    for side, (long, short) in _SIDES.items():
        if word == short or long in word:
            return side
        if word.startswith(short) and _part_of(word, vocabulary) and _part_of(word[1:], vocabulary):
            return side
    return None
