# SPDX-License-Identifier: GPL-3.0-or-later
"""Which bone is which joint: names first, hierarchy second, the same for files and for rigs.

Each file in ``bone_names`` is the table of one rig family: its bones by our joint names, best name
first. Names are compared as written and, less surely, without prefix, case, punctuation and the
spelling of the side. The family that explains most of the rig, checked against its hierarchy, wins;
what no name explains is looked for by shape.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from itertools import combinations

import numpy as np

from ..body.skeleton import INDEX, JOINTS, MIRROR, PARENTS, REQUIRED_JOINTS

NONE = -1
"""Stands in a mapping for a joint that no bone was found for."""

_TOLERANT = 0.9
"""Confidence in a bone whose name matches but for its prefix or spelling."""
_COUNTED = 0.8
"""Confidence in a spine bone that is known by its place between hips and neck only."""
_SHAPE = 0.5
"""Confidence in a bone found by hierarchy and position alone."""
_GUESSED = 0.2
"""Confidence in limbs whose side no name, no foot and no custom tells."""
_CONTRADICTED = 0.5
"""Factor on the confidence in a bone whose place in the hierarchy does not fit."""

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
"""Share of names that end in a number, above which Blender or an importer has put it there."""
_SURELY_BACK = 0.5
"""Of the volume that leg, shin and foot span at right angles, how much leaves no doubt."""
_HELPERS = frozenset(
    {"adjust", "control", "corrective", "ctrl", "fk", "heel", "helper", "ik", "mch", "nub"}
    | {"pole", "roll", "socket", "target", "tweak", "twist", "vis", "weapon"}
)
"""Words in the names of bones that are no part of a body."""

_TRUNK = tuple(INDEX[n] for n in ("hips", "lower_spine", "middle_spine", "chest", "neck"))
_SPINE = _TRUNK[1:4]
_LIMB_STARTS = tuple(
    INDEX[f"{side}_{part}"]
    for side in ("left", "right")
    for part in ("hip", "clavicle", "shoulder")
)

_MIRROR = np.array(MIRROR)


@dataclass(frozen=True, eq=False)
class BoneMapping:
    """The bones of a rig that stand for the 22 joints.

    Attributes:
        family: name of the table that fitted best; "unknown" where shape alone decided.
        bones: (22,) int, index of the bone of each joint, or :data:`NONE`.
        confidence: (22,) float32 in 0..1, how sure each one is: 1 for a name of the family in its
            right place, 0.9 for a name that had to be stripped, 0.8 for a spine bone known by its
            place only, 0.5 and less for a bone found by shape or one whose place in the hierarchy
            contradicts its name; 0.2 where left and right are a guess; 0 without a bone.
        ambiguous: joints without a bone because several fit equally well: their bones.
        mirrored: whether the names call the body's left side right; the bones go by the body.
    """

    family: str
    bones: np.ndarray
    confidence: np.ndarray
    ambiguous: dict[int, list[int]] = field(default_factory=dict)
    mirrored: bool = False

    @property
    def missing(self) -> list[str]:
        """Names of the joints that are needed and were not found."""
        return [JOINTS[joint] for joint in REQUIRED_JOINTS if self.bones[joint] == NONE]


@dataclass(frozen=True)
class Family:
    """Bone names of one kind of rig.

    Attributes:
        name: what users call it.
        joints: joint -> its bone's names, best first.
        confidence: factor on the confidence in what it finds; below 1 for a table of words that
            are common everywhere.
    """

    name: str
    joints: dict[str, list[str]]
    confidence: float = 1.0


@cache
def families() -> tuple[Family, ...]:
    """Return all tables, in the order of their file names."""
    files = resources.files(__package__).joinpath("bone_names").iterdir()
    tables = []
    for entry in sorted(files, key=lambda file: file.name):
        if entry.name.endswith(".json"):
            table = json.loads(entry.read_text(encoding="utf-8"))
            tables.append(Family(table["family"], table["joints"], table.get("confidence", 1.0)))
    return tuple(tables)


def map_bones(
    names: Sequence[str], parents: Sequence[int], positions: np.ndarray | None = None
) -> BoneMapping:
    """Find the 22 joints among the bones of a rig or a motion file.

    Args:
        names: bone names.
        parents: index of each bone's parent, negative for roots.
        positions: (bones, 3) heads of the bones, any axes and unit, in a pose whose toes point
            forward; for bodies with unknown names. Without it only names count.

    Returns:
        The best mapping found; it may be incomplete (:attr:`BoneMapping.missing`).
    """
    rig = _BoneTree(names, parents)
    # max() keeps the first of equals, so the order of the files settles ties.
    unknown = BoneMapping("unknown", np.full(len(JOINTS), NONE), np.zeros(len(JOINTS), np.float32))
    mappings = [unknown, *(_by_names(rig, family) for family in families())]
    best = max(mappings, key=lambda found: (found.confidence.sum(), len(found.ambiguous)))
    # A family may know fewer joints than words that are common everywhere.
    for mapping, family in zip(mappings[1:], families(), strict=True):
        if family.confidence < 1.0 and mapping is not best:
            _fill(best, mapping, rig)
    if positions is None:
        return best
    points = np.asarray(positions, np.float64)
    if (best.bones == NONE).any():
        shape = _by_shape(rig, points)
        if shape.confidence.sum() > best.confidence.sum() and not best.ambiguous:
            best = shape
        else:
            _fill(best, shape, rig)
    return _mirrored(best) if _toes_point_back(best.bones, points) else best


class _BoneTree:
    """Names and hierarchy of a rig, ready for questions."""

    def __init__(self, names: Sequence[str], parents: Sequence[int]) -> None:
        self.names = _without_numbers([str(name) for name in names])
        self.parents = [int(parent) if parent >= 0 else NONE for parent in parents]
        words = [_words(name) for name in self.names]
        # First words that most bones share are the character's name, or that of a program behind
        # it, which may stand before a known prefix.
        while first := _shared([w[0] for w in words if len(w) > 1], len(words)):
            words = [_words(" ".join(w[1:])) if w[1:] and w[0] == first else w for w in words]
        self.words = words
        self.keys = [_key(w) for w in words]
        # The first of equal names counts.
        self.by_name = {name: bone for bone, name in list(enumerate(self.names))[::-1]}
        self.by_key: dict[tuple[str, str], list[int]] = {}
        for bone, key in enumerate(self.keys):
            self.by_key.setdefault(key, []).append(bone)
            # Where capitals tell no words, the whole is compared as it stands.
            if not key[0]:
                self.by_key.setdefault(("?", key[1]), []).append(bone)

    def __len__(self) -> int:
        return len(self.names)

    def ancestors(self, bone: int) -> Iterator[int]:
        """Bones above a bone, nearest first."""
        bone = self.parents[bone]
        while bone != NONE:
            yield bone
            bone = self.parents[bone]

    def between(self, top: int, bottom: int) -> list[int] | None:
        """Bones from below ``top`` to above ``bottom``; None if they do not hang together."""
        path: list[int] = []
        for bone in self.ancestors(bottom):
            if bone == top:
                return path[::-1]
            path.append(bone)
        return None


def _without_numbers(names: list[str]) -> list[str]:
    """Take off the numbers that a rig's bones got all alike: ``Hips.001``, ``Hips_07``."""
    found = [_NUMBER.sub("", name) for name in names]
    numbered = sum(short != name for short, name in zip(found, names, strict=True))
    return found if numbered > _NEARLY_ALL * len(names) else names


