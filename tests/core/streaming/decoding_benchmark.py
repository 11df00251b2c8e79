# SPDX-License-Identifier: GPL-3.0-or-later
"""Time to decode a frame of usual senders: ``python -m tests.core.streaming.decoding_benchmark``.

Prints microseconds from packets to readings, and the share of a core at the sender's rate.
"""

from __future__ import annotations

import time

from ssrhmr_core.streaming import ProtocolName
from ssrhmr_core.streaming.decoding import ReadingQueue
from ssrhmr_core.streaming.protocols.osc import write_bundle
from ssrhmr_core.streaming.protocols.vmc_bones import BONES

POSE = (0.1, 0.2, 0.3, 0.0, 0.0, 0.6, 0.8)
FINGERS = [
    f"{side}{finger}{part}"
    for side in ("Left", "Right")
    for finger in ("Thumb", "Index", "Middle", "Ring", "Little")
    for part in ("Proximal", "Intermediate", "Distal")
]


def bones(names: list[str], number: int) -> list[tuple[str, tuple[object, ...]]]:
    return [("/VMC/Ext/Bone/Pos", (name, 0.001 * number, *POSE[1:])) for name in names]


def trackers(count: int, number: int) -> list[tuple[str, tuple[object, ...]]]:
    return [
        ("/VMC/Ext/Tra/Pos", (f"tracker {index}", 0.001 * number, *POSE[1:]))
        for index in range(count)
    ]


def vmc_suit(number: int) -> list[bytes]:
    """One bundle of the bones of a body and eleven trackers, as SlimeVR sends it."""
    first = [("/VMC/Ext/T", (number / 250.0,)), ("/VMC/Ext/OK", (1,))]
    return [write_bundle([*first, *bones(sorted(BONES), number), *trackers(11, number)])]


def vmc_avatar(number: int) -> list[bytes]:
    """Bundles of thirteen bones, fingers included, and six trackers, raw and scaled."""
    names = ["Hips", *sorted(BONES - {"Hips"}), *FINGERS]
    raw = [(f"{address}/Local", values) for address, values in trackers(6, number)]
    last = [*trackers(6, number), *raw, ("/VMC/Ext/T", (number / 90.0,))]
    parts = [bones(names[begin : begin + 13], number) for begin in range(0, len(names), 13)]
    return [write_bundle(part) for part in (*parts, last)]


def vrchat(number: int) -> list[bytes]:
    """Eight trackers and a head without rotation in one bundle, as SlimeVR sends them."""
    messages: list[tuple[str, tuple[object, ...]]] = []
    for name in ("head", *range(1, 9)):
        address = f"/tracking/trackers/{name}"
        messages.append((f"{address}/position", (0.001 * number, 1.0, 0.0)))
        if name != "head":
            messages.append((f"{address}/rotation", (10.0, 20.0, 30.0)))
    return [write_bundle(messages)]


SENDERS: tuple[tuple[str, ProtocolName, float, object], ...] = (
    ("VMC, a suit's bones and trackers", "vmc", 250.0, vmc_suit),
    ("VMC, an avatar with fingers", "vmc", 90.0, vmc_avatar),
    ("VRChat, eight trackers", "vrchat", 1000.0, vrchat),
)


def measure(protocol: ProtocolName, frames: list[list[bytes]], rate: float) -> float:
    """Seconds that the quickest frame takes."""
    queue = ReadingQueue(protocol, 100000)
    best = float("inf")
    for number, packets in enumerate(frames):
        began = time.perf_counter()
        for packet in packets:
            queue.add_packet(packet, ("127.0.0.1", 5000), number / rate)
        if number > 10:
            best = min(best, time.perf_counter() - began)
    return best


def main() -> None:
    for name, protocol, rate, make in SENDERS:
        frames = [make(number) for number in range(1500)]  # type: ignore[operator]
        seconds = measure(protocol, frames, rate)
        share = 100.0 * seconds * rate
        print(f"{name}: {1e6 * seconds:.0f} us a frame, {share:.1f} % of a core at {rate:.0f} Hz")


if __name__ == "__main__":
    main()
