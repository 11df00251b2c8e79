# SPDX-License-Identifier: GPL-3.0-or-later
"""From the joints of a file to the 22 joints of a body, tracked joints where the file has them."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ...body.rest_pose import RestPose, is_standing, read_rest_pose
from ...body.skeleton import (
    INDEX,
    PARENTS,
    TRACKER_JOINTS,
    forward_kinematics,
    inherit_missing,
)
from ...geometry.arrays import normalize
from ...geometry.rotations import rotate, rotation_between, transpose
from ...rigs.bone_mapping import NONE
from ...solver import (
    LIMBS,
    SolverSkeleton,
    close_limbs,
    hip_positions,
    reach_with_clavicles,
    solve_spine,
    solver_skeleton,
)
from ...solver.body import CHEST, CLAVICLES, SPINE
from ..orientation import UP_AXES

_ANKLES = [INDEX["left_ankle"], INDEX["right_ankle"]]
_THIGHS = [INDEX["left_hip"], INDEX["right_hip"]]
_SPINE_CHAIN = [INDEX["hips"], *SPINE, INDEX["head"]]
_WRISTS = [INDEX["left_wrist"], INDEX["right_wrist"]]
_SHOULDERS = [INDEX["left_shoulder"], INDEX["right_shoulder"]]

_USUAL_BEND = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 1.0], [0.0, 0.0, -1.0], [0.0, 0.0, -1.0]])
"""Where knees and elbows point when they bend, of the limbs in the order of :data:`LIMBS`."""
_NEAR = 1e-4
"""How far a tracked joint may be from where the file has it, as a share of the body's size."""
_LONG = 75.0
"""Percentile of the lengths of a neck that bends in its middle: a rigid one that is too short would
have to straighten the whole spine."""
_SLACK = 1.5e-3
"""How far the head may be off before the spine gives way, as a share of the body's size."""
_UPRIGHT = 0.9
"""Cosine of the angle to the up axis within which a body stands upright."""
_MOST_SAMPLED = 500
"""Frames that are enough to take medians of."""


class FileBody(NamedTuple):
    """The joints of a file that stand for the 22 joints, in the axes and unit of the file.

    Attributes:
        bones: (22,) index of the file's joint, 0 where there is none.
        present: (22,) whether there is one.
        parents: (J,) parents of the file's joints.
        ends: Joint and offset of the file's end sites.
        zero: (J, 3) positions of the file's joints in the zero pose.
        positions: (F, 22, 3) positions in the frames.
        matrices: (F, 22, 3, 3) global rotations in the frames since the zero pose.
    """

    bones: np.ndarray
    present: np.ndarray
    parents: np.ndarray
    ends: list[tuple[int, list[float]]]
    zero: np.ndarray
    positions: np.ndarray
    matrices: np.ndarray

    def is_above(self, bone: int, other: int) -> bool:
        """Tell whether a joint of the file is an ancestor of another."""
        while other != NONE:
            other = self.parents[other]
            if other == bone:
                return True
        return False


class FittedBody(NamedTuple):
    """A body in the unit of its file, but with Y up.

    Attributes:
        rest: The rest pose.
        rotations: (F, 22, 3, 3) canonical global rotations.
        root: (F, 3) position of the hips.
        missed: How far a tracked joint is from where the file has it, at most.
    """

    rest: RestPose
    rotations: np.ndarray
    root: np.ndarray
    missed: float


def read_zero_pose(body: FileBody) -> RestPose | None:
    """Read the rest pose off the zero pose, or return None if no body can stand in that."""
    try:
        rest = _read_rest(body, body.zero[body.bones], np.eye(3), None)
    except ValueError:
        return None
    return rest if is_standing(rest) else None


def fit_body(body: FileBody, zero_rest: RestPose | None, up: str) -> FittedBody:
    """Describe the motion of a file by the 22 joints.

    Args:
        body: Joints of the file.
        zero_rest: From :func:`read_zero_pose`; without it a frame of the motion stands in.
        up: Up axis of the file.

    Raises:
        ValueError: If the body is degenerate.
    """
    matrices = _take_rotations_of_bones(body)
    zero = body.zero[body.bones]
    ends, rest_up = np.eye(3), None
    if zero_rest is None:
        still, rest_up = _find_still_frame(body, up)
        zero, ends = body.positions[still], body.matrices[still]
        matrices = matrices @ transpose(matrices[still])
    points = _measure_limbs(body, zero, matrices)
    rest = _read_rest(body, points, ends, rest_up)
    world = rotation_between(UP_AXES[up], UP_AXES["y"])
    rotations = rest.to_canonical(world @ matrices)
    positions = rotate(world, body.positions)
    _aim_collapsed(rotations, positions, rest, body)
    missed = _reach_trackers(rotations, positions, rest)
    inherit_missing(rotations, body.present)
    return FittedBody(rest, rotations, positions[:, 0], missed)


