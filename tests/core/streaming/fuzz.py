# SPDX-License-Identifier: GPL-3.0-or-later
"""Hostile packets: ``python -m tests.core.streaming.fuzz --count 200000``.

Random bytes, and good packets with bits turned, bytes cut out, put in, doubled and stuck together,
as datagrams on every receiver and as TCP streams on those of JSON lines and of SteamVR's helper;
that of VMC also with fingers and faces. Queries of multicast DNS and requests of OSCQuery are
damaged in the same ways. Seeded. Prints what the receivers counted and how memory grew; ends with
an error if a thread died or hangs. ``--only vmc`` runs one of them.
"""

from __future__ import annotations

import argparse
import itertools
import json
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from ssrhmr_core.streaming import ProtocolName, Receiver
from ssrhmr_core.streaming.discovery import Advertiser, advertiser
from ssrhmr_core.streaming.protocols.osc import write_bundle
from ssrhmr_core.streaming.sender import packets
from ssrhmr_core.tracking.take import Take
from tests.core.conftest import make_motion, make_skeleton
from tests.core.streaming.protocols.test_mocopi import bone, field, frame
from tests.core.streaming.soak import resident

PROTOCOLS: tuple[ProtocolName, ...] = ("vmc", "vrchat", "mocopi", "json")
WORDS = (
    b"#bundle\x00",
    b"/VMC/Ext/Bone/Pos\x00\x00\x00",
    b",sfffffff\x00\x00\x00",
    b",sffffffNtb\x00",
    b"/tracking/trackers/1/rotation\x00\x00\x00",
    b'{"trackers":[',
    b'"position":',
    b"1e999",
    b"NaN",
    b"[[[[[[[[",
    b"\x08\x00\x00\x00fram",
    b"\n",
    b"\r\n\r\n",
    b"%00%ff//?",
    b"\xc0\x0c",
    b"\xff\xff\xff\xfc",
    b"\x7f\xff\xff\xff",
    b"\x7f\xc0\x00\x00",
    b"\x7f\x80\x00\x00",
    b"\x00\x00\x00\x00",
)


def good_packets(protocol: ProtocolName) -> list[bytes]:
    """Packets of every kind that a protocol has."""
    take = Take.from_motion(make_motion(make_skeleton(), 30))
    if protocol == "mocopi":
        transform = (0.0, 0.6, 0.0, 0.8, 0.1, 0.2, 0.3)
        body = b"".join(bone(number, transform) for number in range(27))
        return [frame(body), frame(body, field(b"uttm", struct.pack("<d", 5.0)))]
    found = [packet for _, packet in packets(take, protocol)]
    if protocol == "vmc":
        numbers = (0.1, 0.2, 0.3, 0.0, 0.0, 0.6, 0.8)
        names = ("Hips", "Spine", "Chest", "Neck", "Head", "LeftFoot", "LeftIndexDistal")
        bones = [("/VMC/Ext/Bone/Pos", (name, *numbers)) for name in names]
        root = ("/VMC/Ext/Root/Pos", ("root", *numbers))
        local = ("/VMC/Ext/Tra/Pos/Local", ("LHR-1", *numbers))
        state = ("/VMC/Ext/OK", (1, 3, 0, 0))
        found += [
            write_bundle([root, *bones]),
            write_bundle(bones[3:]),
            write_bundle([local]),
            write_bundle([state]),
            write_bundle([("/VMC/Ext/Blend/Val", (name, 0.5)) for name in ("Joy", "A")]),
            write_bundle([("/VMC/Ext/Cam", ("Camera", *numbers, 60.0))]),
        ]
    if protocol == "vrchat":
        position = ("/tracking/trackers/1/position", (0.1, 0.2, 0.3))
        quaternion = ("/tracking/trackers/1/rotation", (0.0, 0.6, 0.0, 0.8))
        found += [write_bundle([position, quaternion]), write_bundle([position, *vrsystem()])]
    if protocol == "json":
        found.append(b'{"name":"a","position":[1,2,3],"quaternion":[1,0,0,0],"time":1}\n')
    return found


def vrsystem() -> list[tuple[str, Sequence[object]]]:
    """The messages of VRChat's own headset and wrists."""
    return [
        (f"/tracking/vrsystem/{name}/pose", (0.1, 1.2, 0.3, 10.0, 20.0, 30.0))
        for name in ("head", "leftwrist", "rightwrist")
    ]


