# SPDX-License-Identifier: GPL-3.0-or-later
"""Receivers on real sockets of this computer."""

from __future__ import annotations

import contextlib
import errno
import socket
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from ssrhmr_core.body.skeleton import TRACKERS
from ssrhmr_core.streaming import (
    ANYWHERE,
    LOCALHOST,
    ProtocolName,
    Reading,
    Receiver,
    StreamingError,
)
from ssrhmr_core.streaming.allow_list import AllowList
from ssrhmr_core.streaming.decoding import LONGEST
from ssrhmr_core.streaming.sender import device_names, packets, play
from ssrhmr_core.tracking.take import Take
from tests.core.streaming.conftest import same_place

PROTOCOLS: tuple[ProtocolName, ...] = ("vmc", "vrchat", "json")
LINE = b'{"name": "a", "valid": false}\n'
OTHER_LINE = LINE.replace(b'"a"', b'"b"')


@pytest.fixture
def lines() -> Iterator[Receiver]:
    """A receiver of JSON lines on any free port."""
    with Receiver("json", 0) as receiver:
        yield receiver


def wait_for(receiver: Receiver, packets: int) -> list[Reading]:
    """Readings, once so many packets have come; what was sent to this computer does come."""
    limit = time.monotonic() + 600.0
    while receiver.counters.datagrams < packets and time.monotonic() < limit:
        time.sleep(0.001)
    assert receiver.counters.datagrams == packets
    return receiver.drain()


