# SPDX-License-Identifier: GPL-3.0-or-later
"""The sockets of discovery, and the thread that owns them.

No library is used: python-zeroconf is compiled for each system, and an add-on that runs everywhere
would carry a dozen of its wheels for the few packets here.
"""

from __future__ import annotations

import contextlib
import secrets
import selectors
import socket
import struct
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any

from .dns import DnsError, Query, read_query, write_response
from .osc_query import LONGEST_REQUEST, describe_host, respond
from .service import Service

GROUP, PORT = "224.0.0.251", 5353
"""Address and port of multicast DNS."""
LOOPBACK = "127.0.0.1"
_ANYWHERE = "0.0.0.0"

_ANNOUNCEMENTS = (0.0, 1.0)
"""Seconds after the start at which the service is announced."""
_LONGEST_PACKET = 9000
_PACKETS_A_TURN = 64
_CONNECTIONS = 8
_PATIENCE = 2.0
"""Seconds that a request of OSCQuery may take."""
_PAUSE = 0.01
_IP_MULTICAST_ALL = 49
"""Linux's option that lets a socket hear groups which others have joined; unknown to Python."""


class Advertiser:
    """Announces a receiver by multicast DNS, and describes it by OSCQuery.

    It never uses interfaces other than the loopback unless told to. Where it cannot work (another
    program keeps the port for itself), it says so and the receiver works without it.

    Attributes:
        notice: Why the receiver cannot be found by itself, in plain words; "" if it can.
    """

    def __init__(self, osc_port: int, host: str = LOOPBACK, everywhere: bool = False) -> None:
        """Create an advertiser; nothing is opened yet.

        Args:
            osc_port: The port of the receiver.
            host: The IPv4 address that the receiver listens on; 0.0.0.0 stands for all.
            everywhere: Whether to announce on other interfaces than the loopback. Many senders
                listen only there, even those that run on this computer.
        """
        self.notice = ""
        self._osc_port, self._everywhere = osc_port, everywhere
        # Multicast DNS is spoken over IPv4 here, as by the senders.
        self._host = host if _is_ipv4(host) else LOOPBACK
        number = secrets.token_hex(3).upper()
        # Senders look for names as VRChat has them; VRChat looks for others.
        self._names = (f"VRChat-Client-Blender-{number}", f"SSR-HMR-Blender-{number}")
        self._thread: threading.Thread | None = None
        self._waker: socket.socket | None = None
        self._query_port = 0

    @property
    def query_port(self) -> int:
        """The TCP port of OSCQuery; 0 before the start."""
        return self._query_port

    def start(self) -> None:
        """Open the sockets and announce the receiver."""
        with contextlib.ExitStack() as opened:
            try:
                server = opened.enter_context(self._open_server())
                waker, wake_end = socket.socketpair()
            except OSError as error:
                self.notice = _explain(error)
                return
            opened.enter_context(waker)
            opened.enter_context(wake_end)
            port = server.getsockname()[1]
            groups = self._open_groups(opened, port)
            if not groups:
                return
            self.notice = ""
            loop = _Loop(server, groups, wake_end, self._names[0], self._osc_port)
            thread = threading.Thread(target=loop.run, name="ssrhmr discovery", daemon=True)
            thread.start()
            opened.pop_all()
        self._thread, self._waker, self._query_port = thread, waker, port

    def stop(self) -> None:
        """Take the announcement back and close the sockets; both are done when this returns."""
        if not self._thread or not self._waker:
            return
        self._waker.close()
        self._thread.join()
        self._thread = self._waker = None
        self._query_port = 0

    def _open_server(self) -> socket.socket:
        """Open the TCP port of OSCQuery, at the address of the receiver."""
        server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            server.bind((self._host, 0))
            server.listen(_CONNECTIONS)
            server.setblocking(False)
        except BaseException:
            server.close()
            raise
        return server

    def _open_groups(self, opened: contextlib.ExitStack, query_port: int) -> list[_Group]:
        groups = []
        for address in interface_addresses() if self._everywhere else [LOOPBACK]:
            try:
                group = opened.enter_context(_open_group(address))
            except OSError as error:
                # Interfaces without multicast, or ones that have just gone.
                self.notice = _explain(error)
                continue
            shown = address if self._host == _ANYWHERE else self._host
            service = Service(self._names, shown, self._osc_port, query_port)
            groups.append(_Group(group, service))
        return groups


@dataclass(frozen=True)
class _Group:
    """The group of multicast DNS on one interface.

    Attributes:
        socket: Hears the group, and sends to it.
        service: What is announced there.
    """

    socket: socket.socket
    service: Service

    def send(self, packet: bytes, receiver: tuple[str, int] = (GROUP, PORT)) -> None:
        """Send a packet; networks that have gone are no reason to stop."""
        with contextlib.suppress(OSError):
            self.socket.sendto(packet, receiver)


