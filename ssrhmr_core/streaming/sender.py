# SPDX-License-Identifier: GPL-3.0-or-later
"""A performer without hardware: a take, sent as a tracking system on a real network sends it."""

from __future__ import annotations

import heapq
import itertools
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..body.extra_trackers import EXTRA_TRACKERS
from ..body.skeleton import TRACKERS
from ..geometry.scalar import IDENTITY_QUAT
from ..tracking.extras.readings import ExtraReadings
from ..tracking.roles import name_of_role
from ..tracking.take import Take
from .decoding import ProtocolName
from .protocols import json_lines, vmc, vrchat
from .readings import ORIGIN, Reading, StreamingError

_ENCODERS: dict[ProtocolName, Callable[[Sequence[Reading]], list[bytes]]] = {
    "vmc": vmc.encode,
    "vrchat": vrchat.encode,
    "json": json_lines.encode,
}
_KINDS = {"head": "hmd", "left_hand": "controller", "right_hand": "controller"}
_CLOCK = 10.0
"""Seconds on the sender's clock at the start: unrelated to the receiver's clock."""
_EPOCH = 3.9e9
"""The same for protocols whose times are dates, in seconds since 1900."""


@dataclass(frozen=True)
class Conditions:
    """The state of the network and of the sender's clock; nothing is wrong by default.

    Attributes:
        loss: The share of packets that are lost, 0 to 1.
        jitter: The mean delay of packets in seconds; each has another one.
        reorder: The share of packets that arrive after their successor.
        duplicate: The share of packets that arrive twice.
        burst: Seconds for which the network holds packets back once every second; then it
            delivers them at once.
        drift: Seconds a second by which the sender's clock is fast.
        seed: The seed of the random numbers.
    """

    loss: float = 0.0
    jitter: float = 0.0
    reorder: float = 0.0
    duplicate: float = 0.0
    burst: float = 0.0
    drift: float = 0.0
    seed: int = 0


def device_names(protocol: ProtocolName, extras: ExtraReadings | None = None) -> dict[str, str]:
    """Return the device name by role that :func:`packets` uses.

    Args:
        protocol: The protocol.
        extras: The optional trackers of the take, if there are any.

    Raises:
        StreamingError: if the protocol has too few trackers.
    """
    if protocol != "vrchat":
        names = {role: role for role in TRACKERS}
        for role in extras.worn if extras else ():
            is_lower = extras is not None and extras.lower[EXTRA_TRACKERS.index(role)]
            names[role] = name_of_role(role, "lower" if is_lower else "upper")
        return names
    if extras is None:
        return {"head": "head", **{role: f"tracker {n}" for role, n in vrchat.NAMES.items()}}
    # The numbers that hands have otherwise are needed: VRChat's own poses of wrists remain.
    hands = {role: role.replace("_hand", " wrist") for role in ("left_hand", "right_hand")}
    numbered = [*(role for role in vrchat.NAMES if role not in hands), *extras.worn]
    if len(numbered) > vrchat.COUNT:
        raise StreamingError(
            f"VRChat OSC has {vrchat.COUNT} trackers, and {len(numbered)} are to be sent: leave"
            " some optional trackers out, or choose another protocol"
        )
    numbers = {role: f"tracker {number}" for number, role in enumerate(numbered, 1)}
    return {"head": "head", **hands, **numbers}


def devices_of(take: Take, protocol: ProtocolName) -> dict[str, str]:
    """Return the device name by role of what :func:`packets` sends of a take.

    Trackers that the take never sees are no devices.

    Args:
        take: The performance.
        protocol: The protocol.

    Raises:
        StreamingError: if the protocol has too few trackers.
    """
    seen = dict(zip(TRACKERS, take.valid.any(0).tolist(), strict=True))
    names = device_names(protocol, take.extras)
    return {role: name for role, name in names.items() if seen.get(role, True)}


