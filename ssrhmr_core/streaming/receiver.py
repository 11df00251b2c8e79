# SPDX-License-Identifier: GPL-3.0-or-later
"""A port, the thread that owns it, and the queue between it and who asks."""

from __future__ import annotations

import contextlib
import errno
import selectors
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from .decoding import LONGEST, PORTS, Counters, ProtocolName, ReadingQueue
from .readings import Reading, StreamingError

LOCALHOST = "127.0.0.1"
ANYWHERE = "0.0.0.0"

_AT_ONCE = 256
"""Packets read from a socket before the others have their turn."""
_CONNECTIONS = 16
_BUFFER = 1 << 20
"""Bytes that the system keeps while the thread is held up."""
_PAUSE = 0.01
"""Seconds to wait when the system refuses something: it may do so again and again."""
_TOO_LONG_ON_WINDOWS = 10040


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
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Get ready; nothing is opened yet.

        Args:
            protocol: what is spoken.
            port: to listen on; the protocol's own if not given, any free one if 0.
            host: address of the interface to listen on: by default only programs on this computer
                are heard; ``ANYWHERE`` hears the network.
            capacity: readings kept until they are fetched; the oldest are dropped beyond it.
            clock: gives the seconds of arrival and of readings. Never goes back; the system's
                time of day would, and ``time.monotonic`` is coarse on Windows.
        """
        self._protocol: ProtocolName = protocol
        self._wanted = PORTS[protocol] if port is None else port
        self._host, self._capacity, self._clock = host, capacity, clock
        self._port = self._wanted
        self._intake = ReadingQueue(protocol, capacity)
        self._thread: threading.Thread | None = None
        self._bell: socket.socket | None = None

    def __enter__(self) -> Receiver:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    @property
    def protocol(self) -> ProtocolName:
        """What is spoken."""
        return self._protocol

    @property
    def port(self) -> int:
        """The port, once started the one really listened on."""
        return self._port

    @property
    def host(self) -> str:
        """Address of the interface."""
        return self._host

    @property
    def running(self) -> bool:
        """Whether it listens."""
        return self._thread is not None

    @property
    def counters(self) -> Counters:
        """What came in since ``start``."""
        return self._intake.counters

    def start(self) -> None:
        """Open the port and listen.

        Raises:
            StreamingError: if it listens already, or the port or host cannot be had; the message
                says what to do.
        """
        if self._thread:
            raise StreamingError(f"port {self._port} is being listened on already: stop that first")
        with contextlib.ExitStack() as opened:
            listening = self._open(opened)
            bell, ear = socket.socketpair()
            opened.enter_context(bell)
            opened.enter_context(ear)
            self._intake = ReadingQueue(self._protocol, self._capacity)
            loop = _Loop(self._intake, self._clock, listening, ear)
            thread = threading.Thread(
                # A daemon: it must not keep a program alive that forgot to stop it.
                target=loop.run,
                name=f"ssrhmr {self._protocol} {self._port}",
                daemon=True,
            )
            thread.start()
            opened.pop_all()
        self._thread, self._bell = thread, bell

    def stop(self) -> None:
        """Close the port and end the thread; both are done when this returns."""
        if not self._thread or not self._bell:
            return
        # The thread hears its end closing, closes its sockets and is over.
        self._bell.close()
        self._thread.join()
        self._thread = self._bell = None
        self._port = self._wanted

    def drain(self) -> list[Reading]:
        """Return what came since the last call, in order of arrival; also after ``stop``."""
        return self._intake.drain()

    def _open(self, opened: contextlib.ExitStack) -> list[socket.socket]:
        """Bind the sockets: UDP, and TCP on the same port where lines may come in streams."""
        if not 0 <= self._wanted <= 65535:
            raise StreamingError(f"{self._wanted} is no port: choose one up to 65535")
        try:
            self._port = self._wanted
            made = [opened.enter_context(self._bound(socket.SOCK_DGRAM))]
            self._port = made[0].getsockname()[1]
            if self._protocol == "json":
                made.append(opened.enter_context(self._bound(socket.SOCK_STREAM)))
                made[1].listen(_CONNECTIONS)
        except OSError as error:
            port, self._port = self._port, self._wanted
            raise StreamingError(self._explained(error, port)) from error
        return made

    def _bound(self, kind: socket.SocketKind) -> socket.socket:
        family, _, _, _, address = socket.getaddrinfo(
            self._host, self._port, type=kind, flags=socket.AI_PASSIVE
        )[0]
        made = socket.socket(family, kind)
        try:
            if sys.platform == "win32":
                # Otherwise another program may take a port that is in use.
                made.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
            elif kind == socket.SOCK_STREAM:
                # Or else the port stays taken for a minute after the last connection.
                made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
            made.setblocking(False)
            made.bind(address)
        except BaseException:
            made.close()
            raise
        return made

    def _explained(self, error: OSError, port: int) -> str:
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


class _Loop:
    """What the thread does."""

    def __init__(
        self,
        intake: ReadingQueue,
        clock: Callable[[], float],
        listening: list[socket.socket],
        ear: socket.socket,
    ) -> None:
        self._intake, self._clock = intake, clock
        self._listening, self._ear = listening, ear
        self._streams: dict[socket.socket, _Stream] = {}
        self._selector = selectors.DefaultSelector()

    def run(self) -> None:
        """Read until the ear hears that its other end was closed."""
        try:
            self._selector.register(self._ear, selectors.EVENT_READ)
            for made in self._listening:
                self._selector.register(made, selectors.EVENT_READ)
            while True:
                for key, _ in self._selector.select():
                    ready: Any = key.fileobj
                    if ready is self._ear:
                        return
                    if ready in self._streams:
                        self._read_stream(ready)
                    elif ready.type == socket.SOCK_STREAM:
                        self._accept(ready)
                    else:
                        self._read_datagrams(ready)
        finally:
            self._selector.close()
            for opened in (*self._streams, *self._listening, self._ear):
                opened.close()

    def _read_datagrams(self, ready: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            try:
                packet, sender = ready.recvfrom(LONGEST + 1)
            except BlockingIOError:
                return
            except OSError as error:
                # Windows tells of packets that do not fit, and of our own that nobody received.
                if getattr(error, "winerror", 0) == _TOO_LONG_ON_WINDOWS:
                    self._intake.oversized()
                    continue
                time.sleep(_PAUSE)
                return
            self._intake.packet(packet, sender, self._clock())

    def _accept(self, listener: socket.socket) -> None:
        try:
            stream, sender = listener.accept()
        except OSError:
            time.sleep(_PAUSE)
            return
        if len(self._streams) >= _CONNECTIONS:
            # The one that was silent for longest makes room: senders die without closing.
            self._close(min(self._streams, key=lambda each: self._streams[each].heard))
        stream.setblocking(False)
        self._streams[stream] = _Stream(("tcp", *sender), self._clock())
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
        stream.heard = self._clock()
        lines, too_long = stream.lines(piece)
        for _ in range(too_long):
            self._intake.oversized()
        for line in lines:
            self._intake.packet(line, stream.sender, stream.heard)

    def _close(self, stream: socket.socket) -> None:
        self._selector.unregister(stream)
        del self._streams[stream]
        stream.close()


class _Stream:
    """What is kept of a connection: who it is, when it was heard, and its unfinished line."""

    def __init__(self, sender: tuple[object, ...], heard: float) -> None:
        self.sender, self.heard = sender, heard
        self._rest, self._skipping = b"", False

    def lines(self, piece: bytes) -> tuple[list[bytes], int]:
        """Return the lines that are whole now, and how many were found to be too long."""
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
