# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and hierarchy of a rig's bones, and how names are taken apart."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from .mapping import NONE

_PREFIX = re.compile(
    r"(?:.*[:|]|mixamorig\d*_?|(?:def|org)[-_ .]|cc[-_ .]base[-_ .]|(?:valvebiped\.)?bip\d+[-_ .]"
    r"|j[-_ .]bip[-_ .](?:c[-_ .])?|[mf][-_ .]avg[-_ .]|character\d+[-_ .])",
    re.IGNORECASE,
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[左右]|[^\W\d_a-zA-Z左右]+")
_SIDES = {"l": "l", "left": "l", "lft": "l", "lf": "l", "左": "l"}
_SIDES |= {"r": "r", "right": "r", "rgt": "r", "rt": "r", "右": "r"}
_NUMBER = re.compile(r"[._\s-]?\d+$")
_NEARLY_ALL = 0.9
"""Share of names that end in a number above which Blender or an importer added it."""

WITHOUT_SIDE = "?"
"""Stands for the side in the key of a name that is compared as a whole."""


class BoneTree:
    """Names and hierarchy of a rig, indexed for look-ups."""

    def __init__(self, names: Sequence[str], parents: Sequence[int]) -> None:
        self.names = _remove_numbers([str(name) for name in names])
        self.parents = [int(parent) if parent >= 0 else NONE for parent in parents]
        words = [split_words(name) for name in self.names]
        # First words that most bones share are the character's name, or that of a program behind
        # it, which may stand before a known prefix.
        while first := _most_common([w[0] for w in words if len(w) > 1], len(words)):
            words = [split_words(" ".join(w[1:])) if w[1:] and w[0] == first else w for w in words]
        self.words = words
        self.keys = [key_of(w) for w in words]
        # The first of equal names counts.
        self.by_name = {name: bone for bone, name in list(enumerate(self.names))[::-1]}
        self.by_key: dict[tuple[str, str], list[int]] = {}
        for bone, key in enumerate(self.keys):
            self.by_key.setdefault(key, []).append(bone)
            # Where capitals separate no words, the name is compared as a whole.
            if not key[0]:
                self.by_key.setdefault((WITHOUT_SIDE, key[1]), []).append(bone)

    def __len__(self) -> int:
        return len(self.names)

    def ancestors(self, bone: int) -> Iterator[int]:
        """Yield the bones above a bone, nearest first."""
        bone = self.parents[bone]
        while bone != NONE:
            yield bone
            bone = self.parents[bone]

    def path_between(self, top: int, bottom: int) -> list[int] | None:
        """Return the bones below ``top`` and above ``bottom``; None if they are not connected."""
        path: list[int] = []
        for bone in self.ancestors(bottom):
            if bone == top:
                return path[::-1]
            path.append(bone)
        return None


def _remove_numbers(names: list[str]) -> list[str]:
    """Remove the numbers that a rig's bones all received: ``Hips.001``, ``Hips_07``."""
    shortened = [_NUMBER.sub("", name) for name in names]
    numbered = sum(short != name for short, name in zip(shortened, names, strict=True))
    return shortened if numbered > _NEARLY_ALL * len(names) else names


def _most_common(words: Sequence[str], bones: int) -> str | None:
    """Return the word, other than a side, that more than half of all bones share."""
    word, count = (Counter(words).most_common(1) or [("", 0)])[0]
    return word if count > bones / 2 and word not in _SIDES else None


def split_words(name: str) -> list[str]:
    """Split a name into words in lower case, without the prefixes of known programs."""
    while (match := _PREFIX.match(name)) and match.end() < len(name):
        name = name[match.end() :]
    return [word.lower() for word in _WORD.findall(name)]


def key_of(words: Sequence[str]) -> tuple[str, str]:
    """Return the side ("l", "r" or "") and the rest of a name, given in lower-case words."""
    for place, word in enumerate(words):
        if word in _SIDES:
            return _SIDES[word], "".join((*words[:place], *words[place + 1 :]))
    return "", "".join(words)
