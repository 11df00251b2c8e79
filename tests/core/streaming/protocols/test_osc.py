# SPDX-License-Identifier: GPL-3.0-or-later
"""OSC packets, good and bad."""

from __future__ import annotations

import logging
import math
import struct
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssrhmr_core.streaming.protocols.osc import read_packet, write_bundle
from ssrhmr_core.streaming.readings import MalformedError


class Everything(dict[bytes, object]):
    """Handlers of all addresses."""

    def get(self, address: bytes, default: object = None) -> object:
        return "any"


def read(packet: bytes) -> tuple[list[tuple[str, list[object], float]], int]:
    """Address, arguments and time of all messages, and how many elements cannot be read."""
    parsed = read_packet(packet, Everything())
    messages, malformed = [], parsed.malformed
    for message, _ in parsed.messages:
        try:
            arguments = list(message.read_arguments())
        except MalformedError:
            malformed += 1
        else:
            messages.append((message.address.decode("utf-8", "replace"), arguments, message.time))
    return messages, malformed


def padded(text: bytes) -> bytes:
    return text + bytes(4 - len(text) % 4)


def message(address: bytes, tags: bytes, arguments: bytes = b"") -> bytes:
    return padded(address) + padded(b"," + tags) + arguments


def test_what_is_written_is_read() -> None:
    packet = write_bundle([("/a/b", ("name", 1, 0.5)), ("/c", ())], 1000.25)
    (first, second), malformed = read(packet)
    assert malformed == 0
    assert first[:2] == ("/a/b", ["name", 1, 0.5])
    assert second[:2] == ("/c", [])
    # Time tags count from 1900.
    assert first[2] == pytest.approx(1000.25 + 2208988800.0, abs=1e-6)


def test_now_is_not_a_time() -> None:
    ((_, _, time),), _ = read(write_bundle([("/a", (1.5,))]))
    assert math.isnan(time)


def test_what_is_not_wanted_is_not_decoded() -> None:
    broken = padded(b"/face") + b"no types"
    assert read_packet(broken, {b"/head": 1}) == ([], 0, b"/face", [])
    assert read(broken) == ([], 1)


@pytest.mark.parametrize("count", [1, 3, 6, 7, 8, 13])
@pytest.mark.parametrize("name", [b"", b"a", b"four", "h\u00e4nde".encode()])
def test_usual_layouts(name: bytes, count: int) -> None:
    values = [0.5 * index for index in range(count)]
    text = padded(name) if name else b""
    tags = (b"s" if name else b"") + b"f" * count
    packet = message(b"/a", tags, text + struct.pack(f">{count}f", *values))
    expected = [*([name.decode()] if name else []), *values]
    assert read(packet)[0][0][1] == expected
    # Cut off anywhere.
    for end in range(len(packet) - len(text) - 4 * count, len(packet), 4):
        assert read(packet[:end]) == ([], 1)


@pytest.mark.parametrize(
    ("tags", "arguments", "expected"),
    [
        (b"ihd", struct.pack(">iqd", -3, 1 << 40, 0.1), [-3, 1 << 40, 0.1]),
        (b"TFNI", b"", [True, False, None, math.inf]),
        (b"t", struct.pack(">Q", 3 << 31), [1.5]),
        (b"bi", struct.pack(">i", 5) + b"blob!\x00\x00\x00" + struct.pack(">i", 7), [None, 7]),
        (b"ssf", b"a\x00\x00\x00four\x00\x00\x00\x00" + struct.pack(">f", 2.0), ["a", "four", 2.0]),
        # What has an unknown length ends the arguments.
        (b"iqi", struct.pack(">ii", 1, 2), [1]),
        # Arrays have no bytes of their own; characters, colours and MIDI are of no use.
        (b"i[ii]", struct.pack(">iii", 1, 2, 3), [1, 2, 3]),
        (b"icrmf", struct.pack(">i4s4s4sf", 1, b"c", b"r", b"m", 2.0), [1, None, None, None, 2.0]),
        (b"Sf", b"sym\x00" + struct.pack(">f", 2.0), ["sym", 2.0]),
        # Texts of Japanese programs, and of those that are neither.
        (b"ss", b"\x8d\xb6\x91\xab\x00\x00\x00\x00pi\xe9\x00", ["左足", "pié"]),
    ],
)
def test_arguments_of_all_types(tags: bytes, arguments: bytes, expected: list[object]) -> None:
    ((_, read_arguments, _),), malformed = read(message(b"/a", tags, arguments))
    assert (read_arguments, malformed) == (expected, 0)


