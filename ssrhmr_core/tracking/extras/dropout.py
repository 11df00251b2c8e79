# SPDX-License-Identifier: GPL-3.0-or-later
"""Dropouts of optional trackers in whole takes: glitches, frozen readings, places out of reach.

They are judged like the six, and by the bones between their joints and those of the six: an elbow
is never farther from its wrist than the forearm is long. The causal counterpart is
:mod:`ssrhmr_core.tracking.extras.live_dropout`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from pymotion.rotations import quat_np as quat

from ...body.skeleton import Skeleton
from ..glitch_paths import Track, mark_frozen, mark_glitches
from ..plausibility import EXTRA_LIMITS, measure_extra_overreach, measure_extra_reach
from ..take import Take
from .readings import ExtraReadings

_MOSTLY_WRONG = 0.5
"""Share of its readings that are not plausible, above which a tracker is ignored."""
_METRES_PER_RADIAN = 0.25
"""Length of the lever by which the turns of a tracker without a position are judged as motion."""
_IDENTITY = (1.0, 0.0, 0.0, 0.0)


def mark_extra_dropouts(
    take: Take, extras: ExtraReadings, cuts: np.ndarray, body: Skeleton | None
) -> ExtraReadings:
    """Mark implausible readings of optional trackers as missing.

    A tracker whose readings are mostly implausible is ignored altogether.

    Args:
        take: The six trackers, calibrated, without their own dropouts.
        extras: The optional trackers in the same frames.
        cuts: (F,) bool, True for frames that follow a cut of the take.
        body: The body that wears them; None to judge by their motion alone.

    Returns:
        Fewer readings; the same object if there was nothing to mark.
    """
    has_position, has_rotation = extras.has_position.copy(), extras.has_rotation.copy()
    overreach = np.zeros(has_position.shape)
    if body is not None:
        overreach = measure_extra_overreach(
            extras.positions, take.positions, take.has_position, measure_extra_reach(body)
        )
    for tracker, limits in enumerate(EXTRA_LIMITS):
        placed, turned = has_position[:, tracker], has_rotation[:, tracker]
        there = placed | turned
        if not there.any():
            continue
        positions = extras.positions[:, tracker]
        rotations = np.where(turned[:, None], extras.rotations[:, tracker], _IDENTITY)
        wrong = _find_frozen(take.times, (positions, rotations), (placed, turned), cuts)
        believed = placed & ~wrong
        track = Track.read(take.times, positions, believed, cuts, limits)
        if track.is_suspicious:
            mark_glitches(track.judged_by_reach(overreach[:, tracker]), believed)
        believed &= overreach[:, tracker] == 0.0
        # Nobody wears a device that is not where the body is: its rotation means nothing either.
        wrong |= placed & ~believed
        if wrong.sum() > _MOSTLY_WRONG * there.sum():
            wrong[:] = True
        has_position[wrong, tracker] = has_rotation[wrong, tracker] = False
    same = (has_position == extras.has_position).all() and (
        has_rotation == extras.has_rotation
    ).all()
    return extras if same else replace(extras, has_position=has_position, has_rotation=has_rotation)


def _find_frozen(
    times: np.ndarray,
    poses: tuple[np.ndarray, np.ndarray],
    masks: tuple[np.ndarray, np.ndarray],
    cuts: np.ndarray,
) -> np.ndarray:
    """Return in which frames (F,) a tracker is frozen.

    Args:
        times: (F,) rising seconds.
        poses: Its positions (F, 3) and rotations (F, 4).
        masks: (F,) bool each, where it has a position, and where it has a rotation.
        cuts: (F,) bool, True for frames that follow a cut of the take.
    """
    (positions, rotations), (placed, turned) = poses, masks
    if not placed.any():
        # Twice a quaternion changes by the angle in radians.
        positions = _METRES_PER_RADIAN * 2.0 * quat.unroll(rotations, 0)
    there = placed if placed.any() else turned
    valid = there.copy()
    mark_frozen(times, positions, rotations, cuts, valid)
    return there & ~valid
