# SPDX-License-Identifier: GPL-3.0-or-later
"""The queues that share a port, and which senders each of them listens to."""

from __future__ import annotations

import ipaddress
from collections.abc import Hashable

from .allow_list import split_addresses
from .decoding import ReadingQueue
from .readings import StreamingError


class SenderFilter:
    """Decides which senders a queue listens to."""

    def __init__(self, text: str = "") -> None:
        """Read the addresses.

        Args:
            text: Addresses (192.168.1.20), each with a port if wanted (192.168.1.20:5000, or
                [fe80::1]:5000); all senders if empty.

        Raises:
            StreamingError: if one of them is not an address.
        """
        self._chosen = {_read_address(word) for word in split_addresses(text)}

    def wants(self, sender: Hashable) -> bool:
        """Return whether a sender is listened to.

        Args:
            sender: Its address: (host, port), or ("tcp", host, port).
        """
        if not self._chosen:
            return True
        if not isinstance(sender, tuple):
            return False
        *_, host, port = sender
        # Addresses of a link name the interface: fe80::1%eth0.
        host = str(host).partition("%")[0]
        return (host, None) in self._chosen or (host, port) in self._chosen


class Channel:
    """A queue of a port, and the senders that it listens to.

    Attributes:
        queue: The queue.
        other: The address of a sender that is not listened to, "" if there was none.
    """

    def __init__(self, queue: ReadingQueue, senders: SenderFilter) -> None:
        """Create a channel."""
        self.queue, self.other = queue, ""
        self._senders = senders

    def add_packet(self, packet: bytes, sender: Hashable, arrival: float) -> None:
        """Take in a packet if its sender is listened to; see :class:`ReadingQueue`."""
        if self._senders.wants(sender):
            self.queue.add_packet(packet, sender, arrival)
        elif isinstance(sender, tuple):
            self.other = ":".join(map(str, sender[-2:]))

    @property
    def notice(self) -> str:
        """What the user should know about the senders, in plain words; "" if nothing."""
        if self.queue.notice or not self.other or self.queue.counters.datagrams:
            return self.queue.notice
        return (
            f"{self.other} sends, but is not the chosen sender: correct the address under Only"
            " From, or empty it"
        )


class ChannelList:
    """The channels of a port. One thread takes packets in, others add and remove channels."""

    def __init__(self) -> None:
        """Create an empty list."""
        self._channels: tuple[Channel, ...] = ()

    def __len__(self) -> int:
        """Return the number of channels."""
        return len(self._channels)

    def add(self, channel: Channel) -> None:
        """Add a channel."""
        self._channels = (*self._channels, channel)

    def remove(self, channel: Channel) -> None:
        """Remove a channel."""
        self._channels = tuple(each for each in self._channels if each is not channel)

    def add_packet(self, packet: bytes, sender: Hashable, arrival: float) -> None:
        """Take in a datagram, or a line of a stream."""
        for channel in self._channels:
            channel.add_packet(packet, sender, arrival)

    def forget_sender(self, sender: Hashable) -> None:
        """Forget a sender that has closed its connection."""
        for channel in self._channels:
            channel.queue.forget_sender(sender)

    def count_oversized(self) -> None:
        """Count a packet that was too long to be read."""
        for channel in self._channels:
            channel.queue.count_oversized()

    def count_refused(self) -> None:
        """Count a packet or connection of a computer that may not send."""
        for channel in self._channels:
            channel.queue.count_refused()


def _read_address(word: str) -> tuple[str, int | None]:
    host, port = word, ""
    if word.startswith("["):
        host, _, port = word[1:].partition("]")
        port = port.removeprefix(":")
    elif word.count(":") == 1:
        host, _, port = word.partition(":")
    try:
        return str(ipaddress.ip_address(host)), int(port) if port else None
    except ValueError as error:
        raise StreamingError(
            f"'{word}' is not the address of a sender: write one like 192.168.1.20, or"
            " 192.168.1.20:5000 with its port"
        ) from error
