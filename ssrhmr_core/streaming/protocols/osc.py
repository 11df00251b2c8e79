# SPDX-License-Identifier: GPL-3.0-or-later
"""OSC packets, as far as the protocols here need them.

Packets are read here, in one pass: performers send some hundred messages a frame, of which most
have one of three layouts, and most others are not wanted at all. Packets are written by python-osc.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pythonosc.osc_bundle_builder import OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder

from ..readings import MalformedError, to_numbers

_BUNDLE = b"#bundle\x00"
_MAX_DEPTH = 4
_MAX_MESSAGE = 1024
_MAX_ARGUMENTS = 32
_IMMEDIATELY = 1
_COMMA = ord(",")
_FIXED = {"i": ">i", "f": ">f", "d": ">d", "h": ">q"}
_TEXTS = "sS"
"""Texts, and the symbols that some libraries write for them."""
_OPAQUE = "crm"
"""Characters, colours and MIDI: a word each, of no use here."""
_BRACKETS = "[]"
"""Begin and end of an array; they have no bytes."""
_ENCODINGS = ("utf-8", "cp932")
"""Encodings that are tried for texts: the one of the protocols, and that of Japanese programs."""
_CONSTANTS = {"T": True, "F": False, "N": None, "I": math.inf}

_FLOATS = {
    b"," + text + b"f" * count: (bool(text), struct.Struct(f">{count}f"))
    for text in (b"", b"s")
    for count in (1, 3, 6, 7, 8, 13)
}
"""Layouts that are read at once: an optional name, then a number of floats."""


class AddressMap(dict[bytes, Any]):
    """Whatever belongs to addresses, found also where a sender writes them a little differently.

    Capitals do not matter, and neither does a slash at the end.
    """

    def __init__(self, values: Mapping[bytes, object]) -> None:
        """Create a map of the addresses as they should be."""
        super().__init__(values)
        self._lower = {address.lower(): value for address, value in values.items()}

    def get(self, address: bytes, default: Any = None) -> Any:
        """Return what belongs to an address."""
        if address in self:
            return self[address]
        return self._lower.get(address.rstrip(b"/").lower(), default)


class Message(NamedTuple):
    """One message, its arguments not read yet.

    Attributes:
        address: The address, as in b"/VMC/Ext/T".
        tags: The types of the arguments, as in b",sfffffff".
        packet: The packet that contains it.
        begin: Index of the first argument in the packet.
        end: Index after the last argument.
        time: Time of its bundle, seconds since 1900; nan if it says "now" or there is none.
    """

    address: bytes
    tags: bytes
    packet: bytes
    begin: int
    end: int
    time: float

    @property
    def has_name(self) -> bool:
        """Whether the first argument is a text."""
        return self.tags[1:2] in (b"s", b"S")

    def read_name(self) -> bytes:
        """Return the first argument, a text, without reading the others.

        Raises:
            MalformedError: if the first argument is not a text.
        """
        if not self.has_name:
            raise MalformedError("the first argument is not a name")
        stop = self.packet.find(b"\x00", self.begin, self.end)
        if stop < 0:
            raise MalformedError("a text without an end")
        return self.packet[self.begin : stop]

    def read_numbers_after(self, name: bytes) -> Sequence[float]:
        """Return the arguments after the first one, numbers all of them but surplus ones.

        Args:
            name: The first argument, as :meth:`read_name` returned it.

        Raises:
            MalformedError: if they are cut off, or are not numbers.
        """
        layout = _FLOATS.get(self.tags)
        if layout is None or not layout[0]:
            return to_numbers(self.read_arguments()[1:8])
        floats, at = layout[1], self.begin + len(name) // 4 * 4 + 4
        if at + floats.size > self.end:
            raise MalformedError("a message that was cut off")
        return floats.unpack_from(self.packet, at)

    def count_floats(self) -> int:
        """Return the number of floats after an optional name; 0 if anything else is there too."""
        return _FLOATS[self.tags][1].size // 4 if self.tags in _FLOATS else 0

    def read_arguments(self) -> Sequence[object]:
        """Return the arguments: numbers, texts, truth values and None; a time tag is a number.

        Arrays are read as if their values stood alone.

        Raises:
            MalformedError: if they are cut off, or of unknown types.
        """
        if self.end - self.begin > _MAX_MESSAGE:
            raise MalformedError("a message that is too long")
        layout = _FLOATS.get(self.tags)
        if layout is None:
            return self._read_any()
        has_name, floats = layout
        if not has_name:
            if self.begin + floats.size > self.end:
                raise MalformedError("a message that was cut off")
            return floats.unpack_from(self.packet, self.begin)
        name, at = self._read_text(self.begin)
        if at + floats.size > self.end:
            raise MalformedError("a message that was cut off")
        return (name, *floats.unpack_from(self.packet, at))

    def _read_any(self) -> list[object]:
        if len(self.tags) > _MAX_ARGUMENTS or not self.tags.isascii():
            raise MalformedError("too many arguments")
        arguments: list[object] = []
        at = self.begin
        for tag in self.tags[1:].decode("ascii"):
            if tag in _CONSTANTS:
                arguments.append(_CONSTANTS[tag])
            elif tag in _TEXTS:
                text, at = self._read_text(at)
                arguments.append(text)
            elif tag == "t":
                arguments.append(self._unpack(">Q", at) / 2.0**32)
                at += 8
            elif tag == "b":
                arguments.append(None)
                at += 4 + (max(int(self._unpack(">i", at)), 0) + 3) // 4 * 4
            elif tag in _OPAQUE:
                arguments.append(None)
                at += 4
            elif tag in _BRACKETS:
                continue
            elif tag in _FIXED:
                arguments.append(self._unpack(_FIXED[tag], at))
                at += struct.calcsize(_FIXED[tag])
            else:
                # Its length is unknown: what follows cannot be read.
                break
        return arguments

    def _unpack(self, layout: str, at: int) -> float:
        if at + struct.calcsize(layout) > self.end:
            raise MalformedError("a message that was cut off")
        return struct.unpack_from(layout, self.packet, at)[0]

    def _read_text(self, at: int) -> tuple[str, int]:
        stop = self.packet.find(b"\x00", at, self.end)
        if stop < 0:
            raise MalformedError("a text without an end")
        return decode_text(self.packet[at:stop]), stop + 4 - (stop - at) % 4


def decode_text(text: bytes) -> str:
    """Return a text in whatever encoding: names need not be right, but different and printable."""
    for encoding in _ENCODINGS:
        try:
            return text.decode(encoding)
        except UnicodeDecodeError:
            continue
    return text.decode("latin-1")


class Packet(NamedTuple):
    """The messages of a packet.

    Attributes:
        messages: Pairs of a message and the handler of its address.
        malformed: Number of elements that cannot be read; the others are not affected.
        other: Address of a message that nothing handles, b"" if there is none.
        stamps: Where in the packet the times of its bundles begin.
    """

    messages: Sequence[tuple[Message, Any]]
    malformed: int
    other: bytes
    stamps: Sequence[int]


def read_packet(packet: bytes, handlers: Mapping[bytes, object]) -> Packet:
    """List the messages of a packet that have a handler.

    Args:
        packet: A datagram.
        handlers: What to list with a message, by address.
    """
    reader = _Reader(handlers)
    reader.read(packet, 0, len(packet), math.nan, 0)
    return Packet(reader.messages, reader.malformed, reader.other, reader.stamps)


class _Reader:
    """Collects messages and counts elements that cannot be read."""

    def __init__(self, handlers: Mapping[bytes, object]) -> None:
        self.messages: list[tuple[Message, Any]] = []
        self.malformed = 0
        self.other = b""
        self.stamps: list[int] = []
        self._handlers = handlers

    def read(self, packet: bytes, at: int, end: int, time: float, depth: int) -> None:
        """Read an element: a message or a bundle."""
        if packet.startswith(b"/", at, end):
            self._read_message(packet, at, end, time)
        elif packet.startswith(_BUNDLE, at, end) and end - at >= 16 and depth < _MAX_DEPTH:
            self.stamps.append(at + 8)
            stamp = int.from_bytes(packet[at + 8 : at + 16], "big")
            time = stamp / 2.0**32 if stamp > _IMMEDIATELY else math.nan
            self._read_elements(packet, at + 16, end, time, depth + 1)
        else:
            self.malformed += 1

    def _read_elements(self, packet: bytes, at: int, end: int, time: float, depth: int) -> None:
        while at < end:
            size = int.from_bytes(packet[at : at + 4], "big")
            at += 4
            if size == 0 or size % 4 or at + size > end:
                # Where the next element begins is unknown.
                self.malformed += 1
                return
            self.read(packet, at, at + size, time, depth)
            at += size

    def _read_message(self, packet: bytes, at: int, end: int, time: float) -> None:
        stop = packet.find(b"\x00", at, end)
        address = packet[at : max(stop, at)]
        handler = self._handlers.get(address)
        if handler is None:
            self.malformed += stop < 0
            self.other = self.other or address
            return
        tags_begin = stop + 4 - (stop - at) % 4
        tags_end = packet.find(b"\x00", tags_begin, end)
        if tags_end < 0 or packet[tags_begin] != _COMMA:
            self.malformed += 1
            return
        begin = tags_end + 4 - (tags_end - tags_begin) % 4
        tags = packet[tags_begin:tags_end]
        self.messages.append((Message(address, tags, packet, begin, end, time), handler))


def write_bundle(
    messages: Iterable[tuple[str, Sequence[object]]], time: float | None = None
) -> bytes:
    """Write messages as one packet.

    Args:
        messages: Pairs of an address and arguments; every float is written in single precision.
        time: Time of the bundle, seconds since 1970; "now" if not given.
    """
    builder = OscBundleBuilder(0 if time is None else time)  # type: ignore[arg-type]
    for address, arguments in messages:
        message = OscMessageBuilder(address)
        for argument in arguments:
            message.add_arg(argument)  # type: ignore[arg-type]
        builder.add_content(message.build())
    return builder.build().dgram
