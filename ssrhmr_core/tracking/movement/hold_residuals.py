# SPDX-License-Identifier: GPL-3.0-or-later
"""What poses that a performer holds tell of how hands, feet and head are turned.

Each residual compares two directions: axes of joints, or the vertical. Its spread is what people
who hold the pose leave open, not less than what the simulated performer does
(:mod:`ssrhmr_core.evaluation.worn.holds`).
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np

from ...body.skeleton import ADULT_SIZE, FOOT_TRACKERS, HAND_TRACKERS, TRACKER_JOINTS, TRACKERS
from ..pose_equations import POSE_UNKNOWNS, NormalEquations
from ..pose_model import PosedBody
from .residuals import Problem

_PELVIS, _HEAD = TRACKERS.index("pelvis"), TRACKERS.index("head")
_ROLL, _BEND, _SIDE = np.radians(4.0), np.radians(5.0), np.radians(5.0)
"""Spreads between two palms that touch: about the fingers, bent off each other, and in the plane of
the palms; radians."""
_PLANE = np.radians(5.0)
"""Spread of the plane between both palms about each of its axes."""
_POINTING = np.radians(6.0)
"""Spread of fingers that point ahead about the horizontal."""
_FOOT, _FEET = np.radians(2.5), np.radians(3.0)
"""Spread of each foot beside the other, and of both against the pelvis."""
_TOES_OUT = np.radians(2.5)
"""Usual outward turn of feet that touch."""
_FEET_APART, _APART = 0.105, 0.012
"""Distance of the ankles above feet that touch, and its spread: shoes are not equally wide; metres
on an adult."""
_PITCH, _YAW, _HEAD_ROLL = np.radians(3.5), np.radians(3.0), np.radians(2.0)
"""Spreads of a head that looks ahead."""
_ROBUST, _ROBUST_DISTANCE = 2.0, 4.0
"""Spreads beyond which a direction, or a distance, counts less and less: somebody holds a pose
badly. The reference pose leaves distances farther off."""


class _Direction(NamedTuple):
    """Vectors (F, 3) and their derivatives (F, D, 3) by the degrees of freedom."""

    value: np.ndarray
    derivative: np.ndarray


class _Dot(NamedTuple):
    """Numbers (F,) and their derivatives (F, D) by the degrees of freedom."""

    value: np.ndarray
    derivative: np.ndarray

    def plus(self, other: _Dot, sign: float = 1.0) -> _Dot:
        """Return the sum, or the difference."""
        return _Dot(self.value + sign * other.value, self.derivative + sign * other.derivative)


class _Row(NamedTuple):
    """What a pose asks for.

    Attributes:
        dot: The numbers.
        wanted: The value that they should have.
        spread: How far people are from it.
        robust: Spreads beyond which it counts less and less.
    """

    dot: _Dot
    wanted: float
    spread: float
    robust: float = _ROBUST


class _Directions:
    """Axes of tracked joints, and the vertical, in F poses of a body."""

    def __init__(self, body: PosedBody) -> None:
        self._body = body

    def axis(self, tracker: int, axis: int) -> _Direction:
        """Return an axis, 0 to 2, of a tracked joint."""
        value = self._body.rotations[:, TRACKER_JOINTS[tracker], :, axis]
        return _Direction(value, self._body.axis_derivatives(tracker, axis))

    def between(self, tracker: int, other: int) -> _Direction:
        """Return the way from the joint of another tracker to that of one, metres."""
        body = self._body
        end, begin = TRACKER_JOINTS[tracker], TRACKER_JOINTS[other]
        return _Direction(
            body.positions[:, end] - body.positions[:, begin],
            body.position_derivatives(tracker) - body.position_derivatives(other),
        )

    def up(self) -> _Direction:
        """Return the vertical."""
        value = np.zeros((len(self._body.positions), 3))
        value[:, 1] = 1.0
        return _Direction(value, np.zeros(self._body.axes.shape))


def _dot(a: _Direction, b: _Direction) -> _Dot:
    derivative = np.einsum("fdi,fi->fd", a.derivative, b.value)
    derivative += np.einsum("fdi,fi->fd", b.derivative, a.value)
    return _Dot((a.value * b.value).sum(-1), derivative)


def add_holds(equations: NormalEquations, problem: Problem, body: PosedBody) -> None:
    """Add what is known of the poses that are held, all frames of each as one observation."""
    holds = problem.evidence.holds
    directions = _Directions(body)
    adult = problem.skeleton.size / ADULT_SIZE
    for frames, rows in (
        (holds.palms, _palms_together),
        (holds.stacked, _stacked_hands),
        (holds.feet, partial(_feet_beside, adult=adult)),
        (holds.looking, _looking_ahead),
    ):
        if frames.any():
            _add(equations, frames, rows(directions), problem.unknowns)


def _add(
    equations: NormalEquations,
    frames: np.ndarray,
    rows: list[_Row],
    unknowns: int,
) -> None:
    """Add rows."""
    weight = 1.0 / np.sqrt(frames.sum())
    by_pose = np.zeros((len(frames), len(rows), POSE_UNKNOWNS))
    residuals = np.zeros((len(frames), len(rows)))
    for number, (dot, wanted, spread, robust) in enumerate(rows):
        errors = (wanted - dot.value) / spread
        # One weight for all frames: what a person does wrong is wrong throughout.
        away = np.sqrt((errors[frames] ** 2).mean()) / robust
        own = weight * frames / (1.0 + away**2)
        residuals[:, number] = own * errors
        by_pose[:, number, 3:] = own[:, None] * dot.derivative / spread
    equations.add(residuals, by_pose, np.zeros((len(frames), len(rows), unknowns)))


def _palms_together(directions: _Directions) -> list[_Row]:
    """Palms face each other, fingers are parallel, the plane between points ahead."""
    x, y = (directions.axis(HAND_TRACKERS[0], axis) for axis in range(2))
    other_x, other_y, other_z = (directions.axis(HAND_TRACKERS[1], axis) for axis in range(3))
    ahead, up = directions.axis(_PELVIS, 2), directions.up()
    sideways = [_dot(y, across).plus(_dot(other_y, across), -1.0) for across in (up, ahead)]
    return [
        # The backs' difference along the thumbs is a roll of the hands, along the fingers a bend.
        _Row(_dot(y, other_z), 0.0, _ROLL),
        _Row(_dot(y, other_x), 0.0, _BEND),
        _Row(_dot(x, other_z), 0.0, _SIDE),
        *(_Row(across, 0.0, 2.0 * _PLANE) for across in sideways),
        _Row(_dot(x, up).plus(_dot(other_x, up), -1.0), 0.0, 2.0 * _POINTING),
    ]


def _stacked_hands(directions: _Directions) -> list[_Row]:
    """Backs face upwards alike."""
    y = directions.axis(HAND_TRACKERS[0], 1)
    other_x, other_y, other_z = (directions.axis(HAND_TRACKERS[1], axis) for axis in range(3))
    level = [
        _dot(y, across).plus(_dot(other_y, across))
        for across in (directions.axis(_PELVIS, 2), directions.axis(_PELVIS, 0))
    ]
    return [
        _Row(_dot(y, other_z), 0.0, _ROLL),
        _Row(_dot(y, other_x), 0.0, _BEND),
        *(_Row(across, 0.0, 2.0 * _PLANE) for across in level),
    ]


def _feet_beside(directions: _Directions, adult: float) -> list[_Row]:
    """Feet are parallel, point where the pelvis does, and touch."""
    side = directions.axis(_PELVIS, 0)
    left, right = (_dot(directions.axis(foot, 2), side) for foot in FOOT_TRACKERS)
    return [
        _Row(left.plus(right, -1.0), 2.0 * np.sin(_TOES_OUT), np.sqrt(2.0) * _FOOT),
        _Row(left.plus(right), 0.0, 2.0 * float(np.hypot(_FEET, _FOOT / np.sqrt(2.0)))),
        _Row(
            _dot(directions.between(*FOOT_TRACKERS), side),
            _FEET_APART * adult,
            _APART * adult,
            _ROBUST_DISTANCE,
        ),
    ]


def _looking_ahead(directions: _Directions) -> list[_Row]:
    """The head is upright and points where the pelvis does."""
    ahead, up = directions.axis(_HEAD, 2), directions.up()
    return [
        _Row(_dot(ahead, up), 0.0, _PITCH),
        _Row(_dot(ahead, directions.axis(_PELVIS, 0)), 0.0, _YAW),
        _Row(_dot(directions.axis(_HEAD, 0), up), 0.0, _HEAD_ROLL),
    ]
