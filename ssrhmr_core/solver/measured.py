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
_THRICE = [joint for joint in range(len(SPINE)) for _ in range(3)]
_CHEST = EXTRA_INDEX[INDEX["chest"]]
_CLAVICLES = [EXTRA_INDEX[joint] for joint in CLAVICLES]
_UPPERS = [EXTRA_INDEX[limb.upper] for limb in LIMBS]
_LOWERS = [EXTRA_INDEX[limb.lower] for limb in LIMBS]
_SHOULDERS = [EXTRA_INDEX[arm.upper] for arm in ARMS]
_TOES = [EXTRA_INDEX[leg.end + 1] for leg in LEGS]
_SOFTNESS = 1e-3
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

    def rotation(self, joints: int | list[int], predicted: Array) -> Array:
        """Return predicted rotations (..., n, 3, 3), replaced as far as others are measured."""
        trust = self.rotation_trust[..., joints, :]
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
    trust = xp.maximum(xp.maximum(position_trust, rotation_trust), xp.amax(shoulder_trust, -2))
    if not (trust > 0.0).any():
        return rotations
    targets = _SpineTargets(
        head=head - base,
        chest=measured.positions[..., _CHEST, :] - base,
        shoulders=shoulders - base[..., None, :],
        chest_trust=position_trust,
        shoulder_trust=shoulder_trust,
        clavicles=rotate(measured.rotations[..., _CLAVICLES, :, :], skeleton.shoulder_offsets),
        clavicle_trust=shoulder_trust * measured.rotation_trust[..., _CLAVICLES, :],
    )
    chest = measured.rotation([_CHEST], rotations[..., [CHEST], :, :])
    bent = xp.concatenate(
        [rotations[..., :CHEST, :, :], chest, rotations[..., CHEST + 1 :, :, :]], -3
    )
    # A chest whose rotation is measured keeps it.
    free = xp.ones_like(bent[..., :1])[..., 0, :]
    free = xp.concatenate(
        [free[..., :CHEST, :], 1.0 - rotation_trust[..., None, :], free[..., CHEST + 1 :, :]], -2
    )
    for _ in range(_SPINE_STEPS):
        bent, largest = _bend_spine(bent, skeleton, targets, free)
        if not (largest > _SPINE_TOLERANCE).any():
            break
    # Where nothing is measured, the spine is as predicted.
    six = to_6d(rotations)
    return from_6d(six + trust[..., None, :] * (to_6d(bent) - six))


class _SpineTargets(NamedTuple):
    """What a spine is to meet, from its first joint.

    Attributes:
        head: (..., 3) position of the head.
        chest: (..., 3) position of the chest.
        shoulders: (..., 2, 3) positions of the shoulder joints, which clavicles are to reach.
        chest_trust: (..., 1) trust in the chest's position.
        shoulder_trust: (..., 2, 1) trust in the shoulders' positions.
        clavicles: (..., 2, 3) steps from clavicles to shoulders, where they are measured.
        clavicle_trust: (..., 2, 1) trust in these.
    """

    head: Array
    chest: Array
    shoulders: Array
    chest_trust: Array
    shoulder_trust: Array
    clavicles: Array
    clavicle_trust: Array


def _bend_spine(
    rotations: Array, skeleton: SolverSkeleton, targets: _SpineTargets, free: Array
) -> tuple[Array, Array]:
    """Make one step of :func:`place_chest`.

    Args:
        rotations: (..., 4, 3, 3) global rotations.
        skeleton: The lengths of the body.
        targets: What is to be met.
        free: (..., 4, 1) how freely each joint turns, 0 (not at all) to 1.

    Returns:
        The new rotations, and the largest angle (..., 1, 1) by which a joint turned, radians.
    """
    bones = to_float64(rotate(rotations, skeleton.spine_offsets))
    offsets = to_float64(rotate(rotations[..., [CHEST], :, :], skeleton.clavicle_offsets))
    jacobian, missing = _spine_equations(bones, offsets, skeleton, targets)
    xp = namespace(jacobian)
    weights = xp.concatenate([to_float64(free[..., joint, :]) for joint in _THRICE], -1)
    weighted = jacobian * weights[..., None, :]
    whole = to_float64(skeleton.spine_length)
    damping = (DAMPING * whole * whole)[..., None] * constant(_IDENTITY, jacobian)
    pull = xp.linalg.solve(weighted @ transpose(jacobian) + damping, missing[..., None])
    rotvecs = (transpose(weighted) @ pull).reshape(*bones.shape)
    largest = xp.amax(norm(rotvecs), -2)[..., None, :]
    rotvecs = rotvecs * clamp(MAX_SPINE_ROTATION / largest, high=1.0)
    return from_rotvec(cast_like(rotvecs, rotations)) @ rotations, largest


