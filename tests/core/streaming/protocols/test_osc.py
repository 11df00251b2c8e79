# SPDX-License-Identifier: GPL-3.0-or-later
"""OSC packets, good and bad."""

from __future__ import annotations

import logging
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssrhmr_core.streaming.protocols.osc import bundle, read
from ssrhmr_core.streaming.readings import MalformedError


def anything(_: str) -> bool:
    return True


def test_what_is_written_is_read() -> None:
    packet = bundle([("/a/b", ("name", 1, 0.5)), ("/c", ())], 1000.25)
    first, second = read(packet, anything)
    assert first.address == "/a/b" and list(first.arguments) == ["name", 1, 0.5]
    assert second.address == "/c" and list(second.arguments) == []
    # Time tags count from 1900.
    assert first.time == pytest.approx(1000.25 + 2208988800.0, abs=1e-6)


def test_now_is_no_time() -> None:
    (message,) = read(bundle([("/a", (1.5,))]), anything)
    assert math.isnan(message.time)


def test_what_is_not_wanted_is_not_decoded() -> None:
    broken = b"/face\x00\x00\x00,q\x00\x00"
    assert read(broken, lambda address: address != "/face") == []
    with pytest.raises(MalformedError):
        read(broken, anything)


def element(content: bytes, size: int | None = None) -> bytes:
    return struct.pack(">i", len(content) if size is None else size) + content


HEAD = b"#bundle\x00" + bytes(7) + b"\x01"
MESSAGE = b"/a\x00\x00,f\x00\x00\x00\x00\x80?"


def nested(depth: int) -> bytes:
    packet = MESSAGE
    for _ in range(depth):
        packet = HEAD + element(packet)
    return packet


@pytest.mark.parametrize(
    "packet",
    [
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
        b"/a\x00\x00,f\x00\x00",
        b"/a\x00\x00,s\x00\x00\xff\xfe\xfd\x00",
        b"/\xff\x00\x00,f\x00\x00\x00\x00\x80?",
        b"/a\x00\x00,[[[[[[[",
        b"/a\x00\x00,q\x00\x00",
        b"/a\x00\x00," + b"N" * 1023,
        b"/a\x00\x00," + b"i" * 63 + bytes(300),
    ],
)
def test_bad_packets_are_refused_and_nothing_is_logged(
    packet: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(MalformedError):
        read(packet, anything)
    assert not caplog.records


def test_bundles_may_be_nested() -> None:
    assert len(read(nested(4), anything)) == 1


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
    messages: list[tuple[str, list[object]]], time: float | None
) -> None:
    got = read(bundle(messages, time), anything)
    assert [(message.address, list(message.arguments)) for message in got] == messages
    for message in got:
        if time is not None:
            assert message.time == pytest.approx(time + 2208988800.0, abs=1e-6)


@given(packet=st.binary(max_size=200), cut=st.integers(0, 200), messages=MESSAGES)
def test_anything_else_is_malformed(
    packet: bytes, cut: int, messages: list[tuple[str, list[object]]]
) -> None:
    whole = bundle(messages)
    for broken in (packet, whole[:cut], whole[:cut] + packet, whole[:cut] + packet + whole[cut:]):
        try:
            read(broken, anything)
        except MalformedError as error:
            assert str(error)
