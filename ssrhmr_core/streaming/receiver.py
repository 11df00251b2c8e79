# SPDX-License-Identifier: GPL-3.0-or-later
"""A port, the thread that owns it, and the queue between the thread and its user."""

from __future__ import annotations

import contextlib
import errno
import selectors
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Literal

from .allow_list import AllowList
from .channels import Channel, ChannelList, SenderFilter
from .decoding import LONGEST, PORTS, Counters, ProtocolName, ReadingQueue
from .discovery import Advertiser
from .readings import Reading, StreamingError

Announcement = Literal["none", "loopback", "everywhere"]
"""Where senders may find a receiver by themselves."""

LOCALHOST = "127.0.0.1"
ANYWHERE = "0.0.0.0"

_BOTH_FAMILIES = {
    LOCALHOST: (LOCALHOST, "::1"),
    "localhost": (LOCALHOST, "::1"),
    ANYWHERE: (ANYWHERE, "::"),
}
"""Addresses to listen on: many senders take "localhost" for ::1."""
_DETAILED = 2
"""How many times as many readings are kept where fingers and faces come along."""
_PACKETS_A_TURN = 256
"""Number of packets read from a socket before the others have their turn."""
_CONNECTIONS = 16
_BUFFER = 1 << 20
"""Bytes that the system keeps while the thread is held up."""
_PAUSE = 0.01
"""Seconds to wait when the system refuses something: it may do so again and again."""
_PORT_ATTEMPTS = 64
"""How often the system is asked for a port that all sockets can share."""
_TOO_LONG_ON_WINDOWS = 10040


