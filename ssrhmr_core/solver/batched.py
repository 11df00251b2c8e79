# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of the exact solve for many frames: on NumPy arrays, and on tensors, differentiable."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..geometry.arrays import (
    Array,
    cast_like,
    clamp,
    constant,
    cross,
    dot,
    namespace,
    norm,
    normalize,
    reject,
    to_float64,
)
from ..geometry.rotations import (
    IDENTITY_MATRIX,
    from_rotvec,
    rotate,
    rotation_between,
    transpose,
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
    SPINE_TOLERANCE,
    SolverSkeleton,
)


class _Spines(NamedTuple):
    """Spines of which every row may stop on its own.

    Attributes:
        rotations: (N, 4, 3, 3) global rotations.
        base: (N, 3) positions of the first joint.
        bones: (N, 4, 3) offsets.
        length: (N, 1) distance from the hips to the head in the T-pose.
        head: (N, 3) position that the head is to reach.
    """

    rotations: Array
    base: Array
    bones: Array
    length: Array
    head: Array

    def part(self, rows: Array) -> _Spines:
        """Return some rows."""
        return _Spines(
            rotations=self.rotations[rows],
            base=self.base[rows],
            bones=self.bones[rows],
            length=self.length[rows],
            head=self.head[rows],
        )

    def positions(self) -> tuple[Array, Array]:
        """Return the positions (N, 4, 3) of the joints and (N, 3) of the head."""
        base = self.base[..., None, :]
        ends = base + rotate(self.rotations, self.bones).cumsum(-2)
        joints = namespace(base).concatenate([base, ends[..., :3, :]], -2)
        return joints, ends[..., 3, :]


def solve_spine(
    rotations: Array, skeleton: SolverSkeleton, hips: Array, head: Array, steps: int
) -> tuple[Array, Array]:
    """See :func:`ssrhmr_core.solver.solve_spine`; each frame stops when its head has arrived."""
    base, length = rotate(hips, skeleton.spine_base), skeleton.spine_length
    # Beyond its reach the spine would whip about from one frame to the next.
    aim = head - base
    distance = norm(aim)
    head = base + aim * (_within_reach(distance, skeleton.spine_reach) / distance)

    xp, lead = namespace(rotations), rotations.shape[:-3]
    moving = _Spines(
        rotations=rotations.reshape(-1, 4, 3, 3),
        base=base.reshape(-1, 3),
        bones=xp.broadcast_to(skeleton.spine_offsets, (*lead, 4, 3)).reshape(-1, 4, 3),
        length=xp.broadcast_to(length, (*lead, 1)).reshape(-1, 1),
        head=head.reshape(-1, 3),
    )
    joints, tip = moving.positions()
    solved, solved_joints = moving.rotations, joints
    rows: Array | None = None
    share = xp.ones_like(moving.length[:, 0])
    for _ in range(steps):
        missing, before = moving.head - tip, share
        share = (norm(missing) / moving.length)[:, 0] - SPINE_TOLERANCE
        share = clamp(share / (LAST_SPINE_STEP - SPINE_TOLERANCE), 0.0, 1.0)
        # A step that was no whole one was the last.
        far = (share > 0.0) & (before >= 1.0)
        if not far.any():
            break
        if not far.all():
            rows = _flatnonzero(far) if rows is None else rows[far]
            moving, joints, tip, missing = moving.part(far), joints[far], tip[far], missing[far]
            share = share[far]
        moving = moving._replace(rotations=_bend_spine(moving, joints, tip, missing, share))
        joints, tip = moving.positions()
        solved = _with_rows(solved, rows, moving.rotations)
        solved_joints = _with_rows(solved_joints, rows, joints)
    return solved.reshape(*lead, 4, 3, 3), solved_joints.reshape(*lead, 4, 3)


def _flatnonzero(mask: Array) -> Array:
    return np.flatnonzero(mask) if namespace(mask) is np else mask.nonzero()[:, 0]


def _with_rows(array: Array, rows: Array | None, values: Array) -> Array:
    """Return ``array`` with other values in some rows, or in all where ``rows`` is None."""
    if rows is None:
        return values
    if namespace(array) is not np:
        # Out of place: the gradient needs the old values.
        return array.index_put((rows,), values)
    array = array.copy()
    array[rows] = values
    return array


