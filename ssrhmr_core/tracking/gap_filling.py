# SPDX-License-Identifier: GPL-3.0-or-later
"""Loss of tracking: found where a source hides it, filled in, and seamless at both ends.

The same for baking and live use. A lost tracker first goes on as it moved, then drifts to where the
model expects it from the other trackers (:mod:`ssrhmr_core.model.tracker_predictor`), and when it
is seen again it is blended back; blends take about a quarter of a second, longer where far has to
be gone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from pymotion.rotations import quat_np as quat

from ..body.interpolation import MODEL_RATE
from ..body.skeleton import FOOT_TRACKERS, TRACKERS, Skeleton
from ..geometry.rotations import heading, rotate, transpose
from ..model.tracker_predictor import AGO, TrackerHistory, predict_trackers
from ..solver import hip_positions, solver_skeleton
from .take import Take, TrackerError

ANCHORS = (TRACKERS.index("pelvis"), TRACKERS.index("head"))
"""Trackers of which one is needed: the others are filled in relative to it."""

_BLEND_RATE = 18.0
"""Of the blends' decay (1 + wt) exp(-wt), 1/s: nearly over after a quarter of a second."""
_BLEND_SPEED = 1.2
"""Metres a second that a blend adds at most."""
_CALM = 0.3
"""Share of the way to where the net has a lost tracker that is gone in a frame (3.4 Hz)."""
_BENT, _STRAIGHT = 0.99, 0.9985
"""Shares of a leg's length: where one that was filled in begins to be held back, and its end."""
_CHUNK = 2048


