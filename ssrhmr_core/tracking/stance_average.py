# SPDX-License-Identifier: GPL-3.0-or-later
"""The average of all stances that fit trackers in a reference pose, weighted by their probability.

Nobody says which kind of device sits where: a belt clip may be in front or behind, a tracker on the
instep or the ankle. The single most probable guess is often wrong, and the average of all guesses
errs least. For each combination of kinds (:mod:`ssrhmr_core.tracking.mount_kinds`) all that is
unknown has a normal distribution about the present estimate, so that the probability of the
combination and the stance it leads to follow from one linear system.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from ..body.skeleton import (
    ADULT_SIZE,
    FOOT_TRACKERS,
    INDEX,
    PARENTS,
    TRACKER_JOINTS,
    TRACKERS,
    Skeleton,
    forward_kinematics,
)
from ..geometry.rotations import X_AXIS, Y_AXIS, Z_AXIS, rotation_about
from .mount_kinds import MOUNT_ROLES, ON_JOINTS, MountKind, MountRole, place_kind
from .reference_pose import FACING_SPREAD, TOES_OUT, ReferencePose, Stance
from .subsets import shows_direction

_PELVIS, _HEAD = TRACKERS.index("pelvis"), TRACKERS.index("head")
_HANDS = (TRACKERS.index("left_hand"), TRACKERS.index("right_hand"))
_TOES = [INDEX["left_toe"], INDEX["right_toe"]]
_STRAIGHT = np.tile(np.eye(3), (len(PARENTS), 1, 1))
"""The rotations of the canonical T-pose."""
_POSITION, _HEADING, _RAISE, _SWEEP = slice(0, 3), 3, slice(4, 6), slice(6, 8)
_SPREAD, _LEAN, _SHAPE = slice(8, 10), slice(10, 13), 13
_POSTURE = slice(4, 13)
_POSTURE_SPREAD = np.radians([4.5, 4.5, 5.0, 5.0, 2.5, 2.5, 3.5, 2.0, 2.0])
"""Radians by which people deviate from a reference pose: arms up and to the front, legs apart, and
the trunk to the front, to the side and about itself."""
_APART, _SWEPT = np.radians(2.5), np.radians(3.0)
"""Radians by which legs usually are apart, and arms in front of the body."""
_ELBOW_BEND = np.radians(4.0)
"""Radians by which elbows usually bend that should be straight: forearms point to the front."""
_POSTURE_MEAN = np.array([0.0, 0.0, _SWEPT, _SWEPT, _APART, _APART, 0.0, 0.0, 0.0])
_GROUND_SPREAD = 0.02
"""Spread of the height of standing ankles, metres on an adult."""
_FAR = 3.0
"""Spread of the position in the room, metres on an adult: wide enough to mean nothing."""
_ROUNDS = 6
_LARGEST_STEP = 0.3
_SETTLED = 1e-4
_DIFFERENCE = 1e-5
_SHAPE_STEPS, _SHAPE_TOLERANCE = 4, 0.002
"""Steps to the shape of a body, and metres by which its offsets may differ."""
_LARGEST_SHAPE = 3.5
"""Spreads from the most usual body, beyond which none is looked for."""


@dataclass(frozen=True, eq=False)
class BodyPrior:
    """What is known of a body.

    Attributes:
        skeleton: The most usual body.
        components: (K, 22, 3) changes of its offsets by K unknowns, whose spread is 1, metres.
        size_spread: Spread of the logarithm of the size, 0 if it is known.
    """

    skeleton: Skeleton
    components: np.ndarray = field(default_factory=lambda: np.zeros((0, len(PARENTS), 3)))
    size_spread: float = 0.0

    @property
    def unknowns(self) -> int:
        """The number of unknowns of a shape: the size, then the components."""
        return 1 + len(self.components)

    def factor(self, shape: np.ndarray) -> float:
        """Return the size of a body relative to the most usual one."""
        return float(np.exp(self.size_spread * shape[0]))

    def offsets(self, shape: np.ndarray) -> np.ndarray:
        """Return the offsets (22, 3) of a body of a shape (1 + K,), in float64."""
        changes = np.tensordot(shape[1:], self.components, 1)
        return self.factor(shape) * (self.skeleton.offsets.astype(np.float64) + changes)

    def derivatives(self, shape: np.ndarray) -> np.ndarray:
        """Return the derivatives (1 + K, 22, 3) of the offsets by a shape."""
        by_size = self.size_spread * self.offsets(shape)
        return np.concatenate([by_size[None], self.factor(shape) * self.components])

    def nearest_shape(self, skeleton: Skeleton) -> np.ndarray:
        """Return the shape (1 + K,) whose offsets are nearest to those of a body."""
        shape = np.zeros(self.unknowns)
        for _ in range(_SHAPE_STEPS):
            slopes = self.derivatives(shape).reshape(self.unknowns, -1).T
            away = (skeleton.offsets - self.offsets(shape)).ravel()
            # The spreads of 1 keep shapes small that offsets hardly show.
            normal = slopes.T @ slopes / _SHAPE_TOLERANCE**2 + np.eye(self.unknowns)
            right = slopes.T @ away / _SHAPE_TOLERANCE**2 - shape
            shape = shape + np.linalg.solve(normal, right)
        return shape

    def ankle_height(self, shape: np.ndarray) -> float:
        """Return the height of the ankles of a standing body over the ground, metres."""
        toes = float(self.offsets(shape)[_TOES, 1].mean())
        return max(-toes, 0.0) + self.factor(shape) * self.skeleton.sole_height


class AverageStance(NamedTuple):
    """The average of all stances.

    Attributes:
        positions: (6, 3) positions of the tracked joints, metres.
        rotations: (6, 3, 3) canonical global rotations of the tracked joints.
        skeleton: The body.
        size: Its size relative to the most usual body.
    """

    positions: np.ndarray
    rotations: np.ndarray
    skeleton: Skeleton
    size: float


class _Parameters(NamedTuple):
    """What all estimates of a stance share.

    Attributes:
        body: What is known of the body.
        positions: (6, 3) positions of the trackers, zero without one.
        tracked: (6,) bool, which trackers there are.
        elevation: Arm elevation of the reference pose, radians.
        start: The stance to begin with.
        heading: Heading that a tracker's own front shows, radians; None if positions show it.
        adult: The size of the performer relative to an adult.
    """

    body: BodyPrior
    positions: np.ndarray
    tracked: np.ndarray
    elevation: float
    start: Stance
    heading: float | None
    adult: float


class _Joints(NamedTuple):
    """The tracked joints of a stance: (6, 3) positions and (6, 3, 3) rotations."""

    positions: np.ndarray
    rotations: np.ndarray


def average_stances(
    body: BodyPrior,
    positions: np.ndarray,
    start: Stance,
    reference: ReferencePose = ReferencePose.T_POSE,
    front: float = 0.0,
) -> AverageStance:
    """Average all stances that fit the trackers.

    Args:
        body: What is known of the body.
        positions: (6, 3) positions of the trackers in metres, NaN without one.
        start: The most probable stance of the most usual body.
        reference: The pose that the performer was asked for.
        front: Heading of the performer in radians, for trackers whose positions do not show it.
    """
    tracked = np.isfinite(positions).all(-1)
    parameters = _Parameters(
        body,
        np.where(tracked[:, None], positions, 0.0),
        tracked,
        np.radians(reference.arm_elevation),
        start,
        None if shows_direction(tracked) else front,
        body.skeleton.size / ADULT_SIZE,
    )
    x = np.zeros(_SHAPE + body.unknowns)
    ahead = start.rotations[_PELVIS, :, 2]
    x[_POSITION], x[_HEADING] = start.positions[_PELVIS], np.arctan2(ahead[0], ahead[2])
    x[_POSTURE] = _POSTURE_MEAN
    for _ in range(_ROUNDS):
        step = _average_step(parameters, x)
        step[_HEADING:_SHAPE] = np.clip(step[_HEADING:_SHAPE], -_LARGEST_STEP, _LARGEST_STEP)
        x = x + step
        x[_SHAPE:] = np.clip(x[_SHAPE:], -_LARGEST_SHAPE, _LARGEST_SHAPE)
        if np.abs(step).max() < _SETTLED:
            break
    shape = x[_SHAPE:]
    skeleton = replace(
        body.skeleton.scaled(body.factor(shape)), offsets=body.offsets(shape).astype(np.float32)
    )
    joints = _pose_joints(parameters, x)
    return AverageStance(joints.positions, joints.rotations, skeleton, body.factor(shape))


def _pose_joints(parameters: _Parameters, x: np.ndarray) -> _Joints:
    """Return the tracked joints for parameters (n,)."""
    # In float64, for derivatives.
    rest = forward_kinematics(_STRAIGHT, np.zeros(3), parameters.body.offsets(x[_SHAPE:]))
    front, side_, about = x[_LEAN]
    lean = (
        rotation_about(Y_AXIS, about)
        @ rotation_about(X_AXIS, front)
        @ rotation_about(Z_AXIS, side_)
    )
    positions = rest[list(TRACKER_JOINTS)]
    rotations = np.tile(np.eye(3), (6, 1, 1))
    positions[_HEAD] = lean @ positions[_HEAD]
    sides = zip(("left", "right"), (1.0, -1.0), _HANDS, FOOT_TRACKERS, strict=True)
    for number, (side, sign, hand, foot) in enumerate(sides):
        raised = sign * (parameters.elevation + x[_RAISE][number])
        swept = rotation_about(Y_AXIS, -sign * x[_SWEEP][number])
        arm = swept @ rotation_about(Z_AXIS, raised)
        shoulder, elbow, hip = (
            rest[INDEX[f"{side}_{part}"]] for part in ("shoulder", "elbow", "hip")
        )
        bend = 0.0 if parameters.start.on_joints else _ELBOW_BEND
        rotations[hand] = arm @ rotation_about(Y_AXIS, -sign * bend)
        positions[hand] = (
            lean @ shoulder + arm @ (elbow - shoulder) + rotations[hand] @ (positions[hand] - elbow)
        )
        apart = rotation_about(Z_AXIS, sign * x[_SPREAD][number])
        positions[foot] = hip + apart @ (positions[foot] - hip)
        toes_out = 0.0 if parameters.start.on_joints else TOES_OUT
        rotations[foot] = rotation_about(Y_AXIS, sign * toes_out)
    heading = rotation_about(Y_AXIS, x[_HEADING])
    return _Joints(positions @ heading.T + x[_POSITION], heading @ rotations)


class _Terms(NamedTuple):
    """Normal equations of C combinations: (C, n, n), right-hand sides (C, n), and costs (C,)."""

    normal: np.ndarray
    right: np.ndarray
    costs: np.ndarray

    def combine(self, kinds: list[_Terms]) -> _Terms:
        """Return the combinations of each of these with each of some kinds."""
        others = _Terms(*(np.concatenate(parts) for parts in zip(*kinds, strict=True)))
        return _Terms(
            *(
                (own[:, None] + other[None]).reshape(-1, *own.shape[1:])
                for own, other in zip(self, others, strict=True)
            )
        )


def _average_step(parameters: _Parameters, x: np.ndarray) -> np.ndarray:
    """Return the step to the average of all stances, linearised at parameters (n,)."""
    values = _evaluate(parameters, x)
    steps = _DIFFERENCE * np.eye(len(x))
    slopes = np.stack([(_evaluate(parameters, x + s) - values) / _DIFFERENCE for s in steps], -1)
    residuals, by_x = values[18:], slopes[18:]
    offsets, offsets_by_x = values[:18].reshape(6, 3), slopes[:18].reshape(6, 3, -1)
    usual = _Terms((by_x.T @ by_x)[None], (-by_x.T @ residuals)[None], np.zeros(1))
    worn, on_joints = usual, usual
    for role, on_joint in zip(MOUNT_ROLES, ON_JOINTS, strict=True):
        if not parameters.tracked[list(role.trackers)].any():
            continue
        worn, on_joints = (
            terms.combine(
                [_weigh_kind(parameters, own, kind, offsets, offsets_by_x) for kind in own.kinds]
            )
            for terms, own in ((worn, role), (on_joints, on_joint))
        )
    normal, right, costs = (np.concatenate(parts) for parts in zip(worn, on_joints, strict=True))
    solved = np.linalg.solve(normal, right[..., None])[..., 0]
    costs = costs - (right * solved).sum(-1) + np.linalg.slogdet(normal)[1]
    weights = np.exp(-0.5 * (costs - costs.min()))
    average: np.ndarray = (weights / weights.sum()) @ solved
    return average


def _weigh_kind(
    parameters: _Parameters,
    role: MountRole,
    kind: MountKind,
    offsets: np.ndarray,
    offsets_by_x: np.ndarray,
) -> _Terms:
    """Return what mount offsets (6, 3) and their derivatives (6, 3, n) tell if of a kind."""
    own = [tracker for tracker in role.trackers if parameters.tracked[tracker]]
    rows = [role.trackers.index(tracker) for tracker in own]
    mean, spread = (value[rows] for value in place_kind(role, kind))
    width = parameters.adult * spread
    away = ((offsets[own] - parameters.adult * mean) / width).ravel()
    slopes = (offsets_by_x[own] / width[..., None]).reshape(len(away), -1)
    share = kind.share / sum(other.share for other in role.kinds)
    cost = away @ away + 2.0 * np.log(spread).sum() - 2.0 * np.log(share)
    return _Terms((slopes.T @ slopes)[None], (-slopes.T @ away)[None], np.array([cost]))


def _evaluate(parameters: _Parameters, x: np.ndarray) -> np.ndarray:
    """Return the mount offsets (18,) for parameters, then all deviations from what is usual."""
    joints = _pose_joints(parameters, x)
    mounts = np.einsum("tji,tj->ti", joints.rotations, parameters.positions - joints.positions)
    terms = [
        mounts.ravel(),
        (x[_POSTURE] - _POSTURE_MEAN) / _POSTURE_SPREAD,
        x[_SHAPE:],
        (x[_POSITION] - parameters.start.positions[_PELVIS]) / (_FAR * parameters.adult),
    ]
    if parameters.start.grounded:
        ankles = joints.positions[list(FOOT_TRACKERS), 1].mean()
        height = ankles - parameters.body.ankle_height(x[_SHAPE:])
        terms.append(np.array([height / (_GROUND_SPREAD * parameters.adult)]))
    if parameters.heading is not None:
        off = np.angle(np.exp(1j * (x[_HEADING] - parameters.heading)))
        terms.append(np.array([off / FACING_SPREAD]))
    return np.concatenate(terms)