def vrsystem_packets() -> list[bytes]:
    """Packets of nothing but those, all of them in one, and each for itself."""
    return [write_bundle(vrsystem()), *(write_bundle([message]) for message in vrsystem())]


def vmt_packets() -> list[bytes]:
    """Packets for Virtual Motion Tracker, in all axes."""
    start = (1, 1, 0.0, 0.1, 1.2, 0.3)
    messages: list[tuple[str, Sequence[object]]] = [
        ("/VMT/Room/Unity", (*start, 0.0, 0.6, 0.0, 0.8)),
        ("/VMT/Raw/Driver", (*start, 0.0, 0.6, 0.0, 0.8)),
        ("/VMT/Room/UEuler", (*start, 10.0, 20.0, 30.0)),
    ]
    return [write_bundle(messages), *(write_bundle([message]) for message in messages)]


def helper_lines() -> list[bytes]:
    """Lines as the helper for SteamVR writes them."""
    pose = {"position": [0.1, 1.2, 0.3], "quaternion": [0.8, 0.0, 0.6, 0.0]}
    left_hand = {"name": "LHR-1", "kind": "controller", "role": "left hand"}
    trackers: list[dict[str, Any]] = [
        {"name": "LHR-0", "kind": "hmd", **pose},
        {**left_hand, **pose},
        {"name": "LHR-2", "kind": "tracker", "role": "waist", **pose},
        {"name": "LHR-3", "kind": "tracker", "valid": False},
    ]
    lines = [
        {"time": 12.5, "trackers": trackers, "notice": ""},
        {"time": 12.6, "trackers": trackers[:1], "notice": "Batteries are low: LHR-1 (5 %)"},
        {"notice": "SteamVR is not running: start it"},
    ]
    return [json.dumps(line).encode() + b"\n" for line in lines]


def dns_queries() -> list[bytes]:
    """Queries of browsers: for a type, for several, with what is known already."""
    osc, query = b"\x04_osc\x04_udp\x05local\x00", b"\x08_oscjson\x04_tcp\xc0\x16"
    pointer, known = b"\x00\x0c\x00\x01", struct.pack(">HHIH", 12, 1, 4500, 7) + b"\x04Else\xc0\x0c"
    all_types = b"\x09_services\x07_dns-sd\x04_udp\x05local\x00"
    return [
        struct.pack(">6H", 7, 0, 1, 0, 0, 0) + osc + pointer,
        struct.pack(">6H", 0, 0, 2, 0, 0, 0) + osc + pointer + query + b"\x00\xff\x80\x01",
        struct.pack(">6H", 0, 0, 1, 1, 0, 0) + osc + pointer + b"\xc0\x0c" + known,
        struct.pack(">6H", 0, 0, 1, 0, 0, 0) + all_types + pointer,
    ]


def requests() -> list[bytes]:
    """Requests of OSCQuery."""
    targets = (
        "/",
        "/?HOST_INFO",
        "/tracking/trackers/1/position?TYPE",
        "/a%20b?VALUE",
        "/tracking",
    )
    head = b" HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n\r\n"
    return [*(b"GET " + target.encode() + head for target in targets), b"HEAD /" + head]


