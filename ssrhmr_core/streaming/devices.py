# SPDX-License-Identifier: GPL-3.0-or-later
"""The devices of a stream, and which tracker each of them is."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..body.skeleton import TRACKERS
from ..geometry.scalar import Quaternion, Vector
from ..tracking.roles import ALL_ROLES, assign
from .readings import Reading, StreamingError
from .standing_pose import find_roles_of_standing

MAX_DEVICES = 64
_LIFETIME = 60.0
"""Seconds after its last reading for which a device is listed."""
_WINDOW = 2.0
"""Seconds that rates and movements are measured over."""
_ESTABLISHED = 20
"""Readings after which a device that still sends is not forgotten in favour of a new one."""
_VALID_TIME = 0.25
"""Seconds after the last valid reading for which a device counts as visible."""
_STEP = 1.0 / 60.0
"""Seconds between positions that are kept: enough to see a device being shaken."""
_SHAKEN = 0.05
"""Metres from its mean position, root mean square, beyond which a device is being shaken."""
_OTHERS = 0.4
"""Share of that which any other device may move: who shakes a hand sways a little."""


@dataclass(frozen=True)
class Device:
    """A device as of its last readings.

    Attributes:
        name: Serial or name, as the sender gives it.
        kind: "hmd", "controller", "tracker" or "bone".
        rate: Readings a second over the last two seconds.
        age: Seconds since the last valid reading; infinite if there was none.
        valid: Whether the device is visible now: it sent something lately, and that was valid.
        position: Position of the last valid reading, metres, core axes.
        rotation: Rotation of the last valid reading, w, x, y, z.
        has_rotation: False if the sender gives positions only.
        has_position: False if the sender gives rotations only.
        hint: What the sender says about where the device is; "" if nothing.
    """

    name: str
    kind: str
    rate: float
    age: float
    valid: bool
    position: Vector
    rotation: Quaternion
    has_rotation: bool = True
    hint: str = ""
    has_position: bool = True


class _DeviceHistory:
    """The last readings of one device."""

    def __init__(self, reading: Reading) -> None:
        self.last = self.last_valid = reading
        self.last_valid_arrival = -math.inf
        self.count = 0
        self._times: deque[float] = deque(maxlen=1024)
        self._positions: deque[tuple[float, Vector]] = deque()

    def add(self, reading: Reading) -> None:
        self.last = reading
        self.count += 1
        self._times.append(reading.time)
        if not reading.valid:
            return
        self.last_valid, self.last_valid_arrival = reading, reading.arrival
        if not self._positions or reading.time - self._positions[-1][0] >= _STEP:
            self._positions.append((reading.time, reading.position))
            while self._positions[0][0] < reading.time - _WINDOW:
                self._positions.popleft()

    def rate(self, now: float) -> float:
        while self._times and self._times[0] <= now - _WINDOW:
            self._times.popleft()
        if len(self._times) < 2:
            return 0.0
        # Nearly in order: late readings are late by little of that.
        span = self._times[-1] - self._times[0]
        return (len(self._times) - 1) / span if span > 0.0 else 0.0

    def spread(self, now: float) -> float:
        """Return the distance from the mean position in the last seconds, root mean square."""
        positions = [position for time, position in self._positions if time > now - _WINDOW]
        return float(np.sqrt(np.var(positions, axis=0).sum())) if positions else 0.0

    def is_established(self, now: float) -> bool:
        return self.count >= _ESTABLISHED and self.last.arrival > now - _WINDOW


class DeviceTable:
    """Keeps track of all devices of a stream, bound to a role or not; at most 64."""

    def __init__(self) -> None:
        """Create an empty table."""
        self._histories: dict[str, _DeviceHistory] = {}

    def add(self, readings: Iterable[Reading]) -> None:
        """Take in readings as they were drained."""
        for reading in readings:
            history = self._histories.get(reading.device)
            if history is None:
                if len(self._histories) >= MAX_DEVICES and not self._make_room(reading.arrival):
                    continue
                history = self._histories[reading.device] = _DeviceHistory(reading)
            history.add(reading)

    def list_devices(self, now: float) -> list[Device]:
        """Return all devices that sent something in the last minute, sorted by name."""
        for name, history in list(self._histories.items()):
            if history.last.arrival < now - _LIFETIME:
                del self._histories[name]
        return [
            Device(
                name=name,
                kind=history.last.kind,
                rate=history.rate(now),
                age=max(now - history.last_valid_arrival, 0.0),
                valid=history.last.valid and now - history.last.arrival <= _VALID_TIME,
                position=history.last_valid.position,
                rotation=history.last_valid.rotation,
                has_rotation=history.last.has_rotation,
                hint=history.last.hint,
                has_position=history.last.has_position,
            )
            for name, history in sorted(self._histories.items())
        ]

    def find_shaken(self, now: float) -> str | None:
        """Return the device that moved in the last seconds while all others stood still."""
        spreads = {name: history.spread(now) for name, history in self._histories.items()}
        if not spreads:
            return None
        most = max(spreads, key=lambda name: spreads[name])
        others = max((spread for name, spread in spreads.items() if name != most), default=0.0)
        return most if spreads[most] > _SHAKEN and others < _OTHERS * spreads[most] else None

    def _make_room(self, now: float) -> bool:
        """Forget the device that was silent for longest, of those that hardly ever sent."""
        brief = [
            name for name, history in self._histories.items() if not history.is_established(now)
        ]
        if not brief:
            return False
        del self._histories[min(brief, key=lambda name: self._histories[name].last.arrival)]
        return True


def guess_roles(devices: Iterable[Device], known: Mapping[str, str]) -> dict[str, str]:
    """Guess which device is which tracker, by names and kinds, or by positions in the T-pose.

    Devices may also be optional trackers. Bones of an avatar never are: they are what the sender
    made of its trackers, and are used where somebody chooses them.

    All roles come from one space: either from tracking devices or from the bones of an avatar,
    which is scaled and moved. Where both are sent, that which gives more roles is used.

    Args:
        devices: The devices of a stream.
        known: Device name by role; stays as it is.

    Returns:
        Device name by role, for the roles that are known or clear.
    """
    listed = list(devices)
    bones = [device for device in listed if device.kind == "bone"]
    others = [device for device in listed if device.kind not in ("bone", "camera")]
    used = [space for space in (others, bones) if any(d.name in known.values() for d in space)]
    guesses = [_guess_in_space(space, known) for space in used or (others, bones)]
    # The first of those with the most roles among the six: devices, if both give as many.
    roles = max(guesses, key=lambda guess: sum(role in TRACKERS for role in guess))
    return {role: roles[role] for role in ALL_ROLES if role in roles}


def propose_roles(
    devices: Sequence[Device], roles: Mapping[str, str], new: Iterable[str], standing: bool
) -> dict[str, str]:
    """Return the roles that devices take by themselves, since nobody has chosen any for them.

    Args:
        devices: The devices of a stream.
        roles: Device name by role, as of now.
        new: Names of the devices that were never listed before.
        standing: Whether the performer is about to stand in the T-pose, where positions show which
            device is which; otherwise only new devices take roles.

    Returns:
        Device name by role.
    """
    candidates = set(new)
    guessed = guess_roles(devices, roles)
    return {
        role: name
        for role, name in guessed.items()
        if role not in roles and (standing or name in candidates)
    }


def _guess_in_space(devices: Sequence[Device], known: Mapping[str, str]) -> dict[str, str]:
    free = [device for device in devices if device.name not in known.values()]
    # What the sender says about a device counts like a part of its name.
    names = {f"{device.name} {device.hint}": device.name for device in free}
    is_avatar = any(device.kind == "bone" for device in devices)
    wanted = TRACKERS if is_avatar else ALL_ROLES
    clear, ambiguous = assign(names, wanted)
    clear = {role: names[text] for role, text in clear.items()}
    ambiguous = {role: [names[text] for text in texts] for role, texts in ambiguous.items()}
    roles = {**clear, **known}
    for role, fitting in ambiguous.items():
        # Of two heads, that with rotations is meant.
        rotating = [d.name for d in free if d.name in fitting and d.has_rotation]
        if len(rotating) == 1:
            roles.setdefault(role, rotating[0])
    headsets = [device.name for device in free if device.kind == "hmd"]
    if len(headsets) == 1 and "head" not in ambiguous and headsets[0] not in roles.values():
        roles.setdefault("head", headsets[0])
    if not roles.keys() >= set(TRACKERS):
        for role, name in find_roles_of_standing(_poses_of(devices), roles).items():
            if role in wanted:
                roles.setdefault(role, name)
    return roles


def _poses_of(devices: Iterable[Device]) -> dict[str, tuple[Vector, Quaternion | None, str]]:
    """Return position, rotation (if any) and kind of the devices that are visible, by name."""
    return {
        device.name: (
            device.position,
            device.rotation if device.has_rotation else None,
            device.kind,
        )
        for device in devices
        if device.valid and device.has_position
    }


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
    assigned = {role: name for role, name in roles.items() if name}
    for role in roles:
        if role not in ALL_ROLES:
            raise StreamingError(f"{role!r} is no tracker; they are {', '.join(ALL_ROLES)}")
    for role, name in assigned.items():
        if sum(name == other for other in assigned.values()) > 1:
            raise StreamingError(f"{name} has two roles, one of them {role}: choose one")
    return assigned
