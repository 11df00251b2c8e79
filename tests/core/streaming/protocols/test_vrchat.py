# SPDX-License-Identifier: GPL-3.0-or-later
"""VRChat's OSC trackers."""

from __future__ import annotations

import math

import pytest

from ssrhmr_core.streaming.protocols.osc import write_bundle
from ssrhmr_core.streaming.protocols.vrchat import VrchatDecoder, encode
from ssrhmr_core.streaming.readings import Reading
from tests.core.streaming.conftest import same_place

EPOCH = 3.9e9


def half(name: str, what: str, *values: float) -> bytes:
    return write_bundle([(f"/tracking/trackers/{name}/{what}", values)])


def test_round_trip() -> None:
    sent = [
        Reading("head", (0.1, 1.7, 0.2), (0.5, 0.5, -0.5, 0.5), EPOCH, True, "hmd"),
        Reading("tracker 8", (0.7, 1.4, -0.1), (0.6, 0.0, 0.8, 0.0), EPOCH, True, "tracker"),
    ]
    (packet,) = encode(sent)
    got = VrchatDecoder().decode(packet, 3.0)
    assert len(got) == 2
    for one, other in zip(sent, got, strict=True):
        assert same_place(one, other, degrees=1e-4)
        assert other.kind == one.kind
        assert other.time == pytest.approx(EPOCH, abs=1e-6)


def test_wrists_and_parts_of_poses_are_sent() -> None:
    sent = [
        Reading("left wrist", (0.7, 1.4, -0.1), (0.6, 0.0, 0.8, 0.0), EPOCH, True, "controller"),
        Reading("tracker 4", (0.1, 1.0, 0.2), (1.0, 0.0, 0.0, 0.0), EPOCH, has_rotation=False),
        Reading("tracker 5", (0.0, 0.0, 0.0), (0.6, 0.0, 0.8, 0.0), EPOCH, has_position=False),
    ]
    decoder = VrchatDecoder()
    for number in range(30):
        now = number / 60.0
        frame = [reading._replace(time=EPOCH + now) for reading in sent]
        got = [reading for packet in encode(frame) for reading in decoder.decode(packet, now)]
    for one, other in zip(frame, got, strict=True):
        assert same_place(one, other, degrees=1e-4)
        assert (other.kind, other.has_position, other.has_rotation) == (
            *(one.kind, one.has_position, one.has_rotation),
        )


def test_what_is_not_seen_is_not_sent() -> None:
    assert encode([Reading("head", (0, 0, 0), (1, 0, 0, 0), EPOCH, False)]) == []


@pytest.mark.parametrize("order", [("position", "rotation"), ("rotation", "position")])
def test_halves_are_put_together_in_either_order(order: tuple[str, str]) -> None:
    decoder = VrchatDecoder()
    values = {"position": (1.0, 2.0, 3.0), "rotation": (0.0, 90.0, 0.0)}
    assert decoder.decode(half("3", order[0], *values[order[0]]), 10.0) == []
    (reading,) = decoder.decode(half("3", order[1], *values[order[1]]), 10.001)
    assert reading.device == "tracker 3"
    assert reading.position == (-1.0, 2.0, 3.0)
    assert reading.rotation == pytest.approx((0.5**0.5, 0.0, -(0.5**0.5), 0.0))
    assert reading.arrival == 10.0


@pytest.mark.parametrize("lost", ["position", "rotation"])
def test_a_lost_half_does_not_mix_up_later_moments(lost: str) -> None:
    decoder = VrchatDecoder()
    found = []
    for number in range(6):
        for what in ("position", "rotation"):
            if (number, what) != (3, lost):
                packet = half("1", what, float(number), 0.0, 0.0)
                found += decoder.decode(packet, 0.01 * number)
    # Moment 3 has its own half and the other one of moment 2.
    expected = [(n, n) for n in range(6)]
    expected[3] = (2, 3) if lost == "position" else (3, 2)
    got = [
        (-reading.position[0], 2.0 * math.degrees(math.asin(reading.rotation[1])))
        for reading in found
    ]
    assert [(round(a), round(b)) for a, b in got] == expected
    assert [reading.arrival for reading in found] == [0.01 * number for number in range(6)]