def _shared(words: Sequence[str], bones: int) -> str | None:
    """The word, but for sides, that more than half of all bones have at one place."""
    word, count = (Counter(words).most_common(1) or [("", 0)])[0]
    return word if count > bones / 2 and word not in _SIDES else None


def _words(name: str) -> list[str]:
    """Words of a name in lower case, without the prefixes of known programs."""
    while (match := _PREFIX.match(name)) and match.end() < len(name):
        name = name[match.end() :]
    return [word.lower() for word in _WORD.findall(name)]


def _key(words: Sequence[str]) -> tuple[str, str]:
    """Side ("l", "r" or "") and the rest of a name, given in lower-case words."""
    for place, word in enumerate(words):
        if word in _SIDES:
            return _SIDES[word], "".join((*words[:place], *words[place + 1 :]))
    return "", "".join(words)


@cache
def _known_keys(name: str) -> tuple[tuple[str, str], tuple[str, str]]:
    words = _words(name)
    return _key(words), ("?", "".join(words))


def _by_names(rig: _BoneTree, family: Family) -> BoneMapping:
    """Map a rig by one table, with the spine taken from the hierarchy."""
    bones = np.full(len(JOINTS), NONE)
    confidence = np.zeros(len(JOINTS), np.float32)
    several: dict[int, list[int]] = {}
    # From the ends of limbs upwards, so that what hangs on a bone is known.
    for joint in range(len(JOINTS) - 1, -1, -1):
        found, sure = _candidates(rig, family, JOINTS[joint], _next(bones, joint))
        confidence[joint] = sure * family.confidence
        if len(found) == 1 and found[0] not in bones:
            bones[joint] = found[0]
        elif len(found) > 1:
            several[joint] = found
    for joint, found in reversed(several.items()):
        several[joint] = _best_placed(bones, rig, joint, found)
        if len(several[joint]) == 1:
            bones[joint] = several[joint][0]
    confidence[bones == NONE] = 0.0
    _place_spine(bones, confidence, rig)
    confidence[_contradicted(bones, rig)] *= _CONTRADICTED
    placed = _SPINE if bones[INDEX["chest"]] != NONE else ()
    ambiguous = {
        joint: found
        for joint, found in sorted(several.items())
        if bones[joint] == NONE and joint not in placed and len(found) > 1
    }
    return BoneMapping(family.name, bones, confidence, ambiguous)


