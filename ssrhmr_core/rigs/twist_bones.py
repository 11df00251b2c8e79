# SPDX-License-Identifier: GPL-3.0-or-later
"""Bones between the joints: twist bones of limbs, further bones of spine and neck.

They stand for no joint of ours, but if they stay stiff they wring the skin at one place. The
rotation between two joints is shared among the bones in between by their position along the way;
the joints keep their positions.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from pymotion.rotations import quat_np as quat

from ..body.skeleton import INDEX, PARENTS
from ..geometry.arrays import normalize
from ..geometry.rotations import from_rotvec, rotation_between, to_rotvec, transpose
from .bone_mapping import NONE

_TWIST_NAMES = ("twist", "roll")
_OFF_AXIS = 0.12
"""Greatest distance of a twist bone from the line between two joints, as a share of its length."""
_ALONG = (-0.05, 0.95)
"""The part of that line on which a twist bone may lie, as shares of its length."""

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
    """The bones that lie between two joints.

    Attributes:
        start: The joint at its beginning.
        end: The joint at its end.
        bones: (n,) names of the bones that share the rotation; the start's own may be among them.
        shares: (n,) the share of the rotation that each takes, 0..1.
        steps: (n, 3) offsets at rest from each bone's head to the next one's, and from the last to
            the end's, for segments of the trunk, which bend; (1, 3) for limbs, which only twist.
    """

    start: int
    end: int
    bones: tuple[str, ...]
    shares: np.ndarray
    steps: np.ndarray

    @property
    def bends(self) -> bool:
        """Whether its bones share the whole rotation, not the twist alone."""
        return self.start in _TRUNK


def find_segments(
    names: Sequence[str], parents: Sequence[int], heads: np.ndarray, bones: np.ndarray
) -> list[Segment]:
    """Find the bones between the joints of a rig.

    Args:
        names: The names of its bones.
        parents: The index of each bone's parent, negative for roots.
        heads: (bones, 3) heads of the bones at rest.
        bones: (22,) index of each joint's bone, or :data:`~ssrhmr_core.rigs.bone_mapping.NONE`.
    """
    chains = _BoneChains(
        names, parents, np.asarray(heads, np.float64), {int(b) for b in bones if b != NONE}
    )
    limbs = [(start, end) for start, end in (*_UPPER, *_LOWER) if bones[start] != NONE]
    segments = [
        chains.find_limb(start, end, int(bones[start]), int(bones[end]))
        for start, end in limbs
        if bones[end] != NONE
    ]
    trunk = [joint for joint in _TRUNK if bones[joint] != NONE]
    segments += [chains.find_trunk(a, b, int(bones[a]), int(bones[b])) for a, b in pairwise(trunk)]
    return [segment for segment in segments if segment is not None]


def drop_bones(segment: Segment, held: Container[str]) -> Segment | None:
    """Leave out the bones that something else rotates; return None if nothing is left to share."""
    keep = [bone not in held for bone in segment.bones]
    if all(keep):
        return segment
    if segment.bends or not any(keep):
        return None
    bones = tuple(bone for bone, kept in zip(segment.bones, keep, strict=True) if kept)
    return replace(segment, bones=bones, shares=segment.shares[keep])


def share_rotations(segment: Segment, rotation_of: Callable[[int], np.ndarray]) -> np.ndarray:
    """Return the rotations of a segment's bones.

    Args:
        segment: A segment of the rig.
        rotation_of: Returns the global rotations (F, 3, 3) of a joint since the rest pose, in its
            axes.

    Returns:
        (F, n, 3, 3) global rotations of the segment's bones since the rest pose.
    """
    first = rotation_of(segment.start)
    if segment.bends:
        return _bend_evenly(segment, first, rotation_of(segment.end))
    shares = segment.shares[:, None]
    axis = normalize(segment.steps.sum(0))
    if (segment.start, segment.end) in _UPPER:
        angle = _twist(transpose(rotation_of(PARENTS[segment.start])) @ first, axis)
        shares = shares - 1.0  # the joint's own rotation contains all of it
    else:
        angle = _twist(transpose(first) @ rotation_of(segment.end), axis)
    return first[:, None] @ from_rotvec(angle[:, None, None] * shares * axis)


def _bend_evenly(segment: Segment, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Return rotations (F, n, 3, 3) that lead evenly from ``first`` to ``last`` (F, 3, 3)."""
    axis = normalize(segment.steps.sum(0))
    rotvec = to_rotvec(transpose(first) @ last)[:, None]
    twist = (rotvec @ axis)[..., None] * axis
    # A bent segment points elsewhere. All of it is rotated back, so that its end keeps its
    # direction; with this factor all bones, the one at the end too, then bend by the same angle.
    count = len(segment.bones)
    bend = (rotvec - twist) * (2.0 * count / (count + 1.0))
    bent = first[:, None] @ from_rotvec((bend + twist) * segment.shares[:, None])
    actual = (bent @ segment.steps[..., None])[..., 0].sum(1)
    wanted = (first @ segment.steps.sum(0)[:, None])[..., 0]
    return rotation_between(normalize(actual), normalize(wanted))[:, None] @ bent


