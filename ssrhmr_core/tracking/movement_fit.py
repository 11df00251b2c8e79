# SPDX-License-Identifier: GPL-3.0-or-later
"""The most probable mounts, bones, floor and poses for some frames of six trackers.

The unknowns of each frame are one pose; those of all frames are the mounts, the height of the floor
and, if asked, bone lengths. Gauss-Newton steps solve for all of them at once: poses couple to their
neighbours only, so that their normal equations are block-tridiagonal, and mounts remain as a small
dense system (a Schur complement). Changes of joint angles from frame to frame have a Cauchy price,
which starts wide and narrows (graduated non-convexity).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from ..body.skeleton import FOOT_TRACKERS, PARENTS, TRACKER_JOINTS, Skeleton
from ..geometry.rotations import from_rotvec, rotate, to_quat, to_rotvec, transpose
from ..model.ik_baseline import predict_without_network
from ..solver import solve, solver_skeleton
from .pose_model import (
    DEGREE_INDEX,
    DEGREE_JOINTS,
    DEGREES,
    MOVES_TRACKER,
    SIDES,
    PosedBody,
    Poses,
    decompose,
    joints_up_to_root,
    pose_body,
)
from .pose_priors import (
    BONE_GROUPS,
    GROUP_OF_DEGREE,
    REDUCED_NAMES,
    SHARE_OF_SPINE,
    SIZE_SPREAD,
    SUM_OF_SPINE,
    AngleDistribution,
    bone_group_joints,
    change_scales,
    moving_angles,
    standing_angles,
)
from .reference_pose import measure_ankle_height

_POSITION_SPREAD, _ROTATION_SPREAD = 0.003, np.radians(1.5)
"""How far the model may miss trackers: metres and radians. It stands for soft tissue and for all
that the jointed body leaves out; sensors are better."""
_FLOOR_SPREAD = 0.03
"""Spread of the floor about height 0, metres."""
_STILL_STEP, _LOW_PERCENT, _LOW_MARGIN = 0.012, 15.0, 0.04
"""A foot stands where its tracker moves less than the step from frame to frame, and lies less than
the margin over the percentile of its heights; metres."""
_HYPEREXTENSION = np.radians(2.0)
"""Spread of knees and elbows beyond straight."""
_FREE_ROTATION = 1e-6
"""Inverse variance of mount rotations: trackers may be turned in any way."""
_WIDEST, _NARROWING_STEPS = 8.0, 12
"""Factor of the price's width in the first step, and the number of steps in which it falls to 1."""
_ITERATIONS = 40
_DAMPING = 1e-3
_LARGEST_STEP = 0.5
"""Radians that a joint turns at most in a step."""
_SETTLED_OFFSET, _SETTLED_ROTATION = 2e-4, 2e-3
"""Metres and radians by which mounts change in a step that is taken for the last."""

_POSE = 3 + DEGREES
_REDUCED = 3 + len(REDUCED_NAMES)
_OFFSETS, _ROTATIONS, _FLOOR, _SIZE = slice(0, 18), slice(18, 36), 36, 37
_BONES = slice(38, 38 + len(BONE_GROUPS))
_BONE_JOINTS = bone_group_joints()
_BONE_SPREADS = np.array([spread for _, spread in BONE_GROUPS])
_CHAINS = [joints_up_to_root(joint)[:-1] for joint in TRACKER_JOINTS]
_TRACKED = list(TRACKER_JOINTS)
_DIAGONAL = np.arange(3, _POSE)
_HINGE_FLEXES = [
    DEGREE_INDEX[f"{side}_{part}.flex"] for side, _ in SIDES for part in ("elbow", "knee")
]
_REDUCTION = np.zeros((_POSE, _REDUCED))
_REDUCTION[:3, :3] = np.eye(3)
_REDUCTION[3:, 3:] = SHARE_OF_SPINE


