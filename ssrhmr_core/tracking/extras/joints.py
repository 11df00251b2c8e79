# SPDX-License-Identifier: GPL-3.0-or-later
"""What optional trackers say about the joints of the body, as the network and the solve read it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...body.extra_trackers import EXTRA_GROUPS, EXTRA_INDEX, EXTRA_JOINTS, EXTRA_ROLES
from ...geometry.rotations import IDENTITY_MATRIX, from_quat
from ...solver import LIMBS, Measured, SolverSkeleton, attach_ends
from .readings import ExtraReadings

_COUNT = len(EXTRA_JOINTS)
_POSITIONS = np.array([EXTRA_INDEX[role.position] for role in EXTRA_ROLES.values()])
_TOES = [EXTRA_INDEX[EXTRA_ROLES[name].position] for name in EXTRA_GROUPS["toes"]]
_ENDS = [limb.tracker for limb in LIMBS]
_UPPER = np.array([EXTRA_INDEX[role.upper] for role in EXTRA_ROLES.values()])
_LOWER = np.array([EXTRA_INDEX[role.lower] for role in EXTRA_ROLES.values()])


def measure_joints(
    readings: ExtraReadings,
    position_trust: np.ndarray,
    rotation_trust: np.ndarray,
    roots: np.ndarray,
) -> Measured:
    """Sort the readings of optional trackers by joint.

    Args:
        readings: Calibrated readings of F frames.
        position_trust: (F, 9) how much each position counts, 0 to 1.
        rotation_trust: (F, 9) how much each rotation counts, 0 to 1.
        roots: (F, 3) positions of the hips, metres.
    """
    frames = len(readings)
    positions = np.zeros((frames, _COUNT, 3), np.float32)
    rotations = np.empty((frames, _COUNT, 3, 3), np.float32)
    rotations[:] = IDENTITY_MATRIX
    trusts = np.zeros((2, frames, _COUNT, 1), np.float32)
    turned = np.where(readings.lower, _LOWER, _UPPER)
    positions[:, _POSITIONS] = readings.positions - roots[:, None]
    trusts[0][:, _POSITIONS, 0] = position_trust
    rotations[:, turned] = from_quat(readings.rotations)
    trusts[1][:, turned, 0] = rotation_trust
    # The position of a toe says nothing that the foot's tracker does not say.
    trusts[0][:, _TOES] = 0.0
    return Measured(positions, rotations, trusts[0], trusts[1])


def attach_filled(
    positions: np.ndarray, filled: np.ndarray, skeleton: SolverSkeleton, measured: Measured
) -> np.ndarray:
    """Return trackers of which those of hands and feet that were filled in fit measured joints.

    Where a hand has no tracker and its elbow has, the elbow knows more than the guess of the hand.

    Args:
        positions: (F, 6, 3) positions of the trackers.
        filled: (F, 6) bool, True for trackers that were filled in.
        skeleton: The lengths of the body.
        measured: What optional trackers measure.
    """
    if not filled[:, _ENDS].any():
        return positions
    roots = positions[:, :1]
    ends = attach_ends(
        positions[:, _ENDS] - roots, filled[:, _ENDS, None].astype(np.float32), skeleton, measured
    )
    attached = positions.copy()
    attached[:, _ENDS] = ends + roots
    return attached


def join(frames: Sequence[Measured | None]) -> Measured | None:
    """Return frames of which each is measured, or none is, one after the other."""
    some = [frame for frame in frames if frame is not None]
    if not some:
        return None
    nothing = Measured(*(np.zeros_like(values) for values in some[0]))
    nothing.rotations[:] = np.eye(3)
    every = [nothing if frame is None else frame for frame in frames]
    return Measured(*(np.concatenate(values) for values in zip(*every, strict=True)))