def packets(
    take: Take,
    protocol: ProtocolName,
    loop: bool = False,
    conditions: Conditions | None = None,
) -> Iterator[tuple[float, bytes]]:
    """Generate the packets of a performance, with optional trackers as far as the take has them.

    Trackers that have no position or no rotation are sent as JSON lines and over VRChat OSC; VMC
    cannot express them, and sends them as not visible.

    Args:
        take: The performance, at its own rate.
        protocol: The protocol to send.
        loop: Whether to start again at the end, for ever; the sender's clock keeps running.
        conditions: The state of the network.

    Raises:
        StreamingError: if it is a protocol of whole bodies, not of trackers, or has too few of
            them.

    Yields:
        The time of arrival in seconds since the start, which never falls, and the packet.
    """
    conditions = conditions or Conditions()
    random = np.random.default_rng(conditions.seed)
    if protocol not in _ENCODERS:
        raise StreamingError(f"trackers cannot be sent as {protocol}: choose another protocol")
    encode, names = _ENCODERS[protocol], devices_of(take, protocol)
    origin = _EPOCH if protocol == "vrchat" else _CLOCK
    step = float(np.median(np.diff(take.times))) if len(take) > 1 else 1.0
    under_way: list[tuple[float, int, bytes]] = []
    counter = itertools.count()
    for now, frame in _frames(take, step, loop):
        sent = origin + now * (1.0 + conditions.drift)
        for packet in encode(_readings(take, frame, names, sent)):
            for arrival in _arrivals(now, step, conditions, random):
                heapq.heappush(under_way, (arrival, next(counter), packet))
        # Packets of later frames arrive after this one.
        while under_way and under_way[0][0] <= now:
            arrival, _, packet = heapq.heappop(under_way)
            yield arrival, packet
    while under_way:
        arrival, _, packet = heapq.heappop(under_way)
        yield arrival, packet


def play(
    timed_packets: Iterator[tuple[float, bytes]],
    host: str,
    port: int,
    stream: bool = False,
    progress: Callable[[float, int], None] | None = None,
) -> int:
    """Send packets at their times, until the last one or an interruption.

    Args:
        timed_packets: Times and packets, as from :func:`packets`.
        host: The address to send to.
        port: The port to send to.
        stream: Whether to use TCP instead of UDP.
        progress: Called with the seconds elapsed and the number of packets sent.

    Returns:
        The number of packets sent.

    Raises:
        StreamingError: if nobody listens at the address; UDP does not report that.
    """
    sent = 0
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM if stream else socket.SOCK_DGRAM
        )[0]
        with socket.socket(family, kind) as out:
            out.connect(address)
            began = time.perf_counter()
            for due, packet in timed_packets:
                wait = due - (time.perf_counter() - began)
                if wait > 0.0:
                    time.sleep(wait)
                try:
                    out.sendall(packet)
                except ConnectionRefusedError:
                    if stream:
                        raise
                    # Datagrams to a port that nobody listens on yet are merely lost.
                    continue
                sent += 1
                if progress:
                    progress(due, sent)
    except OSError as error:
        raise StreamingError(
            f"cannot send to {host}, port {port}: {error.strerror or error}."
            " Check both, and whether anything listens there"
        ) from error
    return sent


def _frames(take: Take, step: float, loop: bool) -> Iterator[tuple[float, int]]:
    """Yield seconds since the start and index of each frame."""
    times = (take.times - take.times[0]).tolist()
    for repetition in itertools.count() if loop else range(1):
        begin = repetition * (times[-1] + step)
        for frame, at in enumerate(times):
            yield begin + at, frame


def _readings(take: Take, frame: int, names: dict[str, str], sent: float) -> list[Reading]:
    readings = []
    for index, role in enumerate(TRACKERS):
        if role not in names:
            continue
        valid = bool(take.valid[frame, index])
        x, y, z = take.positions[frame, index].tolist() if valid else (0.0, 0.0, 0.0)
        w, a, b, c = take.rotations[frame, index].tolist() if valid else IDENTITY_QUAT
        kind = _KINDS.get(role, "tracker")
        readings.append(Reading(names[role], (x, y, z), (w, a, b, c), sent, valid, kind))
    if take.extras:
        readings += _extra_readings(take.extras, frame, names, sent)
    return readings


def _extra_readings(
    extras: ExtraReadings, frame: int, names: dict[str, str], sent: float
) -> list[Reading]:
    readings = []
    for role in extras.worn:
        index = EXTRA_TRACKERS.index(role)
        has_position = bool(extras.has_position[frame, index])
        has_rotation = bool(extras.has_rotation[frame, index])
        x, y, z = extras.positions[frame, index].tolist() if has_position else ORIGIN
        w, a, b, c = extras.rotations[frame, index].tolist() if has_rotation else IDENTITY_QUAT
        reading = Reading(names[role], (x, y, z), (w, a, b, c), sent, has_position or has_rotation)
        readings.append(reading._replace(has_position=has_position, has_rotation=has_rotation))
    return readings


def _arrivals(
    now: float, step: float, conditions: Conditions, random: np.random.Generator
) -> list[float]:
    """Return the times at which a packet that leaves now arrives: one, none or two."""
    lost, late, twice = random.random(3)
    delay = random.exponential(conditions.jitter) if conditions.jitter else 0.0
    if lost < conditions.loss:
        return []
    if late < conditions.reorder:
        delay += 1.5 * step
    arrival = now + delay
    if conditions.burst:
        # The last part of every second is held back to its end.
        into = arrival % 1.0
        if into > 1.0 - conditions.burst:
            arrival += 1.0 - into
    return [arrival, arrival + 0.5 * step] if twice < conditions.duplicate else [arrival]