def _bend_spine(spines: _Spines, joints: Array, tip: Array, missing: Array, share: Array) -> Array:
    """Return the rotations after a share (N,) of one step of :func:`solve_spine`."""
    rotations, length = spines.rotations, spines.length
    xp = namespace(rotations)
    # A nearly straight spine can hardly get longer or shorter: what remains in that direction is
    # the small difference of large numbers, of which single precision would leave noise.
    levers = to_float64(tip[..., None, :] - joints)
    stiffness = (levers * levers).sum((-1, -2)) + DAMPING * to_float64(length * length)[..., 0]
    identity = constant(IDENTITY_MATRIX, levers)
    matrix = stiffness[..., None, None] * identity - transpose(levers) @ levers
    pull = xp.linalg.solve(matrix, to_float64(missing)[..., None])
    # A rotation of a joint rotates all that it carries.
    rotvecs = cross(levers.cumsum(-2), transpose(pull))
    # Larger rotations leave the range in which the linear model means anything: a straight spine
    # that is to be shorter would buckle to another side in every frame.
    largest = xp.amax(norm(rotvecs), -2)[..., None, :]
    rotvecs = rotvecs * clamp(MAX_SPINE_ROTATION / largest, high=1.0)
    rotvecs = rotvecs * to_float64(share)[..., None, None]
    return from_rotvec(cast_like(rotvecs, rotations)) @ rotations


def _within_reach(distance: Array, whole: Array) -> Array:
    """Return the smaller of a distance and the reach of a chain, rounded off where they meet."""
    over = distance / whole - REACH
    softened = namespace(over).sqrt(over * over + REACH_SOFTNESS**2)
    return whole * (0.5 * (over - softened) + REACH)


def reach_with_clavicles(
    rotations: Array,
    skeleton: SolverSkeleton,
    chest_rotation: Array,
    chest_position: Array,
    hands: Array,
    reach: Array | float = ARM_REACH,
    softness: Array | float = ARM_SOFTNESS,
) -> tuple[Array, Array]:
    """See :func:`ssrhmr_core.solver.reach_with_clavicles`.

    Limits other than the usual ones may be given, each a number or (..., 2, 1).
    """
    xp = namespace(rotations)
    offsets = rotate(chest_rotation[..., None, :, :], skeleton.clavicle_offsets)
    clavicles = chest_position[..., None, :] + offsets
    bone = rotate(rotations, skeleton.shoulder_offsets)
    shoulders = clavicles + bone
    whole = (skeleton.upper_lengths + skeleton.lower_lengths)[..., 2:, :]
    over = norm(hands - shoulders) / whole - reach
    if not (over > -softness).any():
        return rotations, shoulders
    # The smaller of distance and reach, with a parabola where they meet.
    bent = xp.minimum(clamp(over + softness, 0.0), xp.zeros_like(over) + 2.0 * softness)
    kept = over - bent * bent / (4.0 * softness) - clamp(over - softness, 0.0, np.inf)
    distance_kept = (reach + kept) * whole
    length, aim = skeleton.clavicle_lengths, hands - clavicles
    distance = norm(aim)
    # Law of cosines: the angle between clavicle and target at which the arm reaches so far.
    needed = (length * length + distance * distance - distance_kept * distance_kept) / (
        2.0 * length * distance
    )
    axis = cross(bone, aim)
    # The limits keep off the ends, where the slope is infinite and no gradient could pass.
    needed = xp.arccos(clamp(needed, -0.99999, 0.99999))
    angle = xp.arctan2(norm(axis), dot(bone, aim)) - needed
    angle = clamp(angle, 0.0, MAX_CLAVICLE_ROTATION)
    change = from_rotvec(normalize(axis) * angle)
    return change @ rotations, clavicles + rotate(change, bone)


def close_limbs(
    uppers: Array,
    lowers: Array,
    starts: Array,
    skeleton: SolverSkeleton,
    targets: Array,
    poles: Array,
) -> tuple[Array, Array]:
    """See :func:`ssrhmr_core.solver.close_limbs`."""
    xp = namespace(targets)
    a, b = skeleton.upper_lengths, skeleton.lower_lengths
    aim = targets - starts
    distance = norm(aim)
    along = aim / distance
    nearest = xp.sqrt(a * a + b * b - 2.0 * FOLDED_COSINE * a * b)
    distance = xp.maximum(_within_reach(distance, a + b), nearest)
    cosine = (a * a + distance * distance - b * b) / (2.0 * a * distance)
    sine = xp.sqrt(clamp(1.0 - cosine * cosine, 1e-8))
    middle = a * (cosine * along + sine * normalize(reject(poles, along)))
    both = xp.concatenate([uppers[..., None, :, :], lowers[..., None, :, :]], -3)
    shins = (distance * along - middle) / b
    directions = xp.concatenate([(middle / a)[..., None, :], shins[..., None, :]], -2)
    aimed = rotation_between(rotate(both, skeleton.limb_directions), directions) @ both
    return aimed[..., 0, :, :], aimed[..., 1, :, :]
