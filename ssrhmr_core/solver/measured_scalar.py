# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of :mod:`.measured` for a single frame, in plain floats.

See :mod:`.scalar` for why there are two, and :mod:`.measured` for the mathematics; the tests hold
both together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..geometry.arrays import EPSILON
from ..geometry.scalar import (
    Matrix,
    Vector,
    add,
    clamp,
    cross,
    dot,
    from_rotvec,
    norm,
    rotate_by_matrix,
    rotation_between,
    scale,
    subtract,
    to_matrix,
)
from .body import (
    ARM_REACH,
    ARM_SOFTNESS,
    MAX_CLAVICLE_ROTATION,
    REACH,
    LimbRotations,
    SolverSkeleton,
)
from .measured import (
    CLAVICLE_ROWS,
    ELBOW_ROWS,
    LOWER_ROWS,
    MEASURED_SOFTNESS,
    SHOULDER_ROWS,
    UPPER_ROWS,
    Measured,
    measured_rotations,
)
from .scalar import reach_with_clavicles

_Vector = Sequence[float]


def place_shoulders(
    rotations: np.ndarray,
    skeleton: SolverSkeleton,
    chest_rotation: np.ndarray,
    chest_position: np.ndarray,
    hands: np.ndarray,
    measured: Measured,
) -> tuple[np.ndarray, np.ndarray]:
    """See :func:`ssrhmr_core.solver.measured.place_shoulders`; (..., 2, 3, 3) of one frame."""
    joints = _Joints(measured)
    sides = [_Arm(joints, skeleton, side, hand) for side, hand in enumerate(_rows(hands))]
    turned = joints.rotation_trust[CLAVICLE_ROWS]
    if not any(turned) and not any(arm.known for arm in sides):
        return reach_with_clavicles(rotations, skeleton, chest_rotation, chest_position, hands)
    rotations = measured.rotation(CLAVICLE_ROWS, rotations)
    chest, base = chest_rotation.ravel().tolist(), chest_position.ravel().tolist()
    bones = _rows(rotations @ skeleton.shoulder_offsets[..., None])
    offsets = _rows(skeleton.clavicle_offsets)
    changes: list[Matrix] = []
    for arm, offset, bone in zip(sides, offsets, bones, strict=True):
        clavicle = add(base, rotate_by_matrix(chest, offset))
        changes += arm.place(clavicle, bone)
    turns = np.array(changes, rotations.dtype).reshape(2, 2, 3, 3)
    rotations = turns[:, 1] @ (turns[:, 0] @ rotations)
    return reach_with_clavicles(
        rotations,
        skeleton,
        chest_rotation,
        chest_position,
        hands,
        reach=[ARM_REACH + arm.known * (REACH - ARM_REACH) for arm in sides],
        softness=[ARM_SOFTNESS + arm.known * (MEASURED_SOFTNESS - ARM_SOFTNESS) for arm in sides],
    )


class _Joints:
    """What is measured of one frame, as lists of floats."""

    def __init__(self, measured: Measured) -> None:
        self.positions = _rows(measured.positions)
        self.rotations: list[list[float]] = measured.rotations.reshape(-1, 9).tolist()
        self.position_trust: list[float] = measured.position_trust.ravel().tolist()
        self.rotation_trust: list[float] = measured.rotation_trust.ravel().tolist()


