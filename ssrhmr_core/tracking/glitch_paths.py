# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the readings of one tracker that are wrong in a whole take: glitches and frozen ones.

A glitch shows itself by a step that no body part makes (:mod:`ssrhmr_core.tracking.plausibility`).
Which of the readings around it are wrong is decided by what would be the most plausible path: the
one that leaves out the least time and bridges what it leaves out with the least acceleration. A
tracker that flies off and snaps back is therefore left out from where it began to fly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..body.interpolation import MODEL_RATE, find_runs
from .plausibility import MotionLimits, measure_implausibility

LEAP = 0.05
"""Metres by which a step differs from the one before where a tracker leaps, and by which a tracker
that was frozen, rather than at rest, is off its frozen position afterwards."""
_FROZEN_SECONDS, _STOPPED_SECONDS = 0.2, 0.1
"""Seconds after which equal frames are frozen that end in a jump, or that begin and end while the
tracker moves."""
_STOP_SPEED, _SHAKE = 0.25, 1e-5
"""Metres per second of such a tracker, and metres by which its path is never quite straight."""
_FROZEN_FRAMES = 3
"""Equal frames next to a glitch that may belong to it."""

# Costs of leaving out readings, in frames of 1/60 s.
_GAP_COST = 2.0
_EQUAL_COST = 0.05
"""Cost of a frame that equals the one before."""
_CUT_COST = 180.0
"""Cost of a jump that no body part makes, if both sides of it are kept."""
_MILD_EXCESS, _MILD_COST = 2.2, 8.0
"""Excess up to which fast motion, or a slip of its capture, makes a step after all; its cost."""
_SPLIT_COSTS = (61.0, 60.0)
"""Costs of leaving out one part of a smooth path, before and after a jump: what stays elsewhere is
only believed if that explains more readings."""
_STRAINED = (0.3, 0.7)
"""Shares of what is plausible at a step from which on splitting costs less, and nothing."""
_FAR_OUT, _FAR_OUT_COST = 0.15, 4.0
"""Metres out of the body's reach at which a reading is wrong; cost of keeping it."""
_DOUBTED = 1.0
"""Seconds around an implausible step of a tracker in which others are not judged by it."""
_JUMP_EXCESS = 3.0
"""Excess of a step from which on it is a jump."""
_LONGEST_GAP = 3.0
"""Seconds that are bridged at most."""
_USUAL_ACCELERATION = 22.0
"""Metres per second squared of a bridge that cost as much as one frame."""
_SHORTEST_FRAGMENT = 7
"""Frames of the shortest part of a path that is kept between two losses."""
_BLENDED = 0.2
"""Seconds that are left out after a jump that is not bridged, so that the body can follow."""


def mark_frozen(
    times: np.ndarray,
    positions: np.ndarray,
    rotations: np.ndarray,
    cuts: np.ndarray,
    valid: np.ndarray,
) -> None:
    """Mark the frozen readings of a tracker in its valid frames (F,).

    Args:
        times: (F,) rising seconds.
        positions: (F, n) positions in metres.
        rotations: (F, 4) quaternions.
        cuts: (F,) bool, True for frames that follow a cut of the take.
        valid: (F,) bool, changed in place.
    """
    frames = np.flatnonzero(valid)
    positions, rotations = positions[frames], rotations[frames]
    equal = (positions[1:] == positions[:-1]).all(-1) & (rotations[1:] == rotations[:-1]).all(-1)
    if not equal.any():
        return
    times = times[frames]
    steps = np.diff(positions.astype(np.float64), axis=0)
    speeds = np.linalg.norm(steps, axis=-1) / np.diff(times)
    shakes = np.median(np.linalg.norm(np.diff(steps, axis=0), axis=-1)) > _SHAKE
    for begin, end in find_runs(equal):
        lasted = times[end] - times[begin]
        if end + 1 >= len(frames) or cuts[frames[end + 1]]:
            continue
        jumps = lasted >= _FROZEN_SECONDS and np.linalg.norm(steps[end]) > LEAP
        # Keys ease in and out, or are linear; sensors stop dead.
        stops = begin > 0 and min(speeds[begin - 1], speeds[end]) > _STOP_SPEED
        if jumps or (shakes and stops and lasted >= _STOPPED_SECONDS):
            valid[frames[begin + 1 : end + 1]] = False


