# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell which trackers lie still while the body moves on: nobody wears them.

What is worn trembles with the body. A tracker that stays where it is to the millimetre and never
turns, while the trunk goes elsewhere, is worn by nobody. That alone tells it: where it lies may be
within reach, and nothing leaps if a hand puts it down.

What an animator keyed may stay exactly where it is, such as a hand on a rail or the pelvis of
somebody who sits: then the body has to go farther than it reaches from there.
"""

from __future__ import annotations

import numpy as np

from ..body.extra_trackers import EXTRA_TRACKERS
from ..body.interpolation import MODEL_RATE
from ..body.skeleton import ADULT_SIZE, FOOT_TRACKERS, TRACKERS, Skeleton
from .extras.readings import ExtraReadings

NAMES = (*TRACKERS, *EXTRA_TRACKERS)
"""All fifteen trackers: the six, then the optional ones."""
SAMPLE_SECONDS = 0.1
"""Seconds between samples."""
_FRAMES = round(SAMPLE_SECONDS * MODEL_RATE)
_STILL, _TURNED = 0.01, np.radians(4.0)
"""Metres on an adult and radians from where it came to rest, within which a tracker lies still."""
_KEYED = 1e-4
"""Metres on an adult within which it stays exactly where it is, as what is keyed does."""
_LEAST, LEAST_FAR, _FAR = 15, 8, 2.0
"""Samples for which it does at least; fewer are enough where the trunk moves so many times as far
as it needs to."""
_WAYS = {"foot": 1.1, "toe": 1.1, "knee": 0.8, "hand": 0.7, "elbow": 0.7}
_USUAL_WAY = 0.35
"""Metres along the floor that the trunk moves meanwhile, on an adult, by part of the body. Pelvis
or head of people who wear the tracker move by 0.11 m at most in 2.8 hours of training clips; by
0.65 m from a foot, 0.53 m from toes, 0.34 m from a knee, and the head by 0.25 m from the pelvis."""
_FAR_OF_KEYED = np.where(np.isin(NAMES, ("pelvis", "head")), 4.0, 2.0)
"""The same of what stays exactly where it is, so that its way is longer than a limb, or the trunk,
reaches to one side and then to the other."""
_HEAD_ALONE, _HANDS_ALONE = 2.0, 3.0
"""How many times as far a head is that moves where no pelvis is worn, as people lean, and hands
where no feet are worn."""
_AGAIN = 10
"""Samples in motion after which a tracker that was picked up is believed to be worn again."""

_FEET = list(FOOT_TRACKERS)
_HANDS = [TRACKERS.index("left_hand"), TRACKERS.index("right_hand")]
_TRUNK = [TRACKERS.index("pelvis"), TRACKERS.index("head")]
_LIMBS, _OWN = (_FEET, _HANDS), np.arange(len(TRACKERS))
_WAY = np.array([_WAYS.get(name.rpartition("_")[2], _USUAL_WAY) for name in NAMES])
_IDENTITY = np.array([1.0, 0.0, 0.0, 0.0])
NO_EXTRAS = ExtraReadings.empty(1)


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
        count = len(NAMES)
        self.off = np.zeros(count, bool)
        """(15,) bool, which trackers are off: the six, then the optional ones."""
        self.rested = np.zeros(count, int)
        """(15,) in how many samples each has been where it is."""
        self.since = np.zeros(count, int)
        """(15,) number of the sample, from 0, in which each came to rest there."""
        self._samples = 0
        self._strays = np.zeros(count)
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
        return tuple(NAMES[tracker] for tracker in np.flatnonzero(self.off))

    def frame(
        self,
        positions: np.ndarray,
        rotations: np.ndarray,
        has_position: np.ndarray,
        has_rotation: np.ndarray,
        extras: ExtraReadings | None,
    ) -> np.ndarray:
        """Look at the next frame of the model's clock, which is a sample every few frames.

        Args:
            positions: (6, 3) positions in metres.
            rotations: (6, 4) quaternions.
            has_position: (6,) bool, which of them have a position.
            has_rotation: (6,) bool, which of these have a rotation.
            extras: One frame of calibrated optional trackers; None if there are none.

        Returns:
            (15,) bool, which trackers are off.
        """
        self._frame += 1
        if self._frame % _FRAMES == 0:
            if extras is None:
                extras = NO_EXTRAS
            self.sample(
                np.concatenate([positions, extras.positions[0]]),
                np.concatenate([rotations, extras.rotations[0]]),
                np.concatenate([has_position, extras.has_position[0]]),
                np.concatenate([has_rotation, extras.has_rotation[0]]),
            )
        return self.off

    def sample(
        self, positions: np.ndarray, rotations: np.ndarray, placed: np.ndarray, turned: np.ndarray
    ) -> None:
        """Look at the next sample.

        Args:
            positions: (15, 3) positions in metres.
            rotations: (15, 4) quaternions.
            placed: (15,) bool, which of them have a position; the others are not judged.
            turned: (15,) bool, which of these have a rotation.
        """
        places = np.where(placed[:, None], positions, np.inf)
        six = places[: len(TRACKERS), ::2]
        with np.errstate(invalid="ignore"):
            distances = np.linalg.norm(places - self._places, axis=-1)
            cosines = np.abs(np.einsum("ij,ij->i", rotations, self._turns))
            ways = np.linalg.norm(six - self._six, axis=-1)
        aligned = (cosines >= np.cos(0.5 * _TURNED)) | ~turned
        still = (distances <= self._scale * _STILL) & aligned
        begins = placed & ~still
        self.rested = np.where(begins, 0, self.rested + still)
        self.since[begins] = self._samples
        self._samples += 1
        self._strays = np.where(still, np.maximum(self._strays, distances), self._strays)
        self._ways = np.where(np.isfinite(ways), np.maximum(self._ways, ways), self._ways)
        self._places[begins], self._turns[begins] = places[begins], rotations[begins]
        self._six[begins], self._ways[begins], self._strays[begins] = six, 0.0, 0.0
        # A tracker that is pushed aside lies on; one that is picked up moves for a while.
        self._moving = np.where(self.rested >= _LEAST, 0, self._moving + begins)
        self.off &= self._moving < _AGAIN
        # One that is lost may be anywhere: it is judged when it is seen again where it was.
        rests = still & (self.rested >= LEAST_FAR)
        if rests.any():
            times = np.where(self.rested >= _LEAST, 1.0, _FAR)
            is_keyed = self._strays <= self._scale * _KEYED
            self.off |= rests & self._has_left(np.where(is_keyed, _FAR_OF_KEYED, times))

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
