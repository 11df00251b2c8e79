# SPDX-License-Identifier: GPL-3.0-or-later
"""Limbs by shape: chains of bones that split into two long segments, in mirrored pairs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from .bone_tree import BoneTree
from .mapping import NONE

_LONG = 0.65
"""Length of a segment, as a share of a limb's two, above which it might be one of them."""
_UNEVEN = 0.5
"""Least length of a limb's shorter segment, as a share of the longer one's."""
_PRICE_OF_SPLIT, _PRICE_AFTER, _PRICE_BEFORE, _PRICE_OF_HAND = 0.2, 4.0, 0.7, 0.2
"""What speaks against two segments of a limb, in units of the logarithm of their lengths' ratio:
each bone on the way; long segments after them (hands and feet are short) and before them (collar
bones may be long); each bone that is left for hand or foot."""
_STRAIGHT = 0.97
"""Least distance of a segment's ends, as a share of the way along the bones between them."""
_MOST_BETWEEN, _FARTHEST = 2, 12
"""Most bones between two joints of a limb, and within how many bones from the trunk it ends."""
_ALIKE = 0.15
"""Greatest difference of mirrored segments, as a share of their length."""
_SHORTEST_LIMB = 0.1
"""Least length of a limb, as a share of the longest chain."""
_PRICE_OF_FINGERS = 0.5
"""Price of each bone between a limb's end and the bone that carries fingers or toes."""
_FINGERS = 3
"""Least number of chains that hang on a hand."""
_APART = 0.05
"""Least distance of mirrored joints, as a share of a limb's length: copies lie closer."""

_HELPERS = frozenset(
    {"adjust", "control", "corrective", "ctrl", "fk", "heel", "helper", "ik", "mch", "nub"}
    | {"pole", "roll", "socket", "target", "tweak", "twist", "vis", "weapon"}
)
"""Words in the names of bones that are no part of a body."""
_CLOTHES = frozenset(
    {"accessory", "acc", "bag", "bang", "bangs", "belt", "boob", "braid", "breast", "bust", "cape"}
    | {"cloak", "cloth", "coat", "collider", "dress", "dynamic", "ear", "ears", "feather", "hair"}
    | {"hat", "hem", "hood", "jiggle", "pec", "pectoral", "phys", "physics", "ponytail", "ribbon"}
    | {"scarf", "sec", "shield", "skirt", "sleeve", "sode", "spring", "strap", "sword", "tail"}
    | {"tie", "twintail", "veil", "wing", "wings"}
)
"""Words in the names of bones that hang on a body."""
_CLOTHES_ELSEWHERE = (
    *("髪", "スカート", "リボン", "袖", "胸", "乳", "尻尾", "しっぽ", "翼", "羽", "耳", "マント"),
    *("裙", "发", "尾", "ネクタイ", "ＩＫ", "捩", "キャンセル", "操作"),
)
"""The same in Japanese and Chinese, where words are not separated."""


_ENDS = frozenset({"end", "tip", "ee", "nub", "top", "effector"})
"""Words in the names of bones that mark the end of the one before."""


def is_end(words: list[str]) -> bool:
    """Tell whether a bone with these words in its name is only the end of the one before."""
    return not _ENDS.isdisjoint(words)


def is_body_part(words: list[str]) -> bool:
    """Tell whether a bone with these words in its name may be a part of a body."""
    return (
        _HELPERS.isdisjoint(words)
        and _CLOTHES.isdisjoint(words)
        and not any(token in word for word in words for token in _CLOTHES_ELSEWHERE)
    )


@dataclass(frozen=True)
class Limb:
    """A chain of bones with the places of a limb's three joints in it."""

    chain: list[int]
    places: tuple[int, int, int]
    lengths: np.ndarray

    @property
    def joints(self) -> list[int]:
        """Thigh, shin and foot, or upper arm, forearm and hand."""
        return [self.chain[place] for place in self.places]

    @property
    def before(self) -> int:
        """The bone that the limb hangs on: a clavicle if the limb is an arm."""
        return self.chain[0] if self.places[0] else NONE

    @property
    def after(self) -> int:
        """The bone after the limb: a toe if the limb is a leg."""
        rest = self.chain[self.places[2] + 1 :]
        return rest[0] if rest else NONE

    @property
    def length(self) -> float:
        """Length of both segments."""
        return float(self.lengths.sum())


