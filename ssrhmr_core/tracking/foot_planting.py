# SPDX-License-Identifier: GPL-3.0-or-later
"""Foot planting: feet on the floor neither slide nor sink into it, nor do hands and hips slide.

Contacts are detected from the motion of the foot trackers, with hysteresis, at the height at which
each foot stands; stairs, slopes and floors away from height zero therefore need no extra care. The
path of a planted foot is the one nearest to its tracker that hardly moves during contact (least
squares with a penalty on speed). A foot comes to rest and leaves again without a pop, and a slow
shuffle stays a shuffle. While only the ball of the foot is on the floor, the heel may rise about
it and the toes stay flat.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from pymotion.rotations import quat_np as quat

from ..body.interpolation import MODEL_RATE, find_runs
from ..body.skeleton import ADULT_SIZE, FOOT_TRACKERS, INDEX, TRACKERS, Skeleton
from .take import Take

TOES = (INDEX["left_toe"], INDEX["right_toe"])
HANDS = (TRACKERS.index("left_hand"), TRACKERS.index("right_hand"))
PELVIS = TRACKERS.index("pelvis")

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
_FIRM_STIFFNESS = 1e6
"""The same in contacts that somebody has listed: what slides there is held all the same."""
_SINK = 0.001
"""Metres by which soles give way."""
_EDGE = 8
"""Frames over which the penalty rises and falls at the ends of a contact, by default."""
_HAND_HEIGHT, _HIPS_HEIGHT = 0.12, 0.25
"""Heights in metres above the standing feet below which wrists and hips may rest on the floor."""


@dataclass(frozen=True)
class ContactOptions:
    """How to detect contacts, and how to come to rest.

    Attributes:
        sensitivity: Factor of the speeds at which a contact begins and ends: higher finds more.
        largest_gap: Seconds; contacts of one part that are no farther apart become one.
        release: Seconds in which a planted part comes to rest and comes loose again.
        whole_body: Whether hands and hips are detected too.
        above_floor: Whether knees and elbows of whole takes are kept above the floor, planted or
            not.
    """

    sensitivity: float = 1.0
    largest_gap: float = 0.0
    release: float = _EDGE / MODEL_RATE
    whole_body: bool = False
    above_floor: bool = True


@dataclass(frozen=True, eq=False)
class Contacts:
    """The frames in which parts of the body are on the floor.

    Attributes:
        ball: (F, 2) bool, True while the ball of the left or right foot is on the floor.
        flat: (F, 2) bool, True while the whole foot is.
        hands: (F, 2) bool, True while the left or right hand is; None if nobody looked.
        hips: (F,) bool, True while the hips are; None if nobody looked.
        listed: Whether somebody has listed them, rather than that they were detected.
    """

    ball: np.ndarray
    flat: np.ndarray
    hands: np.ndarray | None = None
    hips: np.ndarray | None = None
    listed: bool = False

    @property
    def stiffness(self) -> float:
        """The penalty on speed during a contact, in frames squared."""
        return _FIRM_STIFFNESS if self.listed else _STIFFNESS


def detect_contacts(
    take: Take, skeleton: Skeleton, options: ContactOptions = ContactOptions()
) -> Contacts:
    """Detect contacts from the trackers.

    Args:
        take: Calibrated trackers on the model's clock.
        skeleton: The skeleton of the body.
        options: How to detect them.
    """
    contacts = _detect_feet(take, skeleton, options)
    if not options.whole_body:
        return contacts
    adult = skeleton.size / ADULT_SIZE
    floor = find_contact_floor(take, contacts, skeleton)
    hands = np.stack(
        [
            detect_low(take.positions[:, hand], floor + _HAND_HEIGHT * adult, adult, options)
            for hand in HANDS
        ],
        -1,
    )
    hips = detect_low(take.positions[:, PELVIS], floor + _HIPS_HEIGHT * adult, adult, options)
    return Contacts(contacts.ball, contacts.flat, hands, hips)


def _detect_feet(take: Take, skeleton: Skeleton, options: ContactOptions) -> Contacts:
    feet = [
        _foot_positions(take, foot, skeleton.offsets[toe])
        for foot, toe in zip(FOOT_TRACKERS, TOES, strict=True)
    ]
    return detect_foot_contacts(feet, skeleton.size, options)


def detect_foot_contacts(
    feet: Sequence[tuple[np.ndarray, np.ndarray]],
    size: float,
    options: ContactOptions = ContactOptions(),
) -> Contacts:
    """Detect contacts from the positions of ankles and balls.

    Args:
        feet: (F, 3) ankle and (F, 3) ball of the left and the right foot on the model's clock,
            in metres, Y up.
        size: Size of the body in metres, as skeletons have it.
        options: How to detect them.
    """
    adult = size / ADULT_SIZE
    frames = len(feet[0][0])
    ball, flat = np.zeros((frames, 2), bool), np.zeros((frames, 2), bool)
    for side, (ankles, balls) in enumerate(feet):
        low = balls[:, 1] < _standing_height(balls[:, 1]) + _LIFTED * adult
        ball_speed = _measure_speed(balls)
        foot_speed = np.maximum(ball_speed, _measure_speed(ankles))
        for contact, speed in ((ball, ball_speed), (flat, foot_speed)):
            contact[:, side] = _detect_rest(speed, low, adult, options)
    return Contacts(ball, flat)


def _detect_rest(
    speed: np.ndarray, low: np.ndarray, adult: float, options: ContactOptions
) -> np.ndarray:
    """Return (F,) bool, True while something low enough is slow."""
    factor = options.sensitivity * adult
    resting = _apply_hysteresis(speed, _SLOW * factor, _FAST * factor)
    return _drop_short_runs(_close_gaps(resting & low, options.largest_gap))


def detect_low(
    positions: np.ndarray, height: float, adult: float, options: ContactOptions
) -> np.ndarray:
    """Return (F,) bool, True while positions (F, 3) rest below a height."""
    positions = positions.astype(np.float64)
    return _detect_rest(_measure_speed(positions), positions[:, 1] < height, adult, options)


def ball_heights(take: Take, skeleton: Skeleton) -> np.ndarray:
    """Return the heights (F, 2) of the balls of both feet."""
    feet = zip(FOOT_TRACKERS, TOES, strict=True)
    balls = [_foot_positions(take, foot, skeleton.offsets[toe])[1] for foot, toe in feet]
    return np.stack([ball[:, 1] for ball in balls], -1)


def find_contact_floor(take: Take, contacts: Contacts, skeleton: Skeleton) -> float:
    """Return the height of the balls of standing feet, or of the lowest one if none stands."""
    heights = ball_heights(take, skeleton)
    standing = heights[contacts.ball]
    return float(np.median(standing) if len(standing) else heights.min())


def _close_gaps(mask: np.ndarray, seconds: float) -> np.ndarray:
    """Set runs of False between runs of True that are no longer than some seconds."""
    closed = mask.copy()
    runs = find_runs(mask)
    for (_, begin), (end, _) in pairwise(runs):
        if end - begin <= seconds * MODEL_RATE:
            closed[begin:end] = True
    return closed


def plant_feet(
    take: Take,
    contacts: Contacts,
    skeleton: Skeleton,
    strength: float,
    release: float = _EDGE / MODEL_RATE,
) -> Take:
    """Hold feet in place while they are on the floor, and hands and hips that rest.

    Args:
        take: Calibrated trackers on the model's clock.
        contacts: The contacts of the take.
        skeleton: The skeleton of the body.
        strength: A share: 0 leaves the trackers as they are, 1 holds feet fully.
        release: Seconds in which a planted part comes to rest and comes loose again.

    Returns:
        The take with planted feet.
    """
    hold = Hold(contacts.stiffness, release)
    positions, rotations = take.positions.copy(), take.rotations.copy()
    for side, (foot, toe) in enumerate(zip(FOOT_TRACKERS, TOES, strict=True)):
        offset = skeleton.offsets[toe]
        measured, balls = _foot_positions(take, foot, offset)
        quats = quat.unroll(take.rotations[:, foot].astype(np.float64), 0)
        planted = quats + strength * (hold(quats, contacts.flat[:, side]) - quats)
        planted = quat.normalize(planted)
        still = balls + strength * (hold(balls, contacts.ball[:, side]) - balls)
        ankles = still - quat.mul_vec(planted, np.broadcast_to(offset, still.shape))
        lift = np.maximum(
            estimate_floor(balls[:, 1], contacts.ball[:, side]) - still[:, 1],
            estimate_floor(measured[:, 1], contacts.flat[:, side]) - ankles[:, 1],
        )
        ankles[:, 1] += strength * np.maximum(lift - _SINK, 0.0)
        positions[:, foot] = ankles
        rotations[:, foot] = planted
    for side, hand in enumerate(HANDS):
        if contacts.hands is not None:
            resting = contacts.hands[:, side]
            positions[:, hand] = _rest(hold, positions[:, hand], resting, strength)
            quats = quat.unroll(take.rotations[:, hand].astype(np.float64), 0)
            held = quats + strength * (hold(quats, resting) - quats)
            rotations[:, hand] = quat.normalize(held)
    if contacts.hips is not None:
        positions[:, PELVIS] = _rest(hold, positions[:, PELVIS], contacts.hips, strength)
    return replace(take, positions=positions, rotations=rotations)


def _rest(hold: Hold, positions: np.ndarray, contact: np.ndarray, strength: float) -> np.ndarray:
    """Return positions (F, 3) that are held, and that do not sink, with some strength, 0 to 1."""
    held = hold.blend(positions, contact, strength)
    lift = estimate_floor(positions[:, 1].astype(np.float64), contact) - held[:, 1]
    held[:, 1] += strength * hold.share(contact) * np.maximum(lift - _SINK, 0.0)
    return held


def keep_toes_flat(
    rotations: np.ndarray,
    contacts: Contacts,
    strength: float,
    release: float = _EDGE / MODEL_RATE,
) -> None:
    """Keep toes flat on the floor while heels rise.

    Args:
        rotations: (F, 22, 4) global rotations; those of the toes are changed in place.
        contacts: The contacts of the take.
        strength: A share: 0 leaves the rotations as they are, 1 holds toes fully.
        release: Seconds in which toes come to rest and come loose again.
    """
    hold = Hold(contacts.stiffness, release)
    for side, toe in enumerate(TOES):
        quats = quat.unroll(rotations[:, toe].astype(np.float64), 0)
        held = hold(quats, contacts.ball[:, side])
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


class Hold:
    """Finds the values nearest to given ones that hardly change during contact."""

    def __init__(self, stiffness: float, release: float) -> None:
        """Choose the penalty on speed and the seconds in which it rises and falls."""
        self._stiffness, self._edge = stiffness, max(release * MODEL_RATE, 1.0)

    def share(self, contact: np.ndarray) -> np.ndarray:
        """Return how far a part has come to rest (F,), 0 outside of contacts, 1 deep inside."""
        depth = np.minimum(count_run(contact), count_run(contact[::-1])[::-1])
        share = np.minimum(depth / self._edge, 1.0)
        return np.asarray(share * share * (3.0 - 2.0 * share))

    def __call__(self, values: np.ndarray, contact: np.ndarray) -> np.ndarray:
        """Return the values nearest to ``values`` (F, n).

        Minimises |x - values|^2 + sum of w |x[t + 1] - x[t]|^2, a tridiagonal system.
        """
        both = contact[1:] & contact[:-1]
        # From the edges of a contact inwards the penalty grows by a factor each frame.
        depth = np.minimum(count_run(both), count_run(both[::-1])[::-1])
        stiffness = self._stiffness ** np.minimum(depth / self._edge, 1.0) - 1.0
        return solve_tridiagonal(stiffness, values)

    def blend(self, values: np.ndarray, contact: np.ndarray, strength: float) -> np.ndarray:
        """Return values (F, n) that are held with some strength, 0 to 1."""
        measured = values.astype(np.float64)
        return np.asarray(measured + strength * (self(measured, contact) - measured))


def count_run(mask: np.ndarray) -> np.ndarray:
    """Count the frames (F,) since a run of True began: 1 at its first frame, 0 outside."""
    total = np.cumsum(mask)
    return total - np.maximum.accumulate(np.where(mask, 0, total))


def solve_tridiagonal(stiffness: np.ndarray, values: np.ndarray) -> np.ndarray:
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
