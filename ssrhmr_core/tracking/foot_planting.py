# SPDX-License-Identifier: GPL-3.0-or-later
"""Foot planting: feet on the floor neither slide nor sink into it.

Contacts are detected from the motion of the foot trackers, with hysteresis, at the height at which
each foot stands; stairs, slopes and floors away from height zero therefore need no extra care. The
path of a planted foot is the one nearest to its tracker that hardly moves during contact (least
squares with a penalty on speed). A foot comes to rest and leaves again without a pop, and a slow
shuffle stays a shuffle. While only the ball of the foot is on the floor, the heel may rise about
it and the toes stay flat.
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
"""Speeds in metres per second at which contact begins and ends, for an adult."""
_SHORTEST = 6
"""Least number of frames of a contact."""
_LIFTED = 0.06
"""A slow foot this far, in metres, above its heights before and afterwards is in the air."""
_NEARBY = 90
"""Frames before and after a frame in which those heights are looked for."""
_STIFFNESS = 2e3
"""Penalty on speed in frames squared; a shuffle slower than its square root of frames shows."""
_SINK = 0.001
"""Metres by which soles give way."""
_EDGE = 8
"""Frames over which the penalty rises and falls at the ends of a contact."""


@dataclass(frozen=True, eq=False)
class Contacts:
    """The frames in which feet are on the floor.

    Attributes:
        ball: (F, 2) bool, True while the ball of the left or right foot is on the floor.
        flat: (F, 2) bool, True while the whole foot is.
    """

    ball: np.ndarray
    flat: np.ndarray


def detect_contacts(take: Take, skeleton: Skeleton) -> Contacts:
    """Detect contacts from the foot trackers.

    Args:
        take: Calibrated trackers on the model's clock.
        skeleton: The skeleton of the body.
    """
    adult = skeleton.size / ADULT_SIZE
    ball = np.zeros((len(take), 2), bool)
    flat = np.zeros((len(take), 2), bool)
    for side, (foot, toe) in enumerate(zip(FOOT_TRACKERS, TOES, strict=True)):
        ankles, balls = _foot_positions(take, foot, skeleton.offsets[toe])
        low = balls[:, 1] < _standing_height(balls[:, 1]) + _LIFTED * adult
        ball_speed = _measure_speed(balls)
        foot_speed = np.maximum(ball_speed, _measure_speed(ankles))
        for contact, speed in ((ball, ball_speed), (flat, foot_speed)):
            resting = _apply_hysteresis(speed, _SLOW * adult, _FAST * adult)
            contact[:, side] = _drop_short_runs(resting & low)
    return Contacts(ball, flat)


def plant_feet(take: Take, contacts: Contacts, skeleton: Skeleton, strength: float) -> Take:
    """Hold feet in place while they are on the floor.

    Args:
        take: Calibrated trackers on the model's clock.
        contacts: The contacts of the take.
        skeleton: The skeleton of the body.
        strength: A share: 0 leaves the trackers as they are, 1 holds feet fully.

    Returns:
        The take with planted feet.
    """
    positions, rotations = take.positions.copy(), take.rotations.copy()
    for side, (foot, toe) in enumerate(zip(FOOT_TRACKERS, TOES, strict=True)):
        offset = skeleton.offsets[toe]
        measured, balls = _foot_positions(take, foot, offset)
        quats = quat.unroll(take.rotations[:, foot].astype(np.float64), 0)
        planted = quats + strength * (_hold(quats, contacts.flat[:, side]) - quats)
        planted = quat.normalize(planted)
        still = balls + strength * (_hold(balls, contacts.ball[:, side]) - balls)
        ankles = still - quat.mul_vec(planted, np.broadcast_to(offset, still.shape))
        lift = np.maximum(
            estimate_floor(balls[:, 1], contacts.ball[:, side]) - still[:, 1],
            estimate_floor(measured[:, 1], contacts.flat[:, side]) - ankles[:, 1],
        )
        ankles[:, 1] += strength * np.maximum(lift - _SINK, 0.0)
        positions[:, foot] = ankles
        rotations[:, foot] = planted
    return Take(take.times, positions, rotations, take.valid)


def keep_toes_flat(rotations: np.ndarray, contacts: Contacts, strength: float) -> None:
    """Keep toes flat on the floor while heels rise.

    Args:
        rotations: (F, 22, 4) global rotations; those of the toes are changed in place.
        contacts: The contacts of the take.
        strength: A share: 0 leaves the rotations as they are, 1 holds toes fully.
    """
    for side, toe in enumerate(TOES):
        quats = quat.unroll(rotations[:, toe].astype(np.float64), 0)
        held = _hold(quats, contacts.ball[:, side])
        rotations[:, toe] = quat.normalize(quats + strength * (held - quats))


def estimate_floor(heights: np.ndarray, contact: np.ndarray) -> np.ndarray:
    """Estimate the height that an ankle or ball must not sink below.

    During a contact this is the median height of the contact, and between two contacts the lower
    of both.

    Args:
        heights: (F,) heights of an ankle or ball in metres.
        contact: (F,) bool, True while it is on the floor.

    Returns:
        (F,) heights in metres; minus infinity before the first and after the last contact.
    """
    floor = np.full(len(heights), -np.inf)
    stances = [(begin, end, np.median(heights[begin:end])) for begin, end in find_runs(contact)]
    for begin, end, height in stances:
        floor[begin:end] = height
    for (_, begin, before), (end, _, after) in pairwise(stances):
        floor[begin:end] = min(before, after)
    return floor


def _foot_positions(take: Take, foot: int, offset: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions (F, 3) of the ankle and the ball of a foot."""
    ankles = take.positions[:, foot].astype(np.float64)
    quats = take.rotations[:, foot].astype(np.float64)
    return ankles, ankles + quat.mul_vec(quats, np.broadcast_to(offset, ankles.shape))


