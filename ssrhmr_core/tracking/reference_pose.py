# SPDX-License-Identifier: GPL-3.0-or-later
"""How a performer stands in a reference pose, told from the trackers alone.

Each tracker sits some centimetres off its joint, and nobody stands exactly as asked. Where people
usually wear trackers and how far off they stand are normal distributions here; the stance is the
most probable one (Gauss-Newton, from several ways of wearing trackers). Soles count as being on
the ground, height 0, where trackers of feet are near it; not where trackers are the joints.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..body.skeleton import ADULT_SIZE, INDEX, TRACKER_JOINTS, Skeleton

ELEVATIONS: dict[str, float] = {"T_POSE": 0.0, "A_POSE": -45.0, "ARMS_DOWN": -80.0}
"""Degrees of the arms over the horizontal in each reference pose."""

_ON_JOINTS = np.zeros((6, 3)), np.full((6, 3), 0.02)
_PELVIS = {
    "in front": ((0.0, 0.02, 0.12), (0.03, 0.04, 0.03)),
    "behind": ((0.0, 0.02, -0.12), (0.03, 0.04, 0.03)),
    "beside": ((0.0, 0.0, 0.0), (0.12, 0.05, 0.05)),
}
_HEAD = (0.0, 0.08, 0.08), (0.02, 0.04, 0.05)
_HAND = (0.05, 0.0, 0.0), (0.045, 0.04, 0.025)
_FOOT = (0.01, 0.01, 0.06), (0.03, 0.03, 0.04)
"""Where trackers are worn: from the joint in its axes (outwards, up, to the front) and standard
deviations, metres on an adult."""

# What is searched for: place of the hips, heading, logarithm of the size, and radians by which
# arms (up, to the front) and legs (apart) are off the reference pose.
_PLACE, _HEADING, _SIZE, _RAISE, _SWEEP, _SPREAD = slice(0, 3), 3, 4, slice(5, 7), slice(7, 9), 9
_COUNT = 10
_USUAL_SPREAD = np.radians([4.0, 4.0, 4.0, 4.0, 3.0])
_SOLE = 0.02
"""Thickness under the ball of the foot, metres on an adult."""
_GROUND_SPREAD = 0.02
_NEAR_GROUND = (-0.05, 0.25)
"""Metres over the ground, on an adult, between which trackers of standing feet are."""
_EXACT = 0.01
"""Metres on an adult by which trackers of feet that are the joints may be off them."""
_STEPS = 12
_LARGEST_STEP = 0.3
_SETTLED = 1e-7


@dataclass(frozen=True, eq=False)
class Stance:
    """Where the performer's tracked joints are.

    Attributes:
        positions: (6, 3) of the tracked joints, metres as the trackers.
        alone: (6, 3) where each of these joints is, told from its own tracker only.
        rotations: (6, 3, 3) their canonical global rotations.
        size: of the performer's body over that of the skeleton.
        deviations: (6,) how far each tracker is from where it is usually worn, metres.
        elevations: (2,) of the arms over the horizontal, degrees.
        cost: twice the negative logarithm of how probable all of it is.
    """

    positions: np.ndarray
    alone: np.ndarray
    rotations: np.ndarray
    size: float
    deviations: np.ndarray
    elevations: np.ndarray
    cost: float


def estimate_stance(
    skeleton: Skeleton,
    points: np.ndarray,
    reference: str = "T_POSE",
    size: float | None = 1.0,
) -> Stance | None:
    """Tell how the performer stands.

    Args:
        skeleton: the character's.
        points: (6, 3) of the trackers, metres, Y up.
        reference: one of :data:`ELEVATIONS`, what the performer was asked for.
        size: of the performer's body over the skeleton's, None to find it.

    Returns:
        The most probable stance; None if trackers are nothing like a standing body.
    """
    elevation = np.radians(ELEVATIONS[reference])
    start = _start(skeleton, points, elevation)
    if start is None:
        return None
    adult = float(np.exp(start[_SIZE]) if size is None else size) * skeleton.size / ADULT_SIZE
    if size is not None:
        start[_SIZE] = np.log(size)
    ground = _GROUND_SPREAD * adult if _near_ground(points, adult) else np.inf

    def fitted(worn: tuple[np.ndarray, np.ndarray], ground: float) -> Stance:
        places, spreads = (adult * values for values in worn)
        return _fit(skeleton, points, elevation, start, places, spreads, size is not None, ground)

    on_joints, *others = _ways_to_wear()
    tries = [fitted(on_joints, np.inf), *(fitted(worn, ground) for worn in others)]
    return min(tries, key=lambda attempt: attempt.cost)


def ankle_height(skeleton: Skeleton) -> float:
    """Return how high ankles are over the ground in standing, metres."""
    toes = skeleton.offsets[[INDEX["left_toe"], INDEX["right_toe"]], 1]
    return max(-float(toes.mean()), 0.0) + _SOLE * skeleton.size / ADULT_SIZE


def stands_on_ground(skeleton: Skeleton, points: np.ndarray, stance: Stance) -> bool:
    """Tell whether the performer's feet stand on the ground, height 0.

    Args:
        skeleton: the character's.
        points: (6, 3) of the trackers, metres, Y up.
        stance: that was found for them. Where trackers of feet are the joints of this very body,
            nothing is known of the ground.
    """
    adult = stance.size * skeleton.size / ADULT_SIZE
    return _near_ground(points, adult) and bool(stance.deviations[4:].max() > _EXACT * adult)


def compare_with_pose(
    skeleton: Skeleton, points: np.ndarray, reference: str = "T_POSE"
) -> tuple[float, float]:
    """Compare trackers with the reference pose, wherever they are worn: a quick look.

    Args:
        skeleton: the character's.
        points: (6, 3) of the trackers, metres, Y up.
        reference: one of :data:`ELEVATIONS`.

    Returns:
        Size of the performer's body over the skeleton's, and how far trackers are from the joints
        (root of the mean square, metres on an adult). Infinite if nothing like a standing body.
    """
    elevation = np.radians(ELEVATIONS[reference])
    start = _start(skeleton, points, elevation)
    if start is None:
        return np.inf, np.inf
    size = float(np.exp(start[_SIZE]))
    away = points - _joints(skeleton, start, elevation)[0]
    rms = float(np.sqrt((away * away).sum(-1).mean()))
    return size, rms * ADULT_SIZE / (size * skeleton.size)


def _ways_to_wear() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Places and their standard deviations, (6, 3) each; first for trackers on the joints."""
    yield _ON_JOINTS
    mirror = np.array([-1.0, 1.0, 1.0])
    for pelvis in _PELVIS.values():
        groups = (pelvis, _HEAD, _HAND, _HAND, _FOOT, _FOOT)
        places = np.array([place for place, _ in groups])
        places[[3, 5]] *= mirror
        yield places, np.array([spread for _, spread in groups])


