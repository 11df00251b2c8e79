# SPDX-License-Identifier: GPL-3.0-or-later
"""How each tracker is mounted on its joint, measured in a pose that is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

import numpy as np
from pymotion.rotations import quat_np as quat

from ..body.extra_trackers import WHOLE_POSES, Measurement, Segment
from ..body.skeleton import ADULT_SIZE, FOOT_TRACKERS, TRACKERS, Skeleton
from .calibration_checks import (
    FLOOR_UNKNOWN,
    check_stance,
    describe_distances,
    has_same_size,
    rate_trackers,
)
from .calibration_result import Calibration
from .extras.calibration import (
    ExtraCalibration,
    PosedExtras,
    calibrate_extras,
    pose_reference_body,
)
from .extras.readings import ExtraReadings
from .proportions import estimate_performer
from .reference_pose import (
    ReferencePose,
    Stance,
    compare_with_pose,
    estimate_stance,
    keep_tracked,
    measure_ankle_height,
    stands_on_ground,
)
from .stance_average import AverageStance, BodyPrior, average_stances
from .still_moments import (
    average_stillest,
    describe_unusable_extras,
    find_still_time,
    measure_peak_speeds,
    warn_of_movement,
)
from .subsets import all_tracked, find_front, require_anchor, split_features
from .take import Take, TrackerError

__all__ = [
    "Calibration",
    "CalibrationOptions",
    "Proportions",
    "calibrate",
    "calibrate_at_stillest",
    "calibrate_to_pose",
    "find_still_time",
    "measure_peak_speeds",
    "rate_trackers",
    "warn_of_movement",
]

Proportions = Literal["MATCH", "RETARGET", "FIT"]
"""What to do if performer and character differ: hands and feet meet the trackers ("MATCH"), limbs
rotate like the performer's ("RETARGET"), or trackers are scaled to the character ("FIT")."""
_NO_BODY = (
    "the trackers do not look like a standing body at this frame: choose one at which the performer"
    " stands upright, and check the role of each tracker"
)
_PELVIS = TRACKERS.index("pelvis")
_SIZE_SPREAD = 0.1
"""Spread of the logarithm of a size that is estimated about the most probable one."""


@dataclass(frozen=True)
class CalibrationOptions:
    """How to calibrate.

    Attributes:
        proportions: What to do if performer and character differ, see :data:`Proportions`.
        reference: The pose in which the performer stands.
        height: The performer's height in metres, or None. It improves the estimate of the
            performer's proportions.
        segments: The bones that optional trackers at elbows and knees sit on. Without an entry the
            place of the tracker decides, and if that is unclear it is the bone above the joint.
    """

    proportions: Proportions = "MATCH"
    reference: ReferencePose = ReferencePose.T_POSE
    height: float | None = None
    segments: Mapping[str, Segment] = field(default_factory=dict)


def calibrate(
    skeleton: Skeleton,
    positions: np.ndarray,
    rotations: np.ndarray,
    options: CalibrationOptions = CalibrationOptions(),
    tracked: np.ndarray | None = None,
    extras: ExtraReadings | None = None,
    measures: Sequence[Measurement] = WHOLE_POSES,
) -> Calibration:
    """Calibrate from a frame in which the performer stands still in a reference pose.

    The performer's heading, position and size are the most probable ones given how people mount
    trackers (:mod:`ssrhmr_core.tracking.reference_pose`); what remains between each tracker and
    its joint is its mount.

    Args:
        skeleton: The character's skeleton.
        positions: (6, 3) positions of the trackers in metres, Y up.
        rotations: (6, 4) rotations of the trackers.
        options: How to calibrate.
        tracked: (6,) bool, which trackers the performer wears; all six by default. A head or a
            pelvis will do; :attr:`Calibration.assumed` says what they leave open.
        extras: The optional trackers in that frame. Those that contradict the pose are left out
            with a warning.
        measures: What each of the six measures: where it is not a position, the place of the
            tracker does not count, and likewise its rotation.

    Raises:
        TrackerError: If there is neither a head nor a pelvis, or if the trackers share one
            position, are not finite, or look nothing like a standing body.
    """
    tracked = all_tracked() if tracked is None else np.asarray(tracked, bool)
    placed, turned = _split_measures(tracked, measures)
    measured = _check_positions(positions, placed)
    front = find_front(rotations, turned)
    frame = _Frame(measured, rotations, placed, front, extras, tuple(measures))
    if options.proportions == "RETARGET":
        return _calibrate_performer(frame, options)
    return _calibrate_body(skeleton, frame, options)


