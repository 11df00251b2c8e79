# SPDX-License-Identifier: GPL-3.0-or-later
"""The solve of a whole body, and the choice of how to compute each of its parts."""

from __future__ import annotations

import math
from types import ModuleType

import numpy as np

from ..body.skeleton import JOINTS, TRACKER_JOINTS, TRACKERS
from ..geometry.arrays import Array, namespace
from ..geometry.rotations import rotate, transpose
from . import batched, measured_scalar, scalar
from .anatomy import keep_in_range
from .body import (
    ARMS,
    CHEST,
    CLAVICLES,
    LEGS,
    LIMBS,
    SPINE,
    SPINE_STEPS,
    LimbRotations,
    SolverSkeleton,
)
from .measured import Measured, aim_limbs, place_chest, place_shoulders

_HEAD = TRACKERS.index("head") - 1
_HANDS = [arm.tracker - 1 for arm in ARMS]
_ENDS = [limb.tracker - 1 for limb in LIMBS]
"""Indices among the trackers after the pelvis."""


def solve_spine(
    rotations: Array,
    skeleton: SolverSkeleton,
    hips: Array,
    head: Array,
    steps: int = SPINE_STEPS,
) -> tuple[Array, Array]:
    """Bend spine and neck so that the head lands on its tracker.

    The method is damped Gauss-Newton on the global rotations of the four joints: each step is the
    smallest set of rotations that moves the head by what is missing (Buss, "Introduction to inverse
    kinematics", 2004, damped least squares).

    Args:
        rotations: (..., 4, 3, 3) predicted global rotations of the joints of :data:`SPINE`.
        skeleton: The lengths from :func:`solver_skeleton`.
        hips: (..., 3, 3) rotations of the hips.
        head: (..., 3) measured positions of the head joint, from the hips.
        steps: The largest number of steps.

    Returns:
        The new rotations, and the positions (..., 4, 3) of the joints.
    """
    return _implementation(rotations).solve_spine(rotations, skeleton, hips, head, steps)


def reach_with_clavicles(
    rotations: Array,
    skeleton: SolverSkeleton,
    chest_rotation: Array,
    chest_position: Array,
    hands: Array,
) -> tuple[Array, Array]:
    """Turn clavicles towards the hands' trackers, as far as those are out of the arms' reach.

    Args:
        rotations: (..., 2, 3, 3) predicted global rotations of both clavicles.
        skeleton: The lengths from :func:`solver_skeleton`.
        chest_rotation: (..., 3, 3) rotations of the chest.
        chest_position: (..., 3) positions of the chest.
        hands: (..., 2, 3) measured positions of the wrists.

    Returns:
        The new rotations, and the positions (..., 2, 3) of the shoulder joints.
    """
    return _implementation(rotations).reach_with_clavicles(
        rotations, skeleton, chest_rotation, chest_position, hands
    )


def close_limbs(
    uppers: Array,
    lowers: Array,
    starts: Array,
    skeleton: SolverSkeleton,
    targets: Array,
    poles: Array,
) -> tuple[Array, Array]:
    """Close arms and legs onto their trackers.

    The pole gives the plane of each bend; both bones keep their predicted twist about their own
    axes. A limb that cannot reach its target points at it.

    Args:
        uppers: (..., 4, 3, 3) global rotations of thighs and upper arms, as :data:`LIMBS`.
        lowers: (..., 4, 3, 3) global rotations of shins and forearms.
        starts: (..., 4, 3) positions of the first joints.
        skeleton: The lengths from :func:`solver_skeleton`.
        targets: (..., 4, 3) measured positions of the ends.
        poles: (..., 4, 3) global directions towards which knees and elbows bend, of any length.

    Returns:
        The new rotations of both.
    """
    return _implementation(uppers).close_limbs(uppers, lowers, starts, skeleton, targets, poles)


def _implementation(rotations: Array) -> ModuleType:
    """Return the module that is fastest for rotations (..., n, 3, 3)."""
    return scalar if _is_single(rotations) else batched


def _is_single(rotations: Array) -> bool:
    """Return whether rotations (..., n, 3, 3) are those of a single frame of NumPy."""
    return isinstance(rotations, np.ndarray) and math.prod(rotations.shape[:-3]) == 1


