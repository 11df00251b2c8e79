# SPDX-License-Identifier: GPL-3.0-or-later
"""Take slips back that a take bears out: what the body shows before and after must not deny them.

A step of a tracker alone, many times larger than what a limb does, is nearly always a strap that
gave way; now and then it is a blow, or tracking that was lost for a moment. The mounts that are
most probable of the parts before and after say which, the more the longer they are.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np

from ...body.skeleton import ADULT_SIZE, Skeleton
from ...geometry.rotations import from_quat, from_rotvec, transpose
from ..calibration import Calibration
from ..slip_corrections import SlipCorrection, measure_slip, take_back
from ..slips import Slip, find_slips
from ..steps import run_steps
from ..take import Take
from .evidence import UNGUIDED, Evidence
from .fit import MovementFit, fit_movement
from .frames import sample_frames, to_tracker_mounts
from .holds import Holds

_MOST_FRAMES, _FEWEST_FRAMES = 80, 24
"""Frames of each part that are looked at, and below which it tells nothing: 4 seconds."""
_RATE = 6.0
_CLEAR = 0.1
"""Seconds around a slip that belong to neither part. Straps slip one at a time: what moves several
trackers within these is something else."""
_OTHERS, _OWN = 0.02, 0.03
"""How far mounts of parts may be from the calibration: of trackers that hold, and of the one that
slipped if that was not farther; metres on an adult."""
_SPREAD_SCALE = 2.5
"""Real spreads over those of the fit, between parts of takes in which nothing slipped."""
_STEP_ALONE, _MARGIN = np.log(50.0), np.log(5.0)
"""How much the step itself speaks for a slip, and by how much all must speak for it; logarithms of
probability ratios. Without a slip, one of 250 training clips has such a step."""


@dataclass(frozen=True, eq=False)
class CorrectedTake:
    """A take as if straps had held.

    Attributes:
        take: The take without the slips that were taken back.
        corrections: What took them back, in the order of their times.
        left: Slips that are left as they are: their mounts cannot be told, or are denied.
    """

    take: Take
    corrections: tuple[SlipCorrection, ...]
    left: tuple[Slip, ...]


def correct_slips(skeleton: Skeleton, take: Take, calibration: Calibration) -> CorrectedTake:
    """Take back the slips of a take; see :func:`correct_slips_in_steps`."""
    return run_steps(correct_slips_in_steps(skeleton, take, calibration))


def correct_slips_in_steps(
    skeleton: Skeleton, take: Take, calibration: Calibration, since: float = -np.inf
) -> Generator[float, None, CorrectedTake]:
    """Take back the slips of a take that its movement bears out.

    Args:
        skeleton: The character's skeleton.
        take: Raw trackers, all six.
        calibration: How the reference pose calibrates them.
        since: Time of the reference pose on the take's clock, seconds. Mounts before it are not
            those that it calibrates, so that earlier slips are left.

    Yields:
        The share done (0..1), after each slip.

    Returns:
        The take as if straps had held. Nothing is taken back of trackers that look swapped.
    """
    body = calibration.performer or skeleton
    slips = find_slips(take)
    if calibration.swapped:
        return CorrectedTake(take, (), slips)
    corrections: list[SlipCorrection] = []
    left: list[Slip] = []
    held = take
    for number, slip in enumerate(slips):
        yield number / len(slips)
        alone = all(other is slip or abs(other.time - slip.time) > _CLEAR for other in slips)
        correction = measure_slip(held, slip) if alone and slip.time > since else None
        others = (*left, *slips[number + 1 :])
        if correction is None or not _is_borne_out(body, held, calibration, correction, others):
            left.append(slip)
            continue
        corrections.append(correction)
        held = take_back(held, [correction])
    return CorrectedTake(held, tuple(corrections), tuple(left))


def _is_borne_out(
    body: Skeleton,
    take: Take,
    calibration: Calibration,
    correction: SlipCorrection,
    others: tuple[Slip, ...],
) -> bool:
    """Return whether a slip is more probable than none by the margin.

    Slips that are not taken back (`others`) bound the parts that are compared.
    """
    own, tracker = correction.slip, correction.tracker
    bounds = [slip.time for slip in others if slip.tracker in ("", own.tracker)]
    begin = max((time for time in bounds if time < own.time), default=-np.inf)
    end = min((time for time in bounds if time > own.time), default=np.inf)
    before = (take.times > begin + _CLEAR) & (take.times < own.time - _CLEAR)
    after = (take.times > own.time + _CLEAR) & (take.times < end - _CLEAR)
    parts = [
        _fit_part(body, take.part(np.flatnonzero(rows)), calibration, correction)
        for rows in (before, after)
        if rows.any()
    ]
    fits = [fit for fit in parts if fit is not None]
    if len(fits) < 2:
        return False
    mounts = fits[0].mounts
    after_slip = mounts.rotations[tracker] @ transpose(from_rotvec(correction.rotvec))
    step = -calibration.scale * after_slip @ correction.offset
    shown = fits[1].mounts.offsets[tracker] - mounts.offsets[tracker]
    spread = _SPREAD_SCALE * np.hypot(*(fit.offset_spreads[tracker] for fit in fits))
    # Normal distributions about the step and about none.
    ratio = 0.5 * float((((shown / spread) ** 2) - ((shown - step) / spread) ** 2).sum())
    return ratio + _STEP_ALONE > _MARGIN


def _fit_part(
    body: Skeleton, part: Take, calibration: Calibration, correction: SlipCorrection
) -> MovementFit | None:
    """Return what is most probable of a part of a take; None if it is too short to tell."""
    frames, consecutive = sample_frames(part, _RATE, _MOST_FRAMES)
    if len(frames) < _FEWEST_FRAMES:
        return None
    rotations = frames.rotations.astype(np.float64)
    evidence = Evidence(
        calibration.scale * frames.positions.astype(np.float64),
        from_quat(rotations / np.linalg.norm(rotations, axis=-1, keepdims=True)),
        np.zeros(len(frames), bool),
        consecutive,
        0.0,
        UNGUIDED,
        Holds.none(len(frames)),
    )
    mounts = to_tracker_mounts(calibration)
    adult = body.size / ADULT_SIZE
    spreads = np.full((len(mounts.offsets), 3), _OTHERS * adult)
    distance = calibration.scale * np.linalg.norm(correction.offset)
    spreads[correction.tracker] = max(_OWN * adult, float(distance))
    fit = fit_movement(body, evidence, mounts, mounts.offsets, spreads)
    return fit if np.isfinite(fit.mounts.offsets).all() else None
