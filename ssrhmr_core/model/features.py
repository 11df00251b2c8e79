# SPDX-License-Identifier: GPL-3.0-or-later
"""What the network reads: features of the trackers, of how they moved, and of the body.

All of them are relative to the pelvis and to the size of the body, so position, heading and scale
mean nothing to the network. The same functions serve NumPy at run time and torch in training.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..body.extra_trackers import EXTRA_INDEX, EXTRA_JOINTS
from ..body.skeleton import INDEX, JOINTS
from ..geometry.arrays import Array, constant, namespace
from ..geometry.rotations import IDENTITY_6D, axes_6d, rotate, to_6d, transpose
from ..solver import (
    ARMS,
    CLAVICLES,
    LEGS,
    LIMBS,
    SPINE,
    Measured,
    SolverSkeleton,
    solver_skeleton,
)

HISTORY = (2, 4, 8, 16, 32)
"""Ages, in frames of 60 Hz, of the earlier frames that the generator reads."""

FRAME_FEATURES = 5 * 9 + 3
STEP_FEATURES = FRAME_FEATURES + 9
BODY_FEATURES = 3 * (len(JOINTS) - 1)
EXTRA_FEATURES = len(EXTRA_JOINTS) * (2 + 3 + 6)
LIMB_EXTRA_FEATURES = 4 + 2 * 7

TORSO = (*SPINE, *CLAVICLES)
MIRROR_VECTORS = np.array([(1.0, 1.0, 1.0), (-1.0, 1.0, 1.0)] * 2, np.float32)
"""Factors that mirror the right side: for left and right leg, left and right arm."""
MIRROR_SIXES = np.array([(1.0,) * 6, (1.0, -1.0, -1.0, -1.0, 1.0, 1.0)] * 2, np.float32)
"""The twin of :data:`MIRROR_VECTORS` for rotations."""

_EXTRA_UPPERS = np.array([EXTRA_INDEX[limb.upper] for limb in LIMBS])
_EXTRA_LOWERS = np.array([EXTRA_INDEX[limb.lower] for limb in LIMBS])
_TORSO_BONES = [*TORSO, INDEX["head"], *(arm.upper for arm in ARMS)]
_LIMB_BONES = [
    *([leg.upper, leg.lower, leg.end, leg.end + 1] for leg in LEGS),
    *([arm.upper, arm.lower, arm.end, arm.base] for arm in ARMS),
]


class BodyFeatures(NamedTuple):
    """The proportions of a body as the stages read them in every frame.

    Attributes:
        size: (...) or scalar size of the body, see :attr:`Skeleton.size`.
        joints: (..., 63) all offsets but the root's, in sizes of the body.
        torso: (..., 27) offsets of spine, head, clavicles and shoulders, in sizes of the body.
        limbs: (..., 4, 12) offsets of legs and arms, the right ones mirrored, in sizes of the body.
        skeleton: Lengths in metres for the exact solve.
    """

    size: Array
    joints: Array
    torso: Array
    limbs: Array
    skeleton: SolverSkeleton


def body_features(offsets: Array, size: Array) -> BodyFeatures:
    """Compute the features of bodies.

    Args:
        offsets: (..., 22, 3) offsets, metres.
        size: (...) or scalar size of the body, see :attr:`Skeleton.size`.
    """
    scaled = offsets / expand_size(size, 2)
    lead = offsets.shape[:-2]
    limbs = scaled[..., _LIMB_BONES, :] * constant(MIRROR_VECTORS, scaled)[:, None]
    return BodyFeatures(
        size=size,
        joints=scaled[..., 1:, :].reshape(*lead, 63),
        torso=scaled[..., _TORSO_BONES, :].reshape(*lead, 27),
        limbs=limbs.reshape(*lead, 4, 12),
        skeleton=solver_skeleton(offsets),
    )


def frame_features(positions: Array, rotations: Array, size: Array) -> Array:
    """Compute the features of single frames, as seen from the pelvis.

    Args:
        positions: (..., 6, 3) positions of the tracked joints, metres.
        rotations: (..., 6, 3, 3) rotations of the tracked joints.
        size: (...) or scalar size of the body, see :attr:`Skeleton.size`.

    Returns:
        (..., 48): positions of the other five, their rotations (6D), and the direction up.
    """
    xp, lead = namespace(positions), positions.shape[:-2]
    hips = rotations[..., 0, :, :]
    steps = (positions[..., 1:, :] - positions[..., :1, :]) / expand_size(size, 2)
    # The rows of a product with a rotation are turned by its inverse.
    local = xp.concatenate([steps, axes_6d(rotations[..., 1:, :, :])], -2) @ hips
    return xp.concatenate([local.reshape(*lead, 45), hips[..., 1, :]], -1)


def step_features(
    now: Array, past: Array, positions: Array, rotations: Array, size: Array
) -> Array:
    """Compute how the trackers moved since the earlier frames of :data:`HISTORY`.

    Args:
        now: (..., 48) features of the frame.
        past: (..., 5, 48) features of the earlier frames.
        positions: (..., 6, 3) positions of the hips, now and at the earlier frames, metres.
        rotations: (..., 6, 3, 3) rotations of the hips, now and at the earlier frames.
        size: (...) or scalar size of the body.

    Returns:
        (..., 285).
    """
    xp, moments = namespace(now), len(HISTORY)
    travel = (positions[..., 1:, :] - positions[..., :1, :]) / expand_size(size, 2)
    axes = axes_6d(rotations[..., 1:, :, :])
    local = xp.concatenate([travel, axes], -2) @ rotations[..., 0, :, :]
    six = local[..., moments:, :].reshape(*now.shape[:-1], moments, 6)
    # Differences from the identity, so that standing still is all zeros.
    changes = [
        past - now[..., None, :],
        local[..., :moments, :],
        six - constant(IDENTITY_6D, six),
    ]
    return xp.concatenate(changes, -1).reshape(*now.shape[:-1], moments * STEP_FEATURES)


def extra_features(rotations: Array, size: Array, measured: Measured) -> Array:
    """Compute the features of what optional trackers measure, as seen from the pelvis.

    Args:
        rotations: (..., 3, 3) rotations of the pelvis.
        size: (...) or scalar size of the body.
        measured: What is measured.

    Returns:
        (..., 143): for each of 13 joints its trusts, its position and its rotation (6D), zeros
        where they are not measured.
    """
    xp = namespace(rotations)
    inverse = transpose(rotations)[..., None, :, :]
    positions = rotate(inverse, measured.positions) / expand_size(size, 2)
    features = xp.concatenate(
        [
            measured.position_trust,
            measured.rotation_trust,
            measured.position_trust * positions,
            measured.rotation_trust * to_6d(inverse @ measured.rotations),
        ],
        -1,
    )
    return features.reshape(*features.shape[:-2], EXTRA_FEATURES)


def limb_extra_features(carriers: Array, starts: Array, size: Array, measured: Measured) -> Array:
    """Compute what is measured of each limb, as seen from the part of the body that carries it.

    Args:
        carriers: (..., 4, 3, 3) rotations of the hips for legs, of the chest for arms.
        starts: (..., 4, 3) positions of hip and shoulder joints, from the hips.
        size: (...) or scalar size of the body.
        measured: What is measured.

    Returns:
        (..., 4, 18): trusts, position of knee or elbow, rotations of both bones (6D); mirrored on
        the right.
    """
    xp = namespace(carriers)
    inverse = transpose(carriers)
    vector, six = constant(MIRROR_VECTORS, starts), constant(MIRROR_SIXES, starts)
    middle = measured.position_trust[..., _EXTRA_LOWERS, :]
    steps = (measured.positions[..., _EXTRA_LOWERS, :] - starts) / expand_size(size, 2)
    parts = [middle, middle * rotate(inverse, steps) * vector]
    for joints in (_EXTRA_UPPERS, _EXTRA_LOWERS):
        trust = measured.rotation_trust[..., joints, :]
        parts += [trust, trust * to_6d(inverse @ measured.rotations[..., joints, :, :]) * six]
    return xp.concatenate(parts, -1)


def expand_size(size: Array, axes: int) -> Array:
    """Append ``axes`` axes to an array (...); leave scalars as they are."""
    return size if np.ndim(size) == 0 else size.reshape(*size.shape, *[1] * axes)
