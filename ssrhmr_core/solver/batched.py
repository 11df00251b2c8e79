# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of the exact solve for many frames: on NumPy arrays, and on tensors, differentiable."""

from __future__ import annotations

import numpy as np

from ..geometry.arrays import (
    IDENTITY,
    Array,
    cast_like,
    clamp,
    constant,
    cross,
    dot,
    double,
    namespace,
    norm,
    normalize,
    reject,
)
from ..geometry.rotations import between, from_rotvec, rotate, transpose
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


def solve_spine(
    turned: Array, body: SolverSkeleton, hips: Array, head: Array, steps: int
) -> tuple[Array, Array]:
    """See :func:`ssrhmr_core.solver.solve_spine`; differentiable for tensors."""
    xp = namespace(turned)
    base, bones, length = rotate(hips, body.first), body.spine, body.length
    # Beyond its reach the spine would whip about from one frame to the next.
    aim = head - base
    distance = norm(aim)
    head = base + aim * (_within_reach(distance, body.stretched) / distance)
    if xp is np:
        return _solve_spine_rows(turned, base, bones, length, head, steps)
    for _ in range(steps):
        points, tip = _spine_points(turned, base, bones)
        missing = head - tip
        away = norm(missing) / length
        bent = _bend_spine(turned, points, tip, length, missing)
        turned = xp.where((away > SPINE_MISS)[..., None, None], bent, turned)
    return turned, _spine_points(turned, base, bones)[0]


def _solve_spine_rows(
    turned: np.ndarray,
    base: np.ndarray,
    bones: np.ndarray,
    length: np.ndarray,
    head: np.ndarray,
    steps: int,
) -> tuple[np.ndarray, np.ndarray]:
    """The same without gradients: each frame stops when its head is where it belongs."""
    lead = turned.shape[:-3]
    turned = turned.reshape(-1, 4, 3, 3).copy()
    base, head = base.reshape(-1, 3), head.reshape(-1, 3)
    bones = np.broadcast_to(bones, (*lead, 4, 3)).reshape(-1, 4, 3)
    length = np.broadcast_to(length, (*lead, 1)).reshape(-1, 1)
    points, tip = _spine_points(turned, base, bones)
    found = points
    rows: slice | np.ndarray = slice(None)
    for _ in range(steps):
        missing = head - tip
        away = norm(missing) / length
        far = away[:, 0] > SPINE_MISS
        left = np.count_nonzero(far)
        if not left:
            break
        if left < len(far):
            rows = np.flatnonzero(far) if isinstance(rows, slice) else rows[far]
            points, tip, missing = points[far], tip[far], missing[far]
            base, bones, length, head = base[far], bones[far], length[far], head[far]
        bent = _bend_spine(turned[rows], points, tip, length, missing)
        points, tip = _spine_points(bent, base, bones)
        turned[rows], found[rows] = bent, points
    return turned.reshape(*lead, 4, 3, 3), found.reshape(*lead, 4, 3)


def _spine_points(turned: Array, base: Array, bones: Array) -> tuple[Array, Array]:
    """Positions (..., 4, 3) of the spine's joints and (..., 3) of the head."""
    ends = base[..., None, :] + rotate(turned, bones).cumsum(-2)
    points = namespace(base).concatenate([base[..., None, :], ends[..., :3, :]], -2)
    return points, ends[..., 3, :]


def _bend_spine(turned: Array, points: Array, tip: Array, length: Array, missing: Array) -> Array:
    """One step of :func:`solve_spine`."""
    xp = namespace(turned)
    # A nearly straight spine can hardly get longer or shorter: that direction is what is left
    # of large numbers after a subtraction, and single precision would leave noise.
    levers = double(tip[..., None, :] - points)
    stiff = (levers * levers).sum((-1, -2)) + DAMPING * double(length * length)[..., 0]
    matrix = stiff[..., None, None] * constant(IDENTITY, levers) - transpose(levers) @ levers
    pull = xp.linalg.solve(matrix, double(missing)[..., None])
    # What turns a joint turns all that it carries.
    own = cross(levers.cumsum(-2), transpose(pull))
    # Larger turns leave the range in which the linear model means anything: a straight spine that
    # is to be shorter would buckle to another side in every frame.
    most = xp.amax(norm(own), -2)[..., None, :]
    own = own * clamp(LARGEST_TURN / most, high=1.0)
    return from_rotvec(cast_like(own, turned)) @ turned


def _within_reach(distance: Array, whole: Array) -> Array:
    """Return the smaller of a distance and the reach of a chain, rounded off where they meet."""
    over = distance / whole - REACH
    softened = namespace(over).sqrt(over * over + REACH_SOFT**2)
    return whole * (0.5 * (over - softened) + REACH)


def reach_with_clavicles(
    turned: Array, body: SolverSkeleton, chest_turn: Array, chest: Array, hands: Array
) -> tuple[Array, Array]:
    """See :func:`ssrhmr_core.solver.reach_with_clavicles`."""
    xp = namespace(turned)
    clavicles = chest[..., None, :] + rotate(chest_turn[..., None, :, :], body.collars)
    bone = rotate(turned, body.shoulders)
    shoulders = clavicles + bone
    whole = (body.uppers + body.lowers)[..., 2:, :]
    over = norm(hands - shoulders) / whole - ARM_REACH
    if not (over > -ARM_SOFT).any():
        return turned, shoulders
    # The smaller of distance and reach, with a parabola where they meet.
    bent = clamp(over + ARM_SOFT, 0.0, 2.0 * ARM_SOFT)
    kept = over - bent * bent / (4.0 * ARM_SOFT) - clamp(over - ARM_SOFT, 0.0, np.inf)
    reach = (ARM_REACH + kept) * whole
    length, aim = body.collar, hands - clavicles
    distance = norm(aim)
    # Law of cosines: the angle between clavicle and target at which the arm reaches so far.
    needed = (length * length + distance * distance - reach * reach) / (2.0 * length * distance)
    axis = cross(bone, aim)
    # Off the ends, where the slope is infinite and no gradient could pass.
    needed = xp.arccos(clamp(needed, -0.99999, 0.99999))
    angle = clamp(xp.arctan2(norm(axis), dot(bone, aim)) - needed, 0.0, CLAVICLE_LIMIT)
    turn = from_rotvec(normalize(axis) * angle)
    return turn @ turned, clavicles + rotate(turn, bone)


def close_limbs(
    uppers: Array, lowers: Array, starts: Array, body: SolverSkeleton, targets: Array, poles: Array
) -> tuple[Array, Array]:
    """See :func:`ssrhmr_core.solver.close_limbs`."""
    xp = namespace(targets)
    a, b = body.uppers, body.lowers
    aim = targets - starts
    distance = norm(aim)
    along = aim / distance
    nearest = xp.sqrt(a * a + b * b - 2.0 * float(FOLDED) * a * b)
    distance = xp.maximum(_within_reach(distance, a + b), nearest)
    cosine = (a * a + distance * distance - b * b) / (2.0 * a * distance)
    sine = xp.sqrt(clamp(1.0 - cosine * cosine, 1e-8))
    middle = a * (cosine * along + sine * normalize(reject(poles, along)))
    both = xp.concatenate([uppers[..., None, :, :], lowers[..., None, :, :]], -3)
    shins = (distance * along - middle) / b
    directions = xp.concatenate([(middle / a)[..., None, :], shins[..., None, :]], -2)
    aimed = between(rotate(both, body.limbs), directions) @ both
    return aimed[..., 0, :, :], aimed[..., 1, :, :]
