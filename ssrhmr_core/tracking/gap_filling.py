# SPDX-License-Identifier: GPL-3.0-or-later
"""Gap filling: lost trackers follow the body, and no seam shows at either end.

A tracker of which half is measured keeps that half, and the other one is guessed to fit
(:mod:`ssrhmr_core.tracking.part_readings`); each half is blended by itself where its source
changes.

Baking and live use share this code. A lost tracker first continues its motion, then drifts to where
the model expects it from the other trackers (:mod:`ssrhmr_core.model.tracker_predictor`). When it
is valid again it is blended back within a quarter of a second, or less than half a second if it is
far away.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator, Sequence
from copy import deepcopy
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
from pymotion.rotations import quat_np as quat

from ..body.interpolation import MODEL_RATE
from ..body.skeleton import ADULT_SIZE, FOOT_TRACKERS, TRACKERS, Skeleton
from ..geometry.rotations import from_rotvec, heading, rotate, to_rotvec, transpose
from ..model.context import UNKNOWN
from ..model.tracker_predictor import AGO, TrackerHistory, predict_trackers
from ..solver import hip_positions, solver_skeleton
from .gap_corrections import SEAMLESS, Corrections, Gap, find_gaps, mark_seamless
from .part_readings import PartCompleter, PartReadings
from .past_readings import Moment, Readings, ReadingsMemory
from .plausibility import TALLEST
from .source_blend import KEPT_OUTPUTS, READ, Pose, Source, SourceBlend, shorten
from .steps import rescale_steps, run_steps
from .take import Take, TrackerError

PELVIS, HEAD = TRACKERS.index("pelvis"), TRACKERS.index("head")
ANCHORS = (PELVIS, HEAD)
"""Trackers of which one is needed: the others are filled in relative to it."""

_DRIFT = 0.3
"""Share of the way to its predicted position that a lost tracker drifts in a frame (3.4 Hz)."""
_LARGEST_DRIFT = 3.0 / MODEL_RATE
"""Metres that it drifts in a frame at most."""
_EASE_FRAMES = 16
"""Frames in which a corrected tracker is let go, once the net sees all of the past of one that is
back."""
_LARGEST_EXPECTED = 5.0 / MODEL_RATE
_BENT, _STRAIGHT = 0.99, 0.9985
"""Shares of a leg's length: where a filled-in leg begins to be held back, and its limit."""
_SEEN = 0.005
"""Metres by which legs are held back that need a blend where their trackers are lost and return."""
_CHUNK = 2048
_NO_GAPS, _NOT_CORRECTED = np.zeros(len(TRACKERS), int), np.zeros(len(TRACKERS), bool)