def _next(bones: np.ndarray, joint: int) -> int:
    """The bone of the joint that follows in a limb or along the trunk, or NONE."""
    goes_on = joint + 1 < len(JOINTS) and PARENTS[joint + 1] == joint
    return int(bones[joint + 1]) if goes_on else NONE


def _candidates(rig: _BoneTree, family: Family, joint: str, below: int) -> tuple[list[int], float]:
    """Bones with the best of a joint's names, and how sure that is.

    Of several names, one whose bone carries the bone ``below`` counts before the others.
    """
    names, sure = family.joints.get(joint, []), 1.0
    known = [[rig.by_name[name]] for name in names if name in rig.by_name]
    if not known:
        keys, sure = [key for name in names for key in _known_keys(name)], _TOLERANT
        known = [rig.by_key[key] for key in keys if key in rig.by_key]
    if not known:
        return [], 0.0
    above = set(rig.ancestors(below)) if below != NONE and len(known) > 1 else set()
    return next((found for found in known if not above.isdisjoint(found)), known[0]), sure


def _best_placed(bones: np.ndarray, rig: _BoneTree, joint: int, found: Sequence[int]) -> list[int]:
    """Those of some bones that hang best between the bones of the joints around."""
    joint_of = {int(bone): j for j, bone in enumerate(bones) if bone != NONE}
    below = set(rig.ancestors(_next(bones, joint))) if _next(bones, joint) != NONE else set()
    points: dict[int, float] = {}
    for bone in found:
        if bone in joint_of:
            continue
        above = next((joint_of[a] for a in rig.ancestors(bone) if a in joint_of), None)
        if above is None:
            points[bone] = 0.0
        elif not _may_hang(joint, above):
            points[bone] = -1.0
        else:  # the nearer the joint, the better
            skipped = _above(joint)[: _above(joint).index(above)] if above in _above(joint) else ()
            points[bone] = 1.0 / (1.0 + sum(bones[j] != NONE for j in skipped))
        points[bone] += bone in below
    return [bone for bone in points if points[bone] == max(points.values())]