def test_a_name_is_read_alone() -> None:
    packet = message(b"/a", b"sf", padded(b"Hips"))
    ((one, _),) = read_packet(packet, {b"/a": 1}).messages
    assert one.read_name() == b"Hips"
    for bad in (message(b"/a", b"f", bytes(4)), message(b"/a", b"s", b"endless")):
        ((other, _),) = read_packet(bad, {b"/a": 1}).messages
        with pytest.raises(MalformedError):
            other.read_name()


def element(content: bytes, size: int | None = None) -> bytes:
    return struct.pack(">i", len(content) if size is None else size) + content


HEAD = b"#bundle\x00" + bytes(7) + b"\x01"
MESSAGE = b"/a\x00\x00,f\x00\x00\x00\x00\x80?"


def nested(depth: int) -> bytes:
    packet = MESSAGE
    for _ in range(depth):
        packet = HEAD + element(packet)
    return packet


BAD_PACKETS = [
    b"",
    b"#bundle\x00",
    b"hello",
    HEAD + b"\x00\x00",
    HEAD + element(MESSAGE, -4),
    HEAD + element(MESSAGE, 0),
    HEAD + element(MESSAGE, 10),
    HEAD + element(MESSAGE, 4000),
    nested(5),
    b"/a",
    b"/a\x00\x00",
    b"/a\x00\x00f\x00\x00\x00\x00\x00\x80?",
    b"/a\x00\x00,f\x00\x00",
    b"/a\x00\x00,s\x00\x00abcd",
    b"/a\x00\x00,[[[[[[[",
    b"/a\x00\x00," + b"N" * 1023,
    b"/a\x00\x00," + b"i" * 63 + bytes(300),
    message(b"/a", b"f" * 300, bytes(1200)),
    message(b"/a", b"b", struct.pack(">i", -8))[:-4],
]


@pytest.mark.parametrize("packet", BAD_PACKETS)
def test_bad_packets_are_counted_and_nothing_is_logged(
    packet: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        assert read(packet) == ([], 1)
    assert not caplog.records


@pytest.mark.parametrize(
    "bad", [packet for packet in BAD_PACKETS if len(packet) % 4 == 0 and packet]
)
def test_a_bad_element_costs_nothing_but_itself(bad: bytes) -> None:
    good = write_bundle([("/good", (1.0,))])
    messages, malformed = read(HEAD + element(good) + element(bad) + element(good))
    assert [address for address, _, _ in messages] == ["/good", "/good"]
    assert malformed == 1
    # Behind a wrong size nothing is found, but what was before it stays.
    messages, malformed = read(HEAD + element(good) + element(good, 6))
    assert ([address for address, _, _ in messages], malformed) == (["/good"], 1)


def test_bundles_may_be_nested() -> None:
    assert len(read(nested(4))[0]) == 1


ARGUMENTS = st.lists(
    st.integers(-(2**31), 2**31 - 1)
    | st.floats(width=32, allow_nan=False)
    | st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
    | st.booleans(),
    max_size=16,
)
MESSAGES = st.lists(st.tuples(st.from_regex(r"/[a-zA-Z0-9/]{0,20}", fullmatch=True), ARGUMENTS))


@given(messages=MESSAGES, time=st.none() | st.floats(1.0, 2e9))
def test_any_bundle_is_written_and_read(
    messages: list[tuple[str, Sequence[object]]], time: float | None
) -> None:
    got, malformed = read(write_bundle(messages, time))
    assert [(address, arguments) for address, arguments, _ in got] == messages and not malformed
    for _, _, sent in got:
        if time is not None:
            assert sent == pytest.approx(time + 2208988800.0, abs=1e-6)


@given(packet=st.binary(max_size=200), cut=st.integers(0, 200), messages=MESSAGES)
def test_anything_else_is_counted(
    packet: bytes, cut: int, messages: list[tuple[str, Sequence[object]]]
) -> None:
    whole = write_bundle(messages)
    for broken in (packet, whole[:cut], whole[:cut] + packet, whole[:cut] + packet + whole[cut:]):
        got, malformed = read(broken)
        assert got or malformed or broken[:8] == b"#bundle\x00"
