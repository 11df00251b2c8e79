# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of a live session: how many frames were computed, how fast, and how late."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

_RECENT = 1.0
"""Seconds that the mean of the model's time and the median of latencies cover."""


@dataclass(frozen=True)
class LiveStatus:
    """The state of a session, for a panel.

    Attributes:
        rate: Readings a second of the fastest bound tracker.
        model_ms: Milliseconds that a frame takes, mean of the last second.
        latency_ms: Milliseconds from the arrival of the packet that completed a frame to its pose,
            median of the last second. The time that the caller needs to show the pose is not
            included.
        frames: Number of model frames computed.
        frames_lost: Number of model frames skipped because the caller came back too late.
        frames_waited: Number of model frames computed although a bound tracker had no reading
            after them: it was late or lost.
        countdown: Seconds until the calibration, 0 when none is running.
        paused: Whether the model is paused.
        recording: Number of readings recorded so far, -1 when not recording.
        recorded_seconds: Length of the recording so far.
        message: What went wrong or what the user should know, in plain words; "" if nothing.
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


class FrameStatistics:
    """Counts model frames and measures how long they take.

    Attributes:
        frames: Number of frames computed.
        frames_lost: Number of frames skipped.
        frames_waited: Number of frames computed without a reading after them for some tracker.
    """

    def __init__(self) -> None:
        """Start all counters at zero."""
        self.frames = self.frames_lost = self.frames_waited = 0
        self._durations: deque[tuple[float, float]] = deque()
        self._latencies: deque[tuple[float, float]] = deque()

    def add_frame(self, now: float, duration: float, latency: float | None, complete: bool) -> None:
        """Count a frame.

        Args:
            now: Seconds on the session's clock.
            duration: Seconds that the model took.
            latency: Seconds since the packet that completed the frame arrived; None if no tracker
                had a reading after the frame.
            complete: Whether every bound tracker had a reading after the frame.
        """
        self.frames += 1
        self.frames_waited += not complete
        self._durations.append((now, duration))
        if latency is not None:
            self._latencies.append((now, latency))
        for figures in (self._durations, self._latencies):
            while figures and figures[0][0] < now - _RECENT:
                figures.popleft()

    @property
    def latencies(self) -> list[float]:
        """Latencies of the last second, in seconds, oldest first."""
        return [latency for _, latency in self._latencies]

    @property
    def latency_ms(self) -> float:
        """Median latency of the last second, 0 if there was no frame."""
        return 1000.0 * float(np.median(self.latencies)) if self._latencies else 0.0

    @property
    def model_ms(self) -> float:
        """Mean time of the model in the last second, 0 if there was no frame."""
        durations = [duration for _, duration in self._durations]
        return 1000.0 * float(np.mean(durations)) if durations else 0.0
