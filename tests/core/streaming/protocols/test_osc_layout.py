# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets of a known layout give what they would give if they were read one message at a time."""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Iterator

import pytest

from ssrhmr_core.streaming.protocols.osc import Message, read_packet, write_bundle
from ssrhmr_core.streaming.protocols.osc_layout import LayoutCache
from ssrhmr_core.streaming.protocols.vmc import VmcDecoder
from ssrhmr_core.streaming.protocols.vrchat import VrchatDecoder
from ssrhmr_core.streaming.readings import Decoder, Reading
from tests.core.streaming.decoding_benchmark import vmc_avatar, vmc_suit, vrchat

SPECIAL = [struct.pack(">f", value) for value in (math.nan, math.inf, 0.0, 999.0, 1.0, -0.0)]


def forgetful(decoder: VmcDecoder | VrchatDecoder) -> Decoder:
    """A decoder that knows no layouts."""
    decoder._layouts.note = lambda *_: None  # type: ignore[method-assign]
    return decoder


def frames() -> Iterator[list[bytes]]:
    """What senders send, in turn, so that packets of the same length mean different things."""
    for number in range(40):
        yield vmc_suit(number)
        yield vmc_avatar(number)
        yield vrchat(number)
        # The same length, in another order; and one without the time.
        pose = (0.1 * number, 0.2, 0.3, 0.0, 0.0, 0.6, 0.8)
        for first, second in (("LeftFoot", "RightHand"), ("RightHand", "LeftFoot")):
            names = ("Hips", first, second, "Head")
            yield [write_bundle([("/VMC/Ext/Bone/Pos", (name, *pose)) for name in names])]
        yield [write_bundle([("/tracking/vrsystem/head/pose", (number, 1.0, 0.0, 5.0, 6.0, 7.0))])]
        yield [write_bundle([("/tracking/trackers/1/rotation", (0.0, 0.6, 0.0, 0.8))])]


def damaged(packets: list[bytes], chance: float) -> list[bytes]:
    found = []
    for packet in packets:
        changed = bytearray(packet)
        if random.random() < chance:
            at = random.randrange(len(changed) // 4) * 4
            changed[at : at + 4] = random.choice(SPECIAL)
        if random.random() < 0.3 * chance:
            changed[random.randrange(len(changed))] = random.randrange(256)
        found.append(bytes(changed))
    return found


def same(a: list[Reading], b: list[Reading]) -> bool:
    if [reading.device for reading in a] != [reading.device for reading in b]:
        return False
    for one, other in zip(a, b, strict=True):
        numbers = [(*each.position, *each.rotation, each.time) for each in (one, other)]
        if numbers[0] != pytest.approx(numbers[1], abs=1e-12, nan_ok=True):
            return False
        if one[4:6] != other[4:6] or one.has_rotation != other.has_rotation:
            return False
    return True


@pytest.mark.parametrize("make", [VmcDecoder, VrchatDecoder])
@pytest.mark.parametrize("chance", [0.0, 0.5])
def test_known_layouts_change_nothing(
    make: type[VmcDecoder] | type[VrchatDecoder], chance: float
) -> None:
    random.seed(4)
    knowing, reference = make(), forgetful(make())
    used = readings = 0
    for number, packets in enumerate(frames()):
        for packet in damaged(packets, chance):
            used += knowing._layouts.find(packet) is not None
            got = knowing.decode(packet, number / 90.0)
            assert same(got, reference.decode(packet, number / 90.0))
            assert knowing.malformed == reference.malformed
            readings += len(got)
    assert readings > 300
    # All that did not differ before, and those of which only numbers are damaged.
    assert used > (300 if chance == 0.0 and make is VmcDecoder else 60)


def count(message: Message, handler: object) -> int | None:
    return message.count_floats() or None


def test_what_must_agree_and_what_may_change() -> None:
    cache = LayoutCache({b"/a": 1}, count)

    def packet(number: float, other: str, name: str = "x") -> bytes:
        return write_bundle([("/a", (name, number)), ("/b", (other, 5))])

    cache.note(packet(1.0, "one"))
    found = cache.find(packet(2.5, "two"))
    assert found is not None
    assert found[1] == (2.5,) and found[0].fields[0][:2] == (1, b"x")
    for different in (packet(1.0, "one", "y"), packet(1.0, "longer"), packet(1.0, "one")[:-4]):
        assert cache.find(different) is None


def test_times_of_bundles_count_unless_a_message_has_the_time() -> None:
    for has_time in (False, True):
        cache = LayoutCache({b"/a": 1}, count)
        cache.note(write_bundle([("/a", (1.0,))], 1000.0), has_time)
        found = cache.find(write_bundle([("/a", (2.0,))], 1001.0))
        assert (found is not None) is has_time


def test_its_memory_is_bounded() -> None:
    cache = LayoutCache({b"/a": 1}, count)
    for number in range(500):
        cache.note(write_bundle([("/a", (f"name {number}", 1.0))]))
        assert sum(map(len, cache._layouts.values())) <= 16
    # Whoever never sends the same again is not worth the effort.
    cache._layouts.clear()
    cache.note(write_bundle([("/a", ("name", 1.0))]))
    assert cache._layouts == {}


def test_packets_with_faults_are_not_remembered() -> None:
    good = write_bundle([("/a", (1.0,))])
    bad = good + b"\x00\x00\x00\x09"
    assert read_packet(bad, {b"/a": 1}).malformed == 1
    cache = LayoutCache({b"/a": 1}, count)
    cache.note(bad)
    assert cache.find(bad) is None
