# SPDX-License-Identifier: GPL-3.0-or-later
"""Dropouts that a source reports as valid, found in whole takes: glitches and frozen readings.

:mod:`ssrhmr_core.tracking.glitch_paths` judges one tracker; this module judges all of a take. The
causal counterpart is :mod:`ssrhmr_core.tracking.live_dropout`.
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np

from ..body.skeleton import Skeleton
from .extras.dropout import mark_extra_dropouts
from .glitch_paths import LEAP, Track, mark_frozen, mark_glitches
from .plausibility import limits_of, measure_overreach
from .take import Take

_CUT_TRACKERS = 2
_CUT_SHARE = 2.0 / 3.0
"""A take was cut where at least so many trackers leap at once, and this share of those that the
performer wears: nothing was lost there."""
CUT_SECONDS = 0.1
"""Seconds that a cut takes at most, where a take is sampled more finely than it was recorded."""
_MIDDLE_LEAP = 4.0 * LEAP
"""The same between every other frame, where motion without leaps changes four times as much."""
_MIDDLE = 0.25
"""Share of a step within which a frame lies in the middle of it, if it was sampled in between."""


def mark_dropouts(take: Take, body: Skeleton | None = None) -> Take:
    """Mark glitches and frozen readings as not valid.

    Exactly equal frames are frozen if the tracker is somewhere else at their end; keyed trackers
    rest without that. A tracker that jumps and stays elsewhere for some seconds is believed after
    the jump. Nothing is marked where most trackers leap at once, because the take was cut there.

    Optional trackers are judged too, see :mod:`ssrhmr_core.tracking.extras.dropout`.

    Args:
        take: Trackers at any rate, calibrated if there are optional ones.
        body: The body that wears them, which says how far its joints are from each other at most;
            only optional trackers are judged by it.

    Returns:
        The take with fewer valid readings; the same object if there was nothing to mark.
    """
    cuts = _find_cuts(take)
    valid = take.has_position.copy()
    for tracker in range(valid.shape[1]):
        positions, rotations = take.positions[:, tracker], take.rotations[:, tracker]
        mark_frozen(take.times, positions, rotations, cuts, valid[:, tracker])
    tracks = [
        Track.read(
            take.times, take.positions[:, tracker], valid[:, tracker], cuts, limits_of(tracker)
        )
        for tracker in range(valid.shape[1])
    ]
    if any(track.is_suspicious for track in tracks):
        reliable = np.stack([track.find_reliable_frames(take.times) for track in tracks], 1)
        for tracker, track in enumerate(tracks):
            if track.is_suspicious:
                overreach = measure_overreach(take.positions, tracker, reliable)
                mark_glitches(track.judged_by_reach(overreach), valid[:, tracker])
    cleaned = take
    if not (valid == take.has_position).all():
        lost = take.has_position & ~valid
        cleaned = take.with_masks(valid, take.has_rotation & ~lost)
    if take.extras is None:
        return cleaned
    extras = mark_extra_dropouts(cleaned, take.extras, cuts, body)
    return cleaned if extras is take.extras else replace(cleaned, extras=extras)


def find_ignored_extras(take: Take, cleaned: Take) -> tuple[str, ...]:
    """Return the names of optional trackers of which no reading is believed.

    Args:
        take: Calibrated trackers.
        cleaned: The same take from :func:`mark_dropouts`.
    """
    if take.extras is None or cleaned.extras is None:
        return ()
    believed = cleaned.extras.worn
    return tuple(name for name in take.extras.worn if name not in believed)


def describe_ignored_extra(name: str) -> str:
    """Return what a user should know of an optional tracker that is ignored."""
    return (
        f"{name} is ignored: most of the time it is where no body reaches, or leaps about. Check"
        " that it is worn there and that no other device has its role, then calibrate again"
    )


def _find_cuts(take: Take) -> np.ndarray:
    """Return (F,) bool, True for frames that follow a cut of the take.

    All trackers of a running body are fast, but none of them leaps from its motion before.
    """
    needed = count_cut_trackers(int(take.has_position.any(0).sum()))
    cuts = _leap_together(take.positions, LEAP, needed)
    # Between two frames of a scene, its trackers are sampled on their way from one to the other.
    for phase in (0, 1):
        sampled = take.positions[phase::2]
        middles = take.positions[phase + 1 :: 2]
        leaps = np.flatnonzero(_leap_together(sampled, _MIDDLE_LEAP, needed))
        for leap in leaps[leaps > 0]:
            start, end = sampled[leap - 1], sampled[leap]
            offset = np.linalg.norm(middles[leap - 1] - 0.5 * (start + end), axis=-1)
            between = offset < _MIDDLE * np.linalg.norm(end - start, axis=-1)
            if between.sum() >= needed:
                frame = phase + 2 * leap
                cuts[frame - 1 : frame + 1] = True
    # Finer clocks cross a cut in several steps, of which only the first and the last one differ.
    for before, after in pairwise(np.flatnonzero(cuts).tolist()):
        if take.times[after] - take.times[before] < CUT_SECONDS:
            cuts[before:after] = True
    return cuts


def count_cut_trackers(worn: int) -> int:
    """Return how many trackers leap at a cut at least, of so many that were ever valid."""
    return max(_CUT_TRACKERS, math.ceil(_CUT_SHARE * worn))


def _leap_together(positions: np.ndarray, least: float, needed: int) -> np.ndarray:
    """Return (F,) bool, True for frames to which enough trackers of (F, 6, 3) leap some metres."""
    steps = np.diff(positions, axis=0, prepend=positions[:1])
    with np.errstate(invalid="ignore"):
        changes = np.linalg.norm(np.diff(steps, axis=0, prepend=steps[:1]), axis=-1)
        return (changes > least).sum(1) >= needed