@dataclass(frozen=True)
class MovementHabits:
    """What a kind of movement is like.

    Attributes:
        independent_frames: The number of independent frames that a movement is worth for what is
            usual of poses. Frames of one movement are alike: if each counted, what is usual would
            outweigh what the trackers show.
        distal_change: Radians by which hands, ankles and head change from frame to frame without
            much of a price.
        proximal_change: The same for all other joints.
        sole_spread: Spread of standing ankles about their height over the floor, metres.
        sole_tilt: Spread of the tilt of standing feet, radians.
    """

    independent_frames: float
    distal_change: float
    proximal_change: float
    sole_spread: float
    sole_tilt: float


GUIDED = MovementHabits(8.0, np.radians(3.0), np.radians(0.7), 0.015, np.radians(3.0))
"""Habits of a guided movement, which asks for one joint at a time: hands, feet and head move at
will, other joints when it is their turn. Were changes alike for all, the circle of a hand would be
explained by a shoulder that circles, and mounts would absorb the difference."""
UNGUIDED = MovementHabits(1.0, np.radians(1.0), np.radians(3.0), 0.03, np.radians(8.0))
"""Habits of a take: whole limbs move while wrists and ankles follow, and feet roll."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is seen of a performer.

    Attributes:
        positions: (F, 6, 3) of the trackers, metres.
        rotations: (F, 6, 3, 3) of the trackers.
        reference: (F,) bool, True where the performer stands in the reference pose.
        consecutive: (F - 1,) bool, True where a frame follows the one before on the even clock.
        elevation: Angle of the arms over the horizontal in the reference pose, radians.
        habits: What the movement is like.
    """

    positions: np.ndarray
    rotations: np.ndarray
    reference: np.ndarray
    consecutive: np.ndarray
    elevation: float
    habits: MovementHabits


@dataclass(frozen=True, eq=False)
class TrackerMounts:
    """How trackers sit on their joints, seen from the joints.

    Attributes:
        offsets: (6, 3) from joint to tracker in the joint's axes, metres.
        rotations: (6, 3, 3) of the trackers relative to their joints.
    """

    offsets: np.ndarray
    rotations: np.ndarray


@dataclass(frozen=True, eq=False)
class MovementFit:
    """The most probable values.

    Attributes:
        mounts: The mounts.
        skeleton: The body, with other bone lengths if those were asked for.
        poses: The poses.
        floor: Height of the floor, metres.
        offset_spreads: (6, 3) standard deviations of the mounts' offsets, metres.
        rotation_spreads: (6, 3) those of their rotations, radians.
        residuals: (F, 6) distances between measured trackers and modelled ones, metres.
    """

    mounts: TrackerMounts
    skeleton: Skeleton
    poses: Poses
    floor: float
    offset_spreads: np.ndarray
    rotation_spreads: np.ndarray
    residuals: np.ndarray


@dataclass(frozen=True, eq=False)
class _State:
    """Estimates during the iterations; `scales` (1 + groups) are logarithms of bone lengths."""

    poses: Poses
    mounts: TrackerMounts
    offsets: np.ndarray
    scales: np.ndarray
    floor: float


@dataclass(frozen=True, eq=False)
class _Constants:
    """What the iterations do not change.

    Attributes:
        evidence: The trackers.
        skeleton: The body at the start.
        fit_bones: Whether bone lengths are unknown.
        usual: (F, D) means and spreads of the angles.
        usual_mounts: (6, 3) where trackers are usually worn, metres in the joints' axes.
        mount_spreads: (6, 3) spreads of that.
        standing: (F, 2) bool, True where a foot stands.
    """

    evidence: Evidence
    skeleton: Skeleton
    fit_bones: bool
    usual: AngleDistribution
    usual_mounts: np.ndarray
    mount_spreads: np.ndarray
    standing: np.ndarray

    @property
    def unknowns(self) -> int:
        """The number of unknowns that all frames share."""
        return _BONES.stop if self.fit_bones else _SIZE


