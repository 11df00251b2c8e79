# SPDX-License-Identifier: GPL-3.0-or-later
"""From tracker frames to poses: baking, live preview and evaluation all use this."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from pymotion.rotations import quat_np as quat

from .body.extra_trackers import EXTRA_TRACKERS
from .body.interpolation import MODEL_RATE, interpolate, interpolate_rotations
from .body.motion import Motion
from .body.retarget import retarget
from .body.skeleton import JOINTS, TRACKERS, Skeleton, units_per_metre
from .geometry.rotations import from_quat
from .model.certainty import LIVE_NOISE, seconds_missing, shorten_missing
from .model.context import UNKNOWN, GrowingContext, encode_take
from .model.features import body_features
from .model.posing import Poser, Preset, Stage, TrackedFrames
from .model.weights import WeightsError, load_weights
from .solver import Measured, limb_trust
from .tracking.contacts import ContactRange, contacts_from_ranges, ranges_of
from .tracking.denoising import Smoothing, measure_noise, smooth
from .tracking.dropout import find_ignored_extras, mark_dropouts
from .tracking.extras.joints import attach_filled, join, measure_joints
from .tracking.extras.live_cleaning import LiveExtras
from .tracking.extras.readings import ExtraReadings
from .tracking.extras.trust import FADE_SECONDS, bridge_gaps, trust
from .tracking.foot_planting import (
    ContactOptions,
    Contacts,
    detect_contacts,
    keep_toes_flat,
    plant_feet,
)
from .tracking.gap_filling import ANCHORS, GapFiller
from .tracking.limb_contacts import lift_limbs
from .tracking.live_dropout import LiveDropoutDetector
from .tracking.one_euro import OneEuro
from .tracking.part_readings import guess_rotations
from .tracking.rest_watch import RestWatch
from .tracking.steps import rescale_steps, run_steps
from .tracking.take import Take, TrackerError
from .tracking.taken_off import TakenOff, find_taken_off, leave_out
from .tracking.untracked_feet import FootStepper

__all__ = ["Preset", "ReconstructionOptions", "Reconstructor", "Stage", "WeightsError"]

_NOTHING_MISSING = np.zeros(len(TRACKERS), np.float32)
_FADE_FRAMES = round(FADE_SECONDS * MODEL_RATE) + 1
"""Frames in which optional trackers fade out after they were lost."""


@dataclass(frozen=True)
class ReconstructionOptions:
    """How to reconstruct bodies: what baking, live preview and evaluation may choose.

    Attributes:
        preset: The model, or "ik", which uses no network.
        stage: "network" leaves out the exact solve of the last stage.
        smoothing: How to smooth the trackers. By default the noise of whole takes is measured and
            removed, and single frames are used as they come.
        planting: How firmly feet on the floor are held in whole takes, 0 to 1. Single frames are
            never planted.
        contact_options: How to detect when parts of the body are on the floor, and how planted
            ones come to rest.
        contacts: When they are, in seconds from the take's first frame, instead of detecting it.
        tracker_weights: How much each of the six trackers counts, from 0 (as if it were missing)
            to 1 (exactly). Pelvis or head must have the weight 1.
        extra_weights: The same for each of the nine optional trackers.
        causal: Let the network know of the performer only what earlier frames of the take show, as
            live, instead of the whole take.
        certainty: Whether to predict how large the errors of the poses are, see
            :attr:`Reconstructor.expected_errors`.
    """

    preset: Preset = "ssrhmr"
    stage: Stage = "exact"
    smoothing: Smoothing = field(default_factory=Smoothing)
    planting: float = 0.0
    contact_options: ContactOptions = field(default_factory=ContactOptions)
    contacts: tuple[ContactRange, ...] | None = None
    tracker_weights: tuple[float, ...] = (1.0,) * len(TRACKERS)
    extra_weights: tuple[float, ...] = (1.0,) * len(EXTRA_TRACKERS)
    causal: bool = False
    certainty: bool = False


class Reconstructor:
    """Reconstructs whole bodies from six calibrated trackers, for one skeleton.

    Use :meth:`clip` (or :meth:`steps`) for a whole take, or :meth:`frame` for one frame of the
    model's 60 Hz clock at a time. The same model computes both. They differ in what only a whole
    take allows: ``clip`` knows the performer from all of the take, looks ahead to smooth trackers
    without lag and to leave out glitches from where they begin, plants feet, keeps knees and elbows
    above the floor, and resamples any rate. ``frame`` never looks ahead: it knows the performer
    from the frames so far, smooths with lag if asked to, notices a glitch only when it becomes
    implausible, and plants and lifts nothing. From clean trackers, ``clip`` with the option
    ``causal`` gives the same poses as ``frame``.
    """

    def __init__(
        self,
        skeleton: Skeleton,
        options: ReconstructionOptions = ReconstructionOptions(),
        *,
        weights: str | Path | None = None,
        performer: Skeleton | None = None,
    ) -> None:
        """Read the weights.

        Args:
            skeleton: The skeleton to pose.
            options: How to reconstruct.
            weights: A weights file; None for the one that comes with the package.
            performer: The performer's body, if the skeleton is to move like it rather than meet
                the trackers.

        Raises:
            WeightsError: If the weights cannot be used.
            TrackerError: If neither pelvis nor head has the weight 1.
        """
        self.skeleton, self.options = skeleton, options
        self._weights = load_weights(weights) if options.preset == "ssrhmr" else {}
        self._filter = OneEuro(options.smoothing.cutoff)
        self._detector = LiveDropoutDetector()
        self.set_performer(performer)

    @property
    def performer(self) -> Skeleton | None:
        """The performer's body; None if the skeleton itself meets the trackers."""
        return self._performer

    @property
    def ignored_extras(self) -> tuple[str, ...]:
        """Optional trackers that are not believed: of the last take, or of the last frames."""
        return self._ignored or self._extras.ignored

    @property
    def lying(self) -> tuple[str, ...]:
        """Trackers that lie about in the last frame, while the body moves."""
        return self._rest.names

    def set_performer(self, performer: Skeleton | None) -> None:
        """Change the performer and forget the past.

        Args:
            performer: The performer's body, or None to let the skeleton meet the trackers.
        """
        self._performer = performer
        body = performer or self.skeleton
        self._unit = np.float32(units_per_metre(body.size))
        self._is_metric = bool(self._unit == 1.0)
        # Limits for noise, glitches and standing feet are in metres on a human body.
        self._body = body if self._is_metric else body.scaled(float(1.0 / self._unit))
        self._proportions = body_features(self._body.offsets, np.float32(self._body.size))
        self._poser = Poser(
            self._weights,
            self._body,
            self._proportions,
            stage=self.options.stage,
            certainty=self.options.certainty,
            tracker_weights=self.options.tracker_weights,
        )
        self._gap_filler = GapFiller(self._weights, self._body, self.options.tracker_weights)
        self._foot_stepper = FootStepper(self._body)
        self._extras = LiveExtras(self._body, self.options.smoothing.cutoff)
        self._rest = RestWatch(self._body)
        # A tracker of the weight 0 counts as missing.
        self._counting = np.asarray(self.options.tracker_weights) > 0.0
        self._all_count = bool(self._counting.all())
        self.reset()

    def reset(self) -> None:
        """Forget the past and the performer: the next frame is the first one of a take."""
        self._growing = GrowingContext(self._weights, self._proportions) if self._weights else None
        self._rest.reset()
        self._gap_filler.reset()
        self.interrupt()

    def interrupt(self) -> None:
        """Forget how the body moved, but not the performer: frames are missing before the next."""
        self._poser.reset()
        self._detector.reset()
        self._filter.reset()
        self._gap_filler.interrupt()
        self._foot_stepper.reset()
        self._extras.reset()
        self.taken_off: tuple[TakenOff, ...] = ()
        """Trackers of the last take that nobody wears for some time."""
        self._extras_fade = 0
        self._ignored: tuple[str, ...] = ()
        self._worn = np.zeros(len(TRACKERS), bool)
        self._missing = np.full(len(TRACKERS), np.inf)
        self.expected_errors: np.ndarray | None = None
        """Expected position errors, metres, if the options ask for them: (22,) of the joints of
        the last frame, or (F, 22) of the last take at the times of its motion."""
        self.believed = np.ones(len(TRACKERS), bool)
        """Which trackers (6,) counted in the last frame; the others were filled in."""

    def frame(
        self,
        positions: np.ndarray,
        rotations: np.ndarray,
        valid: np.ndarray | None = None,
        extras: ExtraReadings | None = None,
        placed: np.ndarray | None = None,
        turned: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Reconstruct the next frame, 1/60 s after the last one.

        The result depends on this and earlier frames only. It equals that of :meth:`clip` where
        trackers are clean, and differs from it around noise, glitches and planted feet; see the
        class.

        Args:
            positions: (6, 3) positions of the tracked joints in metres, Y up.
            rotations: (6, 4) rotations of the tracked joints.
            valid: (6,) bool, False for trackers without a reading; None if all have one.
            extras: One frame of calibrated readings of optional trackers; None if there are none.
            placed: (6,) bool, which trackers that are not valid have a position all the same; None
                if none has.
            turned: (6,) bool, which of them have a rotation.

        Returns:
            Global rotations (22, 4) and the position (3,) of the hips. Even the first frame of a
            take is a full pose: the body counts as having stood still before it.
        """
        valid = np.ones(6, bool) if valid is None else np.asarray(valid, bool)
        tracked = self._track(positions, rotations, valid, extras, placed, turned)
        posed = self._poser.frame(tracked)
        self.expected_errors = None if posed.errors is None else posed.errors[0] * self._unit
        quats, root = posed.rotations, tracked.positions[:, 0] * self._unit
        if self._performer is None:
            return quats[0], root[0]
        retargeted = retarget(Motion(self._performer, np.zeros(1), quats, root), self.skeleton)
        return retargeted.rotations[0], retargeted.root[0]

    def replay(self, take: Take) -> tuple[Motion, np.ndarray]:
        """Reconstruct a take as if its frames came live: the same as :meth:`frame`, but faster.

        Args:
            take: Calibrated trackers on the model's clock.

        Returns:
            The motion, and which trackers (F, 6) counted; the others were filled in.
        """
        self.reset()
        frames, believed = [], np.empty_like(take.valid)
        for frame, valid in enumerate(take.valid):
            halves = (None if half is None else half[frame] for half in (take.placed, take.turned))
            frames.append(
                self._track(
                    take.positions[frame],
                    take.rotations[frame],
                    valid,
                    take.extras_at(frame),
                    *halves,
                )
            )
            believed[frame] = self.believed
        self.reset()
        tracked = TrackedFrames(
            np.concatenate([frame.positions for frame in frames]),
            np.concatenate([frame.matrices for frame in frames]),
            np.stack([frame.context for frame in frames]),
            np.concatenate([frame.missing for frame in frames]),
            join([frame.measured for frame in frames]),
        )
        rotations = np.concatenate([posed.rotations for posed in self._poser.slices(tracked)])
        return self._to_skeleton(take.times, rotations, tracked.positions[:, 0]), believed

    def _track(
        self,
        positions: np.ndarray,
        rotations: np.ndarray,
        valid: np.ndarray,
        extras: ExtraReadings | None,
        placed: np.ndarray | None,
        turned: np.ndarray | None,
    ) -> TrackedFrames:
        """Return one frame of trackers, complete and clean as far as earlier frames allow."""
        positions = np.asarray(positions, np.float32)
        rotations = np.asarray(rotations, np.float32)
        if not self._is_metric:
            positions = positions / self._unit
            extras = extras and extras.scaled(float(1.0 / self._unit))
        if not self._all_count:
            valid, placed, turned = _restrict(self._counting, valid, placed, turned)
        has_position = valid if placed is None else valid | placed
        off = self._rest.frame(positions, rotations, has_position, valid, extras)
        if off.any():
            valid, placed, turned = _restrict(~off[: len(TRACKERS)], valid, placed, turned)
            extras = extras and extras.where(~off[len(TRACKERS) :])
        halves = self._read_halves(positions, rotations, valid, placed, turned)
        if halves is None:
            has_position = valid = self._detector.frame(
                positions, rotations, valid, self._gap_filler
            )
            positions, rotations = self._filter.frame(positions, rotations, valid)
            placed = turned = None
        else:
            positions, rotations = halves.positions[0], halves.rotations[0]
            believed = self._detector.frame(
                positions, rotations, halves.has_position[0], self._gap_filler
            )
            valid, turned = halves.valid[0] & believed, halves.turned
            turned = np.zeros_like(valid) if turned is None else turned[0]
            placed = believed & ~valid
            has_position = believed
            positions, rotations = self._filter.frame(
                positions, rotations, has_position, valid | turned
            )
        self.believed = valid
        is_complete = all(valid.tolist())
        if is_complete:
            self._missing = _NOTHING_MISSING
        else:
            self._missing = np.where(has_position, 0.0, self._missing + 1.0 / MODEL_RATE)
        matrices = from_quat(rotations)
        context = self._grow_context(positions, matrices, valid)
        positions, matrices = self._gap_filler.frame(
            positions, matrices, valid, context, placed, turned
        )
        if self.options.preset == "ssrhmr":
            self._worn |= has_position
            positions, stepped = self._foot_stepper.frame(positions, matrices, self._worn)
            # A foot of which the rotation alone is measured steps, and keeps that.
            matrices = (
                stepped if turned is None else np.where(turned[:, None, None], matrices, stepped)
            )
        measured = self._measure_frame(extras, positions, has_position)
        return TrackedFrames(
            positions[None]
            if is_complete
            else self._attach(positions[None], self._missing[None] > 0.0, measured),
            matrices[None].astype(np.float32, copy=False),
            context,
            shorten_missing(self._missing, self._gap_filler.corrected)[None]
            if self.options.certainty
            else self._missing[None].astype(np.float32, copy=False),
            measured,
        )

    def _read_halves(
        self,
        positions: np.ndarray,
        rotations: np.ndarray,
        valid: np.ndarray,
        placed: np.ndarray | None,
        turned: np.ndarray | None,
    ) -> Take | None:
        """Return a frame of which some readings are halves, with numbers everywhere, as a take.

        Args:
            positions: (6, 3) positions in the units of the body.
            rotations: (6, 4) rotations.
            valid: (6,) bool.
            placed: (6,) bool, as in :meth:`frame`.
            turned: (6,) bool, as in :meth:`frame`.

        Returns:
            One frame; None if no reading is a half.
        """
        if placed is None and turned is None:
            return None
        frame = Take(
            np.zeros(1),
            positions[None],
            rotations[None],
            valid[None],
            placed=None if placed is None else placed[None],
            turned=None if turned is None else turned[None],
        )
        if not frame.is_partial:
            return None
        return guess_rotations(_without_unmeasured(frame))

    def _measure_frame(
        self, extras: ExtraReadings | None, positions: np.ndarray, believed: np.ndarray
    ) -> Measured | None:
        """Return what optional trackers measure in the next frame, None if there are none.

        Args:
            extras: One frame of readings, in the units of the body.
            positions: (6, 3) positions of the six, in the same.
            believed: (6,) bool, which of the six count.
        """
        if extras is None:
            if self._extras_fade <= 0:
                return None
            # Those that were there a moment ago fade out.
            extras = ExtraReadings.empty(1)
        is_worn = extras.has_position.any() or extras.has_rotation.any()
        self._extras_fade = _FADE_FRAMES if is_worn else self._extras_fade - 1
        trusted = self._extras.frame(extras, positions, believed)
        readings = replace(
            extras, positions=trusted.positions[None], rotations=trusted.rotations[None]
        )
        return self._weigh(
            readings,
            trusted.positions_trust[None],
            trusted.rotations_trust[None],
            positions[None, 0],
        )

    def _grow_context(
        self, positions: np.ndarray, matrices: np.ndarray, valid: np.ndarray
    ) -> np.ndarray:
        """Add a frame, (6, 3) and (6, 3, 3), to the live context and return that."""
        if self._growing is None:
            return UNKNOWN
        return self._growing.add(positions, matrices, valid)

    def _take_context(self, take: Take, matrices: np.ndarray) -> np.ndarray:
        """Return the context (64,) of a take at 60 Hz, or contexts (F, 64) if causal."""
        if not self._weights:
            return UNKNOWN
        if not self.options.causal:
            return encode_take(
                self._weights, self._proportions, take.positions, matrices, take.valid
            )
        growing = GrowingContext(self._weights, self._proportions)
        rows = zip(take.positions, matrices, take.valid, strict=True)
        return np.stack([growing.add(*row) for row in rows])

    def clip(
        self,
        take: Take,
        times: np.ndarray | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Motion:
        """Reconstruct a whole take; see :meth:`steps`.

        Args:
            take: Calibrated trackers at any rate.
            times: (G,) seconds at which poses are wanted; None for those of the take.
            progress: Called with the share done, 0 to 1, after every slice.
        """
        return run_steps(self.steps(take, times), progress)

    def steps(self, take: Take, times: np.ndarray | None = None) -> Generator[float, None, Motion]:
        """Reconstruct a whole take in slices.

        Unlike :meth:`frame` this looks ahead: noise is removed without lag, glitches are left out
        from where they begin, knees and elbows are kept above the floor, and feet are planted if
        the options say so.

        Args:
            take: Calibrated trackers at any rate.
            times: (G,) seconds at which poses are wanted; None for those of the take.

        Yields:
            The share done, 0 to 1, after every slice.

        Returns:
            The motion at ``times``. Its end effectors are exactly on the trackers as they are
            there after smoothing, gap filling and planting.

        Raises:
            TrackerError: If too few trackers are valid to reconstruct a body.
        """
        motion, _ = yield from self.steps_with_contacts(take, times)
        return motion

    def steps_with_contacts(
        self, take: Take, times: np.ndarray | None = None
    ) -> Generator[float, None, tuple[Motion, list[ContactRange] | None]]:
        """Reconstruct a whole take as :meth:`steps` does, and say where feet were planted.

        Args:
            take: Calibrated trackers at any rate.
            times: (G,) seconds at which poses are wanted; None for those of the take.

        Yields:
            The share done, 0 to 1, after every slice.

        Returns:
            The motion at ``times``, and the contacts as :meth:`find_contacts` finds them; None if
            nothing is planted, so that nobody needed them.

        Raises:
            TrackerError: If too few trackers are valid to reconstruct a body.
        """
        take = self._without_weightless(take)
        noise = measure_noise(take) / self._unit if self.options.certainty else LIVE_NOISE
        take, raw, context = self._clean(take)
        # Filling in a tracker takes about as long as posing the frames in which it is lost.
        filled = 0.0 if raw.valid.all() else 0.4
        clock = yield from rescale_steps(self._fill_gaps(raw, context), 0.0, filled)
        seconds = clock.times - clock.times[0]
        contacts: Contacts | None = None
        if self.options.planting > 0.0:
            contacts = self._contacts(clock)
            clock = plant_feet(
                clock,
                contacts,
                self._body,
                self.options.planting,
                self.options.contact_options.release,
            )
        tracked = TrackedFrames(
            clock.positions,
            quat.to_matrix(clock.rotations).astype(np.float32),
            context,
            shorten_missing(
                seconds_missing(raw.has_position, MODEL_RATE), self._gap_filler.corrected
            ),
            self._measure(clock),
            float(noise),
        )
        # Joining the parts of an hour at the end would take all of them twice.
        rotations = np.empty((len(clock), len(JOINTS), 4), np.float32)
        errors: list[np.ndarray] = []
        done = 0
        for posed in self._poser.slices(tracked):
            begin, done = done, done + len(posed.rotations)
            rotations[begin:done] = posed.rotations
            if posed.errors is not None:
                errors.append(posed.errors * self._unit)
            yield filled + (1.0 - filled) * done / len(clock)
        free = None if tracked.measured is None else 1.0 - limb_trust(tracked.measured)
        del tracked
        if contacts:
            release = self.options.contact_options.release
            keep_toes_flat(rotations, contacts, self.options.planting, release)
        if self._lifts_limbs:
            lift_limbs(rotations, clock, self._body, free)
        motion = Motion(self._body, clock.times, rotations, clock.positions[:, 0].copy())
        times = take.times if times is None else np.asarray(times)
        self.expected_errors = (
            interpolate(clock.times, np.concatenate(errors), times) if errors else None
        )
        result = self._resample(motion, _transfer_changes(take, raw, clock, times))
        motion = self._to_skeleton(result.times, result.rotations, result.root)
        return motion, None if contacts is None else ranges_of(contacts, seconds)

    @property
    def _lifts_limbs(self) -> bool:
        """Whether knees and elbows are kept above the floor, which only a whole take shows."""
        options = self.options
        learned = options.preset == "ssrhmr" and options.stage == "exact"
        return learned and options.contact_options.above_floor and not options.causal

    def _to_skeleton(self, times: np.ndarray, rotations: np.ndarray, root: np.ndarray) -> Motion:
        """Return a motion of the body, which has a human's size, as one of the skeleton."""
        root = root * self._unit
        if self._performer is None:
            return Motion(self.skeleton, times, rotations, root)
        return retarget(Motion(self._performer, times, rotations, root), self.skeleton)

    def find_contacts(self, take: Take) -> list[ContactRange]:
        """Return when parts of the body are on the floor, as planting would have it.

        Args:
            take: Calibrated trackers at any rate.

        Raises:
            TrackerError: If too few trackers are valid to reconstruct a body.
        """
        _, raw, context = self._clean(self._without_weightless(take))
        clock = run_steps(self._fill_gaps(raw, context))
        return ranges_of(self._contacts(clock), clock.times - clock.times[0])

    def _without_weightless(self, take: Take) -> Take:
        """Return a take in which trackers of the weight 0 are missing."""
        if self._all_count:
            return take
        return take.with_masks(
            take.has_position & self._counting, take.has_rotation & self._counting
        )

    def _clean(self, take: Take) -> tuple[Take, Take, np.ndarray]:
        """Leave out glitches and noise of a take, in the units of the body.

        Returns:
            The take at its own rate and on the model's clock, and the context of its performer.
        """
        if self._unit != 1.0:
            take = take.scaled(float(1.0 / self._unit))
        self.taken_off = find_taken_off(take, self._body)
        take = leave_out(take, self.taken_off)
        if take.is_partial:
            take = guess_rotations(_without_unmeasured(take))
        cleaned = mark_dropouts(take, self._body)
        self._ignored = find_ignored_extras(take, cleaned)
        take = smooth(cleaned, self.options.smoothing)
        if take.extras is not None:
            take = replace(take, extras=bridge_gaps(take.extras, take.times))
        raw = take.resampled()
        matrices = quat.to_matrix(raw.rotations).astype(np.float32)
        return take, raw, self._take_context(raw, matrices)

    def _contacts(self, clock: Take) -> Contacts:
        """Return the contacts of a take on the model's clock: the given or the detected ones."""
        if self.options.contacts is not None:
            return contacts_from_ranges(self.options.contacts, clock.times - clock.times[0])
        return detect_contacts(clock, self._body, self.options.contact_options)

    def _measure(self, take: Take) -> Measured | None:
        """Return what optional trackers measure in a cleaned take, None if there are none."""
        readings = take.extras
        if readings is None or not readings.worn:
            return None
        return self._weigh(readings, *trust(readings, take.times), take.positions[:, 0])

    def _attach(
        self, positions: np.ndarray, filled: np.ndarray, measured: Measured | None
    ) -> np.ndarray:
        """Return trackers (F, 6, 3), with those that were filled in where others let them be."""
        if measured is None:
            return positions
        return attach_filled(positions, filled, self._proportions.skeleton, measured)

    def _weigh(
        self,
        readings: ExtraReadings,
        position_trust: np.ndarray,
        rotation_trust: np.ndarray,
        roots: np.ndarray,
    ) -> Measured:
        """Return what optional trackers measure, as far as they are trusted and count.

        Args:
            readings: Calibrated readings of F frames.
            position_trust: (F, 9) trust in the positions.
            rotation_trust: (F, 9) trust in the rotations.
            roots: (F, 3) positions of the hips.
        """
        weights = np.asarray(self.options.extra_weights, np.float32)
        return measure_joints(readings, weights * position_trust, weights * rotation_trust, roots)

    def _fill_gaps(self, take: Take, context: np.ndarray) -> Generator[float, None, Take]:
        """Fill in trackers that are not valid, given the context of the performer.

        Yields:
            The share done, 0 to 1, after every slice.

        Raises:
            TrackerError: If too few trackers are valid.
        """
        missing = [
            name for name, valid in zip(TRACKERS, take.valid.any(0), strict=True) if not valid
        ]
        has_position = take.has_position
        if not has_position[:, ANCHORS].any():
            raise TrackerError(
                f"never seen in this take: {' and '.join(TRACKERS[a] for a in ANCHORS)}: one of"
                " them is needed, record again"
            )
        if self.options.preset == "ssrhmr":
            worn = has_position.any(0)
            whole = yield from self._gap_filler.steps(take, context, self.options.causal)
            filled = self._foot_stepper.clip(whole, worn)
            if take.turned is not None:
                turned = take.turned[..., None]
                rotations = np.where(turned, whole.rotations, filled.rotations)
                filled = replace(filled, rotations=rotations)
            if filled.extras is None or has_position.all():
                return filled
            attached = self._attach(filled.positions, ~has_position, self._measure(filled))
            return replace(filled, positions=attached)
        if missing:
            raise TrackerError(
                f"never seen in this take: {', '.join(missing)}:"
                " only the preset ssrhmr fills in trackers"
            )
        return take

    def _resample(self, motion: Motion, trackers: Take) -> Motion:
        """Resample a motion to the times of its trackers, with exact end effectors there too."""
        result = motion.at(trackers.times)
        if result.rotations is motion.rotations:
            return result
        return self._poser.meet(
            result, trackers.positions, trackers.rotations, self._measure(trackers)
        )


def _restrict(
    believed: np.ndarray, valid: np.ndarray, placed: np.ndarray | None, turned: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Return the masks (6,) of what is measured, of the trackers (6,) that are believed alone."""
    return (
        valid & believed,
        None if placed is None else placed & believed,
        None if turned is None else turned & believed,
    )


def _without_unmeasured(take: Take) -> Take:
    """Return a take with the origin and no rotation where these are not measured."""
    identity = np.array([1.0, 0.0, 0.0, 0.0], np.float32)
    positions = np.where(take.has_position[..., None], take.positions, np.float32(0.0))
    return replace(
        take,
        positions=positions.astype(np.float32),
        rotations=np.where(take.has_rotation[..., None], take.rotations, identity),
    )


def _transfer_changes(take: Take, raw: Take, clock: Take, times: np.ndarray) -> Take:
    """Return a take at other times, with the changes made to it on the model's clock.

    Args:
        take: The take at its own rate.
        raw: The same take on the model's clock.
        clock: The take on the model's clock after gap filling and planting.
        times: (G,) seconds.
    """
    result = take.at(times)
    if clock is raw:
        return result
    offsets = interpolate(clock.times, clock.positions - raw.positions, times)
    changes = quat.mul(clock.rotations, quat.inverse(raw.rotations))
    changes = interpolate_rotations(clock.times, changes, times)
    return replace(
        result,
        positions=result.positions + offsets,
        rotations=quat.normalize(quat.mul(changes, result.rotations)).astype(np.float32),
        valid=np.ones_like(result.valid),
        placed=None,
        turned=None,
    )