def _near_ground(points: np.ndarray, adult: float) -> bool:
    low, high = (adult * height for height in _NEAR_GROUND)
    return bool(low < points[4:, 1].min() < high)


def _start(skeleton: Skeleton, points: np.ndarray, elevation: float) -> np.ndarray | None:
    """Procrustes fit of the reference pose that turns about the vertical only."""
    start = np.zeros(_COUNT)
    wanted = _joints(skeleton, start, elevation)[0]
    a, b = wanted - wanted.mean(0), points - points.mean(0)
    across = (a[:, 2] * b[:, 0] - a[:, 0] * b[:, 2]).sum()
    along = (a[:, 0] * b[:, 0] + a[:, 2] * b[:, 2]).sum()
    size = (np.hypot(across, along) + (a[:, 1] * b[:, 1]).sum()) / (a * a).sum()
    if not size > 0.0:
        return None
    start[_HEADING], start[_SIZE] = np.arctan2(across, along), np.log(size)
    start[_PLACE] = points.mean(0) - _joints(skeleton, start, elevation)[0].mean(0)
    return start


def _fit(
    skeleton: Skeleton,
    points: np.ndarray,
    elevation: float,
    start: np.ndarray,
    places: np.ndarray,
    spreads: np.ndarray,
    fixed_size: bool,
    ground_spread: float,
) -> Stance:
    """Most probable stance for trackers worn in one way."""
    ankles = ankle_height(skeleton)
    free = np.array([n for n in range(_COUNT) if not (fixed_size and n == _SIZE)])

    def residuals(x: np.ndarray) -> np.ndarray:
        joints, turns = _joints(skeleton, x, elevation)
        own = np.einsum("tji,tj->ti", turns, points - joints)
        pose = x[5:] / _USUAL_SPREAD
        ground = (joints[4:, 1].mean() - np.exp(x[_SIZE]) * ankles) / ground_spread
        return np.concatenate([((own - places) / spreads).ravel(), pose, [ground]])

    x = start.copy()
    # Metres and radians alike: small against both.
    step = 1e-6 * np.where(np.arange(_COUNT) < 3, np.exp(start[_SIZE]) * skeleton.size, 1.0)
    for _ in range(_STEPS):
        now = residuals(x)
        slopes = np.array(
            [(residuals(x + step[n] * np.eye(_COUNT)[n]) - now) / step[n] for n in free]
        )
        moved = -np.linalg.lstsq(slopes.T, now, rcond=None)[0]
        turned = free >= 3
        moved[turned] = np.clip(moved[turned], -_LARGEST_STEP, _LARGEST_STEP)
        x[free] += moved
        if np.abs(moved / step[free]).max() * 1e-6 < _SETTLED:
            break
    joints, turns = _joints(skeleton, x, elevation)
    own = np.einsum("tji,tj->ti", turns, points - joints)
    return Stance(
        joints,
        points - np.einsum("tij,tj->ti", turns, places),
        turns,
        float(np.exp(x[_SIZE])),
        np.linalg.norm(own - places, axis=-1),
        np.degrees(elevation + x[_RAISE]),
        float((residuals(x) ** 2).sum() + 2.0 * np.log(spreads).sum()),
    )


def _joints(skeleton: Skeleton, x: np.ndarray, elevation: float) -> tuple[np.ndarray, np.ndarray]:
    """Tracked joints (6, 3) and their rotations (6, 3, 3) of one stance (10,)."""
    rest = skeleton.t_pose().astype(np.float64)
    points = rest[list(TRACKER_JOINTS)]
    turns = np.tile(np.eye(3), (6, 1, 1))
    for number, (side, sign) in enumerate((("left", 1.0), ("right", -1.0))):
        hand, foot = 2 + number, 4 + number
        raised, swept = sign * (elevation + x[_RAISE][number]), -sign * x[_SWEEP][number]
        turns[hand] = _about_y(swept) @ _about_z(raised)
        shoulder = rest[INDEX[f"{side}_shoulder"]]
        points[hand] = shoulder + turns[hand] @ (points[hand] - shoulder)
        # Feet stay flat and ahead where legs are apart.
        hip = rest[INDEX[f"{side}_hip"]]
        points[foot] = hip + _about_z(sign * x[_SPREAD]) @ (points[foot] - hip)
    about = _about_y(x[_HEADING])
    return np.exp(x[_SIZE]) * points @ about.T + x[_PLACE], about @ turns


def _about_y(angle: float) -> np.ndarray:
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, 0.0, sine], [0.0, 1.0, 0.0], [-sine, 0.0, cosine]])


def _about_z(angle: float) -> np.ndarray:
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