class _NormalEquations:
    """Normal equations of the poses (F blocks of n) and of what all frames share (G).

    Attributes:
        poses: (F, n, n) blocks of the poses.
        coupling: (F, n, G) between poses and what is shared.
        shared: (G, G) block of what is shared.
        pose_right: (F, n) right-hand sides.
        shared_right: (G,) right-hand side.
    """

    def __init__(self, frames: int, unknowns: int) -> None:
        self.poses = np.zeros((frames, _POSE, _POSE))
        self.coupling = np.zeros((frames, _POSE, unknowns))
        self.shared = np.zeros((unknowns, unknowns))
        self.pose_right = np.zeros((frames, _POSE))
        self.shared_right = np.zeros(unknowns)

    def add(self, residuals: np.ndarray, by_pose: np.ndarray, by_shared: np.ndarray) -> None:
        """Add residuals in units of their spreads.

        Args:
            residuals: (F, r) measured less modelled.
            by_pose: (F, r, n) derivatives of the modelled values.
            by_shared: (F, r, G) derivatives of the modelled values.
        """
        transposed = transpose(by_pose)
        self.poses += transposed @ by_pose
        self.coupling += transposed @ by_shared
        self.pose_right += rotate(transposed, residuals)
        flat = by_shared.reshape(-1, by_shared.shape[-1])
        self.shared += flat.T @ flat
        self.shared_right += flat.T @ residuals.ravel()

    def add_diagonal(self, errors: np.ndarray, precisions: np.ndarray) -> None:
        """Pull each angle (F, D) by its error, measured less modelled, with a precision."""
        self.poses[:, _DIAGONAL, _DIAGONAL] += precisions
        self.pose_right[:, 3:] += precisions * errors

    def pull_shared(self, index: slice | int, errors: np.ndarray | float, spread: object) -> None:
        """Pull shared unknowns by their errors, with a spread."""
        precision = 1.0 / np.square(np.asarray(spread, np.float64))
        rows = np.atleast_1d(np.arange(len(self.shared))[index])
        self.shared[rows, rows] += precision
        self.shared_right[rows] += precision * np.asarray(errors)

    def reduce(self) -> None:
        """Let the three joints of the spine turn alike."""
        self.poses = _REDUCTION.T @ self.poses @ _REDUCTION
        self.coupling = _REDUCTION.T @ self.coupling
        self.pose_right = self.pose_right @ _REDUCTION


class _Solution(NamedTuple):
    """A Gauss-Newton step: (F, n) of the poses, (G,) shared, (G, G) covariance of the latter."""

    poses: np.ndarray
    shared: np.ndarray
    covariance: np.ndarray


def fit_movement(
    skeleton: Skeleton,
    evidence: Evidence,
    mounts: TrackerMounts,
    usual_mounts: np.ndarray,
    mount_spreads: np.ndarray,
    fit_bones: bool = False,
) -> MovementFit:
    """Find the most probable mounts, floor and poses.

    Args:
        skeleton: The performer's body.
        evidence: What is seen; frames of the reference pose come with it.
        mounts: Where to begin, as the reference pose calibrates them.
        usual_mounts: (6, 3) where trackers are usually worn, metres in the joints' axes.
        mount_spreads: (6, 3) standard deviations of that.
        fit_bones: Find the lengths of bones too.
    """
    constants = _Constants(
        evidence,
        skeleton,
        fit_bones,
        _usual_angles(evidence),
        usual_mounts,
        mount_spreads,
        _find_standing(evidence.positions),
    )
    state = _start(skeleton, evidence, mounts)
    for iteration in range(_ITERATIONS):
        width = max(1.0, _WIDEST * (1.0 - iteration / _NARROWING_STEPS))
        body = pose_body(state.poses, state.offsets)
        solution = _step(constants, state, body, width)
        state = _advance(constants, state, solution)
        moved = np.abs(solution.shared)
        settled = (
            moved[_OFFSETS].max() < _SETTLED_OFFSET and moved[_ROTATIONS].max() < _SETTLED_ROTATION
        )
        if iteration > _NARROWING_STEPS and settled:
            break
    spreads = np.sqrt(np.diag(solution.covariance))
    body = pose_body(state.poses, state.offsets)
    return MovementFit(
        state.mounts,
        Skeleton(state.offsets, skeleton.present),
        state.poses,
        state.floor,
        spreads[_OFFSETS].reshape(6, 3),
        spreads[_ROTATIONS].reshape(6, 3),
        np.linalg.norm(evidence.positions - _tracker_positions(state, body), axis=-1),
    )


