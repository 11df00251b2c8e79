# SPDX-License-Identifier: GPL-3.0-or-later
"""What is odd about a calibration: swapped trackers, another pose, another size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..body.skeleton import ADULT_SIZE, FOOT_TRACKERS, INDEX, TRACKERS, Skeleton, units_per_metre
from .calibration_result import PAIRS, Calibration
from .reference_pose import ReferencePose, Stance, estimate_stance, stands_on_ground

_HANDS = list(PAIRS["hands"])
_ARM_BONES = [INDEX[f"{side}_{part}"] for side in ("left", "right") for part in ("elbow", "wrist")]
_LARGEST_DEVIATION = 0.22
"""Metres on an adult beyond which a tracker contradicts the reference pose."""
_LARGEST_SCALE = 0.12
"""Logarithm of the size ratio beyond which performer and character have different sizes."""
_LARGEST_MOUNT = 0.5
"""Metres on an adult beyond which a tracker is not on a character that was posed to meet it."""
_LARGEST_ARM_DEVIATION = 11.0
"""Degrees by which arms may seem to deviate from the reference pose before a warning. The real
deviation is larger, because hand trackers count as partly misplaced."""
_CLEARLY_SWAPPED = 9.0
"""Difference in cost that decides which pair of labels is swapped: three sigma squared."""
FLOOR_UNKNOWN = (
    "the floor is not at height zero, where feet without trackers stand: move the trackers up or"
    " down until it is"
)


@dataclass(frozen=True, eq=False)
class StanceCheck:
    """What is odd about a stance.

    Attributes:
        deviations: (6,) distance of each tracker from where the pose has it, metres.
        swapped: Pairs whose left and right look swapped.
        warnings: Problems to report, in plain words.
    """

    deviations: np.ndarray
    swapped: tuple[str, ...]
    warnings: tuple[str, ...]


def check_stance(
    skeleton: Skeleton,
    positions: np.ndarray,
    stance: Stance,
    reference: ReferencePose,
    fits_scale: bool,
) -> StanceCheck:
    """Check how well a stance agrees with the pose that the performer was asked for.

    Args:
        skeleton: The character's skeleton.
        positions: (6, 3) positions of the trackers, NaN for those that are not tracked.
        stance: The stance estimated from these positions.
        reference: The pose that the performer was asked for.
        fits_scale: Whether trackers are scaled to the character, so that sizes may differ.
    """
    deviations = _measure_deviations(skeleton, stance, reference)
    swapped = _find_swapped_pairs(skeleton, positions, stance, reference)
    # Other warnings would only follow from swapped trackers.
    warnings = _describe_swap(swapped) or (
        *_describe_deviations(skeleton, positions, stance, deviations, reference),
        *(() if fits_scale else _describe_size(stance.size)),
        *_describe_floor(skeleton, positions, stance),
    )
    return StanceCheck(deviations, swapped, warnings)


def rate_trackers(calibration: Calibration, skeleton: Skeleton) -> np.ndarray:
    """Rate how well each tracker (6,) fits the reference pose: 1 is perfect, 0 not believable.

    The rating of trackers that the performer does not wear means nothing.
    """
    size = skeleton.size / (calibration.scale * ADULT_SIZE)
    return np.clip(1.0 - calibration.deviations / (2.0 * _LARGEST_DEVIATION * size), 0.0, 1.0)


def has_same_size(size: float) -> bool:
    """Return whether a performer's size relative to the character passes for the same."""
    return bool(abs(np.log(size)) <= _LARGEST_SCALE)


def describe_distances(distances: np.ndarray, size: float) -> tuple[str, ...]:
    """Return warnings about trackers that are far from the joints of a posed character.

    Args:
        distances: (6,) distances between trackers and joints in metres.
        size: The character's size (:attr:`Skeleton.size`), which decides what is far away.
    """
    metres = distances / units_per_metre(size)
    return tuple(
        f"{TRACKERS[tracker]} is {100.0 * metres[tracker]:.0f} cm away from its joint: put the"
        " character where the performer stands, or choose another reference"
        for tracker in np.flatnonzero(distances > _LARGEST_MOUNT * size / ADULT_SIZE)
    )