def calibrate_at_stillest(
    skeleton: Skeleton,
    take: Take,
    options: CalibrationOptions = CalibrationOptions(),
    tracked: np.ndarray | None = None,
) -> tuple[Calibration, np.ndarray]:
    """Calibrate from the moment of a take in which the performer stands stillest.

    Args:
        skeleton: The character's skeleton.
        take: A second or so in the reference pose, on an even clock.
        options: How to calibrate.
        tracked: (6,) bool, which trackers the performer wears; all six by default.

    Returns:
        The calibration, and the speed (6,) of each tracker at that moment in metres per second.

    Raises:
        TrackerError: If there is neither a head nor a pelvis, or if the trackers are never all
            valid for a tenth of a second, or look nothing like a standing body.
    """
    tracked = all_tracked() if tracked is None else np.asarray(tracked, bool)
    measures = measures_of(take)
    require_anchor(_split_measures(tracked, measures)[0])
    stillest = average_stillest(take, tracked)
    calibration = calibrate(
        skeleton,
        stillest.positions,
        stillest.rotations,
        options,
        tracked,
        stillest.extras,
        measures,
    )
    unusable = describe_unusable_extras(take, stillest)
    if unusable:
        calibration = replace(calibration, warnings=(*calibration.warnings, *unusable))
    return calibration, stillest.speeds


def calibrate_to_pose(  # noqa: PLR0913 - two poses, and how the trackers are worn
    joint_positions: np.ndarray,
    joint_rotations: np.ndarray,
    positions: np.ndarray,
    rotations: np.ndarray,
    size: float = ADULT_SIZE,
    tracked: np.ndarray | None = None,
    extras: PosedExtras | None = None,
    measures: Sequence[Measurement] = WHOLE_POSES,
) -> Calibration:
    """Calibrate against a character that was posed where the performer stands.

    Args:
        joint_positions: (6, 3) positions of the tracked joints in metres.
        joint_rotations: (6, 4) canonical global rotations of the tracked joints.
        positions: (6, 3) positions of the trackers.
        rotations: (6, 4) rotations of the trackers.
        size: The character's size (:attr:`Skeleton.size`), which decides what is far away.
        tracked: (6,) bool, which trackers the performer wears; all six by default.
        extras: The optional trackers, and the whole character next to them. Those that contradict
            the pose are left out with a warning.
        measures: What each of the six measures, see :func:`calibrate`.

    Raises:
        TrackerError: If a tracker is not finite, or if there is neither a head nor a pelvis.
    """
    tracked = all_tracked() if tracked is None else np.asarray(tracked, bool)
    tracked, rotates = _split_measures(tracked, measures)
    measured = _require_finite(positions, tracked)
    identity = np.array([1.0, 0.0, 0.0, 0.0])
    joint_turns = np.asarray(joint_rotations, np.float64)
    turned = np.where(rotates[:, None], np.asarray(rotations, np.float64), identity)
    # Those without a rotation are taken to rotate like the pelvis.
    turned = np.where((tracked & ~rotates)[:, None], joint_turns[_PELVIS], turned)
    inverse = quat.inverse(quat.normalize(turned))
    to_joint = np.where(tracked[:, None], np.asarray(joint_positions, np.float64) - measured, 0.0)
    offsets = quat.mul_vec(inverse, to_joint)
    mounts = np.where(rotates[:, None], quat.mul(inverse, joint_turns), identity)
    distances = np.linalg.norm(to_joint, axis=-1)
    extra = ExtraCalibration()
    if extras is not None:
        extra = calibrate_extras(extras, extras.body, measured, turned, tracked)
    return Calibration(
        mounts.astype(np.float32),
        offsets.astype(np.float32),
        1.0,
        distances.astype(np.float32),
        (*describe_distances(distances, size), *extra.warnings),
        tracked=tracked,
        measured=("direction", "floor"),
        extras=extra.mounts,
        measures=tuple(measures),
    )


