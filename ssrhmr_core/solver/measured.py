# SPDX-License-Identifier: GPL-3.0-or-later
"""The exact solve where more than the six trackers is measured.

Optional trackers measure positions and rotations of further joints. A body that is exactly known
and trackers that are exactly right agree, and then every measured joint ends on its tracker. Where
they disagree, the six trackers win: what optional ones say is met first, and what the six say then
moves it as little as it has to. Each measurement has a trust between 0 and 1, with which it fades
in and out without a jump.

All functions take NumPy arrays and torch tensors, one frame or many, and are differentiable.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..body.extra_trackers import EXTRA_INDEX
from ..body.skeleton import INDEX
from ..geometry.arrays import (
    EPSILON,
    Array,
    cast_like,
    clamp,
    constant,
    cross,
    cross_matrix,
    dot,
    namespace,
    norm,
    normalize,
    reject,
    to_float64,
)
from ..geometry.rotations import (
    from_6d,
    from_rotvec,
    rotate,
    rotation_between,
    to_6d,
    transpose,
)
from . import batched
from .body import (
    ARM_REACH,
    ARM_SOFTNESS,
    ARMS,
    CHEST,
    CLAVICLES,
    DAMPING,
    LEGS,
    LIMBS,
    MAX_CLAVICLE_ROTATION,
    MAX_SPINE_ROTATION,
    REACH,
    SPINE,
    LimbRotations,
    SolverSkeleton,
)

_SPINE_STEPS = 5
_SPINE_TOLERANCE = 1e-6
"""Radians below which the spine has arrived."""
_LARGEST_STEP = 0.1
"""Share of the spine's length by which a chest gives to a measured shoulder at most in a step."""
_IDENTITY = np.eye(14)
_CHEST = EXTRA_INDEX[INDEX["chest"]]
_FEW = 16
"""Number of joints up to which a look at each of them costs less than it may save."""
CLAVICLE_ROWS = slice(EXTRA_INDEX[CLAVICLES[0]], EXTRA_INDEX[CLAVICLES[1]] + 1)
UPPER_ROWS = np.array([EXTRA_INDEX[limb.upper] for limb in LIMBS])
LOWER_ROWS = np.array([EXTRA_INDEX[limb.lower] for limb in LIMBS])
SHOULDER_ROWS = slice(EXTRA_INDEX[ARMS[0].upper], EXTRA_INDEX[ARMS[1].upper] + 1)
ELBOW_ROWS = slice(EXTRA_INDEX[ARMS[0].lower], EXTRA_INDEX[ARMS[1].lower] + 1)
TOE_ROWS = slice(EXTRA_INDEX[LEGS[0].end + 1], EXTRA_INDEX[LEGS[1].end + 1] + 1)
_CHEST_COLUMNS = np.repeat(np.eye(len(SPINE))[CHEST], 3)
_LIMITS = np.repeat([np.inf, _LARGEST_STEP], [6, 8])
"""How much of each equation counts in a step at most, in lengths of the spine."""
_TRUST_ROWS = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 5])
"""Which trust counts for each of the equations: 1, those of the chest, of both clavicles, and of
both shoulders."""


def _linear_equations() -> np.ndarray:
    """Return the matrix (18, 162) of what is linear in the six steps of :func:`_spine_equations`.

    The columns are how joints move head, chest and both clavicles (12, 12), and the ways (6, 3) to
    both clavicles, head, chest and both clavicles, negative.
    """
    # What each joint carries of head, chest and both clavicles: 1 for each bone of the four joints,
    # and for each of the chest's steps to the clavicles.
    carried = np.zeros((4, len(SPINE), len(SPINE) + 2))
    carried[0, range(len(SPINE)), range(len(SPINE))] = 1.0
    carried[1:, range(CHEST), range(CHEST)] = 1.0
    carried[2:, CHEST, len(SPINE) :] = np.eye(2)
    steps = np.eye(18).reshape(18, 1, 6, 3)
    moves = -cross_matrix(carried @ steps).swapaxes(-3, -2)
    ways = carried.sum(1)[[2, 3, 0, 1, 2, 3]] @ steps[:, 0]
    return np.concatenate([moves.reshape(18, 144), -ways.reshape(18, 18)], 1)


_LINEAR = _linear_equations()
MEASURED_SOFTNESS = 1e-3
"""Share of an arm's length before its limit at which a clavicle begins to give if the elbow is
measured: the elbow then has a side to bend to, however straight the arm."""


