# SPDX-License-Identifier: GPL-3.0-or-later
"""Habits of senders that no document mentions: each costs nothing and changes nothing.

Libraries write whole numbers as integers, fractions as doubles, names as symbols and numbers as
arrays; programs change the capitals of addresses, set the tags of bundles to any time, send each
message alone, and call devices in the writing of their country.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Sequence

import pytest

from ssrhmr_core.streaming import ProtocolName, Reading
from ssrhmr_core.streaming.decoding import ReadingQueue
from tests.core.streaming.emulators.wire import bundle, message, write_text

NUMBERS = (0.25, 1.0, -2.0, 0.0, 0.6, 0.0, 0.8)
"""Position and quaternion x, y, z, w, in Unity's axes."""
PLACE, TURN = (-0.25, 1.0, -2.0), (0.8, 0.0, -0.6, 0.0)
"""The same in the core's."""
RATE = 60.0
Frame = Callable[[int], Sequence[bytes]]
"""Makes the datagrams of a frame from its number."""


def play(protocol: ProtocolName, frame: Frame, count: int = 90) -> dict[str, list[Reading]]:
    """Return the readings by device of some frames, all of which must be readable."""
    queue = ReadingQueue(protocol, 100000)
    for number in range(count):
        for packet in frame(number):
            queue.add_packet(packet, ("127.0.0.1", 5000), 100.0 + number / RATE)
    assert queue.counters.malformed == 0, queue.notice
    found: dict[str, list[Reading]] = {}
    for reading in queue.drain():
        found.setdefault(reading.device, []).append(reading)
    return found


def check(readings: Sequence[Reading], count: int = 90, moves: bool = True) -> None:
    """All readings came, when they did, from where the device was."""
    assert len(readings) >= count - 1
    times = [reading.time for reading in readings]
    # Each at its own moment: those with times of their own must not be thrown together.
    assert times[-1] - times[0] == pytest.approx((len(times) - 1) / RATE, abs=0.02)
    last = readings[-1]
    step = 0.001 * (count - 1) if moves else 0.0
    assert last.valid
    assert last.position == pytest.approx((PLACE[0] - step, *PLACE[1:]), abs=1e-5)
    assert last.rotation == pytest.approx(TURN, abs=1e-5)


def numbers(number: int) -> tuple[float, ...]:
    return (NUMBERS[0] + 0.001 * number, *NUMBERS[1:])


def tracker(number: int, address: str = "/VMC/Ext/Tra/Pos", tags: str = "sfffffff") -> bytes:
    return message(address, tags, "LHR-1", *numbers(number))


def whole(number: int) -> bytes:
    """Whole numbers are integers."""
    x, y, z, *quaternion = numbers(number)
    return message("/VMC/Ext/Tra/Pos", "sfiiffff", "LHR-1", x, int(y), int(z), *quaternion)


def symbol(number: int) -> bytes:
    raw = struct.pack(">7f", *numbers(number))
    return write_text("/VMC/Ext/Tra/Pos") + write_text(",Sfffffff") + write_text("LHR-1") + raw


def arrays(number: int) -> bytes:
    raw = struct.pack(">7f", *numbers(number))
    return write_text("/VMC/Ext/Tra/Pos") + write_text(",s[fff][ffff]") + write_text("LHR-1") + raw


def surplus(tags: str, raw: bytes) -> Callable[[int], bytes]:
    def make(number: int) -> bytes:
        floats = struct.pack(">7f", *numbers(number))
        head = write_text("/VMC/Ext/Tra/Pos") + write_text(f",sfffffff{tags}")
        return head + write_text("LHR-1") + floats + raw

    return make


VMC_MESSAGES: dict[str, Callable[[int], bytes]] = {
    "as it should be": tracker,
    "doubles": lambda number: tracker(number, tags="sddddddd"),
    "a double among floats": lambda number: tracker(number, tags="sfdfffff"),
    "integers": whole,
    "a symbol for the name": symbol,
    "arrays": arrays,
    "a surplus blob": surplus("b", b"\x00\x00\x00\x05hello\x00\x00\x00"),
    "a surplus colour and MIDI": surplus("rm", bytes(8)),
    "surplus truth values": surplus("TFNI", b""),
    "a type that nobody knows": surplus("?", bytes(4)),
    "capitals": lambda number: tracker(number, "/VMC/EXT/TRA/POS"),
    "small letters": lambda number: tracker(number, "/vmc/ext/tra/pos"),
    "a slash at the end": lambda number: tracker(number, "/VMC/Ext/Tra/Pos/"),
    "raw, small letters": lambda number: tracker(number, "/vmc/ext/tra/pos/local"),
}


