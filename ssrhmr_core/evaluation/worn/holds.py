# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses that end the guided movement, held about as well as people hold them.

Feet stand side by side and the eyes look ahead while one hand lies flat on the other, then while
the palms are pressed together with the fingers pointing ahead. Nobody has measured how exactly
people do this with trackers on, so that the errors are drawn as large as related measurements have
them, rather larger:

- Feet that touch are still turned outwards, by a share of the habit and by their shape: preferred
  stances differ by some 7 degrees between people, inner edges of feet by 2 to 4.
- Heads of people who look at the horizon return to within 2 to 3 degrees; a part of the habit with
  which they hold it otherwise remains.
- Palms touch with the ball of the thumb or with the finger tips first, and the bones of a hand are
  not where its skin is: 3 to 4 degrees a hand. Where both point together is worse: 5 to 6 degrees.
- One person in ten does it badly: errors of the hands are two and a half times as large.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...geometry.rotations import (
    X_AXIS,
    Y_AXIS,
    Z_AXIS,
    from_rotvec,
    rotate,
    rotation_by_degrees,
    to_rotvec,
    transpose,
)
from .channels import Channels

_CLUMSY, _CLUMSINESS = 0.1, 2.5
"""Share of the people who hold their hands badly, and by how much worse."""
_HAND_ERRORS = np.array([2.8, 3.5, 3.5])
"""Spread of a hand against the other: rolled, turned in the plane of the palm, bent; degrees."""
_PLANE_ERRORS = np.array([5.0, 5.0])
"""Spread of the plane between hands on each other, degrees."""
_POINTING_ERRORS = np.array([5.0, 5.0, 6.0])
"""The same for palms that point ahead: tilted, turned to a side, and fingers lowered."""
_PALM_MIDDLE, _PALM_DEPTH = 0.08, 0.025
"""From the wrist to the middle of the palm and to its skin, metres on an adult."""
_LOOK_ERRORS = np.array([3.0, 2.7, 1.8])
"""Spread of pitch, yaw and roll of a head that looks ahead, degrees."""
_HABIT_OF_HEAD, _HABIT_OF_FEET = 0.4, 0.25
"""Shares of the habits that remain."""
_TOES_OUT, _TOES_OUT_SPREAD = 1.0, 2.5
"""Degrees by which feet that touch are turned outwards, by their shape."""
_FEET_TURNED = 2.5
"""Spread of both feet against the pelvis, degrees."""
_FEET_APART, _FEET_APART_SPREAD = 0.095, 0.012
"""Distance of the ankles when feet touch, metres on an adult, and its spread: shoes and feet are
not equally wide."""
_GAP = 0.006
"""How far people leave each foot from the middle, metres on an adult."""

# Columns are the axes of the hands: left fingers along X, right ones against it, backs along Y.
_TOGETHER = np.array(
    [
        [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]],
        [[0.0, -1.0, 0.0], [0.0, 0.0, 1.0], [-1.0, 0.0, 0.0]],
    ]
)
"""Palms that face each other, fingers to the front, thumbs up."""
_STACKED = np.diag([-1.0, 1.0, -1.0])
"""Both palms down, fingers towards the other arm."""


@dataclass(frozen=True, eq=False)
class HeldHands:
    """How a performer holds both hands against each other.

    Attributes:
        middle: (3,) from the middle of the shoulders to where they touch, metres on an adult.
        rotations: (2, 3, 3) of the hands in axes that point left, up and to the front.
        wrists: (2, 3) from there to the wrists in these axes, metres on an adult.
        poles: (2, 3) directions in which the elbows are bent.
    """

    middle: np.ndarray
    rotations: np.ndarray
    wrists: np.ndarray
    poles: np.ndarray


@dataclass(frozen=True, eq=False)
class HeldPoses:
    """How a performer holds the poses at the end.

    Attributes:
        stacked: One hand on the other; the weight over time is the channel "stacked".
        together: Palms together; the weight is the channel "together".
        toes_out: (2,) outward turn of the feet, degrees; the weight is the channel "feet".
        apart: (2,) distances of the ankles from the middle, metres on an adult.
        look: (3,) pitch, yaw and roll of the head in the room, degrees; the weight is "look".
    """

    stacked: HeldHands
    together: HeldHands
    toes_out: np.ndarray
    apart: np.ndarray
    look: np.ndarray