def _measure_speed(positions: np.ndarray) -> np.ndarray:
    """Measure speeds (F,) in metres per second from the frames before and after."""
    if len(positions) < 2:
        return np.zeros(len(positions))
    return np.linalg.norm(np.gradient(positions, axis=0), axis=-1) * MODEL_RATE


def _standing_height(heights: np.ndarray) -> np.ndarray:
    """Return the higher one of the least heights (F,) before and after each frame.

    A foot on stairs has lower heights on one side only, a foot in the air on both.
    """
    padded = np.pad(heights, _NEARBY, mode="edge")
    lowest = np.lib.stride_tricks.sliding_window_view(padded, _NEARBY + 1).min(-1)
    return np.maximum(lowest[: len(heights)], lowest[_NEARBY:])


def _apply_hysteresis(speed: np.ndarray, slow: float, fast: float) -> np.ndarray:
    """Return (F,) bool, True from a frame below ``slow`` until a frame above ``fast``."""
    state = np.where(speed < slow, 1, np.where(speed > fast, 0, -1))
    frames = np.arange(len(state))
    before = np.maximum.accumulate(np.where(state >= 0, frames, 0))
    return state[before] == 1


def _drop_short_runs(mask: np.ndarray) -> np.ndarray:
    """Clear runs of True that are too short for a contact."""
    kept = mask.copy()
    for begin, end in find_runs(mask):
        if end - begin < _SHORTEST:
            kept[begin:end] = False
    return kept


def _hold(values: np.ndarray, contact: np.ndarray) -> np.ndarray:
    """Return the values (F, n) nearest to the given ones that hardly change during contact.

    Minimises |x - values|^2 + sum of w |x[t + 1] - x[t]|^2, a tridiagonal system.
    """
    both = contact[1:] & contact[:-1]
    # From the edges of a contact inwards the penalty grows by a factor each frame.
    depth = np.minimum(_count_run(both), _count_run(both[::-1])[::-1])
    stiffness = _STIFFNESS ** np.minimum(depth / _EDGE, 1.0) - 1.0
    return _solve_tridiagonal(stiffness, values)


def _count_run(mask: np.ndarray) -> np.ndarray:
    """Count the frames (F,) since a run of True began: 1 at its first frame, 0 outside."""
    total = np.cumsum(mask)
    return total - np.maximum.accumulate(np.where(mask, 0, total))


def _solve_tridiagonal(stiffness: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Solve (1 + D' diag(stiffness) D) x = values for (F, n) values (Thomas' algorithm)."""
    edge = np.concatenate([[0.0], stiffness, [0.0]])
    diagonal = 1.0 + edge[:-1] + edge[1:]
    result = values.copy()
    for row in np.flatnonzero(stiffness) + 1:
        share = stiffness[row - 1] / diagonal[row - 1]
        diagonal[row] -= share * stiffness[row - 1]
        result[row] += share * result[row - 1]
    result /= diagonal[:, None]
    for row in np.flatnonzero(stiffness)[::-1]:
        result[row] += stiffness[row] / diagonal[row] * result[row + 1]
    return result
