# SPDX-License-Identifier: GPL-3.0-or-later
"""From packets to readings."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ssrhmr_core.streaming.decoding import LONGEST, ReadingQueue
from ssrhmr_core.streaming.protocols.osc import bundle


def line(time: float | None = 0.0, name: str = "a", x: float = 0.0) -> bytes:
    values: dict[str, Any] = {"name": name, "position": [x, 0, 0], "quaternion": [1, 0, 0, 0]}
    if time is not None:
        values["time"] = time
    return json.dumps(values).encode()


def test_times_become_local() -> None:
    intake = ReadingQueue("json", 100)
    for number in range(3):
        intake.add_packet(line(100.0 + number, x=number), "s", 7.0 + number)
    readings = intake.drain()
    assert [reading.time for reading in readings] == pytest.approx([7.0, 8.0, 9.0], abs=2e-3)
    assert [reading.arrival for reading in readings] == [7.0, 8.0, 9.0]
    assert intake.drain() == []


def test_without_a_sender_s_time_the_arrival_counts() -> None:
    intake = ReadingQueue("json", 100)
    intake.add_packet(line(None), "s", 7.0)
    intake.add_packet(line(None), "s", 8.0)
    assert [reading.time for reading in intake.drain()] == [7.0, 8.0]
    # The same place twice is a tracker that lies still.
    assert intake.counters.duplicate == 0


def test_duplicates_are_left_out_and_late_ones_handed_over() -> None:
    intake = ReadingQueue("json", 100)
    for number, time in enumerate((1.00, 1.01, 1.01, 1.03, 1.02, 1.03, 1.04)):
        intake.add_packet(line(time), "s", 5.0 + 0.01 * number)
    readings = intake.drain()
    assert len(readings) == 5
    assert (intake.counters.duplicate, intake.counters.late) == (2, 1)
    assert intake.counters.readings == 5 and intake.counters.datagrams == 7


def test_two_senders_have_two_clocks() -> None:
    intake = ReadingQueue("json", 100)
    for number in range(3):
        intake.add_packet(line(100.0 + number, "a"), "one", 5.0 + number)
        intake.add_packet(line(9.0 + number, "b"), "other", 5.2 + number)
    assert [reading.time for reading in intake.drain()] == pytest.approx(
        [5.0, 5.2, 6.0, 6.2, 7.0, 7.2], abs=2e-3
    )


def test_a_clock_that_stands_still_is_not_believed() -> None:
    intake = ReadingQueue("json", 100)
    for number in range(4):
        intake.add_packet(line(0.0, x=number), "s", 5.0 + number)
    assert [reading.time for reading in intake.drain()] == [5.0, 6.0, 7.0, 8.0]
    assert intake.counters.duplicate == 0


def test_the_oldest_are_dropped_when_nobody_fetches_them() -> None:
    intake = ReadingQueue("json", 10)
    for number in range(25):
        intake.add_packet(line(float(number), x=number), "s", float(number))
    assert intake.counters.dropped == 15
    assert [reading.position[0] for reading in intake.drain()] == list(range(15, 25))


def test_bad_packets_are_counted() -> None:
    intake = ReadingQueue("json", 100)
    intake.add_packet(b"nonsense", "s", 0.0)
    intake.add_packet(b'"' + b" " * LONGEST, "s", 0.0)
    intake.add_packet(line(), "s", 0.0)
    counters = intake.counters
    assert (counters.datagrams, counters.malformed, counters.oversized) == (3, 1, 1)
    assert counters.readings == 1


def test_any_number_of_senders_and_devices_takes_bounded_memory() -> None:
    intake = ReadingQueue("json", 10)
    for number in range(3000):
        intake.add_packet(line(float(number), str(number)), number % 500, float(number))
        intake.add_packet(line(float(number), str(number)), "one", float(number))
    assert len(intake._senders) <= 32
    assert len(intake._senders["one"].devices) <= 256
    assert len(intake.drain()) == 10


def test_halves_that_were_lost_keep_their_own_arrival() -> None:
    intake = ReadingQueue("vrchat", 10)
    halves = ((1.0, "rotation"), (1.0, "position"), (2.0, "position"), (3.0, "position"))
    for arrival, what in halves:
        packet = bundle([(f"/tracking/trackers/1/{what}", (0.0, 0.0, 0.0))])
        intake.add_packet(packet, "s", arrival)
    assert [reading.time for reading in intake.drain()] == [1.0, 2.0]
