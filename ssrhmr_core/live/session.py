# SPDX-License-Identifier: GPL-3.0-or-later
"""A performance as it happens: readings in, poses out, and a recording that lacks nothing.

Plain Python without threads: everything happens in :meth:`LiveSession.tick`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from ..body.extra_trackers import EXTRA_TRACKERS, Segment
from ..body.interpolation import MODEL_RATE
from ..body.skeleton import TRACKERS, Skeleton
from ..formats.detail_rows import FINGER, PROP, SHAPE, detail_name
from ..pipeline import Reconstructor
from ..streaming.devices import MAX_DEVICES, Device, DeviceTable, validate_roles
from ..streaming.readings import Reading, StreamingError
from ..tracking.calibration import (
    Calibration,
    CalibrationOptions,
    calibrate_at_stillest,
    warn_of_movement,
)
from ..tracking.dropout import describe_ignored_extra
from ..tracking.reading_buffer import MAX_GAP, BufferedReading, ReadingBuffer
from ..tracking.roles import name_of_role, segment_from_name
from ..tracking.subsets import explain_missing, mask_of
from ..tracking.take import Take, TrackerError
from ..tracking.taken_off import describe_lying
from .recording import RawTake, TakeRecorder
from .scheduler import MAX_FRAMES, FrameScheduler, sample_extras, sample_trackers
from .statistics import FrameStatistics, LiveStatus

_DEFAULT_OPTIONS = CalibrationOptions()
_STILL_WINDOW = 1.0
"""Seconds before the end of a countdown in which the stillest moment is searched."""
_LATEST_FINISH = 1.0
"""Seconds after the end of a countdown from which on it ends when somebody looks."""
_BUFFERED = MAX_FRAMES / MODEL_RATE + 0.5
"""Seconds of readings that are kept: what frames that are due need, and a gap before them."""
_MAX_BUFFERS = MAX_DEVICES + len(TRACKERS)
"""Number of devices of which readings are kept."""
_DETAIL_KINDS = (FINGER, SHAPE)
_MAX_DETAILS = 256
_LONGEST_TICK = 1.0
"""Seconds that a tick computes at most, however long ago the last one was."""


@runtime_checkable
class NotifyingSource(Protocol):
    """A source that also has something to tell the user, as a receiver has."""

    @property
    def notice(self) -> str:
        """What the user should know about the senders, "" if nothing."""
        ...


class ReadingSource(Protocol):
    """A source of readings: a :class:`~ssrhmr_core.streaming.Receiver`, or anything like it."""

    def drain(self) -> list[Reading]:
        """Return the readings that came since the last call."""
        ...


@dataclass(frozen=True, eq=False)
class LivePose:
    """A pose of the character.

    Attributes:
        time: Seconds on the session's clock at which the performer had this pose.
        rotations: (22, 4) float32 global quaternions, measured from the canonical T-pose.
        root: (3,) float32 position of the hips, metres.
        valid: (6,) bool, which trackers counted then; the others are filled in.
    """

    time: float
    rotations: np.ndarray
    root: np.ndarray
    valid: np.ndarray


@dataclass(frozen=True, eq=False)
class TrackerState:
    """The last valid reading of a bound tracker, raw: before calibration.

    Attributes:
        role: One of :data:`ssrhmr_core.tracking.roles.ALL_ROLES`.
        device: Name of the device bound to it, "" if none.
        position: (3,) float32, metres, core axes.
        rotation: (4,) float32 quaternion.
        valid: Whether the tracker is visible now.
        has_reading: Whether there ever was a valid reading; position and rotation mean nothing
            before.
        has_position: False if the device has rotations only.
        has_rotation: False if the device has positions only.
    """

    role: str
    device: str
    position: np.ndarray
    rotation: np.ndarray
    valid: bool
    has_reading: bool
    has_position: bool = True
    has_rotation: bool = True


@dataclass(frozen=True, eq=False)
class _CalibrationCountdown:
    """A calibration that is due at the end of a countdown.

    Attributes:
        end: Seconds on the session's clock at which the countdown reaches zero.
        skeleton: The character.
        options: How to calibrate.
    """

    end: float
    skeleton: Skeleton
    options: CalibrationOptions

    def remaining(self, now: float) -> float:
        """Return the seconds until the end, 0 after it."""
        return max(self.end - now, 0.0)

    def sample_times(self, wait: float, now: float) -> np.ndarray:
        """Return the times of the frames that the calibration chooses from.

        Args:
            wait: Seconds that readings may be late: younger ones may still be on their way.
            now: Seconds on the session's clock. A caller that comes back seconds after the end
                would find no readings of then any more, and takes the latest.
        """
        steps = np.arange(round(_STILL_WINDOW * MODEL_RATE) + 1) / MODEL_RATE
        return max(self.end, now - _LATEST_FINISH) - wait - steps[::-1]

    def calibrate(self, take: Take, tracked: np.ndarray) -> tuple[Calibration, np.ndarray]:
        """Calibrate from the stillest moment; see :func:`calibrate_at_stillest`."""
        return calibrate_at_stillest(self.skeleton, take, self.options, tracked)


@dataclass(eq=False)
class _CalibrationHistory:
    """The outcome of the countdowns that ended in a calibration."""

    count: int = 0
    warnings: tuple[str, ...] = ()
    speeds: np.ndarray = field(default_factory=lambda: np.zeros(6, np.float32))

    def add(self, calibration: Calibration, speeds: np.ndarray) -> None:
        self.count += 1
        self.speeds = speeds
        self.warnings = (*calibration.warnings, *warn_of_movement(speeds))


class LiveSession:
    """Receiver, roles, calibration and model, advanced by :meth:`tick`.

    A session also works without a character: it then only keeps the trackers for an overlay, and
    records.
    """

    def __init__(
        self,
        source: ReadingSource,
        reconstructor: Reconstructor | None = None,
        roles: Mapping[str, str] | None = None,
        calibration: Calibration | None = None,
        wait: float = 0.05,
        budget: float = 0.25,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Create a session; the caller starts and stops the source.

        Args:
            source: The source of readings.
            reconstructor: The reconstructor of the character; None without one.
            roles: Device name by role, of the six and of optional trackers; see
                :func:`ssrhmr_core.streaming.guess_roles`.
            calibration: The calibration of an earlier session, None if there is none yet.
            wait: Seconds that a model frame waits at most for readings after it. A frame is
                computed as soon as all bound trackers have a reading at or after its time, so that
                it lies between two and nothing is guessed; that is at once with the packet that
                completes it. Only a tracker that stays silent for so long is taken as lost.
                Senders slower than 25 readings a second need more.
            budget: Seconds that one tick computes at most, or the time since the last tick if that
                is longer; frames beyond it have their turn at the next tick, so that a computer
                that is too slow for the model still answers.
            clock: The receiver's clock.

        Raises:
            StreamingError: if a role is unknown or a device has two.
        """
        self._source, self._clock = source, clock
        self._wait, self._budget = wait, budget
        self._reconstructor, self._calibration = reconstructor, calibration
        self._now = clock()
        self._paused = False
        self._message = ""
        self._countdown: _CalibrationCountdown | None = None
        self._calibrations = _CalibrationHistory()
        self._devices = DeviceTable()
        self._recorder = TakeRecorder()
        self._scheduler = FrameScheduler(wait)
        self._statistics = FrameStatistics()
        self._roles: dict[str, str] = {}
        self._buffers: dict[str, ReadingBuffer] = {}
        self._bound: dict[str, ReadingBuffer] = {}
        self._positions_only: set[str] = set()
        self._rotations_only: set[str] = set()
        self._props: frozenset[str] = frozenset()
        self._details: dict[str, Reading] = {}
        self._apply_performer()
        self.bind(roles or {})

    @property
    def roles(self) -> dict[str, str]:
        """Device name by role."""
        return dict(self._roles)

    def bind(self, roles: Mapping[str, str], segments: Mapping[str, Segment] | None = None) -> None:
        """Bind devices to roles, at any time; their last readings are known already.

        Args:
            roles: Device name by role, of the six and of optional trackers.
            segments: The bones that trackers at elbows and knees sit on, by role. Where it is not
                given, the name of the device may say so; otherwise it is the upper one.

        Raises:
            StreamingError: if a role is unknown or a device has two.
        """
        self._roles = validate_roles(roles)
        self._bound = {role: self._buffer_of(device) for role, device in self._roles.items()}
        chosen = {
            role: (segments or {}).get(role) or segment_from_name(device) or "upper"
            for role, device in self._roles.items()
        }
        self._lower = np.array([chosen.get(role) == "lower" for role in EXTRA_TRACKERS])
        self._names = {role: name_of_role(role, segment) for role, segment in chosen.items()}
        if self._countdown:
            # Standing in the T-pose shows which device is which, after the countdown has begun.
            self._message = self._explain_missing()
        self._restart()

    def set_props(self, devices: Iterable[str]) -> None:
        """Record those devices as props from now on: whatever is not worn, such as a camera."""
        self._props = frozenset(devices)

    @property
    def details(self) -> Mapping[str, Reading]:
        """The last reading of each finger ("finger:LeftIndexProximal") and shape ("shape:Joy")."""
        return self._details

    @property
    def reconstructor(self) -> Reconstructor | None:
        """The reconstructor of the character."""
        return self._reconstructor

    def set_reconstructor(self, reconstructor: Reconstructor | None) -> None:
        """Show poses on another character from now on, or on none."""
        self._reconstructor = reconstructor
        self._apply_performer()
        self._restart()

    @property
    def calibration(self) -> Calibration | None:
        """How trackers sit on joints."""
        return self._calibration

    def set_calibration(self, calibration: Calibration | None) -> None:
        """Use another calibration from now on, or none."""
        self._calibration = calibration
        self._apply_performer()
        self._restart()

    def tick(self, now: float | None = None) -> LivePose | None:
        """Take in all readings that came and compute all model frames that are due.

        Never raises because of what came in; ``status.message`` says what is wrong.

        Args:
            now: Seconds on the session's clock; the present time if not given.

        Returns:
            The newest pose, None if no new one is due (no character, not calibrated, paused, no
            trackers, or called twice within a frame).
        """
        began = self._clock()
        last_tick, self._now = self._now, began if now is None else now
        self._take_in(self._source.drain())
        if self._countdown and not self._countdown.remaining(self._now):
            self._finish_countdown(self._countdown)
        times = self._take_due_frames()
        # A caller that comes back seldom has much to make up for, and is not hurried.
        budget = max(self._budget, min(self._now - last_tick, _LONGEST_TICK))
        return self._compute(times, began, budget) if len(times) else None

    def trackers(self) -> list[TrackerState]:
        """Return the six trackers in order, as of the last tick; also before any calibration."""
        return [self._tracker_state(role) for role in TRACKERS]

    def extra_trackers(self) -> list[TrackerState]:
        """Return the optional trackers that have a device in order, as of the last tick."""
        return [self._tracker_state(role) for role in EXTRA_TRACKERS if role in self._roles]

    def devices(self) -> list[Device]:
        """Return all devices of the source, as of the last tick."""
        return self._devices.list_devices(self._now)

    def find_shaken_device(self) -> str | None:
        """Return the name of the device that moved lately while all others stood still."""
        return self._devices.find_shaken(self._now)

    @property
    def countdown(self) -> float:
        """Seconds until the calibration, 0 when none is running; much cheaper than the status."""
        return self._countdown.remaining(self._now) if self._countdown else 0.0

    @property
    def paused(self) -> bool:
        """Whether the model is paused."""
        return self._paused

    @property
    def status(self) -> LiveStatus:
        """The state of the session, as of the last tick."""
        bound = set(self._roles.values())
        rates = [device.rate for device in self.devices() if device.name in bound]
        return LiveStatus(
            rate=max(rates, default=0.0),
            model_ms=self._statistics.model_ms,
            latency_ms=self._statistics.latency_ms,
            frames=self._statistics.frames,
            frames_lost=self._statistics.frames_lost,
            frames_waited=self._statistics.frames_waited,
            countdown=self.countdown,
            paused=self._paused,
            recording=self._recorder.readings,
            recorded_seconds=self._recorder.seconds,
            message=self._choose_message(),
        )

    def begin_calibration(
        self,
        seconds: float = 3.0,
        options: CalibrationOptions = _DEFAULT_OPTIONS,
        skeleton: Skeleton | None = None,
    ) -> None:
        """Calibrate after a countdown, from the stillest moment around its end.

        At the end :attr:`calibration` is the new one; if there could be none, ``status.message``
        says why and the old one stays.

        Args:
            seconds: Seconds that the performer has to get into the reference pose.
            options: How to calibrate.
            skeleton: The character; the reconstructor's if not given.

        Raises:
            TrackerError: if there is no character to calibrate to.
        """
        body = skeleton or (self._reconstructor.skeleton if self._reconstructor else None)
        if body is None:
            raise TrackerError("choose a character before calibrating")
        # Said at once, while there is time to do something about it.
        self._message, self._recorder.error = self._explain_missing(), ""
        end = self._now + seconds
        self._countdown = _CalibrationCountdown(end, body, options)

    def cancel_calibration(self) -> None:
        """End the countdown."""
        self._countdown = None

    @property
    def calibrations(self) -> int:
        """Number of countdowns that ended in a calibration: changes when there is a new one."""
        return self._calibrations.count

    @property
    def calibration_warnings(self) -> Sequence[str]:
        """What looked wrong at the last calibration, with trackers that moved; plain words."""
        return self._calibrations.warnings

    @property
    def calibration_speeds(self) -> np.ndarray:
        """Speed of each tracker (6,) at the last calibration, metres a second."""
        return self._calibrations.speeds

    def sample(self, times: np.ndarray) -> Take:
        """Return the raw trackers, with optional ones if devices are bound, at some times.

        The times may be those of the last three seconds.

        Args:
            times: (F,) seconds on the session's clock. Readings younger than :attr:`wait` seconds
                may still be on their way.
        """
        return self._sample_take(times)

    @property
    def now(self) -> float:
        """Seconds on the session's clock, as of the last tick."""
        return self._now

    @property
    def wait(self) -> float:
        """Seconds that readings may be late."""
        return self._wait

    def pause(self) -> None:
        """Keep the pose; readings are still taken in and recorded."""
        self._paused = True

    def resume(self) -> None:
        """Continue with the newest readings."""
        if self._paused:
            self._paused = False
            self._restart()

    def start_recording(self, path: str | Path) -> float:
        """Write all readings of bound trackers to a tracker CSV from now on, as they come.

        Args:
            path: Path of the file; an existing one is replaced.

        Returns:
            Seconds on the session's clock that are time zero in the file.

        Raises:
            StreamingError: if a recording is running already.
            OSError: if the file cannot be written.
        """
        if self._recorder.readings >= 0:
            raise StreamingError("it is recording already: end that recording first")
        # What came before the button was pressed is not part of the recording.
        self._take_in(self._source.drain())
        self._now = self._clock()
        self._recorder.start(path, self._now)
        return self._now

    def stop_recording(self) -> RawTake:
        """Close the file, once it contains all that came until now.

        Raises:
            StreamingError: if no recording is running.
            OSError: if the rest could not be written.
        """
        self._take_in(self._source.drain())
        return self._recorder.stop()

    def _choose_message(self) -> str:
        """Return what the user should know: what is wrong here, then what the source reports."""
        message = self._recorder.error or self._scheduler.message or self._message
        notice = self._source.notice if isinstance(self._source, NotifyingSource) else ""
        body = self._reconstructor
        lying = body.lying if body else ()
        ignored = [name for name in body.ignored_extras if name not in lying] if body else ()
        told = (*map(describe_lying, lying), *map(describe_ignored_extra, ignored))
        # What a sender does not send is often why something is missing here.
        return ". ".join(text for text in (message, *told, notice) if text)

    def _apply_performer(self) -> None:
        """Reconstruct the body that the trackers were calibrated to."""
        if self._reconstructor and self._calibration:
            self._reconstructor.set_performer(self._calibration.performer)

    def _restart(self) -> None:
        """Start the model again with the next readings."""
        self._scheduler.restart(self._now)
        if self._reconstructor:
            self._reconstructor.interrupt()

    def _take_in(self, readings: list[Reading]) -> None:
        details = [reading for reading in readings if reading.kind in _DETAIL_KINDS]
        for reading in details:
            if reading.device in self._details or len(self._details) < _MAX_DETAILS:
                self._details[reading.device] = reading
                self._recorder.add_detail(reading.device, reading)
        if details:
            readings = [reading for reading in readings if reading.kind not in _DETAIL_KINDS]
        self._devices.add(readings)
        role_of = {device: role for role, device in self._roles.items()}
        for reading in readings:
            role = role_of.get(reading.device)
            self._buffer_of(reading.device).add(
                BufferedReading(
                    time=reading.time,
                    position=reading.position,
                    rotation=reading.rotation,
                    valid=reading.valid,
                    arrival=reading.arrival,
                    has_position=reading.has_position,
                    has_rotation=reading.has_rotation,
                )
            )
            self._note_parts(reading)
            if role:
                self._recorder.add(self._names[role], reading)
            elif reading.device in self._props:
                self._recorder.add_detail(detail_name(PROP, reading.device), reading)
        self._recorder.flush(self._now)

    def _note_parts(self, reading: Reading) -> None:
        """Note whether a device has positions only, or rotations only."""
        device = reading.device
        for has_part, without in (
            (reading.has_rotation, self._positions_only),
            (reading.has_position, self._rotations_only),
        ):
            if not has_part:
                without.add(device)
            elif without:
                without.discard(device)

    def _explain_missing(self) -> str:
        """Say what a calibration can do with the devices that are bound."""
        turned = {role for role, device in self._roles.items() if device in self._rotations_only}
        return explain_missing(self._roles.keys() - turned, turned)

    def _buffer_of(self, device: str) -> ReadingBuffer:
        """Return the readings of a device, bound or not: it may be bound at any time."""
        buffer = self._buffers.get(device)
        if buffer is None:
            if len(self._buffers) >= _MAX_BUFFERS:
                bound = set(self._roles.values())
                free = [name for name in self._buffers if name not in bound]
                fewest = min(free, key=lambda name: len(self._buffers[name]))
                del self._buffers[fewest]
                self._positions_only.discard(fewest)
                self._rotations_only.discard(fewest)
            buffer = self._buffers[device] = ReadingBuffer(_BUFFERED)
        return buffer

    def _tracker_state(self, role: str) -> TrackerState:
        device = self._roles.get(role, "")
        buffer = self._bound.get(role)
        last = buffer.last_valid if buffer else None
        if buffer is None or last is None:
            identity = np.array([1.0, 0.0, 0.0, 0.0], np.float32)
            origin = np.zeros(3, np.float32)
            return TrackerState(role, device, origin, identity, valid=False, has_reading=False)
        return TrackerState(
            role=role,
            device=device,
            position=np.array(last.position, np.float32),
            rotation=np.array(last.rotation, np.float32),
            valid=self._now - last.time <= MAX_GAP and buffer.newest <= last.time,
            has_reading=True,
            has_position=device not in self._rotations_only,
            has_rotation=device not in self._positions_only,
        )

    def _finish_countdown(self, countdown: _CalibrationCountdown) -> None:
        self._countdown = None
        take = self._sample_take(countdown.sample_times(self._wait, self._now))
        try:
            calibration, speeds = countdown.calibrate(take, mask_of(self._roles))
        except TrackerError as error:
            self._message = f"not calibrated: {error}"
            return
        self._message = ""
        self._calibrations.add(calibration, speeds)
        self.set_calibration(calibration)

    def _sample_take(self, times: np.ndarray) -> Take:
        """Return all six trackers at some times; those without a device are not valid."""
        positions, rotations, has_position, has_rotation = sample_trackers(self._bound, times)
        extras = sample_extras(self._bound, times)
        valid = has_position & has_rotation
        return Take(
            times,
            positions,
            rotations,
            valid,
            replace(extras, lower=self._lower) if extras else None,
            has_position & ~valid,
            has_rotation & ~valid,
        )

    def _take_due_frames(self) -> np.ndarray:
        """Return the times of the model frames that can be computed now."""
        if self._paused or self._reconstructor is None or self._calibration is None:
            return np.empty(0)
        if self._scheduler.is_silent(self._now, self._bound):
            self._restart()
        times, skipped = self._scheduler.take_due(self._now, self._bound)
        if skipped:
            self._statistics.frames_lost += skipped
            self._reconstructor.interrupt()
        return times

    def _compute(self, times: np.ndarray, began: float, budget: float) -> LivePose | None:
        if self._reconstructor is None or self._calibration is None:
            return None
        take = self._calibration.apply(self._sample_take(times))
        pose = None
        for frame, frame_time in enumerate(times.tolist()):
            before = self._clock()
            if pose and before - began > budget:
                self._scheduler.put_back(len(times) - frame)
                break
            rotations, root = self._reconstructor.frame(
                take.positions[frame],
                take.rotations[frame],
                take.valid[frame],
                take.extras_at(frame),
                None if take.placed is None else take.placed[frame],
                None if take.turned is None else take.turned[frame],
            )
            pose = LivePose(frame_time, rotations, root, self._reconstructor.believed)
            after = self._clock()
            self._note_frame(frame_time, after - before, self._now + after - began)
        return pose

    def _note_frame(self, frame_time: float, duration: float, finished: float) -> None:
        """Note how long a frame took since its last packet, or that it lacked one."""
        completing = [buffer.after(frame_time) for buffer in self._bound.values()]
        arrivals = [reading.arrival for reading in completing if reading]
        self._statistics.add_frame(
            now=self._now,
            duration=duration,
            latency=finished - max(arrivals) if arrivals else None,
            complete=len(arrivals) == len(completing),
        )
