# SPDX-License-Identifier: GPL-3.0-or-later
"""What is seen of a performer who moves, and what kinds of movement are like."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...body.skeleton import FOOT_TRACKERS
from ..pose_priors import (
    AngleDistribution,
    moving_angles,
    personal_spreads,
    standing_angles,
)
from .holds import Holds

_STILL_STEP, _LOW_PERCENT, _LOW_MARGIN = 0.012, 15.0, 0.04
"""A foot stands where its tracker moves less than the step from frame to frame, and lies less than
the margin over the percentile of its heights; metres."""


@dataclass(frozen=True)
class MovementHabits:
    """What a kind of movement is like.

    Attributes:
        independent_frames: The number of independent frames that a movement is worth for what is
            usual of poses. Frames of one movement are alike: if each counted, what is usual would
            outweigh what the trackers show.
        distal_change: Radians by which hands, ankles and head change from frame to frame without
            much of a price.
        neck_change: The same for the neck.
        leg_change: The same for hips and knees.
        proximal_change: The same for all other joints.
        sole_spread: Spread of standing ankles about their height over the floor, metres.
        sole_tilt: Spread of the tilt of standing feet, radians.
    """

    independent_frames: float
    distal_change: float
    neck_change: float
    leg_change: float
    proximal_change: float
    sole_spread: float
    sole_tilt: float


GUIDED = MovementHabits(
    8.0, np.radians(3.0), np.radians(3.0), np.radians(1.5), np.radians(0.7), 0.015, np.radians(3.0)
)
"""Habits of a guided movement, which asks for one joint at a time: hands, feet, head and neck move
at will, other joints when it is their turn. Were changes alike for all, the circle of a hand would
be explained by a shoulder that circles, and mounts would absorb the difference. A leg in the air is
less still than an arm."""
GUIDED_UNKNOWN = replace(GUIDED, leg_change=np.radians(0.3))
"""The same on a body that is measured along: legs of other lengths would explain their changes. The
less they may change, the less too long legs become (4.0 to 3.0 % on training people)."""
UNGUIDED = MovementHabits(
    1.0, np.radians(1.0), np.radians(3.0), np.radians(3.0), np.radians(3.0), 0.03, np.radians(8.0)
)
"""Habits of a take: whole limbs move while wrists and ankles follow, and feet roll."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is seen of a performer.

    Attributes:
        positions: (F, 6, 3) of the trackers, metres.
        rotations: (F, 6, 3, 3) of the trackers.
        reference: (F,) bool, True where the performer stands in the reference pose.
        consecutive: (F - 1,) bool, True where a frame follows the one before on the even clock.
        elevation: Angle of the arms over the horizontal in the reference pose, radians.
        habits: What the movement is like.
        holds: Poses that are held.
    """

    positions: np.ndarray
    rotations: np.ndarray
    reference: np.ndarray
    consecutive: np.ndarray
    elevation: float
    habits: MovementHabits
    holds: Holds


@dataclass(frozen=True, eq=False)
class TrackerMounts:
    """How trackers sit on their joints, seen from the joints.

    Attributes:
        offsets: (6, 3) from joint to tracker in the joint's axes, metres.
        rotations: (6, 3, 3) of the trackers relative to their joints.
    """

    offsets: np.ndarray
    rotations: np.ndarray


def usual_angles(evidence: Evidence) -> AngleDistribution:
    """Return (F, D) means and spreads, wide enough that all frames count as a few."""
    reference = evidence.reference[:, None]
    moving, standing = moving_angles(), standing_angles(evidence.elevation)
    posed, moved = max(int(reference.sum()), 1), max(int((~reference).sum()), 1)
    # What all frames together tell: a few independent ones, of one person.
    together = moving.spread**2 / evidence.habits.independent_frames + personal_spreads() ** 2
    return AngleDistribution(
        np.where(reference, standing.mean, moving.mean),
        np.where(
            reference,
            standing.spread * np.sqrt(posed),
            np.maximum(moving.spread, np.sqrt(moved * together)),
        ),
    )


def find_standing(positions: np.ndarray) -> np.ndarray:
    """Return (F, 2) bools, True where a foot with trackers at positions (F, 6, 3) stands."""
    feet = positions[:, FOOT_TRACKERS]
    small = np.linalg.norm(np.diff(feet, axis=0), axis=-1) < _STILL_STEP
    still = np.ones(feet.shape[:2], bool)
    still[1:] &= small
    still[:-1] &= small
    heights = feet[..., 1]
    return still & (heights < np.percentile(heights, _LOW_PERCENT, axis=0) + _LOW_MARGIN)
