# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and hierarchy of a rig's bones, and how names are taken apart."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

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
_FEWEST_IN_GROUP = 8
"""Bones that share a word from which on it may be a character's name."""
_MOST_GROUPS = 3
"""Groups of bones with a word of their own that are tried."""
_RIGGING = frozenset(
    {"def", "org", "mch", "str", "fk", "ik", "ctrl", "tweak", "parent", "target", "master", "pole"}
    | {"end", "twist", "roll", "switch", "widget", "finger", "toe", "thumb", "hair", "skirt"}
)
"""Words that many bones of one rig share and that are no character's name."""
_LAYER = re.compile(r"(?:^|[-_ .:|])(def|org|mch|str|fk)[-_ .]", re.IGNORECASE)
"""Marks of the layers that the bones of generated rigs are in."""
_LAYER_MARK = re.compile(r"(?<![^-_ .:|])(?:def|org|mch|str|fk)[-_ .]", re.IGNORECASE)
"""The same without what stands before them."""

WITHOUT_SIDE = "?"
"""Stands for the side in the key of a name that is compared as a whole."""

Words = list[str]
Key = tuple[str, str]
"""The side and the rest of a name."""


@dataclass(frozen=True)
class Reading:
    """One way to take the names of a rig apart.

    Attributes:
        words: The words of each bone's name, in lower case and without prefixes.
    """

    words: tuple[Words, ...]

    @cached_property
    def keys(self) -> list[Key]:
        """The side and the rest of each name."""
        return [key_of(words) for words in self.words]

    @cached_property
    def by_key(self) -> dict[Key, list[int]]:
        """The bones with each key."""
        bones: dict[Key, list[int]] = {}
        for bone, key in enumerate(self.keys):
            bones.setdefault(key, []).append(bone)
            # Where capitals separate no words, the name is compared as a whole.
            if not key[0]:
                bones.setdefault((WITHOUT_SIDE, key[1]), []).append(bone)
        return bones

    @cached_property
    def distinct_keys(self) -> frozenset[Key]:
        """All keys; sets are compared faster with one another than with tables."""
        return frozenset(self.by_key)


class BoneTree:
    """Names and hierarchy of a rig, indexed for look-ups.

    Args:
        names: The names of the bones.
        parents: The index of each bone's parent, negative for roots.
        vocabulary: Words of known bone names and of sides, which are no character's name.
    """

    def __init__(
        self, names: Sequence[str], parents: Sequence[int], vocabulary: Iterable[str] = ()
    ) -> None:
        self.names = _remove_numbers([str(name) for name in names])
        self.parents = [int(parent) if parent >= 0 else NONE for parent in parents]
        # The first of equal names counts.
        self.by_name = {name: bone for bone, name in list(enumerate(self.names))[::-1]}
        self.readings = _read_names(self.names, frozenset(vocabulary))

    @cached_property
    def distinct_names(self) -> frozenset[str]:
        """All names."""
        return frozenset(self.by_name)

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def words(self) -> list[Words]:
        """The words of each bone's name, except for those that nearly all bones share."""
        words = [split_words(name) for name in self.names]
        counts = Counter(word for w in words for word in set(w))
        shared = {word for word, count in counts.items() if count > _NEARLY_ALL * len(words)}
        return [[word for word in w if word not in shared] for w in words]

    @property
    def keys(self) -> list[Key]:
        """The side and the rest of each bone's name."""
        return self.readings[0].keys

    @cached_property
    def layers(self) -> list[str]:
        """The layer of a generated rig that each bone's name says it is in, or ""."""
        return [layer_of(name) for name in self.names]

    @cached_property
    def names_without_layer(self) -> list[str]:
        """The names without the mark of their layer."""
        return [_LAYER_MARK.sub("", name) for name in self.names]

    def has_layer(self, layer: str) -> bool:
        """Tell whether the rig has a layer of bones."""
        return self.layers.count(layer) >= _FEWEST_IN_GROUP

    def ancestors(self, bone: int) -> Iterator[int]:
        """Yield the bones above a bone, nearest first."""
        bone = self.parents[bone]
        while bone != NONE:
            yield bone
            bone = self.parents[bone]

    def children_of(self, bone: int) -> list[int]:
        """Return the bones that hang on a bone."""
        return [child for child, parent in enumerate(self.parents) if parent == bone]

    def path_up(self, bone: int) -> list[int]:
        """Return the bone and those above it, upwards."""
        return [bone, *self.ancestors(bone)]

    def path_between(self, top: int, bottom: int) -> list[int] | None:
        """Return the bones below ``top`` and above ``bottom``; None if they are not connected."""
        path: list[int] = []
        for bone in self.ancestors(bottom):
            if bone == top:
                return path[::-1]
            path.append(bone)
        return None

    def carrier_of(self, bones: Sequence[int]) -> int:
        """Return the lowest bone that is all of the bones or above them, or NONE."""
        shared = set.intersection(*(set(self.path_up(bone)) for bone in bones))
        return next((bone for bone in self.path_up(bones[0]) if bone in shared), NONE)


