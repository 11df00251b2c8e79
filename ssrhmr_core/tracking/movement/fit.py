# SPDX-License-Identifier: GPL-3.0-or-later
"""The most probable mounts, bones, floor and poses for some frames of six trackers.

The unknowns of each frame are one pose; those of all frames are the mounts, the height of the floor
and, if asked, bone lengths. Gauss-Newton steps solve for all of them at once
(:mod:`ssrhmr_core.tracking.pose_equations`) from what each kind of evidence tells
(:mod:`ssrhmr_core.tracking.movement.residuals`). Changes of joint angles from frame to frame have a
Cauchy price, which starts wide and narrows (graduated non-convexity).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...body.skeleton import Skeleton
from ...geometry.rotations import from_rotvec, rotate, to_quat, transpose
from ...model.ik_baseline import predict_without_network
from ...solver import solve, solver_skeleton
from ..pose_equations import (
    REDUCED_UNKNOWNS,
    REDUCTION,
    NormalEquations,
    Solution,
    solve_equations,
)
from ..pose_model import PosedBody, Poses, decompose, pose_body
from ..stance_average import BodyPrior
from .evidence import Evidence, TrackerMounts, find_standing, usual_angles
from .hold_residuals import add_holds
from .residuals import (
    FLOOR,
    OFFSETS,
    ROTATIONS,
    SHAPE,
    Estimate,
    Problem,
    add_changes,
    add_standing_foot,
    add_trackers,
    add_usual_angles,
    add_usual_shared,
    tracker_positions,
)

_WIDEST, _NARROWING_STEPS = 8.0, 12
"""Factor of the price's width in the first step, and the number of steps in which it falls to 1."""
_ITERATIONS = 40
_DAMPING = 1e-3
_LARGEST_STEP = 0.5
"""Radians that a joint turns at most in a step."""
_SETTLED_OFFSET, _SETTLED_ROTATION = 2e-4, 2e-3
"""Metres and radians by which mounts change in a step that is taken for the last."""


@dataclass(frozen=True, eq=False)
class MovementFit:
    """The most probable values.

    Attributes:
        mounts: The mounts.
        skeleton: The body, of another shape if that was asked for.
        shape: (1 + K,) the shape within what was known of the body; empty if it was certain.
        poses: The poses.
        floor: Height of the floor, metres.
        offset_spreads: (6, 3) standard deviations of the mounts' offsets, metres.
        rotation_spreads: (6, 3) those of their rotations, radians.
        residuals: (F, 6) distances between measured trackers and modelled ones, metres.
    """

    mounts: TrackerMounts
    skeleton: Skeleton
    shape: np.ndarray
    poses: Poses
    floor: float
    offset_spreads: np.ndarray
    rotation_spreads: np.ndarray
    residuals: np.ndarray


def fit_movement(
    skeleton: Skeleton,
    evidence: Evidence,
    mounts: TrackerMounts,
    usual_mounts: np.ndarray,
    mount_spreads: np.ndarray,
    body: BodyPrior | None = None,
    former: MovementFit | None = None,
) -> MovementFit:
    """Find the most probable mounts, floor and poses.

    Args:
        skeleton: The performer's body.
        evidence: What is seen; frames of the reference pose come with it.
        mounts: Where to begin, as the reference pose calibrates them.
        usual_mounts: (6, 3) where trackers are usually worn, metres in the joints' axes.
        mount_spreads: (6, 3) standard deviations of that.
        body: What is known of the body, to find its shape too; None if it is known for certain.
        former: A fit of the same evidence to begin with instead, if it was told otherwise where
            trackers are usually worn.
    """
    problem = Problem(
        evidence,
        skeleton,
        body,
        usual_angles(evidence),
        usual_mounts,
        mount_spreads,
        find_standing(evidence.positions),
    )
    estimate = _start(problem, mounts) if former is None else _resume(former)
    for iteration in range(0 if former is None else _NARROWING_STEPS, _ITERATIONS):
        width = max(1.0, _WIDEST * (1.0 - iteration / _NARROWING_STEPS))
        posed = pose_body(estimate.poses, estimate.offsets)
        solution = _step(problem, estimate, posed, width)
        estimate = _advance(problem, estimate, solution)
        moved = np.abs(solution.shared)
        settled = (
            moved[OFFSETS].max() < _SETTLED_OFFSET and moved[ROTATIONS].max() < _SETTLED_ROTATION
        )
        if iteration > _NARROWING_STEPS and settled:
            break
    spreads = np.sqrt(np.diag(solution.covariance))
    posed = pose_body(estimate.poses, estimate.offsets)
    return MovementFit(
        estimate.mounts,
        Skeleton(estimate.offsets, skeleton.present),
        estimate.shape,
        estimate.poses,
        estimate.floor,
        spreads[OFFSETS].reshape(6, 3),
        spreads[ROTATIONS].reshape(6, 3),
        np.linalg.norm(evidence.positions - tracker_positions(estimate, posed), axis=-1),
    )