def _take_rotations_of_bones(body: FileBody) -> np.ndarray:
    """Return the rotations (F, 22, 3, 3) of what each joint carries.

    Where a file's hierarchy leads from the head down, what is between two joints of the trunk
    turns with the upper one.
    """
    matrices = body.matrices
    chain = [joint for joint in SPINE if body.present[joint]]
    for joint, following in pairwise([*chain, INDEX["head"]]):
        if body.is_above(body.bones[following], body.bones[joint]):
            matrices = matrices.copy() if matrices is body.matrices else matrices
            matrices[:, joint] = body.matrices[:, following]
    return matrices


def _find_still_frame(body: FileBody, up: str) -> tuple[int, np.ndarray | None]:
    """Return the frame in which the body stands straightest, and which way is up in it.

    Where it never stands, its own trunk tells which way that is.
    """
    positions = body.positions
    trunk = positions[:, INDEX["head"]] - positions[:, 0]
    straight = normalize(trunk)
    upright = straight @ UP_AXES[up]
    axes = np.where((upright > _UPRIGHT)[:, None], UP_AXES[up], straight)
    legs = ((positions[:, _THIGHS] - positions[:, _ANKLES]) * axes[:, None]).sum(-1).min(1)
    heights = legs + (trunk * axes).sum(-1)
    standing = np.where(upright > _UPRIGHT, heights, -np.inf)
    still = int(np.argmax(standing))
    # A body that stands up at all does it best with its legs straight.
    if standing[still] < 0.8 * heights.max():
        still = int(np.argmax(heights))
    return still, axes[still]