def _spine_equations(
    bones: Array, offsets: Array, skeleton: SolverSkeleton, targets: _SpineTargets
) -> tuple[Array, Array]:
    """Return what a spine misses (..., 14), and how joints move it (..., 14, 12).

    The rows are the positions of head and chest, the distances of both shoulders, and the
    positions of both clavicles; the columns are the rotation vectors of the four joints. A rotation
    vector r moves the end of a bone b by r x b.

    Args:
        bones: (..., 4, 3) what the joints carry, as it stands.
        offsets: (..., 2, 3) what the chest carries of the clavicles.
        skeleton: The lengths of the body.
        targets: What is to be met.
    """
    xp = namespace(bones)
    chest = bones[..., :CHEST, :].sum(-2)
    aims = to_float64(targets.shoulders) - chest[..., None, :] - offsets
    distances = norm(aims)
    directions = aims / distances
    blocks, turned = -cross_matrix(bones), -cross_matrix(offsets)
    columns = [blocks[..., joint, :, :] for joint in range(len(SPINE))]
    nothing = xp.zeros_like(columns[0])
    head = xp.concatenate(columns, -1)
    below = xp.concatenate([*columns[:CHEST], nothing, nothing], -1)
    clavicles = [
        xp.concatenate([*columns[:CHEST], turned[..., side, :, :], nothing], -1)
        for side in range(2)
    ]
    stretch = [directions[..., [side], :] @ clavicles[side] for side in range(2)]
    chest_trust, shoulder_trust, clavicle_trust = (
        to_float64(trust)
        for trust in (targets.chest_trust, targets.shoulder_trust, targets.clavicle_trust)
    )
    limit = _LARGEST_STEP * to_float64(skeleton.spine_length)
    too_far = shoulder_trust * (distances - to_float64(skeleton.clavicle_lengths))
    too_far = xp.concatenate(
        [
            too_far[..., 0],
            (clavicle_trust * (aims - to_float64(targets.clavicles))).reshape(*aims.shape[:-2], 6),
        ],
        -1,
    )
    missing = xp.concatenate(
        [
            to_float64(targets.head) - bones.sum(-2),
            chest_trust * (to_float64(targets.chest) - chest),
            xp.maximum(xp.minimum(too_far, limit + 0.0 * too_far), -limit + 0.0 * too_far),
        ],
        -1,
    )
    jacobian = xp.concatenate(
        [
            head,
            chest_trust[..., None] * below,
            *(shoulder_trust[..., [side], :] * stretch[side] for side in range(2)),
            *(clavicle_trust[..., [side], :] * clavicles[side] for side in range(2)),
        ],
        -2,
    )
    return jacobian, missing


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
    turned = measured.rotation_trust[..., _CLAVICLES, :]
    if not (xp.maximum(known, turned) > 0.0).any():
        return batched.reach_with_clavicles(
            rotations, skeleton, chest_rotation, chest_position, hands
        )
    rotations = measured.rotation(_CLAVICLES, rotations)
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
        softness=ARM_SOFTNESS + known * (_SOFTNESS - ARM_SOFTNESS),
    )


