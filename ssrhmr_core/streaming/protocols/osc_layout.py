# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets that differ in nothing but their numbers from one that was read before.

A sender's frames have the same messages in the same order. Such a packet is recognised by one
comparison, and all of its numbers are read by one call.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from .osc import Message, read_packet

_MAX_LAYOUTS = 16
_MAX_UNUSED = 64
"""Layouts that may be made without being used, before no more are made."""


class Field(NamedTuple):
    """A message of which numbers are read.

    Attributes:
        handler: The handler of its address.
        name: Its first argument, if that is a text, else b"".
        begin: Index of its first number among all numbers of the packet.
        end: Index after its last number.
    """

    handler: Any
    name: bytes
    begin: int
    end: int


class Layout:
    """The layout of a packet.

    Attributes:
        fields: The messages of which numbers are read.
        plan: Whatever the decoder works out of the fields once.
    """

    def __init__(self, packet: bytes, fields: Sequence[Field], spans: Sequence[range]) -> None:
        """Remember a packet.

        Args:
            packet: The packet.
            fields: The messages of which numbers are read, in order.
            spans: The bytes that may change: the numbers of the fields, in order, then others.
        """
        self.fields = fields
        self.plan: Any = None
        layout, at = [">"], 0
        for field, span in zip(fields, spans, strict=False):
            layout.append(f"{span.start - at}x{field.end - field.begin}f")
            at = span.stop
        layout.append(f"{len(packet) - at}x")
        self._numbers = struct.Struct("".join(layout))
        fixed = bytearray(b"\xff" * len(packet))
        for span in spans:
            fixed[span.start : span.stop] = bytes(len(span))
        self._mask = int.from_bytes(fixed, "little")
        self._wanted = int.from_bytes(packet, "little") & self._mask

    def read(self, packet: bytes) -> tuple[float, ...] | None:
        """Return all numbers of a packet; None if it has another layout."""
        if int.from_bytes(packet, "little") & self._mask != self._wanted:
            return None
        return self._numbers.unpack(packet)


class LayoutCache:
    """The layouts of the packets of one sender."""

    def __init__(
        self,
        handlers: Mapping[bytes, object],
        count_numbers: Callable[[Message, Any], int | None],
    ) -> None:
        """Create an empty cache.

        Args:
            handlers: The handlers by address; other messages may change their arguments.
            count_numbers: Returns of a message and its handler the number of floats that are read;
                None if the message is not one of floats.
        """
        self._handlers, self._count_numbers = handlers, count_numbers
        self._layouts: dict[int, list[Layout]] = {}
        self._unused = 0

    def find(self, packet: bytes) -> tuple[Layout, tuple[float, ...]] | None:
        """Return the layout of a packet and its numbers, if a packet like it was read before."""
        for layout in self._layouts.get(len(packet), ()):
            numbers = layout.read(packet)
            if numbers is not None:
                self._unused = 0
                return layout, numbers
        return None

    def note(self, packet: bytes, has_time: bool = False) -> None:
        """Remember the layout of a packet that was read without a fault.

        Args:
            packet: The packet.
            has_time: Whether a message has the time, so that those of bundles do not count.
        """
        if self._unused >= _MAX_UNUSED:
            return
        layout = self._make(packet, has_time)
        if layout is None:
            return
        self._unused += 1
        if sum(map(len, self._layouts.values())) >= _MAX_LAYOUTS:
            self._layouts.clear()
        self._layouts.setdefault(len(packet), []).append(layout)

    def _make(self, packet: bytes, has_time: bool) -> Layout | None:
        parsed = read_packet(packet, _Everything())
        fields: list[Field] = []
        spans: list[range] = []
        free: list[range] = []
        for message, _ in parsed.messages:
            handler = self._handlers.get(message.address)
            if handler is None:
                free.append(range(message.begin, message.end))
                continue
            name = message.read_name() if message.has_name else b""
            begin = message.begin + (len(name) // 4 * 4 + 4 if message.has_name else 0)
            count = self._count_numbers(message, handler)
            if count is None:
                return None
            if count:
                first = fields[-1].end if fields else 0
                fields.append(Field(handler, name, first, first + count))
                spans.append(range(begin, begin + 4 * count))
            # Whatever follows is not read.
            free.append(range(begin + 4 * count, message.end))
        for at in parsed.stamps:
            if has_time:
                free.append(range(at, at + 8))
            elif int.from_bytes(packet[at : at + 8], "big") > 1:
                return None
        return None if parsed.malformed else Layout(packet, fields, [*spans, *free])


class _Everything(dict[bytes, object]):
    """Handlers that want every message."""

    def get(self, address: object, default: object = None) -> object:
        """Return something, whatever the address."""
        return True
