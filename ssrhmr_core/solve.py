"""The exact solve: the body obeys what was measured, with little change to what was learned.

Measured rotations are copied through. The spine bends by the least-squares smallest turns that
bring the head onto its tracker, clavicles give only as far as a hand is out of reach, and arms and
legs are closed in closed form onto their trackers, bending towards the predicted side.

Everything here runs on NumPy arrays and torch tensors (see :mod:`ssrhmr_core.arrays`), for one
frame or many, and is differentiable: training runs through it.
"""

from __future__ import annotations

from typing import NamedTuple

from .arrays import (
    Array,
    between,
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
    solve_symmetric3,
)
from .skeleton import INDEX, TRACKER_JOINTS, TRACKERS

SPINE = tuple(INDEX[name] for name in ("lower_spine", "middle_spine", "chest", "neck"))


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

_SPINE_STEPS = 8
"""Three are mostly enough; the rest is for heads far from where they belong. Always all of
them: stopping early would depend on the other frames and on the last bit of the arithmetic."""
_DAMPING = 1e-4
"""Keeps the spine's step finite when it is stretched straight at its target; share of length^2."""
_REACH = 0.9995
"""Share of a limb's length that it is stretched to at most: at 1 its bend would be undefined."""
_CLAVICLE_LIMIT = 0.7
"""Largest turn of a clavicle beyond the predicted one, radians."""


def solve_torso(
    rotations: list[Array], root: Array, offsets: Array, head: Array
) -> dict[int, Array]:
    """Bend spine and neck so that the head lands on its tracker.

    Damped Gauss-Newton on the global turns of the four joints: each step is the smallest set of
    turns that moves the head by what is missing (Buss, "Introduction to inverse kinematics",
    2004, damped least squares). Clavicles go along with the chest.

    Args:
        rotations: 22 global rotations (..., 3, 3); those of spine, neck and clavicles are
            replaced in the list.
        root: (..., 3) position of the hips.
        offsets: (..., 22, 3) or (22, 3).
        head: (..., 3) where the head joint was measured.

    Returns:
        Positions (..., 3) of the joints of :data:`SPINE`, after the solve.
    """
    length = norm(offsets[..., SPINE[0] : INDEX["head"] + 1, :].sum(-2))
    base = root + rotate(rotations[0], offsets[..., SPINE[0], :])
    for _ in range(_SPINE_STEPS):
        points, tip = _spine_points(rotations, base, offsets)
        missing = head - tip
        # A larger step than this leaves the range in which the linear model means anything.
        missing = missing * namespace(head).clip(0.4 * length / norm(missing), None, 1.0)
        # A nearly straight spine can hardly get longer or shorter: that direction is what is left
        # of large numbers after a subtraction, and single precision would leave noise.
        levers = [double(tip - point) for point in points]
        square = sum(dot(lever, lever) for lever in levers)
        outer = sum(lever[..., :, None] * lever[..., None, :] for lever in levers)
        identity = _DAMPING * double(length * length) + square
        pull = solve_symmetric3(_diagonal(identity) - outer, double(missing))
        turn = None
        for joint, lever in zip(SPINE, levers, strict=True):
            own = from_rotation_vector(single_as(cross(lever, pull), root))
            turn = own if turn is None else turn @ own
            rotations[joint] = turn @ rotations[joint]
            if joint == INDEX["chest"]:
                for clavicle in (ARMS[0].base, ARMS[1].base):
                    rotations[clavicle] = turn @ rotations[clavicle]
    points, _ = _spine_points(rotations, base, offsets)
    return dict(zip(SPINE, points, strict=True))


def give_clavicle(
    rotations: list[Array], arm: Limb, chest: Array, offsets: Array, target: Array
) -> Array:
    """Turn a clavicle towards its hand's tracker, as far as the hand is out of the arm's reach.

    Args:
        rotations: 22 global rotations (..., 3, 3); the clavicle's is replaced in the list.
        arm: which arm.
        chest: (..., 3) position of the chest joint.
        offsets: (..., 22, 3) or (22, 3).
        target: (..., 3) where the wrist was measured.

    Returns:
        Position of the shoulder joint (..., 3).
    """
    xp = namespace(target)
    clavicle = chest + rotate(rotations[INDEX["chest"]], offsets[..., arm.base, :])
    bone = rotate(rotations[arm.base], offsets[..., arm.upper, :])
    length, aim = norm(bone), target - clavicle
    distance = norm(aim)
    reach = _REACH * (norm(offsets[..., arm.lower, :]) + norm(offsets[..., arm.end, :]))
    # Law of cosines: the angle between clavicle and target at which the arm just reaches.
    needed = (length * length + distance * distance - reach * reach) / (2.0 * length * distance)
    has = dot(bone, aim) / (length * distance)
    axis = cross(bone, aim)
    angle = _arc_cosine(has) - _arc_cosine(needed)
    angle = xp.clip(angle, 0.0, _CLAVICLE_LIMIT)
    rotations[arm.base] = from_rotation_vector(normalize(axis) * angle) @ rotations[arm.base]
    return clavicle + rotate(rotations[arm.base], offsets[..., arm.upper, :])


