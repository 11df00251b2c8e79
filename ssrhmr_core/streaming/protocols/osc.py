# SPDX-License-Identifier: GPL-3.0-or-later
"""OSC packets, as far as the protocols here need them; messages are read by python-osc."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from pythonosc.osc_bundle_builder import OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from ..readings import MalformedError

_BUNDLE = b"#bundle\x00"
_NESTED = 4
_LONGEST_MESSAGE = 1024
_SIZES = {ord(tag): size for tag, size in zip("ifdhsTF", (4, 4, 8, 8, 4, 0, 0), strict=True)}
"""Bytes that an argument takes at least, by its type."""
_MOST_ARGUMENTS = 32
_IMMEDIATELY = 1


class Message(NamedTuple):
    """One message.

    Attributes:
        address: as in "/VMC/Ext/T".
        arguments: numbers and texts.
        time: of its bundle, seconds since 1900; nan where it says "now" or there is none.
    """

    address: str
    arguments: Sequence[object]
    time: float


def read(packet: bytes, wanted: Callable[[str], bool]) -> list[Message]:
    """Read the messages of a packet whose addresses are wanted.

    The frame of bundles is read here: python-osc follows sizes below zero round in circles.

    Raises:
        MalformedError: if the packet is not OSC.
    """
    found: list[Message] = []
    _read(packet, wanted, math.nan, 0, found)
    return found


def bundle(messages: Iterable[tuple[str, Sequence[object]]], time: float | None = None) -> bytes:
    """Write messages, (address, arguments) each, as one packet.

    Args:
        messages: addresses and arguments; every float is written as a single-precision number.
        time: seconds since 1970 that the bundle bears; "now" if not given.
    """
    builder = OscBundleBuilder(0 if time is None else time)  # type: ignore[arg-type]
    for address, arguments in messages:
        message = OscMessageBuilder(address)
        for argument in arguments:
            message.add_arg(argument)  # type: ignore[arg-type]
        builder.add_content(message.build())
    return builder.build().dgram


def _read(
    packet: bytes, wanted: Callable[[str], bool], time: float, depth: int, found: list[Message]
) -> None:
    if packet.startswith(b"/"):
        message = _message(packet, wanted, time)
        if message:
            found.append(message)
        return
    if not packet.startswith(_BUNDLE) or len(packet) < 16 or depth == _NESTED:
        raise MalformedError("neither an OSC message nor a bundle")
    stamp = int.from_bytes(packet[8:16], "big")
    time = stamp / 2.0**32 if stamp > _IMMEDIATELY else math.nan
    at = 16
    while at < len(packet):
        if at + 4 > len(packet):
            raise MalformedError("a bundle that was cut off")
        size = int.from_bytes(packet[at : at + 4], "big")
        at += 4
        if size == 0 or size % 4 or at + size > len(packet):
            raise MalformedError("a bundle whose sizes are wrong")
        _read(packet[at : at + size], wanted, time, depth + 1, found)
        at += size


def _message(packet: bytes, wanted: Callable[[str], bool], time: float) -> Message | None:
    end = packet.find(b"\x00")
    try:
        address = packet[: max(end, 0)].decode("ascii")
    except UnicodeDecodeError as error:
        raise MalformedError("an address that is no text") from error
    if end < 0:
        raise MalformedError("a message that was cut off")
    if not wanted(address):
        return None
    if len(packet) > _LONGEST_MESSAGE:
        raise MalformedError("a message that is too long")
    begin = end // 4 * 4 + 4
    tags = packet[begin : packet.find(b"\x00", begin)]
    # What python-osc does not know it writes to the log, as often as it comes.
    if len(tags) > _MOST_ARGUMENTS or not all(tag in _SIZES for tag in tags[1:]):
        raise MalformedError("arguments of other types than the protocol has")
    # python-osc takes what is missing at the end for zeros.
    values = begin + len(tags) // 4 * 4 + 4
    if tags and values + sum(_SIZES[tag] for tag in tags[1:]) > len(packet):
        raise MalformedError("a message that was cut off")
    try:
        arguments = OscMessage(packet).params
    except Exception as error:
        # Beside its own errors it lets through those of decoding, unpacking and indexing.
        raise MalformedError("a message that cannot be read") from error
    return Message(address, arguments, time)


def single(value: float) -> float:
    """Return a number as it arrives after travelling in single precision."""
    return struct.unpack(">f", struct.pack(">f", value))[0]
