# SPDX-License-Identifier: GPL-3.0-or-later
"""The lengths of a body that the solve reads, and the limits of its joints."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..body.skeleton import INDEX, TRACKERS
from ..geometry.arrays import Array, namespace, norm

SPINE = [INDEX[name] for name in ("lower_spine", "middle_spine", "chest", "neck")]
CLAVICLES = [INDEX["left_clavicle"], INDEX["right_clavicle"]]
CHEST = SPINE.index(INDEX["chest"])
"""Index of the chest among the joints of the spine."""
_SPINE_CHILDREN = [*SPINE[1:], INDEX["head"]]


class Limb(NamedTuple):
    """Joints of an arm or a leg.

    Attributes:
        base: The joint that carries the limb.
        upper: The first joint, a hip or a shoulder.
        lower: The knee or the elbow.
        end: The ankle or the wrist.
        tracker: Index of the tracker on the end.
    """

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
"""Most predictions need three; the others are for heads far from their tracker."""
SPINE_TOLERANCE = 1e-5
"""Distance of the head from its tracker at which the spine is solved, as a share of the spine's
length (some micrometres)."""
LAST_SPINE_STEP = 4.0 * SPINE_TOLERANCE
"""The same from which on the next step is a whole one. Below it, the step is a share of that, and
the last one: a nearly straight spine bends by 0.02 degrees to get a few micrometres shorter, and
would do so, or not, for the last bit of a number."""
MAX_SPINE_ROTATION = 0.6
"""Largest rotation of a spine joint in one step, radians."""
DAMPING = 1e-5
"""Share of the squared length that keeps the spine's step finite when the spine is stretched
straight at its target."""
REACH, REACH_SOFTNESS = 0.9995, 3e-4
"""Share of a limb's length to which it stretches at most, and the width of the bend before that:
at 1 a tenth of a millimetre would turn an elbow by degrees."""
ARM_REACH, ARM_SOFTNESS = 0.999, 0.015
"""Share of an arm's length to which it stretches at most while its clavicle can give, and how far
before that the clavicle begins: an elbow of an adult then turns by at most 1.2 degrees for each
millimetre."""
FOLDED_COSINE = float(np.cos(np.radians(10.0)))
"""Cosine of the smallest inner angle of knees and elbows."""
MAX_CLAVICLE_ROTATION = 0.7
"""Largest rotation of a clavicle away from the predicted one, radians."""


class SolverSkeleton(NamedTuple):
    """The lengths and directions that the solve reads from a skeleton in every frame.

    Attributes:
        spine_base: (..., 3) offset of the first joint of the spine.
        spine_offsets: (..., 4, 3) offset of the joint that each joint of the spine carries, the
            head last.
        spine_length: (..., 1) distance from the hips to the head in the T-pose.
        spine_reach: (..., 1) length of the part that bends, if it were straight.
        hip_offsets: (..., 2, 3) offsets of both hip joints.
        clavicle_offsets: (..., 2, 3) offsets of both clavicles.
        shoulder_offsets: (..., 2, 3) offsets of both shoulder joints.
        clavicle_lengths: (..., 2, 1) lengths of the clavicles.
        upper_lengths: (..., 4, 1) lengths of thighs and upper arms, in the order of :data:`LIMBS`.
        lower_lengths: (..., 4, 1) lengths of shins and forearms.
        upper_bones: (..., 4, 3) offsets of knees and elbows.
        lower_bones: (..., 4, 3) offsets of ankles and wrists.
        limb_directions: (..., 4, 2, 3) unit vectors along both bones of each limb.
    """

    spine_base: Array
    spine_offsets: Array
    spine_length: Array
    spine_reach: Array
    hip_offsets: Array
    clavicle_offsets: Array
    shoulder_offsets: Array
    clavicle_lengths: Array
    upper_lengths: Array
    lower_lengths: Array
    upper_bones: Array
    lower_bones: Array
    limb_directions: Array


class LimbRotations(NamedTuple):
    """Global rotations of arms and legs before they are closed, in the order of :data:`LIMBS`.

    Attributes:
        uppers: (..., 4, 3, 3) rotations of thighs and upper arms.
        lowers: (..., 4, 3, 3) rotations of shins and forearms.
        toes: (..., 2, 3, 3) rotations of the toes.
        poles: (..., 4, 3) directions towards which knees and elbows bend, of any length.
    """

    uppers: Array
    lowers: Array
    toes: Array
    poles: Array


def solver_skeleton(offsets: Array) -> SolverSkeleton:
    """Derive lengths and directions from offsets (..., 22, 3), metres."""
    base, spine = offsets[..., SPINE[0], :], offsets[..., _SPINE_CHILDREN, :]
    shoulders = offsets[..., [arm.upper for arm in ARMS], :]
    uppers = offsets[..., [limb.lower for limb in LIMBS], :]
    lowers = offsets[..., [limb.end for limb in LIMBS], :]
    upper_lengths, lower_lengths = norm(uppers), norm(lowers)
    return SolverSkeleton(
        spine_base=base,
        spine_offsets=spine,
        spine_length=norm(base + spine.sum(-2)),
        spine_reach=norm(spine).sum(-2),
        hip_offsets=offsets[..., [leg.upper for leg in LEGS], :],
        clavicle_offsets=offsets[..., CLAVICLES, :],
        shoulder_offsets=shoulders,
        clavicle_lengths=norm(shoulders),
        upper_lengths=upper_lengths,
        lower_lengths=lower_lengths,
        upper_bones=uppers,
        lower_bones=lowers,
        limb_directions=namespace(offsets).stack(
            [uppers / upper_lengths, lowers / lower_lengths], -2
        ),
    )