def close_limb(
    rotations: list[Array], limb: Limb, start: Array, offsets: Array, target: Array, pole: Array
) -> None:
    """Close a limb of two bones onto its tracker.

    The plane of the bend is given by ``pole``; the twist of both bones about their own axes is
    kept as predicted. Out of reach, the limb points at the target.

    Args:
        rotations: 22 global rotations (..., 3, 3); those of the two bones are replaced.
        limb: which limb.
        start: (..., 3) position of its first joint.
        offsets: (..., 22, 3) or (22, 3).
        target: (..., 3) where its end was measured.
        pole: (..., 3) global direction towards which the middle joint bends, of any length.
    """
    xp = namespace(target)
    upper, lower = offsets[..., limb.lower, :], offsets[..., limb.end, :]
    a, b = norm(upper), norm(lower)
    aim = target - start
    distance = norm(aim)
    along = aim / distance
    # The shortest reach is that of an elbow bent by about 150 degrees.
    nearest = xp.sqrt(a * a + b * b - 1.73 * a * b)
    distance = xp.maximum(xp.minimum(distance, _REACH * (a + b)), nearest)
    cosine = (a * a + distance * distance - b * b) / (2.0 * a * distance)
    sine = xp.sqrt(xp.clip(1.0 - cosine * cosine, 1e-8, None))
    middle = a * (cosine * along + sine * normalize(reject(pole, along)))
    for joint, bone, direction in (
        (limb.upper, upper / a, middle / a),
        (limb.lower, lower / b, (distance * along - middle) / b),
    ):
        aimed = between(rotate(rotations[joint], bone), direction)
        rotations[joint] = aimed @ rotations[joint]


def copy_measured(rotations: list[Array], measured: Array) -> None:
    """Put the trackers' rotations (..., 6, 3, 3) onto their joints."""
    for tracker, joint in enumerate(TRACKER_JOINTS):
        rotations[joint] = measured[..., tracker, :, :]


def solve(
    rotations: Array, poles: Array, positions: Array, measured: Array, offsets: Array
) -> Array:
    """The whole exact solve at once, for predictions that did not come through the stages.

    Args:
        rotations: (..., 22, 3, 3) predicted global rotations.
        poles: (..., 4, 3) global bend directions of left and right leg, left and right arm.
        positions: (..., 6, 3) measured positions of the tracked joints, metres.
        measured: (..., 6, 3, 3) their measured rotations.
        offsets: (..., 22, 3) or (22, 3), metres.

    Returns:
        Global rotations (..., 22, 3, 3). The root's position is the pelvis tracker's.
    """
    turned = [rotations[..., joint, :, :] for joint in range(rotations.shape[-3])]
    copy_measured(turned, measured)
    root = positions[..., 0, :]
    spine = solve_torso(turned, root, offsets, positions[..., TRACKERS.index("head"), :])
    for number, limb in enumerate((*LEGS, *ARMS)):
        target = positions[..., limb.tracker, :]
        start = limb_start(turned, limb, root, spine, offsets, target)
        close_limb(turned, limb, start, offsets, target, poles[..., number, :])
    return namespace(rotations).stack(turned, -3)


def limb_start(
    rotations: list[Array],
    limb: Limb,
    root: Array,
    spine: dict[int, Array],
    offsets: Array,
    target: Array,
) -> Array:
    """Position (..., 3) of a limb's first joint; an arm's clavicle gives where it must."""
    if limb in ARMS:
        return give_clavicle(rotations, limb, spine[INDEX["chest"]], offsets, target)
    return root + rotate(rotations[0], offsets[..., limb.upper, :])


def _spine_points(rotations: list[Array], base: Array, offsets: Array) -> tuple[list[Array], Array]:
    points, point = [], base
    for joint in SPINE:
        points.append(point)
        point = point + rotate(rotations[joint], offsets[..., joint + 1, :])
    return points, point


def _diagonal(value: Array) -> Array:
    """(..., 1) -> (..., 3, 3) diagonal matrices."""
    xp = namespace(value)
    zero = value[..., 0] * 0.0
    x = value[..., 0]
    rows = [xp.stack(row, -1) for row in ([x, zero, zero], [zero, x, zero], [zero, zero, x])]
    return xp.stack(rows, -2)


def _arc_cosine(value: Array) -> Array:
    xp = namespace(value)
    # Off the ends, where the slope is infinite and no gradient could pass.
    return xp.arccos(xp.clip(value, -0.99999, 0.99999))
