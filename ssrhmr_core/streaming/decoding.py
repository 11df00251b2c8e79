# SPDX-License-Identifier: GPL-3.0-or-later
"""From packets to readings: everything of a receiver but its sockets."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from .protocols import json_lines, mocopi, vmc, vrchat
from .protocols.recognition import describe_packet
from .readings import Decoder, Reading
from .senders import Sender, SenderTable

ProtocolName = Literal["vmc", "vrchat", "mocopi", "json"]

PORTS: dict[ProtocolName, int] = {
    "vmc": vmc.PORT,
    "vrchat": vrchat.PORT,
    "mocopi": mocopi.PORT,
    "json": json_lines.PORT,
}
"""The usual port of each protocol."""
LONGEST = 32768
"""Bytes of the longest packet or line that is read; 64 trackers with long names take half of it."""

_DECODERS: dict[ProtocolName, Callable[[], Decoder]] = {
    "vmc": vmc.VmcDecoder,
    "vrchat": vrchat.VrchatDecoder,
    "mocopi": mocopi.MocopiDecoder,
    "json": json_lines.JsonDecoder,
}
_NOTICE_INTERVAL = 0.25
"""Seconds between two looks for something that the user should know."""
_SILENT_PACKETS = 20
"""Packets without any reading after which the user is told what they are."""


@dataclass(frozen=True)
class Counters:
    """Counters of what came in since the receiver was started.

    Attributes:
        datagrams: Packets: UDP datagrams, and lines over TCP.
        readings: Readings handed over.
        malformed: Packets of which something could not be read; the rest of them was used.
        oversized: Packets or lines longer than any of the protocol.
        duplicate: Readings that came a second time, left out.
        late: Readings older than one of the same device that came before; handed over.
        ignored: Readings of a second sender with the same devices, left out.
        refused: Packets and connections of computers that may not send, left unread.
        dropped: Readings lost because nobody fetched them for long.
    """

    datagrams: int = 0
    readings: int = 0
    malformed: int = 0
    oversized: int = 0
    duplicate: int = 0
    late: int = 0
    ignored: int = 0
    refused: int = 0
    dropped: int = 0


class ReadingQueue:
    """Decodes packets, maps times, leaves out duplicates, counts, and keeps what nobody fetched.

    ``add_packet`` and the counting methods are for one thread, ``drain``, ``counters`` and
    ``notice`` for any. Whatever comes in, the memory taken is bounded.

    Attributes:
        counters: Counters of what came in.
        notice: What the user should know about the senders, in plain words; "" if nothing.
    """

    def __init__(self, protocol: ProtocolName, capacity: int, details: bool = False) -> None:
        """Create an empty queue.

        Args:
            protocol: The protocol of the sender.
            capacity: The number of readings kept until they are fetched.
            details: Whether to read fingers, shapes of the face and the camera, where VMC has them.
        """
        self.counters = Counters()
        self.notice = ""
        self._protocol: ProtocolName = protocol
        self._capacity = capacity
        self._queue: deque[Reading] = deque(maxlen=capacity)
        make_decoder = _DECODERS[protocol]
        if details and protocol == "vmc":
            make_decoder = partial(vmc.VmcDecoder, details=True)
        self._senders = SenderTable(make_decoder)
        self._next_notice = 0.0
        self._without_reading = 0

    def add_packet(self, packet: bytes, sender: Hashable, arrival: float) -> None:
        """Take in a datagram, or a line of a stream.

        Args:
            packet: The bytes, as they came.
            sender: The address, (host, port), or anything that tells senders apart.
            arrival: Seconds on the local clock.
        """
        if len(packet) > LONGEST:
            self.count_oversized()
            return
        known = self._senders.find(sender, arrival)
        if known is None:
            self.counters = replace(self.counters, datagrams=self.counters.datagrams + 1)
            return
        malformed = known.decoder.malformed
        readings = known.decoder.decode(packet, arrival)
        is_malformed = known.decoder.malformed > malformed
        if self._senders.claim(known, readings, arrival):
            self._add_readings(known, readings, arrival, is_malformed)
        else:
            self.counters = replace(
                self.counters,
                datagrams=self.counters.datagrams + 1,
                malformed=self.counters.malformed + is_malformed,
                ignored=self.counters.ignored + len(readings),
            )
        self._update_notice(packet, known, arrival)

    def forget_sender(self, sender: Hashable) -> None:
        """Forget a sender that has closed its connection: its devices may come from another."""
        self._senders.forget(sender)

    def count_oversized(self) -> None:
        """Count a packet that was too long to be read."""
        self.counters = replace(
            self.counters,
            datagrams=self.counters.datagrams + 1,
            oversized=self.counters.oversized + 1,
        )

    def count_refused(self) -> None:
        """Count a packet or connection of a computer that may not send."""
        self.counters = replace(self.counters, refused=self.counters.refused + 1)

    def drain(self) -> list[Reading]:
        """Return what came since the last call, in order of arrival."""
        readings = []
        # No more than there is now: a sender faster than this loop must not keep it here.
        for _ in range(len(self._queue)):
            try:
                readings.append(self._queue.popleft())
            except IndexError:  # dropped meanwhile
                break
        return readings

    def _add_readings(
        self, sender: Sender, readings: list[Reading], arrival: float, is_malformed: bool
    ) -> None:
        kept, late = sender.make_local(readings, arrival)
        sender.readings += len(kept)
        dropped = max(len(self._queue) + len(kept) - self._capacity, 0)
        self._queue.extend(kept)
        counters = self.counters
        self.counters = Counters(
            datagrams=counters.datagrams + 1,
            readings=counters.readings + len(kept),
            malformed=counters.malformed + is_malformed,
            oversized=counters.oversized,
            duplicate=counters.duplicate + len(readings) - len(kept),
            late=counters.late + late,
            ignored=counters.ignored,
            refused=counters.refused,
            dropped=counters.dropped + dropped,
        )

    def _update_notice(self, packet: bytes, sender: Sender, now: float) -> None:
        self._without_reading = 0 if self.counters.readings else self._without_reading + 1
        if now < self._next_notice:
            return
        self._next_notice = now + _NOTICE_INTERVAL
        self.notice = self._senders.notice(now)
        if not self.notice and self._without_reading >= _SILENT_PACKETS:
            self.notice = describe_packet(packet, self._protocol, sender.name)
