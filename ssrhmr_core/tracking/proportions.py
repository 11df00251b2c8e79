# SPDX-License-Identifier: GPL-3.0-or-later
"""The performer's proportions, estimated from trackers in a reference pose.

A character whose proportions differ from the performer's can be posed in two ways: its hands and
feet reach the performer's, or its limbs rotate like the performer's. The second way needs the
performer's own body: it is reconstructed first and then retargeted to the character.
"""

from __future__ import annotations

import numpy as np

from ..body.skeleton import ADULT_SIZE, FOOT_TRACKERS, INDEX, TRACKERS, Skeleton
from .reference_pose import (
    ReferencePose,
    Stance,
    are_tracked,
    estimate_stance,
    measure_ankle_height,
    stands_on_ground,
)

_OFFSETS = {
    "hip": (0.085, -0.08, 0.0),
    "knee": (0.0, -0.42, 0.0),
    "ankle": (0.0, -0.41, 0.0),
    "toe": (0.01, -0.06, 0.13),
    "lower_spine": (0.0, 0.05, 0.0),
    "middle_spine": (0.0, 0.11, -0.01),
    "chest": (0.0, 0.12, -0.01),
    "neck": (0.0, 0.17, 0.0),
    "head": (0.0, 0.1, 0.02),
    "clavicle": (0.02, 0.12, 0.02),
    "shoulder": (0.15, 0.02, -0.02),
    "elbow": (0.28, 0.0, 0.0),
    "wrist": (0.25, 0.0, 0.0),
}
"""Offsets in metres of an adult of 1.75 m, left side."""

_PELVIS, _HEAD = TRACKERS.index("pelvis"), TRACKERS.index("head")
_HANDS = [TRACKERS.index("left_hand"), TRACKERS.index("right_hand")]

_ROUNDS = 4
_LARGEST_FACTOR = 1.25
"""Largest factor by which a part may differ from the rest of the body."""
_RELIABILITY = (0.7, 0.4, 0.35)
"""Weights of the measured legs, trunk and arms against an adult's proportions: people differ by
some 4 %, and the measurements are off by 3, 6 and 7 %."""
_HEAD_HEIGHT = 0.88
"""Height of the head joint as a share of the body's height."""
_ANKLE = 0.08
"""Height of the ankle above the floor, metres on an adult."""
_ANKLES, _SHOULDERS, _WRISTS = (
    [INDEX[f"left_{part}"], INDEX[f"right_{part}"]] for part in ("ankle", "shoulder", "wrist")
)
_LEGS = [INDEX[f"{side}_{part}"] for side in ("left", "right") for part in ("knee", "ankle")]
_TRUNK = [
    *(INDEX[name] for name in ("lower_spine", "middle_spine", "chest", "neck", "head")),
    *(INDEX[f"{side}_{part}"] for side in ("left", "right") for part in ("clavicle", "shoulder")),
]
_ARMS = [INDEX[f"{side}_{part}"] for side in ("left", "right") for part in ("elbow", "wrist")]


def make_adult() -> Skeleton:
    """Return the skeleton of an adult of average proportions."""
    offsets = np.zeros((22, 3), np.float32)
    for name, offset in _OFFSETS.items():
        for side, sign in (("left_", 1.0), ("right_", -1.0)):
            if name in INDEX:
                offsets[INDEX[name]] = offset
            else:
                offsets[INDEX[side + name]] = np.array(offset) * [sign, 1.0, 1.0]
    return Skeleton(offsets)


