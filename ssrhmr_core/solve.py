"""The exact solve: the body obeys what was measured, with little change to what was learned.

Measured rotations are copied through. The spine bends by the least-squares smallest turns that
bring the head onto its tracker, clavicles give only as far as a hand is out of reach, and arms and
legs are closed in closed form onto their trackers, bending towards the predicted side.

Everything here runs on NumPy arrays and torch tensors (see :mod:`ssrhmr_core.arrays`), for one
frame or many, and is differentiable: training runs through it. All positions are relative to the
hips: far from the origin single precision would cost the ends their last hundredth of a
millimetre.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .arrays import (
    IDENTITY,
    Array,
    between,
    clamp,
    constant,
    cross,
    dot,
    double,
    from_rotation_vector,
    namespace,
    norm,
    normalize,
    reject,
    rotate,
    single_as,
    transpose,
)
from .skeleton import INDEX, JOINTS, TRACKER_JOINTS, TRACKERS

SPINE = [INDEX[name] for name in ("lower_spine", "middle_spine", "chest", "neck")]
CLAVICLES = [INDEX["left_clavicle"], INDEX["right_clavicle"]]
_CHEST = SPINE.index(INDEX["chest"])
_AFTER_SPINE = [*SPINE[1:], INDEX["head"]]


class Limb(NamedTuple):
    """Joints of an arm or a leg; ``base`` carries it, ``tracker`` is the index of its tracker."""

    base: int
    upper: int
    lower: int
    end: int
    tracker: int


LEGS = tuple(
    Limb(
        INDEX["hips"],
        INDEX[f"{side}_hip"],
        INDEX[f"{side}_knee"],
        INDEX[f"{side}_ankle"],
        TRACKERS.index(f"{side}_foot"),
    )
    for side in ("left", "right")
)
ARMS = tuple(
    Limb(
        INDEX[f"{side}_clavicle"],
        INDEX[f"{side}_shoulder"],
        INDEX[f"{side}_elbow"],
        INDEX[f"{side}_wrist"],
        TRACKERS.index(f"{side}_hand"),
    )
    for side in ("left", "right")
)
LIMBS = (*LEGS, *ARMS)

SPINE_STEPS = 8
"""Three are mostly enough; the rest is for heads far from where they belong."""
_SPINE_MISS = 1e-5
"""A head this near to its tracker is there; share of its length (some micrometres)."""
_LARGEST_STEP = 0.4
"""Share of the spine's length."""
_DAMPING = 1e-5
"""Keeps the spine's step finite when it is stretched straight at its target; share of length^2."""
_REACH, _REACH_SOFT = 0.9995, 3e-4
"""Share of a limb's length that it is stretched to at most, and the width of the bend before it:
at 1 a tenth of a millimetre would turn an elbow by degrees."""
_ARM_REACH, _ARM_SOFT = 0.999, 0.015
"""Share of an arm's length that it is stretched to at most while its clavicle can give, and how far
before it that begins: an elbow of an adult then turns by 1.2 degrees a millimetre at most."""
_FOLDED = np.cos(np.radians(10.0))
"""Knees and elbows close to this inner angle at most."""
_CLAVICLE_LIMIT = 0.7
"""Largest turn of a clavicle beyond the predicted one, radians."""


class Body(NamedTuple):
    """What the solve needs of a skeleton; worked out once, used in every frame.

    Attributes:
        first: (..., 3) offset of the first joint of the spine.
        spine: (..., 4, 3) offsets of what each joint of the spine carries, the head last.
        length: (..., 1) of the spine from the hips to the head.
        stretched: (..., 1) of the part that bends, if it were straight.
        hips: (..., 2, 3) offsets of both hip joints.
        collars: (..., 2, 3) offsets of both clavicles.
        shoulders: (..., 2, 3) offsets of both shoulder joints.
        collar: (..., 2, 1) length of the clavicles.
        uppers: (..., 4, 1) length of thighs and upper arms, in the order of :data:`LIMBS`.
        lowers: (..., 4, 1) of shins and forearms.
        limbs: (..., 4, 2, 3) unit vectors along both bones of each limb.
    """

    first: Array
    spine: Array
    length: Array
    stretched: Array
    hips: Array
    collars: Array
    shoulders: Array
    collar: Array
    uppers: Array
    lowers: Array
    limbs: Array