class _Frame(NamedTuple):
    """The trackers in the frame of the reference pose.

    Attributes:
        positions: (6, 3) positions, NaN for trackers that the performer does not wear.
        rotations: (6, 4) rotations.
        tracked: (6,) bool, which trackers the performer wears.
        front: Heading that the head or the pelvis shows, radians.
        extras: The optional trackers.
        measures: What each of the six measures.
    """

    positions: np.ndarray
    rotations: np.ndarray
    tracked: np.ndarray
    front: float
    extras: ExtraReadings | None
    measures: tuple[Measurement, ...]


def _calibrate_performer(frame: _Frame, options: CalibrationOptions) -> Calibration:
    """Calibrate on a body that the frame itself measures.

    Raises:
        TrackerError: If the trackers look nothing like a standing body.
    """
    average = estimate_performer(frame.positions, options.reference, options.height, frame.front)
    if average is None:
        raise TrackerError(_NO_BODY)
    matching = replace(options, proportions="MATCH")
    # The stance belongs to the body: with the body taken for certain, mounts would be worse.
    matched = _calibrate_body(average.skeleton, frame, matching, average)
    known, open_ = split_features(
        frame.tracked,
        measures_body=True,
        height_is_given=options.height is not None,
        floor_is_level=FLOOR_UNKNOWN not in matched.warnings,
    )
    return replace(matched, performer=average.skeleton, measured=known, assumed=open_)


def _calibrate_body(
    skeleton: Skeleton,
    frame: _Frame,
    options: CalibrationOptions,
    average: AverageStance | None = None,
) -> Calibration:
    """Calibrate on a body that is known, or is known to have an average stance.

    Raises:
        TrackerError: If the trackers look nothing like a standing body.
    """
    measured, reference = frame.positions, options.reference
    fit_scale = options.proportions == "FIT"
    size = compare_with_pose(skeleton, measured, reference, frame.front)[0]
    same_size = average is not None or (not fit_scale and has_same_size(size))
    known_size = 1.0 if same_size else None
    stance = estimate_stance(skeleton, measured, reference, known_size, frame.front)
    if stance is None:
        raise TrackerError(_NO_BODY)
    check = check_stance(skeleton, measured, stance, reference, fit_scale)
    if average is None and not stance.on_joints:
        prior = BodyPrior(
            skeleton.scaled(stance.size), size_spread=0.0 if same_size else _SIZE_SPREAD
        )
        average = average_stances(prior, measured, stance, reference, frame.front)
        stance = replace(stance, size=stance.size * average.size)
    if average is not None:
        stance = replace(stance, positions=average.positions, rotations=average.rotations)
    joints = stance.positions
    moves = not same_size or skeleton.sole is not None
    keeps_size = fit_scale or same_size
    if moves:
        joints = _place_on_floor(skeleton, measured, stance, keeps_size, joints)
    mounted = calibrate_to_pose(
        joints,
        quat.from_matrix(stance.rotations),
        measured,
        frame.rotations,
        tracked=_worn(frame.tracked, frame.measures),
        measures=frame.measures,
    )
    scale = 1.0 / stance.size if fit_scale else 1.0
    extra = ExtraCalibration()
    # Where swapped trackers turn the stance around, optional ones would only seem odd.
    if frame.extras is not None and not check.swapped:
        body = pose_reference_body(skeleton.scaled(stance.size), stance.positions, stance.rotations)
        target = body
        if moves:
            placed = _place_on_floor(skeleton, measured, stance, keeps_size, body.positions)
            target = replace(body, positions=placed)
        posed = PosedExtras(frame.extras, body, options.segments)
        extra = calibrate_extras(posed, target, measured, frame.rotations, frame.tracked)
    known, open_ = split_features(
        frame.tracked, measures_body=False, height_is_given=False, floor_is_level=True
    )
    return Calibration(
        mounted.mount_rotations,
        (mounted.mount_offsets * scale).astype(np.float32),
        scale,
        check.deviations.astype(np.float32),
        (*check.warnings, *extra.warnings),
        check.swapped,
        tracked=frame.tracked,
        measured=known,
        assumed=open_,
        extras=extra.mounts.scaled(scale) if extra.mounts else None,
        measures=frame.measures,
    )