@dataclass(frozen=True)
class _Split:
    """What speaks against a split of a chain, and the lengths of its two segments."""

    price: float
    lengths: np.ndarray

    def mirrors(self, other: _Split) -> bool:
        """Tell whether both splits give the same lengths."""
        return bool(np.abs(np.log(self.lengths / other.lengths)).max() < _ALIKE)


@dataclass(frozen=True)
class LimbPair:
    """Two mirrored limbs and the bone that they hang on."""

    length: float
    carrier: int
    limbs: tuple[Limb, Limb]


class BodyGraph:
    """A rig without helper bones and clothes, with the lengths between bones."""

    def __init__(self, tree: BoneTree, heads: np.ndarray) -> None:
        self.heads = heads
        self.sides = [side for side, _ in tree.keys]
        self.words = tree.words
        part = [is_body_part(words) for words in tree.words]
        self.bones = [bone for bone in range(len(tree)) if part[bone]]
        self.parent = {
            bone: next((a for a in tree.ancestors(bone) if part[a]), NONE) for bone in self.bones
        }
        self.children: dict[int, list[int]] = {bone: [] for bone in (NONE, *self.bones)}
        for bone in self.bones:
            self.children[self.parent[bone]].append(bone)
        self.step = {b: self.distance(a, b) for b, a in self.parent.items() if a != NONE}
        # The length of the longest way down from each bone, and the child that it leads over.
        self.reach: dict[int, float] = {}
        self.farthest_child: dict[int, int] = {}
        for bone in reversed(self._walk_down(list(self.children[NONE]))):
            child = max(self.children[bone], key=self._reach_over, default=NONE)
            self.farthest_child[bone] = child
            self.reach[bone] = self._reach_over(child) if child != NONE else 0.0

    def _walk_down(self, bones: list[int]) -> list[int]:
        for bone in bones:  # grows while it is walked
            bones += self.children[bone]
        return bones

    def _reach_over(self, child: int) -> float:
        """Return the length of the way from a bone over a child to the end."""
        return self.step[child] + self.reach[child]

    def subtree(self, bone: int) -> list[int]:
        """Return the bone and all below it."""
        return self._walk_down([bone])

    def distance(self, a: int, b: int) -> float:
        """Return the distance of two bones' heads."""
        return math.dist(self.heads[a], self.heads[b])

    def chain_down(self, bone: int) -> list[int]:
        """Return the bone and those below it along the longest way down."""
        chain = [bone]
        while (child := self.farthest_child[chain[-1]]) != NONE:
            chain.append(child)
        return chain

    def path_up(self, bone: int) -> list[int]:
        """Return the bone and those above it, upwards."""
        path = [bone]
        while self.parent[path[-1]] != NONE:
            path.append(self.parent[path[-1]])
        return path

    def _find_splits(self, chain: list[int]) -> dict[tuple[int, int, int], _Split]:
        """Return the ways to split a chain into the two segments of a limb."""
        # Hands and feet come soon after, however long tails and chains may be.
        steps = [self.step[below] for below in chain[1 : 2 * _FARTHEST]]
        hand = next(
            (n for n, b in enumerate(chain) if n > 1 and len(self.children[b]) >= _FINGERS), None
        )
        splits = {}
        for places in _places_of_joints(min(len(chain), _FARTHEST)):
            lengths = self._segment_lengths(chain, places, steps)
            if lengths is not None:
                price = _price_of_split(places, lengths, steps)
                price += _PRICE_OF_FINGERS * abs(hand - places[2]) if hand is not None else 0.0
                splits[places] = _Split(price, np.array(lengths))
        return splits

    def _segment_lengths(
        self, chain: list[int], places: tuple[int, int, int], steps: list[float]
    ) -> tuple[float, float] | None:
        """Return the lengths of a limb's segments; None if they are bent or too uneven."""
        start, middle, end = places
        upper = self.distance(chain[start], chain[middle])
        lower = self.distance(chain[middle], chain[end])
        bent = upper < _STRAIGHT * sum(steps[start:middle])
        bent |= lower < _STRAIGHT * sum(steps[middle:end])
        return None if bent or min(upper, lower) <= _UNEVEN * max(upper, lower) else (upper, lower)

    def find_pairs(self) -> list[LimbPair]:
        """Return the mirrored limbs, longest first."""
        shortest = _SHORTEST_LIMB * max(self.reach.values(), default=0.0)
        pairs = []
        for bone in self.bones:
            starts = [child for child in self.children[bone] if self._reach_over(child) > shortest]
            if len(starts) < 2:
                continue
            chains = [self.chain_down(start) for start in starts]
            splits = [self._find_splits(chain) for chain in chains]
            for a, b in combinations(range(len(starts)), 2):
                pair = self._pair_up(bone, (chains[a], splits[a]), (chains[b], splits[b]))
                pairs += [pair] if pair is not None else []
        return sorted(pairs, key=lambda pair: -pair.length)

    def _pair_up(
        self,
        carrier: int,
        one: tuple[list[int], dict[tuple[int, int, int], _Split]],
        other: tuple[list[int], dict[tuple[int, int, int], _Split]],
    ) -> LimbPair | None:
        """Return the mirrored limbs of two chains, split at the same places, or None."""
        prices = {
            places: split.price + other[1][places].price
            for places, split in one[1].items()
            if places in other[1] and split.mirrors(other[1][places])
        }
        for places in sorted(prices, key=prices.__getitem__)[:1]:
            a, b = (Limb(chain, places, splits[places].lengths) for chain, splits in (one, other))
            if self._are_apart(a, b) and self._have_two_sides(a, b):
                return LimbPair(a.length + b.length, carrier, (a, b))
        return None

    def _are_apart(self, a: Limb, b: Limb) -> bool:
        """Tell whether two limbs lie beside each other, not on top of each other."""
        distances = [self.distance(i, j) for i, j in zip(a.joints[1:], b.joints[1:], strict=True)]
        return min(distances) > _APART * a.length

    def _have_two_sides(self, a: Limb, b: Limb) -> bool:
        """Tell whether the names allow one limb to be left and the other to be right."""
        sides = self.side_of(a), self.side_of(b)
        return sides[0] != sides[1] or not sides[0]

    def is_end(self, bone: int) -> bool:
        """Tell whether a bone is only the end of the one before, by its name."""
        return is_end(self.words[bone])

    def side_of(self, limb: Limb) -> str:
        """Return the side that a limb's names say: "l", "r", or "" if they say none."""
        sides = {self.sides[joint] for joint in limb.joints} - {""}
        return sides.pop() if len(sides) == 1 else ""


def _places_of_joints(count: int) -> Iterator[tuple[int, int, int]]:
    """Yield places of a limb's three joints in a chain of ``count`` bones."""
    steps = range(1, _MOST_BETWEEN + 2)
    for start in range(count - 2):
        yield from (
            (start, start + a, start + a + b) for a in steps for b in steps if start + a + b < count
        )


def _price_of_split(
    places: tuple[int, int, int], lengths: tuple[float, float], steps: list[float]
) -> float:
    """Return what speaks against a split of a chain whose bones are ``steps`` long."""
    start, _, end = places
    upper, lower = lengths
    long = 0.5 * _LONG * (upper + lower)
    return (
        abs(math.log(upper / lower))
        + _PRICE_OF_SPLIT * (end - start - 2)
        + _PRICE_BEFORE * sum(max(step - long, 0.0) for step in steps[:start]) / long
        + _PRICE_AFTER * sum(max(step - long, 0.0) for step in steps[end:]) / long
        - _PRICE_OF_HAND * end
    )