class Measured(NamedTuple):
    """What optional trackers measure, in the order of ``EXTRA_JOINTS``.

    Attributes:
        positions: (..., 13, 3) positions of the joints from the hips, metres.
        rotations: (..., 13, 3, 3) global rotations of the joints.
        position_trust: (..., 13, 1) trust in each position, 0 where it is not measured.
        rotation_trust: (..., 13, 1) trust in each rotation.
    """

    positions: Array
    rotations: Array
    position_trust: Array
    rotation_trust: Array

    def part(self, frames: slice | np.ndarray) -> Measured:
        """Return some frames."""
        return Measured(*(values[frames] for values in self))

    def rotation(self, joints: slice | np.ndarray, predicted: Array) -> Array:
        """Return predicted rotations (..., n, 3, 3), replaced as far as others are measured."""
        trust = self.rotation_trust[..., joints, :]
        if isinstance(trust, np.ndarray) and trust.size <= _FEW:
            # In nearly all single frames a tracker counts fully or not at all.
            few = trust.ravel().tolist()
            if not any(few):
                return predicted
            if all(share == 1.0 for share in few):
                return self.rotations[..., joints, :, :]
        six = to_6d(predicted)
        return from_6d(six + trust * (to_6d(self.rotations[..., joints, :, :]) - six))


def place_chest(
    rotations: Array, skeleton: SolverSkeleton, hips: Array, head: Array, measured: Measured
) -> Array:
    """Bend the spine so that chest, head, and shoulders at the ends of clavicles meet trackers.

    The method is damped Gauss-Newton on the global rotations of the four joints: each step is the
    smallest set of rotations that removes what is missing, which is the position of the head, that
    of the chest where it is measured, and the distances of the chest from measured shoulders.

    Args:
        rotations: (..., 4, 3, 3) predicted global rotations of the spine's joints.
        skeleton: The lengths of the body.
        hips: (..., 3, 3) rotations of the hips.
        head: (..., 3) measured positions of the head joint, from the hips.
        measured: What is measured.

    Returns:
        The new rotations, from which :func:`ssrhmr_core.solver.solve_spine` has little left to do.
    """
    xp = namespace(rotations)
    base = rotate(hips, skeleton.spine_base)
    shoulders, shoulder_trust = _shoulder_targets(skeleton, measured)
    rotation_trust = measured.rotation_trust[..., _CHEST, :]
    position_trust = measured.position_trust[..., _CHEST, :]
    trust = xp.maximum(shoulder_trust[..., 0, :], shoulder_trust[..., 1, :])
    trust = xp.maximum(xp.maximum(position_trust, rotation_trust), trust)
    if not (trust > 0.0).any():
        return rotations
    targets = _spine_targets(
        skeleton,
        measured,
        ends=xp.concatenate(
            [head[..., None, :], measured.positions[..., _CHEST : _CHEST + 1, :], shoulders], -2
        )
        - base[..., None, :],
        chest_trust=position_trust,
        shoulder_trust=shoulder_trust,
    )
    chest = measured.rotation(slice(_CHEST, _CHEST + 1), rotations[..., CHEST : CHEST + 1, :, :])
    bent = xp.concatenate(
        [rotations[..., :CHEST, :, :], chest, rotations[..., CHEST + 1 :, :, :]], -3
    )
    # A chest whose rotation is measured keeps it.
    free = to_float64(1.0 - rotation_trust * constant(_CHEST_COLUMNS, rotation_trust))
    for _ in range(_SPINE_STEPS):
        bent, largest = _bend_spine(bent, skeleton, targets, free)
        if not (largest > _SPINE_TOLERANCE).any():
            break
    if isinstance(trust, np.ndarray) and trust.size == 1 and trust.item() == 1.0:
        return bent
    # Where nothing is measured, the spine is as predicted.
    six = to_6d(rotations)
    return from_6d(six + trust[..., None, :] * (to_6d(bent) - six))


class _SpineTargets(NamedTuple):
    """What a spine is to meet, from its first joint, in double precision.

    Attributes:
        goals: (..., 18) positions of both shoulder joints, of head and chest, and of both
            clavicles where their rotations are measured.
        lengths: (..., 2) lengths of the clavicles.
        limits: (..., 14) how much of each equation counts in a step at most.
        trust: (..., 14) trust in each of the rows of :func:`_spine_equations`.
        damping: (..., 14, 14) what keeps a step finite.
    """

    goals: Array
    lengths: Array
    limits: Array
    trust: Array
    damping: Array


