# SPDX-License-Identifier: GPL-3.0-or-later
"""Moments of a take at which a performer stands still in a reference pose."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from pymotion.rotations import quat_np as quat

from ..body.extra_trackers import EXTRA_TRACKERS
from ..body.skeleton import ADULT_SIZE, TRACKERS, Skeleton
from .extras.readings import ExtraReadings
from .reference_pose import ReferencePose, compare_with_pose, estimate_stance, keep_tracked
from .subsets import find_front, require_anchor, roles_in
from .take import Take, TrackerError

_CANDIDATES_PER_SECOND, _CANDIDATES = 10.0, 8
_CALM_SPEED, _CALM_DISTANCE = 0.05, 0.05
"""Metres per second, and metres off the reference pose, that count alike in a still frame."""
_STILL_SPEED = 0.15
"""Metres per second below which a tracker counts as still."""
_LEAP, _LEAP_RATIO = 0.15, 5.0
"""Least step of a leap as a share of the trackers' height, and how many times faster it is than the
steps before and after."""
_AVERAGED = 3
"""Frames before and after a moment over which the noise of trackers is averaged."""
_AROUND = 9
"""Frames before and after in which trackers must be still too: a hand that turns back is not."""


class StillTrackers(NamedTuple):
    """Trackers at the moment at which they are stillest, averaged over some frames.

    Attributes:
        positions: (6, 3) positions in metres.
        rotations: (6, 4) quaternions.
        speeds: (6,) speed of each tracker in metres per second.
        extras: One frame of the optional trackers that are there throughout; None without any.
        extra_speeds: (9,) speed of each of them.
    """

    positions: np.ndarray
    rotations: np.ndarray
    speeds: np.ndarray
    extras: ExtraReadings | None
    extra_speeds: np.ndarray


def measure_peak_speeds(take: Take, time: float, window: float = 0.25) -> np.ndarray:
    """Measure the highest speed of each tracker (6,) around a time, in metres per second.

    Only the frames on the same side of a cut count: many files begin with a single frame of the
    T-pose, from which trackers leap to where the performance begins.

    Args:
        take: Raw trackers at any rate.
        time: The moment, in seconds.
        window: Seconds before and after it that are looked at.
    """
    near = np.flatnonzero(np.abs(take.times - time) <= window + 1e-9)
    if len(near) < 2:
        return np.zeros(6, np.float32)
    # A frame more on either side tells whether the outermost steps are leaps.
    around = slice(max(near[0] - 1, 0), near[-1] + 2)
    times, positions = take.times[around], take.positions[around]
    steps = np.linalg.norm(np.diff(positions, axis=0), axis=-1)
    speeds = steps / np.diff(times)[:, None]
    cuts = np.flatnonzero(_find_leaps(steps, speeds, positions))
    at = int(np.abs(times - time).argmin())
    first = max([near[0] - around.start, *(cuts[cuts < at] + 1)])
    last = min([near[-1] - around.start, *cuts[cuts >= at]])
    return speeds[first:last].max(0, initial=0.0).astype(np.float32)


def _find_leaps(steps: np.ndarray, speeds: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Return which steps (F - 1,) are leaps that no body makes: far, out of rest and into rest.

    Args:
        steps: (F - 1, 6) distances between frames.
        speeds: (F - 1, 6) the same, per second.
        positions: (F, 6, 3) of the trackers.
    """
    height = np.ptp(positions[..., 1], axis=-1).max()
    padded = np.pad(speeds, ((1, 1), (0, 0)))
    neighbours = np.maximum(padded[:-2], padded[2:])
    return ((steps > _LEAP * height) & (speeds > _LEAP_RATIO * neighbours)).any(-1)


def warn_of_movement(speeds: np.ndarray, trackers: tuple[str, ...] = TRACKERS) -> tuple[str, ...]:
    """Return warnings about trackers that move while they are calibrated.

    Args:
        speeds: (N,) speeds in metres per second.
        trackers: The N names of the trackers; the six by default.
    """
    return tuple(
        f"{trackers[tracker]} moves at {100.0 * speeds[tracker]:.0f} cm/s there:"
        " choose a frame where the performer stands still"
        for tracker in np.flatnonzero(speeds > _STILL_SPEED)
    )


def find_still_time(
    skeleton: Skeleton,
    take: Take,
    reference: ReferencePose = ReferencePose.T_POSE,
    window: float = 0.25,
) -> float:
    """Find the time in seconds at which a performer stands stillest and most like a pose.

    Args:
        skeleton: The character's skeleton.
        take: Trackers at any rate, not calibrated.
        reference: The reference pose.
        window: Seconds before and after in which trackers should be still.

    Raises:
        TrackerError: If the trackers never look like a standing body.
    """
    tracked, turned = take.has_position.any(0), take.has_rotation.any(0)
    require_anchor(tracked)
    candidates = _rank_still_frames(skeleton, take, reference, window)
    # Bodies of any size resemble many poses: among the best moments the likelihood decides.
    best, best_time = np.inf, None
    tried: list[float] = []
    for frame, speed in candidates:
        time = float(take.times[frame])
        if any(abs(time - other) < 2.0 * window for other in tried):
            continue
        tried.append(time)
        positions = keep_tracked(take.positions[frame], tracked)
        front = find_front(take.rotations[frame], turned)
        stance = estimate_stance(skeleton, positions, reference, None, front)
        cost = np.inf if stance is None else stance.cost + (speed / _CALM_SPEED) ** 2
        if cost < best:
            best, best_time = cost, time
        if len(tried) == _CANDIDATES:
            break
    if best_time is None:
        raise TrackerError(
            "there is no moment at which all trackers look like a standing body: search a longer"
            " range, or choose the frame yourself and check the role of each tracker"
        )
    return best_time


