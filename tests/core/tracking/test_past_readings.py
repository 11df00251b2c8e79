# SPDX-License-Identifier: GPL-3.0-or-later
"""The readings of the last minute."""

from __future__ import annotations

import numpy as np

from ssrhmr_core.model.tracker_predictor import AGO
from ssrhmr_core.tracking.past_readings import MEMORY, Moment, Readings, ReadingsMemory


def moment(number: int) -> Moment:
    return (
        np.full((6, 3), number, np.float32),
        np.tile(np.eye(3, dtype=np.float32), (6, 1, 1)),
        np.ones(6, bool),
    )


def test_a_memory_keeps_a_minute_and_its_past() -> None:
    memory = ReadingsMemory()
    assert len(memory.in_order().known) == 0
    for number in range(10):
        memory.note(moment(number))
    np.testing.assert_array_equal(memory.in_order().positions[:, 0, 0], range(10))
    for number in range(10, 5000):
        memory.note(moment(number))
    kept = memory.in_order().positions[:, 0, 0]
    np.testing.assert_array_equal(kept, range(5000 - MEMORY - max(AGO), 5000))
    assert memory.frames == 5000


def test_a_memory_forgets_one_tracker() -> None:
    memory = ReadingsMemory()
    for number in range(5):
        memory.note(moment(number))
    memory.forget(2)
    memory.note(moment(5))
    known = memory.in_order().known
    assert not known[:5, 2].any() and known[5, 2]
    assert known[:, [0, 1, 3, 4, 5]].all()


def test_an_interruption_leaves_the_next_frame_without_a_past() -> None:
    memory = ReadingsMemory()
    memory.interrupt()
    assert memory.frames == 0, "nothing was interrupted"
    for number in range(MEMORY + 100):
        memory.note(moment(number))
    memory.interrupt()
    memory.note(moment(1))
    readings = memory.in_order()
    newest = len(readings.known) - 1
    history = readings.before(np.array([newest]))
    assert history.known[0, 0].all() and not history.known[0, 1:].any()
    assert readings.known[: newest - max(AGO)].all()


def test_moments_before_the_first_are_the_first() -> None:
    memory = ReadingsMemory()
    for number in range(40):
        memory.note(moment(number))
    readings = memory.in_order()
    before = readings.before(np.array([0, 5, 39])).positions[:, :, 0, 0]
    np.testing.assert_array_equal(before[0], 0)
    np.testing.assert_array_equal(before[1], [5, 3, 1, 0, 0, 0])
    np.testing.assert_array_equal(before[2], 39 - np.array(AGO))
    stacked = Readings.stack([readings.part(frame) for frame in range(39, 6, -1)])
    np.testing.assert_array_equal(
        stacked.positions[0], readings.before(np.array([39])).positions[0]
    )


def test_trackers_are_hidden_in_a_copy() -> None:
    memory = ReadingsMemory()
    memory.note(moment(0))
    readings = memory.in_order()
    hidden = readings.without(np.arange(6) == 4)
    assert not hidden.known[:, 4].any() and hidden.known[:, :4].all()
    assert readings.known.all()