def _start(problem: Problem, mounts: TrackerMounts) -> Estimate:
    """Pose the body without a network so that it meets the trackers as calibrated."""
    skeleton, evidence = problem.skeleton, problem.evidence
    rotations = evidence.rotations @ transpose(mounts.rotations)
    positions = evidence.positions - rotate(rotations, mounts.offsets)
    guess, poles = predict_without_network(to_quat(rotations))
    offsets = skeleton.offsets.astype(np.float64)
    solved = solve(
        guess.astype(np.float32),
        poles.astype(np.float32),
        positions.astype(np.float32),
        rotations.astype(np.float32),
        solver_skeleton(skeleton.offsets),
    )
    poses = decompose(solved, positions[:, 0], offsets, poles)
    shape = problem.body.nearest_shape(skeleton) if problem.body else np.zeros(0)
    return Estimate(poses, mounts, offsets, shape, 0.0)


def _resume(former: MovementFit) -> Estimate:
    offsets = former.skeleton.offsets.astype(np.float64)
    return Estimate(former.poses, former.mounts, offsets, former.shape, former.floor)


def _step(problem: Problem, estimate: Estimate, body: PosedBody, width: float) -> Solution:
    equations = NormalEquations(len(problem.evidence.positions), problem.unknowns)
    add_trackers(equations, problem, estimate, body)
    add_usual_angles(equations, problem, estimate.poses.values())
    for side in range(2):
        add_standing_foot(equations, problem, estimate, body, side)
    add_holds(equations, problem, body)
    add_usual_shared(equations, problem, estimate)
    equations.reduce()
    weights = add_changes(equations, problem, estimate, width)
    diagonal = np.arange(REDUCED_UNKNOWNS)
    equations.poses[:, diagonal, diagonal] *= 1.0 + _DAMPING
    equations.poses[:, diagonal, diagonal] += 1e-6
    return solve_equations(equations, weights)


def _advance(problem: Problem, estimate: Estimate, solution: Solution) -> Estimate:
    """Return the estimates after a step, shortened where joints would turn too far."""
    shortened = 1.0 / max(1.0, np.abs(solution.poses[:, 3:]).max() / _LARGEST_STEP)
    poses, shared = shortened * solution.poses, shortened * solution.shared
    rotvecs = shared[ROTATIONS].reshape(6, 3)
    mounts = TrackerMounts(
        estimate.mounts.offsets + shared[OFFSETS].reshape(6, 3),
        from_rotvec(rotvecs) @ estimate.mounts.rotations,
    )
    estimate = replace(
        estimate,
        poses=estimate.poses.step(poses @ REDUCTION.T),
        mounts=mounts,
        floor=estimate.floor + float(shared[FLOOR]),
    )
    if not problem.body:
        return estimate
    shape = estimate.shape + shared[SHAPE]
    return replace(estimate, shape=shape, offsets=problem.body.offsets(shape))
