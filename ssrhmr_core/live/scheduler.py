# SPDX-License-Identifier: GPL-3.0-or-later
"""The model's clock in a live session: which of its frames can be computed now."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..body.extra_trackers import EXTRA_TRACKERS
from ..body.interpolation import MODEL_RATE
from ..body.skeleton import TRACKERS
from ..tracking.extras.readings import ExtraReadings
from ..tracking.reading_buffer import MAX_GAP, SAME_TIME, ReadingBuffer, sample_halves

_LEAD = 0.002
"""Seconds by which model frames precede readings: more than the error of their times."""
_GATHER_TIME = 0.5
"""Seconds to wait at the start until all bound trackers have sent something."""
_SILENCE = 1.0
"""Seconds without any reading after which the model starts again with the next one."""
MAX_FRAMES = 180
"""Number of frames that may be due at once; older ones are skipped."""
_ANCHORS = ("pelvis", "head")
NO_ANCHOR = (
    "neither pelvis nor head is seen, and the body begins where one of them is: switch it on, and"
    " say which device is worn there"
)
"""The message of a scheduler that cannot start."""


class FrameScheduler:
    """Decides which model frames are due.

    A frame is due as soon as every bound tracker has a reading at or after its time, so that the
    frame lies between two readings and nothing is guessed. Only a tracker that stays silent for
    longer than ``wait`` is not waited for.

    Attributes:
        message: Why the clock cannot start, "" if nothing is in its way.
        started: Whether the clock is running.
    """

    def __init__(self, wait: float) -> None:
        """Create a clock that is not started.

        Args:
            wait: Seconds that a frame waits at most for readings after it.
        """
        self.message = ""
        self._wait = wait
        self.restart(-np.inf)

    @property
    def started(self) -> bool:
        """Whether the clock is running."""
        return self._start is not None

    def restart(self, since: float) -> None:
        """Stop the clock; it starts again with readings that are not older than a time.

        Args:
            since: Seconds on the session's clock.
        """
        self._start: float | None = None
        self._since, self._index = since, 0
        self._first_reading = np.inf

    def is_silent(self, now: float, buffers: Mapping[str, ReadingBuffer]) -> bool:
        """Return whether the clock runs but nothing has come for long."""
        newest = max((buffer.newest for buffer in buffers.values()), default=-np.inf)
        return self.started and newest < now - _SILENCE

    def take_due(self, now: float, buffers: Mapping[str, ReadingBuffer]) -> tuple[np.ndarray, int]:
        """Return the frames that can be computed now; they are not due again.

        Args:
            now: Seconds on the session's clock.
            buffers: Readings by role, of bound trackers.

        Returns:
            Times of the frames (F,) in seconds, and how many older frames are skipped because too
            many were due.
        """
        if not self.started and not self._try_start(now, buffers):
            return np.empty(0), 0
        times = []
        while (time := self._time()) <= now and self._is_complete(time, now, buffers):
            times.append(time)
            self._index += 1
        skipped = max(len(times) - MAX_FRAMES, 0)
        return np.array(times[skipped:]), skipped

    def put_back(self, count: int) -> None:
        """Make the last frames of :meth:`take_due` due again.

        Args:
            count: Number of frames that were not computed.
        """
        self._index -= count

    def _time(self) -> float:
        return (self._start or 0.0) + self._index / MODEL_RATE

    def _try_start(self, now: float, buffers: Mapping[str, ReadingBuffer]) -> bool:
        """Start the clock once the trackers are there."""
        recent = [
            buffer
            for buffer in buffers.values()
            if buffer.newest >= max(self._since, now - MAX_GAP)
        ]
        if not recent:
            return False
        self._first_reading = min(self._first_reading, now)
        if len(recent) < len(buffers) and now - self._first_reading < _GATHER_TIME:
            return False
        begin = -np.inf
        for buffer in recent:
            first = buffer.after(max(self._since, buffer.first))
            begin = max(begin, first.time if first else buffer.newest)
        anchors = [buffers[role] for role in _ANCHORS if role in buffers]
        if not anchors or not sample_halves(anchors, np.array([begin]))[2].any():
            # There is nothing to start from. Once started, the body stays where it was seen last.
            valid_readings = [anchor.last_valid for anchor in anchors if anchor.last_valid]
            placed = [reading for reading in valid_readings if reading.has_position]
            if all(reading.time < now - MAX_GAP for reading in placed):
                self.message = NO_ANCHOR
            return False
        self.message = ""
        # If frames lay at the very times of readings of a sender with the model's rate, they would
        # now and then just miss one and wait for the next.
        self._start, self._index = begin + 1.0 / MODEL_RATE - _LEAD, 0
        return True

    def _is_complete(self, time: float, now: float, buffers: Mapping[str, ReadingBuffer]) -> bool:
        """Return whether there is nothing to wait for at a frame."""
        newest = [buffer.newest for buffer in buffers.values()]
        if max(newest) < time - SAME_TIME:
            # The network holds everything back, or the sender has paused.
            return False
        # A tracker that was silent for longer than a gap is lost: frames do not wait for it.
        late = any(time - MAX_GAP <= last < time - SAME_TIME for last in newest)
        return not late or time <= now - self._wait


def sample_trackers(
    buffers: Mapping[str, ReadingBuffer], times: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Sample all six trackers; those without a device have neither position nor rotation.

    Args:
        buffers: Readings by role.
        times: (F,) seconds.

    Returns:
        Positions (F, 6, 3), rotations (F, 6, 4), and where there are positions (F, 6) and rotations
        (F, 6).
    """
    return sample_halves([buffers.get(role) for role in TRACKERS], times)


def sample_extras(buffers: Mapping[str, ReadingBuffer], times: np.ndarray) -> ExtraReadings | None:
    """Sample the optional trackers; None if no device is bound to any.

    Args:
        buffers: Readings by role.
        times: (F,) seconds.
    """
    roles = [role for role in EXTRA_TRACKERS if role in buffers]
    if not roles:
        return None
    indices = [EXTRA_TRACKERS.index(role) for role in roles]
    sampled = sample_halves([buffers[role] for role in roles], times)
    extras = ExtraReadings.empty(len(times))
    extras.positions[:, indices], extras.rotations[:, indices] = sampled[:2]
    extras.has_position[:, indices], extras.has_rotation[:, indices] = sampled[2:]
    return extras