class Receiver:
    """Listens for trackers on one port.

    One thread owns the sockets (UDP; for JSON lines TCP too) and notes when packets arrive. No
    packet ends it. ``start`` and ``stop`` may be called any number of times; as a context manager
    the receiver starts and stops itself. Several receivers may share a port, see :meth:`share`.
    """

    def __init__(
        self,
        protocol: ProtocolName = "vmc",
        port: int | None = None,
        host: str = LOCALHOST,
        capacity: int = 1 << 17,
        clock: Callable[[], float] = time.perf_counter,
        allowed: Iterable[str] = (),
        announced: Announcement = "none",
    ) -> None:
        """Create a receiver; nothing is opened yet.

        Args:
            protocol: The protocol of the sender.
            port: The port to listen on; the protocol's own if not given, any free one if 0.
            host: The address of the interface to listen on. By default only programs on this
                computer can send; ``ANYWHERE`` also accepts the network. Both include IPv6.
            capacity: The number of readings kept until they are fetched; the oldest are dropped
                beyond it. SlimeVR sends 6,000 a second, and windows stand still while they save.
            clock: Returns the seconds of arrival and of readings. It must never go back; the
                system's time of day would, and ``time.monotonic`` is coarse on Windows.
            allowed: The addresses and networks of other computers that may send; any if empty.
            announced: The interfaces on which senders of VRChat OSC may find the receiver by
                themselves.

        Raises:
            StreamingError: if one of those is not an address.
        """
        self._protocol: ProtocolName = protocol
        self._wanted = PORTS[protocol] if port is None else port
        self._host, self._capacity, self._clock = host, capacity, clock
        self._port = self._wanted
        self._allowed = frozenset(allowed)
        self._allow_list = AllowList(self._allowed)
        self._senders, self._details = SenderFilter(), False
        self._channels = ChannelList()
        self._channel = self._make_channel()
        self._thread: threading.Thread | None = None
        self._waker: socket.socket | None = None
        self._announced = announced
        self._advertiser: Advertiser | None = None

    def __enter__(self) -> Receiver:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    @property
    def protocol(self) -> ProtocolName:
        """The protocol of the sender."""
        return self._protocol

    @property
    def port(self) -> int:
        """The port; once started, the one that is really open."""
        return self._port

    @property
    def host(self) -> str:
        """The address of the interface."""
        return self._host

    @property
    def running(self) -> bool:
        """Whether the receiver listens."""
        return self._thread is not None

    @property
    def counters(self) -> Counters:
        """Counters of what came in since ``start``."""
        return self._channel.queue.counters

    def listen_to(self, senders: str = "", details: bool = False) -> None:
        """Choose what to listen to, from the next start on.

        Args:
            senders: The addresses of senders, see :class:`SenderFilter`; all senders if empty.
            details: Whether to read fingers, shapes of the face and the camera too.

        Raises:
            StreamingError: if one of those is not an address.
        """
        self._senders, self._details = SenderFilter(senders), details

    def can_share(
        self, protocol: ProtocolName, port: int, host: str, allowed: Iterable[str]
    ) -> bool:
        """Return whether a receiver with those settings would listen to the same packets."""
        return self.running and (protocol, port, host, frozenset(allowed)) == (
            *(self._protocol, self._port, self._host, self._allowed),
        )

    def share(self, senders: str = "", details: bool = False) -> SharedReceiver:
        """Return a receiver on the same port, which stays open until the last one is stopped.

        Args:
            senders: The addresses of the senders to listen to, see :class:`SenderFilter`; all if
                empty.
            details: Whether to read fingers, shapes of the face and the camera too.

        Raises:
            StreamingError: if one of those is not an address.
        """
        return SharedReceiver(self, senders, details)

    def start(self) -> None:
        """Open the port and listen.

        Raises:
            StreamingError: if the receiver listens already, or the port or host cannot be used;
                the message says what to do.
        """
        if self._thread:
            raise StreamingError(f"port {self._port} is being listened on already: stop that first")
        with contextlib.ExitStack() as opened:
            listening = self._open(opened)
            waker, wake_end = socket.socketpair()
            opened.enter_context(waker)
            opened.enter_context(wake_end)
            self._channel = self._make_channel()
            self._channels = ChannelList()
            self._channels.add(self._channel)
            loop = _Loop(self._channels, self._clock, self._allow_list, listening, wake_end)
            thread = threading.Thread(
                # A daemon does not keep a program alive that forgot to stop the receiver.
                target=loop.run,
                name=f"ssrhmr {self._protocol} {self._port}",
                daemon=True,
            )
            thread.start()
            opened.pop_all()
        self._thread, self._waker = thread, waker
        self.announce(self._announced)

    def stop(self) -> None:
        """Close the port and end the thread; both are done when this returns.

        Where others share the port, it stays open for them.
        """
        self._leave(self._channel)

    def _make_channel(self) -> Channel:
        return self._open_channel(self._senders, self._details)

    def _open_channel(self, senders: SenderFilter, details: bool) -> Channel:
        capacity = self._capacity * (_DETAILED if details else 1)
        return Channel(ReadingQueue(self._protocol, capacity, details), senders)

    def _leave(self, channel: Channel) -> None:
        """Stop filling a channel; after the last one close the port."""
        self._channels.remove(channel)
        if not self._thread or not self._waker or len(self._channels):
            return
        self._end_announcement()
        # The thread notices that its end was closed, closes its sockets and returns.
        self._waker.close()
        self._thread.join()
        self._thread = self._waker = None
        self._port = self._wanted

    @property
    def announced(self) -> Announcement:
        """The interfaces on which senders may find the receiver by themselves."""
        return self._announced

    def announce(self, where: Announcement) -> None:
        """Change where senders may find the receiver by themselves.

        Args:
            where: The interfaces; from now on, and after every start.
        """
        self._end_announcement()
        self._announced = where
        if self._thread and self._protocol == "vrchat" and where != "none":
            self._advertiser = Advertiser(self._port, self._host, where == "everywhere")
            self._advertiser.start()

    def _end_announcement(self) -> None:
        if self._advertiser:
            self._advertiser.stop()
            self._advertiser = None

    @property
    def notice(self) -> str:
        """What the user should know about the senders, in plain words; "" if nothing."""
        return self._notice_of(self._channel)

    def _notice_of(self, channel: Channel) -> str:
        if channel.notice:
            return channel.notice
        if channel.queue.counters.refused:
            return (
                f"{self._allow_list.refused} sends too, but is not among the allowed addresses: add"
                " it there if it may send"
            )
        if self._advertiser and not channel.queue.counters.datagrams:
            return self._advertiser.notice
        return ""

    def drain(self) -> list[Reading]:
        """Return what came since the last call, in order of arrival; also after ``stop``."""
        return self._channel.queue.drain()

    def _open(self, opened: contextlib.ExitStack) -> list[socket.socket]:
        """Bind all sockets to one port.

        Raises:
            StreamingError: if that is not possible.
        """
        if not 0 <= self._wanted <= 65535:
            raise StreamingError(f"{self._wanted} is no port: choose one up to 65535")
        for attempt in range(_PORT_ATTEMPTS):
            self._port = self._wanted
            with contextlib.ExitStack() as bound:
                try:
                    sockets = self._bind_all(bound)
                except OSError as error:
                    port, self._port = self._port, self._wanted
                    # The system picks a port that is free for the first socket; another program
                    # may have it for TCP, or at the other address.
                    taken = error.errno in (errno.EADDRINUSE, errno.EACCES)
                    if self._wanted == 0 and port != 0 and taken and attempt + 1 < _PORT_ATTEMPTS:
                        continue
                    raise StreamingError(self._explain(error, port)) from error
                opened.push(bound.pop_all())
                return sockets
        raise AssertionError("the last attempt returns or raises")

    def _bind_all(self, bound: contextlib.ExitStack) -> list[socket.socket]:
        """Bind a UDP socket at each address, and TCP ones where lines may come in streams."""
        kinds = [socket.SOCK_DGRAM]
        if self._protocol == "json":
            kinds.append(socket.SOCK_STREAM)
        sockets: list[socket.socket] = []
        for host in _BOTH_FAMILIES.get(self._host, (self._host,)):
            for kind in kinds:
                try:
                    made = bound.enter_context(self._bind(host, kind))
                except OSError as error:
                    # The second address is IPv6, which a computer need not have.
                    optional = host != self._host and ":" in host
                    if optional and error.errno != errno.EADDRINUSE:
                        continue
                    raise
                self._port = made.getsockname()[1]
                if kind == socket.SOCK_STREAM:
                    made.listen(_CONNECTIONS)
                sockets.append(made)
        return sockets

    def _bind(self, host: str, kind: socket.SocketKind) -> socket.socket:
        family, _, _, _, address = socket.getaddrinfo(
            host, self._port, type=kind, flags=socket.AI_PASSIVE
        )[0]
        made = socket.socket(family, kind)
        try:
            if sys.platform == "win32":
                # Otherwise another program may take a port that is in use.
                made.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
            elif kind == socket.SOCK_STREAM:
                # Otherwise the port stays taken for a minute after the last connection.
                made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                # IPv4 has a socket of its own.
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
            made.setblocking(False)
            made.bind(address)
        except BaseException:
            made.close()
            raise
        return made

    def _explain(self, error: OSError, port: int) -> str:
        if error.errno == errno.EADDRINUSE:
            return (
                f"port {port} is in use: stop the other program that listens on it (or the other"
                " Blender), or choose another port here and in the sender"
            )
        if error.errno in (errno.EACCES, errno.EPERM):
            return f"port {port} may not be used: choose one above 1023"
        return (
            f"cannot listen on {self._host}, port {port} ({error.strerror or error}):"
            " choose another port here and in the sender"
        )


