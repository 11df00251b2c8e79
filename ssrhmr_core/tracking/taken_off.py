# SPDX-License-Identifier: GPL-3.0-or-later
"""Trackers that were taken off and lie on a table or the floor, while the body moves on.

What is worn trembles with the body. A tracker that stays where it is to the millimetre and never
turns, while the trunk goes elsewhere, is worn by nobody. That alone tells it: where it lies may be
within reach, and nothing leaps if a hand puts it down.

Whole takes and live frames are judged by the same samples, ten a second. Live, a tracker is left
out once it is told; in a whole take from before it was laid down, as somebody carried it there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ..body.extra_trackers import EXTRA_TRACKERS
from ..body.interpolation import MODEL_RATE
from ..body.skeleton import ADULT_SIZE, FOOT_TRACKERS, TRACKERS, Skeleton
from .extras.readings import ExtraReadings
from .slips import name_seconds
from .take import Take

_SECONDS = 0.1
"""Seconds between samples."""
_FRAMES = round(_SECONDS * MODEL_RATE)
_STILL, _TURNED = 0.01, np.radians(4.0)
"""Metres on an adult and radians from where it came to rest, within which a tracker lies still."""
_LEAST, _LEAST_FAR, _FAR = 15, 8, 2.0
"""Samples for which it does at least; fewer are enough where the trunk moves so many times as far
as it needs to."""
_WAYS = {"foot": 1.1, "toe": 1.1, "knee": 0.8, "hand": 0.7, "elbow": 0.7}
_USUAL_WAY = 0.35
"""Metres along the floor that the trunk moves meanwhile, on an adult, by part of the body. Pelvis
or head of people who wear the tracker move by 0.11 m at most in 2.8 hours of training clips; by
0.65 m from a foot, 0.53 m from toes, 0.34 m from a knee, and the head by 0.25 m from the pelvis.
Hands and feet that are keyed may be planted exactly while a body shifts as far as they reach."""
_HEAD_ALONE, _HANDS_ALONE = 2.0, 3.0
"""How many times as far a head is that moves where no pelvis is worn, as people lean, and hands
where no feet are worn."""
_AGAIN = 10
"""Samples in motion after which a tracker that was picked up is believed to be worn again."""
_CARRIED = 1.0
"""Seconds before a tracker lies still in which it was not worn any more."""

_NAMES = (*TRACKERS, *EXTRA_TRACKERS)
_PELVIS, _HEAD = TRACKERS.index("pelvis"), TRACKERS.index("head")
_FEET = list(FOOT_TRACKERS)
_HANDS = [TRACKERS.index("left_hand"), TRACKERS.index("right_hand")]
_TRUNK, _LIMBS, _OWN = [_PELVIS, _HEAD], (_FEET, _HANDS), np.arange(len(TRACKERS))
_WAY = np.array([_WAYS.get(name.rpartition("_")[2], _USUAL_WAY) for name in _NAMES])
_IDENTITY = np.array([1.0, 0.0, 0.0, 0.0])


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


class RestWatch:
    """Tells which trackers lie about, sample by sample."""

    def __init__(self, body: Skeleton | None = None) -> None:
        """Create a watch without a past.

        Args:
            body: The body that wears the trackers; None for an adult's.
        """
        self._scale = 1.0 if body is None else float(body.size) / ADULT_SIZE
        self.reset()

    def reset(self) -> None:
        """Forget the past."""
        count = len(_NAMES)
        self.off = np.zeros(count, bool)
        """(15,) bool, which trackers are off: the six, then the optional ones."""
        self.rested = np.zeros(count, int)
        """(15,) for how many samples each has been where it is."""
        self._places = np.full((count, 3), np.inf)
        self._turns = np.tile(_IDENTITY, (count, 1))
        # Where the six were when each came to rest, and how far they have been from there.
        self._six = np.full((count, len(TRACKERS), 2), np.nan)
        self._ways = np.zeros((count, len(TRACKERS)))
        self._moving = np.zeros(count, int)
        self._frame = 0

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the trackers that are off."""
        return tuple(_NAMES[tracker] for tracker in np.flatnonzero(self.off))

    def frame(
        self,
        positions: np.ndarray,
        rotations: np.ndarray,
        has_position: np.ndarray,
        extras: ExtraReadings | None,
    ) -> np.ndarray:
        """Look at the next frame of the model's clock, which is a sample every few frames.

        Args:
            positions: (6, 3) positions in metres.
            rotations: (6, 4) quaternions.
            has_position: (6,) bool, which of them have a position.
            extras: One frame of calibrated optional trackers; None if there are none.

        Returns:
            (15,) bool, which trackers are off.
        """
        self._frame += 1
        if self._frame % _FRAMES == 0:
            if extras is None:
                extras = _NO_EXTRAS
            self.sample(
                np.concatenate([positions, extras.positions[0]]),
                np.concatenate([rotations, extras.rotations[0]]),
                np.concatenate([has_position, extras.has_position[0]]),
            )
        return self.off

    def sample(self, positions: np.ndarray, rotations: np.ndarray, present: np.ndarray) -> None:
        """Look at the next sample.

        Args:
            positions: (15, 3) positions in metres.
            rotations: (15, 4) quaternions.
            present: (15,) bool, which of them have a position.
        """
        places = np.where(present[:, None], positions, np.inf)
        six = places[: len(TRACKERS), ::2]
        with np.errstate(invalid="ignore"):
            distances = np.linalg.norm(places - self._places, axis=-1)
            cosines = np.abs(np.einsum("ij,ij->i", rotations, self._turns))
            still = (distances <= self._scale * _STILL) & (cosines >= np.cos(0.5 * _TURNED))
            ways = np.linalg.norm(six - self._six, axis=-1)
        begins = present & ~still
        self.rested = np.where(begins, 0, self.rested + still)
        self._ways = np.where(np.isfinite(ways), np.maximum(self._ways, ways), self._ways)
        self._places[begins], self._turns[begins] = places[begins], rotations[begins]
        self._six[begins], self._ways[begins] = six, 0.0
        # A tracker that is pushed aside lies on; one that is picked up moves for a while.
        self._moving = np.where(self.rested >= _LEAST, 0, self._moving + begins)
        self.off &= self._moving < _AGAIN
        rests = self.rested >= _LEAST_FAR
        if rests.any():
            self.off |= rests & self._has_left(np.where(self.rested >= _LEAST, 1.0, _FAR))

    def _has_left(self, times: np.ndarray) -> np.ndarray:
        """Return (15,) bool, where the body went away from a tracker that lies still.

        Args:
            times: (15,) how many times as far as needed.
        """
        # Those that lie about themselves show nothing.
        seen = np.isfinite(self._six).all(-1) & ~self.off[: len(TRACKERS)]
        seen[_OWN, _OWN] = False
        ways = self._ways / (self._scale * times * _WAY)[:, None]
        trunk = seen[:, _TRUNK]
        # Whoever stands still and hands a tracker to somebody moves neither pelvis nor head.
        nearest = np.where(trunk, ways[:, _TRUNK], np.inf).min(1)
        least = np.where(trunk.all(1), 1.0, _HEAD_ALONE)
        left: np.ndarray = trunk.any(1) & (nearest >= least)
        # Of pelvis and head, only limbs show which one stays behind.
        for own in _TRUNK:
            feet, hands = (np.where(seen[own, limbs], ways[own, limbs], 0.0) for limbs in _LIMBS)
            limbs = feet.max() >= 1.0 if seen[own, _FEET].any() else hands.min() >= _HANDS_ALONE
            left[own] = limbs and (nearest[own] >= 1.0)
        return left


