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
_HELPERS = frozenset(
    {"adjust", "control", "corrective", "ctrl", "fk", "heel", "helper", "ik", "mch", "nub"}
    | {"pole", "roll", "socket", "target", "tweak", "twist", "vis", "weapon"}
)
"""Words in the names of bones that are no part of a body."""


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

    def mirrors(self, other: Limb) -> bool:
        """Tell whether both limbs have the same lengths."""
        return bool(np.abs(np.log(self.lengths / other.lengths)).max() < _ALIKE)


@dataclass(frozen=True)
class LimbPair:
    """Two mirrored limbs and the bone that they hang on."""

    length: float
    carrier: int
    limbs: tuple[Limb, Limb]


class BodyGraph:
    """A rig without its helper bones, with the lengths between bones."""

    def __init__(self, tree: BoneTree, heads: np.ndarray) -> None:
        self.heads = heads
        self.sides = [side for side, _ in tree.keys]
        helper = [not _HELPERS.isdisjoint(words) for words in tree.words]
        self.bones = [bone for bone in range(len(tree)) if not helper[bone]]
        self.parent = {
            bone: next((a for a in tree.ancestors(bone) if not helper[a]), NONE)
            for bone in self.bones
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

    def find_limb(self, bone: int) -> Limb | None:
        """Return the limb that starts at or below a bone, if its chain has two segments."""
        chain = self.chain_down(bone)
        # Hands and feet come soon after, however long tails and chains may be.
        steps = [self.step[below] for below in chain[1 : 2 * _FARTHEST]]
        best, lowest = None, math.inf
        for places in _splits(min(len(chain), _FARTHEST)):
            lengths = self._segment_lengths(chain, places, steps)
            if lengths is None:
                continue
            price = _price_of_split(places, lengths, steps)
            if price < lowest:
                best, lowest = Limb(chain, places, np.array(lengths)), price
        return best

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
            limbs = [limb for limb in map(self.find_limb, starts) if limb is not None]
            for a, b in combinations(limbs, 2):
                if a.mirrors(b):
                    length = float(a.lengths.sum() + b.lengths.sum())
                    pairs.append(LimbPair(length, bone, (a, b)))
        return sorted(pairs, key=lambda pair: -pair.length)


def _splits(count: int) -> Iterator[tuple[int, int, int]]:
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
