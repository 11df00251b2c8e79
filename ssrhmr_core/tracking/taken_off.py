# SPDX-License-Identifier: GPL-3.0-or-later
"""Leave out trackers that were taken off and lie on a table or the floor, while the body moves on.

Whole takes and live frames are judged by the same samples (:mod:`ssrhmr_core.tracking.rest_watch`).
Live, a tracker is left out once it is told; in a whole take from before it was laid down, as
somebody carried it there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ..body.skeleton import TRACKERS, Skeleton
from .rest_watch import LEAST_FAR, NAMES, NO_EXTRAS, SAMPLE_SECONDS, RestWatch
from .slips import name_seconds
from .take import Take

_CARRIED = 1.0
"""Seconds before a tracker lies still in which it was not worn any more."""


class TakenOff(NamedTuple):
    """A tracker that nobody wears for some time.

    Attributes:
        tracker: Its name.
        begin: Seconds, as the take has them, from which on it lies still.
        end: Seconds at which it is picked up; infinite if that never happens.
    """

    tracker: str
    begin: float
    end: float


def find_taken_off(take: Take, body: Skeleton | None = None) -> tuple[TakenOff, ...]:
    """Find trackers that lie about in a take while the body moves.

    Args:
        take: Trackers at any rate, calibrated if there are optional ones.
        body: The body that wears them; None for an adult's.

    Returns:
        Them in the order of their times.
    """
    watch = RestWatch(body)
    times = np.arange(take.times[0], take.times[-1] + 1e-9, SAMPLE_SECONDS)
    frames = np.minimum(np.searchsorted(take.times, times - 1e-9), len(take) - 1)
    extras = NO_EXTRAS.part(np.zeros(len(frames), int))
    if take.extras is not None:
        extras = take.extras.part(frames)
    positions = np.concatenate([take.positions[frames], extras.positions], 1)
    rotations = np.concatenate([take.rotations[frames], extras.rotations], 1)
    placed = np.concatenate([take.has_position[frames], extras.has_position], 1)
    turned = np.concatenate([take.has_rotation[frames], extras.has_rotation], 1)
    found: list[TakenOff] = []
    begun: dict[int, float] = {}
    before = watch.off.copy()
    for sample, time in enumerate(times.tolist()):
        watch.sample(positions[sample], rotations[sample], placed[sample], turned[sample])
        for tracker in np.flatnonzero(watch.off & ~before).tolist():
            begun[tracker] = float(times[watch.since[tracker]])
        for tracker in np.flatnonzero(before & ~watch.off).tolist():
            found.append(TakenOff(NAMES[tracker], begun.pop(tracker), time))
        before = watch.off.copy()
    found += [TakenOff(NAMES[tracker], begin, np.inf) for tracker, begin in begun.items()]
    return tuple(sorted(found, key=lambda each: (each.begin, each.tracker)))


def leave_out(take: Take, taken_off: tuple[TakenOff, ...]) -> Take:
    """Return a take in which trackers are missing while nobody wears them.

    Args:
        take: The take.
        taken_off: What :func:`find_taken_off` says of it.
    """
    if not taken_off:
        return take
    worn = np.ones((len(take), len(NAMES)), bool)
    for tracker, begin, end in taken_off:
        row = NAMES.index(tracker)
        carried = SAMPLE_SECONDS if _is_frozen(take, row, begin) else _CARRIED
        worn[(take.times >= begin - carried) & (take.times <= end), row] = False
    six, more = worn[:, : len(TRACKERS)], worn[:, len(TRACKERS) :]
    masked = take.with_masks(take.has_position & six, take.has_rotation & six)
    return replace(masked, extras=take.extras and take.extras.where(more))


def _is_frozen(take: Take, row: int, begin: float) -> bool:
    """Return whether a tracker gives the very same numbers: it is lost, and nobody carried it."""
    poses, own = (take, row) if row < len(TRACKERS) else (take.extras, row - len(TRACKERS))
    if poses is None:
        return False
    inside = (take.times >= begin) & (take.times <= begin + LEAST_FAR * SAMPLE_SECONDS)
    positions = poses.positions[inside, own]
    return bool((positions == positions[:1]).all())


def describe_taken_off(
    taken_off: TakenOff, name_time: Callable[[float], str] = name_seconds
) -> str:
    """Return what a user should know of a tracker that lies about, in plain words.

    Args:
        taken_off: What was found.
        name_time: Function that names a time in seconds of the take.
    """
    tracker, begin, end = taken_off
    until = "" if np.isinf(end) else f" to {name_time(end)}"
    return (
        f"{tracker} lies still from {name_time(begin)}{until} while the body moves, as if it were"
        " taken off: it does not count there"
    )


def describe_lying(tracker: str) -> str:
    """Return what a user should know, live, of a tracker that lies about."""
    return (
        f"{tracker} lies still while the body moves, as if it were taken off: it does not count"
        " until it is worn again"
    )