_NO_EXTRAS = ExtraReadings.empty(1)


def find_taken_off(take: Take, body: Skeleton | None = None) -> tuple[TakenOff, ...]:
    """Find trackers that lie about in a take while the body moves.

    Args:
        take: Trackers at any rate, calibrated if there are optional ones.
        body: The body that wears them; None for an adult's.

    Returns:
        Them in the order of their times.
    """
    watch = RestWatch(body)
    times = np.arange(take.times[0], take.times[-1] + 1e-9, _SECONDS)
    frames = np.minimum(np.searchsorted(take.times, times - 1e-9), len(take) - 1)
    extras = _NO_EXTRAS.part(np.zeros(len(frames), int))
    if take.extras is not None:
        extras = take.extras.part(frames)
    positions = np.concatenate([take.positions[frames], extras.positions], 1)
    rotations = np.concatenate([take.rotations[frames], extras.rotations], 1)
    present = np.concatenate([take.has_position[frames], extras.has_position], 1)
    found: list[TakenOff] = []
    begun: dict[int, float] = {}
    before = watch.off
    for sample, time in enumerate(times.tolist()):
        watch.sample(positions[sample], rotations[sample], present[sample])
        for tracker in np.flatnonzero(watch.off & ~before).tolist():
            begun[tracker] = float(times[sample - watch.rested[tracker]])
        for tracker in np.flatnonzero(before & ~watch.off).tolist():
            found.append(TakenOff(_NAMES[tracker], begun.pop(tracker), time))
        before = watch.off.copy()
    found += [TakenOff(_NAMES[tracker], begin, np.inf) for tracker, begin in begun.items()]
    return tuple(sorted(found, key=lambda each: (each.begin, each.tracker)))


def leave_out(take: Take, taken_off: tuple[TakenOff, ...]) -> Take:
    """Return a take in which trackers are missing while nobody wears them.

    Args:
        take: The take.
        taken_off: What :func:`find_taken_off` says of it.
    """
    if not taken_off:
        return take
    worn = np.ones((len(take), len(_NAMES)), bool)
    for tracker, begin, end in taken_off:
        row = _NAMES.index(tracker)
        carried = _SECONDS if _is_frozen(take, row, begin) else _CARRIED
        worn[(take.times >= begin - carried) & (take.times <= end), row] = False
    six, more = worn[:, : len(TRACKERS)], worn[:, len(TRACKERS) :]
    masked = take.with_masks(take.has_position & six, take.has_rotation & six)
    return replace(masked, extras=take.extras and take.extras.where(more))


def _is_frozen(take: Take, row: int, begin: float) -> bool:
    """Return whether a tracker gives the very same numbers: it is lost, and nobody carried it."""
    poses, own = (take, row) if row < len(TRACKERS) else (take.extras, row - len(TRACKERS))
    if poses is None:
        return False
    inside = (take.times >= begin) & (take.times <= begin + _LEAST_FAR * _SECONDS)
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
