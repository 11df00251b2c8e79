# SPDX-License-Identifier: GPL-3.0-or-later
"""The performer's own proportions, told from trackers in a pose, and what to do with them.

A character with other proportions than the performer's can be posed in two ways: its hands and feet
go where the performer's are, or its limbs turn as the performer's do. For the second the body is
reconstructed as the performer's own and then given to the character.
"""

from __future__ import annotations

import numpy as np

from ..body.skeleton import ADULT_SIZE, INDEX, Skeleton
from .reference_pose import estimate_stance

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
"""A grown-up of 1.75 m, metres: left side."""

_ROUNDS = 4
_MOST = 1.25
"""By what factor a part may differ from the rest of the body."""
_TRUST = (0.7, 0.4, 0.35)
"""How far the measures of legs, trunk and arms are trusted against an adult's proportions: people's
differ by some 4 %, and what trackers tell is off by 3, 6 and 7 %."""
_HEAD_HEIGHT = 0.88
"""Height of the head joint over that of the body."""
_ANKLE = 0.08
"""Height of the ankle over the floor, metres on an adult."""
_ANKLES, _SHOULDERS, _WRISTS = (
    [INDEX[f"left_{part}"], INDEX[f"right_{part}"]] for part in ("ankle", "shoulder", "wrist")
)
_LEGS = [INDEX[f"{side}_{part}"] for side in ("left", "right") for part in ("knee", "ankle")]
_TRUNK = [
    *(INDEX[name] for name in ("lower_spine", "middle_spine", "chest", "neck", "head")),
    *(INDEX[f"{side}_{part}"] for side in ("left", "right") for part in ("clavicle", "shoulder")),
]
_ARMS = [INDEX[f"{side}_{part}"] for side in ("left", "right") for part in ("elbow", "wrist")]


def adult() -> Skeleton:
    """Return the skeleton of a grown-up."""
    offsets = np.zeros((22, 3), np.float32)
    for name, offset in _OFFSETS.items():
        for side, sign in (("left_", 1.0), ("right_", -1.0)):
            if name in INDEX:
                offsets[INDEX[name]] = offset
            else:
                offsets[INDEX[side + name]] = np.array(offset) * [sign, 1.0, 1.0]
    return Skeleton(offsets)


def estimate_proportions(
    points: np.ndarray, reference: str = "T_POSE", height: float | None = None
) -> Skeleton | None:
    """Tell the lengths of a performer's legs, trunk and arms.

    The whole body's height is taken as the trackers tell it, that of its parts somewhere between
    what they tell and what is usual: trackers are worn by some centimetres elsewhere.

    Args:
        points: (6, 3) of the trackers, metres, Y up, in the reference pose.
        reference: one of :data:`ssrhmr_core.tracking.reference_pose.ELEVATIONS`.
        height: of the performer, metres; None to tell it too.

    Returns:
        The performer's skeleton; None if trackers are nothing like a standing body.
    """
    model = adult()
    rest = model.t_pose().astype(np.float64)
    body, size = model, None
    for _ in range(_ROUNDS):
        stance = estimate_stance(body, points, reference, size)
        if stance is None:
            return None
        joints = (stance.alone - stance.alone[0]) @ stance.rotations[0]
        legs = joints[4:, 1].mean() / rest[_ANKLES, 1].mean()
        trunk = joints[1, 1] / rest[INDEX["head"], 1]
        reached = np.linalg.norm(joints[2:4] - trunk * rest[_SHOULDERS], axis=-1)
        arms = (reached / np.linalg.norm(rest[_WRISTS] - rest[_SHOULDERS], axis=-1)).mean()
        whole = (joints[1, 1] - joints[4:, 1].mean()) / (
            rest[INDEX["head"], 1] - rest[_ANKLES, 1].mean()
        )
        if min(legs, trunk, arms, whole) <= 0.0:
            return None
        offsets = model.offsets * np.float32(whole)
        for part, factor, trust in zip(
            (_LEGS, _TRUNK, _ARMS), (legs, trunk, arms), _TRUST, strict=True
        ):
            own = np.clip((factor / whole) ** trust, 1.0 / _MOST, _MOST)
            offsets[part] *= np.float32(own)
        body, size = Skeleton(offsets), 1.0
        if height is not None:
            body = body.scaled(height / height_of(body))
    return body


def height_of(body: Skeleton) -> float:
    """Return how tall a body stands, metres."""
    rest = body.t_pose()
    ankle = _ANKLE * body.size / ADULT_SIZE
    return float(rest[INDEX["head"], 1] - rest[[3, 7], 1].mean() + ankle) / _HEAD_HEIGHT