def _measure_deviations(skeleton: Skeleton, stance: Stance, reference: ReferencePose) -> np.ndarray:
    """Measure how far trackers (6,) are from where the reference pose has them in metres."""
    deviations = stance.deviations.copy()
    # An arm that is held elsewhere counts as a deviation of its hand.
    angles = np.abs(np.radians(stance.elevations - reference.arm_elevation))
    bones = np.linalg.norm(skeleton.offsets[_ARM_BONES], axis=-1)
    lengths = bones.reshape(2, 2).sum(-1)
    deviations[_HANDS] = np.maximum(deviations[_HANDS], angles * lengths * stance.size)
    return deviations


def _find_swapped_pairs(
    skeleton: Skeleton, positions: np.ndarray, stance: Stance, reference: ReferencePose
) -> tuple[str, ...]:
    """Find the pair with left and right swapped: hands and feet then disagree on the front.

    Nothing shows it unless both hands and both feet are tracked.
    """
    if not np.isfinite(positions[[*_HANDS, *FOOT_TRACKERS]]).all():
        return ()
    hands, feet = (
        positions[left, [0, 2]] - positions[right, [0, 2]] for left, right in PAIRS.values()
    )
    if hands @ feet >= 0.0:
        return ()
    costs = {}
    for pair, (left, right) in PAIRS.items():
        order = list(range(6))
        order[left], order[right] = right, left
        exchanged = estimate_stance(skeleton, positions[order], reference, stance.size)
        costs[pair] = np.inf if exchanged is None else exchanged.cost
    best = min(costs.values())
    return tuple(pair for pair, cost in costs.items() if cost <= best + _CLEARLY_SWAPPED)


def _describe_swap(swapped: tuple[str, ...]) -> tuple[str, ...]:
    """Return the warning about swapped pairs."""
    if not swapped:
        return ()
    pairs = " or on the ".join(swapped)
    return (f"left and right look swapped on the {pairs}: exchange the two trackers",)


def _describe_deviations(
    skeleton: Skeleton,
    positions: np.ndarray,
    stance: Stance,
    deviations: np.ndarray,
    reference: ReferencePose,
) -> tuple[str, ...]:
    """Return warnings about arms and trackers that deviate from the reference pose."""
    if np.abs(stance.elevations - reference.arm_elevation).max() > _LARGEST_ARM_DEVIATION:
        costs = {}
        for pose in ReferencePose:
            other = estimate_stance(skeleton, positions, pose, None)
            costs[pose] = np.inf if other is None else other.cost
        nearest = min(costs, key=lambda pose: costs[pose])
        hint = "choose the frame of the pose"
        if nearest != reference:
            hint = f"choose the {nearest.label} if it is that one"
        return (f"the arms are not held as in the {reference.label}: {hint}",)
    size = skeleton.size * stance.size
    return tuple(
        f"{TRACKERS[tracker]} is {100.0 * deviations[tracker] / units_per_metre(size):.0f} cm away"
        f" from its usual place in the {reference.label}: choose the frame of the pose, or another"
        " tracker"
        for tracker in np.flatnonzero(deviations > _LARGEST_DEVIATION * size / ADULT_SIZE)
    )


def _describe_size(size: float) -> tuple[str, ...]:
    """Return a warning if the performer's size relative to the character is far from one."""
    if has_same_size(size):
        return ()
    return (
        f"the character is {1.0 / size:.2f} times the performer's size: choose the proportions"
        " Retarget, or Match Hands & Feet",
    )


def _describe_floor(skeleton: Skeleton, positions: np.ndarray, stance: Stance) -> tuple[str, ...]:
    """Return a warning if no foot shows the floor and it does not seem to be at height zero."""
    feet = positions[list(FOOT_TRACKERS)]
    if np.isfinite(feet).all(-1).any() or stands_on_ground(skeleton, positions, stance):
        return ()
    return (FLOOR_UNKNOWN,)