class SharedReceiver:
    """A receiver on the port of another one, with a queue and senders of its own."""

    def __init__(self, owner: Receiver, senders: str, details: bool) -> None:
        """Create a receiver; see :meth:`Receiver.share`."""
        self._owner, self._senders, self._details = owner, SenderFilter(senders), details
        self._channel = self._make_channel()

    def _make_channel(self) -> Channel:
        return self._owner._open_channel(self._senders, self._details)

    @property
    def port(self) -> int:
        """The port."""
        return self._owner.port

    @property
    def counters(self) -> Counters:
        """Counters of what came in since ``start``."""
        return self._channel.queue.counters

    @property
    def announced(self) -> Announcement:
        """The interfaces on which senders may find the port by themselves."""
        return self._owner.announced

    @property
    def running(self) -> bool:
        """Whether the port is open."""
        return self._owner.running

    @property
    def notice(self) -> str:
        """What the user should know about the senders, in plain words; "" if nothing."""
        return self._owner._notice_of(self._channel)

    def can_share(
        self, protocol: ProtocolName, port: int, host: str, allowed: Iterable[str]
    ) -> bool:
        """Return whether a receiver with those settings would listen to the same packets."""
        return self._owner.can_share(protocol, port, host, allowed)

    def share(self, senders: str = "", details: bool = False) -> SharedReceiver:
        """Return another receiver on the same port."""
        return self._owner.share(senders, details)

    def announce(self, where: Announcement) -> None:
        """Change where senders may find the port by themselves."""
        self._owner.announce(where)

    def start(self) -> None:
        """Begin to listen.

        Raises:
            StreamingError: if the port was closed meanwhile.
        """
        if not self._owner.running:
            raise StreamingError(f"port {self._owner.port} was closed: start again")
        self._owner._channels.remove(self._channel)
        self._channel = self._make_channel()
        self._owner._channels.add(self._channel)

    def stop(self) -> None:
        """Stop listening; whoever is the last one closes the port."""
        self._owner._leave(self._channel)

    def drain(self) -> list[Reading]:
        """Return what came since the last call, in order of arrival; also after ``stop``."""
        return self._channel.queue.drain()


