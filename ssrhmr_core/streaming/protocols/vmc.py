# SPDX-License-Identifier: GPL-3.0-or-later
"""VMC protocol: OSC over UDP, usually port 39539, as performers send it to marionettes.

The decoder reads devices (``/VMC/Ext/Hmd|Con|Tra/Pos`` and their ``/Local`` variants), bones
(``/VMC/Ext/Root/Pos`` and ``/VMC/Ext/Bone/Pos``), the sender's time (``/VMC/Ext/T``), and what the
same programs send to the driver Virtual Motion Tracker (:mod:`.vmt`). It ignores
the state of tracking (``/VMC/Ext/OK``): Virtual Motion Capture reports "lost" there for all of its
devices as soon as one of them is, or if there are only bones.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ...geometry.scalar import IDENTITY_QUAT, Quaternion, Vector
from ...rigs.finger_bones import FINGER_BONES
from ..axes import mirror_position, mirror_rotation
from ..readings import (
    MAX_NAME,
    ORIGIN,
    ROOM_RADIUS,
    MalformedError,
    Reading,
    is_in_room,
    normalize_pose,
)
from . import vmt
from .osc import AddressMap, Message, Packet, decode_text, read_packet, write_bundle
from .osc_layout import Layout, LayoutCache
from .vmc_bones import BONES, Avatar, Transform

PORT = 39539

_ADDRESSES = {
    kind: f"/VMC/Ext/{word}/Pos"
    for word, kind in (("Hmd", "hmd"), ("Con", "controller"), ("Tra", "tracker"))
}
_TIME, _ROOT, _BONE, _SHAPE = "time", "root", "bone", "shape"
_BASIC: dict[bytes, object] = {
    b"/VMC/Ext/T": _TIME,
    b"/VMC/Ext/Root/Pos": _ROOT,
    b"/VMC/Ext/Bone/Pos": _BONE,
    # Kind, and whether it is raw.
    **{address.encode(): (kind, False) for kind, address in _ADDRESSES.items()},
    **{f"{address}/Local".encode(): (kind, True) for kind, address in _ADDRESSES.items()},
    **vmt.ADDRESSES,
}
_HANDLERS = AddressMap(_BASIC)
_DETAIL_HANDLERS = AddressMap(
    {**_BASIC, b"/VMC/Ext/Blend/Val": _SHAPE, b"/VMC/Ext/Cam": ("camera", False)}
)


def _spell(names: Iterable[str]) -> dict[bytes, str]:
    """Return names of bones by how senders write them: as Unity does, as VRM 1 does, or small."""
    return {
        spelling.encode(): name
        for name in names
        for spelling in (name, name[0].lower() + name[1:], name.lower())
    }


_BONE_NAMES = _spell(BONES)
_FINGER_NAMES = _spell(FINGER_BONES)
_FINGERS = {name: f"finger:{name}" for name in FINGER_BONES}
"""Device by name of a finger bone."""
_ORDINARY_LOW, _ORDINARY_HIGH = 0.9, 1.1
"""Square of the length of quaternions between which they are as they should be."""
_MAX_SHAPE = 100.0
"""Largest value of a shape: it is a share, or a percentage."""
_MAX_RAW = 64
_RAW_LIFETIME = 1.0
"""Seconds after which a device that is not sent raw any more counts as it is sent."""


class VmcDecoder:
    """Decodes the packets of one performer.

    Where a device comes both scaled to an avatar and raw (``/Local``), the raw one counts: metres
    of the room. Bones become devices named "Bone Hips" and so on, see :class:`Avatar`.

    With details, finger bones become devices "finger:LeftIndexProximal" and so on, with a rotation
    relative to the parent; shapes of the face become devices "shape:Joy", whose value is the first
    number of the position; and the camera is a device.

    Attributes:
        malformed: Number of packets and messages that could not be read so far.
    """

    def __init__(self, details: bool = False) -> None:
        """Create a decoder for a new sender.

        Args:
            details: Whether to read fingers, shapes of the face and the camera too.
        """
        self.malformed = 0
        self._raw: dict[str, float] = {}
        self._avatar = Avatar()
        self._handlers = _DETAIL_HANDLERS if details else _HANDLERS
        self._names = {**_BONE_NAMES, **_FINGER_NAMES} if details else _BONE_NAMES
        self._layouts = LayoutCache(self._handlers, self._count_numbers)

    @property
    def notice(self) -> str:
        """What the user should know about this sender, "" if nothing."""
        return self._avatar.notice

    def decode(self, packet: bytes, arrival: float) -> list[Reading]:
        """Return the readings of a datagram.

        See :class:`~ssrhmr_core.streaming.readings.Decoder`.
        """
        known = self._layouts.find(packet)
        poses = _read_poses(*known, self._names) if known else None
        if poses:
            return self._take_poses(poses, arrival)
        malformed = self.malformed
        parsed = read_packet(packet, self._handlers)
        self.malformed += parsed.malformed
        time = _read_time(parsed)
        readings: list[Reading] = []
        bones: dict[str, Transform] = {}
        for message, handler in parsed.messages:
            try:
                if handler is _BONE:
                    # Fingers and eyes are most of the bones: of them only the name is read.
                    name = message.read_name()
                    bone = self._names.get(name)
                    if bone in _FINGERS:
                        _, rotation = _read_transform(message, name)
                        readings.append(_make_finger(bone, rotation, time))
                    elif bone:
                        bones[bone] = _read_transform(message, name)
                elif handler is not _TIME:
                    readings += self._read_other(message, handler, time, arrival)
            except MalformedError:
                self.malformed += 1
        if known is None and self.malformed == malformed:
            has_time = any(handler is _TIME for _, handler in parsed.messages)
            self._layouts.note(packet, has_time)
        if bones:
            readings += self._avatar.add(bones, time, arrival)
        return readings

    def _read_other(
        self, message: Message, handler: object, time: float, arrival: float
    ) -> list[Reading]:
        """Read a device, a shape or the root; return the readings that count."""
        if handler is _SHAPE:
            return [_read_shape(message, time)]
        if isinstance(handler, vmt.Axes):
            tracker = vmt.read_tracker(message, handler, time)
            return [tracker] if tracker else []
        if not isinstance(handler, tuple):
            # The root's name means nothing, and may be empty.
            self._avatar.root = _read_transform(message, message.read_name())
            return []
        kind, is_raw = handler
        reading = _read_device(message, time, kind)
        return [reading] if self._counts(reading.device, is_raw, arrival) else []

    def _take_poses(self, poses: _Poses, arrival: float) -> list[Reading]:
        """Return the readings of a packet that has a known layout."""
        if poses.root:
            self._avatar.root = poses.root
        readings = [
            reading
            for reading, is_raw in poses.devices
            if self._counts(reading.device, is_raw, arrival)
        ]
        readings += poses.details
        if poses.bones:
            readings += self._avatar.add(poses.bones, poses.time, arrival)
        return readings

    def _count_numbers(self, message: Message, handler: object) -> int | None:
        """Return how many floats of a message are read, None if it is not one of floats."""
        if handler is _TIME:
            return 1 if message.tags == b",f" else None
        if not message.has_name:
            return None
        if handler is _SHAPE:
            return 1 if message.count_floats() == 1 else None
        if handler is _BONE and message.read_name() not in self._names:
            return 0
        return 7 if message.count_floats() >= 7 else None

    def _counts(self, serial: str, is_raw: bool, arrival: float) -> bool:
        if is_raw:
            if serial in self._raw or len(self._raw) < _MAX_RAW:
                self._raw[serial] = arrival
            return True
        last = self._raw.get(serial)
        if last is None:
            return True
        if arrival - last <= _RAW_LIFETIME:
            return False
        del self._raw[serial]
        return True


def encode(readings: Sequence[Reading]) -> list[bytes]:
    """Encode one frame of devices as a performer sends it; all readings have the same time."""
    messages: list[tuple[str, Sequence[object]]] = [("/VMC/Ext/OK", (1, 3, 0, 1))]
    for reading in readings:
        w, x, y, z = mirror_rotation(reading.rotation)
        # There is no other way to say that a device is not seen, or only a part of its pose is.
        is_whole = reading.valid and reading.has_position and reading.has_rotation
        quat = (x, y, z, w) if is_whole else (0.0, 0.0, 0.0, 0.0)
        values = (reading.device, *mirror_position(reading.position), *quat)
        messages.append((_ADDRESSES.get(reading.kind, _ADDRESSES["tracker"]), values))
    times = [reading.time for reading in readings if math.isfinite(reading.time)]
    if times:
        messages.append(("/VMC/Ext/T", (times[0],)))
    return [write_bundle(messages)]


class _Poses(NamedTuple):
    """What a packet has, in the axes of the core.

    Attributes:
        time: Seconds on the sender's clock, or nan.
        root: Position and rotation of the root, None if there is none.
        bones: Local position and rotation of bones, by name.
        devices: Readings of devices, and whether each is raw.
        details: Readings of fingers and shapes.
    """

    time: float
    root: Transform | None
    bones: dict[str, Transform]
    devices: list[tuple[Reading, bool]]
    details: list[Reading]


def _read_poses(
    layout: Layout, numbers: tuple[float, ...], names: Mapping[bytes, str]
) -> _Poses | None:
    """Read the numbers of a packet of a known layout.

    Returns:
        What the packet has; None if something in it is out of the ordinary: a number that is not
        finite, a quaternion without unit length, a device that is far away or at the origin.
    """
    if layout.plan is None:
        layout.plan = _Plan(layout, names)
    plan: _Plan = layout.plan
    time = numbers[plan.time] if plan.time >= 0 else math.nan
    poses = _Poses(time, None, {}, [], [])
    for device, index in plan.shapes:
        value = numbers[index]
        if not abs(value) <= _MAX_SHAPE:
            return None
        poses.details.append(_make_shape(device, value, time))
    for kind, name, is_raw, begin, end in plan.poses:
        x, y, z, a, b, c, w = numbers[begin:end]
        square = w * w + a * a + b * b + c * c
        # Not a number is not in between, either.
        if not (_ORDINARY_LOW < square < _ORDINARY_HIGH and abs(x) + abs(y) + abs(z) < ROOM_RADIUS):
            return None
        length = math.sqrt(square)
        pose = (-x, y, z), (w / length, a / length, -b / length, -c / length)
        if kind == _BONE and name in _FINGERS:
            poses.details.append(_make_finger(name, pose[1], time))
        elif kind == _BONE:
            poses.bones[name] = pose
        elif kind == _ROOT:
            poses = poses._replace(root=pose)
        elif x or y or z:
            # Much faster than by name.
            values = (name, *pose, time, True, kind, math.nan, True, "", True)
            poses.devices.append((tuple.__new__(Reading, values), is_raw))
        else:
            return None
    return poses


class _Plan:
    """What the numbers of a layout mean.

    Attributes:
        time: Index of the time, -1 if there is none.
        poses: Kind, name, whether it is raw, and first and last index of each pose.
        shapes: Device and index of each shape of the face.
    """

    def __init__(self, layout: Layout, names: Mapping[bytes, str]) -> None:
        times = [field.begin for field in layout.fields if field.handler is _TIME]
        self.time = times[0] if times else -1
        self.poses: list[tuple[str, str, bool, int, int]] = []
        self.shapes: list[tuple[str, int]] = []
        for handler, name, begin, end in layout.fields:
            if handler is _SHAPE:
                self.shapes.append((f"shape:{decode_text(name)}", begin))
            elif handler is not _TIME:
                kind, is_raw = handler if isinstance(handler, tuple) else (handler, False)
                text = names[name] if kind == _BONE else decode_text(name)
                self.poses.append((kind, text, is_raw, begin, end))


def _read_time(parsed: Packet) -> float:
    """Return seconds on the sender's clock: its own message or the time of the bundle, else nan."""
    for message, handler in parsed.messages:
        if handler is _TIME:
            try:
                (time, *_) = message.read_arguments()
            except (MalformedError, ValueError):
                continue
            if isinstance(time, int | float) and not isinstance(time, bool):
                return float(time)
    return parsed.messages[0][0].time if parsed.messages else math.nan