def _place_on_floor(
    skeleton: Skeleton,
    positions: np.ndarray,
    stance: Stance,
    keeps_size: bool,
    joints: np.ndarray,
) -> np.ndarray:
    """Put joints of a character on the floor that the performer stands on.

    Args:
        skeleton: The character's skeleton.
        positions: (6, 3) positions of the trackers.
        stance: How the performer stands.
        keeps_size: Whether the character has the performer's size, or is brought to it.
        joints: (N, 3) positions of the joints in the stance.

    Returns:
        (N, 3) positions of the joints; at the performer's size if the character keeps it.
    """
    ankles = stance.positions[list(FOOT_TRACKERS), 1].mean()
    if not keeps_size:
        pivot = stance.positions.mean(0)
        pivot[1] = ankles - stance.size * measure_ankle_height(skeleton)
        return pivot + (joints - pivot) / stance.size
    if stands_on_ground(skeleton, positions, stance):
        # A body of another build hangs between its trackers; stand it where the feet are.
        rise = stance.size * measure_ankle_height(skeleton) - ankles
        joints = joints + np.array([0.0, rise, 0.0])
    return joints


def measures_of(take: Take) -> tuple[Measurement, ...]:
    """Return what each of the six trackers of a take measures; poses where it has no reading."""
    whole, placed, turned = (
        mask.any(0) for mask in (take.valid, take.has_position, take.has_rotation)
    )
    half = np.where(placed, "position", np.where(turned, "rotation", "pose"))
    names: list[Measurement] = np.where(whole, "pose", half).tolist()
    return tuple(names)


def _split_measures(
    tracked: np.ndarray, measures: Sequence[Measurement]
) -> tuple[np.ndarray, np.ndarray]:
    """Return which of the trackers (6,) that are worn have a position, and which a rotation."""
    parts = np.array(measures)
    return tracked & (parts != "rotation"), tracked & (parts != "position")


def _worn(placed: np.ndarray, measures: Sequence[Measurement]) -> np.ndarray:
    """Return which trackers (6,) are worn, from those that have a position."""
    worn: np.ndarray = placed | (np.array(measures) == "rotation")
    return worn


def _check_positions(positions: np.ndarray, tracked: np.ndarray) -> np.ndarray:
    """Return positions (6, 3) of a performer in float64, NaN for those that are not tracked.

    Raises:
        TrackerError: If they are not finite or all the same, or if there is neither a head nor a
            pelvis.
    """
    measured = _require_finite(positions, tracked)
    worn = measured[tracked]
    if len(worn) > 1 and ((worn - worn.mean(0)) ** 2).sum() < 1e-6:
        raise TrackerError("all trackers are at one place: choose a frame with the performer in it")
    return measured


def _require_finite(positions: np.ndarray, tracked: np.ndarray) -> np.ndarray:
    """Return positions (6, 3) in float64, NaN for those that are not tracked.

    Raises:
        TrackerError: If the shape differs, a position is not finite, or there is neither a head nor
            a pelvis.
    """
    require_anchor(tracked)
    measured = np.asarray(positions, np.float64)
    if measured.shape != (6, 3):
        raise TrackerError(f"calibration needs positions (6, 3) of trackers, not {measured.shape}")
    for tracker in np.flatnonzero(tracked):
        if not np.isfinite(measured[tracker]).all():
            raise TrackerError(
                f"{TRACKERS[tracker]} has no position at the calibration frame: choose one at"
                " which all trackers are seen"
            )
    return keep_tracked(measured, tracked)