class _Loop:
    """The work of the thread."""

    def __init__(
        self,
        server: socket.socket,
        groups: list[_Group],
        wake_end: socket.socket,
        name: str,
        osc_port: int,
    ) -> None:
        self._server, self._groups, self._wake_end = server, groups, wake_end
        self._name, self._osc_port = name, osc_port
        self._requests: dict[socket.socket, _Request] = {}
        self._selector = selectors.DefaultSelector()

    def run(self) -> None:
        """Answer until the other end of the waking socket is closed."""
        began = time.monotonic()
        due = [began + seconds for seconds in _ANNOUNCEMENTS]
        try:
            for ready in (self._wake_end, self._server):
                self._selector.register(ready, selectors.EVENT_READ)
            for group in self._groups:
                self._selector.register(group.socket, selectors.EVENT_READ, group)
            while True:
                while due and time.monotonic() >= due[0]:
                    del due[0]
                    for group in self._groups:
                        group.send(write_response(group.service.records()))
                if not self._serve(due):
                    break
            for group in self._groups:
                group.send(write_response(group.service.farewell()))
        finally:
            self._selector.close()
            opened = (self._server, self._wake_end, *self._requests)
            for each in (*opened, *(group.socket for group in self._groups)):
                each.close()

    def _serve(self, due: list[float]) -> bool:
        """Wait for whatever comes next, and serve it; return False at the end."""
        now = time.monotonic()
        limits = [*due[:1], *(request.limit for request in self._requests.values())]
        for key, _ in self._selector.select(max(min(limits) - now, 0.0) if limits else None):
            ready: Any = key.fileobj
            if ready is self._wake_end:
                return False
            if key.data is not None:
                self._read_group(key.data)
            elif ready is self._server:
                self._accept()
            elif ready in self._requests:
                self._read_request(ready)
        now = time.monotonic()
        for connection, request in list(self._requests.items()):
            if now >= request.limit:
                self._close(connection)
        return True

    def _read_group(self, group: _Group) -> None:
        for _ in range(_PACKETS_A_TURN):
            try:
                packet, sender = group.socket.recvfrom(_LONGEST_PACKET)
            except BlockingIOError:
                return
            except OSError:
                time.sleep(_PAUSE)
                return
            try:
                query = read_query(packet)
            except DnsError:
                continue
            if query is not None:
                _answer(group, query, sender)

    def _accept(self) -> None:
        try:
            connection, _ = self._server.accept()
        except OSError:
            time.sleep(_PAUSE)
            return
        if len(self._requests) >= _CONNECTIONS:
            self._close(min(self._requests, key=lambda each: self._requests[each].limit))
        connection.setblocking(False)
        self._requests[connection] = _Request(time.monotonic() + _PATIENCE)
        self._selector.register(connection, selectors.EVENT_READ)

    def _read_request(self, connection: socket.socket) -> None:
        request = self._requests[connection]
        with contextlib.suppress(OSError):
            piece = connection.recv(LONGEST_REQUEST)
            request.text += piece
            if piece and b"\r\n\r\n" not in request.text and len(request.text) < LONGEST_REQUEST:
                return
            host = describe_host(self._name, connection.getsockname()[0], self._osc_port)
            # It fits into the buffer of the system: nothing has to wait.
            connection.sendall(respond(request.text, host))
        self._close(connection)

    def _close(self, connection: socket.socket) -> None:
        self._selector.unregister(connection)
        del self._requests[connection]
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
        connection.close()


@dataclass
class _Request:
    """A request that is still coming in.

    Attributes:
        limit: Seconds of the system's clock at which the connection is closed.
        text: What has come so far.
    """

    limit: float
    text: bytes = b""


def interface_addresses() -> list[str]:
    """Return the IPv4 addresses of this computer, the loopback among them."""
    addresses = {LOOPBACK: None}
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        # Nothing is sent: the system only chooses the interface.
        probe.connect((GROUP, PORT))
        addresses[probe.getsockname()[0]] = None
    with contextlib.suppress(OSError):
        for *_, address in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET):
            addresses[str(address[0])] = None
    return list(addresses)


def _is_ipv4(host: str) -> bool:
    try:
        socket.inet_aton(host)
    except OSError:
        return False
    return True


def _open_group(address: str) -> socket.socket:
    """Open a socket that hears multicast DNS on one interface, and on no other."""
    group = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        group.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "SO_REUSEPORT"):
            group.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if sys.platform.startswith("linux"):
            group.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_ALL, 0)
        interface = socket.inet_aton(address)
        group.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, interface)
        group.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
        group.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
        # At the group's address it does not take what is sent to other programs at this port;
        # Windows has no such addresses for sockets.
        group.bind((address if sys.platform == "win32" else GROUP, PORT))
        membership = struct.pack("4s4s", socket.inet_aton(GROUP), interface)
        group.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        group.setblocking(False)
    except BaseException:
        group.close()
        raise
    return group


def _answer(group: _Group, query: Query, sender: tuple[str, int]) -> None:
    answers, extra = group.service.answer(query)
    if not answers:
        return
    if sender[1] != PORT:
        # A simple resolver, which does not hear the group.
        group.send(write_response(answers, extra, query), sender)
    else:
        group.send(write_response(answers, extra))


def _explain(error: OSError) -> str:
    return (
        f"senders cannot find Blender by themselves ({error.strerror or error}): enter its address"
        " and port in the sender"
    )
