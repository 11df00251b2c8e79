# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of the exact solve for a single frame, in plain floats.

A frame is a few hundred multiplications. As NumPy calls, each of which takes longer than twenty of
them, it would cost four times as much. The same mathematics as :mod:`.arrays`, which says where it
comes from; the tests hold both together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..geometry.scalar import IDENTITY_QUAT, Quaternion, multiply, rotate
from .body import (
    ARM_REACH,
    ARM_SOFT,
    CLAVICLE_LIMIT,
    DAMPING,
    FOLDED,
    LARGEST_TURN,
    REACH,
    REACH_SOFT,
    SPINE_MISS,
    SolverSkeleton,
)

_Vector = Sequence[float]
_Matrix = Sequence[float]
"""Nine numbers, row by row."""

_FOLDED = float(FOLDED)
_TINY = 1e-16
"""Added to squares of lengths, so that none is zero."""


def solve_spine(
    turned: np.ndarray, body: SolverSkeleton, hips: np.ndarray, head: np.ndarray, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """See :func:`ssrhmr_core.solver.solve_spine`; (..., 4, 3, 3) of one frame."""
    bones = turned @ body.spine[..., None]
    arms: list[_Vector] = bones.reshape(4, 3).tolist()
    base = _applied(_numbers(hips), _numbers(body.first))
    length, stretched = body.length.item(), body.stretched.item()
    aim = _difference(_numbers(head), base)
    distance = _length(aim)
    aim = _scaled(aim, _within_reach(distance, stretched) / distance)
    spins = [IDENTITY_QUAT] * 4
    for _ in range(steps):
        # Levers, from each joint to the head: the bones from there on, added up.
        neck = arms[3]
        chest = _sum(arms[2], neck)
        middle = _sum(arms[1], chest)
        lower = _sum(arms[0], middle)
        missing = _difference(aim, lower)
        if _length(missing) <= SPINE_MISS * length:
            break
        pull = _pull((lower, middle, chest, neck), missing, DAMPING * length * length)
        carried: _Vector = (0.0, 0.0, 0.0)
        turns = []
        for lever in (lower, middle, chest, neck):
            # What turns a joint turns all that it carries.
            carried = _sum(carried, lever)
            turns.append(_cross(carried, pull))
        share = min(LARGEST_TURN / max(map(_length, turns)), 1.0)
        for joint, turn in enumerate(turns):
            spin = _spin(_scaled(turn, share))
            spins[joint] = multiply(spin, spins[joint])
            arms[joint] = rotate(spin, arms[joint])
    points = [base]
    for arm in arms[:3]:
        points.append(_sum(points[-1], arm))
    found = np.array([_matrix(spin) for spin in spins], turned.dtype).reshape(4, 3, 3) @ turned
    return found, np.array(points, turned.dtype).reshape(*turned.shape[:-2], 3)


def reach_with_clavicles(
    turned: np.ndarray,
    body: SolverSkeleton,
    chest_turn: np.ndarray,
    chest: np.ndarray,
    hands: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """See :func:`ssrhmr_core.solver.reach_with_clavicles`; (..., 2, 3, 3) of one frame."""
    carrier, place = _numbers(chest_turn), _numbers(chest)
    collars, lengths = _rows(body.collars), _numbers(body.collar)
    whole = _numbers((body.uppers + body.lowers)[..., 2:, :])
    bones = (turned @ body.shoulders[..., None]).reshape(2, 3).tolist()
    targets = _rows(hands)
    shoulders, spins = [], []
    for side in range(2):
        clavicle = _sum(place, _applied(carrier, collars[side]))
        bone, reach = bones[side], whole[side]
        shoulder = _sum(clavicle, bone)
        over = _length(_difference(targets[side], shoulder)) / reach - ARM_REACH
        spin = IDENTITY_QUAT
        if over > -ARM_SOFT:
            # The smaller of distance and reach, with a parabola where they meet.
            bent = min(over + ARM_SOFT, 2.0 * ARM_SOFT)
            kept = over - bent * bent / (4.0 * ARM_SOFT) - max(over - ARM_SOFT, 0.0)
            reach *= ARM_REACH + kept
            aim = _difference(targets[side], clavicle)
            distance, length = _length(aim), lengths[side]
            # Law of cosines: the angle between clavicle and target at which the arm reaches so far.
            needed = length * length + distance * distance - reach * reach
            needed = math.acos(_clamp(needed / (2.0 * length * distance), -0.99999, 0.99999))
            axis = _cross(bone, aim)
            angle = math.atan2(_length(axis), _dot(bone, aim)) - needed
            angle = _clamp(angle, 0.0, CLAVICLE_LIMIT)
            spin = _spin(_scaled(axis, angle / _length(axis)))
            shoulder = _sum(clavicle, rotate(spin, bone))
        shoulders.append(shoulder)
        spins.append(spin)
    points = np.array(shoulders, turned.dtype).reshape(*turned.shape[:-2], 3)
    if spins == [IDENTITY_QUAT, IDENTITY_QUAT]:
        return turned, points
    turns = np.array([_matrix(spin) for spin in spins], turned.dtype).reshape(2, 3, 3)
    return turns @ turned, points


def close_limbs(
    uppers: np.ndarray,
    lowers: np.ndarray,
    starts: np.ndarray,
    body: SolverSkeleton,
    targets: np.ndarray,
    poles: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """See :func:`ssrhmr_core.solver.close_limbs`; (..., 4, 3, 3) of one frame."""
    upper_bones, lower_bones = _numbers(body.uppers), _numbers(body.lowers)
    places, aims, sides = _rows(starts), _rows(targets), _rows(poles)
    both = np.concatenate([uppers[..., None, :, :], lowers[..., None, :, :]], -3)
    axes = (both @ body.limbs[..., None]).reshape(8, 3).tolist()
    turns: list[_Matrix] = []
    for limb in range(4):
        a, b = upper_bones[limb], lower_bones[limb]
        aim = _difference(aims[limb], places[limb])
        distance = _length(aim)
        along = _scaled(aim, 1.0 / distance)
        nearest = math.sqrt(a * a + b * b - 2.0 * _FOLDED * a * b)
        distance = max(_within_reach(distance, a + b), nearest)
        cosine = (a * a + distance * distance - b * b) / (2.0 * a * distance)
        sine = math.sqrt(max(1.0 - cosine * cosine, 1e-8))
        bend = _difference(sides[limb], _scaled(along, _dot(sides[limb], along)))
        bend = _scaled(bend, a * sine / _length(bend))
        middle = _sum(_scaled(along, a * cosine), bend)
        rest = _difference(_scaled(along, distance), middle)
        turns.append(between(axes[2 * limb], _scaled(middle, 1.0 / a)))
        turns.append(between(axes[2 * limb + 1], _scaled(rest, 1.0 / b)))
    aimed = np.array(turns, both.dtype).reshape(4, 2, 3, 3) @ both
    return aimed[..., 0, :, :], aimed[..., 1, :, :]


def _pull(levers: Sequence[_Vector], missing: _Vector, damping: float) -> _Vector:
    """Solve for the pull at the head whose turns move it by what is missing."""
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
    over = distance / whole - REACH
    return whole * (0.5 * (over - math.sqrt(over * over + REACH_SOFT**2)) + REACH)


def between(a: _Vector, b: _Vector) -> _Matrix:
    """Smallest rotation of a unit vector onto another, row by row.

    See :func:`ssrhmr_core.geometry.rotations.between`.
    """
    cosine = _dot(a, b)
    if cosine < -0.9999:
        x, y, z = a
        x, y, z = (-y, x, 0.0) if abs(z) < 0.9 else (0.0, -z, y)
        scale = 2.0 / (x * x + y * y + z * z)
        return (
            *(scale * x * x - 1.0, scale * x * y, scale * x * z),
            *(scale * x * y, scale * y * y - 1.0, scale * y * z),
            *(scale * x * z, scale * y * z, scale * z * z - 1.0),
        )
    x, y, z = _cross(a, b)
    share = 1.0 / (1.0 + cosine)
    # The matrix of the vector product, times itself: outer product less squared length.
    square = x * x + y * y + z * z
    return (
        *(1.0 + share * (x * x - square), share * x * y - z, share * x * z + y),
        *(share * x * y + z, 1.0 + share * (y * y - square), share * y * z - x),
        *(share * x * z - y, share * y * z + x, 1.0 + share * (z * z - square)),
    )


def _spin(vector: _Vector) -> Quaternion:
    """Turn by ``|vector|`` radians about it."""
    angle = _length(vector)
    share = math.sin(0.5 * angle) / angle
    return math.cos(0.5 * angle), share * vector[0], share * vector[1], share * vector[2]


def _matrix(turn: Quaternion) -> _Matrix:
    w, x, y, z = turn
    return (
        *(1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - w * z), 2.0 * (x * z + w * y)),
        *(2.0 * (x * y + w * z), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - w * x)),
        *(2.0 * (x * z - w * y), 2.0 * (y * z + w * x), 1.0 - 2.0 * (x * x + y * y)),
    )


def _applied(matrix: _Matrix, vector: _Vector) -> _Vector:
    a, b, c, d, e, f, g, h, i = matrix
    x, y, z = vector
    return a * x + b * y + c * z, d * x + e * y + f * z, g * x + h * y + i * z


def _sum(a: _Vector, b: _Vector) -> _Vector:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]


def _difference(a: _Vector, b: _Vector) -> _Vector:
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


def _scaled(a: _Vector, factor: float) -> _Vector:
    return factor * a[0], factor * a[1], factor * a[2]


def _dot(a: _Vector, b: _Vector) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _cross(a: _Vector, b: _Vector) -> _Vector:
    x, y, z = a
    i, j, k = b
    return y * k - z * j, z * i - x * k, x * j - y * i


def _length(a: _Vector) -> float:
    return math.sqrt(a[0] * a[0] + a[1] * a[1] + a[2] * a[2] + _TINY)


def _clamp(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


def _numbers(array: np.ndarray) -> list[float]:
    return array.ravel().tolist()


def _rows(array: np.ndarray) -> list[list[float]]:
    return array.reshape(-1, 3).tolist()
