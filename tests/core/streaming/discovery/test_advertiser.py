# SPDX-License-Identifier: GPL-3.0-or-later
"""Discovery on this computer, with python-zeroconf for a browser as senders have one.

Other tests may announce themselves at the same time: what counts are the names that a receiver made
up for itself.
"""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from zeroconf import ServiceBrowser, ServiceListener, Zeroconf

from ssrhmr_core.streaming import Receiver
from ssrhmr_core.streaming.discovery import Advertiser, advertiser

TYPES = ("_osc._udp.local.", "_oscjson._tcp.local.")


class Found(ServiceListener):
    """The services that a browser sees, by name and kind."""

    def __init__(self) -> None:
        self.services: dict[str, tuple[list[str], int | None, dict[bytes, bytes | None]]] = {}

    def add_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        info = zc.get_service_info(type_, name) if "Blender" in name else None
        if info is not None:
            self.services[_key(name, type_)] = info.parsed_addresses(), info.port, info.properties

    def remove_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        self.services.pop(_key(name, type_), None)

    def update_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        pass

    def of(self, names: tuple[str, ...]) -> dict[str, tuple[list[str], int | None, Any]]:
        """Those of one receiver."""
        return {key: value for key, value in [*self.services.items()] if key.startswith(names)}


def _key(name: str, type_: str) -> str:
    return f"{name.split('.')[0]} {type_.split('.')[0]}"


@contextlib.contextmanager
def browsing() -> Iterator[Found]:
    found = Found()
    browser = Zeroconf(interfaces=["127.0.0.1"])
    try:
        ServiceBrowser(browser, list(TYPES), found)
        yield found
    finally:
        browser.close()


def wait_for(done: Callable[[], bool]) -> None:
    for _ in range(60_000):
        if done():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen within ten minutes")


def get(port: int, target: str) -> Any:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{target}", timeout=600.0) as response:
        return json.loads(response.read())


@pytest.mark.parametrize("first", ["browser", "receiver"])
def test_browsers_find_the_receiver_while_it_runs(first: str) -> None:
    receiver = Receiver("vrchat", 0, announced="loopback")
    with contextlib.ExitStack() as stack:
        if first == "receiver":
            receiver.start()
        found = stack.enter_context(browsing())
        if first == "browser":
            receiver.start()
        stack.callback(receiver.stop)
        assert receiver._advertiser is not None
        query_port, names = receiver._advertiser.query_port, receiver._advertiser._names
        assert [name.rpartition("-")[0] for name in names] == [
            "VRChat-Client-Blender",
            "SSR-HMR-Blender",
        ]
        wanted = {
            f"{name} {kind}": (["127.0.0.1"], port, {b"txtvers": b"1"})
            for name in names
            for kind, port in (("_osc", receiver.port), ("_oscjson", query_port))
        }
        wait_for(lambda: found.of(names) == wanted)
        host = get(query_port, "/?HOST_INFO")
        assert (host["OSC_IP"], host["OSC_PORT"]) == ("127.0.0.1", receiver.port)
        assert get(query_port, "/tracking/vrsystem")["FULL_PATH"] == "/tracking/vrsystem"
        # A browser sends to what it found.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            addresses, port, _ = found.services[f"{names[0]} _osc"]
            assert port is not None
            out.sendto(b"/tracking\x00\x00\x00,\x00\x00\x00", (addresses[0], port))
        wait_for(lambda: receiver.counters.datagrams == 1)
        receiver.stop()
        wait_for(lambda: not found.of(names))


@pytest.mark.parametrize("protocol", ["vmc", "json"])
def test_other_protocols_are_not_announced(protocol: Any) -> None:
    before = threading.active_count()
    with Receiver(protocol, 0, announced="loopback"):
        assert threading.active_count() == before + 1


def open_files() -> int:
    files = Path("/proc/self/fd")
    return len(list(files.iterdir())) if files.exists() else 0