@pytest.mark.parametrize("habit", VMC_MESSAGES)
@pytest.mark.parametrize("alone", [False, True])
def test_messages_of_vmc(habit: str, alone: bool) -> None:
    make = VMC_MESSAGES[habit]

    def frame(number: int) -> list[bytes]:
        return [make(number) if alone else bundle(make(number))]

    found = play("vmc", frame)
    assert list(found) == ["LHR-1"]
    check(found["LHR-1"])


@pytest.mark.parametrize("name", ["左足", "Pied gauche é", "LHR 1", "-", "😀"])
@pytest.mark.parametrize("encoding", ["utf-8", "cp932", "latin-1", "gbk"])
def test_names_in_any_writing(name: str, encoding: str) -> None:
    """Two names remain two, and those of Japanese programs are readable."""
    try:
        raw = name.encode(encoding)
    except UnicodeEncodeError:
        pytest.skip(f"{encoding} has no such letters")

    def frame(number: int) -> list[bytes]:
        packets = []
        for text in (raw, raw + b"2"):
            padded = text + bytes(4 - len(text) % 4)
            head = write_text("/VMC/Ext/Tra/Pos") + write_text(",sfffffff")
            packets.append(bundle(head + padded + struct.pack(">7f", *numbers(number))))
        return packets

    found = play("vmc", frame)
    assert len(found) == 2
    for readings in found.values():
        check(readings)
    if encoding in ("utf-8", "cp932"):
        assert list(found) == [name, f"{name}2"]


STAMPS: dict[str, Callable[[int], int]] = {
    "now": lambda number: 1,
    "zero": lambda number: 0,
    "always the same": lambda number: 3900000000 << 32,
    "in a year": lambda number: round((3930000000.0 + number / RATE) * 2.0**32),
    "at the end of time": lambda number: 2**64 - 1,
    "whole seconds": lambda number: (3900000000 + int(number / RATE)) << 32,
    "seconds since 1970": lambda number: round((1.7e9 + number / RATE) * 2.0**32),
    "milliseconds": lambda number: round((1000.0 * number / RATE + 5.0) * 2.0**32),
}


@pytest.mark.parametrize("habit", STAMPS)
def test_times_of_bundles(habit: str) -> None:
    stamp = STAMPS[habit]
    check(play("vmc", lambda number: [bundle(tracker(number), stamp=stamp(number))])["LHR-1"])


TIMES: dict[str, Callable[[int], bytes]] = {
    "a double": lambda number: message("/VMC/Ext/T", "d", 5.0 + number / RATE),
    "whole seconds": lambda number: message("/VMC/Ext/T", "i", int(number / RATE)),
    "milliseconds": lambda number: message("/VMC/Ext/T", "f", 1000.0 * number / RATE),
    "a text": lambda number: message("/VMC/Ext/T", "s", f"{number / RATE:.3f}"),
    "nothing": lambda number: message("/VMC/Ext/T", ""),
    "not a number": lambda number: message("/VMC/Ext/T", "f", math.nan),
    "always zero": lambda number: message("/VMC/Ext/T", "f", 0.0),
    "backwards": lambda number: message("/VMC/Ext/T", "f", 9000.0 - number / RATE),
    "a slash at the end": lambda number: message("/VMC/Ext/T/", "f", 5.0 + number / RATE),
}


@pytest.mark.parametrize("habit", TIMES)
def test_times_of_vmc(habit: str) -> None:
    make = TIMES[habit]
    check(play("vmc", lambda number: [bundle(make(number), tracker(number))])["LHR-1"])


def bone(name: str, x: float, y: float) -> bytes:
    return message("/VMC/Ext/Bone/Pos", "sfffffff", name, x, y, 0.0, 0.0, 0.0, 0.0, 1.0)


