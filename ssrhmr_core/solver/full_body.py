# SPDX-License-Identifier: GPL-3.0-or-later
"""The solve of a whole body, and the way in which each of its parts is computed."""

from __future__ import annotations

import math
from types import ModuleType

import numpy as np

from ..body.skeleton import JOINTS, TRACKER_JOINTS
from ..geometry.arrays import Array, namespace
from ..geometry.rotations import rotate, transpose
from . import batched, scalar
from .body import CHEST, CLAVICLES, LEGS, LIMBS, SPINE, SPINE_STEPS, SolverSkeleton


def solve_spine(
    turned: Array, body: SolverSkeleton, hips: Array, head: Array, steps: int = SPINE_STEPS
) -> tuple[Array, Array]:
    """Bend spine and neck so that the head lands on its tracker.

    Damped Gauss-Newton on the global turns of the four joints: each step is the smallest set of
    turns that moves the head by what is missing (Buss, "Introduction to inverse kinematics",
    2004, damped least squares).

    Args:
        turned: (..., 4, 3, 3) predicted global rotations of the joints of :data:`SPINE`.
        body: from :func:`solver_skeleton`.
        hips: (..., 3, 3) rotation of the hips.
        head: (..., 3) where the head joint was measured, from the hips.
        steps: how many steps are made at most.

    Returns:
        The new rotations, and the positions (..., 4, 3) of the joints.
    """
    return _way(turned).solve_spine(turned, body, hips, head, steps)


def reach_with_clavicles(
    turned: Array, body: SolverSkeleton, chest_turn: Array, chest: Array, hands: Array
) -> tuple[Array, Array]:
    """Turn clavicles towards the hands' trackers, as far as those are out of the arms' reach.

    Args:
        turned: (..., 2, 3, 3) predicted global rotations of both clavicles.
        body: from :func:`solver_skeleton`.
        chest_turn: (..., 3, 3) rotation of the chest.
        chest: (..., 3) its position.
        hands: (..., 2, 3) where the wrists were measured.

    Returns:
        The new rotations, and the positions (..., 2, 3) of the shoulder joints.
    """
    return _way(turned).reach_with_clavicles(turned, body, chest_turn, chest, hands)


def close_limbs(
    uppers: Array, lowers: Array, starts: Array, body: SolverSkeleton, targets: Array, poles: Array
) -> tuple[Array, Array]:
    """Close arms and legs onto their trackers.

    The plane of each bend is given by its pole; the twist of both bones about their own axes is
    kept as predicted. Out of reach, the limb points at the target.

    Args:
        uppers: (..., 4, 3, 3) global rotations of thighs and upper arms, as :data:`LIMBS`.
        lowers: (..., 4, 3, 3) of shins and forearms.
        starts: (..., 4, 3) positions of the first joints.
        body: from :func:`solver_skeleton`.
        targets: (..., 4, 3) where the ends were measured.
        poles: (..., 4, 3) global directions towards which knees and elbows bend, of any length.

    Returns:
        The new rotations of both.
    """
    return _way(uppers).close_limbs(uppers, lowers, starts, body, targets, poles)


def _way(rotations: Array) -> ModuleType:
    """Return the module that is quickest for rotations (..., n, 3, 3)."""
    single = isinstance(rotations, np.ndarray) and math.prod(rotations.shape[:-3]) == 1
    return scalar if single else batched


def solve(
    rotations: Array, poles: Array, positions: Array, measured: Array, body: SolverSkeleton
) -> Array:
    """The whole exact solve at once, for predictions that did not come through the stages.

    Args:
        rotations: (..., 22, 3, 3) predicted global rotations.
        poles: (..., 4, 3) global bend directions of left and right leg, left and right arm.
        positions: (..., 6, 3) measured positions of the tracked joints, metres.
        measured: (..., 6, 3, 3) their measured rotations.
        body: from :func:`solver_skeleton`.

    Returns:
        Global rotations (..., 22, 3, 3). The root's position is the pelvis tracker's.
    """
    xp = namespace(rotations)
    hips = measured[..., 0, :, :]
    ends = positions[..., 1:, :] - positions[..., :1, :]
    before = rotations[..., SPINE, :, :]
    spine, points = solve_spine(before, body, hips, ends[..., 0, :])
    clavicles = carry_clavicles(rotations[..., CLAVICLES, :, :], before, spine)
    clavicles, shoulders = reach_with_clavicles(
        clavicles, body, spine[..., CHEST, :, :], points[..., CHEST, :], ends[..., 1:3, :]
    )
    starts = xp.concatenate([hip_positions(hips, body), shoulders], -2)
    uppers, lowers = close_limbs(
        rotations[..., [limb.upper for limb in LIMBS], :, :],
        rotations[..., [limb.lower for limb in LIMBS], :, :],
        starts,
        body,
        ends[..., [limb.tracker - 1 for limb in LIMBS], :],
        poles,
    )
    toes = rotations[..., [leg.end + 1 for leg in LEGS], :, :]
    return assemble(measured, spine, clavicles, uppers, lowers, toes)


def carry_clavicles(clavicles: Array, before: Array, after: Array) -> Array:
    """Let clavicles (..., 2, 3, 3) go along with the chest of a spine that was bent."""
    turn = after[..., CHEST, :, :] @ transpose(before[..., CHEST, :, :])
    return turn[..., None, :, :] @ clavicles


def hip_positions(hips: Array, body: SolverSkeleton) -> Array:
    """Positions (..., 2, 3) of the legs' first joints."""
    return rotate(hips[..., None, :, :], body.hips)


_PARTS = (
    *TRACKER_JOINTS,
    *SPINE,
    *CLAVICLES,
    *(limb.upper for limb in LIMBS),
    *(limb.lower for limb in LIMBS),
    *(leg.end + 1 for leg in LEGS),
)
_ORDER = [_PARTS.index(joint) for joint in range(len(JOINTS))]


def assemble(
    measured: Array, spine: Array, clavicles: Array, uppers: Array, lowers: Array, toes: Array
) -> Array:
    """Put the parts of a body, (..., n, 3, 3) each, in the order of its joints."""
    parts = [measured, spine, clavicles, uppers, lowers, toes]
    return namespace(spine).concatenate(parts, -3)[..., _ORDER, :, :]
