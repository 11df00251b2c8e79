# SPDX-License-Identifier: GPL-3.0-or-later
"""What trackers on a human body can do: the limits that tell motion from glitches.

All numbers are for an adult and come from 265,000 frames of motion capture at 60 frames per second,
with fights, kicks, jumps and acrobatics among them. A body gains speed over several frames; a
tracker that is gone from one frame to the next has lost its base station, or its camera.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..body.extra_trackers import EXTRA_ROLES, EXTRA_TRACKERS
from ..body.interpolation import MODEL_RATE
from ..body.skeleton import ADULT_SIZE, PARENTS, TRACKER_JOINTS, TRACKERS, Skeleton

MODEL_STEP = 1.0 / MODEL_RATE
_FULL_SPEED = 6.0
"""Speed in metres per second above which a faster body part does not gain speed faster."""
_SLACK = 0.01
"""Metres that a reading may be off in any case."""
_NOISE_SHARE = 3.0
"""Largest jolt that noise makes, as a multiple of the usual one."""


@dataclass(frozen=True)
class MotionLimits:
    """What is possible for one tracker.

    Attributes:
        speed: Highest speed in metres per second.
        gain: Largest change of velocity, in metres per second within 1/60 s, of a tracker at rest
            that gains speed.
        gain_per_speed: How much larger it is for each metre per second that the tracker moves at.
        uncertainty: Metres by which a lost tracker may be off its predicted position at first.
        uncertainty_growth: Metres per second by which that grows.
        uncertainty_limit: Metres at which it stops growing.
    """

    speed: float
    gain: float
    gain_per_speed: float
    uncertainty: float
    uncertainty_growth: float
    uncertainty_limit: float

    def allowed_change(self, speed: float, gains_speed: bool, noise: float = 0.0) -> float:
        """Return the metres by which a reading may be off the continued motion, 1/60 s later.

        Args:
            speed: Speed of the tracker before, in metres per second.
            gains_speed: Whether the reading makes the tracker faster: a body part can stop at once.
            noise: The usual distance of readings from the continued motion in metres.
        """
        share = self.gain_per_speed if gains_speed else 1.0
        change = self.gain + share * (min(speed, _FULL_SPEED) if gains_speed else speed)
        return MODEL_STEP * change + _SLACK + _NOISE_SHARE * noise

    def allowed_distance(self, seconds: float) -> float:
        """Return the metres from its predicted position at which a lost tracker may come back."""
        distance = self.uncertainty + self.uncertainty_growth * seconds
        return min(distance, self.uncertainty_limit)


_HAND = MotionLimits(16.0, 2.4, 0.5, 0.08, 2.5, 0.85)
_FOOT = MotionLimits(18.0, 2.4, 0.5, 0.07, 2.0, 0.6)
LIMITS = {
    "pelvis": MotionLimits(10.0, 1.6, 0.25, 0.05, 0.6, 0.3),
    "head": MotionLimits(10.0, 2.0, 0.3, 0.06, 0.7, 0.35),
    "left_hand": _HAND,
    "right_hand": _HAND,
    "left_foot": _FOOT,
    "right_foot": _FOOT,
}
"""Limits of each tracker."""
_TRUNK = MotionLimits(10.0, 2.0, 0.3, 0.06, 0.7, 0.35)
_ELBOW, _KNEE = (MotionLimits(speed, 2.4, 0.5, 0.08, 2.0, 0.6) for speed in (13.0, 14.0))
_EXTRA_LIMITS = {
    "chest": _TRUNK,
    "shoulder": _TRUNK,
    "elbow": _ELBOW,
    "knee": _KNEE,
    "toe": MotionLimits(20.0, 2.6, 0.5, 0.07, 2.0, 0.6),
}
EXTRA_LIMITS = tuple(_EXTRA_LIMITS[name.rsplit("_", 1)[-1]] for name in EXTRA_TRACKERS)
"""Limits of each optional tracker."""


def _tabulate_reach() -> np.ndarray:
    """Return (6, 6) distances in metres between trackers that the tallest adults hardly reach."""
    groups = ("pelvis", "head", "hand", "hand", "foot", "foot")
    reach = {
        ("pelvis", "head"): 0.9,
        ("pelvis", "hand"): 1.35,
        ("pelvis", "foot"): 1.2,
        ("head", "hand"): 1.2,
        ("head", "foot"): 2.0,
        ("hand", "hand"): 2.2,
        ("hand", "foot"): 2.4,
        ("foot", "foot"): 2.2,
    }
    return np.array([[reach.get((a, b), reach.get((b, a), 0.0)) for b in groups] for a in groups])


REACH = _tabulate_reach()
"""How far trackers are from each other at most, in metres, for adults of up to the tallest size."""
TALLEST = 1.2
"""Size of the tallest adults in relation to the usual one."""


def measure_overreach(
    positions: np.ndarray, tracker: int, reliable: np.ndarray, seen_share: float = 1.1
) -> np.ndarray:
    """Measure by how much a tracker is farther away from others than bodies reach.

    Args:
        positions: (F, 6, 3) positions of all trackers in metres.
        tracker: Index of the tracker.
        reliable: (F, 6) bool, where readings are beyond doubt.
        seen_share: How much farther a body may reach than it does in these frames: not all trackers
            are on people, and not all people are adults.

    Returns:
        (F,) metres beyond the reach, measured from reliable trackers only; 0 within it.
    """
    others = np.delete(np.arange(positions.shape[1]), tracker)
    steps = positions[:, others] - positions[:, tracker, None]
    with np.errstate(invalid="ignore"):
        distances = np.where(reliable[:, others], np.linalg.norm(steps, axis=-1), 0.0)
    seen = distances.max(0, where=reliable[:, tracker, None], initial=0.0)
    reach = np.maximum(REACH[tracker, others], seen_share * seen)
    return np.maximum(distances - reach, 0.0).max(-1)


_MORE_REACH, _REACH_SLACK = 1.25, 0.06
"""Share of the bones between two joints, and metres on an adult more, by which trackers may be
apart: performers are built otherwise than characters, and mounts are not exact."""


def measure_extra_reach(body: Skeleton) -> np.ndarray:
    """Measure how far each optional tracker (9,) is from each of the six at most.

    Args:
        body: The body whose joints the trackers are.

    Returns:
        (9, 6) metres: the length of the bones between both joints, and some more.
    """
    lengths = np.linalg.norm(body.offsets, axis=-1)

    def chain(joint: int) -> set[int]:
        joints = set()
        while joint > 0:
            joints.add(joint)
            joint = PARENTS[joint]
        return joints

    reach = [
        [lengths[list(chain(role.position) ^ chain(joint))].sum() for joint in TRACKER_JOINTS]
        for role in EXTRA_ROLES.values()
    ]
    return _MORE_REACH * np.array(reach) + _REACH_SLACK * body.size / ADULT_SIZE


def measure_extra_overreach(
    extras: np.ndarray, positions: np.ndarray, valid: np.ndarray, reach: np.ndarray
) -> np.ndarray:
    """Measure by how much optional trackers are farther from the six than a body reaches.

    Args:
        extras: (..., 9, 3) positions of optional trackers in metres.
        positions: (..., 6, 3) positions of the six in metres.
        valid: (..., 6) bool, which of the six are believed.
        reach: (9, 6) metres, see :func:`measure_extra_reach`.

    Returns:
        (..., 9) metres beyond the reach, 0 within it.
    """
    steps = extras[..., :, None, :] - positions[..., None, :, :]
    beyond = np.sqrt(np.einsum("...i,...i->...", steps, steps)) - reach
    return np.where(valid[..., None, :] & (beyond > 0.0), beyond, 0.0).max(-1)


def measure_implausibility(
    times: np.ndarray, positions: np.ndarray, limits: MotionLimits
) -> np.ndarray:
    """Measure by how much steps between frames exceed what a body part can do.

    Args:
        times: (F,) increasing seconds.
        positions: (F, 3) positions of a tracker in metres, float64.
        limits: The limits of the tracker.

    Returns:
        (F - 1,) excess of each step: its speed, or its change of the velocity, over the largest
        plausible one. More than 1 is not plausible.
    """
    if len(times) < 2:
        return np.zeros(0)
    steps = np.diff(times)
    velocities = np.diff(positions, axis=0) / steps[:, None]
    speeds = np.linalg.norm(velocities, axis=-1)
    # Slower clocks see the change of several frames at once.
    stretch = np.maximum(1.0, steps * MODEL_RATE)
    speed_excess = speeds * steps / (limits.speed * steps + 2.0 * _SLACK)
    before = np.concatenate([velocities[:1], velocities[:-1]])
    # After an impossible step nothing is known about the velocity.
    unknown = np.concatenate([[True], speed_excess[:-1] > 1.0])
    before[unknown] = velocities[unknown]
    distances = np.linalg.norm(velocities - before, axis=-1) * steps
    noise = float(np.median(distances)) if len(distances) else 0.0
    speeds_before = np.linalg.norm(before, axis=-1)
    gains = speeds > speeds_before + 0.5
    shares = np.where(gains, limits.gain_per_speed, 1.0)
    changes = limits.gain + shares * np.where(
        gains, np.minimum(speeds_before, _FULL_SPEED), speeds_before
    )
    allowed = steps * changes * stretch + _SLACK + _NOISE_SHARE * noise
    return np.maximum(speed_excess, distances / allowed)


def limits_of(tracker: int) -> MotionLimits:
    """Return the limits of a tracker by its index."""
    return LIMITS[TRACKERS[tracker]]
