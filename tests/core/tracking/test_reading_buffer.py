# SPDX-License-Identifier: GPL-3.0-or-later
"""Readings of one tracker over time."""

from __future__ import annotations

import numpy as np
import pytest

from ssrhmr_core.tracking.reading_buffer import (
    MAX_GAP,
    BufferedReading,
    ReadingBuffer,
    sample,
    sample_buffers,
)
from ssrhmr_core.tracking.take import Take


def reading(time: float, x: float | None = None, valid: bool = True) -> BufferedReading:
    return BufferedReading(
        time, (time if x is None else x, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0), valid, time
    )


def track(*samples: BufferedReading) -> ReadingBuffer:
    made = ReadingBuffer(2.0)
    for each in samples:
        made.add(each)
    return made


def at(made: ReadingBuffer, times: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    positions, rotations, valid = sample_buffers([made], times)
    return positions[:, 0], rotations[:, 0], valid[:, 0]


def seen(made: ReadingBuffer, *times: float) -> list[bool]:
    return at(made, np.array(times))[2].tolist()


def test_between_two_readings() -> None:
    made = track(reading(1.0), reading(1.1), reading(1.2))
    positions, rotations, valid = at(made, np.array([1.0, 1.05, 1.15, 1.2]))
    np.testing.assert_allclose(positions[:, 0], [1.0, 1.05, 1.15, 1.2], atol=1e-6)
    np.testing.assert_allclose(rotations, [[1, 0, 0, 0]] * 4, atol=1e-6)
    assert valid.all()
    assert positions.dtype == rotations.dtype == np.float32


def test_the_same_as_a_take_gives(take_of_random_turns: Take) -> None:
    take = take_of_random_turns
    times = np.linspace(take.times[0], take.times[-1], 333)
    wanted = take.at(times)
    tracks = []
    for tracker in range(6):
        made = ReadingBuffer(100.0)
        for frame, time in enumerate(take.times.tolist()):
            position = tuple(take.positions[frame, tracker].tolist())
            rotation = tuple(take.rotations[frame, tracker].tolist())
            valid = bool(take.valid[frame, tracker])
            made.add(BufferedReading(time, position, rotation, valid, time))
        tracks.append(made)
    found = sample_buffers(tracks, times)
    columns = [
        sample(take.times, take.positions[:, t], take.rotations[:, t], take.valid[:, t], times)
        for t in range(6)
    ]
    for ours, others in zip(found, zip(*columns, strict=True), strict=True):
        np.testing.assert_allclose(ours, np.stack(others, 1), atol=1e-6)
    positions, rotations, seen = found
    np.testing.assert_array_equal(seen, wanted.valid)
    np.testing.assert_allclose(positions[seen], wanted.positions[seen], atol=1e-6)
    same = np.abs((rotations[seen] * wanted.rotations[seen]).sum(-1))
    np.testing.assert_allclose(same, 1.0, atol=1e-6)


def test_one_that_there_is_not() -> None:
    positions, rotations, valid = sample_buffers([None, track(reading(1.0))], np.array([1.0, 2.0]))
    assert valid.tolist() == [[False, True], [False, False]]
    assert np.isfinite(positions).all() and np.isfinite(rotations).all()


@pytest.fixture
def take_of_random_turns() -> Take:
    random = np.random.default_rng(2)
    rotations = random.standard_normal((50, 6, 4))
    rotations /= np.linalg.norm(rotations, axis=-1, keepdims=True)
    valid = np.ones((50, 6), bool)
    valid[10:14, 1] = False
    return Take(
        np.cumsum(random.uniform(0.005, 0.03, 50)),
        random.standard_normal((50, 6, 3)).astype("f4"),
        rotations.astype("f4"),
        valid,
    )


def test_before_the_first_and_after_the_last_nothing_is_seen() -> None:
    made = track(reading(1.0), reading(1.1))
    assert seen(made, 0.9, 1.0, 1.1, 1.2) == [False, True, True, False]
    assert seen(ReadingBuffer(2.0), 1.0) == [False]


def test_gaps_are_bridged_only_when_short() -> None:
    made = track(reading(1.0), reading(1.0 + 0.9 * MAX_GAP), reading(3.0))
    assert seen(made, 1.1, 2.0, 3.0) == [True, False, True]


def test_readings_that_are_not_valid() -> None:
    made = track(reading(1.0), reading(1.1, 99.0, valid=False), reading(1.2), reading(1.3))
    assert seen(made, 1.0, 1.05, 1.1, 1.15, 1.2, 1.25) == [True, False, False, False, True, True]
    assert made.last_valid is not None and made.last_valid.time == 1.3


def test_order_of_arrival_does_not_matter() -> None:
    samples = [reading(1.0 + 0.01 * number) for number in range(20)]
    mixed = [samples[i] for i in np.random.default_rng(1).permutation(20)]
    times = np.linspace(1.0, 1.19, 77)
    for one, other in zip(at(track(*samples), times), at(track(*mixed), times), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_reading_of_the_same_time_replaces() -> None:
    made = track(reading(1.0), reading(1.0, 5.0))
    assert len(made) == 1
    assert at(made, np.array([1.0]))[0][0, 0] == 5.0


def test_old_ones_are_forgotten() -> None:
    made = ReadingBuffer(2.0)
    for number in range(5000):
        made.add(reading(number / 100.0))
        assert len(made) <= 402
    assert made.newest == pytest.approx(49.99)
    assert made.newest - made.first >= 2.0


def test_first_reading_at_or_after() -> None:
    made = track(reading(1.0), reading(1.1))
    assert [found.time if (found := made.after(t)) else None for t in (0.5, 1.0, 1.05, 1.2)] == [
        1.0,
        1.0,
        1.1,
        None,
    ]
