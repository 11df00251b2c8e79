# SPDX-License-Identifier: GPL-3.0-or-later
"""Knees and elbows that rest on the floor do not sink into it.

No tracker says where they are, so their contacts are detected from the poses, while the body is
low, and they are moved by turning the whole limb about the line from its first joint to its end.
Hands and feet stay where they are, joints stay within their ranges, and how far a limb turns is
limited, grows from nothing as a contact begins and ends so.
"""

from __future__ import annotations

import numpy as np
from pymotion.rotations import quat_np as quat

from ..body.skeleton import ADULT_SIZE, INDEX, Skeleton, forward_kinematics
from ..geometry.rotations import from_quat
from ..solver import LIMBS
from .foot_planting import (
    ContactOptions,
    Contacts,
    Hold,
    detect_low,
    estimate_floor,
    find_contact_floor,
    solve_tridiagonal,
)
from .take import Take

_HEIGHT = 0.13
"""Metres over the floor, on an adult, below which a knee or an elbow may rest on it."""
_THICKNESS = (0.02, 0.02, 0.04, 0.04)
"""Metres on an adult of knees and elbows between joint and floor, at least: few of the resting
joints of the training corpus are lower."""
_GIVES = 0.01
"""Metres on an adult by which a resting joint may be lower than most of the time."""
_LOW_HIPS = 0.62
"""Height of the hips over the floor, in lengths of a leg, below which a body is low."""
_LARGEST_LIFT, _DAMPING = 0.05, 0.03
"""Metres on an adult by which a joint is lifted at most, and the rise per radian below which
turning a limb does little for that."""
_TRACKER_HEIGHTS = (0.08, 0.1, 0.01, 0.01, 0.03, 0.03)
"""Metres on an adult of the six tracked joints over a floor on which they rest, at least."""
_LOWEST_PERCENT = 1.0
"""Percentage of frames in which a tracker may be lower, as single ones of captures are."""
_SMOOTHING = 8.0
"""Penalty on the speed of a turn, in frames squared."""


def rest_limbs(
    rotations: np.ndarray,
    clock: Take,
    contacts: Contacts,
    skeleton: Skeleton,
    options: ContactOptions,
    strength: float,
    free: np.ndarray | None = None,
) -> None:
    """Lift knees and elbows that sink into the floor on which they rest, while a body is low.

    Args:
        rotations: (F, 22, 4) global rotations; those of limbs are changed in place.
        clock: The planted trackers on the model's clock, which the poses meet.
        contacts: The contacts of the trackers.
        skeleton: The skeleton of the body.
        options: How contacts are detected, and how parts come to rest.
        strength: A share: 0 leaves the rotations as they are, 1 holds joints fully.
        free: (F, 4) shares of the limbs, as ``LIMBS``, that may turn; None if all may.
    """
    adult = skeleton.size / ADULT_SIZE
    floor = _find_floor(clock, contacts, skeleton)
    lengths = np.linalg.norm(skeleton.offsets, axis=-1)
    leg = float(lengths[[INDEX["left_knee"], INDEX["left_ankle"]]].sum())
    low = clock.positions[:, 0, 1] < floor + _LOW_HIPS * leg
    if not low.any():
        return
    hold = Hold(contacts.stiffness, options.release)
    matrices = from_quat(rotations)
    joints = forward_kinematics(matrices, clock.positions[:, 0], skeleton.offsets)
    for number, limb in enumerate(LIMBS):
        start, middle, end = (
            joints[:, joint].astype(np.float64) for joint in (limb.upper, limb.lower, limb.end)
        )
        thick = _THICKNESS[number] * adult
        contact = low & detect_low(middle, floor + _HEIGHT * adult, adult, options)
        if not contact.any():
            continue
        level = np.maximum(estimate_floor(middle[:, 1], contact) - _GIVES * adult, floor + thick)
        lift = np.where(contact, np.maximum(level - middle[:, 1], 0.0), 0.0)
        share = strength * hold.share(contact)
        if free is not None:
            share = share * free[:, number]
        turn = _find_turns(start, middle, end, lift, adult) * share
        turn = solve_tridiagonal(np.full(len(turn) - 1, _SMOOTHING), turn[:, None])
        along = (end - start) / np.linalg.norm(end - start, axis=-1, keepdims=True)
        change = quat.from_scaled_angle_axis(turn * along)
        for joint in (limb.upper, limb.lower):
            rotations[:, joint] = quat.mul(change, rotations[:, joint].astype(np.float64))


def _find_floor(clock: Take, contacts: Contacts, skeleton: Skeleton) -> float:
    """Return the height of the floor, rather too low than too high, metres.

    Feet that stand show it, but toes that point upwards rest too while a body lies on its back:
    no other part of the body is below the floor.
    """
    adult = skeleton.size / ADULT_SIZE
    heights = clock.positions[..., 1] - np.array(_TRACKER_HEIGHTS, np.float32) * adult
    lowest = float(np.percentile(heights.min(-1), _LOWEST_PERCENT))
    return min(find_contact_floor(clock, contacts, skeleton) - skeleton.sole_height, lowest)


def _find_turns(
    start: np.ndarray, middle: np.ndarray, end: np.ndarray, lift: np.ndarray, adult: float
) -> np.ndarray:
    """Return the turns (F,) of limbs about start to end that lift their middle joints, radians.

    Positions are (F, 3), lifts (F,), metres. Damping keeps a limb that is nearly straight, or whose
    middle joint hangs or stands, from swinging round.
    """
    along = (end - start) / np.linalg.norm(end - start, axis=-1, keepdims=True)
    largest = _LARGEST_LIFT * adult
    # Smoothly never more than the largest lift.
    lift = lift * largest / np.hypot(largest, lift)
    rise = np.cross(along, middle - start)[:, 1]
    return np.asarray(rise * lift / (rise * rise + (_DAMPING * adult) ** 2))