def udp(receiver: Receiver, *datagrams: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        for datagram in datagrams:
            out.sendto(datagram, ("127.0.0.1", receiver.port))


@pytest.mark.parametrize(
    ("protocol", "stream"), [*((name, False) for name in PROTOCOLS), ("json", True)]
)
def test_what_is_sent_is_received(protocol: ProtocolName, stream: bool, take: Take) -> None:
    names = device_names(protocol)
    made = [(0.0, packet) for _, packet in packets(take, protocol)]
    with Receiver(protocol, 0) as receiver:
        assert play(iter(made), "127.0.0.1", receiver.port, stream) == len(take)
        got = wait_for(receiver, len(take))
        assert receiver.counters.readings == len(got) == 6 * len(take)
        assert receiver.counters.malformed == 0
    by_device = {role: [r for r in got if r.device == names[role]] for role in TRACKERS}
    for index, role in enumerate(TRACKERS):
        for frame, reading in enumerate(by_device[role]):
            x, y, z = take.positions[frame, index].tolist()
            w, a, b, c = take.rotations[frame, index].tolist()
            sent = Reading(names[role], (x, y, z), (w, a, b, c))
            assert same_place(sent, reading, 1e-6, 1e-3)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_starting_and_stopping_leaves_nothing(protocol: ProtocolName) -> None:
    before = threading.active_count()
    receiver = Receiver(protocol, 0)
    receiver.start()
    port = receiver.port
    receiver.stop()
    for _ in range(50):
        # The same port again at once, in turn by the same and by another one.
        for each in (receiver, Receiver(protocol, port)):
            again = Receiver(protocol, port) if each is receiver else each
            again.start()
            udp(again, LINE)
            if protocol == "json":
                socket.create_connection(("127.0.0.1", port)).close()
            again.stop()
            assert not again.running
    assert threading.active_count() == before


def test_no_sockets_are_left(lines: Receiver) -> None:
    clients = [socket.create_connection(("127.0.0.1", lines.port)) for _ in range(3)]
    for client in clients:
        client.sendall(LINE)
    wait_for(lines, 3)
    lines.stop()
    for client in clients:
        client.settimeout(600.0)
        # The other end was closed: nothing comes, or the connection was reset.
        with contextlib.suppress(ConnectionError):
            assert client.recv(1) == b""
        client.close()


def test_a_taken_port_is_explained(lines: Receiver) -> None:
    for protocol in PROTOCOLS:
        other = Receiver(protocol, lines.port)
        with pytest.raises(
            StreamingError, match=f"port {lines.port} is in use: stop the other program"
        ):
            other.start()
        assert not other.running
    # Of both ports that JSON needs one was free; it was not kept.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(StreamingError, match="is in use"):
            Receiver("json", port).start()
        with Receiver("vmc", port):
            pass


def test_any_free_port_is_free_for_all_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """The port that the system picks for UDP may be taken for TCP: then it picks another one."""
    bind = Receiver._bind
    refused: list[int] = []

    def refuse_some(self: Receiver, host: str, kind: socket.SocketKind) -> socket.socket:
        if kind == socket.SOCK_STREAM and len(refused) < 3:
            refused.append(self.port)
            raise OSError(errno.EADDRINUSE, "Address already in use")
        return bind(self, host, kind)

    monkeypatch.setattr(Receiver, "_bind", refuse_some)
    with Receiver("json", 0) as receiver:
        assert len(refused) == 3 and receiver.port not in (0, refused[-1])
        udp(receiver, LINE)
        play(iter([(0.0, OTHER_LINE)]), "127.0.0.1", receiver.port, stream=True)
        assert len(wait_for(receiver, 2)) == 2
        port = receiver.port
    # A port that was asked for is not replaced by another one.
    refused.clear()
    with pytest.raises(StreamingError, match="is in use"):
        Receiver("json", port).start()


def test_starting_twice_is_refused(lines: Receiver) -> None:
    with pytest.raises(StreamingError, match="is being listened on already"):
        lines.start()
    assert lines.running
    udp(lines, LINE)
    assert len(wait_for(lines, 1)) == 1


@pytest.mark.parametrize(
    ("host", "port", "message"),
    [
        ("192.0.2.1", 0, r"cannot listen on 192\.0\.2\.1, port 0 \("),
        ("no.such.host.invalid", 0, r"cannot listen on no\.such\.host\.invalid"),
        ("127.0.0.1", 70000, "70000 is no port"),
    ],
)
def test_what_cannot_be_listened_on(host: str, port: int, message: str) -> None:
    with pytest.raises(StreamingError, match=message):
        Receiver("vmc", port, host).start()


@pytest.mark.skipif(sys.platform == "darwin", reason="has no other address of this computer")
def test_only_this_computer_is_heard_by_default(lines: Receiver) -> None:
    assert lines.host == "127.0.0.1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        # Would fail if the receiver had taken the port on all interfaces.
        other.bind(("127.0.0.2", lines.port))


@pytest.mark.skipif(not socket.has_ipv6, reason="this computer has no IPv6")
def test_ipv6() -> None:
    with Receiver("json", 0, "::1") as receiver:
        play(iter([(0.0, LINE)] * 3), "::1", receiver.port, stream=True)
        assert len(wait_for(receiver, 3)) == 3


@pytest.mark.skipif(not socket.has_ipv6, reason="this computer has no IPv6")
@pytest.mark.parametrize("host", [LOCALHOST, ANYWHERE, "localhost"])
def test_localhost_is_both_of_its_addresses(host: str) -> None:
    """What "localhost" is depends on the sender's language."""
    with Receiver("json", 0, host) as receiver:
        for number, address in enumerate(("127.0.0.1", "::1")):
            for stream in (False, True):
                line = b'{"name": "%d %d", "valid": false}\n' % (number, stream)
                play(iter([(0.0, line)] * 3), address, receiver.port, stream=stream)
            assert len(wait_for(receiver, 6 * number + 6)) == 6


def test_ports_are_those_of_the_protocols() -> None:
    assert [Receiver(protocol).port for protocol in PROTOCOLS] == [39539, 9000, 39560]
    assert Receiver("mocopi").port == 12351


def test_counters_begin_anew(lines: Receiver) -> None:
    udp(lines, LINE, b"{")
    wait_for(lines, 2)
    assert lines.counters.malformed == 1
    lines.stop()
    assert lines.counters.datagrams == 2
    lines.start()
    assert lines.counters.datagrams == 0


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_bad_packets_do_not_end_it(protocol: ProtocolName, take: Take) -> None:
    _, good = next(packets(take, protocol))
    with Receiver(protocol, 0) as receiver:
        udp(receiver, b"", b"\x00", b"x" * LONGEST, b"x" * (LONGEST + 1), b"y" * 60000, good)
        assert len(wait_for(receiver, 6)) == 6
        assert receiver.counters.oversized == 2


def test_streams_come_in_any_pieces(lines: Receiver) -> None:
    text = b"".join(b'{"name": "%d", "valid": false}\r\n' % number for number in range(20))
    with socket.create_connection(("127.0.0.1", lines.port)) as out:
        out.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for begin in range(0, len(text), 7):
            out.sendall(text[begin : begin + 7])
        names = [reading.device for reading in wait_for(lines, 20)]
    assert names == [str(number) for number in range(20)]


def test_a_connection_that_was_closed_gives_its_devices_to_the_next(lines: Receiver) -> None:
    for number in range(1, 4):
        with socket.create_connection(("127.0.0.1", lines.port)) as out:
            out.sendall(LINE)
            assert len(wait_for(lines, number)) == 1
            out.shutdown(socket.SHUT_WR)
            # The other end closes it.
            assert out.recv(1) == b""


def test_a_second_sender_of_the_same_devices_is_ignored_and_reported(lines: Receiver) -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as first,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as second,
    ):
        for number in range(20):
            for out in (first, second):
                out.sendto(LINE, ("127.0.0.1", lines.port))
                wait = 2 * number + (out is second) + 1
                assert len(wait_for(lines, wait)) == (out is first)
            time.sleep(0.02)
        assert lines.counters.ignored == 20
        port = second.getsockname()[1]
    assert f"two senders: 127.0.0.1:{port} is ignored" in lines.notice