def _spine_targets(
    skeleton: SolverSkeleton,
    measured: Measured,
    ends: Array,
    chest_trust: Array,
    shoulder_trust: Array,
) -> _SpineTargets:
    """Return what a spine is to meet.

    Args:
        skeleton: The lengths of the body.
        measured: What is measured.
        ends: (..., 4, 3) positions of head, chest and both shoulder joints.
        chest_trust: (..., 1) trust in the chest's position.
        shoulder_trust: (..., 2, 1) trust in the shoulders' positions.
    """
    xp = namespace(ends)
    clavicle_trust = shoulder_trust * measured.rotation_trust[..., CLAVICLE_ROWS, :]
    each = [xp.ones_like(chest_trust), chest_trust, clavicle_trust[..., 0], shoulder_trust[..., 0]]
    trust = to_float64(xp.concatenate(each, -1))[..., _TRUST_ROWS]
    whole = to_float64(skeleton.spine_length)
    identity = constant(_IDENTITY, whole)
    shoulders = ends[..., 2:, :]
    bones = rotate(measured.rotations[..., CLAVICLE_ROWS, :, :], skeleton.shoulder_offsets)
    goals = xp.concatenate([shoulders, ends[..., :2, :], shoulders - bones], -2)
    return _SpineTargets(
        to_float64(goals.reshape(*goals.shape[:-2], 18)),
        to_float64(skeleton.clavicle_lengths)[..., 0],
        whole * constant(_LIMITS, whole),
        trust,
        (DAMPING * whole * whole)[..., None] * identity,
    )


def _bend_spine(
    rotations: Array, skeleton: SolverSkeleton, targets: _SpineTargets, free: Array
) -> tuple[Array, Array]:
    """Make one step of :func:`place_chest`.

    Args:
        rotations: (..., 4, 3, 3) global rotations.
        skeleton: The lengths of the body.
        targets: What is to be met.
        free: (..., 12) how freely each joint turns about each axis, 0 (not at all) to 1.

    Returns:
        The new rotations, and the largest angle (..., 1, 1) by which a joint turned, radians.
    """
    xp = namespace(rotations)
    steps = [
        rotate(rotations, skeleton.spine_offsets),
        rotate(rotations[..., CHEST : CHEST + 1, :, :], skeleton.clavicle_offsets),
    ]
    jacobian, missing = _spine_equations(to_float64(xp.concatenate(steps, -2)), targets)
    lead = jacobian.shape[:-2]
    weighted = jacobian * free[..., None, :]
    pull = xp.linalg.solve(weighted @ transpose(jacobian) + targets.damping, missing[..., None])
    rotvecs = (transpose(weighted) @ pull).reshape(*lead, len(SPINE), 3)
    largest = xp.amax(norm(rotvecs), -2)[..., None, :]
    rotvecs = rotvecs * clamp(MAX_SPINE_ROTATION / largest, high=1.0)
    return from_rotvec(cast_like(rotvecs, rotations)) @ rotations, largest


def _spine_equations(steps: Array, targets: _SpineTargets) -> tuple[Array, Array]:
    """Return what a spine misses (..., 14), and how joints move it (..., 14, 12).

    The rows are the positions of head, chest and both clavicles, and the distances of both
    shoulders; the columns are the rotation vectors of the four joints. A rotation vector r moves
    the end of a bone b by r x b.

    Args:
        steps: (..., 6, 3) what the joints carry, as it stands, and what the chest carries of the
            clavicles.
        targets: What is to be met.
    """
    xp, lead = namespace(steps), steps.shape[:-2]
    linear = steps.reshape(*lead, 18) @ constant(_LINEAR, steps)
    moves = linear[..., :144].reshape(*lead, 12, 12)
    gaps = targets.goals + linear[..., 144:]
    aims = gaps[..., :6].reshape(*lead, 2, 3)
    distances = norm(aims)
    stretch = (aims / distances)[..., None, :] @ moves[..., 6:, :].reshape(*lead, 2, 3, 12)
    jacobian = xp.concatenate([moves, stretch.reshape(*lead, 2, 12)], -2)
    missing = xp.concatenate([gaps[..., 6:], distances[..., 0] - targets.lengths], -1)
    missing = xp.minimum(targets.trust * missing, targets.limits)
    return targets.trust[..., None] * jacobian, xp.maximum(missing, -targets.limits)


