# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames in which a recorder lost the body and put it somewhere else: found and bridged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..body.interpolation import find_runs, interpolate, interpolate_rotations
from ..body.motion import Motion

_FASTEST, _LEAST_JUMP = 25.0, 0.6
"""Metres a second, and metres, beyond both of which the hips jump rather than move."""
_FAST, _NEAR = 15.0, 1.0
"""Metres a second, and metres, within which a body may come back after it was lost."""
_LONGEST = 2.0
"""Seconds that a body may be lost for without having gone far."""
_FAR = 100.0
"""Metres from the rest of the motion at which the body cannot be."""
_MOST_AHEAD = 50
_MOST_NAMED = 5


def find_lost_frames(motion: Motion) -> np.ndarray:
    """Tell in which frames (F,) the body is lost: it jumps away and comes back, or is far off."""
    times, root = motion.times, motion.root.astype(np.float64)
    lost = np.zeros(len(times), bool)
    if len(times) < 3:
        return lost
    steps = np.linalg.norm(np.diff(root, axis=0), axis=-1)
    jumps = np.flatnonzero((steps > _LEAST_JUMP) & (steps > _FASTEST * np.diff(times)))
    if not len(jumps):
        return lost
    starts = [0, *(jumps + 1).tolist()]
    stops = [*starts[1:], len(times)]
    kept = 0
    number = 1
    while number < len(starts):
        back = _find_return(times, root, starts, stops, kept, number)
        if back > number:
            lost[starts[number] : starts[back]] = True
        kept, number = back, back + 1
    longest = max(
        zip(starts, stops, strict=True), key=lambda part: (~lost[slice(*part)]).sum(), default=None
    )
    assert longest is not None
    home = np.median(root[slice(*longest)], axis=0)
    for start, stop in zip(starts, stops, strict=True):
        away = np.linalg.norm(root[start:stop] - home, axis=-1)
        if (start, stop) != longest and away.min() > _FAR:
            lost[start:stop] = True
    return lost


def _find_return(
    times: np.ndarray,
    root: np.ndarray,
    starts: list[int],
    stops: list[int],
    kept: int,
    number: int,
) -> int:
    """Return the stretch in which the body is back where ``kept`` ends; else ``number``."""
    last = stops[kept] - 1
    for later in range(number + 1, min(number + _MOST_AHEAD, len(starts))):
        first = starts[later]
        gap = times[first] - times[last]
        if gap > _LONGEST:
            break
        if np.linalg.norm(root[first] - root[last]) < _NEAR + _FAST * gap:
            return later
    return number


def bridge_lost_frames(motion: Motion, notes: list[str]) -> Motion:
    """Return a motion whose lost frames are interpolated from their neighbours.

    Args:
        motion: Motion in metres.
        notes: What was bridged is added to this list.
    """
    lost = find_lost_frames(motion)
    if not lost.any():
        return motion
    names = [
        str(start + 1) if stop == start + 1 else f"{start + 1} to {stop}"
        for start, stop in find_runs(lost)
    ]
    more = f" and {len(names) - _MOST_NAMED} more times" if len(names) > _MOST_NAMED else ""
    farthest = float(np.abs(motion.root[lost] - np.median(motion.root[~lost], axis=0)).max())
    notes.append(
        f"the body is thrown up to {farthest:,.0f} m away in frames"
        f" {', '.join(names[:_MOST_NAMED])}{more} of {len(lost)}: took them as lost and bridged"
        " them from their neighbours"
    )
    times = motion.times
    rotations, root = motion.rotations.copy(), motion.root.copy()
    rotations[lost] = interpolate_rotations(times[~lost], rotations[~lost], times[lost])
    root[lost] = interpolate(times[~lost], root[~lost], times[lost])
    return replace(motion, rotations=rotations, root=root)