def test_starting_and_stopping_leaves_nothing() -> None:
    before = threading.active_count(), open_files()
    for _ in range(20):
        with Receiver("vrchat", 0, announced="loopback") as receiver:
            assert receiver.notice == ""
            receiver.announce("none")
            receiver.announce("loopback")
    assert (threading.active_count(), open_files()) == before


QUESTION = b"\x00" * 5 + b"\x01" + b"\x00" * 6
QUESTION += b"\x04_osc\x04_udp\x05local\x00\x00\x0c\x00\x01"
"""Who has ports of OSC?"""


def ask_on(address: str, names: tuple[str, ...], seconds: float = 600.0) -> list[bytes]:
    """Ask on one interface until somebody of these names answers; packets that name them."""
    limit = time.monotonic() + seconds
    with advertiser._open_group(address) as group:
        group.settimeout(0.2)
        while time.monotonic() < limit:
            group.sendto(QUESTION, (advertiser.GROUP, advertiser.PORT))
            with contextlib.suppress(TimeoutError):
                while time.monotonic() < limit:
                    packet = group.recv(9000)
                    if any(name.encode() in packet for name in names):
                        return [packet]
    return []


def other_address() -> str:
    others = [each for each in advertiser.interface_addresses() if not each.startswith("127.")]
    return others[0] if others else ""


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or not other_address(),
    reason="needs a second interface, and sockets that hear one only",
)
@pytest.mark.parametrize("everywhere", [False, True])
def test_other_interfaces_are_used_only_if_allowed(everywhere: bool) -> None:
    found = Advertiser(9000, everywhere=everywhere)
    found.start()
    try:
        # It answers where it always may, so it would have answered here by now.
        assert ask_on("127.0.0.1", found._names)
        heard = ask_on(other_address(), found._names, 600.0 if everywhere else 1.0)
    finally:
        found.stop()
    assert bool(heard) is everywhere
    # The receiver is at the loopback: nobody else can reach it.
    assert not any(socket.inet_aton(other_address()) in packet for packet in heard)


def test_simple_resolvers_are_answered_alone() -> None:
    found = Advertiser(9000)
    found.start()
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.settimeout(600.0)
            out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
            out.sendto(b"\x12\x34" + QUESTION[2:], (advertiser.GROUP, advertiser.PORT))
            answer = b""
            while found._names[1].encode() not in answer:
                answer = out.recv(9000)
        assert answer[:2] == b"\x12\x34"
    finally:
        found.stop()


def test_slow_and_long_requests_are_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advertiser, "_PATIENCE", 0.2)
    found = Advertiser(9000)
    found.start()
    try:
        slow = [socket.create_connection(("127.0.0.1", found.query_port)) for _ in range(12)]
        for connection in slow:
            connection.settimeout(600.0)
            with contextlib.suppress(ConnectionError):
                connection.sendall(b"GET /")
        assert get(found.query_port, "/?HOST_INFO")["OSC_PORT"] == 9000
        for connection in slow:
            with contextlib.suppress(ConnectionError):
                assert connection.recv(1) == b""
            connection.close()
        with socket.create_connection(("127.0.0.1", found.query_port)) as long:
            long.settimeout(600.0)
            with contextlib.suppress(ConnectionError):
                long.sendall(b"x" * 100000)
                assert long.recv(9) in (b"HTTP/1.1 ", b"")
    finally:
        found.stop()


def test_what_cannot_be_opened_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(address: str) -> socket.socket:
        raise OSError(98, "Address already in use")

    monkeypatch.setattr(advertiser, "_open_group", refuse)
    before = open_files()
    with Receiver("vrchat", 0, announced="loopback") as receiver:
        assert receiver.running
        assert receiver.notice == (
            "senders cannot find Blender by themselves (Address already in use): enter its address"
            " and port in the sender"
        )
    assert open_files() == before
