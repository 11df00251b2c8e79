# SPDX-License-Identifier: GPL-3.0-or-later
"""Score sessions in which performers mount trackers as people do and calibrate them as users do.

A drawn performer with the clip's body stands in the T-pose, perhaps makes the guided movement, and
then performs the clip while straps slip. The functions that Blender calls calibrate the trackers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from ...body.extra_trackers import EXTRA_TRACKERS, Measurement
from ...body.motion import Motion
from ...body.skeleton import INDEX, TRACKERS, Skeleton, inherit_missing
from ...geometry.rotations import from_quat, rotation_angle, transpose
from ...tracking.calibration import Calibration, CalibrationOptions, calibrate_at_stillest
from ...tracking.movement.calibration import MovementOptions, calibrate_from_movement
from ...tracking.movement.slip_evidence import correct_slips
from ...tracking.subsets import roles_in
from ...tracking.take import Take
from ..metrics import measure_errors
from .mounts import Mounts, draw_extra_mounts, draw_mounts
from .movement import draw_habits, hold_reference, make_guided_movement

_T_POSE_ELEVATION = 0.0
_EXTRAS_SEED = 9
_LIMB_BONES = [
    INDEX[f"{side}_{part}"]
    for side in ("left", "right")
    for part in ("knee", "ankle", "elbow", "wrist")
]


@dataclass(frozen=True)
class WornTrackers:
    """How trackers are worn and calibrated.

    Attributes:
        evidence: What calibrates them: the reference "pose" alone, the pose and a guided
            "movement", or the pose and the "take" itself.
        proportions: "match" knows the performer's body, "retarget" measures it.
        seed: The seed of performers, mounts and movements.
        extras: The optional trackers that the performers wear, and what each measures. How they
            wear the six does not depend on these.
    """

    evidence: Literal["pose", "movement", "take"]
    proportions: Literal["match", "retarget"] = "match"
    seed: int = 0
    extras: tuple[tuple[str, Measurement], ...] = ()


@dataclass(frozen=True, eq=False)
class WornErrors:
    """The errors of one clip; F frames as in :class:`ssrhmr_core.evaluation.metrics.Errors`.

    Attributes:
        positions: (F, 22) distances of joints relative to the root, with the reconstructed
            rotations on the performer's true body, mm.
        rotations: (F, 22) angles between global rotations, degrees.
        absolute_positions: (F, 22) distances of joints in the room, on the calibrated body, mm.
        mount_offsets: (C, 6) distances of the calibrated joints from the true ones, mm; one row a
            calibration, NaN for trackers that the performer does not wear.
        mount_rotations: (C, 6) angles between calibrated and true mounts, degrees.
        extra_mount_offsets: (C, 9) distances of the joints of optional trackers likewise.
        extra_mount_rotations: (C, 9) angles between calibrated and true mounts of these.
        bones: (C,) mean error of the lengths of limb bones, percent.
        refined: (C,) bool, whether a movement or take refined the calibration.
    """

    positions: np.ndarray
    rotations: np.ndarray
    absolute_positions: np.ndarray
    mount_offsets: np.ndarray
    mount_rotations: np.ndarray
    extra_mount_offsets: np.ndarray
    extra_mount_rotations: np.ndarray
    bones: np.ndarray
    refined: np.ndarray


def score_worn(
    truth: Motion,
    worn: WornTrackers,
    number: int,
    reconstruct: Callable[[Skeleton, Take], Motion],
    disturb: Callable[[Take], Take] = lambda take: take,
    tracked: np.ndarray | None = None,
    alter: Callable[[Calibration, Mounts, Skeleton], Calibration] | None = None,
) -> WornErrors:
    """Calibrate trackers on a performer, reconstruct a clip with them and compare.

    Args:
        truth: The clip on the model's clock.
        worn: How trackers are worn and calibrated.
        number: The number of the clip, which with the seed determines the performer.
        reconstruct: Function that returns the motion of a body from takes of its joints.
        disturb: Function that disturbs the trackers of the clip.
        tracked: (6,) bool, which trackers the performer wears; all six by default.
        alter: Function that changes the calibration, given the true mounts and body: what remains
            with some of it true shows where errors come from.
    """
    random = np.random.default_rng([number, worn.seed])
    body = truth.skeleton
    mounts, habits = draw_mounts(body, random), draw_habits(random)
    if worn.extras:
        own = np.random.default_rng([number, worn.seed, _EXTRAS_SEED])
        mounts = replace(mounts, extras=draw_extra_mounts(body, worn.extras, own))
    posed = hold_reference(body, habits, _T_POSE_ELEVATION, random)
    reference = mounts.to_trackers(mounts.find_joints(posed))
    take = disturb(mounts.to_trackers(mounts.find_joints(truth), slipping=True))
    options = CalibrationOptions("MATCH" if worn.proportions == "match" else "RETARGET")
    calibration, _ = calibrate_at_stillest(body, reference, options, tracked)
    refined = False
    if worn.evidence != "pose":
        movement = take
        if worn.evidence == "take":
            movement = take = correct_slips(body, take, calibration).take
        else:
            guided = make_guided_movement(body, habits, random)
            movement = mounts.to_trackers(mounts.find_joints(guided))
        how = MovementOptions(guided=worn.evidence == "movement")
        result = calibrate_from_movement(body, reference, movement, calibration, how)
        calibration, refined = result.calibration, result.refined
    if alter:
        calibration = alter(calibration, mounts, body)
    result_motion = reconstruct(calibration.performer or body, calibration.apply(take))
    return _compare(truth, take, mounts, calibration, result_motion, refined)


def _compare(
    truth: Motion,
    take: Take,
    mounts: Mounts,
    calibration: Calibration,
    result: Motion,
    refined: bool,
) -> WornErrors:
    body = truth.skeleton
    rotations = inherit_missing(result.rotations.copy(), body.present)
    on_true_body = replace(truth, rotations=rotations)
    errors = measure_errors(on_true_body, truth, take.valid)
    lengths, true_lengths = (
        np.linalg.norm(skeleton.offsets[_LIMB_BONES], axis=-1)
        for skeleton in (calibration.performer or body, body)
    )
    offsets, angles = _compare_mounts(
        mounts, calibration.mount_offsets, calibration.mount_rotations, calibration.tracked
    )
    extra_offsets = extra_angles = np.full((1, len(EXTRA_TRACKERS)), np.nan)
    if mounts.extras is not None and calibration.extras is not None:
        extras = calibration.extras
        extra_offsets, extra_angles = _compare_mounts(
            mounts.extras.mounts,
            extras.mount_offsets,
            extras.mount_rotations,
            extras.has_position & extras.has_rotation,
        )
    return WornErrors(
        errors.positions,
        errors.rotations,
        measure_errors(result, truth, take.valid).positions,
        offsets,
        angles,
        extra_offsets,
        extra_angles,
        100.0 * np.abs(lengths / true_lengths - 1.0).mean(keepdims=True),
        np.array([refined]),
    )


def _compare_mounts(
    true: Mounts, offsets: np.ndarray, rotations: np.ndarray, tracked: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Compare calibrated mounts (N, 3) and (N, 4) with the true ones.

    Returns:
        (1, N) distances in mm and (1, N) angles in degrees; NaN for trackers without (N,) mounts.
    """
    worn = np.where(tracked, 1.0, np.nan)
    distances = np.linalg.norm(offsets - true.mount_offsets(), axis=-1)
    calibrated = from_quat(rotations.astype(np.float64))
    angles = rotation_angle(transpose(from_quat(true.mount_rotations())) @ calibrated)
    return 1000.0 * (worn * distances)[None], np.degrees(worn * angles)[None]


