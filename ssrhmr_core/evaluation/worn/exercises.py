# SPDX-License-Identifier: GPL-3.0-or-later
"""The guided movement: what performers are asked to do, done about as well as people do it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .channels import Channels

SIDES = (("left", 1.0), ("right", -1.0))
"""Both sides, and the sign of X on each."""
_SKIPPED = 0.07
"""Probability that an exercise is left out."""
_PAUSE = 0.3
"""Seconds before the first exercise and after the last."""
_HANGING = -60.0
"""Degrees of the arms over the horizontal between the exercises."""
_SECONDS = np.array([1.9, 3.4, 1.5, 1.9, 2.2, 3.2, 3.2, 2.4, 2.6, 2.6])
"""How long each exercise takes slow performers."""
_HELD = (0.35, 0.95)
"""Shares of the last two exercises between which a pose is held."""


def perform_guided_movement(
    raised: np.ndarray, swept: np.ndarray, random: np.random.Generator
) -> Channels:
    """Return the channels of a performer who makes the guided movement.

    Args:
        raised: (2,) habitual deviation of left and right arm from the elevation asked for, degrees.
        swept: (2,) degrees by which the arms are habitually in front of the body.
        random: The generator of pace, amplitudes and what is left out.
    """
    exercises = (
        *(_nod, _move_arms, _curl, _circle_hands, _squat, _lift_left, _lift_right, _twist),
        *(_stack_hands, _put_palms_together),
    )
    lengths = _SECONDS * random.uniform(0.75, 0.98)
    lengths *= random.uniform(0.85, 1.15, len(lengths))
    begins = _PAUSE + np.concatenate([[0.0], np.cumsum(lengths)])
    channels = Channels(float(begins[-1]) + _PAUSE, random)
    stand(channels)
    reach_out(channels, _HANGING + raised, swept)
    for exercise, begin, length in zip(exercises, begins, lengths, strict=False):
        if random.random() >= _SKIPPED:
            exercise(channels, begin, length, random)
    _put_feet_together(channels, begins[-3], random)
    return channels


def stand(channels: Channels) -> None:
    """Sway as everybody does who stands."""
    for name in (
        "pelvis_pitch",
        "pelvis_yaw",
        "pelvis_roll",
        "trunk_pitch",
        "trunk_yaw",
        "trunk_roll",
    ):
        channels.sway(name, 1.0)
    for name in ("head_pitch", "head_yaw", "head_roll"):
        channels.sway(name, 1.5)
    for name in ("root_x", "root_z"):
        channels.sway(name, 0.006)
    for side, _ in SIDES:
        for name, amount in (
            ("raise", 1.5),
            ("sweep", 1.5),
            ("elbow", 1.0),
            ("palm", 2.0),
            ("clavicle", 1.0),
        ):
            channels.sway(f"{side}_{name}", amount)
        for name in ("wrist_up", "wrist_front"):
            channels.sway(f"{side}_{name}", 1.5)


def reach_out(channels: Channels, raised: np.ndarray, swept: np.ndarray) -> None:
    """Hold the arms: (2,) degrees over the horizontal and in front of the body, left and right."""
    for number, (side, _) in enumerate(SIDES):
        channels.add(f"{side}_raise", np.full(len(channels.times), raised[number]))
        channels.add(f"{side}_sweep", np.full(len(channels.times), swept[number]))


def _amplitude(random: np.random.Generator) -> float:
    """People do less than they are asked for."""
    return float(random.uniform(0.65, 1.05))


def _steps(begin: float, length: float, shares: Sequence[float]) -> list[float]:
    return [begin + length * share for share in shares]


def _nod(channels: Channels, begin: float, length: float, random: np.random.Generator) -> None:
    a = _amplitude(random)
    at = _steps(begin, length, (0.0, 0.12, 0.25, 0.37, 0.5))
    channels.move("head_pitch", at, (0.0, 32.0 * a, -22.0 * a, 28.0 * a, 0.0))
    at = _steps(begin, length, (0.5, 0.62, 0.8, 1.0))
    channels.move("head_yaw", at, (0.0, 50.0 * a, -50.0 * a, 0.0))


def _move_arms(
    channels: Channels, begin: float, length: float, random: np.random.Generator
) -> None:
    """From hanging arms: out, over the head, out with palms turning, forwards, back."""
    for side, _ in SIDES:
        a = _amplitude(random)
        at = _steps(begin, length, (0.0, 0.15, 0.35, 0.5, 0.7, 0.85, 1.0))
        channels.move(f"{side}_raise", at, (0.0, 60.0, 60.0 + 75.0 * a, 60.0, 60.0, 60.0, 0.0))
        channels.move(f"{side}_sweep", at, (0.0, 0.0, 0.0, 0.0, 0.0, 75.0 * a, 0.0))
        at = _steps(begin, length, (0.45, 0.52, 0.6, 0.68, 0.74))
        channels.move(f"{side}_palm", at, (0.0, -70.0 * a, 25.0 * a, -70.0 * a, 0.0))


def _curl(channels: Channels, begin: float, length: float, random: np.random.Generator) -> None:
    for side, _ in SIDES:
        a = _amplitude(random)
        at = _steps(begin, length, (0.0, 0.25, 0.5, 0.75, 1.0))
        channels.move(f"{side}_elbow", at, (0.0, 115.0 * a, 8.0, 115.0 * a, 0.0))
        channels.move(
            f"{side}_palm", _steps(begin, length, (0.0, 0.15, 0.85, 1.0)), (0.0, -60.0, -60.0, 0.0)
        )


def _circle_hands(
    channels: Channels, begin: float, length: float, random: np.random.Generator
) -> None:
    for side, _ in SIDES:
        a, turns = _amplitude(random), random.choice([-1.0, 1.0]) * random.uniform(1.2, 2.0)
        at = _steps(begin, length, (0.0, 0.15, 0.85, 1.0))
        channels.move(f"{side}_elbow", at, (0.0, 85.0, 85.0, 0.0))
        share = np.clip((channels.times - at[1]) / (at[2] - at[1]), 0.0, 1.0)
        fade = np.sin(np.pi * share) ** 0.5
        angle = 2.0 * np.pi * turns * share
        channels.wobble(f"{side}_elbow", 2.5, at[1], at[2])
        channels.wobble(f"{side}_raise", 1.5, at[1], at[2])
        channels.wobble(f"{side}_sweep", 1.5, at[1], at[2])
        channels.add(f"{side}_wrist_up", 40.0 * a * fade * np.sin(angle))
        channels.add(f"{side}_wrist_front", 18.0 * a * fade * np.cos(angle))


def _squat(channels: Channels, begin: float, length: float, random: np.random.Generator) -> None:
    a = _amplitude(random)
    at = _steps(begin, length, (0.0, 0.25, 0.5, 0.75, 1.0))
    channels.move("root_y", at, (0.0, -0.27 * a, -0.01, -0.25 * a, 0.0))
    channels.move("root_z", at, (0.0, -0.07 * a, 0.0, -0.07 * a, 0.0))
    channels.move("pelvis_pitch", at, (0.0, 22.0 * a, 0.0, 20.0 * a, 0.0))
    channels.move("trunk_pitch", at, (0.0, 10.0 * a, 0.0, 10.0 * a, 0.0))
    channels.move("head_pitch", at, (0.0, -18.0 * a, 0.0, -18.0 * a, 0.0))
    for side, _ in SIDES:
        channels.move(f"{side}_sweep", at, (0.0, 30.0 * a, 0.0, 30.0 * a, 0.0))


def _leg(
    channels: Channels, side: str, begin: float, length: float, random: np.random.Generator
) -> None:
    """Swing a straight leg forwards and to the side, turn the toes out and in, circle the foot."""
    a = _amplitude(random)
    at = _steps(begin, length, (0.0, 0.1, 0.22, 0.33, 0.6, 0.92, 1.0))
    turned = _steps(begin, length, (0.33, 0.42, 0.52, 0.6))
    channels.move(f"{side}_foot_yaw", turned, (0.0, 32.0 * a, -18.0 * a, 0.0))
    channels.move(f"{side}_swing_front", at, (0.0, 32.0 * a, 32.0 * a, 8.0, 12.0, 12.0, 0.0))
    channels.move(f"{side}_swing_side", at, (0.0, 0.0, 6.0, 26.0 * a, 6.0, 6.0, 0.0))
    channels.move(f"{side}_shorter", at, (0.0, 0.03, 0.02, 0.02, 0.08, 0.08, 0.0))
    share = np.clip((channels.times - at[4]) / (at[5] - at[4]), 0.0, 1.0)
    fade = np.sin(np.pi * share) ** 0.5
    angle = 2.0 * np.pi * random.uniform(0.9, 1.6) * share
    channels.add(f"{side}_foot_pitch", 28.0 * a * fade * np.sin(angle))
    channels.add(f"{side}_foot_roll", 14.0 * a * fade * np.cos(angle))
    # A leg in the air is never still.
    channels.wobble(f"{side}_swing_front", 1.5, at[1], at[5])
    channels.wobble(f"{side}_swing_side", 1.5, at[1], at[5])
    # The weight goes over the other leg.
    away = -1.0 if side == "left" else 1.0
    channels.move(
        "root_x",
        _steps(begin, length, (0.0, 0.12, 0.88, 1.0)),
        (0.0, 0.06 * away, 0.06 * away, 0.0),
    )
    channels.move(
        "trunk_roll", at, (0.0, 3.0 * away, 3.0 * away, 6.0 * away, 3.0 * away, 3.0 * away, 0.0)
    )


def _lift_left(
    channels: Channels, begin: float, length: float, random: np.random.Generator
) -> None:
    _leg(channels, "left", begin, length, random)


def _lift_right(
    channels: Channels, begin: float, length: float, random: np.random.Generator
) -> None:
    _leg(channels, "right", begin, length, random)


def _twist(channels: Channels, begin: float, length: float, random: np.random.Generator) -> None:
    a = _amplitude(random)
    at = _steps(begin, length, (0.0, 0.2, 0.45, 0.6, 0.8, 1.0))
    channels.move("trunk_yaw", at, (0.0, 35.0 * a, -35.0 * a, 0.0, 0.0, 0.0))
    channels.move("pelvis_yaw", at, (0.0, 12.0 * a, -12.0 * a, 0.0, 0.0, 0.0))
    channels.move("trunk_pitch", at, (0.0, 0.0, 0.0, 0.0, 15.0 * a, 0.0))
    channels.move("pelvis_pitch", at, (0.0, 0.0, 0.0, 0.0, 42.0 * a, 0.0))
    channels.move("root_z", at, (0.0, 0.0, 0.0, 0.0, -0.09 * a, 0.0))
    channels.move("root_y", at, (0.0, 0.0, 0.0, 0.0, -0.012 * a, 0.0))


def _stack_hands(
    channels: Channels, begin: float, length: float, random: np.random.Generator
) -> None:
    """Lay one hand on the other."""
    at = _steps(begin, length, (0.0, _HELD[0], _HELD[1], 1.15))
    channels.move("stacked", at, (0.0, 1.0, 1.0, 0.0))


def _put_palms_together(
    channels: Channels, begin: float, length: float, random: np.random.Generator
) -> None:
    """Press the palms together, and stay like that."""
    at = [*_steps(begin, length, (0.0, _HELD[0])), channels.times[-1]]
    channels.move("together", at, (0.0, 1.0, 1.0))


def _put_feet_together(channels: Channels, begin: float, random: np.random.Generator) -> None:
    """Step together, left foot first, and look ahead until the end; some forget one of both."""
    for parts in ((("left_feet", 0.0), ("right_feet", 0.4)), (("look", 0.2),)):
        if random.random() < _SKIPPED:
            continue
        for name, late in parts:
            at = (begin + late, begin + late + 0.45, channels.times[-1])
            channels.move(name, at, (0.0, 1.0, 1.0))