def test_a_head_with_positions_only_is_listed_as_such() -> None:
    """SlimeVR sends the head's rotation only when its user resets it: that is no rotation."""
    decoder = VrchatDecoder()
    readings: list[Reading] = []
    for number in range(200):
        now = number / 100.0
        readings += decoder.decode(half("head", "position", 0.0, 1.7, now), now)
        if number in (100, 130):
            readings += decoder.decode(half("head", "rotation", 0.0, 90.0, 0.0), now)
    assert all(reading.device == "head" and not reading.has_rotation for reading in readings)
    # From a quarter of a second on, and each at once.
    assert len(readings) == 200 - 26
    assert [reading.position[2] for reading in readings[-3:]] == pytest.approx([1.97, 1.98, 1.99])
    assert {reading.rotation for reading in readings} == {(1.0, 0.0, 0.0, 0.0)}
    assert decoder.notice == ""


def test_rotations_that_begin_later_count() -> None:
    decoder = VrchatDecoder()
    for number in range(50):
        decoder.decode(half("1", "position", 0.0, 1.0, 0.0), number / 100.0)
    readings: list[Reading] = []
    for number in range(50, 60):
        for part in ("position", "rotation"):
            readings += decoder.decode(half("1", part, 0.0, 90.0, 0.0), number / 100.0)
    assert readings[-1].has_rotation
    assert readings[-1].rotation == pytest.approx((0.5**0.5, 0.0, -(0.5**0.5), 0.0))


def test_a_network_that_holds_packets_back_takes_no_rotations_away() -> None:
    decoder = VrchatDecoder()
    readings: list[Reading] = []
    for number in range(100):
        arrival = number / 100.0 if not 30 <= number < 70 else 0.7
        for part in ("position", "rotation"):
            readings += decoder.decode(half("1", part, 0.0, float(number), 0.0), arrival)
    assert len(readings) == 100 and all(reading.has_rotation for reading in readings)


def test_trackers_with_positions_only_are_listed_and_reported() -> None:
    """ALVR sends no rotations at all."""
    decoder = VrchatDecoder()
    devices: set[str] = set()
    for number in range(72):
        for name in ("head", *range(1, 9)):
            packet = half(str(name), "position", 0.0, 1.0, 0.0)
            devices |= {r.device for r in decoder.decode(packet, number / 72.0)}
    assert devices == {"head", *(f"tracker {number}" for number in range(1, 9))}
    assert "no rotations" in decoder.notice


def test_a_tracker_with_rotations_only_is_listed_as_such() -> None:
    decoder = VrchatDecoder()
    readings: list[Reading] = []
    for number in range(100):
        readings += decoder.decode(half("head", "rotation", 0.0, 90.0, 0.0), number / 100.0)
    # From a quarter of a second on, and each at once.
    assert len(readings) == 100 - 26
    assert all(reading.valid and not reading.has_position for reading in readings)
    assert readings[-1].rotation == pytest.approx((0.5**0.5, 0.0, -(0.5**0.5), 0.0))
    # Until positions come after all.
    for number in range(100, 110):
        for part in ("position", "rotation"):
            readings += decoder.decode(half("head", part, 0.0, 1.7, 0.0), number / 100.0)
    assert readings[-1].has_position
    assert readings[-1].position == pytest.approx((0.0, 1.7, 0.0))
    # A place of long ago is not where the head is: it has rotations only again.
    later: list[Reading] = []
    for number in range(110, 200):
        later += decoder.decode(half("head", "rotation", 0.0, 90.0, 0.0), number / 100.0)
    assert [reading.has_position for reading in later[-60:]] == [False] * 60
    for number in range(200, 203):
        for part in ("position", "rotation"):
            later += decoder.decode(half("head", part, 0.0, 1.6, 0.0), number / 100.0)
    assert later[-1].has_position
    assert later[-1].position == pytest.approx((0.0, 1.6, 0.0))