class _Arm:
    """What is measured of an arm: where its shoulder is, and a sphere on which it lies.

    Attributes:
        known: The larger trust of both.
    """

    def __init__(self, joints: _Joints, skeleton: SolverSkeleton, side: int, hand: _Vector) -> None:
        shoulder, elbow = SHOULDER_ROWS.start + side, ELBOW_ROWS.start + side
        limb = 2 + side
        upper_length = skeleton.upper_lengths[..., limb, 0].item()
        lower_length = skeleton.lower_lengths[..., limb, 0].item()
        own, at_elbow = joints.position_trust[shoulder], joints.position_trust[elbow]
        upper_bone = rotate_by_matrix(
            joints.rotations[shoulder], skeleton.upper_bones[..., limb, :].ravel().tolist()
        )
        derived = (1.0 - own) * at_elbow * joints.rotation_trust[shoulder]
        self._trust = own + derived
        through_elbow = subtract(joints.positions[elbow], upper_bone)
        self._aim = scale(
            add(scale(joints.positions[shoulder], own), scale(through_elbow, derived)),
            1.0 / (self._trust + EPSILON),
        )
        forearm = (1.0 - at_elbow) * joints.rotation_trust[elbow]
        upper_arm = (1.0 - at_elbow - forearm) * joints.rotation_trust[shoulder]
        self._sphere_trust = at_elbow + forearm + upper_arm
        lower_bone = rotate_by_matrix(
            joints.rotations[elbow], skeleton.lower_bones[..., limb, :].ravel().tolist()
        )
        centre = scale(joints.positions[elbow], at_elbow)
        centre = add(centre, scale(subtract(hand, lower_bone), forearm))
        centre = add(centre, scale(subtract(hand, upper_bone), upper_arm))
        share = 1.0 / (self._sphere_trust + EPSILON)
        self._centre = scale(add(centre, scale(hand, EPSILON)), share)
        radius = (at_elbow + forearm + EPSILON) * upper_length + upper_arm * lower_length
        self._radius = share * radius
        self.known = max(self._trust, self._sphere_trust)

    def place(self, clavicle: _Vector, bone: _Vector) -> tuple[Matrix, Matrix]:
        """Return the turns of a clavicle: towards the shoulder, then onto the sphere.

        Args:
            clavicle: Position of the clavicle.
            bone: Step from there to the shoulder joint.
        """
        away = subtract(subtract(self._aim, clavicle), bone)
        wanted = add(bone, scale(away, self._trust))
        change = rotation_between(_normalize(bone), _normalize(wanted))
        bone = rotate_by_matrix(change, bone)
        aim = subtract(self._centre, clavicle)
        length, distance = norm(bone), norm(aim)
        cosine = length * length + distance * distance - self._radius * self._radius
        needed = math.acos(clamp(cosine / (2.0 * length * distance), -0.99999, 0.99999))
        axis = cross(bone, aim)
        angle = math.atan2(norm(axis), dot(bone, aim)) - needed
        angle = clamp(angle, -MAX_CLAVICLE_ROTATION, MAX_CLAVICLE_ROTATION)
        rotvec = scale(axis, self._sphere_trust * angle / norm(axis))
        return change, to_matrix(from_rotvec(rotvec))


def aim_limbs(
    limbs: LimbRotations,
    starts: np.ndarray,
    targets: np.ndarray,
    skeleton: SolverSkeleton,
    measured: Measured,
) -> LimbRotations:
    """See :func:`ssrhmr_core.solver.measured.aim_limbs`; (..., 4, 3, 3) of one frame."""
    joints = _Joints(measured)
    upper_bones, lower_bones = _rows(skeleton.upper_bones), _rows(skeleton.lower_bones)
    poles = []
    for limb, (start, target, pole) in enumerate(
        zip(_rows(starts), _rows(targets), _rows(limbs.poles), strict=True)
    ):
        lower_row, upper_row = int(LOWER_ROWS[limb]), int(UPPER_ROWS[limb])
        middle = joints.position_trust[lower_row]
        lower = (1.0 - middle) * joints.rotation_trust[lower_row]
        upper = (1.0 - middle - lower) * joints.rotation_trust[upper_row]
        aim = subtract(target, start)
        along = _normalize(aim)
        direction: _Vector = scale(subtract(joints.positions[lower_row], start), middle)
        if lower:
            step = rotate_by_matrix(joints.rotations[lower_row], lower_bones[limb])
            direction = add(direction, scale(subtract(aim, step), lower))
        if upper:
            step = rotate_by_matrix(joints.rotations[upper_row], upper_bones[limb])
            direction = add(direction, scale(step, upper))
        trust = middle + lower + upper
        predicted = scale(_normalize(_reject(pole, along)), 1.0 - trust)
        poles.append(add(predicted, scale(_normalize(_reject(direction, along)), trust)))
    return LimbRotations(
        *measured_rotations(limbs, measured),
        np.array(poles, limbs.poles.dtype).reshape(limbs.poles.shape),
    )


def _normalize(a: _Vector) -> Vector:
    return scale(a, 1.0 / norm(a))


def _reject(a: _Vector, axis: _Vector) -> Vector:
    """Return the part of a vector at right angles to a unit vector."""
    return subtract(a, scale(axis, dot(a, axis)))


def _rows(array: np.ndarray) -> list[list[float]]:
    return array.reshape(-1, 3).tolist()
