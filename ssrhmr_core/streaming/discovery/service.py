# SPDX-License-Identifier: GPL-3.0-or-later
"""What is announced of a receiver, and the answers to those who ask about it."""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from itertools import chain

from .dns import ANY, PTR, SRV, TXT, A, Name, Query, Question, Record, encode_name, make_name

OSC, OSC_QUERY = make_name("_osc._udp.local"), make_name("_oscjson._tcp.local")
"""The types of the service: the port of OSC itself, and that of OSCQuery."""

_ALL_TYPES = make_name("_services._dns-sd._udp.local")
_TTL, _HOST_TTL = 4500, 120
"""Seconds for which others keep records, as the standard recommends."""


class Service:
    """The records of a receiver."""

    def __init__(self, names: Sequence[str], address: str, osc_port: int, query_port: int) -> None:
        """Make the records.

        Args:
            names: The names under which the receiver is found.
            address: IPv4 address of its ports.
            osc_port: The UDP port of OSC.
            query_port: The TCP port of OSCQuery.
        """
        self._host: Name = (names[0].encode(), b"local")
        self._pointers: list[Record] = []
        self._details: dict[Name, list[Record]] = {}
        for kind, port in ((OSC, osc_port), (OSC_QUERY, query_port)):
            for name in names:
                instance = (name.encode(), *kind)
                self._pointers.append(Record(kind, PTR, encode_name(instance), _TTL, False))
                target = struct.pack(">HHH", 0, 0, port) + encode_name(self._host)
                self._details[instance] = [
                    Record(instance, SRV, target, _HOST_TTL),
                    Record(instance, TXT, b"\x09txtvers=1", _TTL),
                ]
        self._address = Record(self._host, A, socket.inet_aton(address), _HOST_TTL)

    def records(self) -> list[Record]:
        """Return everything, as it is announced."""
        return [*self._pointers, *chain(*self._details.values()), self._address]

    def farewell(self) -> list[Record]:
        """Return what takes everything back."""
        return [
            Record(record.name, record.type, record.data, 0, record.is_unique)
            for record in self.records()
        ]

    def answer(self, query: Query) -> tuple[list[Record], list[Record]]:
        """Return the answers to a query, without those that it knows, and what goes with them."""
        answers: list[Record] = []
        for question in query.questions:
            for record in self._find(question):
                if record not in answers and not _is_known(record, query):
                    answers.append(record)
        extra: list[Record] = []
        for record in answers:
            details = next(
                (some for name, some in self._details.items() if encode_name(name) == record.data),
                [],
            )
            extra += [detail for detail in details if detail not in answers]
        if answers and self._address not in answers:
            extra.append(self._address)
        return answers, extra

    def _find(self, question: Question) -> list[Record]:
        # Names are compared without regard to case.
        name = tuple(label.lower() for label in question.name)
        if name == _ALL_TYPES and question.type in (PTR, ANY):
            return [
                Record(_ALL_TYPES, PTR, encode_name(kind), _TTL, False) for kind in (OSC, OSC_QUERY)
            ]
        return [
            record
            for record in self.records()
            if question.type in (record.type, ANY)
            and tuple(label.lower() for label in record.name) == name
        ]


def _is_known(record: Record, query: Query) -> bool:
    return any(
        (known.name, known.type, known.data) == (record.name, record.type, record.data)
        and known.ttl >= record.ttl // 2
        for known in query.known
    )