def estimate_proportions(
    positions: np.ndarray,
    reference: ReferencePose = ReferencePose.T_POSE,
    height: float | None = None,
    front: float = 0.0,
) -> Skeleton | None:
    """Estimate the lengths of a performer's legs, trunk and arms.

    The overall height is the measured one. Each part lies between its measured length and the
    usual one, because trackers are mounted some centimetres off their joints. A part that no
    tracker measures has the usual length for the height.

    Args:
        positions: (6, 3) positions of the trackers in the reference pose, metres, Y up; NaN without
            a tracker.
        reference: The pose in which the performer stands.
        height: The performer's height in metres; None to estimate it.
        front: Heading of the performer in radians, for trackers whose positions do not show it.

    Returns:
        The performer's skeleton; None if the trackers look nothing like a standing body.
    """
    model = make_adult()
    body, size = model, None
    for _ in range(_ROUNDS):
        stance = estimate_stance(body, positions, reference, size, front)
        factors = _measure_factors(model, body, positions, stance) if stance else None
        if factors is None:
            return None
        whole, *parts = factors
        offsets = model.offsets * np.float32(whole)
        for joints, factor, reliability in zip(
            (_LEGS, _TRUNK, _ARMS), parts, _RELIABILITY, strict=True
        ):
            own = np.clip((factor / whole) ** reliability, 1.0 / _LARGEST_FACTOR, _LARGEST_FACTOR)
            offsets[joints] *= np.float32(own)
        body, size = Skeleton(offsets), 1.0
        if height is not None:
            body = body.scaled(height / measure_height(body))
    return body


def _measure_factors(
    model: Skeleton, body: Skeleton, positions: np.ndarray, stance: Stance
) -> tuple[float, ...] | None:
    """Measure whole body, legs, trunk and arms relative to a model.

    Args:
        model: The model.
        body: The body in the stance, which says what no tracker measures.
        positions: (6, 3) positions of the trackers, NaN without one.
        stance: The stance of the body.

    Returns:
        The four factors; None if one is not positive.
    """
    tracked = are_tracked(positions)
    rest = model.t_pose().astype(np.float64)
    # As measured where there is a tracker, or where the stance has the joint.
    joints = np.where(tracked[:, None], stance.independent_positions, stance.positions)
    ankles = _measure_ankles(body, positions, stance, joints)
    joints = (joints - joints[_PELVIS]) @ stance.rotations[_PELVIS]
    head, ankle = joints[_HEAD, 1], rest[_ANKLES, 1].mean()
    feet = ankles - stance.positions[_PELVIS, 1]
    if tracked[_PELVIS]:
        feet = ankles - stance.independent_positions[_PELVIS, 1]
    whole = (head - feet) / (rest[INDEX["head"], 1] - ankle)
    # Without one of them, leg and trunk share the height as usual.
    legs = feet / ankle if tracked[_PELVIS] else whole
    trunk = head / rest[INDEX["head"], 1] if tracked[[_PELVIS, _HEAD]].all() else whole
    if not tracked[_HEAD]:
        whole = trunk = legs
    hands = [hand for hand in _HANDS if tracked[hand]]
    shoulders = trunk * rest[_SHOULDERS]
    if not tracked[_PELVIS]:
        shoulders = shoulders + (joints[_HEAD] - trunk * rest[INDEX["head"]])
    reach = np.linalg.norm(joints[_HANDS] - shoulders, axis=-1)
    lengths = np.linalg.norm(rest[_WRISTS] - rest[_SHOULDERS], axis=-1)
    arms = (reach / lengths)[[_HANDS.index(hand) for hand in hands]].mean() if hands else whole
    factors = (float(whole), float(legs), float(trunk), float(arms))
    return factors if min(factors) > 0.0 else None


def _measure_ankles(
    body: Skeleton, positions: np.ndarray, stance: Stance, joints: np.ndarray
) -> float:
    """Measure the height of the ankles by their trackers, by the floor, or by the stance."""
    feet = [foot for foot in FOOT_TRACKERS if are_tracked(positions)[foot]]
    if feet:
        return float(joints[feet, 1].mean())
    if stands_on_ground(body, positions, stance):
        return stance.size * measure_ankle_height(body)
    return float(stance.positions[list(FOOT_TRACKERS), 1].mean())


def measure_height(body: Skeleton) -> float:
    """Return the standing height of a body in metres."""
    rest = body.t_pose()
    ankle = _ANKLE * body.size / ADULT_SIZE
    return float(rest[INDEX["head"], 1] - rest[_ANKLES, 1].mean() + ankle) / _HEAD_HEIGHT
