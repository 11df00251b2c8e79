# SPDX-License-Identifier: GPL-3.0-or-later
"""Bones between the joints: twist bones of limbs, further bones of spine and neck.

They stand for no joint of ours, but left stiff they wring the skin at one place. What turns between
two joints is shared out among the bones in between by their place along the way; the joints stay
where they are.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from pymotion.rotations import quat_np as quat

from ..body.skeleton import INDEX, PARENTS
from ..geometry.arrays import normalize
from ..geometry.rotations import from_rotvec, rotation_between, transpose
from .bone_mapping import NONE

_TWIST_NAMES = ("twist", "roll")
_OFF_AXIS = 0.12
"""How far from the line between two joints a twist bone may lie, as a share of its length."""
_ALONG = (-0.05, 0.95)
"""From where to where on that line, as shares of its length."""

_SIDES = ("left", "right")
_UPPER = [
    (INDEX[f"{side}_{part}"], INDEX[f"{side}_{part}"] + 1)
    for side in _SIDES
    for part in ("hip", "shoulder")
]
_LOWER = [(joint + 1, end + 1) for joint, end in _UPPER]
_TRUNK = [INDEX[name] for name in ("lower_spine", "middle_spine", "chest", "neck", "head")]


@dataclass(frozen=True, eq=False)
class Segment:
    """What lies between two joints.

    Attributes:
        start: joint at its beginning.
        end: joint at its end.
        bones: (n,) names of the bones that share the turn; the start's own may be one of them.
        shares: (n,) how much of the turn each takes, 0..1.
        steps: (n, 3) from each bone's head to the next one's, the last to the end's, at rest; for
            segments of the trunk, which bend. (1, 3) for limbs, which twist only.
    """

    start: int
    end: int
    bones: tuple[str, ...]
    shares: np.ndarray
    steps: np.ndarray

    @property
    def bends(self) -> bool:
        """Whether its bones share all of the turn, not the twist alone."""
        return self.start in _TRUNK


def find_segments(
    names: Sequence[str], parents: Sequence[int], heads: np.ndarray, bones: np.ndarray
) -> list[Segment]:
    """Find the bones between the joints of a rig.

    Args:
        names: of its bones.
        parents: index of each bone's parent, negative for roots.
        heads: (bones, 3) at rest.
        bones: (22,) index of each joint's bone, or :data:`~ssrhmr_core.rigs.bone_mapping.NONE`.
    """
    rig = _BoneChains(
        names, parents, np.asarray(heads, np.float64), {int(b) for b in bones if b != NONE}
    )
    limbs = [(start, end) for start, end in (*_UPPER, *_LOWER) if bones[start] != NONE]
    found = [
        rig.limb(start, end, int(bones[start]), int(bones[end]))
        for start, end in limbs
        if bones[end] != NONE
    ]
    trunk = [joint for joint in _TRUNK if bones[joint] != NONE]
    found += [rig.trunk(a, b, int(bones[a]), int(bones[b])) for a, b in pairwise(trunk)]
    return [segment for segment in found if segment is not None]


def without(segment: Segment, held: Container[str]) -> Segment | None:
    """Leave out bones that something else turns; None if nothing is left to share."""
    keep = [bone not in held for bone in segment.bones]
    if all(keep):
        return segment
    if segment.bends or not any(keep):
        return None
    bones = tuple(bone for bone, kept in zip(segment.bones, keep, strict=True) if kept)
    return replace(segment, bones=bones, shares=segment.shares[keep])


def spread(segment: Segment, turned: np.ndarray) -> np.ndarray:
    """Share out a turn.

    Args:
        segment: of a rig.
        turned: (F, 22, 3, 3) global rotations of the joints since the rest pose, in its axes.

    Returns:
        (F, n, 3, 3) global rotations of the segment's bones since the rest pose.
    """
    first = turned[:, segment.start]
    shares = segment.shares[:, None]
    axis = normalize(segment.steps.sum(0))
    if segment.bends:
        turn = _rotation_vectors(transpose(first) @ turned[:, segment.end])[:, None]
        twist = (turn @ axis)[..., None] * axis
        # What is bent points elsewhere. All is turned back, so that the end keeps its direction;
        # with this factor all bones, the one at the end too, are then bent by the same angle.
        count = len(segment.bones)
        bend = (turn - twist) * (2.0 * count / (count + 1.0))
        found = first[:, None] @ from_rotvec((bend + twist) * shares)
        reached = (found @ segment.steps[..., None])[..., 0].sum(1)
        wanted = (first @ segment.steps.sum(0)[:, None])[..., 0]
        return rotation_between(normalize(reached), normalize(wanted))[:, None] @ found
    if (segment.start, segment.end) in _UPPER:
        angle = _twist(transpose(turned[:, PARENTS[segment.start]]) @ first, axis)
        shares = shares - 1.0  # the joint's own rotation has all of it
    else:
        angle = _twist(transpose(first) @ turned[:, segment.end], axis)
    return first[:, None] @ from_rotvec(angle[:, None, None] * shares * axis)


class _BoneChains:
    """Names, hierarchy and places of a rig's bones."""

    def __init__(
        self, names: Sequence[str], parents: Sequence[int], heads: np.ndarray, mapped: set[int]
    ) -> None:
        self.names, self.parents, self.heads, self.mapped = names, parents, heads, mapped
        self.below: dict[int, list[int]] = {}
        for bone, parent in enumerate(parents):
            self.below.setdefault(int(parent), []).append(bone)

    def chain(self, top: int, bottom: int) -> list[int] | None:
        """``top`` and the bones below it down to above ``bottom``."""
        found: list[int] = []
        bone = int(self.parents[bottom])
        while bone >= 0:
            found.append(bone)
            if bone == top:
                return found[::-1]
            bone = int(self.parents[bone])
        return None

    def _segment(
        self, start: int, end: int, shares: dict[int, float], steps: np.ndarray
    ) -> Segment:
        return Segment(
            start,
            end,
            tuple(self.names[bone] for bone in shares),
            np.array([*shares.values()]),
            steps,
        )

    def _carries_more(self, chain: list[int], bottom: int) -> bool:
        """Whether joints hang on a chain besides the one at its end: they must not be moved."""
        waiting = [b for bone in chain for b in self.below[bone] if b not in (*chain, bottom)]
        for bone in waiting:  # grows while it is walked
            waiting += self.below.get(bone, ())
        return not self.mapped.isdisjoint(waiting)

    def trunk(self, start: int, end: int, top: int, bottom: int) -> Segment | None:
        chain = self.chain(top, bottom)
        if chain is None or len(chain) < 2 or self._carries_more(chain, bottom):
            return None
        steps = np.diff(self.heads[[*chain, bottom]], axis=0)
        way = np.concatenate([[0.0], np.cumsum(np.linalg.norm(steps, axis=-1))])
        if way[-1] < 1e-9:
            return None
        return self._segment(start, end, dict(zip(chain, way[:-1] / way[-1], strict=True)), steps)

    def limb(self, start: int, end: int, top: int, bottom: int) -> Segment | None:
        chain = self.chain(top, bottom)
        line = self.heads[bottom] - self.heads[top]
        length = float(np.linalg.norm(line))
        if chain is None or length < 1e-9:
            return None
        shares: dict[int, float] = {}
        for bone in chain:
            place = self._along(bone, top, line)
            if place is None:
                return None
            shares[bone] = place
        if (start, end) in _UPPER:
            # The elbow is a hinge: up to it the skin turns with it, as the last bone does.
            shares = dict(zip(chain, [*[*shares.values()][1:], 1.0], strict=True))
        if len(chain) == 1:  # the joint's own bone turns as its joint
            shares = {}
        for bone in self._twist_bones(chain):
            place = self._along(bone, top, line)
            if place is not None:
                shares[bone] = place
        return self._segment(start, end, shares, line[None]) if shares else None

    def _along(self, bone: int, top: int, line: np.ndarray) -> float | None:
        """Where on the line from ``top`` a bone lies, 0..1; None if it lies elsewhere."""
        away = self.heads[bone] - self.heads[top]
        place = float(away @ line / (line @ line))
        off = float(np.linalg.norm(away - place * line) / np.linalg.norm(line))
        fits = _ALONG[0] <= place <= _ALONG[1] and off <= _OFF_AXIS
        return min(max(place, 0.0), 1.0) if fits else None

    def _twist_bones(self, chain: list[int]) -> list[int]:
        """Twist bones that hang on a chain, parents first."""
        found: list[int] = []
        waiting = [child for bone in chain for child in self.below.get(bone, ())]
        for bone in waiting:  # grows while it is walked
            named = any(word in self.names[bone].lower() for word in _TWIST_NAMES)
            if named and bone not in self.mapped and bone not in chain:
                found.append(bone)
                waiting += self.below.get(bone, ())
        return found


def _twist(rotations: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """Angles (F,) by which rotations (F, 3, 3) turn about an axis (3,), without jumps."""
    turns = quat.from_matrix(rotations)
    angles = 2.0 * np.arctan2(turns[:, 1:] @ axis, turns[:, 0])
    return np.unwrap((angles + np.pi) % (2.0 * np.pi) - np.pi)


def _rotation_vectors(rotations: np.ndarray) -> np.ndarray:
    """Rotations (F, 3, 3) -> axis times angle (F, 3), the shorter way round."""
    turns = quat.from_matrix(rotations)
    turns = np.where(turns[:, :1] < 0.0, -turns, turns)
    sine = np.linalg.norm(turns[:, 1:], axis=-1, keepdims=True)
    return 2.0 * np.arctan2(sine, turns[:, :1]) * turns[:, 1:] / np.maximum(sine, 1e-12)
