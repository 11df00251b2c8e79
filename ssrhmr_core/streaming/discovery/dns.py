# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets of multicast DNS (RFC 6762), as far as a service needs them to be found (RFC 6763)."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

A, PTR, TXT, SRV, ANY = 1, 12, 16, 33, 255
"""Types of records."""

Name = tuple[bytes, ...]
"""The labels of a name, without the root."""

_INTERNET = 1
_TOP_BIT = 0x8000
"""In a question: answer to me alone. In an answer: forget what you knew."""
_RESPONSE = 0x8400
_POINTER = 0xC0
_HEADER = struct.Struct(">6H")
_MAX_LABELS = 32
_MAX_LABEL = 63
_MAX_RECORDS = 64
_LEGACY_TTL = 10
"""Seconds for which simple resolvers, that do not listen to the group, may keep an answer."""


@dataclass(frozen=True)
class Question:
    """A question.

    Attributes:
        name: The name that is asked about.
        type: The type of record that is asked for.
    """

    name: Name
    type: int


@dataclass(frozen=True)
class Record:
    """What is said about a name.

    Attributes:
        name: The name.
        type: The type of record.
        data: The rest, encoded, without compression.
        ttl: Seconds for which others may keep it; 0 takes it back.
        is_unique: Whether only one program says this about the name.
    """

    name: Name
    type: int
    data: bytes
    ttl: int
    is_unique: bool = True


@dataclass(frozen=True)
class Query:
    """A packet of questions.

    Attributes:
        number: The number that simple resolvers want back.
        questions: The questions.
        known: What the asking program knows already.
    """

    number: int
    questions: Sequence[Question]
    known: Sequence[Record]


class DnsError(ValueError):
    """A packet is not one of DNS."""


def make_name(text: str) -> Name:
    """Return the labels of a name such as ``_osc._udp.local``."""
    return tuple(text.encode().split(b"."))


def encode_name(name: Name) -> bytes:
    """Return a name as it stands in packets."""
    return b"".join(bytes([len(label)]) + label for label in name) + b"\x00"


def read_query(packet: bytes) -> Query | None:
    """Read a packet.

    Args:
        packet: A datagram.

    Returns:
        The questions in it; None if it is an answer.

    Raises:
        DnsError: if it cannot be read.
    """
    if len(packet) < _HEADER.size:
        raise DnsError("a packet that is too short")
    number, flags, questions, answers, _, _ = _HEADER.unpack_from(packet)
    if flags & _TOP_BIT:
        return None
    if questions + answers > _MAX_RECORDS:
        raise DnsError("too many records")
    at, asked, known = _HEADER.size, [], []
    for _ in range(questions):
        name, at = _read_name(packet, at)
        kind, _ = _unpack(packet, at, ">HH")
        asked.append(Question(name, kind))
        at += 4
    for _ in range(answers):
        record, at = _read_record(packet, at)
        known.append(record)
    return Query(number, asked, known)


def write_response(
    answers: Iterable[Record], extra: Iterable[Record] = (), query: Query | None = None
) -> bytes:
    """Write answers.

    Args:
        answers: The answers.
        extra: What the asking program will want to know next.
        query: The query of a simple resolver, that wants it back; None for the group.
    """
    answers, extra = list(answers), list(extra)
    asked = list(query.questions) if query else []
    parts = [
        _HEADER.pack(
            query.number if query else 0, _RESPONSE, len(asked), len(answers), 0, len(extra)
        )
    ]
    parts += [
        encode_name(question.name) + struct.pack(">HH", question.type, _INTERNET)
        for question in asked
    ]
    for record in (*answers, *extra):
        ttl = min(record.ttl, _LEGACY_TTL) if query else record.ttl
        flush = _TOP_BIT if record.is_unique and not query else 0
        fixed = struct.pack(">HHIH", record.type, _INTERNET | flush, ttl, len(record.data))
        parts.append(encode_name(record.name) + fixed + record.data)
    return b"".join(parts)


def _read_record(packet: bytes, at: int) -> tuple[Record, int]:
    name, at = _read_name(packet, at)
    kind, kind_of_net, ttl, size = _unpack(packet, at, ">HHIH")
    begin, end = at + 10, at + 10 + size
    if end > len(packet):
        raise DnsError("a record that was cut off")
    # Names in the data may be compressed.
    data = encode_name(_read_name(packet, begin)[0]) if kind == PTR else packet[begin:end]
    return Record(name, kind, data, ttl, bool(kind_of_net & _TOP_BIT)), end


def _read_name(packet: bytes, at: int) -> tuple[Name, int]:
    """Return a name, and where the packet continues behind it."""
    labels: list[bytes] = []
    behind = -1
    for _ in range(2 * _MAX_LABELS):
        (size,) = _unpack(packet, at, ">B")
        if size >= _POINTER:
            behind = at + 2 if behind < 0 else behind
            at = _unpack(packet, at, ">H")[0] & 0x3FFF
        elif size > _MAX_LABEL:
            raise DnsError("a label of a kind that nobody uses")
        elif size == 0:
            return tuple(labels), at + 1 if behind < 0 else behind
        else:
            labels.append(packet[at + 1 : at + 1 + size])
            at += 1 + size
    raise DnsError("a name without an end")


def _unpack(packet: bytes, at: int, layout: str) -> tuple[int, ...]:
    if at + struct.calcsize(layout) > len(packet):
        raise DnsError("a packet that was cut off")
    return struct.unpack_from(layout, packet, at)