def _rank_still_frames(
    skeleton: Skeleton, take: Take, reference: ReferencePose, window: float
) -> list[tuple[int, float]]:
    """Return frames and their highest speeds, those most like the pose and stillest first."""
    rate = (len(take) - 1) / float(take.times[-1] - take.times[0]) if len(take) > 1 else 1.0
    tracked, turned = take.has_position.any(0), take.has_rotation.any(0)
    frames = np.flatnonzero(take.has_position[:, tracked].all(-1))
    frames = frames[frames % max(1, round(rate / _CANDIDATES_PER_SECOND)) == 0]
    ranked: list[tuple[float, int, float]] = []
    for frame in frames.tolist():
        positions = keep_tracked(take.positions[frame], tracked)
        front = find_front(take.rotations[frame], turned)
        size, distance = compare_with_pose(skeleton, positions, reference, front)
        if np.isfinite(distance):
            peak = measure_peak_speeds(take, float(take.times[frame]), window).max()
            speed = float(peak) * ADULT_SIZE / (size * skeleton.size)
            ranked.append((distance / _CALM_DISTANCE + speed / _CALM_SPEED, frame, speed))
    return [(frame, speed) for _, frame, speed in sorted(ranked)]


def average_stillest(take: Take, tracked: np.ndarray) -> StillTrackers:
    """Average trackers over the moment of a take in which they are stillest.

    Args:
        take: A second or so in a reference pose, on an even clock.
        tracked: (6,) bool, which trackers the performer wears.

    Raises:
        TrackerError: If a tracker is never valid, or if they are never all valid for a tenth of a
            second.
    """
    has_reading = take.has_position | take.has_rotation
    missing = roles_in(tracked & ~has_reading.any(0))
    if missing:
        raise TrackerError(
            f"not seen: {', '.join(missing)}: switch on what is worn there, or let no device have"
            " that role to calibrate without it"
        )
    # A tracker needs what it measures at any time.
    valid = take.has_position | ~(tracked & take.has_position.any(0))
    valid &= take.has_rotation | ~(tracked & take.has_rotation.any(0))
    width = 2 * _AVERAGED + 1
    begins = [b for b in range(len(take) - width + 1) if valid[b : b + width].all()]
    moments = [slice(begin, begin + width) for begin in begins]
    if not moments:
        raise TrackerError(
            "the trackers were not all seen at once: stand where they are, try again"
        )
    placed = tracked & take.has_position.any(0)
    drifts = [_measure_drift(take.times[near], take.positions[near]) * placed for near in moments]
    speeds = [
        np.max(drifts[max(moment - _AROUND, 0) : moment + _AROUND + 1], 0)
        for moment in range(len(moments))
    ]
    best = min(range(len(moments)), key=lambda moment: speeds[moment].max())
    positions = take.positions[moments[best]].mean(0)
    quats = _average_rotations(take.rotations[moments[best]])
    extras, extra_speeds = None, np.zeros(len(EXTRA_TRACKERS), np.float32)
    if take.extras is not None:
        extras, extra_speeds = _average_extras(take.times, take.extras, moments[best])
    return StillTrackers(positions, quats, speeds[best], extras, extra_speeds)


def _average_rotations(quats: np.ndarray) -> np.ndarray:
    """Return the means (n, 4) of quaternions (F, n, 4) around a moment."""
    quats = quats * np.where((quats * quats[_AVERAGED]).sum(-1, keepdims=True) < 0.0, -1.0, 1.0)
    return quat.normalize(quats.mean(0))


def _average_extras(
    times: np.ndarray, extras: ExtraReadings, moment: slice
) -> tuple[ExtraReadings, np.ndarray]:
    """Return one frame of optional trackers around a moment, and their speeds (9,).

    Those that are lost in one of the frames are missing.
    """
    has_position = extras.has_position[moment].all(0)
    has_rotation = extras.has_rotation[moment].all(0)
    positions = np.where(has_position[:, None], extras.positions[moment], 0.0)
    rotations = np.where(has_rotation[:, None], extras.rotations[moment], (1.0, 0.0, 0.0, 0.0))
    average = ExtraReadings(
        positions.mean(0, keepdims=True).astype(np.float32),
        _average_rotations(rotations)[None].astype(np.float32),
        has_position[None],
        has_rotation[None],
        extras.lower,
    )
    return average, _measure_drift(times[moment], positions)


def describe_unusable_extras(take: Take, still: StillTrackers) -> tuple[str, ...]:
    """Return warnings about optional trackers that are lost or move at the stillest moment.

    Args:
        take: The take in which the moment is.
        still: The trackers at that moment.
    """
    if take.extras is None or still.extras is None:
        return ()
    worn = still.extras.worn
    lost = tuple(
        f"{name} was not seen all the time: it is left out until you calibrate again with it in"
        " view"
        for name in take.extras.worn
        if name not in worn
    )
    return lost + warn_of_movement(still.extra_speeds, EXTRA_TRACKERS)


def _measure_drift(times: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Measure the speed (n,) of the straight line that fits positions (F, n, 3) best.

    Unlike a difference between frames it averages out noise.
    """
    centred = times - times.mean()
    slope = np.tensordot(centred, positions, 1) / (centred * centred).sum()
    return np.linalg.norm(slope, axis=-1).astype(np.float32)
