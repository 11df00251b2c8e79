# SPDX-License-Identifier: GPL-3.0-or-later
"""The devices of a feed, and which of them is worn where."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from ..body.skeleton import TRACKERS
from ..geometry.scalar import Quaternion, Vector
from ..tracking.roles import assign
from .readings import Reading, StreamingError

_MOST = 128
_FORGOTTEN = 60.0
_WINDOW = 2.0
"""Seconds that rates and movements are measured over."""
_SEEN = 0.25
"""Seconds after the last valid reading within which a device counts as seen."""
_STEP = 1.0 / 60.0
"""Seconds between places that are kept: enough to see a device being shaken."""
_SHAKEN = 0.05
"""Metres from its mean place that a device is, root mean square, when somebody shakes it."""
_OTHERS = 0.4
"""Share of that which any other device may be: who shakes a hand sways a little."""


@dataclass(frozen=True)
class Device:
    """A device as it was last heard of.

    Attributes:
        name: serial or name, as the sender gives it.
        kind: "hmd", "controller", "tracker" or "bone".
        rate: readings a second over the last two seconds.
        age: seconds since it was last seen; infinite if it never was.
        valid: whether it is seen now: heard of lately, and valid by the sender.
        position: where it was last seen, metres, core axes.
        rotation: how it was turned then, w, x, y, z.
    """

    name: str
    kind: str
    rate: float
    age: float
    valid: bool
    position: Vector
    rotation: Quaternion


class _DeviceHistory:
    """What is kept of one device."""

    def __init__(self, reading: Reading) -> None:
        self.last = self.seen = reading
        self.seen_at = -math.inf
        self.arrivals: deque[float] = deque(maxlen=1024)
        self.places: deque[tuple[float, Vector]] = deque()

    def add(self, reading: Reading) -> None:
        self.last = reading
        self.arrivals.append(reading.time)
        if not reading.valid:
            return
        self.seen, self.seen_at = reading, reading.arrival
        if not self.places or reading.time - self.places[-1][0] >= _STEP:
            self.places.append((reading.time, reading.position))
            while self.places[0][0] < reading.time - _WINDOW:
                self.places.popleft()

    def rate(self, now: float) -> float:
        while self.arrivals and self.arrivals[0] <= now - _WINDOW:
            self.arrivals.popleft()
        if len(self.arrivals) < 2:
            return 0.0
        # Nearly in order: what comes late is late by little of that.
        span = self.arrivals[-1] - self.arrivals[0]
        return (len(self.arrivals) - 1) / span if span > 0.0 else 0.0

    def spread(self, now: float) -> float:
        """Metres from its mean place in the last seconds, root mean square."""
        places = [place for time, place in self.places if time > now - _WINDOW]
        return float(np.sqrt(np.var(places, axis=0).sum())) if places else 0.0


class DeviceTable:
    """Keeps track of all devices of a feed, worn or not."""

    def __init__(self) -> None:
        """Begin with none."""
        self._tracks: dict[str, _DeviceHistory] = {}

    def add(self, readings: Iterable[Reading]) -> None:
        """Take in readings as they were drained."""
        for reading in readings:
            track = self._tracks.get(reading.device)
            if track is None:
                if len(self._tracks) >= _MOST:
                    del self._tracks[min(self._tracks, key=lambda n: self._tracks[n].last.arrival)]
                track = self._tracks[reading.device] = _DeviceHistory(reading)
            track.add(reading)

    def list_devices(self, now: float) -> list[Device]:
        """All devices heard of in the last minute, sorted by name."""
        old = [n for n, track in self._tracks.items() if track.last.arrival < now - _FORGOTTEN]
        for name in old:
            del self._tracks[name]
        return [
            Device(
                name,
                track.last.kind,
                track.rate(now),
                max(now - track.seen_at, 0.0),
                track.last.valid and now - track.last.arrival <= _SEEN,
                track.seen.position,
                track.seen.rotation,
            )
            for name, track in sorted(self._tracks.items())
        ]

    def find_shaken(self, now: float) -> str | None:
        """The device that moved in the last seconds while all others stood still, or None."""
        spreads = {name: track.spread(now) for name, track in self._tracks.items()}
        if not spreads:
            return None
        most = max(spreads, key=lambda name: spreads[name])
        others = max((far for name, far in spreads.items() if name != most), default=0.0)
        return most if spreads[most] > _SHAKEN and others < _OTHERS * spreads[most] else None


def guess_roles(devices: Iterable[Device], known: Mapping[str, str]) -> dict[str, str]:
    """Guess which device is worn where, by names and kinds, never by order.

    Args:
        devices: of a feed.
        known: device name by role; stays as it is.

    Returns:
        Device name by role, for the roles that are known or clear.
    """
    free = [device for device in devices if device.name not in known.values()]
    # Bones are what a sender's own solver made of its devices: they count where nothing else fits.
    groups = (
        [device for device in free if device.kind != "bone"],
        [device for device in free if device.kind == "bone"],
    )
    found = dict(known)
    for group in groups:
        sure, unsure = assign(device.name for device in group)
        headsets = [device.name for device in group if device.kind == "hmd"]
        if len(headsets) == 1 and "head" not in unsure and headsets[0] not in sure.values():
            sure.setdefault("head", headsets[0])
        found = sure | found
    return {role: found[role] for role in TRACKERS if role in found}


def assign_role(roles: Mapping[str, str], role: str, device: str) -> dict[str, str]:
    """Return the roles with a device (none if "") in this one and in no other.

    Raises:
        StreamingError: if there is no such role.
    """
    validate_roles({role: device})
    kept = {r: name for r, name in roles.items() if r != role and name != device}
    return {**kept, role: device} if device else kept


def validate_roles(roles: Mapping[str, str]) -> dict[str, str]:
    """Return device name by role, without the empty ones.

    Raises:
        StreamingError: if a role is unknown or a device has two.
    """
    found = {role: name for role, name in roles.items() if name}
    for role in roles:
        if role not in TRACKERS:
            raise StreamingError(f"{role!r} is no tracker; they are {', '.join(TRACKERS)}")
    for role, name in found.items():
        if sum(name == other for other in found.values()) > 1:
            raise StreamingError(f"{name} has two roles, one of them {role}: choose one")
    return found