def pool_worn_errors(errors: Sequence[WornErrors]) -> WornErrors:
    """Join the errors of clips."""
    names = WornErrors.__dataclass_fields__
    return WornErrors(**{n: np.concatenate([getattr(e, n) for e in errors]) for n in names})


def summarize_worn_errors(errors: WornErrors) -> dict[str, Any]:
    """Return the reported figures by name."""
    return {
        "worn_mpjpe_mm": float(errors.positions.mean()),
        "worn_mpjre_deg": float(errors.rotations.mean()),
        "worn_abs_mpjpe_mm": float(errors.absolute_positions.mean()),
        "mount_mm": _by_tracker(errors.mount_offsets)
        | _by_extra_tracker(errors.extra_mount_offsets),
        "mount_deg": _by_tracker(errors.mount_rotations)
        | _by_extra_tracker(errors.extra_mount_rotations),
        "bone_percent": float(errors.bones.mean()),
        "refined_share": float(errors.refined.mean()),
    }


def _by_tracker(values: np.ndarray) -> dict[str, float]:
    """Return the means of values (C, 6) by tracker that is worn, and of all as "mean"."""
    worn = np.isfinite(values).all(0)
    means = {name: float(values[:, TRACKERS.index(name)].mean()) for name in roles_in(worn)}
    return means | {"mean": float(values[:, worn].mean())}


def _by_extra_tracker(values: np.ndarray) -> dict[str, float]:
    """Return the means of values (C, 9) by optional tracker that was calibrated."""
    return {
        name: float(np.nanmean(column))
        for name, column in zip(EXTRA_TRACKERS, values.T, strict=True)
        if np.isfinite(column).any()
    }