def _measure_limbs(body: FileBody, zero: np.ndarray, matrices: np.ndarray) -> np.ndarray:
    """Put the joints of the limbs where the motion has them, on average, relative to their parents.

    Joints of the file between two of ours (LHipJoint, roll bones) may be turned, and position
    channels may move a joint away from its OFFSET.
    """
    points = zero.copy()
    step = max(len(matrices) // _MOST_SAMPLED, 1)
    positions, matrices = body.positions[::step], matrices[::step]
    for joint, parent in enumerate(PARENTS):
        if parent < 0 or not body.present[joint]:
            continue
        while not body.present[parent]:
            parent = PARENTS[parent]
        steps = positions[:, joint] - positions[:, parent]
        if joint in _SPINE_CHAIN:
            step = zero[joint] - zero[parent]
            bends = body.parents[body.bones[joint]] != body.bones[parent]
            share = _LONG if bends else 50.0
            length = np.percentile(np.linalg.norm(steps, axis=-1), share)
            points[joint] = points[parent] + normalize(step) * length
            continue
        steps = rotate(transpose(matrices[:, parent]), steps)
        points[joint] = points[parent] + np.median(steps, axis=0)
    return points


def _read_rest(
    body: FileBody, points: np.ndarray, matrices: np.ndarray, up: np.ndarray | None
) -> RestPose:
    """Read the rest pose off joint positions (22, 3), with the end sites turned by ``matrices``."""

    def find_ends(names: tuple[str, str]) -> np.ndarray:
        ends = np.full((2, 3), np.nan)
        for side, name in enumerate(names):
            joint = INDEX[name]
            offset = next((end for bone, end in body.ends if bone == body.bones[joint]), None)
            if body.present[joint] and offset is not None:
                turn = matrices if matrices.ndim == 2 else matrices[joint]
                ends[side] = points[joint] + turn @ np.array(offset)
        return ends

    return read_rest_pose(
        points,
        body.present,
        hand_ends=find_ends(("left_wrist", "right_wrist")),
        toe_ends=find_ends(("left_ankle", "right_ankle")),
        up=up,
    )


def _aim_collapsed(
    rotations: np.ndarray, positions: np.ndarray, rest: RestPose, body: FileBody
) -> None:
    """Aim spine and neck joints at the next joint where the source has more joints between.

    Longer chains (two-bone necks, four-bone spines) bend inside what is one bone here; aiming
    keeps the joint above, and so the head, in place to a few millimetres.
    """
    offsets = rest.skeleton.offsets
    chain = [j for j in range(INDEX["lower_spine"], INDEX["head"] + 1) if body.present[j]]
    for joint, following in pairwise(chain):
        if body.parents[body.bones[following]] == body.bones[joint]:
            continue
        rigid = normalize(rotate(rotations[:, joint], offsets[joint + 1 : following + 1].sum(0)))
        seen = normalize(positions[:, following] - positions[:, joint])
        rotations[:, joint] = rotation_between(rigid, seen) @ rotations[:, joint]


def _reach_trackers(rotations: np.ndarray, positions: np.ndarray, rest: RestPose) -> float:
    """Bend the body, as little as needed, so that tracked joints are where the file has them.

    Bones that the file bends or stretches are rigid here.

    Returns:
        How far the farthest tracked joint stays from where the file has it.
    """
    offsets, size = rest.skeleton.offsets, rest.skeleton.size
    far = np.flatnonzero(_miss_trackers(rotations, positions, offsets) > _NEAR * size)
    if not len(far):
        return 0.0
    # The solve is meant for metres around the hips.
    body = solver_skeleton(offsets.astype(np.float64) / size)
    targets = (positions[far] - positions[far, :1]) / size
    turned = rotations[far].astype(np.float64)
    head = _spare_spine(turned, targets[:, INDEX["head"]], body)
    turned[:, SPINE], joints = solve_spine(turned[:, SPINE], body, turned[:, 0], head)
    collars = joints[:, [CHEST]] + rotate(turned[:, SPINE][:, [CHEST]], body.clavicle_offsets)
    shoulders = collars + rotate(turned[:, CLAVICLES], body.shoulder_offsets)
    if (body.clavicle_lengths > _NEAR).all():
        wanted = normalize(targets[:, _SHOULDERS] - collars)
        aimed = rotation_between(normalize(shoulders - collars), wanted)
        turned[:, CLAVICLES], shoulders = reach_with_clavicles(
            aimed @ turned[:, CLAVICLES],
            body,
            turned[:, SPINE][:, CHEST],
            joints[:, CHEST],
            targets[:, _WRISTS],
        )
    starts = np.concatenate([hip_positions(turned[:, 0], body), shoulders], 1)
    _close_limbs(turned, targets, starts, body)
    rotations[far] = turned
    return float(_miss_trackers(rotations[far], positions[far], offsets).max())


def _spare_spine(turned: np.ndarray, head: np.ndarray, body: SolverSkeleton) -> np.ndarray:
    """Return targets (F, 3) of the head that are a little nearer to where it already is.

    A neck of two bones gets shorter by millimetres when it bends; a rigid one could do so only if
    the whole spine, and with it the arms, gave way by centimetres.
    """
    now = rotate(turned[:, 0], body.spine_base) + rotate(turned[:, SPINE], body.spine_offsets).sum(
        1
    )
    missing = head - now
    distance = np.linalg.norm(missing, axis=-1, keepdims=True)
    return now + missing * np.clip(1.0 - _SLACK / np.maximum(distance, _SLACK), 0.0, 1.0)


def _close_limbs(
    turned: np.ndarray, targets: np.ndarray, starts: np.ndarray, body: SolverSkeleton
) -> None:
    """Close those limbs that miss their tracker, in the plane in which the file bends them."""
    uppers, lowers = [limb.upper for limb in LIMBS], [limb.lower for limb in LIMBS]
    ends = targets[:, [limb.end for limb in LIMBS]]
    bones = np.stack([turned[:, uppers], turned[:, lowers]], 2)
    lengths = np.stack([body.upper_lengths, body.lower_lengths], 1)
    reached = starts + rotate(bones, body.limb_directions * lengths).sum(2)
    misses = np.linalg.norm(reached - ends, axis=-1) > _NEAR
    # A straight limb bends nowhere: knees bend forwards, elbows backwards.
    usual = rotate(turned[:, uppers], _USUAL_BEND)
    poles = targets[:, lowers] - starts + _NEAR * usual
    closed = close_limbs(turned[:, uppers], turned[:, lowers], starts, body, ends, poles)
    for joints, solved in zip((uppers, lowers), closed, strict=True):
        turned[:, joints] = np.where(misses[..., None, None], solved, turned[:, joints])


def _miss_trackers(rotations: np.ndarray, positions: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return how far (F,) the farthest tracked joint is from where the file has it."""
    fitted = forward_kinematics(rotations, positions[:, 0], offsets)
    tracked = list(TRACKER_JOINTS)
    return np.linalg.norm(fitted[:, tracked] - positions[:, tracked], axis=-1).max(1)
