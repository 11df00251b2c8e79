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


def make_buffer(*readings: BufferedReading) -> ReadingBuffer:
    buffer = ReadingBuffer(2.0)
    for each in readings:
        buffer.add(each)
    return buffer


def sample_at(
    buffer: ReadingBuffer, times: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    positions, rotations, valid = sample_buffers([buffer], times)
    return positions[:, 0], rotations[:, 0], valid[:, 0]


def valid_at(buffer: ReadingBuffer, *times: float) -> list[bool]:
    return sample_at(buffer, np.array(times))[2].tolist()


def test_between_two_readings() -> None:
    buffer = make_buffer(reading(1.0), reading(1.1), reading(1.2))
    positions, rotations, valid = sample_at(buffer, np.array([1.0, 1.05, 1.15, 1.2]))
    np.testing.assert_allclose(positions[:, 0], [1.0, 1.05, 1.15, 1.2], atol=1e-6)
    np.testing.assert_allclose(rotations, [[1, 0, 0, 0]] * 4, atol=1e-6)
    assert valid.all()
    assert positions.dtype == rotations.dtype == np.float32


def test_the_same_as_a_take_gives(take_of_random_rotations: Take) -> None:
    take = take_of_random_rotations
    times = np.linspace(take.times[0], take.times[-1], 333)
    expected = take.at(times)
    buffers = []
    for tracker in range(6):
        buffer = ReadingBuffer(100.0)
        for frame, time in enumerate(take.times.tolist()):
            position = tuple(take.positions[frame, tracker].tolist())
            rotation = tuple(take.rotations[frame, tracker].tolist())
            is_valid = bool(take.valid[frame, tracker])
            buffer.add(BufferedReading(time, position, rotation, is_valid, time))
        buffers.append(buffer)
    samples = sample_buffers(buffers, times)
    columns = [
        sample(take.times, take.positions[:, t], take.rotations[:, t], take.valid[:, t], times)
        for t in range(6)
    ]
    for ours, others in zip(samples, zip(*columns, strict=True), strict=True):
        np.testing.assert_allclose(ours, np.stack(others, 1), atol=1e-6)
    positions, rotations, valid = samples
    np.testing.assert_array_equal(valid, expected.valid)
    np.testing.assert_allclose(positions[valid], expected.positions[valid], atol=1e-6)
    same = np.abs((rotations[valid] * expected.rotations[valid]).sum(-1))
    np.testing.assert_allclose(same, 1.0, atol=1e-6)


def test_a_missing_buffer_is_not_valid() -> None:
    positions, rotations, valid = sample_buffers(
        [None, make_buffer(reading(1.0))], np.array([1.0, 2.0])
    )
    assert valid.tolist() == [[False, True], [False, False]]
    assert np.isfinite(positions).all() and np.isfinite(rotations).all()


@pytest.fixture
def take_of_random_rotations() -> Take:
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


def test_nothing_is_valid_before_the_first_and_after_the_last_reading() -> None:
    buffer = make_buffer(reading(1.0), reading(1.1))
    assert valid_at(buffer, 0.9, 1.0, 1.1, 1.2) == [False, True, True, False]
    assert valid_at(ReadingBuffer(2.0), 1.0) == [False]


def test_gaps_are_bridged_only_when_short() -> None:
    buffer = make_buffer(reading(1.0), reading(1.0 + 0.9 * MAX_GAP), reading(3.0))
    assert valid_at(buffer, 1.1, 2.0, 3.0) == [True, False, True]


def test_readings_that_are_not_valid() -> None:
    buffer = make_buffer(reading(1.0), reading(1.1, 99.0, valid=False), reading(1.2), reading(1.3))
    assert valid_at(buffer, 1.0, 1.05, 1.1, 1.15, 1.2, 1.25) == [
        True,
        False,
        False,
        False,
        True,
        True,
    ]
    assert buffer.last_valid is not None and buffer.last_valid.time == 1.3


def test_order_of_arrival_does_not_matter() -> None:
    readings = [reading(1.0 + 0.01 * number) for number in range(20)]
    mixed = [readings[i] for i in np.random.default_rng(1).permutation(20)]
    times = np.linspace(1.0, 1.19, 77)
    for one, other in zip(
        sample_at(make_buffer(*readings), times), sample_at(make_buffer(*mixed), times), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_a_reading_of_the_same_time_replaces() -> None:
    buffer = make_buffer(reading(1.0), reading(1.0, 5.0))
    assert len(buffer) == 1
    assert sample_at(buffer, np.array([1.0]))[0][0, 0] == 5.0


def test_old_ones_are_forgotten() -> None:
    buffer = ReadingBuffer(2.0)
    for number in range(5000):
        buffer.add(reading(number / 100.0))
        assert len(buffer) <= 402
    assert buffer.newest == pytest.approx(49.99)
    assert buffer.newest - buffer.first >= 2.0


def test_first_reading_at_or_after() -> None:
    buffer = make_buffer(reading(1.0), reading(1.1))
    assert [after.time if (after := buffer.after(t)) else None for t in (0.5, 1.0, 1.05, 1.2)] == [
        1.0,
        1.0,
        1.1,
        None,
    ]