def solve(
    rotations: Array,
    poles: Array,
    tracker_positions: Array,
    tracker_rotations: Array,
    skeleton: SolverSkeleton,
    measured: Measured | None = None,
) -> Array:
    """Run the whole exact solve at once, for predictions that do not come through the stages.

    Args:
        rotations: (..., 22, 3, 3) predicted global rotations.
        poles: (..., 4, 3) global bend directions of left and right leg, left and right arm.
        tracker_positions: (..., 6, 3) measured positions of the tracked joints, metres.
        tracker_rotations: (..., 6, 3, 3) measured rotations of the tracked joints.
        skeleton: The lengths from :func:`solver_skeleton`.
        measured: What optional trackers measure.

    Returns:
        Global rotations (..., 22, 3, 3). The root's position is the pelvis tracker's.
    """
    xp = namespace(rotations)
    hips = tracker_rotations[..., 0, :, :]
    ends = tracker_positions[..., 1:, :] - tracker_positions[..., :1, :]
    before = rotations[..., SPINE, :, :]
    spine, positions = meet_head(before, skeleton, hips, ends[..., _HEAD, :], measured)
    clavicles, shoulders = meet_hands(
        carry_clavicles(rotations[..., CLAVICLES, :, :], before, spine),
        skeleton,
        spine[..., CHEST, :, :],
        positions[..., CHEST, :],
        ends[..., _HANDS, :],
        measured,
    )
    limbs = LimbRotations(
        uppers=rotations[..., [limb.upper for limb in LIMBS], :, :],
        lowers=rotations[..., [limb.lower for limb in LIMBS], :, :],
        toes=rotations[..., [leg.end + 1 for leg in LEGS], :, :],
        poles=poles,
    )
    starts = xp.concatenate([hip_positions(hips, skeleton), shoulders], -2)
    turned = tracker_rotations[..., [limb.tracker for limb in LIMBS], :, :]
    uppers, lowers, toes = meet_ends(limbs, starts, ends[..., _ENDS, :], turned, skeleton, measured)
    return assemble(tracker_rotations, spine, clavicles, uppers, lowers, toes)


def meet_head(
    rotations: Array,
    skeleton: SolverSkeleton,
    hips: Array,
    head: Array,
    measured: Measured | None = None,
    steps: int = SPINE_STEPS,
) -> tuple[Array, Array]:
    """Bend the spine so that chest and head meet their trackers; see :func:`solve_spine`."""
    if measured is not None:
        rotations = place_chest(rotations, skeleton, hips, head, measured)
    return solve_spine(rotations, skeleton, hips, head, steps)


def meet_hands(
    rotations: Array,
    skeleton: SolverSkeleton,
    chest_rotation: Array,
    chest_position: Array,
    hands: Array,
    measured: Measured | None = None,
) -> tuple[Array, Array]:
    """Turn clavicles so that arms can meet their trackers; see :func:`reach_with_clavicles`."""
    if measured is None:
        return reach_with_clavicles(rotations, skeleton, chest_rotation, chest_position, hands)
    place = measured_scalar.place_shoulders if _is_single(rotations) else place_shoulders
    return place(rotations, skeleton, chest_rotation, chest_position, hands, measured)


def meet_ends(
    limbs: LimbRotations,
    starts: Array,
    targets: Array,
    turned: Array,
    skeleton: SolverSkeleton,
    measured: Measured | None = None,
) -> tuple[Array, Array, Array]:
    """Close limbs onto their trackers, within what joints do.

    See :func:`aim_limbs`, :func:`close_limbs` and :func:`ssrhmr_core.solver.anatomy.keep_in_range`.

    Args:
        limbs: The predicted rotations and bend directions.
        starts: (..., 4, 3) positions of the first joints.
        targets: (..., 4, 3) measured positions of the ends.
        turned: (..., 4, 3, 3) measured rotations of the ends.
        skeleton: The lengths of the body.
        measured: What optional trackers measure.

    Returns:
        The new rotations of uppers, lowers and toes.
    """
    if measured is not None:
        aim = measured_scalar.aim_limbs if _is_single(limbs.uppers) else aim_limbs
        limbs = aim(limbs, starts, targets, skeleton, measured)
    uppers, lowers = close_limbs(limbs.uppers, limbs.lowers, starts, skeleton, targets, limbs.poles)
    uppers, lowers = keep_in_range(uppers, lowers, turned, skeleton, measured)
    return uppers, lowers, limbs.toes


def carry_clavicles(clavicles: Array, before: Array, after: Array) -> Array:
    """Move clavicles along with the chest of a spine that was bent.

    Args:
        clavicles: (..., 2, 3, 3) predicted global rotations.
        before: (..., 4, 3, 3) rotations of the spine before the solve.
        after: (..., 4, 3, 3) rotations of the spine after it.
    """
    change = after[..., CHEST, :, :] @ transpose(before[..., CHEST, :, :])
    return change[..., None, :, :] @ clavicles


def hip_positions(hips: Array, skeleton: SolverSkeleton) -> Array:
    """Return the positions (..., 2, 3) of the legs' first joints, from the hips."""
    return rotate(hips[..., None, :, :], skeleton.hip_offsets)


_PARTS = (
    *TRACKER_JOINTS,
    *SPINE,
    *CLAVICLES,
    *(limb.upper for limb in LIMBS),
    *(limb.lower for limb in LIMBS),
    *(leg.end + 1 for leg in LEGS),
)
_ORDER = np.array([_PARTS.index(joint) for joint in range(len(JOINTS))])


def assemble(
    tracked: Array, spine: Array, clavicles: Array, uppers: Array, lowers: Array, toes: Array
) -> Array:
    """Put the parts of a body, (..., n, 3, 3) each, in the order of its joints."""
    parts = [tracked, spine, clavicles, uppers, lowers, toes]
    return namespace(spine).concatenate(parts, -3)[..., _ORDER, :, :]