def _shoulder_targets(skeleton: SolverSkeleton, measured: Measured) -> tuple[Array, Array]:
    """Return where shoulders (..., 2, 3) are measured, and the trust (..., 2, 1) in that.

    A tracker at the elbow that knows the rotation of the upper arm knows where that begins.
    """
    own = measured.position_trust[..., _SHOULDERS, :]
    uppers, elbows = _UPPERS[2:], _LOWERS[2:]
    derived = (
        (1.0 - own)
        * measured.position_trust[..., elbows, :]
        * measured.rotation_trust[..., uppers, :]
    )
    bones = _upper_bones(skeleton)[..., 2:, :]
    through_elbow = measured.positions[..., elbows, :] - rotate(
        measured.rotations[..., uppers, :, :], bones
    )
    trust = own + derived
    total = own * measured.positions[..., _SHOULDERS, :] + derived * through_elbow
    return total / (trust + EPSILON), trust


def _elbow_spheres(
    skeleton: SolverSkeleton, hands: Array, measured: Measured
) -> tuple[Array, Array, Array]:
    """Return the spheres on which shoulders lie if elbows are as measured.

    Returns:
        Centres (..., 2, 3), radii (..., 2, 1), and the trust (..., 2, 1) in them.
    """
    uppers, lowers = _UPPERS[2:], _LOWERS[2:]
    upper_lengths, lower_lengths = (
        skeleton.upper_lengths[..., 2:, :],
        skeleton.lower_lengths[..., 2:, :],
    )
    elbow = measured.position_trust[..., lowers, :]
    forearm = (1.0 - elbow) * measured.rotation_trust[..., lowers, :]
    upper_arm = (1.0 - elbow - forearm) * measured.rotation_trust[..., uppers, :]
    lower_bones, upper_bones = (
        _lower_bones(skeleton)[..., 2:, :],
        _upper_bones(skeleton)[..., 2:, :],
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
    joints = measured.positions[..., _LOWERS, :]
    turned = measured.rotation_trust[..., _LOWERS, :]
    guessed = normalize(ends - joints) * skeleton.lower_lengths
    known = rotate(measured.rotations[..., _LOWERS, :, :], _lower_bones(skeleton))
    attached = joints + guessed + turned * (known - guessed)
    return ends + free * measured.position_trust[..., _LOWERS, :] * (attached - ends)


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
    middle = measured.position_trust[..., _LOWERS, :]
    lower = (1.0 - middle) * measured.rotation_trust[..., _LOWERS, :]
    upper = (1.0 - middle - lower) * measured.rotation_trust[..., _UPPERS, :]
    lower_steps = rotate(measured.rotations[..., _LOWERS, :, :], _lower_bones(skeleton))
    upper_steps = rotate(measured.rotations[..., _UPPERS, :, :], _upper_bones(skeleton))
    along = normalize(targets - starts)
    directions = (
        middle * (measured.positions[..., _LOWERS, :] - starts)
        + lower * (targets - lower_steps - starts)
        + upper * upper_steps
    )
    trust = middle + lower + upper
    poles = (1.0 - trust) * normalize(reject(limbs.poles, along)) + trust * normalize(
        reject(directions, along)
    )
    return LimbRotations(
        measured.rotation(_UPPERS, limbs.uppers),
        measured.rotation(_LOWERS, limbs.lowers),
        measured.rotation(_TOES, limbs.toes),
        poles,
    )


def upper_trust(measured: Measured) -> Array:
    """Return the trust (..., 4, 1) in the measured rotations of thighs and upper arms."""
    return measured.rotation_trust[..., _UPPERS, :]


def lower_trust(measured: Measured) -> Array:
    """Return the trust (..., 4, 1) in the measured rotations of shins and forearms."""
    return measured.rotation_trust[..., _LOWERS, :]


def limb_trust(measured: Measured) -> np.ndarray:
    """Return the largest trust (F, 4) in anything that is measured of each limb's two bones."""
    parts = [measured.position_trust[..., _LOWERS, 0]]
    parts += [measured.rotation_trust[..., joints, 0] for joints in (_UPPERS, _LOWERS)]
    return np.max(parts, 0)


def _upper_bones(skeleton: SolverSkeleton) -> Array:
    """Return the offsets (..., 4, 3) of knees and elbows."""
    return skeleton.limb_directions[..., 0, :] * skeleton.upper_lengths


def _lower_bones(skeleton: SolverSkeleton) -> Array:
    """Return the offsets (..., 4, 3) of ankles and wrists."""
    return skeleton.limb_directions[..., 1, :] * skeleton.lower_lengths