def place_shoulders(
    rotations: Array,
    skeleton: SolverSkeleton,
    chest_rotation: Array,
    chest_position: Array,
    hands: Array,
    measured: Measured,
) -> tuple[Array, Array]:
    """Turn clavicles so that shoulders and elbows can be where they are measured.

    Args:
        rotations: (..., 2, 3, 3) predicted global rotations of both clavicles.
        skeleton: The lengths of the body.
        chest_rotation: (..., 3, 3) rotations of the chest.
        chest_position: (..., 3) positions of the chest.
        hands: (..., 2, 3) measured positions of the wrists.
        measured: What is measured.

    Returns:
        The new rotations, and the positions (..., 2, 3) of the shoulder joints.
    """
    xp = namespace(rotations)
    aim, trust = _shoulder_targets(skeleton, measured)
    centres, radii, sphere_trust = _elbow_spheres(skeleton, hands, measured)
    known = xp.maximum(trust, sphere_trust)
    turned = measured.rotation_trust[..., CLAVICLE_ROWS, :]
    if not (xp.maximum(known, turned) > 0.0).any():
        return batched.reach_with_clavicles(
            rotations, skeleton, chest_rotation, chest_position, hands
        )
    rotations = measured.rotation(CLAVICLE_ROWS, rotations)
    offsets = rotate(chest_rotation[..., None, :, :], skeleton.clavicle_offsets)
    clavicles = chest_position[..., None, :] + offsets
    bone = rotate(rotations, skeleton.shoulder_offsets)
    wanted = clavicles + bone + trust * (aim - clavicles - bone)
    change = rotation_between(normalize(bone), normalize(wanted - clavicles))
    rotations, bone = change @ rotations, rotate(change, bone)

    change = _turn_to_sphere(bone, centres - clavicles, radii, sphere_trust)
    rotations = change @ rotations
    return batched.reach_with_clavicles(
        rotations,
        skeleton,
        chest_rotation,
        chest_position,
        hands,
        reach=ARM_REACH + known * (REACH - ARM_REACH),
        softness=ARM_SOFTNESS + known * (MEASURED_SOFTNESS - ARM_SOFTNESS),
    )


def _shoulder_targets(skeleton: SolverSkeleton, measured: Measured) -> tuple[Array, Array]:
    """Return where shoulders (..., 2, 3) are measured, and the trust (..., 2, 1) in that.

    A tracker at the elbow that knows the rotation of the upper arm knows where that begins.
    """
    own = measured.position_trust[..., SHOULDER_ROWS, :]
    uppers, elbows = SHOULDER_ROWS, ELBOW_ROWS
    derived = (
        (1.0 - own)
        * measured.position_trust[..., elbows, :]
        * measured.rotation_trust[..., uppers, :]
    )
    bones = skeleton.upper_bones[..., 2:, :]
    through_elbow = measured.positions[..., elbows, :] - rotate(
        measured.rotations[..., uppers, :, :], bones
    )
    trust = own + derived
    total = own * measured.positions[..., SHOULDER_ROWS, :] + derived * through_elbow
    return total / (trust + EPSILON), trust


def _elbow_spheres(
    skeleton: SolverSkeleton, hands: Array, measured: Measured
) -> tuple[Array, Array, Array]:
    """Return the spheres on which shoulders lie if elbows are as measured.

    Returns:
        Centres (..., 2, 3), radii (..., 2, 1), and the trust (..., 2, 1) in them.
    """
    uppers, lowers = SHOULDER_ROWS, ELBOW_ROWS
    upper_lengths, lower_lengths = (
        skeleton.upper_lengths[..., 2:, :],
        skeleton.lower_lengths[..., 2:, :],
    )
    elbow = measured.position_trust[..., lowers, :]
    forearm = (1.0 - elbow) * measured.rotation_trust[..., lowers, :]
    upper_arm = (1.0 - elbow - forearm) * measured.rotation_trust[..., uppers, :]
    lower_bones, upper_bones = (
        skeleton.lower_bones[..., 2:, :],
        skeleton.upper_bones[..., 2:, :],
    )
    trust = elbow + forearm + upper_arm
    centres = (
        elbow * measured.positions[..., lowers, :]
        + forearm * (hands - rotate(measured.rotations[..., lowers, :, :], lower_bones))
        + upper_arm * (hands - rotate(measured.rotations[..., uppers, :, :], upper_bones))
    )
    radii = (elbow + forearm) * upper_lengths + upper_arm * lower_lengths
    return (
        (centres + EPSILON * hands) / (trust + EPSILON),
        (radii + EPSILON * upper_lengths) / (trust + EPSILON),
        trust,
    )


