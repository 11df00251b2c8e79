"""A socket, the thread that owns it, and the queue between it and who asks."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from .readings import Reading

ProtocolName = Literal["vmc", "vrchat", "json"]

PORTS: dict[ProtocolName, int] = {"vmc": 39539, "vrchat": 9000, "json": 39560}
"""The port that each protocol usually has."""
LOCALHOST = "127.0.0.1"
ANYWHERE = "0.0.0.0"


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
        dropped: readings lost because nobody fetched them for long, or of too many devices.
    """

    datagrams: int = 0
    readings: int = 0
    malformed: int = 0
    oversized: int = 0
    duplicate: int = 0
    late: int = 0
    dropped: int = 0


class Receiver:
    """Listens for trackers on one port.

    One thread owns the sockets (UDP; for JSON lines TCP too) and stamps what arrives. No packet
    ends it. ``start`` and ``stop`` may be called any number of times; as a context manager it is
    started and stopped.
    """

    def __init__(
        self,
        protocol: ProtocolName = "vmc",
        port: int | None = None,
        host: str = LOCALHOST,
        capacity: int = 32768,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Get ready; nothing is opened yet.

        Args:
            protocol: what is spoken.
            port: to listen on; the protocol's own if not given, any free one if 0.
            host: address of the interface to listen on: by default only programs on this computer
                are heard; ``ANYWHERE`` hears the network.
            capacity: readings kept until they are fetched; the oldest are dropped beyond it.
            clock: gives the seconds of arrival and of readings.
        """
        raise NotImplementedError

    @property
    def protocol(self) -> ProtocolName:
        """What is spoken."""
        raise NotImplementedError

    @property
    def port(self) -> int:
        """The port, once started the one really listened on."""
        raise NotImplementedError

    @property
    def host(self) -> str:
        """Address of the interface."""
        raise NotImplementedError

    @property
    def running(self) -> bool:
        """Whether it listens."""
        raise NotImplementedError

    @property
    def counters(self) -> Counters:
        """What came in since ``start``."""
        raise NotImplementedError

    def start(self) -> None:
        """Open the port and listen.

        Raises:
            FeedError: if it listens already, or the port or host cannot be had; the message says
                what to do.
        """
        raise NotImplementedError

    def stop(self) -> None:
        """Close the port and end the thread; both are done when this returns."""
        raise NotImplementedError

    def drain(self) -> list[Reading]:
        """Return what came since the last call, in order of arrival."""
        raise NotImplementedError
