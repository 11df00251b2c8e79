# SPDX-License-Identifier: GPL-3.0-or-later
"""What the receiving thread is good for: ``python -m tests.core.streaming.thread_benchmark``.

A sender without times sends 11 devices at 120 Hz, one datagram each; the window draws three times a
second, and once it stands still for four seconds. Readings are received by the thread, and by a
socket that is read whenever the window has time. Prints how many were lost, and how late the time
of arrival is.
"""

from __future__ import annotations

import argparse
import multiprocessing
import socket
import time

import numpy as np

from ssrhmr_core.streaming import Receiver
from ssrhmr_core.streaming.decoding import ReadingQueue
from ssrhmr_core.streaming.protocols.osc import write_bundle

RATE, DEVICES = 120.0, 11
BUFFER = 1 << 20


def send(port: int, seconds: float) -> None:
    """Send; x is the time on the clock that all processes of this computer share, in 10 s."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        began = time.perf_counter()
        for number in range(int(seconds * RATE)):
            time.sleep(max(began + number / RATE - time.perf_counter(), 0.0))
            for device in range(DEVICES):
                moment = (time.perf_counter() - began) / 10.0
                pose = (moment, 1.0, 0.0, 0.0, 0.0, 0.6, 0.8)
                packet = write_bundle([("/VMC/Ext/Tra/Pos", (f"tracker {device}", *pose))])
                out.sendto(packet, ("127.0.0.1", port))


class DrainedSocket:
    """Reads a socket only when it is asked to."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self.port = int(self._socket.getsockname()[1])
        self._queue = ReadingQueue("vmc", 1 << 20)

    def drain(self) -> list[tuple[float, float]]:
        while True:
            try:
                packet, sender = self._socket.recvfrom(65536)
            except BlockingIOError:
                break
            self._queue.add_packet(packet, sender, time.perf_counter())
        return [(-reading.position[0], reading.arrival) for reading in self._queue.drain()]

    def close(self) -> None:
        self._socket.close()


class ReceivingThread:
    """The receiver as it is."""

    def __init__(self) -> None:
        self._receiver = Receiver("vmc", 0, capacity=1 << 20)
        self._receiver.start()
        self.port = self._receiver.port

    def drain(self) -> list[tuple[float, float]]:
        return [(-reading.position[0], reading.arrival) for reading in self._receiver.drain()]

    def close(self) -> None:
        self._receiver.stop()


def measure(way: DrainedSocket | ReceivingThread, seconds: float) -> str:
    sender = multiprocessing.Process(target=send, args=(way.port, seconds))
    sender.start()
    got: list[tuple[float, float]] = []
    draws = 0
    while sender.is_alive():
        time.sleep(4.0 if draws == 6 else 1.0 / 3.0)
        draws += 1
        got += way.drain()
    sender.join()
    got += way.drain()
    way.close()
    # The difference of both clocks is unknown: the quickest packet counts as not late.
    late = np.array([arrival - 10.0 * moment for moment, arrival in got])
    late = 1000.0 * (late - late.min())
    sent = int(seconds * RATE) * DEVICES
    return (
        f"{sent - len(got)} of {sent} lost, arrival late by {np.median(late):.1f} ms (median),"
        f" {np.percentile(late, 99.0):.1f} ms (99 %), {late.max():.0f} ms at most"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    seconds = parser.parse_args().seconds
    print(f"thread: {measure(ReceivingThread(), seconds)}")
    print(f"socket: {measure(DrainedSocket(), seconds)}")


if __name__ == "__main__":
    main()