def _turn_to_sphere(bone: Array, aim: Array, radii: Array, trust: Array) -> Array:
    """Return the smallest rotations (..., 3, 3) that put the ends of bones onto spheres.

    Args:
        bone: (..., 3) bones.
        aim: (..., 3) centres of the spheres, from where the bones begin.
        radii: (..., 1) radii of the spheres.
        trust: (..., 1) share of the rotation to make.
    """
    xp = namespace(bone)
    length, distance = norm(bone), norm(aim)
    needed = (length * length + distance * distance - radii * radii) / (2.0 * length * distance)
    needed = xp.arccos(clamp(needed, -0.99999, 0.99999))
    axis = cross(bone, aim)
    angle = xp.arctan2(norm(axis), dot(bone, aim)) - needed
    angle = clamp(angle, -MAX_CLAVICLE_ROTATION, MAX_CLAVICLE_ROTATION)
    return from_rotvec(normalize(axis) * (trust * angle))


def attach_ends(ends: Array, free: Array, skeleton: SolverSkeleton, measured: Measured) -> Array:
    """Move ends that nothing measures to where measured knees and elbows let them be.

    Args:
        ends: (..., 4, 3) positions of ankles and wrists, from the hips, in the order of ``LIMBS``.
        free: (..., 4, 1) 1 where an end was only guessed, 0 where it was measured.
        skeleton: The lengths of the body.
        measured: What is measured.

    Returns:
        (..., 4, 3): guessed ends at the ends of their forearms and shins, in the direction of the
        guess, or in that of the bone where its rotation is measured.
    """
    joints = measured.positions[..., LOWER_ROWS, :]
    turned = measured.rotation_trust[..., LOWER_ROWS, :]
    guessed = normalize(ends - joints) * skeleton.lower_lengths
    known = rotate(measured.rotations[..., LOWER_ROWS, :, :], skeleton.lower_bones)
    attached = joints + guessed + turned * (known - guessed)
    return ends + free * measured.position_trust[..., LOWER_ROWS, :] * (attached - ends)


def aim_limbs(
    limbs: LimbRotations,
    starts: Array,
    targets: Array,
    skeleton: SolverSkeleton,
    measured: Measured,
) -> LimbRotations:
    """Give limbs their measured twists, and bend them towards measured knees and elbows.

    Args:
        limbs: The predicted rotations.
        starts: (..., 4, 3) positions of the first joints.
        targets: (..., 4, 3) measured positions of the ends.
        skeleton: The lengths of the body.
        measured: What is measured.
    """
    middle = measured.position_trust[..., LOWER_ROWS, :]
    lower = (1.0 - middle) * measured.rotation_trust[..., LOWER_ROWS, :]
    upper = (1.0 - middle - lower) * measured.rotation_trust[..., UPPER_ROWS, :]
    lower_steps = rotate(measured.rotations[..., LOWER_ROWS, :, :], skeleton.lower_bones)
    upper_steps = rotate(measured.rotations[..., UPPER_ROWS, :, :], skeleton.upper_bones)
    along = normalize(targets - starts)
    directions = (
        middle * (measured.positions[..., LOWER_ROWS, :] - starts)
        + lower * (targets - lower_steps - starts)
        + upper * upper_steps
    )
    trust = middle + lower + upper
    poles = (1.0 - trust) * normalize(reject(limbs.poles, along)) + trust * normalize(
        reject(directions, along)
    )
    return LimbRotations(*measured_rotations(limbs, measured), poles)


def measured_rotations(limbs: LimbRotations, measured: Measured) -> tuple[Array, Array, Array]:
    """Return the rotations of uppers, lowers and toes, replaced as far as they are measured."""
    return (
        measured.rotation(UPPER_ROWS, limbs.uppers),
        measured.rotation(LOWER_ROWS, limbs.lowers),
        measured.rotation(TOE_ROWS, limbs.toes),
    )


def upper_trust(measured: Measured) -> Array:
    """Return the trust (..., 4, 1) in the measured rotations of thighs and upper arms."""
    return measured.rotation_trust[..., UPPER_ROWS, :]


def lower_trust(measured: Measured) -> Array:
    """Return the trust (..., 4, 1) in the measured rotations of shins and forearms."""
    return measured.rotation_trust[..., LOWER_ROWS, :]


def limb_trust(measured: Measured) -> np.ndarray:
    """Return the largest trust (F, 4) in anything that is measured of each limb's two bones."""
    parts = [measured.position_trust[..., LOWER_ROWS, 0]]
    parts += [measured.rotation_trust[..., joints, 0] for joints in (UPPER_ROWS, LOWER_ROWS)]
    return np.max(parts, 0)
