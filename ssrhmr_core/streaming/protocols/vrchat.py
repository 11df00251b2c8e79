# SPDX-License-Identifier: GPL-3.0-or-later
"""VRChat's OSC trackers: UDP, usually port 9000, a head and numbered trackers.

``/tracking/trackers/head/position`` and ``/rotation``, the same with 1 to 8. Positions and Euler
angles are messages of their own and have no time, unless their bundle has one. What VRChat itself
sends is understood too: ``/tracking/vrsystem/head/pose`` and those of both wrists.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ...geometry.scalar import IDENTITY_QUAT, Quaternion, Vector
from ..axes import from_euler, mirror_position, mirror_rotation, to_euler
from ..readings import (
    ORIGIN,
    MalformedError,
    Reading,
    is_in_room,
    make_reading,
    read_pose,
    to_numbers,
)
from .osc import AddressMap, Message, read_packet, write_bundle
from .osc_layout import LayoutCache

PORT = 9000
NAMES = {"pelvis": "1", "left_foot": "2", "right_foot": "3", "left_hand": "4", "right_hand": "5"}
"""Which numbered tracker ``send`` uses for which role; the protocol has none for hands."""
COUNT = 8
"""How many numbered trackers there are."""

_TRACKERS = ("head", *map(str, range(1, COUNT + 1)))
_HANDLERS: dict[bytes, object] = {
    f"/tracking/trackers/{name}/{part}".encode(): (name, part)
    for name in _TRACKERS
    for part in ("position", "rotation")
}
_POSES = {
    b"/tracking/vrsystem/head/pose": ("headset", "hmd"),
    b"/tracking/vrsystem/leftwrist/pose": ("left wrist", "controller"),
    b"/tracking/vrsystem/rightwrist/pose": ("right wrist", "controller"),
}
_HANDLERS |= {address: (device, "pose") for address, (device, _) in _POSES.items()}
_FOUND = AddressMap(_HANDLERS)
_KINDS = dict(_POSES.values())
_POSE_ADDRESSES = {device: address.decode() for address, (device, _) in _POSES.items()}
ADDRESSES = {
    address.decode(): "ffffff" if address in _POSES else "fff" for address in sorted(_HANDLERS)
}
"""The types of arguments of each address that is read."""
_SAME_MOMENT = 0.004
"""Seconds within which position and rotation of the same moment arrive."""
_ROTATION_TIMEOUT = 0.25
"""Seconds without a rotation after which a tracker counts as one that has positions only; one
without a position has rotations only."""
_MIN_POSITIONS = 5
"""Number of positions that must have come without a rotation, too, or of rotations alone."""
_UNIT_TOLERANCE = 0.05
_OSC_TO_UNIX = 2208988800.0
"""Seconds from 1900, where OSC begins to count, to 1970."""

NO_ROTATIONS = (
    "the sender sends positions of trackers but no rotations (as ALVR does): the model guesses"
    " them, and the body faces as hands and feet stand. Use a program that sends rotations too"
)


class _Tracker:
    """The state of one tracker: its last values, and which of them waits for the other."""

    def __init__(self, arrival: float) -> None:
        self.position: Vector | None = None
        self.rotation: Quaternion | None = None
        self.waiting = ""
        self.waiting_since = -math.inf
        self.time = math.nan
        self.last_rotation = arrival
        """Seconds when a rotation came last, or the first position if there was none."""
        self.last_position = arrival
        """Seconds when a position came last, or the first rotation if there was none."""
        self.rotations_alone = 0
        self.positions_since = 0
        self.positions_only = False

    def lacks_rotations(self, arrival: float) -> bool:
        """Note a position; return whether the tracker has positions only."""
        self.positions_since += 1
        if (
            arrival - self.last_rotation > _ROTATION_TIMEOUT
            and self.positions_since >= _MIN_POSITIONS
        ):
            self.positions_only = True
        return self.positions_only

    def lacks_positions(self, arrival: float) -> bool:
        """Note a rotation; return whether the tracker has rotations only."""
        self.rotations_alone += 1
        return (
            arrival - self.last_position > _ROTATION_TIMEOUT
            and self.rotations_alone >= _MIN_POSITIONS
        )


class VrchatDecoder:
    """Decodes the packets of one sender: joins positions and rotations.

    Where one of both was lost, the last one that came is used. A tracker whose rotations do not
    come, or only now and then (SlimeVR's head: whenever its user resets it), has positions only.
    One whose positions do not come, or no longer, has rotations only.

    Attributes:
        malformed: Number of packets and messages that could not be read so far.
    """

    def __init__(self) -> None:
        """Create a decoder for a new sender."""
        self.malformed = 0
        self._trackers: dict[str, _Tracker] = {}
        self._layouts = LayoutCache(_FOUND, _count_numbers)

    @property
    def notice(self) -> str:
        """What the user should know about this sender, "" if nothing."""
        only = [tracker.positions_only for tracker in self._trackers.values()]
        return NO_ROTATIONS if len(only) > 1 and all(only) else ""

    def decode(self, packet: bytes, arrival: float) -> list[Reading]:
        """Return the readings of a datagram.

        See :class:`~ssrhmr_core.streaming.readings.Decoder`.
        """
        known = self._layouts.find(packet)
        if known:
            layout, numbers = known
            parts: list[tuple[Any, Sequence[object], float]] = [
                (handler, numbers[begin:end], math.nan) for handler, _, begin, end in layout.fields
            ]
            return self._take_parts(parts, arrival)
        malformed = self.malformed
        parsed = read_packet(packet, _FOUND)
        self.malformed += parsed.malformed
        parts = []
        for message, handler in parsed.messages:
            try:
                parts.append((handler, message.read_arguments(), message.time))
            except MalformedError:
                self.malformed += 1
        if self.malformed == malformed:
            self._layouts.note(packet)
        return self._take_parts(parts, arrival)

    def _take_parts(
        self, parts: Sequence[tuple[Any, Sequence[object], float]], arrival: float
    ) -> list[Reading]:
        """Take in the handlers, arguments and times of messages; return what is complete now."""
        readings: list[Reading] = []
        for (name, part), arguments, time in parts:
            try:
                if part == "pose":
                    readings.append(_read_pose(arguments, name, time))
                else:
                    readings += self._add_part((name, part), arguments, time, arrival)
            except MalformedError:
                self.malformed += 1
        return readings

    def _add_part(
        self, handler: tuple[str, str], arguments: Sequence[object], time: float, arrival: float
    ) -> list[Reading]:
        """Take in a position or a rotation; return what is complete now."""
        name, part = handler
        tracker = self._trackers.get(name)
        if tracker is None:
            tracker = self._trackers[name] = _Tracker(arrival)
        if part == "position":
            position = mirror_position(_read_vector(arguments))
            tracker.last_position, tracker.rotations_alone = arrival, 0
            if tracker.lacks_rotations(arrival):
                tracker.position = position
                tracker.time, tracker.waiting_since = time, arrival
                return _complete(name, tracker)
        else:
            rotation = mirror_rotation(_read_rotation(arguments))
            if tracker.lacks_positions(arrival):
                tracker.rotation, tracker.waiting = rotation, ""
                reading = _make_reading(name, ORIGIN, rotation, time, arrival)
                return [reading._replace(has_position=False)]
            # One rotation after a long time is no stream of rotations.
            if tracker.positions_only and arrival - tracker.last_rotation > _ROTATION_TIMEOUT:
                tracker.last_rotation = arrival
                return []
            tracker.last_rotation, tracker.positions_only = arrival, False
            tracker.positions_since = 0
        readings: list[Reading] = []
        same = _is_same_moment(tracker, time, arrival)
        if tracker.waiting and (tracker.waiting == part or not same):
            # The other part was lost: the last one that came is used.
            readings += _complete(name, tracker)
        if part == "position":
            tracker.position = position
        else:
            tracker.rotation = rotation
        if tracker.waiting:
            readings += _complete(name, tracker)
        else:
            tracker.waiting, tracker.waiting_since = part, arrival
            tracker.time = time
        return readings


def encode(readings: Sequence[Reading]) -> list[bytes]:
    """Encode one frame of the trackers that are valid; all readings have the same time.

    Args:
        readings: Readings of devices named "head", "tracker 1" and so on, "left wrist" and "right
            wrist".
    """
    messages: list[tuple[str, Sequence[object]]] = []
    for reading in readings:
        if not reading.valid:
            continue
        name = reading.device.removeprefix("tracker ")
        angles = to_euler(mirror_rotation(reading.rotation))
        position = mirror_position(reading.position)
        if name in _POSE_ADDRESSES:
            messages.append((_POSE_ADDRESSES[name], (*position, *angles)))
            continue
        if reading.has_position:
            messages.append((f"/tracking/trackers/{name}/position", position))
        if reading.has_rotation:
            messages.append((f"/tracking/trackers/{name}/rotation", angles))
    if not messages:
        return []
    time = readings[0].time
    return [write_bundle(messages, time - _OSC_TO_UNIX if math.isfinite(time) else None)]


def _is_same_moment(tracker: _Tracker, time: float, arrival: float) -> bool:
    if math.isfinite(time) and math.isfinite(tracker.time):
        return time == tracker.time
    return arrival - tracker.waiting_since <= _SAME_MOMENT


def _complete(name: str, tracker: _Tracker) -> list[Reading]:
    """Return the reading of a tracker, if both of its parts are known or one never comes."""
    tracker.waiting = ""
    if tracker.position is None or (tracker.rotation is None and not tracker.positions_only):
        return []
    rotation = tracker.rotation or IDENTITY_QUAT
    # Trackers that were never seen lie at the origin.
    valid = is_in_room(tracker.position) and (any(tracker.position) or rotation != IDENTITY_QUAT)
    reading = _make_reading(
        name,
        tracker.position if valid else ORIGIN,
        rotation,
        tracker.time,
        tracker.waiting_since,
        has_rotation=not tracker.positions_only,
    )
    return [reading if valid else reading._replace(valid=False)]


def _make_reading(
    name: str,
    position: Vector,
    rotation: Quaternion,
    time: float,
    arrival: float,
    *,
    has_rotation: bool = True,
) -> Reading:
    kind, device = ("hmd", "head") if name == "head" else ("tracker", f"tracker {name}")
    return Reading(device, position, rotation, time, True, kind, arrival, has_rotation)


def _count_numbers(message: Message, handler: object) -> int | None:
    """Return how many floats of a message are read, None if it is not one of floats."""
    wanted = 6 if isinstance(handler, tuple) and handler[1] == "pose" else 3
    return wanted if message.count_floats() == wanted and message.tags[1:2] == b"f" else None


def _read_pose(arguments: Sequence[object], device: str, time: float) -> Reading:
    if len(arguments) < 6:
        raise MalformedError("a position and three angles belong here")
    position, angles = _read_vector(arguments), _read_vector(arguments[3:])
    return make_reading(
        device,
        mirror_position(position),
        mirror_rotation(from_euler(angles)),
        time,
        _KINDS[device],
    )


def _read_vector(arguments: Sequence[object]) -> Vector:
    if len(arguments) < 3:
        raise MalformedError("three numbers belong here")
    x, y, z = to_numbers(arguments[:3])
    if not math.isfinite(x + y + z):
        raise MalformedError("a number is not finite")
    return x, y, z


def _read_rotation(arguments: Sequence[object]) -> Quaternion:
    """Read Euler angles, or a quaternion x, y, z, w as some senders have it."""
    if len(arguments) != 4:
        return from_euler(_read_vector(arguments))
    x, y, z, w = to_numbers(arguments)
    if abs(x * x + y * y + z * z + w * w - 1.0) > _UNIT_TOLERANCE:
        raise MalformedError("four numbers that are no quaternion")
    return read_pose(ORIGIN, (w, x, y, z))[1] or IDENTITY_QUAT