def _remove_numbers(names: list[str]) -> list[str]:
    """Remove the numbers that a rig's bones all received: ``Hips.001``, ``Hips_07``."""
    shortened = [_NUMBER.sub("", name) for name in names]
    numbered = sum(short != name for short, name in zip(shortened, names, strict=True))
    return shortened if numbered > _NEARLY_ALL * len(names) else names


def _read_names(names: Sequence[str], vocabulary: frozenset[str]) -> list[Reading]:
    """Return the ways to take names apart, the likeliest first."""
    # First words that most bones share are the character's name, or that of a program behind it,
    # which may stand before a known prefix; last words are the rigger's mark of a joint.
    stages = _strip_shared(names)
    readings = list(stages)
    # Hair, skirts and accessories may begin with other words, and be the majority.
    for group in _find_groups(stages[0], vocabulary):
        inner = _remove_numbers([names[bone] for bone in group])
        for words in _strip_shared(inner):
            reading = list(stages[0])
            for bone, short in zip(group, words, strict=True):
                reading[bone] = short
            readings.append(reading)
    return [Reading(tuple(reading)) for reading in _drop_repeated(readings)]


def _strip_shared(names: Sequence[str]) -> list[list[Words]]:
    """Return the names' words without those that most share, then with more and more of them."""
    return [words for first in _strip_first(names)[::-1] for words in _strip_last(first)[::-1]]


def _strip_first(names: Sequence[str]) -> list[list[Words]]:
    """Return the names' words, then with one shared first word less after the other."""
    words = [split_words(name) for name in names]
    stages = [words]
    while first := _most_common([w[0] for w in words if len(w) > 1], len(words)):
        words = [
            split_words(_after_word(names[n], w)) if len(w) > 1 and w[0] == first else w
            for n, w in enumerate(words)
        ]
        stages.append(words)
    return stages


def _after_word(name: str, words: Words) -> str:
    """Return what follows the first of a name's words, given as they were split."""
    lowered = name.lower()
    if len(lowered) != len(name):  # a few capitals have two small letters
        return " ".join(words[1:])
    # Words are looked for from the end: prefixes of known programs stand before them.
    place = len(name)
    for word in words[:0:-1]:
        place = lowered.rindex(word, 0, place)
    return name[place:]


def _strip_last(words: list[Words]) -> list[list[Words]]:
    """Return words as they are, then with one shared last word less after the other."""
    stages = [words]
    while last := _most_common([w[-1] for w in words if len(w) > 1], len(words)):
        words = [w[:-1] if len(w) > 1 and w[-1] == last else w for w in words]
        stages.append(words)
    return stages


def _find_groups(words: list[Words], vocabulary: frozenset[str]) -> list[list[int]]:
    """Return groups of bones that share a first or last word which is no part of a body."""
    groups = []
    known = {word for word in vocabulary if not word.isdigit()} | set(_SIDES) | _RIGGING
    for end in (0, -1):
        counts = Counter(
            w[end]
            for w in words
            if len(w) > 1 and w[end] not in known and len(w[end]) > 1 + w[end].isdigit()
        )
        groups += [
            [bone for bone, w in enumerate(words) if len(w) > 1 and w[end] == word]
            for word, count in counts.most_common(_MOST_GROUPS)
            if count >= _FEWEST_IN_GROUP
        ]
    return groups


def _drop_repeated(readings: list[list[Words]]) -> list[list[Words]]:
    return [reading for n, reading in enumerate(readings) if reading not in readings[:n]]


def _most_common(words: Sequence[str], bones: int) -> str | None:
    """Return the word, other than a side, that more than half of all bones share."""
    word, count = (Counter(words).most_common(1) or [("", 0)])[0]
    return word if count > bones / 2 and word not in _SIDES else None


def layer_of(name: str) -> str:
    """Return the layer of a generated rig that a name says its bone is in, or ""."""
    match = _LAYER.search(name)
    return match[1].lower() if match else ""


def split_words(name: str) -> Words:
    """Split a name into words in lower case, without the prefixes of known programs."""
    while (match := _PREFIX.match(name)) and match.end() < len(name):
        name = name[match.end() :]
    return [word.lower() for word in _WORD.findall(name)]


def key_of(words: Sequence[str]) -> Key:
    """Return the side ("l", "r" or "") and the rest of a name, given in lower-case words."""
    for place, word in enumerate(words):
        if word in _SIDES:
            return _SIDES[word], "".join((*words[:place], *words[place + 1 :]))
    return "", "".join(words)


@cache
def keys_of_name(name: str) -> tuple[Key, Key]:
    """Return the keys that a bone may have if it is named so: with its side, and as a whole."""
    words = split_words(name)
    return key_of(words), (WITHOUT_SIDE, "".join(words))
