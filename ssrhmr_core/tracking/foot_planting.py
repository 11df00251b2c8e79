# SPDX-License-Identifier: GPL-3.0-or-later
"""Planted feet: what stands on the floor neither slides nor sinks.

Contacts are read from the motion of the feet's trackers, with hysteresis, at the height where each
foot stands: steps, slopes and floors that are not at zero need nothing else. A planted foot's path
is the one nearest to its tracker that hardly moves while there is contact (least squares with a
penalty on speed), so a foot comes to rest and leaves again without a pop, and a slow shuffle stays
a shuffle. While only the ball of the foot stands, the heel is free to rise about it and the toes
stay flat.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from pymotion.rotations import quat_np as quat

from ..body.interpolation import MODEL_RATE, find_runs
from ..body.skeleton import ADULT_SIZE, FOOT_TRACKERS, INDEX, Skeleton
from .take import Take

TOES = (INDEX["left_toe"], INDEX["right_toe"])

_SLOW, _FAST = 0.16, 0.32
"""Metres a second at which contact begins and ends, on an adult."""
_SHORTEST = 6
"""Frames; a shorter rest is no contact."""
_LIFTED = 0.06
"""Metres over where it was before and is afterwards at which a slow foot is in the air."""
_NEARBY = 90
"""Frames before and after in which that is looked for."""
_STIFFNESS = 2e3
"""Of the penalty on speed, in frames squared: its root is the time within which a shuffle shows."""
_SINK = 0.001
"""Metres by which soles give."""
_EDGE = 8
"""Frames over which the penalty rises and falls at the ends of a contact."""


@dataclass(frozen=True, eq=False)
class Contacts:
    """When feet stand, on the model's clock.

    Attributes:
        ball: (F, 2) bool, the ball of left and right foot stands.
        flat: (F, 2) bool, the whole foot does.
    """

    ball: np.ndarray
    flat: np.ndarray


def detect_contacts(take: Take, skeleton: Skeleton) -> Contacts:
    """Read contacts from the feet's trackers.

    Args:
        take: joint frames on the model's clock.
        skeleton: the body.
    """
    adult = skeleton.size / ADULT_SIZE
    ball = np.zeros((len(take), 2), bool)
    flat = np.zeros((len(take), 2), bool)
    for side, (foot, toe) in enumerate(zip(FOOT_TRACKERS, TOES, strict=True)):
        ankles, balls = _points(take, foot, skeleton.offsets[toe])
        low = balls[:, 1] < _lowest(balls[:, 1]) + _LIFTED * adult
        moving = _speed(balls)
        for table, speed in ((ball, moving), (flat, np.maximum(moving, _speed(ankles)))):
            resting = _hysteresis(speed, _SLOW * adult, _FAST * adult)
            table[:, side] = _lasting(resting & low)
    return Contacts(ball, flat)


def plant_feet(take: Take, contacts: Contacts, skeleton: Skeleton, strength: float) -> Take:
    """Hold standing feet where they stand.

    Args:
        take: joint frames on the model's clock.
        contacts: when feet stand.
        skeleton: the body.
        strength: 0 leaves the trackers as they are, 1 holds feet fully.

    Returns:
        The take with other feet.
    """
    positions, rotations = take.positions.copy(), take.rotations.copy()
    for side, (foot, toe) in enumerate(zip(FOOT_TRACKERS, TOES, strict=True)):
        offset = skeleton.offsets[toe]
        seen, balls = _points(take, foot, offset)
        turns = quat.unroll(take.rotations[:, foot].astype(np.float64), 0)
        turned = turns + strength * (_held(turns, contacts.flat[:, side]) - turns)
        turned = quat.normalize(turned)
        still = balls + strength * (_held(balls, contacts.ball[:, side]) - balls)
        ankles = still - quat.mul_vec(turned, np.broadcast_to(offset, still.shape))
        lift = np.maximum(
            floor_under(balls[:, 1], contacts.ball[:, side]) - still[:, 1],
            floor_under(seen[:, 1], contacts.flat[:, side]) - ankles[:, 1],
        )
        ankles[:, 1] += strength * np.maximum(lift - _SINK, 0.0)
        positions[:, foot] = ankles
        rotations[:, foot] = turned
    return Take(take.times, positions, rotations, take.valid)


def keep_toes_flat(rotations: np.ndarray, contacts: Contacts, strength: float) -> None:
    """Let toes stay on the floor while heels rise over them.

    Args:
        rotations: (F, 22, 4) global; those of the toes are changed.
        contacts: when feet stand.
        strength: 0 leaves them as they are, 1 holds toes fully.
    """
    for side, toe in enumerate(TOES):
        turns = quat.unroll(rotations[:, toe].astype(np.float64), 0)
        held = _held(turns, contacts.ball[:, side])
        rotations[:, toe] = quat.normalize(turns + strength * (held - turns))


def floor_under(heights: np.ndarray, contact: np.ndarray) -> np.ndarray:
    """Height (F,) under which a foot must not be; minus infinity where nothing tells.

    That is where a contact mostly stands, and between two contacts the lower of both.

    Args:
        heights: (F,) of ankle or ball, metres.
        contact: (F,) bool, it stands.
    """
    floor = np.full(len(heights), -np.inf)
    stands = [(begin, end, np.median(heights[begin:end])) for begin, end in find_runs(contact)]
    for begin, end, height in stands:
        floor[begin:end] = height
    for (_, begin, before), (end, _, after) in pairwise(stands):
        floor[begin:end] = min(before, after)
    return floor


def _points(take: Take, foot: int, offset: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ankle and ball of a foot (F, 3)."""
    ankles = take.positions[:, foot].astype(np.float64)
    turns = take.rotations[:, foot].astype(np.float64)
    return ankles, ankles + quat.mul_vec(turns, np.broadcast_to(offset, ankles.shape))


