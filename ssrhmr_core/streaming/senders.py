# SPDX-License-Identifier: GPL-3.0-or-later
"""Who sends to a port, and which of them a device belongs to."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable

from .readings import Decoder, Reading
from .sender_clock import SenderClock

_MAX_SENDERS = 32
_MAX_DEVICES = 256
"""Devices of a sender: trackers, thirty finger bones and all shapes of a face."""
_MAX_OWNED = 1024
_MAX_REMEMBERED = 32
"""Readings of a device that are compared with a new one to tell whether it came before."""
_ESTABLISHED = 8
"""Readings after which a sender is not forgotten in favour of a new one."""
_ALIVE = 2.0
"""Seconds since its last packet for which a sender counts as alive."""
_LOCK = 1.0
"""Seconds since its last reading for which a device belongs to its sender: one that was started
again, and sends from a new port, takes over soon."""
_RIVAL_LOCK = 10.0
"""The same where the other sender has sent at the same time: a pause of the network does not let
another performer in."""
_IGNORED = 0.25
"""Seconds for which a sender is ignored that sends a device of another one."""
_LONGEST_BURST = 0.25
"""Seconds for which packets are held back together, at most, and then come at once."""
_NEW_PORTS = 8
"""Packets in a row from new ports of one computer after which the port tells nothing."""


class DeviceClock:
    """Recognises readings that came before, and those that come late.

    Attributes:
        newest: Local time of the newest reading.
        past: The last readings by the sender's time, to be compared with new ones.
    """

    def __init__(self) -> None:
        """Create the state of a new device."""
        self.newest = -math.inf
        self.past: dict[float, tuple[object, ...]] = {}

    def remember(self, sent: float, values: tuple[object, ...]) -> None:
        """Keep a reading to be compared with later ones, and forget the oldest of many."""
        self.past[sent] = values
        if len(self.past) > _MAX_REMEMBERED:
            # An OrderedDict takes twice the time.
            del self.past[next(iter(self.past))]


class Sender:
    """The state of one sender.

    Attributes:
        name: The address, to be shown.
        decoder: The decoder of its packets.
        clock: The clock that its times are on.
        readings: Number of readings so far.
        last_packet: Seconds on the local clock when its last packet came.
        ignored_until: Seconds on the local clock until which it is ignored.
        refused_since: Seconds on the local clock since when its devices belong to another sender;
            infinite if they do not.
        shared_device: Name of a device that belongs to another sender, "" if none.
    """

    def __init__(self, name: str, decoder: Decoder) -> None:
        """Create the state of a new sender."""
        self.name, self.decoder, self.clock = name, decoder, SenderClock()
        self.readings = 0
        self.last_packet = self.ignored_until = -math.inf
        self.refused_since = math.inf
        self.shared_device = ""
        self._devices: dict[str, DeviceClock] = {}

    def is_established(self, now: float) -> bool:
        """Return whether the sender sends readings lately."""
        return self.readings >= _ESTABLISHED and now - self.last_packet <= _ALIVE

    def is_ignored(self, now: float) -> bool:
        """Return whether the sender is ignored in favour of another one."""
        return now < self.ignored_until

    def make_local(self, readings: Iterable[Reading], arrival: float) -> tuple[list[Reading], int]:
        """Bring the readings of a packet to the local clock.

        Args:
            readings: Readings of a decoder.
            arrival: Seconds on the local clock when their packet came.

        Returns:
            Those that did not come before, and how many of them are late.
        """
        local: list[Reading] = []
        late = new = repeated = 0
        devices, clock, make = self._devices, self.clock, tuple.__new__
        # Most readings of a packet are of the same moment, which is mapped once.
        mapped_sent = mapped_came = mapped = math.nan
        for reading in readings:
            name, position, rotation, sent, valid, kind, came, *rest = reading
            device = devices.get(name) or self._add_device(name)
            if came != came:
                came = arrival
            time = came
            # Neither infinite nor not a number.
            if sent - sent == 0.0:
                values = (position, rotation, valid)
                known = device.past.get(sent)
                if known is None:
                    new += 1
                    device.remember(sent, values)
                else:
                    repeated += 1
                    if known == values and not clock.is_coarse:
                        continue
                # A time that came before, with other values: in a burst the neighbours have the
                # sender's clock, and a time of arrival would be among later ones.
                if known is None or clock.is_proven:
                    if sent != mapped_sent or came != mapped_came:
                        mapped_sent, mapped_came, mapped = sent, came, clock.local(sent, came)
                    if known is None or came - mapped <= _LONGEST_BURST:
                        time = mapped
            if time < device.newest:
                late += 1
            else:
                device.newest = time
            # Much faster than by name.
            mapped_values = (name, position, rotation, time, valid, kind, came, *rest)
            local.append(make(Reading, mapped_values))
        clock.note_times(new, repeated)
        return local, late

    def _add_device(self, name: str) -> DeviceClock:
        """Return the state of a new device; the one that was silent for longest makes room."""
        if len(self._devices) >= _MAX_DEVICES:
            oldest = min(self._devices, key=lambda each: self._devices[each].newest)
            del self._devices[oldest]
        clock = self._devices[name] = DeviceClock()
        return clock


class SenderTable:
    """The senders of a port. Whoever sends, and from however many ports, it stays small."""

    def __init__(self, make_decoder: Callable[[], Decoder]) -> None:
        """Create an empty table.

        Args:
            make_decoder: Makes the decoder of a new sender.
        """
        self._make_decoder = make_decoder
        self._senders: dict[Hashable, Sender] = {}
        self._owners: OrderedDict[str, tuple[Sender, float]] = OrderedDict()
        self._new_ports: dict[Hashable, int] = {}
        self._changing: set[Hashable] = set()

    def __len__(self) -> int:
        """Return the number of senders."""
        return len(self._senders)

    def find(self, key: Hashable, now: float) -> Sender | None:
        """Return the sender of a packet.

        Args:
            key: Its address (host, port), or anything that tells senders apart.
            now: Seconds on the local clock.

        Returns:
            The sender; None if there are too many already that are alive.
        """
        host = _host_of(key)
        if host in self._changing:
            key = host
        sender = self._senders.get(key)
        if sender is None:
            if self._changes_port(host):
                key = host
            if len(self._senders) >= _MAX_SENDERS and not self._make_room(now):
                return None
            sender = self._senders[key] = Sender(_name_of(key), self._make_decoder())
        else:
            self._new_ports.pop(host, None)
        sender.last_packet = now
        return sender

    def forget(self, key: Hashable) -> None:
        """Forget a sender; its devices belong to nobody."""
        sender = self._senders.pop(key, None)
        for device, (owner, _) in list(self._owners.items()):
            if owner is sender:
                del self._owners[device]

    def claim(self, sender: Sender, readings: Iterable[Reading], now: float) -> bool:
        """Return whether devices are the sender's own: the first one to send a device keeps it.

        Args:
            sender: The sender of the readings.
            readings: Its readings.
            now: Seconds on the local clock.
        """
        for reading in readings:
            owner, last = self._owners.get(reading.device, (sender, now))
            lock = _RIVAL_LOCK if last > sender.refused_since else _LOCK
            if owner is not sender and now - last <= lock:
                sender.ignored_until, sender.shared_device = now + _IGNORED, reading.device
                sender.refused_since = min(sender.refused_since, now)
        if sender.is_ignored(now):
            return False
        sender.refused_since = math.inf
        for reading in readings:
            self._owners[reading.device] = (sender, now)
            self._owners.move_to_end(reading.device)
        while len(self._owners) > _MAX_OWNED:
            self._owners.popitem(last=False)
        return True

    def notice(self, now: float) -> str:
        """Return what the user should know about the senders, "" if nothing."""
        alive = [sender for sender in self._senders.values() if now - sender.last_packet <= _ALIVE]
        for sender in alive:
            if sender.is_ignored(now):
                owner = self._owners.get(sender.shared_device)
                other = owner[0].name if owner else "another sender"
                return (
                    f"two senders: {sender.name} is ignored, because {other} was first to send"
                    f" '{sender.shared_device}'. Stop one of them, or let it use another port"
                )
        return next((sender.decoder.notice for sender in alive if sender.decoder.notice), "")

    def _changes_port(self, host: Hashable) -> bool:
        """Return whether a computer sends each packet from a new port."""
        count = self._new_ports.get(host, 0) + 1
        self._new_ports[host] = count
        if len(self._new_ports) > _MAX_SENDERS:
            self._new_ports.pop(next(iter(self._new_ports)))
        if count > _NEW_PORTS and len(self._changing) < _MAX_SENDERS:
            self._changing.add(host)
            return True
        return False

    def _make_room(self, now: float) -> bool:
        """Forget the sender that was silent for longest of those that send nothing of use."""
        idle = [key for key, sender in self._senders.items() if not sender.is_established(now)]
        if not idle:
            return False
        del self._senders[min(idle, key=lambda key: self._senders[key].last_packet)]
        return True


def _host_of(key: Hashable) -> Hashable:
    return key[:-1] if isinstance(key, tuple) else (key,)


def _name_of(key: Hashable) -> str:
    return ":".join(map(str, key)) if isinstance(key, tuple) else str(key)