def _usual_angles(evidence: Evidence) -> AngleDistribution:
    """Return (F, D) means and spreads, wide enough that all frames count as a few."""
    reference = evidence.reference[:, None]
    moving, standing = moving_angles(), standing_angles(evidence.elevation)
    frames = np.where(
        reference,
        max(reference.sum(), 1),
        max((~reference).sum() / evidence.habits.independent_frames, 1.0),
    )
    spread = np.where(reference, standing.spread, moving.spread)
    return AngleDistribution(
        np.where(reference, standing.mean, moving.mean), spread * np.sqrt(frames)
    )


def _find_standing(positions: np.ndarray) -> np.ndarray:
    """Return (F, 2) bools, True where a foot with trackers at positions (F, 6, 3) stands."""
    feet = positions[:, FOOT_TRACKERS]
    small = np.linalg.norm(np.diff(feet, axis=0), axis=-1) < _STILL_STEP
    still = np.ones(feet.shape[:2], bool)
    still[1:] &= small
    still[:-1] &= small
    heights = feet[..., 1]
    return still & (heights < np.percentile(heights, _LOW_PERCENT, axis=0) + _LOW_MARGIN)


def _start(skeleton: Skeleton, evidence: Evidence, mounts: TrackerMounts) -> _State:
    """Pose the body without a network so that it meets the trackers as calibrated."""
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
    return _State(poses, mounts, offsets, np.zeros(1 + len(BONE_GROUPS)), 0.0)


def _tracker_positions(state: _State, body: PosedBody) -> np.ndarray:
    """Return the modelled positions of the trackers (F, 6, 3)."""
    levers = rotate(body.rotations[:, _TRACKED], state.mounts.offsets)
    return body.positions[:, _TRACKED] + levers


def _step(constants: _Constants, state: _State, body: PosedBody, width: float) -> _Solution:
    equations = _NormalEquations(len(constants.evidence.positions), constants.unknowns)
    _add_trackers(equations, constants, state, body)
    _add_usual_angles(equations, constants, state.poses.values())
    for side in range(2):
        _add_standing_foot(equations, constants, state, body, side)
    _add_usual_shared(equations, constants, state)
    equations.reduce()
    weights = _add_changes(equations, constants, state, width)
    diagonal = np.arange(_REDUCED)
    equations.poses[:, diagonal, diagonal] *= 1.0 + _DAMPING
    equations.poses[:, diagonal, diagonal] += 1e-6
    return _solve(equations, weights)


def _add_trackers(
    equations: _NormalEquations, constants: _Constants, state: _State, body: PosedBody
) -> None:
    """Add the positions and rotations that the trackers measured."""
    evidence, frames = constants.evidence, len(body.positions)
    joints = body.rotations[:, _TRACKED]
    modelled = _tracker_positions(state, body)
    turned = transpose(joints @ state.mounts.rotations)
    residuals = [
        (evidence.positions - modelled) / _POSITION_SPREAD,
        to_rotvec(evidence.rotations @ turned) / _ROTATION_SPREAD,
    ]
    levers = modelled[:, None] - body.positions[:, DEGREE_JOINTS][:, :, None]
    axes = np.broadcast_to(body.axes[:, :, None], levers.shape)
    moves = MOVES_TRACKER[None, :, :, None]
    by_pose = np.zeros((frames, 36, _POSE))
    by_pose[:, :18, :3] = np.tile(np.eye(3), (6, 1)) / _POSITION_SPREAD
    by_pose[:, :18, 3:] = _rows(np.cross(axes, levers) * moves) / _POSITION_SPREAD
    by_pose[:, 18:, 3:] = _rows(axes * moves) / _ROTATION_SPREAD
    by_shared = np.zeros((frames, 36, constants.unknowns))
    for tracker in range(6):
        rows = slice(3 * tracker, 3 * tracker + 3)
        turns = slice(18 + 3 * tracker, 21 + 3 * tracker)
        by_shared[:, rows, rows] = joints[:, tracker] / _POSITION_SPREAD
        by_shared[:, turns, turns] = joints[:, tracker] / _ROTATION_SPREAD
        if constants.fit_bones:
            by_bones = _derivative_by_bones(state.offsets, body, _CHAINS[tracker])
            by_shared[:, rows, _SIZE:] = by_bones / _POSITION_SPREAD
    equations.add(
        np.concatenate([part.reshape(frames, 18) for part in residuals], 1), by_pose, by_shared
    )