def _speed(points: np.ndarray) -> np.ndarray:
    """Speed (F,), metres a second, from the frames before and after."""
    if len(points) < 2:
        return np.zeros(len(points))
    return np.linalg.norm(np.gradient(points, axis=0), axis=-1) * MODEL_RATE


def _lowest(heights: np.ndarray) -> np.ndarray:
    """Higher one of the lowest places (F,) before and after each frame.

    A foot on stairs has lower ones on one side only, one in the air on both.
    """
    padded = np.pad(heights, _NEARBY, mode="edge")
    lowest = np.lib.stride_tricks.sliding_window_view(padded, _NEARBY + 1).min(-1)
    return np.maximum(lowest[: len(heights)], lowest[_NEARBY:])


def _hysteresis(speed: np.ndarray, slow: float, fast: float) -> np.ndarray:
    """True from a frame below ``slow`` until one above ``fast``."""
    state = np.where(speed < slow, 1, np.where(speed > fast, 0, -1))
    frames = np.arange(len(state))
    before = np.maximum.accumulate(np.where(state >= 0, frames, 0))
    return state[before] == 1


def _lasting(mask: np.ndarray) -> np.ndarray:
    """Leave out runs of True that are too short."""
    kept = mask.copy()
    for begin, end in find_runs(mask):
        if end - begin < _SHORTEST:
            kept[begin:end] = False
    return kept


def _held(values: np.ndarray, contact: np.ndarray) -> np.ndarray:
    """Values (F, n) nearest to the given ones that hardly change during contact.

    Minimises |x - values|^2 + sum of w |x[t + 1] - x[t]|^2, a tridiagonal system.
    """
    both = contact[1:] & contact[:-1]
    # From the edges of a contact inwards the penalty grows by a factor each frame.
    depth = np.minimum(_depth(both), _depth(both[::-1])[::-1])
    stiff = _STIFFNESS ** np.minimum(depth / _EDGE, 1.0) - 1.0
    return _tridiagonal(stiff, values)


def _depth(mask: np.ndarray) -> np.ndarray:
    """How many frames (F,) a run of True has lasted, 1 at its first, 0 outside."""
    total = np.cumsum(mask)
    return total - np.maximum.accumulate(np.where(mask, 0, total))


def _tridiagonal(stiff: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Solve (1 + D' diag(stiff) D) x = values for (F, n) values (Thomas' algorithm)."""
    edge = np.concatenate([[0.0], stiff, [0.0]])
    diagonal = 1.0 + edge[:-1] + edge[1:]
    result = values.copy()
    for row in np.flatnonzero(stiff) + 1:
        share = stiff[row - 1] / diagonal[row - 1]
        diagonal[row] -= share * stiff[row - 1]
        result[row] += share * result[row - 1]
    result /= diagonal[:, None]
    for row in np.flatnonzero(stiff)[::-1]:
        result[row] += stiff[row] / diagonal[row] * result[row + 1]
    return result