def draw_held_poses(
    posture: np.ndarray, toes_out: np.ndarray, random: np.random.Generator
) -> HeldPoses:
    """Draw how a person holds the poses.

    Args:
        posture: (3,) habitual pitch, yaw and roll of the head in the room, degrees.
        toes_out: (2,) habitual outward turn of the feet, degrees.
        random: The generator.
    """
    normal = random.standard_normal
    stacked, together = _draw_stacked(random), _draw_together(random)
    out = _HABIT_OF_FEET * toes_out + _TOES_OUT + _TOES_OUT_SPREAD * normal(2)
    out += _FEET_TURNED * normal() * np.array([1.0, -1.0])
    gaps = _GAP * np.abs(normal(2))
    look = _HABIT_OF_HEAD * posture + _LOOK_ERRORS * normal(3)
    apart = 0.5 * (_FEET_APART + _FEET_APART_SPREAD * normal()) + gaps
    return HeldPoses(stacked, together, out, apart, look)


def _draw_errors(random: np.random.Generator) -> np.ndarray:
    """Return rotations (2, 3, 3) of the hands against where they should be."""
    clumsy = _CLUMSINESS if random.random() < _CLUMSY else 1.0
    return from_rotvec(np.radians(clumsy * _HAND_ERRORS * random.standard_normal((2, 3))))


def _draw_together(random: np.random.Generator) -> HeldHands:
    tilt, turn, lowered = _POINTING_ERRORS * random.standard_normal(3)
    plane = (
        rotation_by_degrees(Y_AXIS, turn)
        @ rotation_by_degrees(Z_AXIS, tilt)
        @ rotation_by_degrees(X_AXIS, lowered)
    )
    rotations = plane @ _TOGETHER @ _draw_errors(random)
    along = np.array([[-_PALM_MIDDLE], [_PALM_MIDDLE]])
    return HeldHands(
        np.array([0.0, -0.05, 0.46]) + [0.015, 0.05, 0.04] * random.standard_normal(3),
        rotations,
        along * rotations[..., 0] + _PALM_DEPTH * rotations[..., 1],
        np.array([[0.6, -0.7, -0.4], [-0.6, -0.7, -0.4]]),
    )


def _draw_stacked(random: np.random.Generator) -> HeldHands:
    roll, pitch = _PLANE_ERRORS * random.standard_normal(2)
    ahead = random.uniform(5.0, 30.0, 2) * [1.0, -1.0]
    level = rotation_by_degrees(X_AXIS, pitch) @ rotation_by_degrees(Z_AXIS, roll)
    crossed = rotation_by_degrees(Y_AXIS, ahead)
    rotations = level @ crossed @ _STACKED @ _draw_errors(random)
    upper = random.choice([-1.0, 1.0])
    lifted = 0.6 * _PALM_DEPTH * np.array([[upper], [-upper]]) * level[:, 1]
    along = np.array([[-_PALM_MIDDLE], [_PALM_MIDDLE]])
    return HeldHands(
        np.array([0.0, -0.2, 0.28]) + [0.015, 0.05, 0.04] * random.standard_normal(3),
        rotations,
        along * rotations[..., 0] + lifted,
        np.array([[0.8, -0.5, -0.3], [-0.8, -0.5, -0.3]]),
    )


def look_ahead(channels: Channels, held: HeldPoses, posture: np.ndarray) -> None:
    """Turn the head to where the performer looks, away from the habitual posture (3,)."""
    for number, axis in enumerate(("pitch", "yaw", "roll")):
        away = held.look[number] - posture[number]
        channels.add(f"head_{axis}", channels["look"] * away)


def hold_hands(
    held: HeldPoses,
    channels: Channels,
    shoulders: np.ndarray,
    heading: np.ndarray,
    adult: float,
    hands: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bring hands to where they are held.

    Args:
        held: How the performer holds them.
        channels: The channels with the weights.
        shoulders: (F, 3) middles of the shoulders, metres.
        heading: (3, 3) from axes that point left, up and to the front into the room.
        adult: The size of the body relative to an adult.
        hands: Positions (F, 2, 3), rotations (F, 2, 3, 3) and poles (F, 2, 3) of before.

    Returns:
        The same with held hands.
    """
    positions, rotations, poles = hands
    # Hands are never still.
    sway = np.stack(
        [
            np.stack(
                [channels[f"{side}_{part}"] for part in ("palm", "wrist_up", "wrist_front")], -1
            )
            for side in ("left", "right")
        ],
        1,
    )
    for name, pose in (("stacked", held.stacked), ("together", held.together)):
        weight = channels[name][:, None, None]
        wanted = shoulders[:, None] + adult * (pose.middle + pose.wrists) @ heading.T
        positions = positions + weight * (wanted - positions)
        swaying = from_rotvec(np.radians(0.5 * weight * sway))
        between = to_rotvec(transpose(rotations) @ (heading @ pose.rotations @ swaying))
        rotations = rotations @ from_rotvec(weight * between)
        poles = poles / np.maximum(np.linalg.norm(poles, axis=-1, keepdims=True), 1e-9)
        poles = poles + weight * (rotate(heading, pose.poles) - poles)
    return positions, rotations, poles