class _Loop:
    """The work of the thread."""

    def __init__(
        self,
        channels: ChannelList,
        clock: Callable[[], float],
        allow_list: AllowList,
        listening: list[socket.socket],
        wake_end: socket.socket,
    ) -> None:
        self._channels, self._clock, self._allow_list = channels, clock, allow_list
        self._listening, self._wake_end = listening, wake_end
        self._streams: dict[socket.socket, _Stream] = {}
        self._selector = selectors.DefaultSelector()

    def run(self) -> None:
        """Read until the other end of the waking socket is closed."""
        try:
            self._selector.register(self._wake_end, selectors.EVENT_READ)
            for listener in self._listening:
                self._selector.register(listener, selectors.EVENT_READ)
            while True:
                for key, _ in self._selector.select():
                    ready: Any = key.fileobj
                    if ready is self._wake_end:
                        return
                    if ready in self._streams:
                        self._read_stream(ready)
                    elif ready.type == socket.SOCK_STREAM:
                        self._accept(ready)
                    else:
                        self._read_datagrams(ready)
        finally:
            self._selector.close()
            for opened in (*self._streams, *self._listening, self._wake_end):
                opened.close()

    def _read_datagrams(self, ready: socket.socket) -> None:
        for _ in range(_PACKETS_A_TURN):
            try:
                packet, sender = ready.recvfrom(LONGEST + 1)
            except BlockingIOError:
                return
            except OSError as error:
                # Windows reports packets that do not fit, and our own that nobody received.
                if getattr(error, "winerror", 0) == _TOO_LONG_ON_WINDOWS:
                    self._channels.count_oversized()
                    continue
                time.sleep(_PAUSE)
                return
            if self._allow_list.allows(sender[0]):
                self._channels.add_packet(packet, sender[:2], self._clock())
            else:
                self._channels.count_refused()

    def _accept(self, listener: socket.socket) -> None:
        try:
            stream, sender = listener.accept()
        except OSError:
            time.sleep(_PAUSE)
            return
        if not self._allow_list.allows(sender[0]):
            stream.close()
            self._channels.count_refused()
            return
        if len(self._streams) >= _CONNECTIONS:
            # The one that was silent for longest makes room: senders die without closing.
            self._close(min(self._streams, key=lambda each: self._streams[each].last_received))
        stream.setblocking(False)
        self._streams[stream] = _Stream(("tcp", *sender[:2]), self._clock())
        self._selector.register(stream, selectors.EVENT_READ)

    def _read_stream(self, ready: socket.socket) -> None:
        stream = self._streams[ready]
        try:
            piece = ready.recv(LONGEST)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        if not piece:
            self._close(ready)
            return
        stream.last_received = self._clock()
        lines, too_long = stream.split_lines(piece)
        for _ in range(too_long):
            self._channels.count_oversized()
        for line in lines:
            self._channels.add_packet(line, stream.sender, stream.last_received)

    def _close(self, stream: socket.socket) -> None:
        self._channels.forget_sender(self._streams[stream].sender)
        self._selector.unregister(stream)
        del self._streams[stream]
        stream.close()


class _Stream:
    """A connection.

    Attributes:
        sender: The key of the sender.
        last_received: Seconds on the local clock when something came last.
    """

    def __init__(self, sender: tuple[object, ...], last_received: float) -> None:
        self.sender, self.last_received = sender, last_received
        self._rest, self._skipping = b"", False

    def split_lines(self, piece: bytes) -> tuple[list[bytes], int]:
        """Return the lines that are complete now, and the number of lines that are too long."""
        *whole, self._rest = (self._rest + piece).split(b"\n")
        too_long = 0
        if whole and self._skipping:
            # The end of a line that was counted when it grew too long.
            del whole[0]
            self._skipping = False
        if len(self._rest) > LONGEST:
            too_long += not self._skipping
            self._rest, self._skipping = b"", True
        lines = []
        for line in whole:
            if len(line) > LONGEST:
                too_long += 1
            elif line.strip():
                lines.append(line)
        return lines, too_long
