# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends what a real program sends, at its rate.

``python -m tests.core.streaming.emulators.traffic --port PORT``. The frames are made beforehand, so
that sending takes little of the processor. Prints the number of datagrams that were sent.
"""

from __future__ import annotations

import argparse
import socket
import time
from collections.abc import Callable
from typing import ClassVar

from tests.core.streaming.emulators import senders
from tests.core.streaming.emulators.performer import performer


class SlimeVrSix(senders.SlimeVrVmc):
    """SlimeVR without trackers at chest, elbows and knees."""

    _EXTRA: ClassVar = {}


SENDERS: dict[str, Callable[[], senders.Emulator]] = {
    "slimevr": lambda: senders.SlimeVrVmc(performer(mounted=False)),
    "slimevr-six": lambda: SlimeVrSix(performer(mounted=False)),
    "slimevr-vrchat": lambda: senders.SlimeVrVrchat(performer(mounted=False)),
}


def make_frames(sender: senders.Emulator, begin: float) -> list[list[bytes]]:
    """Return the datagrams of all frames from a second of the performance on."""
    count = int((sender.body.end - begin) * sender.rate)
    return [sender.frame(begin + number / sender.rate) for number in range(count)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sender", choices=[*SENDERS], default="slimevr")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--begin", type=float, default=0.0, help="second of the performance")
    chosen = parser.parse_args()
    sender = SENDERS[chosen.sender]()
    frames = make_frames(sender, chosen.begin)
    sent = number = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.connect(("127.0.0.1", chosen.port))
        began = time.perf_counter()
        while number < chosen.seconds * sender.rate:
            for packet in frames[number % len(frames)]:
                out.send(packet)
                sent += 1
            number += 1
            time.sleep(max(began + number / sender.rate - time.perf_counter(), 0.0))
    print(f"{sent} datagrams sent")


if __name__ == "__main__":
    main()
