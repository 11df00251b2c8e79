# SPDX-License-Identifier: GPL-3.0-or-later
"""The up axis of motion files: named by the user, or inferred from how a body stands and moves.

All functions on motion take joint positions (F, 22, 3) in the axes and unit of the file.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..body.interpolation import find_runs
from ..body.skeleton import INDEX
from ..geometry.arrays import normalize
from ..geometry.rotations import rotation_between
from .errors import MotionFileError

UP_AXES = {
    f"{sign}{name}": direction * np.eye(3)[axis]
    for sign, direction in (("", 1.0), ("-", -1.0))
    for axis, name in enumerate("xyz")
}
"""Unit vectors by what users call them: "x", "y", "z", "-x", "-y", "-z"."""

_HIPS, _HEAD = INDEX["hips"], INDEX["head"]
_ANKLES = [INDEX["left_ankle"], INDEX["right_ankle"]]
_KNEES = [INDEX["left_knee"], INDEX["right_knee"]]
_THIGHS = [INDEX["left_hip"], INDEX["right_hip"]]

_ALONG = np.cos(np.radians(30.0))
"""Cosine of the angle within which a body stands along an axis."""
_UPRIGHT = 0.85
"""Least rise from the feet to the head, as a share of the body's length, of a standing body."""
_USUAL = {"y": 0.5, "z": 0.3, "-y": 0.1}
"""What speaks for an axis before the motion is seen."""
_STANDING, _ON_FLOOR, _FLOOR_AT_ZERO = 3.0, 1.0, 0.75
"""What speaks for an axis if the body always stands along it, if its lowest joint stays at one
height, and if that height is zero."""
_FLOOR_SPREAD, _FLOOR_HEIGHT = 0.1, 0.15
"""Shares of the body's length within which a height counts as the same, or as zero."""
_FLAT = 0.45
"""Share of its length that a lying body rises from the floor at most."""
_CLEAR = 0.4
"""Least lead of the likeliest axis that leaves hardly a doubt."""

_SLOWEST_WALK = 0.2
"""Body lengths a second below which the hips are not said to walk."""
_PLANTED = 0.4
"""Speed of a foot that carries a walking body, as a share of the hips' at most."""
_FEWEST_STEPS, _SHORTEST_WALK = 4, 1.5
"""Steps and body lengths that make a walk."""
_MOSTLY = 0.9


class UpGuess(NamedTuple):
    """An up axis inferred from motion alone.

    Attributes:
        name: Key of :data:`UP_AXES`.
        is_clear: Whether the next axis is much less likely.
    """

    name: str
    is_clear: bool


def parse_up(up: str | None) -> str | None:
    """Return the key of :data:`UP_AXES` that a user named, or None if nothing was named.

    Raises:
        MotionFileError: If the axis is not one of :data:`UP_AXES`.
    """
    if up is None:
        return None
    name = str(up).strip().lower().removeprefix("+")
    if name not in UP_AXES:
        raise MotionFileError(f"up axis {up!r}: choose one of {', '.join(UP_AXES)}")
    return name


def rotation_to_y_up(name: str) -> np.ndarray:
    """Return the rotation (3, 3) that turns an up axis into +Y by the shortest way."""
    return rotation_between(UP_AXES[name], UP_AXES["y"])


def name_nearest_axis(direction: np.ndarray, cosine: float = _ALONG) -> str | None:
    """Return the axis within an angle of a direction (3,), or None if there is none."""
    unit = normalize(np.asarray(direction, np.float64))
    name = max(UP_AXES, key=lambda axis: float(UP_AXES[axis] @ unit))
    return name if UP_AXES[name] @ unit > cosine else None


def find_standing_axis(positions: np.ndarray) -> str | None:
    """Return the axis that one pose (22, 3) stands along: feet, hips and head in this order.

    Poses in which all bones lie along the same direction, and those that lean or crouch, say
    nothing.
    """
    hips = positions[_THIGHS].mean(0)
    trunk = name_nearest_axis(positions[_HEAD] - hips)
    legs = [
        name_nearest_axis(positions[a] - positions[b])
        for a, b in zip((*_THIGHS, *_KNEES), (*_KNEES, *_ANKLES), strict=True)
    ]
    return trunk if trunk and all(leg == trunk for leg in legs) else None


