# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of the exact solve for a single frame, in plain floats.

A frame takes a few hundred multiplications. As NumPy calls, each of which takes longer than twenty
of them, they would cost four times as much. The mathematics is that of :mod:`.batched`, which says
where it comes from; the tests hold both together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..geometry.scalar import (
    IDENTITY_QUAT,
    Matrix,
    Quaternion,
    Vector,
    add,
    clamp,
    cross,
    dot,
    from_rotvec,
    norm,
    rotate,
    rotate_by_matrix,
    rotation_between,
    scale,
    subtract,
    to_matrix,
    turn,
)
from .body import (
    ARM_REACH,
    ARM_SOFTNESS,
    DAMPING,
    FOLDED_COSINE,
    LAST_SPINE_STEP,
    MAX_CLAVICLE_ROTATION,
    MAX_SPINE_ROTATION,
    REACH,
    REACH_SOFTNESS,
    SPINE_STEPS,
    SPINE_TOLERANCE,
    SolverSkeleton,
)

_Vector = Sequence[float]


def solve_spine(
    rotations: np.ndarray, skeleton: SolverSkeleton, hips: np.ndarray, head: np.ndarray, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """See :func:`ssrhmr_core.solver.solve_spine`; (..., 4, 3, 3) of one frame."""
    bones = _rows(rotations @ skeleton.spine_offsets[..., None])
    base = rotate_by_matrix(_numbers(hips), _numbers(skeleton.spine_base))
    aim = subtract(_numbers(head), base)
    quats, bones = bend_spine(
        bones, aim, skeleton.spine_length.item(), skeleton.spine_reach.item(), steps
    )
    joints = [base]
    for bone in bones[:3]:
        joints.append(add(joints[-1], bone))
    changes = np.array([to_matrix(quat) for quat in quats], rotations.dtype).reshape(4, 3, 3)
    positions = np.array(joints, rotations.dtype).reshape(*rotations.shape[:-2], 3)
    return changes @ rotations, positions


def bend_spine(
    bones: Sequence[Sequence[float]],
    aim: Sequence[float],
    length: float,
    reach: float,
    steps: int = SPINE_STEPS,
) -> tuple[list[Quaternion], list[Sequence[float]]]:
    """Find the turns of the joints of the spine that bring the head to its tracker.

    Args:
        bones: The four bones of the spine and the neck, each from its joint to the next.
        aim: Step from the first joint to the head's tracker.
        length: Distance from the hips to the head in the T-pose.
        reach: Length of the part that bends.
        steps: The largest number of steps.

    Returns:
        A quaternion for each joint, and the bones as these turn them.
    """
    bones = list(bones)
    distance = norm(aim)
    aim = scale(aim, _within_reach(distance, reach) / distance)
    quats = [IDENTITY_QUAT] * 4
    for _ in range(steps):
        # Levers from each joint to the head: the bones from that joint on, added up.
        (a, b, c), (d, e, f), (g, h, i), neck = bones
        x, y, z = neck
        x, y, z = chest = g + x, h + y, i + z
        x, y, z = middle = d + x, e + y, f + z
        x, y, z = lower = a + x, b + y, c + z
        missing = aim[0] - x, aim[1] - y, aim[2] - z
        share = (norm(missing) / length - SPINE_TOLERANCE) / (LAST_SPINE_STEP - SPINE_TOLERANCE)
        if share <= 0.0:
            break
        rotvecs = _spine_step((lower, middle, chest, neck), missing, length)
        if share < 1.0:
            rotvecs = [scale(rotvec, share) for rotvec in rotvecs]
        for joint, rotvec in enumerate(rotvecs):
            quats[joint], bones[joint] = turn(rotvec, quats[joint], bones[joint])
        if share < 1.0:
            break
    return quats, bones


def _spine_step(levers: Sequence[_Vector], missing: _Vector, length: float) -> list[Vector]:
    """Return the rotation vectors of the four joints in one step."""
    i, j, k = _pull(levers, missing, DAMPING * length * length)
    a = b = c = largest = 0.0
    rotvecs = []
    for x, y, z in levers:
        # A rotation of a joint rotates all that it carries.
        a += x
        b += y
        c += z
        p, q, r = b * k - c * j, c * i - a * k, a * j - b * i
        rotvecs.append((p, q, r))
        square = p * p + q * q + r * r
        if square > largest:
            largest = square
    if largest <= MAX_SPINE_ROTATION**2:
        return rotvecs
    share = MAX_SPINE_ROTATION / math.sqrt(largest)
    return [scale(rotvec, share) for rotvec in rotvecs]


def reach_with_clavicles(
    rotations: np.ndarray,
    skeleton: SolverSkeleton,
    chest_rotation: np.ndarray,
    chest_position: np.ndarray,
    hands: np.ndarray,
    reach: Sequence[float] = (ARM_REACH, ARM_REACH),
    softness: Sequence[float] = (ARM_SOFTNESS, ARM_SOFTNESS),
) -> tuple[np.ndarray, np.ndarray]:
    """See :func:`ssrhmr_core.solver.reach_with_clavicles`; (..., 2, 3, 3) of one frame.

    Limits other than the usual ones may be given for each side.
    """
    chest, base = _numbers(chest_rotation), _numbers(chest_position)
    offsets, lengths = _rows(skeleton.clavicle_offsets), _numbers(skeleton.clavicle_lengths)
    reaches = _numbers((skeleton.upper_lengths + skeleton.lower_lengths)[..., 2:, :])
    bones = _rows(rotations @ skeleton.shoulder_offsets[..., None])
    targets = _rows(hands)
    shoulders, quats = [], []
    for side in range(2):
        clavicle = add(base, rotate_by_matrix(chest, offsets[side]))
        quat, shoulder = turn_clavicle(
            clavicle,
            bones[side],
            lengths[side],
            reaches[side],
            targets[side],
            reach[side],
            softness[side],
        )
        shoulders.append(shoulder)
        quats.append(quat)
    positions = np.array(shoulders, rotations.dtype).reshape(*rotations.shape[:-2], 3)
    if quats == [IDENTITY_QUAT, IDENTITY_QUAT]:
        return rotations, positions
    changes = np.array([to_matrix(quat) for quat in quats], rotations.dtype).reshape(2, 3, 3)
    return changes @ rotations, positions


def turn_clavicle(
    clavicle: Sequence[float],
    bone: Sequence[float],
    length: float,
    arm: float,
    target: Sequence[float],
    reach: float = ARM_REACH,
    softness: float = ARM_SOFTNESS,
) -> tuple[Quaternion, Vector]:
    """Find the turn of a clavicle towards a hand that is out of reach.

    Args:
        clavicle: Position of the clavicle joint.
        bone: Step from there to the shoulder joint.
        length: Length of the clavicle.
        arm: Length of the straight arm.
        target: Position of the hand's tracker.
        reach: Share of the arm's length to which it stretches,
        softness: and how far before that the clavicle begins.

    Returns:
        A quaternion, which is the identity where the hand is within reach, and the position of the
        shoulder joint.
    """
    shoulder = add(clavicle, bone)
    over = norm(subtract(target, shoulder)) / arm - reach
    if over <= -softness:
        return IDENTITY_QUAT, shoulder
    kept = arm * (reach + _kept(over, softness))
    quat = from_rotvec(_turn_clavicle(bone, subtract(target, clavicle), length, kept))
    return quat, add(clavicle, rotate(quat, bone))


def _kept(over: float, softness: float) -> float:
    """Return the smaller of zero and a distance over the reach, with a parabola between both."""
    bent = min(over + softness, 2.0 * softness)
    return over - bent * bent / (4.0 * softness) - max(over - softness, 0.0)


def _turn_clavicle(bone: _Vector, aim: _Vector, length: float, reach: float) -> Vector:
    """Return the rotation vector that turns a clavicle until its arm reaches the target.

    Args:
        bone: Step from the clavicle joint to the shoulder joint.
        aim: Step from the clavicle joint to the hand's tracker.
        length: Length of the clavicle.
        reach: How far the arm reaches.
    """
    distance = norm(aim)
    # Law of cosines: the angle between clavicle and target at which the arm reaches so far.
    cosine = length * length + distance * distance - reach * reach
    needed = math.acos(clamp(cosine / (2.0 * length * distance), -0.99999, 0.99999))
    axis = cross(bone, aim)
    angle = math.atan2(norm(axis), dot(bone, aim)) - needed
    angle = clamp(angle, 0.0, MAX_CLAVICLE_ROTATION)
    return scale(axis, angle / norm(axis))


def close_limbs(
    uppers: np.ndarray,
    lowers: np.ndarray,
    starts: np.ndarray,
    skeleton: SolverSkeleton,
    targets: np.ndarray,
    poles: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """See :func:`ssrhmr_core.solver.close_limbs`; (..., 4, 3, 3) of one frame."""
    upper_lengths = _numbers(skeleton.upper_lengths)
    lower_lengths = _numbers(skeleton.lower_lengths)
    begins, ends, sides = _rows(starts), _rows(targets), _rows(poles)
    both = np.concatenate([uppers[..., None, :, :], lowers[..., None, :, :]], -3)
    axes = _rows(both @ skeleton.limb_directions[..., None])
    changes: list[Matrix] = []
    for limb in range(4):
        changes += close_limb(
            axes[2 * limb],
            axes[2 * limb + 1],
            upper_lengths[limb],
            lower_lengths[limb],
            subtract(ends[limb], begins[limb]),
            sides[limb],
        )
    aimed = np.array(changes, both.dtype).reshape(4, 2, 3, 3) @ both
    return aimed[..., 0, :, :], aimed[..., 1, :, :]


def close_limb(
    upper: Sequence[float],
    lower: Sequence[float],
    upper_length: float,
    lower_length: float,
    aim: Sequence[float],
    pole: Sequence[float],
) -> tuple[Matrix, Matrix]:
    """Find the turns of both bones of a limb that close it onto its tracker.

    Args:
        upper: Unit vector along the thigh or upper arm.
        lower: Unit vector along the shin or forearm.
        upper_length: Length of the first,
        lower_length: and of the second.
        aim: Step from the first joint to the tracker.
        pole: Direction towards which the limb bends, of any length.

    Returns:
        The matrices that turn both.
    """
    to_lower, to_end = _limb_bones(aim, upper_length, lower_length, pole)
    return (
        rotation_between(upper, scale(to_lower, 1.0 / upper_length)),
        rotation_between(lower, scale(to_end, 1.0 / lower_length)),
    )


def _limb_bones(aim: _Vector, a: float, b: float, pole: _Vector) -> tuple[Vector, Vector]:
    """Return the bones of lengths ``a`` and ``b`` that lead to a target and bend to one side."""
    distance = norm(aim)
    along = scale(aim, 1.0 / distance)
    nearest = math.sqrt(a * a + b * b - 2.0 * FOLDED_COSINE * a * b)
    distance = max(_within_reach(distance, a + b), nearest)
    cosine = (a * a + distance * distance - b * b) / (2.0 * a * distance)
    sine = math.sqrt(max(1.0 - cosine * cosine, 1e-8))
    bend = subtract(pole, scale(along, dot(pole, along)))
    bend = scale(bend, a * sine / norm(bend))
    upper = add(scale(along, a * cosine), bend)
    return upper, subtract(scale(along, distance), upper)


def _pull(levers: Sequence[_Vector], missing: _Vector, damping: float) -> Vector:
    """Solve for the pull at the head whose rotations move it by what is missing."""
    xx = yy = zz = xy = xz = yz = 0.0
    for x, y, z in levers:
        xx += x * x
        yy += y * y
        zz += z * z
        xy -= x * y
        xz -= x * z
        yz -= y * z
    xx, yy, zz = yy + zz + damping, xx + zz + damping, xx + yy + damping
    # The inverse of a symmetric matrix by its cofactors.
    a, b, c = yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy
    d, e, f = xx * zz - xz * xz, xy * xz - xx * yz, xx * yy - xy * xy
    share = 1.0 / (xx * a + xy * b + xz * c)
    x, y, z = missing
    return (
        share * (a * x + b * y + c * z),
        share * (b * x + d * y + e * z),
        share * (c * x + e * y + f * z),
    )


def _within_reach(distance: float, whole: float) -> float:
    """See :func:`ssrhmr_core.solver.batched._within_reach`."""
    over = distance / whole - REACH
    return whole * (0.5 * (over - math.sqrt(over * over + REACH_SOFTNESS**2)) + REACH)


def _numbers(array: np.ndarray) -> list[float]:
    return array.ravel().tolist()


def _rows(array: np.ndarray) -> list[_Vector]:
    return array.reshape(-1, 3).tolist()