def _place_spine(bones: np.ndarray, confidence: np.ndarray, rig: _BoneTree) -> None:
    """Put the bones between hips and neck on the three spine joints, whatever their number."""
    top = INDEX["neck"] if bones[INDEX["neck"]] != NONE else INDEX["head"]
    connected = bones[0] != NONE and bones[top] != NONE
    path = rig.between(bones[0], bones[top]) if connected else None
    if not path:
        return
    if len(path) < 3:
        chosen = [path[0] if len(path) == 2 else NONE, NONE, path[-1]]
    else:
        chosen = [path[0], path[len(path) // 2], path[-1]]
    for joint, bone in zip(_SPINE, chosen, strict=True):
        if bone != bones[joint]:
            bones[joint] = bone
            confidence[joint] = min(confidence[[0, top]].min(), _COUNTED)
        if bone == NONE:
            confidence[joint] = 0.0


def _contradicted(bones: np.ndarray, rig: _BoneTree) -> np.ndarray:
    """Tell which bones (22,) do not hang where their joints do.

    The nearest mapped bone above a joint's must belong to a joint above it; limbs may start from
    any bone of the trunk. A limb or a trunk that hangs on no mapped bone says nothing: generated
    rigs hold their parts together through bones of their own.
    """
    joint_of = {int(bone): joint for joint, bone in enumerate(bones) if bone != NONE}
    wrong = np.zeros(len(JOINTS), bool)
    loose = np.zeros(len(JOINTS), bool)
    for bone, joint in joint_of.items():
        above = next((joint_of[a] for a in rig.ancestors(bone) if a in joint_of), None)
        if above is None:
            loose[joint] = joint not in (*_TRUNK, INDEX["head"], *_LIMB_STARTS)
        else:
            wrong[joint] = not _may_hang(joint, above)
    # Where most limbs are loose, the rig has no hierarchy to hold against the names.
    return wrong | loose if loose.sum() <= 4 else wrong


def _may_hang(joint: int, above: int) -> bool:
    """Tell whether a joint's bone may hang on another's; limbs may on any bone of the trunk."""
    return above in _above(joint) or (joint in _LIMB_STARTS and above in _TRUNK)


def _above(joint: int) -> list[int]:
    """Joints above a joint in our own skeleton, nearest first."""
    found = []
    while (joint := PARENTS[joint]) >= 0:
        found.append(joint)
    return found


def _fill(best: BoneMapping, other: BoneMapping, rig: _BoneTree) -> None:
    """Give joints that no bone was found for the one of another mapping, where it fits."""
    for joint in np.flatnonzero(best.bones == NONE):
        bone = other.bones[joint]
        short_spine = joint in _SPINE and best.bones[INDEX["chest"]] != NONE
        if bone == NONE or bone in best.bones or short_spine or joint in best.ambiguous:
            continue
        tried = best.bones.copy()
        tried[joint] = bone
        if not (_contradicted(tried, rig) & ~_contradicted(best.bones, rig)).any():
            best.bones[joint] = bone
            best.confidence[joint] = other.confidence[joint]
    _place_spine(best.bones, best.confidence, rig)


def _toes_point_back(bones: np.ndarray, points: np.ndarray) -> bool:
    """Tell whether both feet would point backwards if left were where the mapping has it.

    However the legs are bent, toes are in front of a plane through the shin and the other leg.
    """
    legs = [
        [bones[INDEX[f"{side}_{part}"]] for part in ("hip", "knee", "ankle", "toe")]
        for side in ("left", "right")
    ]
    if NONE in (*legs[0], *legs[1]):
        return False
    across = points[legs[0][0]] - points[legs[1][0]]
    for _, knee, ankle, toe in legs:
        shin, foot = points[knee] - points[ankle], points[toe] - points[ankle]
        lengths = np.prod([np.linalg.norm(v) for v in (across, shin, foot)])
        if np.cross(across, shin) @ foot > -_SURELY_BACK * lengths:
            return False
    return True


def _mirrored(found: BoneMapping) -> BoneMapping:
    """Exchange left and right; all that has a side is less sure then."""
    confidence = found.confidence[_MIRROR]
    confidence[np.arange(len(JOINTS)) != _MIRROR] *= _CONTRADICTED
    ambiguous = {int(_MIRROR[joint]): bones for joint, bones in found.ambiguous.items()}
    return BoneMapping(found.family, found.bones[_MIRROR], confidence, ambiguous, mirrored=True)


@dataclass(frozen=True)
class _Limb:
    """A chain of bones with the place of a limb's three joints in it."""

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

    def mirrors(self, other: _Limb) -> bool:
        """Tell whether both limbs have the same lengths."""
        return bool(np.abs(np.log(self.lengths / other.lengths)).max() < _ALIKE)


def _triples(count: int) -> Iterator[tuple[int, int, int]]:
    """Places of a limb's three joints in a chain of so many bones."""
    steps = range(1, _MOST_BETWEEN + 2)
    for start in range(count - 2):
        yield from (
            (start, start + a, start + a + b) for a in steps for b in steps if start + a + b < count
        )


class _Shape:
    """A rig without its helper bones, with lengths."""

    def __init__(self, rig: _BoneTree, points: np.ndarray) -> None:
        self.points = points
        self.sides = [side for side, _ in rig.keys]
        helper = [not _HELPERS.isdisjoint(words) for words in rig.words]
        self.bones = [bone for bone in range(len(rig)) if not helper[bone]]
        self.above = {
            bone: next((a for a in rig.ancestors(bone) if not helper[a]), NONE)
            for bone in self.bones
        }
        self.below: dict[int, list[int]] = {bone: [] for bone in (NONE, *self.bones)}
        for bone in self.bones:
            self.below[self.above[bone]].append(bone)
        self.step = {b: self.length(a, b) for b, a in self.above.items() if a != NONE}
        # The longest way down from each bone, and the child that it leads over.
        self.reach: dict[int, float] = {}
        self.onward: dict[int, int] = {}
        for bone in reversed(self._downwards(list(self.below[NONE]))):
            self.onward[bone] = max(self.below[bone], key=self._far, default=NONE)
            self.reach[bone] = self._far(self.onward[bone]) if self.below[bone] else 0.0

    def _downwards(self, order: list[int]) -> list[int]:
        for bone in order:  # grows while it is walked
            order += self.below[bone]
        return order

    def _far(self, child: int) -> float:
        """How far it is from a bone over a child to the end."""
        return self.step[child] + self.reach[child]

    def subtree(self, bone: int) -> list[int]:
        """The bone and all below it."""
        return self._downwards([bone])

    def length(self, a: int, b: int) -> float:
        """Distance of two bones' heads."""
        return math.dist(self.points[a], self.points[b])

    def chain(self, bone: int) -> list[int]:
        """The bone and those below it along the longest way down."""
        found = [bone]
        while (child := self.onward[found[-1]]) != NONE:
            found.append(child)
        return found

    def path(self, bone: int) -> list[int]:
        """The bone and those above it, upwards."""
        found = [bone]
        while self.above[found[-1]] != NONE:
            found.append(self.above[found[-1]])
        return found

    def limb(self, bone: int) -> _Limb | None:
        """The limb that starts at or below a bone, if its chain has two segments."""
        chain = self.chain(bone)
        # Hands and feet come soon after, however long tails and chains may be.
        steps = [self.step[below] for below in chain[1 : 2 * _FARTHEST]]
        best, least = None, math.inf
        for start, middle, end in _triples(min(len(chain), _FARTHEST)):
            parts = (start, middle), (middle, end)
            upper, lower = (self.length(chain[a], chain[b]) for a, b in parts)
            ways = [sum(steps[a:b]) for a, b in parts]
            bent = upper < _STRAIGHT * ways[0] or lower < _STRAIGHT * ways[1]
            if bent or min(upper, lower) <= _UNEVEN * max(upper, lower):
                continue
            long = 0.5 * _LONG * (upper + lower)
            price = (
                abs(math.log(upper / lower))
                + _PRICE_OF_SPLIT * (end - start - 2)
                + _PRICE_BEFORE * sum(max(step - long, 0.0) for step in steps[:start]) / long
                + _PRICE_AFTER * sum(max(step - long, 0.0) for step in steps[end:]) / long
                - _PRICE_OF_HAND * end
            )
            if price < least:
                best, least = _Limb(chain, (start, middle, end), np.array([upper, lower])), price
        return best

    def pairs(self) -> list[tuple[float, int, _Limb, _Limb]]:
        """Mirrored limbs, longest first: length, bone that they hang on, both limbs."""
        least = 0.1 * max(self.reach.values(), default=0.0)
        found = []
        for bone in self.bones:
            long = [child for child in self.below[bone] if self._far(child) > least]
            limbs = [limb for limb in map(self.limb, long) if limb is not None]
            for a, b in combinations(limbs, 2):
                if a.mirrors(b):
                    found.append((float(a.lengths.sum() + b.lengths.sum()), bone, a, b))
        return sorted(found, key=lambda pair: -pair[0])


def _by_shape(rig: _BoneTree, points: np.ndarray) -> BoneMapping:
    """Map a body by hierarchy and lengths: two pairs of mirrored limbs on one trunk."""
    shape = _Shape(rig, points)
    bones = np.full(len(JOINTS), NONE)
    body = _find_body(shape)
    if body is not None:
        bones[0] = body.hips
        bones[[INDEX["neck"], INDEX["head"]]] = _neck_and_head(shape, body.crown)
        left, known = _left(shape, body)
        for side, leg in zip(("left", "right"), _left_first(shape, body.legs, left), strict=True):
            start = INDEX[f"{side}_hip"]
            bones[start : start + 4] = [*leg.joints, leg.after]
        for side, arm in zip(("left", "right"), _left_first(shape, body.arms, left), strict=True):
            start = INDEX[f"{side}_clavicle"]
            bones[start : start + 4] = [arm.before, *arm.joints]
    confidence = np.where(bones == NONE, 0.0, _SHAPE).astype(np.float32)
    if body is not None and not known:
        sided = [joint for joint, name in enumerate(JOINTS) if name.startswith(("left", "right"))]
        confidence[sided] = np.minimum(confidence[sided], _GUESSED)
    _place_spine(bones, confidence, rig)
    return BoneMapping("unknown", bones, confidence)


@dataclass(frozen=True)
class _BodyShape:
    """What a body is recognised by: its trunk from ``hips`` to ``chest`` and what hangs on it."""

    hips: int
    legs: tuple[_Limb, _Limb]
    chest: int
    arms: tuple[_Limb, _Limb]
    crown: int
    """First bone of the neck, or of the head."""


def _find_body(shape: _Shape) -> _BodyShape | None:
    for (_, hips, *legs), (_, chest, *arms) in combinations(shape.pairs()[:12], 2):
        limbs = [set(limb.chain) for limb in (*legs, *arms)]
        if any(a & b for a, b in combinations(limbs, 2)):
            continue
        used = set().union(*limbs)
        crown = _crown(shape, chest, hips, used)
        # The chest is where a head is; where both or neither have one, the longer limbs are legs.
        if crown == NONE:
            hips, legs, chest, arms = chest, arms, hips, legs
            crown = _crown(shape, chest, hips, used)
        trunk = shape.path(chest)
        fork = next((bone for bone in shape.path(hips) if bone in trunk), NONE)
        if crown == NONE or fork in (NONE, chest):
            continue
        # A root on the floor that carries pelvis and spine side by side is not the hips.
        near = shape.length(fork, hips) < 0.5 * legs[0].lengths[0]
        return _BodyShape(
            fork if near else hips, (legs[0], legs[1]), chest, (arms[0], arms[1]), crown
        )
    return None


def _crown(shape: _Shape, chest: int, hips: int, used: set[int]) -> int:
    """The child of the chest that rises farthest from the hips and carries no limb, or NONE."""
    up = shape.points[chest] - shape.points[hips]
    rises = {}
    for child in shape.below[chest]:
        bones = shape.subtree(child)
        if used.isdisjoint(bones):
            rises[child] = float(((shape.points[bones] - shape.points[chest]) @ up).max())
    found = max(rises, key=rises.__getitem__, default=NONE)
    return found if found != NONE and rises[found] > 0.0 else NONE


def _neck_and_head(shape: _Shape, crown: int) -> tuple[int, int]:
    chain = shape.chain(crown)
    head = next((i for i, bone in enumerate(chain) if len(shape.below[bone]) > 1), None)
    if head is None:  # no face and no hair hang on any of them
        head = len(chain) - 1
        steps = [shape.step[below] for below in chain[1:]]
        # The crown is farther from the head than the parts of a neck are from one another.
        if len(steps) > 1 and steps[-1] > 1.2 * steps[-2]:
            head -= 1
    return (chain[0] if head else NONE), chain[head]


def _left(shape: _Shape, body: _BodyShape) -> tuple[np.ndarray, bool]:
    """Which way (3,) is left: by names that tell the sides, else by the feet, else by custom.

    The second value tells whether any of these says so; else it is a guess.
    """
    for a, b in (body.legs, body.arms):
        sides = [shape.sides[limb.joints[0]] for limb in (a, b)]
        if sorted(sides) == ["l", "r"]:
            across = shape.points[a.joints[0]] - shape.points[b.joints[0]]
            return (across if sides[0] == "l" else -across), True
    up = shape.points[body.chest] - shape.points[body.hips]
    if all(leg.after != NONE for leg in body.legs):
        ahead = sum(shape.points[leg.after] - shape.points[leg.joints[2]] for leg in body.legs)
        return np.cross(up, ahead), True
    across = shape.points[body.legs[0].joints[0]] - shape.points[body.legs[1].joints[0]]
    x = np.array([1.0, 0.0, 0.0])
    # Bodies face +Z where Y is up and -Y where Z is up: left is +X; else they face +X.
    usual = bool(abs(across @ x) > 0.7 * np.linalg.norm(across))
    return (x if usual else np.cross(up, x)), usual


def _left_first(shape: _Shape, pair: tuple[_Limb, _Limb], left: np.ndarray) -> tuple[_Limb, _Limb]:
    across = shape.points[pair[0].joints[0]] - shape.points[pair[1].joints[0]]
    return pair if across @ left > 0.0 else (pair[1], pair[0])