def _rows(derivatives: np.ndarray) -> np.ndarray:
    """Bring derivatives (F, D, 6, 3) into rows: (F, 18, D)."""
    return derivatives.transpose(0, 2, 3, 1).reshape(len(derivatives), 18, DEGREES)


def _derivative_by_bones(offsets: np.ndarray, body: PosedBody, chain: list[int]) -> np.ndarray:
    """Return derivatives (F, 3, 1 + groups) of the end of a chain by logarithms of lengths."""
    bones = {joint: body.rotations[:, PARENTS[joint]] @ offsets[joint] for joint in chain}
    derivatives = np.zeros((len(body.positions), 3, 1 + len(BONE_GROUPS)))
    for joint, bone in bones.items():
        derivatives[:, :, 0] += bone
        for group, joints in enumerate(_BONE_JOINTS):
            if joint in joints:
                derivatives[:, :, 1 + group] += bone
    return derivatives


def _add_usual_angles(
    equations: _NormalEquations, constants: _Constants, values: np.ndarray
) -> None:
    """Pull angles (F, D) to what is usual, and hinges back that bend the wrong way."""
    precisions = 1.0 / constants.usual.spread**2
    equations.add_diagonal(constants.usual.mean - values, precisions)
    hinges = np.zeros_like(values)
    flexes = values[:, _HINGE_FLEXES]
    hinges[:, _HINGE_FLEXES] = np.where(flexes < 0.0, _HYPEREXTENSION**-2, 0.0)
    equations.add_diagonal(-values, hinges)


def _add_standing_foot(
    equations: _NormalEquations, constants: _Constants, state: _State, body: PosedBody, side: int
) -> None:
    """Add that a standing foot is flat, and its ankle as high over the floor as the body has it."""
    frames, foot = len(body.positions), FOOT_TRACKERS[side]
    habits = constants.evidence.habits
    joint = TRACKER_JOINTS[foot]
    moves = MOVES_TRACKER[None, :, foot, None]
    levers = body.positions[:, joint, None] - body.positions[:, DEGREE_JOINTS]
    up = body.rotations[:, joint, :, 1]
    tilts = np.cross(body.axes, up[:, None]) * moves
    by_pose = np.zeros((frames, 3, _POSE))
    by_pose[:, 0, 1] = 1.0 / habits.sole_spread
    by_pose[:, 0, 3:] = (np.cross(body.axes, levers) * moves)[..., 1] / habits.sole_spread
    by_pose[:, 1, 3:], by_pose[:, 2, 3:] = (
        tilts[..., 0] / habits.sole_tilt,
        tilts[..., 2] / habits.sole_tilt,
    )
    by_shared = np.zeros((frames, 3, constants.unknowns))
    by_shared[:, 0, _FLOOR] = -1.0 / habits.sole_spread
    height = state.floor + measure_ankle_height(Skeleton(state.offsets))
    residuals = np.stack(
        [
            (height - body.positions[:, joint, 1]) / habits.sole_spread,
            -up[:, 0] / habits.sole_tilt,
            -up[:, 2] / habits.sole_tilt,
        ],
        -1,
    )
    # All frames together count as a few.
    weights = constants.standing[:, side] * np.sqrt(min(habits.independent_frames / frames, 1.0))
    equations.add(
        weights[:, None] * residuals,
        weights[:, None, None] * by_pose,
        weights[:, None, None] * by_shared,
    )


def _add_usual_shared(equations: _NormalEquations, constants: _Constants, state: _State) -> None:
    """Pull mounts, floor and bones to what is usual."""
    away = (constants.usual_mounts - state.mounts.offsets).ravel()
    equations.pull_shared(_OFFSETS, away, constants.mount_spreads.ravel())
    equations.pull_shared(_ROTATIONS, 0.0, _FREE_ROTATION**-0.5)
    equations.pull_shared(_FLOOR, -state.floor, _FLOOR_SPREAD)
    if constants.fit_bones:
        equations.pull_shared(_SIZE, -state.scales[0], SIZE_SPREAD)
        equations.pull_shared(_BONES, -state.scales[1:], _BONE_SPREADS)