class _BoneChains:
    """Names, hierarchy and positions of a rig's bones."""

    def __init__(
        self, names: Sequence[str], parents: Sequence[int], heads: np.ndarray, mapped: set[int]
    ) -> None:
        self.names, self.parents, self.heads, self.mapped = names, parents, heads, mapped
        self.children: dict[int, list[int]] = {}
        for bone, parent in enumerate(parents):
            self.children.setdefault(int(parent), []).append(bone)

    def _chain(self, top: int, bottom: int) -> list[int] | None:
        """Return ``top`` and the bones below it down to above ``bottom``."""
        chain: list[int] = []
        bone = int(self.parents[bottom])
        while bone >= 0:
            chain.append(bone)
            if bone == top:
                return chain[::-1]
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
        """Tell whether joints other than the one at its end hang on a chain: they must not move."""
        waiting = [b for bone in chain for b in self.children[bone] if b not in (*chain, bottom)]
        for bone in waiting:  # grows while it is walked
            waiting += self.children.get(bone, ())
        return not self.mapped.isdisjoint(waiting)

    def find_trunk(self, start: int, end: int, top: int, bottom: int) -> Segment | None:
        """Return the segment from a joint of the trunk, whose bone is ``top``, to the next."""
        chain = self._chain(top, bottom)
        if chain is None or len(chain) < 2 or self._carries_more(chain, bottom):
            return None
        steps = np.diff(self.heads[[*chain, bottom]], axis=0)
        way = np.concatenate([[0.0], np.cumsum(np.linalg.norm(steps, axis=-1))])
        if way[-1] < 1e-9:
            return None
        return self._segment(start, end, dict(zip(chain, way[:-1] / way[-1], strict=True)), steps)

    def find_limb(self, start: int, end: int, top: int, bottom: int) -> Segment | None:
        """Return the segment from a joint of a limb, whose bone is ``top``, to the next."""
        chain = self._chain(top, bottom)
        line = self.heads[bottom] - self.heads[top]
        length = float(np.linalg.norm(line))
        if chain is None or length < 1e-9:
            return None
        shares: dict[int, float] = {}
        for bone in chain:
            share = self._along(bone, top, line)
            if share is None:
                return None
            shares[bone] = share
        if (start, end) in _UPPER:
            # The elbow is a hinge: the skin up to it rotates with it, as the last bone does.
            shares = dict(zip(chain, [*[*shares.values()][1:], 1.0], strict=True))
        if len(chain) == 1:  # the joint's own bone rotates as its joint
            shares = {}
        for bone in self._twist_bones(chain):
            share = self._along(bone, top, line)
            if share is not None:
                shares[bone] = share
        return self._segment(start, end, shares, line[None]) if shares else None

    def _along(self, bone: int, top: int, line: np.ndarray) -> float | None:
        """Return the share of the line from ``top`` at which a bone lies; None if it is off it."""
        offset = self.heads[bone] - self.heads[top]
        share = float(offset @ line / (line @ line))
        off = float(np.linalg.norm(offset - share * line) / np.linalg.norm(line))
        fits = _ALONG[0] <= share <= _ALONG[1] and off <= _OFF_AXIS
        return min(max(share, 0.0), 1.0) if fits else None

    def _twist_bones(self, chain: list[int]) -> list[int]:
        """Return the twist bones that hang on a chain, parents first."""
        twist_bones: list[int] = []
        waiting = [child for bone in chain for child in self.children.get(bone, ())]
        for bone in waiting:  # grows while it is walked
            named = any(word in self.names[bone].lower() for word in _TWIST_NAMES)
            if named and bone not in self.mapped and bone not in chain:
                twist_bones.append(bone)
                waiting += self.children.get(bone, ())
        return twist_bones


def _twist(rotations: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """Return the angles (F,) of rotations (F, 3, 3) about an axis (3,), without jumps."""
    quats = quat.from_matrix(rotations)
    angles = 2.0 * np.arctan2(quats[:, 1:] @ axis, quats[:, 0])
    return np.unwrap((angles + np.pi) % (2.0 * np.pi) - np.pi)