class GapFiller:
    """Fills in lost trackers on the model's clock.

    ``clip`` takes a whole take and ``frame`` one frame after the other; both give the same.
    """

    def __init__(
        self,
        weights: dict[str, np.ndarray],
        skeleton: Skeleton,
        tracker_weights: Sequence[float] = (1.0,) * len(TRACKERS),
    ) -> None:
        """Create a filler without a past.

        Args:
            weights: The weights of :mod:`ssrhmr_core.model.tracker_predictor`.
            skeleton: The skeleton of the body.
            tracker_weights: How much each tracker counts: 1 is followed exactly, 0 counts as lost,
                and in between its joint is in between.

        Raises:
            TrackerError: If neither pelvis nor head has the weight 1.
        """
        self._weights, self._offsets = weights, skeleton.offsets
        self._size = np.float32(skeleton.size)
        self._body = solver_skeleton(self._offsets)
        self._completer = PartCompleter(skeleton)
        self._reach_scale = max(1.0, float(self._size) / (TALLEST * ADULT_SIZE))
        self._tracker_weights = np.clip(np.asarray(tracker_weights, np.float32), 0.0, 1.0)
        self._unaided: GapFiller | None = None
        if (self._tracker_weights < 1.0).any():
            if (self._tracker_weights[list(ANCHORS)] < 1.0).all():
                raise TrackerError("pelvis or head must count fully: give one of them the weight 1")
            self._unaided = GapFiller(weights, skeleton)
        self.reset()

    def reset(self) -> None:
        """Forget the past, and what it shows of the performer."""
        if self._unaided:
            self._unaided.reset()
        self._memory = ReadingsMemory()
        self.interrupt()

    def interrupt(self) -> None:
        """Forget how the body moved: frames are missing before the next."""
        if self._unaided:
            self._unaided.interrupt()
        self._memory.interrupt()
        self._past: deque[Moment] = deque(maxlen=max(AGO) + 1)
        self._gap: _OpenGap | None = None
        # The same with half readings completed, and the blends of rotations, once there are any.
        self._completed: deque[Moment] | None = None
        self._turn_blends: list[SourceBlend] | None = None
        self._blends = [SourceBlend() for _ in TRACKERS]
        self._before: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
        self._since_return = max(AGO) + _EASE_FRAMES
        self._is_settled = True
        self._settled: list[Pose] = []
        self._anchor: tuple[int, np.ndarray, np.ndarray] | None = None
        self._outputs: list[np.ndarray] = []
        self._context = UNKNOWN
        self.anchored = True
        self.corrected = _NOT_CORRECTED
        """Which trackers were filled in with corrections: (6,) bool in the last frame, or (F, 6) in
        the last take."""

    @property
    def expected(self) -> np.ndarray | None:
        """Positions (6, 3) expected in the next frame; None without a past."""
        if not self._outputs:
            return None
        step = self._outputs[0] - self._outputs[-1]
        return self._outputs[0] + shorten(step, _LARGEST_EXPECTED)

    @property
    def reach_scale(self) -> float:
        """How many times as far the body reaches as the tallest adults, at least 1."""
        return self._reach_scale

    def predict_from_others(self, tracker: int) -> np.ndarray | None:
        """Predict the position (3,) of a tracker in the last frame, ignoring all its readings.

        Args:
            tracker: Index of the tracker.

        Returns:
            The position; None if neither pelvis nor head is left to judge by.
        """
        if not self._past or not self._weights:
            return None
        without = np.arange(len(TRACKERS)) != tracker
        if not (self._past[0][2] & without)[list(ANCHORS)].any():
            return None
        return self._predict(without)[0][tracker]

    def forget(self, tracker: int) -> None:
        """Ignore all past readings of a tracker from now on, because they were wrong.

        Args:
            tracker: Index of the tracker.
        """
        others = np.arange(len(TRACKERS)) != tracker

        def forget(past: deque[Moment]) -> deque[Moment]:
            rest = ((positions, rotations, known & others) for positions, rotations, known in past)
            return deque(rest, past.maxlen)

        self._memory.forget(tracker)
        self._past = forget(self._past)
        if self._completed is not None:
            self._completed = forget(self._completed)

    def clip(self, take: Take, context: np.ndarray = UNKNOWN, causal: bool = False) -> Take:
        """Return the take with all trackers valid; see :meth:`steps`."""
        return run_steps(self.steps(take, context, causal))

    def steps(
        self, take: Take, context: np.ndarray = UNKNOWN, causal: bool = False
    ) -> Generator[float, None, Take]:
        """Fill in a whole take in slices.

        Args:
            take: The take on the model's clock.
            context: (64,) context of the performer, or (F, 64) contexts at each frame.
            causal: Learn how the net errs from earlier frames alone, as :meth:`frame` does.

        Yields:
            The share done, 0 to 1, after every slice.

        Returns:
            The take with all trackers valid.
        """
        if self._unaided is None:
            return (yield from self._fill_take(take, context, causal))
        full_weight = self._tracker_weights == 1.0
        without = take.with_masks(take.has_position & full_weight, take.has_rotation & full_weight)
        aided = yield from rescale_steps(self._fill_take(take, context, causal), 0.0, 0.5)
        unaided = yield from rescale_steps(self._unaided.steps(without, context, causal), 0.5, 1.0)
        share = self._tracker_weights[:, None]
        mixed = quat.slerp(
            unaided.rotations.astype(np.float64),
            aided.rotations.astype(np.float64),
            np.broadcast_to(share, (*unaided.valid.shape, 1)),
            shortest=True,
        )
        return replace(
            aided,
            positions=unaided.positions + share * (aided.positions - unaided.positions),
            rotations=quat.normalize(mixed).astype(np.float32),
        )

    def _fill_take(
        self, take: Take, context: np.ndarray, causal: bool
    ) -> Generator[float, None, Take]:
        """Fill in a take whose valid trackers all count fully, in slices."""
        self.corrected = np.zeros_like(take.valid)
        if take.valid.all():
            return take
        matrices = quat.to_matrix(take.rotations).astype(np.float32)
        read, valid = _split_parts(take.positions, matrices, take.valid, take.placed, take.turned)
        positions, rotations, known = _hold_anchors(take.positions, matrices, valid)
        filled_positions, filled_rotations = positions.copy(), rotations.copy()
        rows = np.flatnonzero(~valid.all(1))
        chunks = [rows[begin : begin + _CHUNK] for begin in range(0, len(rows), _CHUNK)]

        def fill(history: Readings, chosen: np.ndarray) -> None:
            """Fill in the chosen trackers (F, 6) from a history."""
            for part in chunks:
                own = _context_at(context, part)
                predicted = self._predict_from(history.before(part), own)
                lost = chosen[part]
                filled_positions[part] = np.where(
                    lost[..., None], predicted[0], filled_positions[part]
                )
                filled_rotations[part] = np.where(
                    lost[..., None, None], predicted[1], filled_rotations[part]
                )

        real = Readings(positions, rotations, known)
        fill(real, ~known)
        if read is not None:
            completed = Readings(
                *self._completer.complete(filled_positions, filled_rotations, read),
                known | read.known,
            )
            for tracker in np.flatnonzero(read.known.any(0)):
                fill(
                    completed.with_own(tracker, real),
                    read.known & (np.arange(len(TRACKERS)) == tracker),
                )
            fill(completed, ~completed.known & read.known.any(1, keepdims=True))
        lost = ~known & (known == valid).all(1, keepdims=True)
        if read is not None:
            lost &= ~read.known.any(1, keepdims=True)
        filled = filled_positions, filled_rotations
        gaps = yield from rescale_steps(
            self._correct_gaps(real, lost, context, causal, filled), 0.0, 0.5
        )
        self.reset()
        for frame in range(len(take)):
            if frame % _CHUNK == 0:
                yield 0.5 + 0.5 * frame / len(take)
            # Copies, because the past is kept while these arrays are overwritten.
            filled_positions[frame], filled_rotations[frame] = self._settle(
                filled_positions[frame].copy(),
                filled_rotations[frame].copy(),
                known[frame],
                valid[frame],
                None if read is None else read.part(frame),
                gaps[frame],
            )
        self.reset()
        self.corrected = gaps != 0
        return replace(
            take,
            positions=filled_positions,
            rotations=quat.normalize(quat.from_matrix(filled_rotations)).astype(np.float32),
            valid=np.ones_like(take.valid),
            placed=None,
            turned=None,
        )

    def _correct_gaps(
        self,
        readings: Readings,
        lost: np.ndarray,
        context: np.ndarray,
        causal: bool,
        filled: Pose,
    ) -> Generator[float, None, np.ndarray]:
        """Correct what is filled in by what the rest of the take shows of the net's errors.

        Args:
            readings: What is known of the take.
            lost: (F, 6) bool, which trackers may be corrected.
            context: (64,) context of the performer, or (F, 64) contexts at each frame.
            causal: Learn from earlier frames alone.
            filled: Positions (F, 6, 3) and rotations (F, 6, 3, 3), changed in place.

        Yields:
            The share done, 0 to 1, after every gap.

        Returns:
            (F, 6) int, the number of the gap in which a tracker was corrected, ``SEAMLESS`` where
            it meets the readings at both ends of the gap, and 0 elsewhere.
        """
        numbers = np.zeros(lost.shape, int)
        if not self._weights:
            return numbers
        learned: dict[int, Corrections] = {}
        done, count = 0, max(int(lost.any(1).sum()), 1)
        for number, gap in enumerate(find_gaps(lost, causal), 1):
            done += len(gap.frames)
            yield done / count
            first = _context_at(context, gap.frames[0])
            corrections = self._learn(readings, gap, causal, first)
            if corrections is None:
                continue
            learned[number] = corrections
            corrected = corrections.apply(
                readings.before(gap.frames),
                gap.frames / MODEL_RATE,
                partial(self._predict_from, context=_context_at(context, gap.frames)),
            )
            chosen = np.ix_(gap.frames, corrections.corrected)
            for values, better in zip(filled, corrected, strict=True):
                values[chosen] = better[:, corrections.corrected]
            numbers[chosen] = number
        if causal:
            return numbers

        returns = (readings.known[1:] & ~readings.known[:-1]).any(1)

        def is_moved(tracker: int, frame: int) -> bool:
            """Return whether a tracker is calmed in a frame, or its leg held back."""
            if returns[max(0, frame - max(AGO) - _EASE_FRAMES) : frame].any():
                return True
            positions = filled[0][frame].copy()
            self._keep_in_reach(positions, filled[1][frame], readings.known[frame])
            return bool(np.linalg.norm(positions - filled[0][frame], axis=-1)[tracker] > _SEEN)

        return mark_seamless(numbers, readings.known, learned, is_moved)

    def _learn(
        self, readings: Readings, gap: Gap, causal: bool, context: np.ndarray, first: int = 0
    ) -> Corrections | None:
        """Learn how the net errs about lost trackers; see :meth:`Corrections.learn`."""
        predict = partial(self._predict_from, context=context)
        return Corrections.learn(readings, gap, causal, predict, float(self._size), first)

    def frame(
        self,
        positions: np.ndarray,
        rotations: np.ndarray,
        valid: np.ndarray,
        context: np.ndarray = UNKNOWN,
        placed: np.ndarray | None = None,
        turned: np.ndarray | None = None,
    ) -> Pose:
        """Fill in the next frame.

        Args:
            positions: (6, 3) positions in metres.
            rotations: (6, 3, 3) rotations.
            valid: (6,) bool.
            context: (64,) context of the performer.
            placed: (6,) bool, which of the others have a position; None if none has.
            turned: (6,) bool, which of the others have a rotation; None if none has.

        Returns:
            The positions and rotations of all six trackers.
        """
        self._context = context
        if self._unaided is None:
            return self._fill_frame(positions, rotations, valid, placed, turned)
        aided = self._fill_frame(positions, rotations, valid, placed, turned)
        full_weight = self._tracker_weights == 1.0
        unaided = self._unaided.frame(
            positions,
            rotations,
            valid & full_weight,
            context,
            None if placed is None else placed & full_weight,
            None if turned is None else turned & full_weight,
        )
        self._outputs[0] = aided[0]
        share = self._tracker_weights[:, None]
        mixed = quat.slerp(
            quat.from_matrix(unaided[1].astype(np.float64)),
            quat.from_matrix(aided[1].astype(np.float64)),
            share.astype(np.float64),
            shortest=True,
        )
        return unaided[0] + share * (aided[0] - unaided[0]), quat.to_matrix(mixed)

    def _fill_frame(
        self,
        positions: np.ndarray,
        rotations: np.ndarray,
        valid: np.ndarray,
        placed: np.ndarray | None,
        turned: np.ndarray | None,
    ) -> Pose:
        """Fill in the next frame, all valid trackers counting fully."""
        if all(valid.tolist()):
            return self._pass_frame(
                positions.astype(np.float32), rotations.astype(np.float32), valid.copy()
            )
        read, valid = _split_parts(positions, rotations, valid, placed, turned)
        known = valid.copy()
        positions = np.where(known[:, None], positions, 0.0).astype(np.float32)
        rotations = np.where(known[:, None, None], rotations, 0.0).astype(np.float32)
        self.anchored = bool(known[list(ANCHORS)].any())
        if self.anchored:
            anchor = PELVIS if known[PELVIS] else HEAD
            self._anchor = (anchor, positions[anchor], rotations[anchor])
        elif self._anchor:
            # Nothing to judge by: the body stays where it was.
            anchor, positions[anchor], rotations[anchor] = self._anchor
            known[anchor] = True
        self._note((positions, rotations, known))
        gaps = _NO_GAPS
        is_correctable = self.anchored and read is None and bool(self._weights)
        if known.all() or not is_correctable:
            self._gap = None
        if is_correctable and not known.all():
            positions, rotations, gaps = self._correct_frame(positions, rotations, known)
        elif not known.all():
            positions, rotations = self._fill_lost(positions, rotations, known)
            if read is not None and self._weights:
                positions, rotations = self._predict_parts(positions, rotations, known, read)
        return self._settle(positions, rotations, known, valid, read, gaps)

    def _fill_lost(self, positions: np.ndarray, rotations: np.ndarray, known: np.ndarray) -> Pose:
        """Return trackers with predictions of those that are not known (6,)."""
        predicted = self._predict(np.ones(len(TRACKERS), bool))
        return (
            np.where(known[:, None], positions, predicted[0]),
            np.where(known[:, None, None], rotations, predicted[1]),
        )

    def _correct_frame(
        self, positions: np.ndarray, rotations: np.ndarray, known: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Fill in lost trackers, corrected by what earlier frames show of the net's errors.

        Args:
            positions: (6, 3) positions.
            rotations: (6, 3, 3) rotations.
            known: (6,) bool, which trackers are not lost.

        Returns:
            Positions (6, 3) and rotations (6, 3, 3) of all trackers, and (6,) int, the number of
            the gap in which a tracker was corrected, 0 elsewhere.
        """
        lost, frame = ~known, self._memory.frames - 1
        if self._gap is None or (self._gap.lost != lost).any():
            readings = self._memory.in_order()
            begin = len(readings.known) - 1
            gap = Gap(lost, np.array([begin]))
            learned = self._learn(readings, gap, True, self._context, frame - begin)
            self._gap = _OpenGap(lost, frame + 1, learned)
        corrections = self._gap.corrections
        if corrections is None:
            return *self._fill_lost(positions, rotations, known), _NO_GAPS
        corrected = corrections.corrected
        if (lost & ~corrected).any():
            positions, rotations = self._fill_lost(positions, rotations, known)
        predicted = corrections.apply(
            Readings.stack(self._past),
            np.array([frame / MODEL_RATE]),
            partial(self._predict_from, context=self._context),
        )
        return (
            np.where(corrected[:, None], predicted[0][0], positions),
            np.where(corrected[:, None, None], predicted[1][0], rotations),
            np.where(corrected, self._gap.number, 0),
        )

    def _note(self, moment: Moment) -> None:
        """Add a moment to the past."""
        self._past.appendleft(moment)
        self._memory.note(moment)
        if self._completed is not None:
            self._completed.appendleft(moment)

    def _predict_parts(
        self, positions: np.ndarray, rotations: np.ndarray, known: np.ndarray, read: PartReadings
    ) -> Pose:
        """Predict half measured trackers from all others, and lost ones from them too.

        Args:
            positions: (6, 3) positions, predicted where they are not known.
            rotations: (6, 3, 3) the same of rotations.
            known: (6,) bool, which trackers are known.
            read: The half readings.
        """
        if self._completed is None:
            self._completed = self._past.copy()
        completed = self._completer.complete(positions, rotations, read)
        self._completed[0] = (*completed, known | read.known)
        real, whole = Readings.stack(self._past), Readings.stack(self._completed)
        positions, rotations = positions.copy(), rotations.copy()
        for tracker in np.flatnonzero(read.known):
            own = self._predict_from(whole.with_own(tracker, real), self._context)
            positions[tracker], rotations[tracker] = own[0][0, tracker], own[1][0, tracker]
        lost = ~(known | read.known)
        if lost.any():
            predicted = self._predict_from(whole, self._context)
            positions[lost], rotations[lost] = predicted[0][0, lost], predicted[1][0, lost]
        return positions, rotations

    def _predict_from(self, history: Readings, context: np.ndarray) -> Pose:
        """Predict trackers (F, 6) from what is known of them at all moments of ``AGO``."""
        return predict_trackers(
            self._weights,
            TrackerHistory(history.positions, history.rotations, history.known.astype(np.float32)),
            self._offsets,
            self._size,
            context,
        )

    def _pass_frame(self, positions: np.ndarray, rotations: np.ndarray, valid: np.ndarray) -> Pose:
        """Take in the next frame, in which nothing is lost: nearly all frames are such ones."""
        self._gap = None
        self.anchored, self._anchor = True, (PELVIS, positions[PELVIS], rotations[PELVIS])
        self._note((positions, rotations, valid))
        return self._settle(positions, rotations, known=valid, valid=valid)

    def _predict(self, counted: np.ndarray) -> Pose:
        """Predict all trackers in the last frame from the trackers (6,) that count.

        Without a network they stay where they were.
        """
        if not self._weights:
            return self._before[:2] if self._before else self._past[0][:2]
        history = Readings.stack(self._past)
        predicted = self._predict_from(
            history._replace(known=history.known & counted), self._context
        )
        return predicted[0][0], predicted[1][0]

    def _settle(
        self,
        positions: np.ndarray,
        rotations: np.ndarray,
        known: np.ndarray,
        valid: np.ndarray,
        read: PartReadings | None = None,
        gaps: np.ndarray = _NO_GAPS,
    ) -> Pose:
        """Calm predicted trackers, and blend where a tracker changes its source.

        Args:
            positions: (6, 3) measured or predicted positions.
            rotations: (6, 3, 3) measured or predicted rotations.
            known: (6,) bool, False where they are predicted.
            valid: (6,) bool, False where they are predicted, or held for want of pelvis and head.
            read: What is measured of trackers that are not known.
            gaps: (6,) int, the number of the gap in which a tracker is corrected, see
                :meth:`_correct_gaps`, else 0.
        """
        all_valid = all(valid.tolist())
        is_back = self._before is not None and bool((known & ~self._before[2]).any())
        self._since_return = 0 if is_back else self._since_return + 1
        if not all_valid and not known.all():
            self._calm(positions, rotations, known, gaps)
            expected = (positions.copy(), rotations.copy()) if read is not None else None
            if read is not None:
                positions, rotations = self._completer.complete(positions, rotations, read)
            placed = known if read is None else known | read.placed
            self._keep_in_reach(positions, rotations, placed)
            self._before = (positions, rotations, known)
            if expected is not None and read is not None:
                # Half measured trackers are calmed by what was expected of them.
                half = read.known[:, None]
                self._before = (
                    np.where(half, expected[0], positions),
                    np.where(half[..., None], expected[1], rotations),
                    known,
                )
        else:
            self._before = (positions, rotations, known)
        if self._is_settled and all_valid:
            self._settled = [(positions, rotations), *self._settled[: KEPT_OUTPUTS - 1]]
        else:
            for pose in reversed(self._settled):
                for blend, position, rotation in zip(self._blends, *pose, strict=True):
                    blend.follow(position, rotation)
            if self._settled and self._turn_blends is not None:
                self._turn_blends = deepcopy(self._blends)
            self._settled.clear()
            positions, rotations = self._blend(positions, rotations, known, valid, read, gaps)
            self._is_settled = all_valid and not any(blend.is_open for blend in self._blends)
            if self._turn_blends is not None and self._is_settled:
                self._is_settled = not any(blend.is_open for blend in self._turn_blends)
        self._outputs = [positions, *self._outputs[:1]]
        self.corrected = _NOT_CORRECTED if gaps is _NO_GAPS else gaps != 0
        return positions, rotations

    def _blend(
        self,
        positions: np.ndarray,
        rotations: np.ndarray,
        known: np.ndarray,
        valid: np.ndarray,
        read: PartReadings | None,
        gaps: np.ndarray,
    ) -> Pose:
        """Blend trackers that changed their sources; see :meth:`_settle`."""
        if read is not None and self._turn_blends is None:
            # From now on positions and rotations change their sources apart from each other.
            self._turn_blends = deepcopy(self._blends)
        if self._turn_blends is None:
            return _blend_all(self._blends, positions, rotations, known, valid, gaps)
        nothing = np.zeros(len(TRACKERS), bool)
        placed, turned = (read.placed, read.turned) if read is not None else (nothing, nothing)
        placed_now = known | placed, valid | placed
        turned_now = known | turned, valid | turned
        return (
            _blend_all(self._blends, positions, rotations, *placed_now, gaps)[0],
            _blend_all(self._turn_blends, positions, rotations, *turned_now, gaps)[1],
        )

    def _calm(
        self, positions: np.ndarray, rotations: np.ndarray, known: np.ndarray, gaps: np.ndarray
    ) -> None:
        """Let lost trackers move with the body, and drift slowly to where the net has them.

        The net sees less of the past from frame to frame and changes its mind. Where it is
        corrected, it looks at the others alone, and changes its mind while it sees more of one
        that is back.
        """
        before = self._before
        if before is None:
            return
        eased = (self._since_return - max(AGO)) / _EASE_FRAMES
        shares = np.where(gaps != 0, min(max(eased, _DRIFT), 1.0), _DRIFT)
        shared = [anchor for anchor in ANCHORS if known[anchor] and before[2][anchor]]
        turn = np.eye(3, dtype=np.float32)
        start = end = np.zeros(3, np.float32)
        if shared:
            start, end = before[0][shared[0]], positions[shared[0]]
            turn = heading(rotations[shared[0]]) @ transpose(heading(before[1][shared[0]]))
        for tracker in np.flatnonzero(~known & ~before[2] & (shares < 1.0)):
            carried = end + rotate(turn, before[0][tracker] - start)
            drift = shares[tracker] * (positions[tracker] - carried)
            positions[tracker] = carried + shorten(drift, _LARGEST_DRIFT)
            carried_rotation = turn @ before[1][tracker]
            change = to_rotvec(rotations[tracker] @ transpose(carried_rotation))
            rotations[tracker] = from_rotvec(shares[tracker] * change) @ carried_rotation

    def _keep_in_reach(
        self, positions: np.ndarray, rotations: np.ndarray, known: np.ndarray
    ) -> None:
        """Draw a filled-in foot or pelvis to where the leg is not fully stretched.

        A leg that cannot reach its foot is straight, and its knee snaps when it can again.
        """
        hips = hip_positions(rotations[PELVIS], self._body)
        lengths = (self._body.upper_lengths + self._body.lower_lengths)[: len(FOOT_TRACKERS), 0]
        for foot, hip, length in zip(FOOT_TRACKERS, hips, lengths, strict=True):
            moved = PELVIS if known[foot] else foot
            if known[moved]:
                continue
            leg = positions[foot] - positions[PELVIS] - hip
            stretch = float(np.linalg.norm(leg) / length)
            if stretch > _BENT:
                room = _STRAIGHT - _BENT
                wanted = _STRAIGHT - room * math.exp((_BENT - stretch) / room)
                shift = (1.0 - wanted / stretch) * leg
                positions[moved] += shift if moved == PELVIS else -shift


class _OpenGap(NamedTuple):
    """The gap that the last frame was in, as live use sees it.

    Attributes:
        lost: (6,) bool, the lost trackers.
        number: Its number, from 1.
        corrections: What is known of the net's errors in it; None if that is too little.
    """

    lost: np.ndarray
    number: int
    corrections: Corrections | None


def _context_at(context: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """Return the context of some frames, of the (64,) of all or the (F, 64) at each."""
    return context if context.ndim == 1 else context[frames]


def _split_parts(
    positions: np.ndarray,
    rotations: np.ndarray,
    valid: np.ndarray,
    placed: np.ndarray | None,
    turned: np.ndarray | None,
) -> tuple[PartReadings | None, np.ndarray]:
    """Return half readings of (..., 6) trackers, None without any, and which trackers count whole.

    Where neither pelvis nor head is valid, one that has a position counts whole, with the rotation
    that was guessed for it: the others are predicted relative to it.
    """
    if placed is None and turned is None:
        return None, valid
    nothing = np.zeros_like(valid)
    placed = nothing if placed is None else placed
    turned = nothing if turned is None else turned
    valid, placed = valid.copy(), placed.copy()
    for anchor in ANCHORS:
        promoted = placed[..., anchor] & ~valid[..., ANCHORS].any(-1)
        valid[..., anchor] |= promoted
        placed[..., anchor] &= ~promoted
    read = PartReadings(
        np.where(placed[..., None], positions, 0.0).astype(np.float32),
        np.where(turned[..., None, None], rotations, np.eye(3)).astype(np.float32),
        placed,
        turned,
    )
    return (read if read.known.any() else None), valid


def _blend_all(
    blends: Sequence[SourceBlend],
    positions: np.ndarray,
    rotations: np.ndarray,
    known: np.ndarray,
    valid: np.ndarray,
    gaps: np.ndarray,
) -> Pose:
    """Return trackers with their blends, given their sources; see :func:`_name_sources`."""
    blended = [
        blend.frame(position, rotation, source)
        for blend, position, rotation, source in zip(
            blends, positions, rotations, _name_sources(known, valid, gaps), strict=True
        )
    ]
    return (
        np.stack([position for position, _ in blended]),
        np.stack([rotation for _, rotation in blended]),
    )


def _hold_anchors(
    positions: np.ndarray, rotations: np.ndarray, valid: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hold pelvis or head in place while both are lost.

    Returns:
        Positions (F, 6, 3), rotations (F, 6, 3, 3), and where they are measured or held (F, 6).
    """
    positions = np.where(valid[..., None], positions, 0.0).astype(np.float32)
    rotations = np.where(valid[..., None, None], rotations, 0.0).astype(np.float32)
    known = valid.copy()
    anchored = valid[:, ANCHORS].any(1)
    frames = np.arange(len(valid))
    last = np.maximum.accumulate(np.where(anchored, frames, -1))
    for frame in frames[~anchored & (last >= 0)]:
        anchor = PELVIS if valid[last[frame], PELVIS] else HEAD
        positions[frame, anchor] = positions[last[frame], anchor]
        rotations[frame, anchor] = rotations[last[frame], anchor]
        known[frame, anchor] = True
    return positions, rotations, known


def _name_sources(known: np.ndarray, valid: np.ndarray, gaps: np.ndarray) -> list[Source]:
    """Return the source of each tracker.

    Args:
        known: (6,) bool, where trackers are read or held.
        valid: (6,) bool, where they are read.
        gaps: (6,) int, the number of the gap in which a tracker is corrected, see
            :meth:`GapFiller._correct_gaps`, else 0.
    """
    reference = PELVIS if known[PELVIS] else HEAD
    anchor = (reference, bool(valid[reference]))
    return [
        READ
        if is_read or gap == SEAMLESS
        else Source(False, bool(is_known), None if is_known else anchor, int(gap))
        for is_known, is_read, gap in zip(known, valid, gaps, strict=True)
    ]