def _add_changes(
    equations: _NormalEquations, constants: _Constants, state: _State, width: float
) -> np.ndarray:
    """Add the price of changes from frame to frame.

    Returns:
        (F - 1, R) weights that couple each reduced degree of freedom to the next frame.
    """
    changes = state.poses.changes() @ SUM_OF_SPINE
    # The pelvis itself turns at no cost.
    free = [name.startswith("hips.") for name in REDUCED_NAMES]
    changes[:, free] = 0.0
    habits = constants.evidence.habits
    scales = change_scales(habits.distal_change, habits.proximal_change)
    squares = np.zeros((len(changes), len(scales)))
    for degree, group in enumerate(GROUP_OF_DEGREE):
        squares[:, group] += changes[:, degree] ** 2
    variances = (width * scales) ** 2
    by_group = constants.evidence.consecutive[:, None] / (variances + squares)
    weights = by_group[:, GROUP_OF_DEGREE]
    weights[:, free] = 0.0
    diagonal = np.arange(3, _REDUCED)
    equations.poses[1:, diagonal, diagonal] += weights
    equations.poses[:-1, diagonal, diagonal] += weights
    equations.pose_right[1:, 3:] -= weights * changes
    equations.pose_right[:-1, 3:] += weights * changes
    return weights


def _solve(equations: _NormalEquations, weights: np.ndarray) -> _Solution:
    """Solve by elimination from frame to frame, then for what the frames share.

    Args:
        equations: The normal equations.
        weights: (F - 1, R) couplings between degrees of freedom of neighbouring frames.
    """
    right = np.concatenate([equations.pose_right[..., None], equations.coupling], -1)
    couplings = np.zeros((len(weights), _REDUCED))
    couplings[:, 3:] = -weights
    blocks, sides = equations.poses.copy(), right.copy()
    for frame, coupling in enumerate(couplings, 1):
        factor = coupling[:, None] * np.linalg.inv(blocks[frame - 1])
        blocks[frame] -= factor * coupling
        sides[frame] -= factor @ sides[frame - 1]
    solved = np.empty_like(sides)
    solved[-1] = np.linalg.solve(blocks[-1], sides[-1])
    for frame in range(len(blocks) - 2, -1, -1):
        known = sides[frame] - couplings[frame][:, None] * solved[frame + 1]
        solved[frame] = np.linalg.solve(blocks[frame], known)
    by_pose, by_shared = solved[..., 0], solved[..., 1:]
    flat = equations.coupling.reshape(-1, len(equations.shared))
    complement = equations.shared - flat.T @ by_shared.reshape(flat.shape)
    shared = np.linalg.solve(complement, equations.shared_right - flat.T @ by_pose.ravel())
    return _Solution(by_pose - by_shared @ shared, shared, np.linalg.inv(complement))


def _advance(constants: _Constants, state: _State, solution: _Solution) -> _State:
    """Return the estimates after a step, shortened where joints would turn too far."""
    shortened = 1.0 / max(1.0, np.abs(solution.poses[:, 3:]).max() / _LARGEST_STEP)
    poses, shared = shortened * solution.poses, shortened * solution.shared
    rotvecs = shared[_ROTATIONS].reshape(6, 3)
    mounts = TrackerMounts(
        state.mounts.offsets + shared[_OFFSETS].reshape(6, 3),
        from_rotvec(rotvecs) @ state.mounts.rotations,
    )
    state = replace(
        state,
        poses=state.poses.step(poses @ _REDUCTION.T),
        mounts=mounts,
        floor=state.floor + float(shared[_FLOOR]),
    )
    if not constants.fit_bones:
        return state
    scales = state.scales + shared[_SIZE:]
    lengths = np.full(len(PARENTS), np.exp(scales[0]))
    for joints, scale in zip(_BONE_JOINTS, scales[1:], strict=True):
        lengths[joints] *= np.exp(scale)
    return replace(state, scales=scales, offsets=constants.skeleton.offsets * lengths[:, None])