class GapFiller:
    """Fills in trackers that are not seen, on the model's clock.

    ``clip`` takes a whole take, ``frame`` one frame after the other; both give the same.
    """

    def __init__(
        self,
        weights: dict[str, np.ndarray],
        skeleton: Skeleton,
        trust: Sequence[float] = (1.0,) * 6,
    ) -> None:
        """Get ready.

        Args:
            weights: of :mod:`ssrhmr_core.model.tracker_predictor`.
            skeleton: the body.
            trust: how much each tracker counts: 1 is followed exactly, 0 is taken as not seen, and
                between both its joint is between both.

        Raises:
            TrackerError: if neither pelvis nor head counts fully.
        """
        self._weights, self._offsets = weights, skeleton.offsets
        self._size = np.float32(skeleton.size)
        self._body = solver_skeleton(self._offsets)
        self._trust = np.clip(np.asarray(trust, np.float32), 0.0, 1.0)
        self._unaided: GapFiller | None = None
        if (self._trust < 1.0).any():
            if (self._trust[:2] < 1.0).all():
                raise TrackerError("pelvis or head must count fully: give one of them the weight 1")
            self._unaided = GapFiller(weights, skeleton)
        self.reset()

    def reset(self) -> None:
        """Forget the past."""
        if self._unaided:
            self._unaided.reset()
        self._past: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self._seams = [_SourceBlend() for _ in range(6)]
        self._before: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
        self._settled = True
        self._anchor: tuple[int, np.ndarray, np.ndarray] | None = None

    def clip(self, take: Take) -> Take:
        """Return the take with all trackers known."""
        if self._unaided is None:
            return self._filled(take)
        without = Take(
            take.times, take.positions, take.rotations, take.valid & (self._trust == 1.0)
        )
        with_all, free = self._filled(take), self._unaided.clip(without)
        share = self._trust[:, None]
        mixed = quat.slerp(
            free.rotations.astype(np.float64),
            with_all.rotations.astype(np.float64),
            np.broadcast_to(share, (*free.valid.shape, 1)),
            shortest=True,
        )
        return Take(
            take.times,
            free.positions + share * (with_all.positions - free.positions),
            quat.normalize(mixed).astype(np.float32),
            with_all.valid,
        )

    def _filled(self, take: Take) -> Take:
        """Fill in what is not seen, all that is seen counting."""
        if take.valid.all():
            return take
        spots, turns, known = _held(
            take.positions, quat.to_matrix(take.rotations).astype(np.float32), take.valid
        )
        rows = np.flatnonzero(~take.valid.all(1))
        places, rotations = spots.copy(), turns.copy()
        for begin in range(0, len(rows), _CHUNK):
            part = rows[begin : begin + _CHUNK]
            then = np.maximum(part[:, None] - np.array(AGO), 0)
            seen = TrackerHistory(spots[then], turns[then], known[then].astype(np.float32))
            filled, turned = predict_trackers(self._weights, seen, self._offsets, self._size)
            lost = ~known[part]
            places[part] = np.where(lost[..., None], filled, places[part])
            rotations[part] = np.where(lost[..., None, None], turned, rotations[part])
        self.reset()
        for frame in range(len(take)):
            whole = known[frame].all() and (self._before is None or self._before[2].all())
            if whole and self._settled:
                self._before = (spots[frame], turns[frame], known[frame])
                self._remember(places[frame], rotations[frame])
                continue
            places[frame], rotations[frame] = self._settle(
                places[frame], rotations[frame], known[frame]
            )
        self.reset()
        return Take(
            take.times,
            places,
            quat.from_matrix(rotations).astype(np.float32),
            np.ones_like(take.valid),
        )

    def frame(
        self, positions: np.ndarray, turns: np.ndarray, valid: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Complete the next frame.

        Args:
            positions: (6, 3), metres; anything where not valid.
            turns: (6, 3, 3).
            valid: (6,) bool.

        Returns:
            Positions and rotations of all six.
        """
        if self._unaided is None:
            if valid.all() and self._settled and (self._before is None or self._before[2].all()):
                turns = turns.astype(np.float32, copy=False)
                self._before = (positions, turns, valid.copy())
                self._past = [self._before, *self._past[: max(AGO)]]
                self._anchor = (0, positions[0], turns[0])
                self._remember(positions, turns)
                return positions, turns
            return self._filled_frame(positions, turns, valid)
        free, turned = self._unaided.frame(positions, turns, valid & (self._trust == 1.0))
        spots, rotations = self._filled_frame(positions, turns, valid)
        spots = free + self._trust[:, None] * (spots - free)
        for tracker, share in enumerate(self._trust):
            change = _to_vector(rotations[tracker] @ transpose(turned[tracker]))
            turned[tracker] = _from_vector(share * change) @ turned[tracker]
        return spots, turned

    def _filled_frame(
        self, positions: np.ndarray, turns: np.ndarray, valid: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Fill in what is not seen, all that is seen counting."""
        known = valid.copy()
        positions = np.where(known[:, None], positions, 0.0).astype(np.float32)
        turns = np.where(known[:, None, None], turns, 0.0).astype(np.float32)
        if known[:2].any():
            anchor = 0 if known[0] else 1
            self._anchor = (anchor, positions[anchor], turns[anchor])
        elif self._anchor:
            # Nothing to go by: the body stays where it was seen last.
            anchor, positions[anchor], turns[anchor] = self._anchor
            known[anchor] = True
        self._past = [(positions, turns, known), *self._past[: max(AGO)]]
        if not known.all():
            oldest = len(self._past) - 1
            moments = [self._past[min(ago, oldest)] for ago in AGO]
            spots, rotations, masks = (np.stack(t)[None] for t in zip(*moments, strict=True))
            seen = TrackerHistory(spots, rotations, masks.astype(np.float32))
            filled, turned = predict_trackers(self._weights, seen, self._offsets, self._size)
            positions = np.where(known[:, None], positions, filled[0])
            turns = np.where(known[:, None, None], turns, turned[0])
        return self._settle(positions, turns, known)

    def _settle(
        self, spots: np.ndarray, turns: np.ndarray, known: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Make what was filled in calm, and what changes between seen and filled in seamless."""
        spots, turns = spots.copy(), turns.copy()
        if not known.all():
            reference = 0 if known[0] else 1
            before = self._before
            # What was filled in goes along with the body, and only as fast as bodies do to where
            # the net has it now: the net sees less of the past from frame to frame.
            if before is not None and before[2][reference]:
                carry = heading(turns[reference]) @ transpose(heading(before[1][reference]))
                for tracker in np.flatnonzero(~known & ~before[2]):
                    away = before[0][tracker] - before[0][reference]
                    spot = spots[reference] + rotate(carry, away)
                    turn = carry @ before[1][tracker]
                    spots[tracker] = spot + _CALM * (spots[tracker] - spot)
                    change = _to_vector(turns[tracker] @ transpose(turn))
                    turns[tracker] = _from_vector(_CALM * change) @ turn
            self._keep_in_reach(spots, turns, known)
        self._before = (spots, turns, known)
        found = [
            seam.frame(spots[tracker], turns[tracker], known[tracker])
            for tracker, seam in enumerate(self._seams)
        ]
        self._settled = not any(seam.is_open for seam in self._seams)
        return np.stack([spot for spot, _ in found]), np.stack([turn for _, turn in found])

    def _keep_in_reach(self, spots: np.ndarray, turns: np.ndarray, known: np.ndarray) -> None:
        """Draw a foot, or a pelvis, that was filled in to where the leg is not fully stretched.

        A leg that cannot reach its foot is straight, and its knee snaps when it can again.
        """
        hips = hip_positions(turns[0], self._body)
        lengths = (self._body.upper_lengths + self._body.lower_lengths)[: len(FOOT_TRACKERS), 0]
        for tracker, hip, length in zip(FOOT_TRACKERS, hips, lengths, strict=True):
            moved = 0 if known[tracker] else tracker
            if known[moved]:
                continue
            leg = spots[tracker] - spots[0] - hip
            stretch = float(np.linalg.norm(leg) / length)
            if stretch > _BENT:
                room = _STRAIGHT - _BENT
                wanted = _STRAIGHT - room * math.exp((_BENT - stretch) / room)
                away = (1.0 - wanted / stretch) * leg
                spots[moved] += -away if moved else away

    def _remember(self, spots: np.ndarray, turns: np.ndarray) -> None:
        """Go past a frame in which all is seen and nothing is being blended."""
        for tracker, seam in enumerate(self._seams):
            seam.frame(spots[tracker], turns[tracker], True)


def _held(
    positions: np.ndarray, turns: np.ndarray, valid: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Keep pelvis or head where it was seen last while neither of them is seen."""
    spots = np.where(valid[..., None], positions, 0.0).astype(np.float32)
    turns = np.where(valid[..., None, None], turns, 0.0).astype(np.float32)
    known = valid.copy()
    anchored = valid[:, :2].any(1)
    if not anchored.all():
        frames = np.arange(len(valid))
        last = np.maximum.accumulate(np.where(anchored, frames, -1))
        for frame in frames[~anchored & (last >= 0)]:
            anchor = 0 if valid[last[frame], 0] else 1
            spots[frame, anchor] = spots[last[frame], anchor]
            turns[frame, anchor] = turns[last[frame], anchor]
            known[frame, anchor] = True
    return spots, turns, known


class _SourceBlend:
    """Keeps one tracker smooth where its source changes between seen and filled in.

    At a change the difference between where the tracker was heading and what the new source says
    is kept and let decay, and with it the difference of their speeds: David Bollo,
    "Inertialization", GDC 2018, with a critically damped decay.
    """

    def __init__(self) -> None:
        self._known: bool | None = None
        self._age, self._rate = 0, _BLEND_RATE
        self._off, self._turn = np.zeros(3), np.zeros(3)
        self._speed, self._spin = np.zeros(3), np.zeros(3)
        self._source: tuple[np.ndarray, np.ndarray] | None = None
        self._last: list[tuple[np.ndarray, np.ndarray]] = []
        self.is_open = False

    def frame(
        self, spot: np.ndarray, turn: np.ndarray, known: np.bool_ | bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return place (3,) and rotation (3, 3) of the next frame."""
        if self._known is not None and bool(known) != self._known:
            self._start(spot, turn)
        elif self.is_open and self._age == 1:
            self._compare_speeds(spot, turn)
        self._known, self._source = bool(known), (spot, turn)
        if self.is_open:
            seconds = self._age / MODEL_RATE
            decay = np.exp(-self._rate * seconds)
            share, after = (1.0 + self._rate * seconds) * decay, seconds * decay
            self._age += 1
            self.is_open = share > 1e-4
            spot = (spot + share * self._off + after * self._speed).astype(np.float32)
            turn = _from_vector(share * self._turn + after * self._spin) @ turn
            turn = turn.astype(np.float32)
        self._last = [(spot, turn), *self._last[:1]]
        return spot, turn

    def _start(self, spot: np.ndarray, turn: np.ndarray) -> None:
        (here, turned), (before, turned_before) = self._last[0], self._last[-1]
        self._off = (2.0 * here - before - spot).astype(np.float64)
        expected = turned @ transpose(turned_before) @ turned
        self._turn = _to_vector(expected @ transpose(turn))
        far = float(np.linalg.norm(self._off))
        # The steepest slope of the decay is rate / e.
        self._rate = min(_BLEND_RATE, np.e * _BLEND_SPEED / max(far, 1e-6))
        self._age, self.is_open = 0, True
        self._speed, self._spin = np.zeros(3), np.zeros(3)

    def _compare_speeds(self, spot: np.ndarray, turn: np.ndarray) -> None:
        """Note how much faster the tracker was than its new source is, now that it has moved."""
        if self._source is None or len(self._last) < 2:
            return
        (here, turned), (before, turned_before) = self._last
        source, source_turned = self._source
        self._speed = MODEL_RATE * ((here - before) - (spot - source)).astype(np.float64)
        spin, own = turned @ transpose(turned_before), turn @ transpose(source_turned)
        self._spin = MODEL_RATE * (_to_vector(spin) - _to_vector(own))


def _from_vector(vector: np.ndarray) -> np.ndarray:
    return quat.to_matrix(quat.from_scaled_angle_axis(vector))


def _to_vector(matrix: np.ndarray) -> np.ndarray:
    q = quat.from_matrix(matrix.astype(np.float64))
    return quat.to_scaled_angle_axis(q if q[0] >= 0.0 else -q)
