# SPDX-License-Identifier: GPL-3.0-or-later
"""What the solve needs of a body, and how far its joints may go."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..body.skeleton import INDEX, TRACKERS
from ..geometry.arrays import Array, namespace, norm

SPINE = [INDEX[name] for name in ("lower_spine", "middle_spine", "chest", "neck")]
CLAVICLES = [INDEX["left_clavicle"], INDEX["right_clavicle"]]
CHEST = SPINE.index(INDEX["chest"])
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
SPINE_MISS = 1e-5
"""A head this near to its tracker is there; share of its length (some micrometres)."""
LARGEST_TURN = 0.6
"""That a joint of the spine is turned by in one step, radians."""
DAMPING = 1e-5
"""Keeps the spine's step finite when it is stretched straight at its target; share of length^2."""
REACH, REACH_SOFT = 0.9995, 3e-4
"""Share of a limb's length that it is stretched to at most, and the width of the bend before it:
at 1 a tenth of a millimetre would turn an elbow by degrees."""
ARM_REACH, ARM_SOFT = 0.999, 0.015
"""Share of an arm's length that it is stretched to at most while its clavicle can give, and how far
before it that begins: an elbow of an adult then turns by 1.2 degrees a millimetre at most."""
FOLDED = np.cos(np.radians(10.0))
"""Knees and elbows close to this inner angle at most."""
CLAVICLE_LIMIT = 0.7
"""Largest turn of a clavicle beyond the predicted one, radians."""


class SolverSkeleton(NamedTuple):
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


def solver_skeleton(offsets: Array) -> SolverSkeleton:
    """Work out what the solve needs of bodies with offsets (..., 22, 3), metres."""
    first, spine = offsets[..., SPINE[0], :], offsets[..., _AFTER_SPINE, :]
    shoulders = offsets[..., [arm.upper for arm in ARMS], :]
    upper = offsets[..., [limb.lower for limb in LIMBS], :]
    lower = offsets[..., [limb.end for limb in LIMBS], :]
    a, b = norm(upper), norm(lower)
    return SolverSkeleton(
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
