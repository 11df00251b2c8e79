# SPDX-License-Identifier: GPL-3.0-or-later
"""The terms of the most probable fit of a movement: what each kind of evidence tells.

Each function adds residuals in units of their spreads to the normal equations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...body.skeleton import FOOT_TRACKERS, PARENTS, TRACKER_JOINTS, Skeleton
from ...geometry.rotations import rotate, to_rotvec, transpose
from ..pose_equations import POSE_UNKNOWNS, REDUCED_UNKNOWNS, NormalEquations
from ..pose_model import (
    DEGREE_INDEX,
    DEGREE_JOINTS,
    DEGREES,
    MOVES_TRACKER,
    SIDES,
    PosedBody,
    Poses,
    joints_up_to_root,
)
from ..pose_priors import (
    ARM_GROUPS,
    GROUP_OF_DEGREE,
    REDUCED_NAMES,
    SUM_OF_SPINE,
    AngleDistribution,
    change_scales,
)
from ..reference_pose import measure_ankle_height
from ..stance_average import BodyPrior
from .evidence import Evidence, TrackerMounts

_POSITION_SPREAD, _ROTATION_SPREAD = 0.003, np.radians(1.5)
"""How far the model may miss trackers: metres and radians. It stands for soft tissue and for all
that the jointed body leaves out; sensors are better."""
_FLOOR_SPREAD = 0.03
"""Spread of the floor about height 0, metres."""
_HYPEREXTENSION = np.radians(2.0)
"""Spread of knees and elbows beyond straight."""
_FREE_ROTATION = 1e-6
"""Inverse variance of mount rotations: trackers may be turned in any way."""
OFFSETS, ROTATIONS, FLOOR, SHAPE = slice(0, 18), slice(18, 36), 36, slice(37, None)
"""What all frames share, by its columns: mounts, floor, and the body's shape."""
_CHAINS = [joints_up_to_root(joint)[:-1] for joint in TRACKER_JOINTS]
_TRACKED = list(TRACKER_JOINTS)
_HINGE_FLEXES = [
    DEGREE_INDEX[f"{side}_{part}.flex"] for side, _ in SIDES for part in ("elbow", "knee")
]


@dataclass(frozen=True, eq=False)
class Estimate:
    """Estimates during the iterations; `shape` is that of the body's prior, if it is unknown."""

    poses: Poses
    mounts: TrackerMounts
    offsets: np.ndarray
    shape: np.ndarray
    floor: float


@dataclass(frozen=True, eq=False)
class Problem:
    """What the iterations do not change.

    Attributes:
        evidence: The trackers.
        skeleton: The body at the start.
        body: What is known of the body; None if it is known for certain.
        usual: (F, D) means and spreads of the angles.
        usual_mounts: (6, 3) where trackers are usually worn, metres in the joints' axes.
        mount_spreads: (6, 3) spreads of that.
        standing: (F, 2) bool, True where a foot stands.
    """

    evidence: Evidence
    skeleton: Skeleton
    body: BodyPrior | None
    usual: AngleDistribution
    usual_mounts: np.ndarray
    mount_spreads: np.ndarray
    standing: np.ndarray

    @property
    def unknowns(self) -> int:
        """The number of unknowns that all frames share."""
        return SHAPE.start + (self.body.unknowns if self.body else 0)


def tracker_positions(estimate: Estimate, body: PosedBody) -> np.ndarray:
    """Return the modelled positions of the trackers (F, 6, 3)."""
    levers = rotate(body.rotations[:, _TRACKED], estimate.mounts.offsets)
    return body.positions[:, _TRACKED] + levers


def add_trackers(
    equations: NormalEquations, problem: Problem, estimate: Estimate, body: PosedBody
) -> None:
    """Add the positions and rotations that the trackers measured."""
    evidence, frames = problem.evidence, len(body.positions)
    joints = body.rotations[:, _TRACKED]
    modelled = tracker_positions(estimate, body)
    turned = transpose(joints @ estimate.mounts.rotations)
    residuals = [
        (evidence.positions - modelled) / _POSITION_SPREAD,
        to_rotvec(evidence.rotations @ turned) / _ROTATION_SPREAD,
    ]
    levers = modelled[:, None] - body.positions[:, DEGREE_JOINTS][:, :, None]
    axes = np.broadcast_to(body.axes[:, :, None], levers.shape)
    moves = MOVES_TRACKER[None, :, :, None]
    by_pose = np.zeros((frames, 36, POSE_UNKNOWNS))
    by_pose[:, :18, :3] = np.tile(np.eye(3), (6, 1)) / _POSITION_SPREAD
    by_pose[:, :18, 3:] = _rows(np.cross(axes, levers) * moves) / _POSITION_SPREAD
    by_pose[:, 18:, 3:] = _rows(axes * moves) / _ROTATION_SPREAD
    by_shared = np.zeros((frames, 36, problem.unknowns))
    for tracker in range(6):
        rows = slice(3 * tracker, 3 * tracker + 3)
        turns = slice(18 + 3 * tracker, 21 + 3 * tracker)
        by_shared[:, rows, rows] = joints[:, tracker] / _POSITION_SPREAD
        by_shared[:, turns, turns] = joints[:, tracker] / _ROTATION_SPREAD
        if problem.body:
            by_shape = _derivative_by_shape(problem.body, estimate, body, _CHAINS[tracker])
            by_shared[:, rows, SHAPE] = by_shape / _POSITION_SPREAD
    equations.add(
        np.concatenate([part.reshape(frames, 18) for part in residuals], 1), by_pose, by_shared
    )


