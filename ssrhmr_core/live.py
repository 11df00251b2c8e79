"""A performance as it happens: readings in, poses out, and a take that lacks nothing.

Plain Python without threads: everything happens in :meth:`LiveSession.tick`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from .calibration import Calibration
from .feed.devices import Device
from .feed.readings import Reading
from .reconstruct import Reconstructor
from .skeleton import Skeleton
from .trackers import Take


class Source(Protocol):
    """Where readings come from: a :class:`~ssrhmr_core.feed.Receiver`, or anything like it."""

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
        seen: (6,) bool, which trackers were seen then; the others are filled in.
    """

    time: float
    rotations: np.ndarray
    root: np.ndarray
    seen: np.ndarray


@dataclass(frozen=True, eq=False)
class TrackerState:
    """A bound tracker as it was last seen, raw: before calibration.

    Attributes:
        role: one of :data:`ssrhmr_core.skeleton.TRACKERS`.
        device: name of the device bound to it, "" if none.
        position: (3,) float32, metres, core axes; where it was last seen.
        rotation: (4,) float32 quaternion.
        valid: whether it is seen now.
        known: whether it was ever seen; position and rotation mean nothing before.
    """

    role: str
    device: str
    position: np.ndarray
    rotation: np.ndarray
    valid: bool
    known: bool


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
        began: seconds on the session's clock that are time zero in the file.
    """

    path: Path
    readings: int
    seconds: float
    began: float

    def load(self) -> Take:
        """Read it back as frames of six trackers, not calibrated yet.

        Raises:
            TrackerFileError: if nothing was recorded, or the file was changed since.
            OSError: if it cannot be opened.
        """
        raise NotImplementedError


class LiveSession:
    """Receiver, binding, calibration and model, moved on by ``tick``.

    Works without a character too: then it only keeps the trackers for an overlay, and records.
    """

    def __init__(
        self,
        source: Source,
        reconstructor: Reconstructor | None = None,
        roles: Mapping[str, str] | None = None,
        calibration: Calibration | None = None,
        wait: float = 0.05,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Get ready.

        Args:
            source: of readings; who made it starts and stops it.
            reconstructor: of the character; None without one.
            roles: device name by role; see :func:`ssrhmr_core.feed.guess_roles`.
            calibration: of an earlier session, None if there is none yet.
            wait: seconds that a model frame waits at most for readings after it. A frame is
                computed as soon as all worn trackers have a reading at or after its time, so that
                it lies between two and nothing is guessed; that is at once with the packet that
                completes it. Only when a tracker stays silent for so long is it taken as lost.
            clock: the receiver's.
        """
        raise NotImplementedError

    @property
    def roles(self) -> dict[str, str]:
        """Device name by role."""
        raise NotImplementedError

    def bind(self, roles: Mapping[str, str]) -> None:
        """Bind devices to roles anew, at any time.

        Raises:
            FeedError: if a role is unknown or a device is in two of them.
        """
        raise NotImplementedError

    @property
    def reconstructor(self) -> Reconstructor | None:
        """Of the character; may be set at any time."""
        raise NotImplementedError

    @reconstructor.setter
    def reconstructor(self, reconstructor: Reconstructor | None) -> None:
        raise NotImplementedError

    @property
    def calibration(self) -> Calibration | None:
        """How trackers sit on joints; may be set at any time."""
        raise NotImplementedError

    @calibration.setter
    def calibration(self, calibration: Calibration | None) -> None:
        raise NotImplementedError

    def tick(self, now: float | None = None) -> LivePose | None:
        """Take in all that came, compute all model frames that are due.

        Never raises because of what came in; ``status.message`` says what is wrong.

        Args:
            now: seconds on the session's clock; its time now if not given.

        Returns:
            The newest pose, None if no new one is due (no character, not calibrated, paused, no
            trackers, or called twice within a frame).
        """
        raise NotImplementedError

    def trackers(self) -> list[TrackerState]:
        """The six roles in order, as of the last tick; also before any calibration."""
        raise NotImplementedError

    def devices(self) -> list[Device]:
        """All devices of the feed, as of the last tick."""
        raise NotImplementedError

    def wiggled(self) -> str | None:
        """Name of the device that moved lately while all others stood still, or None."""
        raise NotImplementedError

    @property
    def status(self) -> LiveStatus:
        """How it goes, as of the last tick."""
        raise NotImplementedError

    def begin_calibration(
        self, seconds: float = 3.0, fit_scale: bool = False, skeleton: Skeleton | None = None
    ) -> None:
        """Calibrate after a countdown, from the stillest moment around its end.

        When it is over, :attr:`calibration` is the new one, or, if it could not be had,
        ``status.message`` says why and the old one stays.

        Args:
            seconds: to get into the T-pose.
            fit_scale: whether trackers are scaled to the character; else they are taken 1:1.
            skeleton: the character's; the reconstructor's if not given.

        Raises:
            TrackerError: if there is no character to calibrate to.
        """
        raise NotImplementedError

    def cancel_calibration(self) -> None:
        """End the countdown."""
        raise NotImplementedError

    @property
    def calibrations(self) -> int:
        """How many countdowns have ended in a calibration: changes when there is a new one."""
        raise NotImplementedError

    @property
    def calibration_warnings(self) -> Sequence[str]:
        """What looked wrong at the last calibration, with trackers that moved; plain words."""
        raise NotImplementedError

    def pause(self) -> None:
        """Keep the pose; readings are still taken in and recorded."""
        raise NotImplementedError

    def resume(self) -> None:
        """Go on with the newest readings."""
        raise NotImplementedError

    def start_recording(self, path: str | Path) -> float:
        """Write all readings of bound trackers to a tracker CSV from now on, as they come.

        Args:
            path: of the file; an existing one is replaced.

        Returns:
            Seconds on the session's clock that are time zero in the file.

        Raises:
            FeedError: if it records already.
            OSError: if the file cannot be written.
        """
        raise NotImplementedError

    def stop_recording(self) -> RawTake:
        """Close the file, after what came until now is in it.

        Raises:
            FeedError: if it does not record.
            OSError: if the rest could not be written.
        """
        raise NotImplementedError