def test_overlong_lines_of_streams_are_skipped(lines: Receiver) -> None:
    with socket.create_connection(("127.0.0.1", lines.port)) as out:
        out.sendall(LINE + b"x" * (5 * LONGEST) + b"\n" + LINE + b"\n\n" + LINE)
        assert len(wait_for(lines, 4)) == 3
    assert lines.counters.oversized == 1


def test_many_connections_do_not_shut_out_new_ones(lines: Receiver) -> None:
    clients = [socket.create_connection(("127.0.0.1", lines.port)) for _ in range(40)]
    clients[-1].sendall(LINE)
    assert len(wait_for(lines, 1)) == 1
    for client in clients:
        client.close()


def test_it_stops_while_packets_pour_in() -> None:
    receiver = Receiver("json", 0)
    receiver.start()
    stop = threading.Event()

    def flood(port: int) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            while not stop.is_set():
                out.sendto(LINE, ("127.0.0.1", port))

    sender = threading.Thread(target=flood, args=(receiver.port,))
    sender.start()
    try:
        while receiver.counters.datagrams < 100:
            time.sleep(0.001)
        receiver.stop()
    finally:
        stop.set()
        sender.join()
    assert not receiver.running


@pytest.mark.skipif(sys.platform == "darwin", reason="has no other address of this computer")
@pytest.mark.parametrize("stream", [False, True])
def test_addresses_that_are_not_allowed_are_refused_and_named(
    stream: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if one address of this computer were another computer's.
    monkeypatch.setattr(AllowList, "_decide", lambda _, host: host != "127.0.0.2")
    with Receiver("json", 0, ANYWHERE, allowed=["192.0.2.7"]) as receiver:
        for address in ("127.0.0.2", "127.0.0.1"):
            kind = socket.SOCK_STREAM if stream else socket.SOCK_DGRAM
            with socket.socket(socket.AF_INET, kind) as out:
                out.bind((address, 0))
                out.connect(("127.0.0.1", receiver.port))
                out.sendall(LINE)
                if stream and address == "127.0.0.2":
                    # It is closed at once.
                    out.settimeout(600.0)
                    with contextlib.suppress(ConnectionError):
                        assert out.recv(1) == b""
        assert [reading.device for reading in wait_for(receiver, 1)] == ["a"]
        assert receiver.counters.refused == 1
        assert receiver.notice.startswith("127.0.0.2 sends too, but is not among the allowed")
