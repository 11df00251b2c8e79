# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import random
import struct

import pytest

from ssrhmr_core.streaming.discovery.dns import (
    PTR,
    DnsError,
    Question,
    Record,
    encode_name,
    make_name,
    read_query,
    write_response,
)

OSC = make_name("_osc._udp.local")
HEADER = struct.Struct(">6H")


def question(name: bytes, kind: int = PTR) -> bytes:
    return name + struct.pack(">HH", kind, 1)


def test_questions_and_what_is_known() -> None:
    instance = make_name("Blender._osc._udp.local")
    # The record's name and the end of its data point to the question's name.
    data = b"\x07Blender\xc0\x0c"
    packet = (
        HEADER.pack(7, 0, 1, 1, 0, 0)
        + question(encode_name(OSC))
        + b"\xc0\x0c"
        + struct.pack(">HHIH", PTR, 1, 4000, len(data))
        + data
    )
    query = read_query(packet)
    assert query is not None
    assert query.number == 7 and query.questions == [Question(OSC, PTR)]
    assert query.known == [Record(OSC, PTR, encode_name(instance), 4000, False)]


def test_answers_are_no_questions() -> None:
    assert read_query(write_response([Record(OSC, PTR, b"\x00", 10)])) is None


def test_answers_to_the_group_and_to_simple_resolvers() -> None:
    record = Record(OSC, PTR, encode_name(OSC), 4500)
    query = read_query(HEADER.pack(9, 0, 1, 0, 0, 0) + question(encode_name(OSC)))
    body = encode_name(OSC) + struct.pack(">HH", PTR, 0x8001) + struct.pack(">IH", 4500, 17)
    assert write_response([record]) == HEADER.pack(0, 0x8400, 0, 1, 0, 0) + body + record.data
    body = encode_name(OSC) + struct.pack(">HH", PTR, 1) + struct.pack(">IH", 10, 17)
    assert write_response([record], [], query) == (
        HEADER.pack(9, 0x8400, 1, 1, 0, 0) + question(encode_name(OSC)) + body + record.data
    )


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        HEADER.pack(0, 0, 1, 0, 0, 0),
        HEADER.pack(0, 0, 65535, 0, 0, 0) + b"\x00" * 400,
        # A name that points to itself, one without an end, one of a kind that nobody uses.
        HEADER.pack(0, 0, 1, 0, 0, 0) + question(b"\xc0\x0c"),
        HEADER.pack(0, 0, 1, 0, 0, 0) + b"\x01a" * 200,
        HEADER.pack(0, 0, 1, 0, 0, 0) + question(b"\x41" + b"a" * 65 + b"\x00"),
        HEADER.pack(0, 0, 0, 1, 0, 0) + b"\x00" + struct.pack(">HHIH", 1, 1, 9, 400),
    ],
)
def test_what_cannot_be_read(packet: bytes) -> None:
    with pytest.raises(DnsError):
        read_query(packet)


def test_any_bytes_are_read_or_refused() -> None:
    random.seed(1)
    whole = HEADER.pack(7, 0, 1, 1, 0, 0) + question(encode_name(OSC)) + b"\xc0\x0c" + b"\x00" * 12
    refused = 0
    for _ in range(3000):
        packet = bytearray(whole[: random.randrange(len(whole) + 1)])
        for _ in range(random.randrange(4)):
            if packet:
                packet[random.randrange(len(packet))] = random.randrange(256)
        try:
            read_query(bytes(packet))
        except DnsError:
            refused += 1
    assert 500 < refused < 3000
