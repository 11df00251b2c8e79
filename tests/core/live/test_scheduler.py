# SPDX-License-Identifier: GPL-3.0-or-later
"""The model's clock: which frames are due."""

from __future__ import annotations

import numpy as np
import pytest

from ssrhmr_core.live.scheduler import (
    MAX_FRAMES,
    NO_ANCHOR,
    FrameScheduler,
    sample_trackers,
)
from ssrhmr_core.tracking.reading_buffer import BufferedReading, ReadingBuffer

RATE = 60.0


def filled(begin: float, end: float, rate: float = RATE) -> ReadingBuffer:
    buffer = ReadingBuffer(10.0)
    for index in range(round((end - begin) * rate) + 1):
        time = begin + index / rate
        buffer.add(BufferedReading(time, (time, 1.0, 0.0), (1.0, 0.0, 0.0, 0.0), True, time))
    return buffer


def test_frames_are_due_between_two_readings_of_every_tracker() -> None:
    scheduler = FrameScheduler(wait=0.05)
    buffers = {"head": filled(0.0, 1.0), "pelvis": filled(0.0, 0.9)}
    times, skipped = scheduler.take_due(0.92, buffers)
    assert skipped == 0 and scheduler.started
    np.testing.assert_allclose(np.diff(times), 1.0 / RATE)
    # The pelvis has no reading after 0.9 s, and may be late.
    assert 0.9 - 1.0 / RATE < times[-1] <= 0.9
    assert len(scheduler.take_due(0.92, buffers)[0]) == 0
    # It is not waited for any longer than that.
    times, _ = scheduler.take_due(1.0, buffers)
    assert times[-1] == pytest.approx(0.95, abs=1.0 / RATE)


def test_frames_that_were_not_computed_are_due_again() -> None:
    scheduler = FrameScheduler(wait=0.05)
    buffers = {"head": filled(0.0, 1.0)}
    times, _ = scheduler.take_due(1.0, buffers)
    scheduler.put_back(3)
    np.testing.assert_allclose(scheduler.take_due(1.0, buffers)[0], times[-3:])


def test_the_oldest_frames_are_skipped_when_too_many_are_due() -> None:
    scheduler = FrameScheduler(wait=0.05)
    times, skipped = scheduler.take_due(5.0, {"head": filled(0.0, 5.0)})
    assert (len(times), skipped) == (MAX_FRAMES, 300 - MAX_FRAMES)
    assert times[-1] == pytest.approx(5.0, abs=1.0 / RATE)


def test_the_clock_needs_pelvis_or_head_and_starts_with_readings_after_a_restart() -> None:
    scheduler = FrameScheduler(wait=0.05)
    assert len(scheduler.take_due(1.0, {"left_hand": filled(0.0, 1.0)})[0]) == 0
    assert scheduler.message == NO_ANCHOR and not scheduler.started
    scheduler.restart(0.5)
    times, _ = scheduler.take_due(1.0, {"left_hand": filled(0.0, 1.0), "head": filled(0.0, 1.0)})
    assert scheduler.message == "" and times[0] >= 0.5


def test_silence() -> None:
    scheduler = FrameScheduler(wait=0.05)
    buffers = {"head": filled(0.0, 1.0)}
    assert not scheduler.is_silent(9.0, buffers)
    scheduler.take_due(1.0, buffers)
    assert not scheduler.is_silent(1.9, buffers)
    assert scheduler.is_silent(2.1, buffers)


def test_trackers_without_a_device_are_not_valid() -> None:
    positions, rotations, valid, turned = sample_trackers(
        {"head": filled(0.0, 1.0)}, np.array([0.5, 3.0])
    )
    np.testing.assert_array_equal(valid, turned)
    assert positions.shape == (2, 6, 3) and rotations.shape == (2, 6, 4)
    assert valid.tolist() == [[False, True, False, False, False, False], [False] * 6]
    assert positions[0, 1, 0] == pytest.approx(0.5, abs=1e-6)