class Mutator:
    """Damages good packets in every way; the same way for the same seed."""

    def __init__(self, good: Sequence[bytes], seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._good = good
        self._changes: tuple[Callable[[bytes], bytes], ...] = (
            *(self.flip, self.cut, self.insert, self.overwrite, self.renumber),
            *(self.splice, self.rename, self.replace, self.keep),
        )

    def packets(self) -> Iterator[bytes]:
        """Endless packets."""
        while True:
            packet = self.pick()
            for _ in range(int(self._random.integers(1, 4))):
                packet = self._changes[self._random.integers(len(self._changes))](packet)
            yield packet
            if self._random.random() < 1e-4:
                yield bytes(60000)

    def pick(self) -> bytes:
        return self._good[self._random.integers(len(self._good))]

    def somewhere(self, packet: bytes) -> int:
        return int(self._random.integers(len(packet) + 1))

    def word(self) -> bytes:
        return WORDS[self._random.integers(len(WORDS))]

    def flip(self, packet: bytes) -> bytes:
        changed = bytearray(packet)
        for _ in range(int(self._random.integers(1, 6))):
            if changed:
                changed[self._random.integers(len(changed))] = self._random.integers(256)
        return bytes(changed)

    def cut(self, packet: bytes) -> bytes:
        begin, end = sorted((self.somewhere(packet), self.somewhere(packet)))
        return packet[:begin] + packet[end:]

    def insert(self, packet: bytes) -> bytes:
        at = self.somewhere(packet)
        return packet[:at] + self.word() + packet[at:]

    def overwrite(self, packet: bytes) -> bytes:
        at, word = self.somewhere(packet), self.word()
        return packet[:at] + word + packet[at + len(word) :]

    def renumber(self, packet: bytes) -> bytes:
        at = self.somewhere(packet) // 4 * 4
        return packet[:at] + struct.pack(">I", self._random.integers(2**32)) + packet[at + 4 :]

    def splice(self, packet: bytes) -> bytes:
        other = self.pick()
        return packet[: self.somewhere(packet)] + other[self.somewhere(other) :]

    def rename(self, packet: bytes) -> bytes:
        return packet.replace(b"left_hand", b"%09d" % self._random.integers(10**9))

    def replace(self, packet: bytes) -> bytes:
        return self._random.bytes(int(self._random.integers(1500)))

    def keep(self, packet: bytes) -> bytes:
        return packet


class Watched:
    """A receiver, its port, and somebody who fetches what it has."""

    def __init__(self, protocol: ProtocolName, details: bool = False) -> None:
        self.receiver = Receiver(protocol, 0)
        self.receiver.listen_to(details=details)
        self.receiver.start()
        self.thread = next(
            thread for thread in threading.enumerate() if thread.name.startswith("ssrhmr")
        )
        self.kept = 0

    def stop(self) -> None:
        self.receiver.stop()

    def wait_for(self, sent: int, seconds: float = 60.0) -> None:
        """Wait until so many packets were read."""
        end = time.perf_counter() + seconds
        while self.receiver.counters.datagrams < sent:
            if not self.thread.is_alive():
                raise SystemExit("the thread died")
            if time.perf_counter() > end:
                raise SystemExit(f"it hangs: {self.receiver.counters}, {sent} sent")
            time.sleep(0.0005)

    def fetch(self) -> None:
        """Fetch readings, and check them: whatever came in, they are places and turns."""
        for reading in self.receiver.drain():
            self.kept += 1
            numbers = np.array((*reading.position, *reading.rotation, reading.time))
            if not np.isfinite(numbers).all() or np.abs(numbers[:3]).max() > 1e4:
                raise SystemExit(f"not a reading: {reading}")
            if abs(np.linalg.norm(numbers[3:7]) - 1.0) > 1e-3 or reading.time > reading.arrival:
                raise SystemExit(f"not a reading: {reading}")


def datagrams(
    protocol: ProtocolName,
    count: int,
    seed: int,
    details: bool = False,
    good: Sequence[bytes] = (),
) -> Watched:
    """Send so many datagrams; none is lost, for those before are waited for."""
    watched = Watched(protocol, details)
    mutator = Mutator(good or good_packets(protocol), seed)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.connect(("127.0.0.1", watched.receiver.port))
        for sent, packet in enumerate(itertools.islice(mutator.packets(), count), 1):
            out.send(packet)
            if sent % 50 == 0 or sent == count:
                watched.wait_for(sent)
                watched.fetch()
    return watched


def streams(count: int, seed: int, good: Sequence[bytes] = ()) -> Watched:
    """Send so many pieces over connections that are opened and broken off in between."""
    watched = Watched("json")
    random = np.random.default_rng(seed)
    out: socket.socket | None = None
    mutator = Mutator(good or good_packets("json"), seed)
    for sent, packet in enumerate(itertools.islice(mutator.packets(), count), 1):
        try:
            if out is None:
                out = socket.create_connection(("127.0.0.1", watched.receiver.port), 20.0)
            out.sendall(packet)
            if random.random() < 0.02:
                if random.random() < 0.5:
                    # Broken off instead of ended.
                    out.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                out.close()
                out = None
        except ConnectionError:
            out = None
        if sent % 200 == 0:
            watched.fetch()
    if out:
        out.close()
    before = watched.receiver.counters.datagrams
    with socket.create_connection(("127.0.0.1", watched.receiver.port), 20.0) as last:
        last.sendall(b'{"name": "alive", "valid": false}\n')
        watched.wait_for(before + 1)
        end = time.perf_counter() + 20.0
        while not any(reading.device == "alive" for reading in watched.receiver.drain()):
            if time.perf_counter() > end:
                raise SystemExit("it hangs")
            time.sleep(0.001)
    return watched


class WatchedAdvertiser:
    """What lets senders find a receiver, and its thread."""

    def __init__(self) -> None:
        self.advertiser = Advertiser(9000)
        self.advertiser.start()
        if self.advertiser.notice:
            raise SystemExit(self.advertiser.notice)
        assert self.advertiser._thread is not None
        self.thread = self.advertiser._thread
        self.answers = 0

    def stop(self) -> None:
        self.advertiser.stop()

    def send_query(self, packet: bytes, out: socket.socket) -> None:
        out.sendto(packet, (advertiser.GROUP, advertiser.PORT))

    def wait(self, out: socket.socket, number: int) -> None:
        """Ask what a simple resolver asks, and wait for the answer to that question."""
        asked = struct.pack(">H", number % 65536)
        end = time.perf_counter() + 60.0
        self.send_query(asked + dns_queries()[0][2:], out)
        while time.perf_counter() < end and self.thread.is_alive():
            try:
                answer = out.recv(9000)
            except TimeoutError:
                # The system drops datagrams where too many wait.
                self.send_query(asked + dns_queries()[0][2:], out)
                continue
            self.answers += 1
            if answer[:2] == asked and self.advertiser._names[0].encode() in answer:
                return
        raise SystemExit("the thread died, or hangs")

    def request(self, text: bytes) -> None:
        """Send a request and read the response."""
        with socket.create_connection((advertiser.LOOPBACK, self.advertiser.query_port)) as out:
            out.settimeout(60.0)
            response = b""
            try:
                out.sendall(text)
                out.shutdown(socket.SHUT_WR)
                while piece := out.recv(65536):
                    response += piece
            except TimeoutError:
                raise SystemExit("it hangs") from None
            except OSError:
                # It may be answered, and closed, before all of it was sent.
                pass
        if response and not response.startswith(b"HTTP/1.1 "):
            raise SystemExit(f"not a response: {response[:100]!r}")
        self.answers += response.startswith(b"HTTP/1.1 200")


def queries(count: int, seed: int) -> WatchedAdvertiser:
    """Send so many queries of multicast DNS on the loopback."""
    watched = WatchedAdvertiser()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.settimeout(1.0)
        interface = socket.inet_aton(advertiser.LOOPBACK)
        out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, interface)
        mutator = Mutator(dns_queries(), seed)
        for sent, packet in enumerate(itertools.islice(mutator.packets(), count), 1):
            watched.send_query(packet, out)
            if sent % 50 == 0 or sent == count:
                watched.wait(out, 1 + sent // 50)
    return watched


def web_requests(count: int, seed: int) -> WatchedAdvertiser:
    """Send so many requests of OSCQuery, each over a connection of its own."""
    watched = WatchedAdvertiser()
    for text in itertools.islice(Mutator(requests(), seed).packets(), count):
        watched.request(text)
    watched.request(requests()[0])
    return watched


RUNS: dict[str, Callable[[int, int], Watched | WatchedAdvertiser]] = {
    **{name: partial(datagrams, name) for name in PROTOCOLS},
    "vmc-details": partial(datagrams, "vmc", details=True),
    "vmt": partial(datagrams, "vmc", good=vmt_packets()),
    "vrsystem": partial(datagrams, "vrchat", good=vrsystem_packets()),
    "json-tcp": streams,
    "steamvr": partial(streams, good=helper_lines()),
    "mdns": queries,
    "oscquery": web_requests,
}
"""How to send to each receiver: a function of the number of packets and the seed."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200000, help="packets for each receiver")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=[*RUNS], help="the only receiver to send to")
    chosen = parser.parse_args()
    for name, send in RUNS.items():
        if chosen.only not in (None, name):
            continue
        # Once with few: what is loaded or made at first is no growth.
        send(min(2000, chosen.count), chosen.seed + 1).stop()
        memory, began = resident(), time.perf_counter()
        watched = send(chosen.count, chosen.seed)
        spent, grown = time.perf_counter() - began, resident() - memory
        alive = watched.thread.is_alive()
        watched.stop()
        if isinstance(watched, Watched):
            print(f"{name}: {watched.receiver.counters}")
        else:
            print(f"{name}: {chosen.count} sent, {watched.answers} answered")
        print(f"  {spent:.0f} s, memory {memory:.1f} + {grown:.1f} MiB, thread alive: {alive}")
        sys.stdout.flush()
        if not alive:
            raise SystemExit("the thread died")


if __name__ == "__main__":
    main()
