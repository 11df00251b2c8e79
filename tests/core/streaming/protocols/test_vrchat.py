# SPDX-License-Identifier: GPL-3.0-or-later
"""VRChat's OSC trackers."""

from __future__ import annotations

import math

import pytest

from ssrhmr_core.streaming.protocols.osc import bundle
from ssrhmr_core.streaming.protocols.vrchat import VrchatDecoder, encode
from ssrhmr_core.streaming.readings import MalformedError, Reading
from tests.core.streaming.conftest import same_place

EPOCH = 3.9e9


def half(name: str, what: str, *values: float) -> bytes:
    return bundle([(f"/tracking/trackers/{name}/{what}", values)])


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


def test_a_head_without_rotation_is_nothing_until_it_has_one() -> None:
    decoder = VrchatDecoder()
    for number in range(3):
        assert decoder.decode(half("head", "position", 0.0, 1.7, 0.0), number) == []
    decoder.decode(half("head", "rotation", 0.0, 0.0, 0.0), 3.0)
    decoder.decode(half("head", "position", 0.0, 1.5, 0.0), 4.0)
    (reading,) = decoder.decode(half("head", "position", 0.0, 1.6, 0.0), 5.0)
    assert (reading.position, reading.arrival) == ((-0.0, 1.5, 0.0), 4.0)


def test_other_addresses_are_no_matter() -> None:
    decoder = VrchatDecoder()
    for address in ("/tracking/trackers/9/position", "/avatar/change", "/tracking/eye/x"):
        assert decoder.decode(bundle([(address, (1.0, 2.0, 3.0))]), 0.0) == []


@pytest.mark.parametrize("values", [(1.0, 2.0), (1.0, 2.0, math.inf), (1.0, 2.0, "3"), (1e6, 0, 0)])
def test_malformed(values: tuple[object, ...]) -> None:
    with pytest.raises(MalformedError):
        VrchatDecoder().decode(bundle([("/tracking/trackers/1/position", values)]), 0.0)