def measure_upright(positions: np.ndarray, name: str) -> float:
    """Return the share of frames in which the body stands upright along an axis."""
    rise = positions[:, _HEAD] - positions[:, _ANKLES].mean(1)
    along = rise @ UP_AXES[name]
    legs = (positions[:, _THIGHS] - positions[:, _ANKLES]) @ UP_AXES[name]
    tall = along > _UPRIGHT * _body_length(positions)
    straight = along > _ALONG * np.linalg.norm(rise, axis=-1)
    return float(np.mean(tall & straight & (legs > 0.0).all(1)))


def guess_up(positions: np.ndarray, candidates: tuple[str, ...] = tuple(UP_AXES)) -> UpGuess:
    """Infer the up axis from motion: upright frames, and a floor that the body stays on."""
    length = _body_length(positions)
    scores = {name: _score(positions, name, length) for name in candidates}
    ranked = sorted(scores, key=lambda name: -scores[name])
    lead = scores[ranked[0]] - scores[ranked[1]] if len(ranked) > 1 else np.inf
    # Somebody who stands along an unusual axis may as well be lying along a usual one.
    may_lie = "y" in candidates and ranked[0] != "y" and _is_lying(positions, "y", length)
    return UpGuess(ranked[0], bool(lead > _CLEAR) and not may_lie)


def is_walking_upright(positions: np.ndarray, times: np.ndarray, name: str) -> bool:
    """Tell whether the body walks on its feet in the plane at right angles to an axis.

    That is proof: nobody walks along a wall, and nothing but a floor stops one foot after the
    other while the body moves on.
    """
    up, length = UP_AXES[name], _body_length(positions)
    if len(times) < 3 or measure_upright(positions, name) < _MOSTLY:
        return False
    chosen = positions[:, [_HIPS, *_ANKLES]]
    ground = chosen - (chosen @ up)[..., None] * up
    speeds = np.linalg.norm(np.diff(ground, axis=0), axis=-1) / np.diff(times)[:, None]
    hips, feet = speeds[:, 0], speeds[:, 1:]
    walking = hips > _SLOWEST_WALK * length
    if np.sum(hips * np.diff(times) * walking) < _SHORTEST_WALK * length:
        return False
    planted = feet.min(1) < _PLANTED * hips
    standing_on_left = feet[:, 0] < feet[:, 1]
    steps = len(find_runs(walking & standing_on_left)) + len(find_runs(walking & ~standing_on_left))
    return bool(np.mean(planted[walking]) > 0.7 and steps >= _FEWEST_STEPS)


def _score(positions: np.ndarray, name: str, length: float) -> float:
    rise = (positions[:, _HEAD] - positions[:, _ANKLES].mean(1)) / length
    along = rise @ UP_AXES[name]
    # A straight body counts most: whoever crawls or sits has the head near the feet.
    standing = np.mean(np.clip(along, 0.0, 1.0) * np.clip(np.linalg.norm(rise, axis=-1), 0, 1) ** 2)
    lowest = (positions @ UP_AXES[name]).min(1) / length
    low, floor, high = np.percentile(lowest, [10.0, 50.0, 90.0])
    return float(
        _STANDING * standing
        + _ON_FLOOR * np.exp(-(((high - low) / _FLOOR_SPREAD) ** 2))
        + _FLOOR_AT_ZERO * np.exp(-((floor / _FLOOR_HEIGHT) ** 2))
        + _USUAL.get(name, 0.0)
    )


def _is_lying(positions: np.ndarray, name: str, length: float) -> bool:
    """Tell whether the body never rises from a floor at height zero."""
    heights = np.percentile(positions @ UP_AXES[name] / length, [1.0, 99.0])
    return bool(abs(heights[0]) < _FLOOR_HEIGHT and heights[1] - heights[0] < _FLAT)


def _body_length(positions: np.ndarray) -> float:
    """Return the length of a leg plus the distance from hips to head, median over frames."""
    parts = ((_THIGHS, _KNEES), (_KNEES, _ANKLES))
    legs = [np.linalg.norm(positions[:, a] - positions[:, b], axis=-1).mean(1) for a, b in parts]
    trunk = np.linalg.norm(positions[:, _HEAD] - positions[:, _THIGHS].mean(1), axis=-1)
    return float(np.median(sum(legs) + trunk)) or 1.0