def _rows(derivatives: np.ndarray) -> np.ndarray:
    """Bring derivatives (F, D, 6, 3) into rows: (F, 18, D)."""
    return derivatives.transpose(0, 2, 3, 1).reshape(len(derivatives), 18, DEGREES)


def _derivative_by_shape(
    prior: BodyPrior, estimate: Estimate, body: PosedBody, chain: list[int]
) -> np.ndarray:
    """Return derivatives (F, 3, 1 + K) of the end of a chain by the body's shape."""
    changes = prior.derivatives(estimate.shape)
    derivatives = np.zeros((len(body.positions), 3, prior.unknowns))
    for joint in chain:
        derivatives += body.rotations[:, PARENTS[joint]] @ changes[:, joint].T
    return derivatives


def add_usual_angles(equations: NormalEquations, problem: Problem, values: np.ndarray) -> None:
    """Pull angles (F, D) to what is usual, and hinges back that bend the wrong way."""
    precisions = 1.0 / problem.usual.spread**2
    equations.add_diagonal(problem.usual.mean - values, precisions)
    hinges = np.zeros_like(values)
    flexes = values[:, _HINGE_FLEXES]
    hinges[:, _HINGE_FLEXES] = np.where(flexes < 0.0, _HYPEREXTENSION**-2, 0.0)
    equations.add_diagonal(-values, hinges)


def add_standing_foot(
    equations: NormalEquations, problem: Problem, estimate: Estimate, body: PosedBody, side: int
) -> None:
    """Add that a standing foot is flat, and its ankle as high over the floor as the body has it."""
    frames, foot = len(body.positions), FOOT_TRACKERS[side]
    habits = problem.evidence.habits
    joint = TRACKER_JOINTS[foot]
    up, tilts = body.rotations[:, joint, :, 1], body.axis_derivatives(foot, 1)
    by_pose = np.zeros((frames, 3, POSE_UNKNOWNS))
    by_pose[:, 0, 1] = 1.0 / habits.sole_spread
    by_pose[:, 0, 3:] = body.position_derivatives(foot)[..., 1] / habits.sole_spread
    by_pose[:, 1, 3:], by_pose[:, 2, 3:] = (
        tilts[..., 0] / habits.sole_tilt,
        tilts[..., 2] / habits.sole_tilt,
    )
    by_shared = np.zeros((frames, 3, problem.unknowns))
    by_shared[:, 0, FLOOR] = -1.0 / habits.sole_spread
    height = estimate.floor + measure_ankle_height(Skeleton(estimate.offsets))
    residuals = np.stack(
        [
            (height - body.positions[:, joint, 1]) / habits.sole_spread,
            -up[:, 0] / habits.sole_tilt,
            -up[:, 2] / habits.sole_tilt,
        ],
        -1,
    )
    # All frames together count as a few.
    weights = problem.standing[:, side] * np.sqrt(min(habits.independent_frames / frames, 1.0))
    equations.add(
        weights[:, None] * residuals,
        weights[:, None, None] * by_pose,
        weights[:, None, None] * by_shared,
    )


def add_usual_shared(equations: NormalEquations, problem: Problem, estimate: Estimate) -> None:
    """Pull mounts, floor and bones to what is usual."""
    away = (problem.usual_mounts - estimate.mounts.offsets).ravel()
    equations.pull_shared(OFFSETS, away, problem.mount_spreads.ravel())
    equations.pull_shared(ROTATIONS, 0.0, _FREE_ROTATION**-0.5)
    equations.pull_shared(FLOOR, -estimate.floor, _FLOOR_SPREAD)
    if problem.body:
        equations.pull_shared(SHAPE, -estimate.shape, 1.0)


def add_changes(
    equations: NormalEquations, problem: Problem, estimate: Estimate, width: float
) -> np.ndarray:
    """Add the price of changes from frame to frame.

    Returns:
        (F - 1, R) weights that couple each reduced degree of freedom to the next frame.
    """
    changes = estimate.poses.changes() @ SUM_OF_SPINE
    # The pelvis itself turns at no cost.
    free = [name.startswith("hips.") for name in REDUCED_NAMES]
    changes[:, free] = 0.0
    habits = problem.evidence.habits
    scales = change_scales(
        habits.distal_change, habits.neck_change, habits.leg_change, habits.proximal_change
    )
    squares = np.zeros((len(changes), len(scales)))
    for degree, group in enumerate(GROUP_OF_DEGREE):
        squares[:, group] += changes[:, degree] ** 2
    variances = (width * scales) ** 2
    by_group = problem.evidence.consecutive[:, None] / (variances + squares)
    # Hands that come together turn all joints of both arms. The price would have one of them do it,
    # and mounts of the hands would absorb the difference.
    free_arms = problem.evidence.holds.arms_move
    by_group[np.ix_(free_arms[1:] | free_arms[:-1], ARM_GROUPS)] = 0.0
    weights = by_group[:, GROUP_OF_DEGREE]
    weights[:, free] = 0.0
    diagonal = np.arange(3, REDUCED_UNKNOWNS)
    equations.poses[1:, diagonal, diagonal] += weights
    equations.poses[:-1, diagonal, diagonal] += weights
    equations.pose_right[1:, 3:] -= weights * changes
    equations.pose_right[:-1, 3:] += weights * changes
    return weights
