# SPDX-License-Identifier: GPL-3.0-or-later
"""Hostile packets: ``python -m tests.core.streaming.fuzz --count 200000``.

Random bytes, and good packets with bits turned, bytes cut out, put in, doubled and stuck together,
as datagrams on every receiver and as TCP streams on that of JSON lines; that of VMC also with
fingers and faces. Seeded. Prints what the receivers counted and how memory grew; ends with an error
if a thread died or hangs. ``--only vmc`` runs one of them.
"""

from __future__ import annotations

import argparse
import itertools
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from ssrhmr_core.streaming import ProtocolName, Receiver
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
        pose = ("/tracking/vrsystem/leftwrist/pose", (0.1, 0.2, 0.3, 10.0, 20.0, 30.0))
        found += [write_bundle([position, quaternion]), write_bundle([position, pose])]
    if protocol == "json":
        found.append(b'{"name":"a","position":[1,2,3],"quaternion":[1,0,0,0],"time":1}\n')
    return found


class Mutator:
    """Damages good packets in every way; the same way for the same seed."""

    def __init__(self, protocol: ProtocolName, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._good = good_packets(protocol)
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


def datagrams(protocol: ProtocolName, count: int, seed: int, details: bool = False) -> Watched:
    """Send so many datagrams; none is lost, for those before are waited for."""
    watched = Watched(protocol, details)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.connect(("127.0.0.1", watched.receiver.port))
        for sent, packet in enumerate(
            itertools.islice(Mutator(protocol, seed).packets(), count), 1
        ):
            out.send(packet)
            if sent % 50 == 0 or sent == count:
                watched.wait_for(sent)
                watched.fetch()
    return watched


def streams(count: int, seed: int) -> Watched:
    """Send so many pieces over connections that are opened and broken off in between."""
    watched = Watched("json")
    random = np.random.default_rng(seed)
    out: socket.socket | None = None
    for sent, packet in enumerate(itertools.islice(Mutator("json", seed).packets(), count), 1):
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200000, help="packets for each receiver")
    parser.add_argument("--seed", type=int, default=0)
    runs: dict[str, Callable[[int, int], Watched]] = {
        **{name: partial(datagrams, name) for name in PROTOCOLS},
        "vmc-details": partial(datagrams, "vmc", details=True),
        "json-tcp": streams,
    }
    parser.add_argument("--only", choices=[*runs], help="the only receiver to send to")
    chosen = parser.parse_args()
    for name, send in runs.items():
        if chosen.only not in (None, name):
            continue
        # Once with few: what is loaded or made at first is no growth.
        send(min(2000, chosen.count), chosen.seed + 1).receiver.stop()
        memory, began = resident(), time.perf_counter()
        watched = send(chosen.count, chosen.seed)
        spent, grown = time.perf_counter() - began, resident() - memory
        alive = watched.thread.is_alive()
        watched.receiver.stop()
        print(f"{name}: {watched.receiver.counters}")
        print(f"  {spent:.0f} s, memory {memory:.1f} + {grown:.1f} MiB, thread alive: {alive}")
        if not alive:
            raise SystemExit("the thread died")


if __name__ == "__main__":
    main()