def body_of(offsets: Array) -> Body:
    """Work out what the solve needs of bodies with offsets (..., 22, 3), metres."""
    first, spine = offsets[..., SPINE[0], :], offsets[..., _AFTER_SPINE, :]
    shoulders = offsets[..., [arm.upper for arm in ARMS], :]
    upper = offsets[..., [limb.lower for limb in LIMBS], :]
    lower = offsets[..., [limb.end for limb in LIMBS], :]
    a, b = norm(upper), norm(lower)
    return Body(
        first,
        spine,
        norm(first + spine.sum(-2)),
        norm(spine).sum(-2),
        offsets[..., [leg.upper for leg in LEGS], :],
        offsets[..., CLAVICLES, :],
        shoulders,
        norm(shoulders),
        a,
        b,
        namespace(offsets).stack([upper / a, lower / b], -2),
    )


def solve_spine(
    turned: Array, body: Body, hips: Array, head: Array, steps: int = SPINE_STEPS
) -> tuple[Array, Array]:
    """Bend spine and neck so that the head lands on its tracker.

    Damped Gauss-Newton on the global turns of the four joints: each step is the smallest set of
    turns that moves the head by what is missing (Buss, "Introduction to inverse kinematics",
    2004, damped least squares).

    Args:
        turned: (..., 4, 3, 3) predicted global rotations of the joints of :data:`SPINE`.
        body: from :func:`body_of`.
        hips: (..., 3, 3) rotation of the hips.
        head: (..., 3) where the head joint was measured, from the hips.
        steps: how many steps are made at most.

    Returns:
        The new rotations, and the positions (..., 4, 3) of the joints.
    """
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
        bent = _bend_spine(turned, points, tip, length, missing, away)
        turned = xp.where((away > _SPINE_MISS)[..., None, None], bent, turned)
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
        far = away[:, 0] > _SPINE_MISS
        left = np.count_nonzero(far)
        if not left:
            break
        if left < len(far):
            rows = np.flatnonzero(far) if isinstance(rows, slice) else rows[far]
            points, tip, missing, away = points[far], tip[far], missing[far], away[far]
            base, bones, length, head = base[far], bones[far], length[far], head[far]
        bent = _bend_spine(turned[rows], points, tip, length, missing, away)
        points, tip = _spine_points(bent, base, bones)
        turned[rows], found[rows] = bent, points
    return turned.reshape(*lead, 4, 3, 3), found.reshape(*lead, 4, 3)


def _spine_points(turned: Array, base: Array, bones: Array) -> tuple[Array, Array]:
    """Positions (..., 4, 3) of the spine's joints and (..., 3) of the head."""
    ends = base[..., None, :] + rotate(turned, bones).cumsum(-2)
    points = namespace(base).concatenate([base[..., None, :], ends[..., :3, :]], -2)
    return points, ends[..., 3, :]


def _bend_spine(
    turned: Array, points: Array, tip: Array, length: Array, missing: Array, away: Array
) -> Array:
    """One step of :func:`solve_spine`; ``away`` is how much is missing, in lengths of the spine."""
    xp = namespace(turned)
    # A nearly straight spine can hardly get longer or shorter: that direction is what is left
    # of large numbers after a subtraction, and single precision would leave noise.
    levers = double(tip[..., None, :] - points)
    stiff = (levers * levers).sum((-1, -2)) + _DAMPING * double(length * length)[..., 0]
    matrix = stiff[..., None, None] * constant(IDENTITY, levers) - transpose(levers) @ levers
    # A larger step than this leaves the range in which the linear model means anything.
    missing = missing * clamp(_LARGEST_STEP / away, high=1.0)
    pull = xp.linalg.solve(matrix, double(missing)[..., None])
    # What turns a joint turns all that it carries.
    own = cross(levers.cumsum(-2), transpose(pull))
    return from_rotation_vector(single_as(own, turned)) @ turned


def _within_reach(distance: Array, whole: Array) -> Array:
    """Return the smaller of a distance and the reach of a chain, rounded off where they meet."""
    over = distance / whole - _REACH
    softened = namespace(over).sqrt(over * over + _REACH_SOFT**2)
    return whole * (0.5 * (over - softened) + _REACH)


