# SPDX-License-Identifier: GPL-3.0-or-later
"""Which device is which tracker, from their positions while the performer stands in the T-pose."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from ..geometry.scalar import Quaternion, Vector, rotate

_HEIGHTS = (0.7, 2.6)
"""Metres between the lowest and the highest tracker of a person."""
_MAX_DEVICES = 24
# Shares of that height:
_FEET_LEVEL, _FEET_APART = 0.12, (0.03, 0.45)
_HEAD_ABOVE = 0.04
_PELVIS_LEVELS, _PELVIS_LEVEL = (0.40, 0.68), 0.54
_HAND_LEVELS, _HANDS_APART, _HANDS_LEVEL = (0.60, 0.97), 0.6, 0.15
_CHEST_LEVELS, _KNEE_LEVELS, _KNEE_LEVEL = (0.68, 0.90), (0.13, 0.42), 0.27
_ELBOWS_APART, _ELBOWS_WITHOUT_HANDS = 0.3, 0.72
_OFF_CENTRE = 0.2
# Metres, of controllers beside a headset whose height above the floor nobody knows:
_HELD_APART, _HELD_OFF_CENTRE, _HELD_LEVEL, _HELD_BELOW = 0.8, 0.35, 0.3, (-0.1, 0.5)
_ASIDE = 0.03
"""Metres from the middle of the body from which on a single device is on one side of it."""
_PARALLEL = math.cos(math.radians(40.0))
_MIN_HORIZONTAL = 0.5
_AGREEMENT = math.cos(math.radians(25.0))
_MIN_AGREEING = 3

Pose = tuple[Vector, Quaternion | None, str]
"""Position, rotation (None if unknown) and kind of a device."""


def find_roles_of_standing(poses: Mapping[str, Pose], known: Mapping[str, str]) -> dict[str, str]:
    """Find the roles of devices that are placed like the trackers of somebody in the T-pose.

    Between the six there may be trackers at the chest, the elbows and the knees.

    Args:
        poses: Position, rotation and kind of each visible device, by name.
        known: Device name by role, of roles that are clear already.

    Returns:
        Device name by role, known ones included. Only the known ones if the devices do not look
        like a standing person; no left and right where the person's front is unknown.
    """
    positions = {name: np.array(pose[0], np.float64) for name, pose in poses.items()}
    controllers = {name for name, (_, _, kind) in poses.items() if kind == "controller"}
    body = None
    if 4 <= len(positions) <= _MAX_DEVICES:
        body = _Standing.find(positions, known, controllers)
    if body is None:
        return {**_find_held(poses, positions, known, controllers), **known}
    roles = {**body.find_centre(), **known}
    left = _left_direction(poses, positions, known)
    if left is None:
        return roles
    used = {*roles.values(), *body.feet}
    hands = body.find_hands(used)
    elbows = body.find_elbows(used | set(hands or ()), hands)
    knees = body.find_knees(used)
    for part, pair in (("foot", body.feet), ("hand", hands), ("elbow", elbows), ("knee", knees)):
        for side, name in _sort_sides(pair or (), positions, left, body.centre).items():
            if name not in known.values():
                roles.setdefault(f"{side}_{part}", name)
    return roles


class _Standing:
    """Devices that are placed like a standing person."""

    def __init__(
        self,
        positions: Mapping[str, np.ndarray],
        feet: tuple[str, str],
        head: str,
        controllers: set[str],
    ) -> None:
        self.feet, self._head, self._controllers = feet, head, controllers
        self._positions = positions
        self._floor = min(positions[name][1] for name in feet)
        self._height = positions[head][1] - self._floor
        middle = 0.5 * (positions[feet[0]] + positions[feet[1]])
        self.centre = 0.5 * (middle + positions[head])[[0, 2]]

    @classmethod
    def find(
        cls,
        positions: Mapping[str, np.ndarray],
        known: Mapping[str, str],
        controllers: set[str],
    ) -> _Standing | None:
        """Find feet and head; None if there are none."""
        order = sorted(positions, key=lambda name: float(positions[name][1]))
        height = float(positions[order[-1]][1] - positions[order[0]][1])
        if not _HEIGHTS[0] <= height <= _HEIGHTS[1]:
            return None
        one, other, third = (positions[name] for name in order[:3])
        head, next_head = positions[order[-1]], positions[order[-2]]
        apart = float(np.linalg.norm((one - other)[[0, 2]])) / height
        clear = (
            other[1] - one[1] <= _FEET_LEVEL * height
            and third[1] - other[1] > 0.5 * _FEET_LEVEL * height
            and _FEET_APART[0] <= apart <= _FEET_APART[1]
            and head[1] - next_head[1] > _HEAD_ABOVE * height
            and known.get("head", order[-1]) == order[-1]
        )
        if not clear:
            return None
        return cls(positions, (order[0], order[1]), order[-1], controllers)

    def find_centre(self) -> dict[str, str]:
        """Return head, pelvis and chest; pelvis and chest if there are any."""
        roles = {"head": self._head}
        free = [
            name
            for name in self._free({*self.feet, self._head})
            if np.linalg.norm(self._positions[name][[0, 2]] - self.centre)
            <= _OFF_CENTRE * self._height
        ]
        candidates = [name for name in free if self._is_within(name, _PELVIS_LEVELS)]
        if candidates:
            roles["pelvis"] = min(candidates, key=lambda n: abs(self._level(n) - _PELVIS_LEVEL))
        chests = [name for name in free if self._is_within(name, _CHEST_LEVELS)]
        if len(chests) == 1 and chests[0] != roles.get("pelvis"):
            roles["chest"] = chests[0]
        return roles

    def find_hands(self, used: set[str]) -> tuple[str, str] | None:
        """Return the two devices that are held out to the sides, None if there are none."""
        farthest = self._find_farthest(used)
        if farthest is None or self._distance(farthest) < _HANDS_APART * self._height:
            return None
        is_short = self._distance(farthest) < _ELBOWS_WITHOUT_HANDS * self._height
        if is_short and not self._controllers.intersection(farthest):
            # Elbows, of somebody whose hands are not tracked.
            return None
        return farthest if self._is_pair(farthest) else None

    def find_elbows(self, used: set[str], hands: tuple[str, str] | None) -> tuple[str, str] | None:
        """Return the two devices between the body and the hands, None if there are none."""
        farthest = self._find_farthest(used)
        if farthest is None or not self._is_pair(farthest):
            return None
        most = _ELBOWS_WITHOUT_HANDS * self._height
        if hands is not None:
            most = 0.5 * (most + self._distance(hands))
        return farthest if _ELBOWS_APART * self._height <= self._distance(farthest) < most else None

    def find_knees(self, used: set[str]) -> tuple[str, ...] | None:
        """Return the one or two devices above the feet, None if there are none."""
        candidates = [name for name in self._free(used) if self._is_within(name, _KNEE_LEVELS)]
        if len(candidates) == 1:
            return (candidates[0],)
        pairs = [
            pair
            for pair in itertools.combinations(candidates, 2)
            if self._distance(pair) >= _FEET_APART[0] * self._height and self._is_pair(pair)
        ]
        # Trackers on thighs and shins make two pairs, or four with one of each.
        return min(pairs, key=self._knee_distance, default=None)

    def _knee_distance(self, pair: tuple[str, str]) -> float:
        return sum(abs(self._level(name) - _KNEE_LEVEL) for name in pair)

    def _find_farthest(self, used: set[str]) -> tuple[str, str] | None:
        """Return the two devices at the height of arms that are farthest apart, or None."""
        free = self._free({*used, *self.feet})
        candidates = [name for name in free if self._is_within(name, _HAND_LEVELS)]
        pairs = itertools.combinations(candidates, 2)
        return max(pairs, key=self._distance, default=None)

    def _is_pair(self, pair: tuple[str, str]) -> bool:
        """Return whether two devices are on both sides of the body, at one height."""
        one, other = (self._positions[name] for name in pair)
        feet = self._positions[self.feet[0]] - self._positions[self.feet[1]]
        middle = 0.5 * (one + other)[[0, 2]]
        return bool(
            abs(one[1] - other[1]) <= _HANDS_LEVEL * self._height
            and np.linalg.norm(middle - self.centre) <= _OFF_CENTRE * self._height
            and abs(_direction(one - other) @ _direction(feet)) >= _PARALLEL
        )

    def _is_within(self, name: str, levels: tuple[float, float]) -> bool:
        return levels[0] <= self._level(name) <= levels[1]

    def _free(self, used: set[str]) -> list[str]:
        return [name for name in self._positions if name not in used]

    def _level(self, name: str) -> float:
        return float(self._positions[name][1] - self._floor) / self._height

    def _distance(self, pair: tuple[str, str]) -> float:
        one, other = (self._positions[name][[0, 2]] for name in pair)
        return float(np.linalg.norm(one - other))


def _find_held(
    poses: Mapping[str, Pose],
    positions: Mapping[str, np.ndarray],
    known: Mapping[str, str],
    controllers: set[str],
) -> dict[str, str]:
    """Return the hands that hold two controllers out to the sides of a headset, where no feet are.

    No hands if there are other numbers of either, or they are held another way.
    """
    headsets = [name for name, (_, _, kind) in poses.items() if kind == "hmd"]
    hands = {"left_hand", "right_hand"}
    if len(headsets) != 1 or len(controllers) != 2 or not hands.isdisjoint(known):
        return {}
    left = _left_direction(poses, positions, known)
    head, (one, other) = positions[headsets[0]], [positions[name] for name in sorted(controllers)]
    is_out = (
        np.linalg.norm((one - other)[[0, 2]]) >= _HELD_APART
        and np.linalg.norm((0.5 * (one + other) - head)[[0, 2]]) <= _HELD_OFF_CENTRE
        and abs(one[1] - other[1]) <= _HELD_LEVEL
        and _HELD_BELOW[0] <= head[1] - 0.5 * (one[1] + other[1]) <= _HELD_BELOW[1]
    )
    if left is None or not is_out:
        return {}
    sides = _sort_sides(sorted(controllers), positions, left, head[[0, 2]])
    return {f"{side}_hand": name for side, name in sides.items() if name not in known.values()}


def _sort_sides(
    names: Sequence[str],
    positions: Mapping[str, np.ndarray],
    left: np.ndarray,
    centre: np.ndarray,
) -> dict[str, str]:
    """Return the left and the right one of at most two devices, as far as that is clear."""
    if len(names) == 1:
        (name,) = names
        aside = float((positions[name][[0, 2]] - centre) @ left)
        return {"left" if aside > 0.0 else "right": name} if abs(aside) > _ASIDE else {}
    if not names:
        return {}
    one, other = names
    share = float(_direction(positions[one] - positions[other]) @ left)
    if abs(share) < _MIN_HORIZONTAL:
        return {}
    first, second = (one, other) if share > 0.0 else (other, one)
    return {"left": first, "right": second}


def _left_direction(
    poses: Mapping[str, Pose],
    positions: Mapping[str, np.ndarray],
    known: Mapping[str, str],
) -> np.ndarray | None:
    """Return the horizontal direction (x, z) to the person's left, None if it is unknown."""
    for part in ("hand", "foot"):
        left, right = (known.get(f"{side}_{part}", "") for side in ("left", "right"))
        if left in positions and right in positions:
            return _direction(positions[left] - positions[right])
    headsets = [rotation for _, rotation, kind in poses.values() if kind == "hmd" and rotation]
    front = _front_of(headsets[0]) if len(headsets) == 1 else None
    if front is None:
        # Senders that compute a body give its bones' rotations: their fronts are the same.
        front = _common_front(rotation for _, rotation, _ in poses.values() if rotation)
    # Facing +Z, the left is +X.
    return None if front is None else np.array([front[1], -front[0]])


def _common_front(rotations: Iterable[Quaternion]) -> np.ndarray | None:
    fronts = [_front_of(rotation) for rotation in rotations]
    known = [front for front in fronts if front is not None]
    if len(known) < max(_MIN_AGREEING, len(fronts)):
        return None
    mean = np.sum(known, axis=0)
    mean /= max(float(np.linalg.norm(mean)), 1e-9)
    return mean if min(float(front @ mean) for front in known) >= _AGREEMENT else None


def _front_of(rotation: Sequence[float]) -> np.ndarray | None:
    """Return the horizontal direction (x, z) that a device faces, None if it faces up or down."""
    x, _, z = rotate(rotation, (0.0, 0.0, 1.0))
    length = math.hypot(x, z)
    return np.array([x, z]) / length if length >= _MIN_HORIZONTAL else None


def _direction(vector: np.ndarray) -> np.ndarray:
    """Return the horizontal direction (x, z) of a vector (3,)."""
    horizontal = vector[[0, 2]]
    return horizontal / max(float(np.linalg.norm(horizontal)), 1e-9)