def mark_glitches(track: Track, valid: np.ndarray) -> None:
    """Mark the glitches of a tracker in its valid frames (F,)."""
    for begin, end in _group(track.times, np.flatnonzero(track.excess)):
        frames = track.frames[begin:end]
        valid[frames[~_find_plausible_path(track.part(begin, end))]] = False
        _drop_fragments(valid[frames[0] : frames[-1] + 1])


def _drop_fragments(valid: np.ndarray) -> None:
    """Drop single readings (F,) between others that are lost: chance put them on the path."""
    for begin, end in find_runs(valid):
        if begin and end < len(valid) and end - begin < _SHORTEST_FRAGMENT:
            valid[begin:end] = False


@dataclass(frozen=True, eq=False)
class Track:
    """The valid readings of one tracker.

    Attributes:
        frames: (N,) their frames in the take.
        times: (N,) seconds.
        positions: (N, 3) metres.
        excess: (N - 1,) by how many times steps exceed what is plausible; 0 if they do not.
        split_costs: (N - 1,) cost of leaving the path at each step, as a share of that at a smooth
            one: 0 at implausible steps and across missing readings.
        incoming: (N, 3) velocity of the step to each reading; NaN if it is not plausible.
        outgoing: (N, 3) velocity of the step from each reading, likewise.
        costs: (N,) cost of leaving out each reading, in frames.
        kept_costs: (N,) cost of keeping it.
        scenes: (N,) number of cuts before each reading.
    """

    frames: np.ndarray
    times: np.ndarray
    positions: np.ndarray
    excess: np.ndarray
    split_costs: np.ndarray
    incoming: np.ndarray
    outgoing: np.ndarray
    costs: np.ndarray
    kept_costs: np.ndarray
    scenes: np.ndarray

    @classmethod
    def read(
        cls,
        times: np.ndarray,
        positions: np.ndarray,
        valid: np.ndarray,
        cuts: np.ndarray,
        limits: MotionLimits,
    ) -> Track:
        """Read the valid frames of a tracker.

        Args:
            times: (F,) rising seconds.
            positions: (F, 3) positions in metres.
            valid: (F,) bool.
            cuts: (F,) bool, True for frames that follow a cut of the take.
            limits: What is possible for the tracker.
        """
        frames = np.flatnonzero(valid)
        times = times[frames]
        positions = positions[frames].astype(np.float64)
        scenes = np.cumsum(cuts)[frames]
        same_scene = np.diff(scenes) == 0
        steps = np.diff(times)
        strain = measure_implausibility(times, positions, limits) * same_scene
        excess = np.where(strain < 1.0, 0.0, strain)
        velocities = np.diff(positions, axis=0) / steps[:, None]
        velocities[(excess > 0.0) | ~same_scene] = np.nan
        unknown = np.full((1, 3), np.nan)
        costs = MODEL_RATE * np.gradient(times) if len(times) > 1 else np.ones(len(times))
        equal = (np.diff(positions, axis=0) == 0.0).all(-1)
        for begin, end in find_runs(equal):
            if end - begin >= _FROZEN_FRAMES:
                costs[begin + 1 : end + 1] *= _EQUAL_COST
        without_gap = steps < 1.5 * np.median(steps) if len(steps) else np.zeros(0, bool)
        calm, strained = _STRAINED
        return cls(
            frames,
            times,
            positions,
            excess,
            np.clip((strained - strain) / (strained - calm), 0.0, 1.0) * without_gap,
            np.concatenate([unknown, velocities]),
            np.concatenate([velocities, unknown]),
            costs,
            np.zeros(len(frames)),
            scenes,
        )

    @property
    def is_suspicious(self) -> bool:
        """Whether any step is not plausible."""
        return len(self.frames) >= 3 and bool(self.excess.any())

    def find_reliable_frames(self, times: np.ndarray) -> np.ndarray:
        """Return (F,) bool, True for valid frames of a take with nothing suspicious around them."""
        reliable = np.zeros(len(times), bool)
        reliable[self.frames] = True
        for step in np.flatnonzero(self.excess):
            begin, end = self.times[step] - _DOUBTED, self.times[step + 1] + _DOUBTED
            reliable[np.searchsorted(times, begin) : np.searchsorted(times, end)] = False
        return reliable

    def judged_by_reach(self, overreach: np.ndarray) -> Track:
        """Return the track with costs by how far (F,) its tracker is out of reach, in metres."""
        share = np.clip(overreach[self.frames] / _FAR_OUT, 0.0, 1.0)
        costs = self.costs * (1.0 - (1.0 - _EQUAL_COST) * share)
        return replace(self, costs=costs, kept_costs=_FAR_OUT_COST * share)

    def part(self, begin: int, end: int) -> Track:
        """Return the readings from ``begin`` to before ``end``."""
        readings = slice(begin, end)
        return Track(
            self.frames[readings],
            self.times[readings],
            self.positions[readings],
            self.excess[begin : end - 1],
            self.split_costs[begin : end - 1],
            self.incoming[readings],
            self.outgoing[readings],
            self.costs[readings],
            self.kept_costs[readings],
            self.scenes[readings],
        )