BODY = (
    *(("Hips", 0.0, 0.9), ("Spine", 0.0, 0.1), ("Chest", 0.0, 0.1), ("Neck", 0.0, 0.3)),
    ("Head", 0.0, 0.1),
    *((f"{side}UpperArm", sign * 0.2, 0.2) for side, sign in (("Left", -1.0), ("Right", 1.0))),
    *((f"{side}LowerArm", sign * 0.3, 0.0) for side, sign in (("Left", -1.0), ("Right", 1.0))),
    *((f"{side}Hand", sign * 0.25, 0.0) for side, sign in (("Left", -1.0), ("Right", 1.0))),
    *((f"{side}UpperLeg", sign * 0.1, 0.0) for side, sign in (("Left", -1.0), ("Right", 1.0))),
    *((f"{side}LowerLeg", 0.0, -0.4) for side in ("Left", "Right")),
    *((f"{side}Foot", 0.0, -0.45) for side in ("Left", "Right")),
)
"""Names and offsets of the bones of an avatar, in Unity's axes."""
SPELLINGS: dict[str, Callable[[str], str]] = {
    "as Unity": lambda name: name,
    "as VRM 1": lambda name: name[0].lower() + name[1:],
    "small letters": str.lower,
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("order", ["parents first", "by name", "hips last"])
@pytest.mark.parametrize("alone", [False, True])
def test_bones_in_any_spelling_and_order(spelling: str, order: str, alone: bool) -> None:
    spell = SPELLINGS[spelling]
    body = {"by name": sorted(BODY), "hips last": BODY[::-1]}.get(order, BODY)

    def frame(number: int) -> list[bytes]:
        bones = [bone(spell(name), x, y) for name, x, y in body]
        return bones if alone else [bundle(*bones)]

    found = play("vmc", frame)
    wanted = {
        "Bone Hips": (0.0, 0.9, 0.0),
        "Bone Head": (0.0, 1.5, 0.0),
        "Bone LeftHand": (0.75, 1.3, 0.0),
        "Bone RightHand": (-0.75, 1.3, 0.0),
        "Bone LeftFoot": (0.1, 0.05, 0.0),
        "Bone RightFoot": (-0.1, 0.05, 0.0),
    }
    for device, place in wanted.items():
        assert len(found[device]) >= 87
        assert found[device][-1].position == pytest.approx(place, abs=1e-5)


def halves(
    number: int, tags: str = "fff", address: str = "/tracking/trackers/{}/{}"
) -> tuple[bytes, bytes]:
    x, y, z = numbers(number)[:3]
    # The rotation of NUMBERS is one about Y alone.
    angle = math.degrees(2.0 * math.atan2(0.6, 0.8))
    convert = int if tags == "iii" else float
    position = [convert(value) for value in (x, y, z)]
    rotation = message(address.format("1", "rotation"), "fff", 0.0, angle, 0.0)
    return message(address.format("1", "position"), tags, *position), rotation


VRCHAT_FRAMES: dict[str, Frame] = {
    "one bundle": lambda number: [bundle(*halves(number))],
    "messages alone": halves,
    "rotation first": lambda number: halves(number)[::-1],
    "doubles": lambda number: [bundle(*halves(number, "ddd"))],
    "capitals": lambda number: halves(number, address="/Tracking/Trackers/{}/{}"),
    "a slash at the end": lambda number: halves(number, address="/tracking/trackers/{}/{}/"),
    "a bundle in a bundle": lambda number: [bundle(bundle(*halves(number)))],
    "tags of time in a year": lambda number: [
        bundle(*halves(number), stamp=round((3930000000.0 + number / RATE) * 2.0**32))
    ],
    "always the same tag of time": lambda number: [bundle(*halves(number), stamp=77 << 32)],
}


@pytest.mark.parametrize("habit", VRCHAT_FRAMES)
def test_messages_of_vrchat(habit: str) -> None:
    found = play("vrchat", VRCHAT_FRAMES[habit])
    assert list(found) == ["tracker 1"]
    check(found["tracker 1"])


def line(number: int, **values: object) -> bytes:
    fields = {
        "name": "LHR-1",
        "position": [-numbers(number)[0], 1, -2],
        "quaternion": [0.8, 0, -0.6, 0],
        **values,
    }
    return json.dumps(fields).encode() + b"\n"


LINES: dict[str, Callable[[int], bytes]] = {
    "as it should be": lambda number: line(number, time=number / RATE),
    "a mark at the beginning": lambda number: b"\xef\xbb\xbf" + line(number),
    "a zero at the end": lambda number: line(number) + b"\0",
    "a carriage return": lambda number: line(number).replace(b"\n", b"\r\n"),
    "no line feed": lambda number: line(number).rstrip(),
    "milliseconds": lambda number: line(number, time=1000 * number // 60),
    "milliseconds since 1970": lambda number: line(number, time=1700000000000 + number * 16),
    "nanoseconds since 1970": lambda number: line(number, time=1700000000 * 10**9 + number * 10**7),
    "a time of 400 digits": lambda number: line(number, time=10**400),
    "other fields": lambda number: line(number, battery=None, buttons={"a": True}),
}


@pytest.mark.parametrize("habit", LINES)
def test_json_lines(habit: str) -> None:
    found = play("json", lambda number: [LINES[habit](number)])
    assert list(found) == ["LHR-1"]
    check(found["LHR-1"])
