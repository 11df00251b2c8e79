# SPDX-License-Identifier: GPL-3.0-or-later
"""OSC packets with type tags chosen by hand, since senders differ in them."""

from __future__ import annotations

import struct

_NUMBERS = {"i": ">i", "f": ">f", "d": ">d", "h": ">q", "t": ">Q"}


def write_text(text: str) -> bytes:
    """Return a text of OSC: it ends with a zero and fills whole words."""
    raw = text.encode() + b"\0"
    return raw + bytes(-len(raw) % 4)


def message(address: str, tags: str, *arguments: object) -> bytes:
    """Return a message whose arguments have the types of ``tags``."""
    packet = write_text(address) + write_text(f",{tags}")
    remaining = iter(arguments)
    for tag in tags:
        if tag in _NUMBERS:
            packet += struct.pack(_NUMBERS[tag], next(remaining))
        elif tag == "s":
            packet += write_text(str(next(remaining)))
    return packet


def bundle(*elements: bytes, stamp: int = 1) -> bytes:
    """Return a bundle with a time tag; 1 means "now"."""
    parts = [struct.pack(">i", len(element)) + element for element in elements]
    return b"#bundle\0" + struct.pack(">Q", stamp) + b"".join(parts)


def field(name: bytes, content: bytes) -> bytes:
    """Return a field of mocopi's format."""
    return struct.pack("<I", len(content)) + name + content