def give_clavicles(
    turned: Array, body: Body, chest_turn: Array, chest: Array, hands: Array
) -> tuple[Array, Array]:
    """Turn clavicles towards the hands' trackers, as far as those are out of the arms' reach.

    Args:
        turned: (..., 2, 3, 3) predicted global rotations of both clavicles.
        body: from :func:`body_of`.
        chest_turn: (..., 3, 3) rotation of the chest.
        chest: (..., 3) its position.
        hands: (..., 2, 3) where the wrists were measured.

    Returns:
        The new rotations, and the positions (..., 2, 3) of the shoulder joints.
    """
    xp = namespace(turned)
    clavicles = chest[..., None, :] + rotate(chest_turn[..., None, :, :], body.collars)
    bone = rotate(turned, body.shoulders)
    shoulders = clavicles + bone
    whole = (body.uppers + body.lowers)[..., 2:, :]
    over = norm(hands - shoulders) / whole - _ARM_REACH
    if not (over > -_ARM_SOFT).any():
        return turned, shoulders
    # The smaller of distance and reach, with a parabola where they meet.
    bent = clamp(over + _ARM_SOFT, 0.0, 2.0 * _ARM_SOFT)
    kept = over - bent * bent / (4.0 * _ARM_SOFT) - clamp(over - _ARM_SOFT, 0.0, np.inf)
    reach = (_ARM_REACH + kept) * whole
    length, aim = body.collar, hands - clavicles
    distance = norm(aim)
    # Law of cosines: the angle between clavicle and target at which the arm reaches so far.
    needed = (length * length + distance * distance - reach * reach) / (2.0 * length * distance)
    axis = cross(bone, aim)
    # Off the ends, where the slope is infinite and no gradient could pass.
    needed = xp.arccos(clamp(needed, -0.99999, 0.99999))
    angle = clamp(xp.arctan2(norm(axis), dot(bone, aim)) - needed, 0.0, _CLAVICLE_LIMIT)
    turn = from_rotation_vector(normalize(axis) * angle)
    return turn @ turned, clavicles + rotate(turn, bone)


def close_limbs(
    uppers: Array, lowers: Array, starts: Array, body: Body, targets: Array, poles: Array
) -> tuple[Array, Array]:
    """Close arms and legs onto their trackers.

    The plane of each bend is given by its pole; the twist of both bones about their own axes is
    kept as predicted. Out of reach, the limb points at the target.

    Args:
        uppers: (..., 4, 3, 3) global rotations of thighs and upper arms, as :data:`LIMBS`.
        lowers: (..., 4, 3, 3) of shins and forearms.
        starts: (..., 4, 3) positions of the first joints.
        body: from :func:`body_of`.
        targets: (..., 4, 3) where the ends were measured.
        poles: (..., 4, 3) global directions towards which knees and elbows bend, of any length.

    Returns:
        The new rotations of both.
    """
    xp = namespace(targets)
    a, b = body.uppers, body.lowers
    aim = targets - starts
    distance = norm(aim)
    along = aim / distance
    nearest = xp.sqrt(a * a + b * b - 2.0 * float(_FOLDED) * a * b)
    distance = xp.maximum(_within_reach(distance, a + b), nearest)
    cosine = (a * a + distance * distance - b * b) / (2.0 * a * distance)
    sine = xp.sqrt(clamp(1.0 - cosine * cosine, 1e-8))
    middle = a * (cosine * along + sine * normalize(reject(poles, along)))
    both = xp.concatenate([uppers[..., None, :, :], lowers[..., None, :, :]], -3)
    shins = (distance * along - middle) / b
    directions = xp.concatenate([(middle / a)[..., None, :], shins[..., None, :]], -2)
    aimed = between(rotate(both, body.limbs), directions) @ both
    return aimed[..., 0, :, :], aimed[..., 1, :, :]


def solve(rotations: Array, poles: Array, positions: Array, measured: Array, body: Body) -> Array:
    """The whole exact solve at once, for predictions that did not come through the stages.

    Args:
        rotations: (..., 22, 3, 3) predicted global rotations.
        poles: (..., 4, 3) global bend directions of left and right leg, left and right arm.
        positions: (..., 6, 3) measured positions of the tracked joints, metres.
        measured: (..., 6, 3, 3) their measured rotations.
        body: from :func:`body_of`.

    Returns:
        Global rotations (..., 22, 3, 3). The root's position is the pelvis tracker's.
    """
    xp = namespace(rotations)
    hips = measured[..., 0, :, :]
    ends = positions[..., 1:, :] - positions[..., :1, :]
    before = rotations[..., SPINE, :, :]
    spine, points = solve_spine(before, body, hips, ends[..., 0, :])
    clavicles = carried_clavicles(rotations[..., CLAVICLES, :, :], before, spine)
    clavicles, shoulders = give_clavicles(
        clavicles, body, spine[..., _CHEST, :, :], points[..., _CHEST, :], ends[..., 1:3, :]
    )
    starts = xp.concatenate([hip_points(hips, body), shoulders], -2)
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


def carried_clavicles(clavicles: Array, before: Array, after: Array) -> Array:
    """Let clavicles (..., 2, 3, 3) go along with the chest of a spine that was bent."""
    turn = after[..., _CHEST, :, :] @ transpose(before[..., _CHEST, :, :])
    return turn[..., None, :, :] @ clavicles


def hip_points(hips: Array, body: Body) -> Array:
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
