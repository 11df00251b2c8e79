# SPDX-License-Identifier: GPL-3.0-or-later
"""VRChat's OSC trackers: UDP, usually port 9000, a head and numbered trackers.

``/tracking/trackers/head/position`` and ``/rotation``, the same with 1 to 8. Positions and Euler
angles are messages of their own and bear no time, unless their bundle does.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from ...geometry.scalar import Quaternion, Vector
from ..axes import from_euler, mirror_position, mirror_rotation, to_euler
from ..readings import MalformedError, Reading, make_reading
from .osc import bundle, read

PORT = 9000
NAMES = {"pelvis": "1", "left_foot": "2", "right_foot": "3", "left_hand": "4", "right_hand": "5"}
"""Which numbered tracker ``send`` uses for which role; the protocol knows no hands."""

_ADDRESS = re.compile(r"/tracking/trackers/(head|[1-8])/(position|rotation)")
_APART = 0.004
"""Seconds within which position and rotation of the same moment arrive."""
_EPOCH = 2208988800.0
"""Seconds from 1900, where OSC begins to count, to 1970."""


class _TrackerParts:
    """What is known of one tracker, and what of it waits for its other half."""

    def __init__(self) -> None:
        self.position: Vector | None = None
        self.rotation: Quaternion | None = None
        self.waiting = ""
        self.since = -math.inf
        self.time = math.nan


class VrchatDecoder:
    """Understands one sender: puts positions and rotations together.

    A half whose other half was lost is completed by the last one known, when the next comes.
    """

    def __init__(self) -> None:
        """Begin with a sender that was not heard of."""
        self._trackers: dict[str, _TrackerParts] = {}

    def decode(self, packet: bytes, arrival: float) -> list[Reading]:
        """Readings of a datagram; see :class:`~ssrhmr_core.streaming.readings.Decoder`."""
        found: list[Reading] = []
        for address, arguments, time in read(packet, lambda a: bool(_ADDRESS.fullmatch(a))):
            parts = _ADDRESS.fullmatch(address)
            if parts is None or len(arguments) < 3:
                raise MalformedError("three numbers belong here")
            name, half = parts.groups()
            tracker = self._trackers.setdefault(name, _TrackerParts())
            # The limit on positions holds for angles too: they are within a few turns.
            values = make_reading(name, arguments[:3], (1.0, 0.0, 0.0, 0.0)).position
            same = _same_moment(tracker, time, arrival)
            if tracker.waiting and (tracker.waiting == half or not same):
                found += _completed(name, tracker)
            if half == "position":
                tracker.position = mirror_position(values)
            else:
                tracker.rotation = mirror_rotation(from_euler(values))
            if tracker.waiting:
                found += _completed(name, tracker)
            else:
                tracker.waiting, tracker.since, tracker.time = half, arrival, time
        return found


def _same_moment(tracker: _TrackerParts, time: float, arrival: float) -> bool:
    if math.isfinite(time) and math.isfinite(tracker.time):
        return time == tracker.time
    return arrival - tracker.since <= _APART


def _completed(name: str, tracker: _TrackerParts) -> list[Reading]:
    tracker.waiting = ""
    if tracker.position is None or tracker.rotation is None:
        return []
    kind, device = ("hmd", "head") if name == "head" else ("tracker", f"tracker {name}")
    place = (tracker.position, tracker.rotation)
    return [Reading(device, *place, tracker.time, True, kind, tracker.since)]


def encode(readings: Sequence[Reading]) -> list[bytes]:
    """Write one frame of the trackers that are seen; their times are equal.

    Args:
        readings: of devices named "head", "tracker 1" and so on.
    """
    messages: list[tuple[str, Sequence[object]]] = []
    for reading in readings:
        if reading.valid:
            name = reading.device.removeprefix("tracker ")
            angles = to_euler(mirror_rotation(reading.rotation))
            messages.append(
                (f"/tracking/trackers/{name}/position", mirror_position(reading.position))
            )
            messages.append((f"/tracking/trackers/{name}/rotation", angles))
    if not messages:
        return []
    time = readings[0].time
    return [bundle(messages, time - _EPOCH if math.isfinite(time) else None)]
