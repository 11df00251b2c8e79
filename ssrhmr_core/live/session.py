# SPDX-License-Identifier: GPL-3.0-or-later
"""A performance as it happens: readings in, poses out, and a take that lacks nothing.

Plain Python without threads: everything happens in :meth:`LiveSession.tick`.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np

from ..body.interpolation import MODEL_RATE
from ..body.skeleton import TRACKERS, Skeleton
from ..formats.trackers_csv import Recorder, load_trackers
from ..pipeline import Reconstructor
from ..streaming.devices import Device, DeviceTable, validate_roles
from ..streaming.readings import Reading, StreamingError
from ..tracking.calibration import (
    Calibration,
    CalibrationOptions,
    calibrate_at_stillest,
    warn_of_movement,
)
from ..tracking.reading_buffer import (
    MAX_GAP,
    SAME_TIME,
    BufferedReading,
    ReadingBuffer,
    sample_buffers,
)
from ..tracking.take import Take, TrackerError

_LOOKED_AT = 1.0
"""Seconds before the end of a countdown in which the stillest moment is looked for."""
_AHEAD = 0.002
"""Seconds by which model frames are before readings: more than those are unsure by."""
_GATHER = 0.5
"""Seconds to wait at the start until all bound trackers were heard of."""
_SILENT = 1.0
"""Seconds without any reading after which the model begins anew with the next."""
_MOST_FRAMES = 180
"""Frames that may be due at once; older ones are left out."""
_KEPT = _MOST_FRAMES / MODEL_RATE + 0.5
"""Seconds of readings that are kept: what frames that are due need, and a gap before."""
_LONGEST_TICK = 1.0
"""Seconds that a tick computes at most, however long ago the last one was."""
_FLUSHED = 0.5
"""Seconds between two flushes of a recording."""
_RECENT = 1.0
"""Seconds that figures for the panel are taken over."""
_NO_ANCHOR = (
    "neither pelvis nor head is seen, and the body begins where one of them is: switch it on, and"
    " say which device is worn there"
)


class ReadingSource(Protocol):
    """Where readings come from: a :class:`~ssrhmr_core.streaming.Receiver`, or anything like it."""

    def drain(self) -> list[Reading]:
        """Return what came since the last call."""
        ...


@dataclass(frozen=True, eq=False)
class LivePose:
    """A pose of the character.

    Attributes:
        time: seconds on the session's clock for which it is.
        rotations: (22, 4) float32 global quaternions, measured from the canonical T-pose.
        root: (3,) float32 position of the hips, metres.
        valid: (6,) bool, which trackers were visible then; the others are filled in.
    """

    time: float
    rotations: np.ndarray
    root: np.ndarray
    valid: np.ndarray


@dataclass(frozen=True, eq=False)
class TrackerState:
    """A bound tracker as it was last seen, raw: before calibration.

    Attributes:
        role: one of :data:`ssrhmr_core.body.skeleton.TRACKERS`.
        device: name of the device bound to it, "" if none.
        position: (3,) float32, metres, core axes; where it was last seen.
        rotation: (4,) float32 quaternion.
        valid: whether it is seen now.
        has_reading: whether it was ever seen; position and rotation mean nothing before.
    """

    role: str
    device: str
    position: np.ndarray
    rotation: np.ndarray
    valid: bool
    has_reading: bool


@dataclass(frozen=True)
class LiveStatus:
    """How a session goes, for a panel.

    Attributes:
        rate: readings a second of the fastest bound tracker.
        model_ms: milliseconds that a frame takes, mean of the last second.
        latency_ms: milliseconds from the arrival of the packet that completed a frame to its pose,
            median of the last second. What the caller takes to show the pose comes on top.
        frames: model frames computed.
        frames_lost: model frames left out because the caller came back too late.
        frames_waited: model frames computed without a reading after them for some tracker that is
            worn: it was late or lost.
        countdown: seconds until the calibration, 0 when none is running.
        paused: whether the model pauses.
        recording: readings recorded so far, -1 when not recording.
        recorded_seconds: length of the recording so far.
        message: what went wrong or should be known, in plain words; "" if nothing.
    """

    rate: float = 0.0
    model_ms: float = 0.0
    latency_ms: float = 0.0
    frames: int = 0
    frames_lost: int = 0
    frames_waited: int = 0
    countdown: float = 0.0
    paused: bool = False
    recording: int = -1
    recorded_seconds: float = 0.0
    message: str = ""


@dataclass(frozen=True)
class RawTake:
    """A recording on disk.

    Attributes:
        path: the tracker CSV; :func:`ssrhmr_core.formats.trackers_csv.load_trackers` reads it.
        readings: rows in it.
        seconds: its length.
        first: seconds from its beginning to the first reading.
        began: seconds on the session's clock that are time zero in the file.
    """

    path: Path
    readings: int
    seconds: float
    first: float
    began: float

    def load(self) -> Take:
        """Read it back as frames of six trackers, not calibrated yet.

        Raises:
            TrackerFileError: if nothing was recorded, or the file was changed since.
            OSError: if it cannot be opened.
        """
        return load_trackers(self.path)


class LiveSession:
    """Receiver, binding, calibration and model, moved on by ``tick``.

    Works without a character too: then it only keeps the trackers for an overlay, and records.
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
        """Get ready.

        Args:
            source: of readings; who made it starts and stops it.
            reconstructor: of the character; None without one.
            roles: device name by role; see :func:`ssrhmr_core.streaming.guess_roles`.
            calibration: of an earlier session, None if there is none yet.
            wait: seconds that a model frame waits at most for readings after it. A frame is
                computed as soon as all worn trackers have a reading at or after its time, so that
                it lies between two and nothing is guessed; that is at once with the packet that
                completes it. Only when a tracker stays silent for so long is it taken as lost.
                Senders slower than 25 readings a second need more.
            budget: seconds that one tick computes at most, or as long as the last one is ago, if
                that is longer; frames beyond it have their turn at the next one, so that a
                computer that is too slow for the model still answers.
            clock: the receiver's.

        Raises:
            StreamingError: if a role is unknown or a device has two.
        """
        self._source, self._clock, self._wait, self._budget = source, clock, wait, budget
        self._reconstructor, self._calibration = reconstructor, calibration
        self._dress()
        self._table = DeviceTable()
        self._now = clock()
        self._paused = False
        self._message = ""
        self._countdown: _Countdown | None = None
        self._calibrations = 0
        self._warnings: tuple[str, ...] = ()
        self._speeds = np.zeros(6, np.float32)
        self._recorder: Recorder | None = None
        self._began = self._flushed = self._recorded_from = self._recorded_until = 0.0
        self._frames = self._lost = self._waited = 0
        self._costs: deque[tuple[float, float]] = deque()
        self._delays: deque[tuple[float, float]] = deque()
        self._roles: dict[str, str] = {}
        self._tracks: dict[str, ReadingBuffer] = {}
        self.bind(roles or {})

    @property
    def roles(self) -> dict[str, str]:
        """Device name by role."""
        return dict(self._roles)

    def bind(self, roles: Mapping[str, str]) -> None:
        """Bind devices to roles anew, at any time.

        Raises:
            StreamingError: if a role is unknown or a device has two.
        """
        found = validate_roles(roles)
        # A role that keeps its device keeps its past.
        self._tracks = {
            role: self._tracks[role] if self._roles.get(role) == device else ReadingBuffer(_KEPT)
            for role, device in found.items()
        }
        self._roles = found
        self._role_of = {device: role for role, device in found.items()}
        self._restart(self._now)

    @property
    def reconstructor(self) -> Reconstructor | None:
        """Of the character; may be set at any time."""
        return self._reconstructor

    @reconstructor.setter
    def reconstructor(self, reconstructor: Reconstructor | None) -> None:
        self._reconstructor = reconstructor
        self._dress()
        self._restart(self._now)

    @property
    def calibration(self) -> Calibration | None:
        """How trackers sit on joints; may be set at any time."""
        return self._calibration

    @calibration.setter
    def calibration(self, calibration: Calibration | None) -> None:
        self._calibration = calibration
        self._dress()
        self._restart(self._now)

    def _dress(self) -> None:
        """Let the body be reconstructed that the trackers were calibrated to."""
        if self._reconstructor and self._calibration:
            self._reconstructor.set_performer(self._calibration.performer)

    def tick(self, now: float | None = None) -> LivePose | None:
        """Take in all that came, compute all model frames that are due.

        Never raises because of what came in; ``status.message`` says what is wrong.

        Args:
            now: seconds on the session's clock; its time now if not given.

        Returns:
            The newest pose, None if no new one is due (no character, not calibrated, paused, no
            trackers, or called twice within a frame).
        """
        began = self._clock()
        before, self._now = self._now, began if now is None else now
        self._take_in(self._source.drain())
        if self._countdown and self._now >= self._countdown.end:
            self._finish_countdown(self._countdown)
        times = self._due()
        # Who comes back seldom has much to make up for, and is not hurried.
        budget = max(self._budget, min(self._now - before, _LONGEST_TICK))
        return self._compute(times, began, budget) if len(times) else None

    def trackers(self) -> list[TrackerState]:
        """The six roles in order, as of the last tick; also before any calibration."""
        return [self._state(role) for role in TRACKERS]

    def devices(self) -> list[Device]:
        """All devices of the feed, as of the last tick."""
        return self._table.devices(self._now)

    def wiggled(self) -> str | None:
        """Name of the device that moved lately while all others stood still, or None."""
        return self._table.wiggled(self._now)

    @property
    def status(self) -> LiveStatus:
        """How it goes, as of the last tick."""
        bound = [device for device in self.devices() if device.name in self._role_of]
        delays = [value for _, value in self._delays]
        return LiveStatus(
            rate=max((device.rate for device in bound), default=0.0),
            model_ms=1000.0 * float(np.mean([v for _, v in self._costs])) if self._costs else 0.0,
            latency_ms=1000.0 * float(np.median(delays)) if delays else 0.0,
            frames=self._frames,
            frames_lost=self._lost,
            frames_waited=self._waited,
            countdown=max(self._countdown.end - self._now, 0.0) if self._countdown else 0.0,
            paused=self._paused,
            recording=self._recorder.readings if self._recorder else -1,
            recorded_seconds=self._recorded_until if self._recorder else 0.0,
            message=self._message,
        )

    def begin_calibration(
        self,
        seconds: float = 3.0,
        options: CalibrationOptions | None = None,
        skeleton: Skeleton | None = None,
    ) -> None:
        """Calibrate after a countdown, from the stillest moment around its end.

        When it is over, :attr:`calibration` is the new one, or, if it could not be had,
        ``status.message`` says why and the old one stays.

        Args:
            seconds: to get into the reference pose.
            options: How to calibrate; the defaults of :class:`CalibrationOptions` if None.
            skeleton: the character's; the reconstructor's if not given.

        Raises:
            TrackerError: if there is no character to calibrate to.
        """
        body = skeleton or (self._reconstructor.skeleton if self._reconstructor else None)
        if body is None:
            raise TrackerError("choose a character before calibrating")
        self._message = ""
        end = self._now + seconds
        self._countdown = _Countdown(end, body, options or CalibrationOptions())

    def cancel_calibration(self) -> None:
        """End the countdown."""
        self._countdown = None

    @property
    def calibrations(self) -> int:
        """How many countdowns have ended in a calibration: changes when there is a new one."""
        return self._calibrations

    @property
    def calibration_warnings(self) -> Sequence[str]:
        """What looked wrong at the last calibration, with trackers that moved; plain words."""
        return self._warnings

    @property
    def calibration_speeds(self) -> np.ndarray:
        """How fast each tracker (6,) moved at the last calibration, metres a second."""
        return self._speeds

    def pause(self) -> None:
        """Keep the pose; readings are still taken in and recorded."""
        self._paused = True

    def resume(self) -> None:
        """Go on with the newest readings."""
        if self._paused:
            self._paused = False
            self._restart(self._now)

    def start_recording(self, path: str | Path) -> float:
        """Write all readings of bound trackers to a tracker CSV from now on, as they come.

        Args:
            path: of the file; an existing one is replaced.

        Returns:
            Seconds on the session's clock that are time zero in the file.

        Raises:
            StreamingError: if it records already.
            OSError: if the file cannot be written.
        """
        if self._recorder:
            raise StreamingError("it is recording already: end that recording first")
        # What came before the button was pressed is not part of it.
        self._take_in(self._source.drain())
        self._recorder = Recorder(path)
        self._began = self._flushed = self._now = self._clock()
        self._recorded_from, self._recorded_until = np.inf, 0.0
        return self._began

    def stop_recording(self) -> RawTake:
        """Close the file, after what came until now is in it.

        Raises:
            StreamingError: if it does not record.
            OSError: if the rest could not be written.
        """
        self._take_in(self._source.drain())
        recorder = self._recorder
        if not recorder:
            raise StreamingError(self._message or "it is not recording: begin a recording first")
        self._recorder = None
        recorder.close()
        first = self._recorded_from if recorder.readings else 0.0
        return RawTake(recorder.path, recorder.readings, self._recorded_until, first, self._began)

    def _restart(self, since: float) -> None:
        """Begin the model's clock anew, not before a time."""
        self._start: float | None = None
        self._since, self._index = since, 0
        self._first_heard = np.inf
        if self._reconstructor:
            self._reconstructor.reset()

    def _take_in(self, readings: list[Reading]) -> None:
        self._table.note(readings)
        for reading in readings:
            role = self._role_of.get(reading.device)
            if role:
                track = self._tracks[role]
                track.add(
                    BufferedReading(
                        reading.time,
                        reading.position,
                        reading.rotation,
                        reading.valid,
                        reading.arrival,
                    )
                )
                self._record(role, reading)
        if self._recorder and self._now - self._flushed >= _FLUSHED:
            self._flushed = self._now
            self._guarded(self._recorder.flush)

    def _record(self, role: str, reading: Reading) -> None:
        if self._recorder:
            time = reading.time - self._began
            self._recorded_from = min(self._recorded_from, time)
            self._recorded_until = max(self._recorded_until, time)
            values = (time, role, reading.position, reading.rotation, reading.valid, reading.device)
            self._guarded(partial(self._recorder.add, *values))

    def _guarded(self, write: Callable[[], None]) -> None:
        """Write to the recording; a full disk ends it, not the performance."""
        try:
            write()
        except OSError as error:
            recorder, self._recorder = self._recorder, None
            self._message = (
                f"the recording ended: {error.strerror or error}. What came before is kept: record"
                " on in another folder, or make room"
            )
            if recorder:
                with contextlib.suppress(OSError):
                    recorder.close()

    def _state(self, role: str) -> TrackerState:
        track = self._tracks.get(role)
        last = track.last_valid if track else None
        if track is None or last is None:
            unit = np.array([1.0, 0.0, 0.0, 0.0], np.float32)
            device = self._roles.get(role, "")
            return TrackerState(role, device, np.zeros(3, np.float32), unit, False, False)
        return TrackerState(
            role,
            self._roles[role],
            np.array(last.position, np.float32),
            np.array(last.rotation, np.float32),
            self._now - last.time <= MAX_GAP and track.newest <= last.time,
            True,
        )

    def _finish_countdown(self, countdown: _Countdown) -> None:
        self._countdown = None
        steps = np.arange(round(_LOOKED_AT * MODEL_RATE) + 1) / MODEL_RATE
        # What is younger than `wait` may still be on its way.
        take = self._take(countdown.end - self._wait - steps[::-1])
        try:
            found, speeds = calibrate_at_stillest(countdown.skeleton, take, countdown.options)
        except TrackerError as error:
            self._message = f"not calibrated: {error}"
            return
        self._speeds, self._warnings = speeds, (*found.warnings, *warn_of_movement(speeds))
        self._calibrations += 1
        self.calibration = found

    def _take(self, times: np.ndarray) -> Take:
        """Return all six trackers at some times; those without a device are not seen."""
        there = sample_buffers([self._tracks.get(role) for role in TRACKERS], times)
        return Take(times, *there)

    def _due(self) -> np.ndarray:
        """Times of the model frames that can be computed now."""
        if self._paused or self._reconstructor is None or self._calibration is None:
            return np.empty(0)
        newest = max((track.newest for track in self._tracks.values()), default=-np.inf)
        if self._start is not None and newest < self._now - _SILENT:
            # Nothing comes any more: what comes next is a new beginning.
            self._restart(self._now)
        if self._start is None and not self._begun():
            return np.empty(0)
        times = []
        index = self._index
        while (time := self._time(index)) <= self._now and self._complete(time):
            times.append(time)
            index += 1
        skipped = len(times) - _MOST_FRAMES
        if skipped > 0:
            self._lost += skipped
            self._reconstructor.reset()
            times = times[skipped:]
        self._index = index
        return np.array(times)

    def _time(self, index: int) -> float:
        return (self._start or 0.0) + index / MODEL_RATE

    def _begun(self) -> bool:
        """Begin the model's clock once the trackers are there."""
        heard = [track for track in self._tracks.values() if track.newest >= self._since]
        live = [track for track in heard if track.newest >= self._now - MAX_GAP]
        if not live:
            return False
        self._first_heard = min(self._first_heard, self._now)
        if len(live) < len(self._tracks) and self._now - self._first_heard < _GATHER:
            return False
        begin = -np.inf
        for track in live:
            first = track.after(max(self._since, track.first))
            begin = max(begin, first.time if first else track.newest)
        anchors = [self._tracks.get(role) for role in TRACKERS[:2]]
        if not sample_buffers(anchors, np.array([begin]))[2].any():
            # Nothing to begin from; once begun, the body stays where it was seen last.
            self._message = _NO_ANCHOR
            return False
        if self._message == _NO_ANCHOR:
            self._message = ""
        # Frames of a sender with the model's rate would, at the very times of its readings, now and
        # then just miss one and wait for the next.
        self._start, self._index = begin + 1.0 / MODEL_RATE - _AHEAD, 0
        return True

    def _complete(self, time: float) -> bool:
        """Whether nothing is to be waited for at a frame."""
        newest = [track.newest for track in self._tracks.values()]
        if max(newest) < time - SAME_TIME:
            # The network holds everything back, or the sender has paused: nothing to go by.
            return False
        # One that was silent for longer than a gap is lost; frames do not wait for it any more.
        late = any(time - MAX_GAP <= last < time - SAME_TIME for last in newest)
        return not late or time <= self._now - self._wait

    def _compute(self, times: np.ndarray, began: float, budget: float) -> LivePose | None:
        if self._reconstructor is None or self._calibration is None:
            return None
        raw = self._take(times)
        take = self._calibration.apply(raw)
        pose = None
        for frame, at in enumerate(times):
            before = self._clock()
            if pose and before - began > budget:
                self._index -= len(times) - frame
                break
            rotations, root = self._reconstructor.frame(
                take.positions[frame], take.rotations[frame], take.valid[frame]
            )
            pose = LivePose(float(at), rotations, root, take.valid[frame])
            after = self._clock()
            self._frames += 1
            self._costs.append((self._now, after - before))
            self._note_delay(float(at), self._now + after - began)
        for figures in (self._costs, self._delays):
            while figures and figures[0][0] < self._now - _RECENT:
                figures.popleft()
        return pose

    def _note_delay(self, time: float, done: float) -> None:
        """Note how long a pose took since its last packet, or that it lacked one."""
        completing = [track.after(time) for track in self._tracks.values()]
        arrivals = [sample.arrival for sample in completing if sample]
        self._waited += len(arrivals) < len(completing)
        if arrivals:
            self._delays.append((self._now, done - max(arrivals)))


@dataclass(frozen=True, eq=False)
class _Countdown:
    end: float
    skeleton: Skeleton
    options: CalibrationOptions
