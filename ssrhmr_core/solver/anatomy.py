# SPDX-License-Identifier: GPL-3.0-or-later
"""Limbs within what joints do: no knee or elbow bends backwards, forearms go with their hands.

The side towards which a knee or an elbow bends and the roll of the bones about their own lengths
are predicted separately, and may contradict each other: then the joint bends against its hinge.
Here bones roll until it does not, and forearms roll towards hands that are twisted against them too
far. A roll moves no joint, so ends, knees and elbows stay where they are, measured ones too; and
measured rotations are kept.

Each roll is a smooth function of the present pose alone. Within most of the range nothing rolls,
and beyond it the roll grows with what exceeds it. Half a turn from the middle of the range, where
either way round would be right, a hinge turns over. A hand that is turned over against its forearm
is left alone: a source or a mount has it the other way round, and no forearm could follow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..body.anatomy import HINGES
from ..body.skeleton import LIMB_DIRECTIONS
from ..geometry.arrays import Array, clamp, constant, cross, dot, namespace, normalize
from ..geometry.rotations import from_rotvec, rotate, transpose
from .body import LEGS, LIMBS, SolverSkeleton
from .measured import Measured, lower_trust, upper_trust


class _Range(NamedTuple):
    """How far something turns, in radians either way from the middle of its range.

    Attributes:
        free: Angle up to which it is left alone.
        widest: Largest angle that is left of larger ones,
        reached: which is left of this one.
        end: Angle up to which what is left changes,
        last: and what is then left.
        slope: How fast that is approached.
    """

    free: float
    widest: float
    reached: float
    end: float
    last: float
    slope: float


_HINGE = _Range(
    math.radians(80.0), math.radians(89.0), math.radians(106.0), math.radians(180.0), 0.0, -1.8
)
_TWIST = _Range(
    math.radians(78.0),
    math.radians(90.0),
    math.radians(114.0),
    math.radians(150.0),
    math.radians(150.0),
    1.0,
)
_AXES = np.stack([HINGES[limb.lower] for limb in LIMBS])
_FEW = 1e-3
"""Cosine by which the test of a single frame is stricter than the angles that it stands for."""
_LEAST_COSINE = math.cos(_HINGE.free) + _FEW
_LARGEST_TANGENT = math.tan(0.5 * _TWIST.free) - _FEW
_ARM_SIGNS = tuple(LIMB_DIRECTIONS[limb.upper][0] for limb in LIMBS[len(LEGS) :])
_ELBOW_AXIS = tuple(float(number) for number in _AXES[len(LEGS)])


def keep_in_range(
    uppers: Array,
    lowers: Array,
    ends: Array,
    skeleton: SolverSkeleton,
    measured: Measured | None = None,
) -> tuple[Array, Array]:
    """Roll the bones of closed limbs so that no joint leaves its range.

    Args:
        uppers: (..., 4, 3, 3) global rotations of thighs and upper arms, as ``LIMBS``.
        lowers: (..., 4, 3, 3) global rotations of shins and forearms.
        ends: (..., 4, 3, 3) measured rotations of ankles and wrists.
        skeleton: The lengths and directions of the body.
        measured: What optional trackers measure; rotations keep what they measure.

    Returns:
        The new rotations of both.
    """
    if isinstance(uppers, np.ndarray) and math.prod(uppers.shape[:-3]) == 1:
        if are_in_range(*(part.reshape(-1, 9).tolist() for part in (uppers, lowers, ends))):
            return uppers, lowers
    elif not _exceeds(uppers, lowers, ends, skeleton):
        return uppers, lowers
    xp = namespace(uppers)
    upper_axes, lower_axes = (skeleton.limb_directions[..., bone, :] for bone in (0, 1))
    bent = _bend_axes(uppers, lowers, skeleton)
    shins, arms = lowers[..., : len(LEGS), :, :], lowers[..., len(LEGS) :, :, :]
    upper_rolls = _roll(_hinge_angles(uppers, upper_axes, bent), _HINGE)
    shin_angles = _hinge_angles(shins, lower_axes[..., : len(LEGS), :], bent[..., : len(LEGS), :])
    twists = _twists(arms, ends[..., len(LEGS) :, :, :], lower_axes[..., len(LEGS) :, :])
    lower_rolls = xp.concatenate([_roll(shin_angles, _HINGE), _roll(twists, _TWIST)], -2)
    if measured is not None:
        upper_rolls = (1.0 - upper_trust(measured)) * upper_rolls
        lower_rolls = (1.0 - lower_trust(measured)) * lower_rolls
    return (
        uppers @ from_rotvec(upper_rolls * upper_axes),
        lowers @ from_rotvec(lower_rolls * lower_axes),
    )


def _exceeds(uppers: Array, lowers: Array, ends: Array, skeleton: SolverSkeleton) -> bool:
    """Return whether any joint of any frame is beyond what is left alone."""
    xp = namespace(uppers)
    bent = _bend_axes(uppers, lowers, skeleton)
    axes = constant(_AXES, uppers)
    legs, arms = slice(None, len(LEGS)), slice(len(LEGS), None)
    cosines = xp.concatenate(
        [
            dot(rotate(uppers, axes), bent),
            dot(rotate(lowers[..., legs, :, :], axes[legs]), bent[..., legs, :]),
        ],
        -2,
    )
    if (cosines < _LEAST_COSINE).any():
        return True
    twists = _twists(
        lowers[..., arms, :, :],
        ends[..., arms, :, :],
        skeleton.limb_directions[..., arms, 1, :],
    )
    return bool((abs(twists) > _TWIST.free).any())


def _bend_axes(uppers: Array, lowers: Array, skeleton: SolverSkeleton) -> Array:
    """Return the unit vectors (..., 4, 3) about which knees and elbows are bent."""
    return normalize(
        cross(
            rotate(uppers, skeleton.limb_directions[..., 0, :]),
            rotate(lowers, skeleton.limb_directions[..., 1, :]),
        )
    )


def _hinge_angles(rotations: Array, along: Array, bent: Array) -> Array:
    """Return the angles (..., n, 1) from the hinges of bones to the axes of their bends, radians.

    Args:
        rotations: (..., n, 3, 3) rotations of the first n of thighs, shins or arms.
        along: (..., n, 3) directions of the bones in the T-pose.
        bent: (..., n, 3) unit vectors at right angles to the bones.
    """
    hinges = constant(_AXES[: rotations.shape[-3]], rotations)
    # In the frame of the bone, about which it is to roll.
    local = rotate(transpose(rotations), bent)
    return namespace(rotations).arctan2(
        dot(cross(along + 0.0 * local, hinges + 0.0 * local), local), dot(local, hinges)
    )


def _twists(lowers: Array, ends: Array, along: Array) -> Array:
    """Return the twists (..., n, 1) of ends against the bones that carry them, radians."""
    relative = transpose(lowers) @ ends
    turn = namespace(lowers).stack(
        [
            relative[..., 2, 1] - relative[..., 1, 2],
            relative[..., 0, 2] - relative[..., 2, 0],
            relative[..., 1, 0] - relative[..., 0, 1],
        ],
        -1,
    )
    trace = relative[..., 0, 0] + relative[..., 1, 1] + relative[..., 2, 2]
    # Sine and cosine of half of the twist, in a quaternion times four times its last number.
    return 2.0 * namespace(lowers).arctan2(dot(turn, along), clamp(1.0 + trace, 1e-6)[..., None])


def _roll(angles: Array, limits: _Range) -> Array:
    """Return the rolls of bones that leave angles (...) within a range."""
    size = abs(angles)
    grown = limits.reached - limits.widest
    below, above = limits.reached - limits.free, limits.end - limits.reached
    to_widest = _cubic(clamp((size - limits.free) / below, 0.0, 1.0), grown, 0.0, below)
    to_last = _cubic(
        clamp((size - limits.reached) / above, 0.0, 1.0),
        limits.end - limits.last - grown,
        above,
        above * (1.0 - limits.slope),
    )
    return namespace(angles).sign(angles) * (to_widest + to_last)


def _cubic(share: Array, end: float, slope: float, end_slope: float) -> Array:
    """Return the cubic that begins at 0 with one slope and ends at a value with another."""
    square = 3.0 * end - 2.0 * slope - end_slope
    return share * (slope + share * (square + share * (slope + end_slope - 2.0 * end)))


def are_in_range(
    uppers: Sequence[Sequence[float]],
    lowers: Sequence[Sequence[float]],
    ends: Sequence[Sequence[float]],
) -> bool:
    """Return whether all joints of a single frame are surely within what is left alone.

    In plain floats, as the rest of a single frame: nearly all frames are. Bones lie along the axes
    of the T-pose, so that columns of their rotations are what the joints need.

    Args:
        uppers: Rotations of the four thighs and upper arms, nine numbers each, row by row.
        lowers: Rotations of the shins and forearms.
        ends: Measured rotations of ankles and wrists.
    """
    legs = len(LEGS)
    for upper, lower in zip(uppers[:legs], lowers[:legs], strict=True):
        a, x, _, b, y, _, c, z, _ = upper
        d, i, _, e, j, _, f, k, _ = lower
        # The second columns are the bones, and these turn about what is at right angles to both.
        u, v, w = y * k - z * j, z * i - x * k, x * j - y * i
        least = _LEAST_COSINE * math.sqrt(u * u + v * v + w * w)
        if u * a + v * b + w * c < least or u * d + v * e + w * f < least:
            return False
    _, down, forwards = _ELBOW_AXIS
    arms = zip(_ARM_SIGNS, uppers[legs:], lowers[legs:], ends[legs:], strict=True)
    for sign, upper, lower, end in arms:
        # The first columns are the bones here.
        x, a, d, y, b, e, z, c, f = upper
        i, j, k = lower[0], lower[3], lower[6]
        u, v, w = y * k - z * j, z * i - x * k, x * j - y * i
        least = _LEAST_COSINE * math.sqrt(u * u + v * v + w * w)
        across = down * (u * a + v * b + w * c) + forwards * (u * d + v * e + w * f)
        if sign * across < least:
            return False
        a, b, c, d, e, f, x, y, z = lower
        i, j, k, u, v, w, p, q, r = end
        half_cosine = 1.0 + a * i + b * j + c * k + d * u + e * v + f * w + x * p + y * q + z * r
        half_sine = c * j + f * v + z * q - b * k - e * w - y * r
        if abs(half_sine) > _LARGEST_TANGENT * half_cosine:
            return False
    return True
