# SPDX-License-Identifier: GPL-3.0-or-later
"""From packets to readings: everything of a receiver but its sockets."""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from .protocols import json_lines, vmc, vrchat
from .readings import Decoder, MalformedError, Reading
from .sender_clock import SenderClock

ProtocolName = Literal["vmc", "vrchat", "json"]

PORTS: dict[ProtocolName, int] = {
    "vmc": vmc.PORT,
    "vrchat": vrchat.PORT,
    "json": json_lines.PORT,
}
"""The port that each protocol usually has."""
LONGEST = 32768
"""Bytes of the longest packet or line that is read; 64 trackers with long names take half of it."""

_DECODERS: dict[ProtocolName, Callable[[], Decoder]] = {
    "vmc": vmc.VmcDecoder,
    "vrchat": vrchat.VrchatDecoder,
    "json": json_lines.JsonDecoder,
}
_SENDERS = 32
_DEVICES = 256
_REMEMBERED = 32
"""Readings of a device that are compared with a new one to tell whether it came before."""

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Counters:
    """What came in since the receiver was started.

    Attributes:
        datagrams: packets: UDP datagrams, and lines over TCP.
        readings: readings handed over.
        malformed: packets that could not be read.
        oversized: packets or lines longer than any of the protocol.
        duplicate: readings that came a second time, left out.
        late: readings older than one of the same device that came before; handed over.
        dropped: readings lost because nobody fetched them for long.
    """

    datagrams: int = 0
    readings: int = 0
    malformed: int = 0
    oversized: int = 0
    duplicate: int = 0
    late: int = 0
    dropped: int = 0


class _Sender:
    """What is remembered of one sender."""

    def __init__(self, decoder: Decoder) -> None:
        self.decoder, self.clock = decoder, SenderClock()
        self.devices: OrderedDict[str, _DeviceState] = OrderedDict()


class _DeviceState:
    """What is remembered of one device."""

    def __init__(self) -> None:
        self.newest = -math.inf
        self.past: OrderedDict[float, tuple[object, ...]] = OrderedDict()


class ReadingQueue:
    """Decodes packets, maps times, leaves out duplicates, counts, and keeps what nobody fetched.

    ``packet`` and ``oversized`` are for one thread, ``drain`` and ``counters`` for any. Whatever
    comes in, the memory taken is bounded.
    """

    def __init__(self, protocol: ProtocolName, capacity: int) -> None:
        """Begin with nothing.

        Args:
            protocol: what is spoken.
            capacity: readings kept until they are fetched.
        """
        self._decoder = _DECODERS[protocol]
        self._queue: deque[Reading] = deque(maxlen=capacity)
        self._capacity = capacity
        self._senders: OrderedDict[Hashable, _Sender] = OrderedDict()
        self.counters = Counters()

    def add_packet(self, packet: bytes, sender: Hashable, arrival: float) -> None:
        """Take in a datagram, or a line of a stream.

        Args:
            packet: as it came.
            sender: address, or anything that tells senders apart.
            arrival: seconds on the local clock.
        """
        known = _remembered(self._senders, sender, lambda: _Sender(self._decoder()), _SENDERS)
        if len(packet) > LONGEST:
            self.count_oversized()
            return
        malformed = 0
        try:
            readings = known.decoder.decode(packet, arrival)
        except MalformedError:
            readings, malformed = [], 1
        made = [self._timed(reading, known, arrival) for reading in readings]
        kept = [reading for reading, _ in made if reading]
        dropped = max(len(self._queue) + len(kept) - self._capacity, 0)
        self._queue.extend(kept)
        self.counters = replace(
            self.counters,
            datagrams=self.counters.datagrams + 1,
            readings=self.counters.readings + len(kept),
            malformed=self.counters.malformed + malformed,
            duplicate=self.counters.duplicate + len(made) - len(kept),
            late=self.counters.late + sum(late for _, late in made),
            dropped=self.counters.dropped + dropped,
        )

    def count_oversized(self) -> None:
        """Count a packet that was too long to be read."""
        self.counters = replace(
            self.counters,
            datagrams=self.counters.datagrams + 1,
            oversized=self.counters.oversized + 1,
        )

    def drain(self) -> list[Reading]:
        """Return what came since the last call, in order of arrival."""
        found = []
        # As much as there is now: one that sends faster than this reads must not keep it here.
        for _ in range(len(self._queue)):
            try:
                found.append(self._queue.popleft())
            except IndexError:  # dropped meanwhile
                break
        return found

    def _timed(
        self, reading: Reading, sender: _Sender, arrival: float
    ) -> tuple[Reading | None, bool]:
        """Return the reading on the local clock, None if it came before, and whether it is late."""
        device = _remembered(sender.devices, reading.device, _DeviceState, _DEVICES)
        came = arrival if math.isnan(reading.arrival) else reading.arrival
        time = came
        if math.isfinite(reading.time):
            value = (reading.position, reading.rotation, reading.valid)
            before = device.past.get(reading.time)
            if before == value:
                return None, False
            # Of a clock that stands still, or is too coarse, nothing can be told.
            if before is None:
                _remembered(device.past, reading.time, lambda: value, _REMEMBERED)
                time = sender.clock.local(reading.time, came)
        late = time < device.newest
        device.newest = max(device.newest, time)
        return reading._replace(time=time, arrival=came), late


def _remembered(
    table: OrderedDict[_Key, _Value], key: _Key, make: Callable[[], _Value], most: int
) -> _Value:
    """Look up a key, or make its value; what was not looked up for longest makes room."""
    value = table.get(key)
    if value is None:
        value = table[key] = make()
        if len(table) > most:
            table.popitem(last=False)
    else:
        table.move_to_end(key)
    return value