def test_poses_of_vrchat_itself() -> None:
    decoder = VrchatDecoder()
    packets = [
        write_bundle([(f"/tracking/vrsystem/{part}/pose", (1.0, 1.5, 2.0, 0.0, 90.0, 0.0))])
        for part in ("head", "leftwrist", "rightwrist")
    ]
    readings = [reading for packet in packets for reading in decoder.decode(packet, 1.0)]
    assert [(reading.device, reading.kind) for reading in readings] == [
        ("headset", "hmd"),
        ("left wrist", "controller"),
        ("right wrist", "controller"),
    ]
    for reading in readings:
        assert reading.position == (-1.0, 1.5, 2.0)
        assert reading.rotation == pytest.approx((0.5**0.5, 0.0, -(0.5**0.5), 0.0))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((0.0, 0.6, 0.0, 0.8), (0.8, 0.0, -0.6, 0.0)),
        ((0.0, 0.0, 0.0, -1.0), (-1.0, 0.0, 0.0, 0.0)),
        # Angles, and more than belongs there.
        ((0.0, 90.0, 0.0, 1.0, 2.0), (0.5**0.5, 0.0, -(0.5**0.5), 0.0)),
    ],
)
def test_rotations_of_four_numbers_are_quaternions(
    values: tuple[float, ...], expected: tuple[float, ...]
) -> None:
    decoder = VrchatDecoder()
    decoder.decode(half("1", "position", 0.0, 1.0, 0.0, 5.0), 0.0)
    (reading,) = decoder.decode(half("1", "rotation", *values), 0.0)
    assert reading.rotation == pytest.approx(expected)


def test_trackers_that_were_never_seen_lie_at_the_origin() -> None:
    decoder = VrchatDecoder()
    decoder.decode(half("1", "position", 0.0, 0.0, 0.0), 0.0)
    (reading,) = decoder.decode(half("1", "rotation", 0.0, 0.0, 0.0), 0.0)
    assert not reading.valid


def test_other_addresses_are_no_matter() -> None:
    decoder = VrchatDecoder()
    for address in ("/tracking/trackers/9/position", "/avatar/change", "/tracking/eye/x"):
        assert decoder.decode(write_bundle([(address, (1.0, 2.0, 3.0))]), 0.0) == []


@pytest.mark.parametrize(
    ("part", "values"),
    [
        ("position", (1.0, 2.0)),
        ("position", (1.0, 2.0, math.inf)),
        ("position", (1.0, 2.0, "3")),
        ("rotation", (1.0, 2.0)),
        ("rotation", (1.0, 2.0, math.nan)),
        ("rotation", (0.0, 90.0, 0.0, 1.0)),
        ("rotation", (0.0, 0.0, 0.0, 0.0)),
    ],
)
def test_a_bad_message_costs_nothing_but_itself(part: str, values: tuple[object, ...]) -> None:
    decoder = VrchatDecoder()
    messages = [
        (f"/tracking/trackers/1/{part}", values),
        ("/tracking/trackers/2/position", (1.0, 2.0, 3.0)),
        ("/tracking/trackers/2/rotation", (0.0, 90.0, 0.0)),
    ]
    (reading,) = decoder.decode(write_bundle(messages), 0.0)
    assert reading.device == "tracker 2" and decoder.malformed == 1


def test_parking_places_are_not_valid() -> None:
    decoder = VrchatDecoder()
    decoder.decode(half("1", "position", 0.0, -999.0, 0.0), 0.0)
    (reading,) = decoder.decode(half("1", "rotation", 0.0, 90.0, 0.0), 0.0)
    assert not reading.valid
