# SPDX-License-Identifier: GPL-3.0-or-later
"""From packets to readings."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ssrhmr_core.streaming import ProtocolName
from ssrhmr_core.streaming.decoding import LONGEST, ReadingQueue
from ssrhmr_core.streaming.protocols.osc import write_bundle


def line(time: float | None = 0.0, name: str = "a", x: float = 0.0) -> bytes:
    values: dict[str, Any] = {"name": name, "position": [x, 0, 0], "quaternion": [1, 0, 0, 0]}
    if time is not None:
        values["time"] = time
    return json.dumps(values).encode()


def test_times_become_local() -> None:
    queue = ReadingQueue("json", 100)
    for number in range(3):
        queue.add_packet(line(100.0 + number, x=number), "s", 7.0 + number)
    readings = queue.drain()
    assert [reading.time for reading in readings] == pytest.approx([7.0, 8.0, 9.0], abs=2e-3)
    assert [reading.arrival for reading in readings] == [7.0, 8.0, 9.0]
    assert queue.drain() == []


def test_without_a_sender_s_time_the_arrival_counts() -> None:
    queue = ReadingQueue("json", 100)
    queue.add_packet(line(None), "s", 7.0)
    queue.add_packet(line(None), "s", 8.0)
    assert [reading.time for reading in queue.drain()] == [7.0, 8.0]
    # The same place twice is a tracker that lies still.
    assert queue.counters.duplicate == 0


def test_duplicates_are_left_out_and_late_ones_handed_over() -> None:
    queue = ReadingQueue("json", 100)
    for number, time in enumerate((1.00, 1.01, 1.01, 1.03, 1.02, 1.03, 1.04)):
        queue.add_packet(line(time), "s", 5.0 + 0.01 * number)
    readings = queue.drain()
    assert len(readings) == 5
    assert (queue.counters.duplicate, queue.counters.late) == (2, 1)
    assert queue.counters.readings == 5 and queue.counters.datagrams == 7


def test_two_senders_have_two_clocks() -> None:
    queue = ReadingQueue("json", 100)
    for number in range(3):
        queue.add_packet(line(100.0 + number, "a"), "one", 5.0 + number)
        queue.add_packet(line(9.0 + number, "b"), "other", 5.2 + number)
    assert [reading.time for reading in queue.drain()] == pytest.approx(
        [5.0, 5.2, 6.0, 6.2, 7.0, 7.2], abs=2e-3
    )


def test_a_clock_that_stands_still_is_not_believed() -> None:
    queue = ReadingQueue("json", 100)
    for number in range(4):
        queue.add_packet(line(0.0, x=number), "s", 5.0 + number)
    assert [reading.time for reading in queue.drain()] == [5.0, 6.0, 7.0, 8.0]
    assert queue.counters.duplicate == 0


def test_a_time_that_came_before_is_not_placed_among_later_ones() -> None:
    """Some programs send twice within a tick of their clock, and networks hold packets back."""
    queue = ReadingQueue("json", 100)
    even = [(1.0 + number / 60.0, 5.0 + number / 60.0) for number in range(60)]
    packets = [*even, (2.0, 6.0), (2.0, 6.07), (2.02, 6.075), (2.04, 6.08)]
    for number, (sent, arrival) in enumerate(packets):
        queue.add_packet(line(sent, x=number), "s", arrival)
    readings = queue.drain()
    assert [reading.time for reading in readings[60:]] == pytest.approx(
        [6.0, 6.0, 6.02, 6.04], abs=1e-3
    )
    assert [reading.position[0] for reading in readings] == list(range(64))
    assert queue.counters.late == 0


def test_the_oldest_are_dropped_when_nobody_fetches_them() -> None:
    queue = ReadingQueue("json", 10)
    for number in range(25):
        queue.add_packet(line(float(number), x=number), "s", float(number))
    assert queue.counters.dropped == 15
    assert [reading.position[0] for reading in queue.drain()] == list(range(15, 25))


def test_bad_packets_are_counted() -> None:
    queue = ReadingQueue("json", 100)
    queue.add_packet(b"nonsense", "s", 0.0)
    queue.add_packet(b'"' + b" " * LONGEST, "s", 0.0)
    queue.add_packet(line(), "s", 0.0)
    counters = queue.counters
    assert (counters.datagrams, counters.malformed, counters.oversized) == (3, 1, 1)
    assert counters.readings == 1


def test_any_number_of_senders_and_devices_takes_bounded_memory() -> None:
    queue = ReadingQueue("json", 10)
    for number in range(3000):
        time = number / 100.0
        queue.add_packet(line(time, f"a{number}"), ("10.0.0.1", number), time)
        queue.add_packet(line(time, f"b{number}"), number % 500, time)
        queue.add_packet(line(time, f"c{number}"), "one", time)
    assert len(queue._senders) <= 32
    assert len(queue._senders._owners) <= 1024
    one = queue._senders._senders["one"]
    assert len(one._devices) <= 256
    assert len(queue.drain()) == 10


def test_a_clock_that_hardly_advances_is_not_believed() -> None:
    """SnekStudio writes whole seconds where 2 ** -32 seconds belong."""
    queue = ReadingQueue("json", 1000)
    for number in range(300):
        now = number / 60.0
        queue.add_packet(line(0.4 + int(now) * 2.0**-32, x=number / 10.0), "s", 5.0 + now)
    readings = queue.drain()
    assert len(readings) == 300 and queue.counters.late == 0
    for reading in readings:
        assert reading.time == reading.arrival


def test_who_stands_still_while_the_clock_does_is_no_duplicate() -> None:
    queue = ReadingQueue("json", 1000)
    for number in range(300):
        queue.add_packet(line(0.4), "s", 5.0 + number / 60.0)
    times = [reading.time for reading in queue.drain()]
    assert len(times) > 270 and times[-1] == pytest.approx(5.0 + 299 / 60.0)


def test_two_senders_of_the_same_devices_are_not_woven_together() -> None:
    queue = ReadingQueue("json", 1000)
    for number in range(60):
        now = number / 60.0
        queue.add_packet(line(None, "left_foot", 0.0), ("10.0.0.1", 5000), now)
        queue.add_packet(line(None, "left_foot", 2.0), ("10.0.0.2", 6000), now + 0.004)
        queue.add_packet(line(None, "sword", 3.0), ("10.0.0.2", 6000), now + 0.004)
    readings = queue.drain()
    assert {reading.position[0] for reading in readings} == {0.0}
    assert len(readings) == 60 and queue.counters.ignored == 120
    assert queue.notice == (
        "two senders: 10.0.0.2:6000 is ignored, because 10.0.0.1:5000 was first to send"
        " 'left_foot'. Stop one of them, or let it use another port"
    )
    # The second one takes over only when the first one is silent for long: networks pause.
    for number in range(60, 720):
        queue.add_packet(line(None, "left_foot", 2.0), ("10.0.0.2", 6000), number / 60.0)
    times = [reading.time for reading in queue.drain()]
    assert 10.9 < times[0] < 11.3 and len(times) > 40
    assert queue.notice == ""
    # Then it is the first one that is not woven in.
    for number in range(720, 780):
        queue.add_packet(line(None, "left_foot", 2.0), ("10.0.0.2", 6000), number / 60.0)
        queue.add_packet(line(None, "left_foot", 0.0), ("10.0.0.1", 5000), number / 60.0 + 0.004)
    assert {reading.position[0] for reading in queue.drain()} == {2.0}
    assert queue.notice.startswith("two senders: 10.0.0.1:5000 is ignored")


def test_a_sender_that_was_started_again_takes_over_soon() -> None:
    queue = ReadingQueue("json", 1000)
    for number in range(60):
        queue.add_packet(line(None, "left_foot", 0.0), ("10.0.0.1", 5000), number / 60.0)
    queue.drain()
    # It sends from a new port, at once: within the second for which the old one counts.
    for number in range(70, 180):
        queue.add_packet(line(None, "left_foot", 2.0), ("10.0.0.1", 5001), number / 60.0)
    times = [reading.time for reading in queue.drain()]
    assert 1.9 < times[0] < 2.3 and len(times) > 40
    assert queue.notice == ""


def test_two_senders_of_different_devices_are_both_used() -> None:
    queue = ReadingQueue("json", 1000)
    for number in range(10):
        queue.add_packet(line(None, "a"), ("10.0.0.1", 5000), number / 60.0)
        queue.add_packet(line(None, "b"), ("10.0.0.1", 6000), number / 60.0)
    assert queue.counters.readings == 20 and queue.notice == ""


def test_made_up_ports_do_not_take_a_sender_s_place() -> None:
    """What is spread over several packets is still put together."""
    queue = ReadingQueue("vrchat", 1000)
    for number in range(50):
        now = number / 60.0
        for part, value in (("position", float(number)), ("rotation", 0.0)):
            packet = write_bundle([(f"/tracking/trackers/1/{part}", (value, 1.0, 0.0))])
            queue.add_packet(packet, ("10.0.0.1", 5000), now)
            for port in range(40):
                spoofed = ("10.0.0.9", 1000 + port + 40 * number)
                queue.add_packet(b"/nothing\x00\x00\x00\x00,\x00\x00\x00", spoofed, now)
    assert [reading.position[0] for reading in queue.drain()] == [-float(n) for n in range(50)]


def test_a_sender_with_a_new_port_for_each_packet_is_one_sender() -> None:
    queue = ReadingQueue("json", 1000)
    for number in range(300):
        packet = line(None, x=number / 10.0)
        queue.add_packet(packet, ("10.0.0.1", 5000 + number), number / 60.0)
    readings = queue.drain()
    # It is taken for a second sender until it is clear that the first never comes again.
    assert len(readings) > 200
    assert [reading.position[0] for reading in readings[-200:]] == [
        n / 10.0 for n in range(100, 300)
    ]
    assert queue.notice == ""


MOCOPI = b"\x2a\x00\x00\x00head\x12\x00\x00\x00ftypsony motion format"


@pytest.mark.parametrize(
    ("protocol", "packet", "message"),
    [
        ("vrchat", write_bundle([("/VMC/Ext/OK", (1,))]), "sends VMC: choose that protocol"),
        ("vmc", line(), "sends JSON lines: choose that protocol"),
        (
            "json",
            write_bundle([("/tracking/trackers/1/position", (0.0, 0.0, 0.0))]),
            "sends VRChat OSC: choose that protocol",
        ),
        ("vmc", write_bundle([("/VMC/Ext/OK", (1,))]), "sends VMC, but no trackers or bones"),
        ("vmc", write_bundle([("/hmd/1", (1.0,) * 6)]), "OSC messages of another kind (/hmd/1)"),
        ("vmc", MOCOPI, "sends mocopi: choose that protocol"),
        ("json", b"\x00\x01\x02", "sends something that cannot be read"),
    ],
)
def test_what_gives_no_readings_is_explained(
    protocol: ProtocolName, packet: bytes, message: str
) -> None:
    queue = ReadingQueue(protocol, 100)
    for number in range(60):
        queue.add_packet(packet, ("10.0.0.1", 5000), number / 60.0)
    assert queue.notice.startswith("10.0.0.1:5000 sends ") and message in queue.notice


def test_halves_that_were_lost_keep_their_own_arrival() -> None:
    queue = ReadingQueue("vrchat", 10)
    halves = ((1.0, "rotation"), (1.0, "position"), (1.1, "position"), (1.2, "position"))
    for arrival, what in halves:
        packet = write_bundle([(f"/tracking/trackers/1/{what}", (0.0, 0.0, 0.0))])
        queue.add_packet(packet, "s", arrival)
    assert [reading.time for reading in queue.drain()] == [1.0, 1.1]