def _group(times: np.ndarray, breaks: np.ndarray) -> list[tuple[int, int]]:
    """Group implausible steps that may belong to one glitch, with the readings around them.

    Args:
        times: (N,) seconds of all readings.
        breaks: Indices of the steps that are not plausible.

    Returns:
        First and one past the last reading of each group.
    """
    begins = np.searchsorted(times, times[breaks] - _LONGEST_GAP)
    ends = np.searchsorted(times, times[breaks + 1] + _LONGEST_GAP, side="right")
    groups: list[tuple[int, int]] = []
    for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
        if groups and begin < groups[-1][1]:
            groups[-1] = (groups[-1][0], end)
        else:
            groups.append((begin, end))
    return groups


def _find_plausible_path(track: Track) -> np.ndarray:
    """Find the readings (N,) bool of the cheapest path, by dynamic programming.

    A path costs the time of the readings that it leaves out, and the acceleration of the bridges
    across them.
    """
    count = len(track.times)
    left_out = np.concatenate([[0.0], np.cumsum(track.costs)])
    # The path may begin or end within a glitch.
    best = left_out[:-1] + track.kept_costs
    previous = np.full(count, -1)
    first = np.searchsorted(track.times, track.times - _LONGEST_GAP)
    for reading in range(1, count):
        before = np.arange(first[reading], reading)
        if not len(before):
            before = np.array([reading - 1])
        costs = best[before] + left_out[reading] - left_out[before + 1]
        costs += _bridge_costs(track, before, reading) + track.kept_costs[reading]
        cheapest = int(costs.argmin())
        if costs[cheapest] < best[reading]:
            best[reading], previous[reading] = costs[cheapest], before[cheapest]
    last = int((best + left_out[-1] - left_out[1:]).argmin())
    kept = np.zeros(count, bool)
    while last >= 0:
        kept[last] = True
        if last and previous[last] == last - 1 and track.excess[last - 1] > _JUMP_EXCESS:
            lasted = track.times - track.times[last]
            kept[(lasted >= 0.0) & (lasted < _BLENDED)] = False
        last = previous[last]
    return kept


def _bridge_costs(track: Track, before: np.ndarray, after: int) -> np.ndarray:
    """Return what it costs (B,) to go from some readings directly to a later one."""
    seconds = (track.times[after] - track.times[before])[:, None]
    straight = (track.positions[after] - track.positions[before]) / seconds
    start, end = track.incoming[before], track.outgoing[after]
    start = np.where(np.isnan(start), straight, start)
    end = np.where(np.isnan(end), straight, end)
    # Both ends of a cubic curve, where its acceleration is largest.
    accelerations = [
        np.linalg.norm((6.0 * straight - 4.0 * start - 2.0 * end) / seconds, axis=-1),
        np.linalg.norm((2.0 * start + 4.0 * end - 6.0 * straight) / seconds, axis=-1),
    ]
    share = np.maximum(*accelerations) / _USUAL_ACCELERATION
    costs = _GAP_COST + np.minimum(share * share, _CUT_COST)
    costs[track.scenes[before] != track.scenes[after]] = _GAP_COST
    costs += (
        _SPLIT_COSTS[0] * track.split_costs[before] + _SPLIT_COSTS[1] * track.split_costs[after - 1]
    )
    if before[-1] == after - 1:
        excess = track.excess[after - 1]
        costs[-1] = 0.0 if not excess else _MILD_COST if excess < _MILD_EXCESS else _CUT_COST
    return costs
