# SPDX-License-Identifier: GPL-3.0-or-later
"""Find lost trackers that their source reports as valid: jumps and frozen readings."""

from __future__ import annotations

import math

import numpy as np

from ..body.interpolation import MODEL_RATE, find_runs
from ..geometry.arrays import Array
from .take import Take, has_usable_values

_JUMP_SPEED = 20.0
"""Metres a second that no hand or foot reaches, of an adult."""
_JUMP_SLACK = 0.05
_JUMP_DRIFT = 2.0
"""Metres a second by which the place where a tracker may come back grows after a jump."""
_FROZEN_SECONDS = 0.2
_FROZEN_FRAMES = round(_FROZEN_SECONDS * MODEL_RATE)
_ALIVE_FRAMES = 30
"""Frames with changes after which a live tracker is known to shake as sensors do."""
_FROZEN_RELEASE = 0.05
"""Metres by which a tracker that was frozen, not resting, is somewhere else afterwards."""
_CUT = 4
"""Trackers that leap at once where a take was cut."""


def mark_dropouts(take: Take) -> Take:
    """Mark frames in which trackers jumped away or were frozen as not valid.

    A jump is faster than people are; what comes after it counts only when it is near where the
    tracker was, or has stayed for long enough that it may really be there. Exactly equal frames are
    frozen when the tracker is somewhere else at their end: keyed trackers rest without that. Where
    most trackers leap at once, the take was cut there, and nothing was lost.

    Args:
        take: trackers at any rate.

    Returns:
        The take; the same object where nothing was found.
    """
    steps = np.diff(take.positions, axis=0, prepend=take.positions[:1])
    # Of a body that runs all trackers are fast, but none of them leaps from what it did before.
    changes = np.linalg.norm(np.diff(steps, axis=0, prepend=steps[:1]), axis=-1)
    cuts = (changes > _FROZEN_RELEASE).sum(1) >= _CUT
    valid = take.valid.copy()
    for tracker in range(6):
        _mark_frozen(take, tracker, cuts, valid)
        _mark_jumps(take, tracker, cuts, valid)
    if (valid == take.valid).all():
        return take
    return Take(take.times, take.positions, take.rotations, valid)


def _mark_frozen(take: Take, tracker: int, cuts: np.ndarray, valid: np.ndarray) -> None:
    seen = np.flatnonzero(valid[:, tracker])
    spots, turns = take.positions[seen, tracker], take.rotations[seen, tracker]
    same = (spots[1:] == spots[:-1]).all(-1) & (turns[1:] == turns[:-1]).all(-1)
    for begin, end in find_runs(same):
        lasted = take.times[seen[end]] - take.times[seen[begin]]
        if end + 1 >= len(seen) or lasted < _FROZEN_SECONDS or cuts[seen[end + 1]]:
            continue
        if np.linalg.norm(spots[end + 1] - spots[end]) > _FROZEN_RELEASE:
            valid[seen[begin + 1 : end + 1], tracker] = False


def _mark_jumps(take: Take, tracker: int, cuts: np.ndarray, valid: np.ndarray) -> None:
    seen = np.flatnonzero(valid[:, tracker])
    if len(seen) < 2:
        return
    spots, times = take.positions[seen, tracker].astype(np.float64), take.times[seen]
    steps = np.linalg.norm(np.diff(spots, axis=0), axis=-1)
    fast = steps > _JUMP_SPEED * np.diff(times) + _JUMP_SLACK
    jumps = np.flatnonzero(fast & ~cuts[seen[1:]])
    at = 0
    while len(jumps := jumps[jumps >= at]):
        last = int(jumps[0])
        away = np.linalg.norm(spots[last + 1 :] - spots[last], axis=-1)
        waited = times[last + 1 :] - times[last]
        near = np.flatnonzero(away <= _allowed(waited))
        at = last + 1 + (int(near[0]) if len(near) else len(away))
        valid[seen[last + 1 : at], tracker] = False


def _allowed(waited: Array) -> Array:
    """Metres from where it was last believed that a tracker may be after so many seconds."""
    return _JUMP_SPEED * np.minimum(waited, 0.02) + _JUMP_SLACK + _JUMP_DRIFT * waited


class DropoutDetector:
    """Finds lost trackers as they come, frame by frame: the causal twin of :func:`mark_dropouts`.

    A live tracker that gives the very same numbers for a while, having shaken before as sensors do,
    is frozen; it need not wait for where it comes back.
    """

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self.reset()

    def reset(self) -> None:
        """Forget the past."""
        self._watched = [_TrackerWatch() for _ in range(6)]

    def frame(self, positions: np.ndarray, rotations: np.ndarray, known: np.ndarray) -> np.ndarray:
        """Say which trackers (6,) can be believed in the next frame.

        Args:
            positions: (6, 3), metres, as they came.
            rotations: (6, 4) quaternions.
            known: (6,) bool, what the source says.
        """
        believed = (known & has_usable_values(positions, rotations)).tolist()
        spots = positions.tolist()
        readings = zip(self._watched, spots, rotations.tolist(), strict=True)
        leaps = [tracker.note(spot, turn) for tracker, spot, turn in readings]
        # When all stand still the source has paused; there is nothing to fill in from.
        paused = sum(tracker.is_frozen for tracker in self._watched) >= _CUT
        cut = sum(leap > _FROZEN_RELEASE for leap in leaps) >= _CUT
        return np.array(
            [
                tracker.believe(spot, seen and (paused or not tracker.is_frozen), cut)
                for tracker, spot, seen in zip(self._watched, spots, believed, strict=True)
            ]
        )


class _TrackerWatch:
    """What is remembered of one tracker; in plain floats, which are quicker for so few of them."""

    def __init__(self) -> None:
        self._raw: tuple[list[float], list[float]] | None = None
        self._step = [0.0, 0.0, 0.0]
        self._alive = self._same = 0
        self._good, self._waited = [0.0, 0.0, 0.0], math.inf

    @property
    def is_frozen(self) -> bool:
        """Whether it has given the same numbers for too long, having shaken before."""
        return self._same >= _FROZEN_FRAMES and self._alive >= _ALIVE_FRAMES

    def note(self, spot: list[float], turn: list[float]) -> float:
        """Take in the next reading; return by how many metres its step differs from the last."""
        before, self._raw = self._raw, (spot, turn)
        if before is None:
            return 0.0
        if before == (spot, turn):
            self._same += 1
        else:
            self._same = 0
            self._alive += 1
        step = [now - then for now, then in zip(spot, before[0], strict=True)]
        if not math.isfinite(sum(step)):
            step = [0.0, 0.0, 0.0]
        leap = math.dist(step, self._step)
        self._step = step
        return leap

    def believe(self, spot: list[float], seen: bool, cut: bool) -> bool:
        """Whether it is believed to be where it is said to be.

        Args:
            spot: where, metres.
            seen: whether the source sees it, and it is not frozen.
            cut: whether the take was cut here: then it may be anywhere.
        """
        self._waited += 1.0 / MODEL_RATE
        if not seen or not (cut or math.dist(spot, self._good) <= _allowed(self._waited)):
            return False
        self._good, self._waited = spot, 0.0
        return True