def _read_text(name: bytes) -> str:
    text = decode_text(name)
    if not 0 < len(text) <= MAX_NAME:
        raise MalformedError(f"a device needs a name of at most {MAX_NAME} characters")
    return text


def _read_shape(message: Message, time: float) -> Reading:
    """Return the value of a shape of the face."""
    name = message.read_name()
    numbers = message.read_numbers_after(name)
    if not numbers or not abs(numbers[0]) <= _MAX_SHAPE:
        raise MalformedError("a name and the value of a shape belong here")
    return _make_shape(f"shape:{_read_text(name)}", numbers[0], time)


def _make_shape(device: str, value: float, time: float) -> Reading:
    return Reading(device, (value, 0.0, 0.0), IDENTITY_QUAT, time, True, "shape")


def _make_finger(bone: str, rotation: Quaternion, time: float) -> Reading:
    return Reading(_FINGERS[bone], ORIGIN, rotation, time, True, "finger")


def _read_device(message: Message, time: float, kind: str) -> Reading:
    name = message.read_name()
    device = _read_text(name)
    position, quat = _read_pose(message, name)
    # Devices that were never seen lie at the origin.
    is_parked = not any(position) and quat is not None and abs(quat[0]) == 1.0
    if quat is None or is_parked or not is_in_room(position):
        return Reading(device, ORIGIN, IDENTITY_QUAT, time, False, kind)
    return Reading(device, mirror_position(position), mirror_rotation(quat), time, True, kind)


def _read_transform(message: Message, name: bytes) -> Transform:
    """Return position and rotation of a bone; hidden roots are far outside of the room."""
    position, quat = _read_pose(message, name)
    return mirror_position(position), mirror_rotation(quat or IDENTITY_QUAT)


def _read_pose(message: Message, name: bytes) -> tuple[Vector, Quaternion | None]:
    """Return position and unit quaternion w, x, y, z in Unity's axes; ignore what follows them."""
    numbers = message.read_numbers_after(name)
    if len(numbers) < 7:
        raise MalformedError("a name, a position and a quaternion belong here")
    x, y, z, a, b, c, w = numbers[:7]
    return normalize_pose(x, y, z, w, a, b, c)
