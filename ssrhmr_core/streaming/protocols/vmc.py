# SPDX-License-Identifier: GPL-3.0-or-later
"""VMC protocol: OSC over UDP, usually port 39539, as performers send it to marionettes.

The decoder reads devices (``/VMC/Ext/Hmd|Con|Tra/Pos`` and their ``/Local`` variants), bones
(``/VMC/Ext/Root/Pos`` and ``/VMC/Ext/Bone/Pos``) and the sender's time (``/VMC/Ext/T``). It ignores
the state of tracking (``/VMC/Ext/OK``): Virtual Motion Capture reports "lost" there for all of its
devices as soon as one of them is, or if there are only bones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...geometry.scalar import IDENTITY_QUAT, Quaternion, Vector
from ..axes import mirror_position, mirror_rotation
from ..readings import MAX_NAME, ORIGIN, MalformedError, Reading, is_in_room, normalize_pose
from .osc import Message, Packet, read_packet, write_bundle
from .vmc_bones import BONES, Avatar, Transform

PORT = 39539

_ADDRESSES = {
    kind: f"/VMC/Ext/{word}/Pos"
    for word, kind in (("Hmd", "hmd"), ("Con", "controller"), ("Tra", "tracker"))
}
_TIME, _ROOT, _BONE = "time", "root", "bone"
_HANDLERS: dict[bytes, object] = {
    b"/VMC/Ext/T": _TIME,
    b"/VMC/Ext/Root/Pos": _ROOT,
    b"/VMC/Ext/Bone/Pos": _BONE,
    # Kind, and whether it is raw.
    **{address.encode(): (kind, False) for kind, address in _ADDRESSES.items()},
    **{f"{address}/Local".encode(): (kind, True) for kind, address in _ADDRESSES.items()},
}
_BONE_NAMES = {name.encode(): name for name in BONES}
_MAX_RAW = 64
_RAW_LIFETIME = 1.0
"""Seconds after which a device that is not sent raw any more counts as it is sent."""


class VmcDecoder:
    """Decodes the packets of one performer.

    Where a device comes both scaled to an avatar and raw (``/Local``), the raw one counts: metres
    of the room. Bones become devices named "Bone Hips" and so on, see :class:`Avatar`.

    Attributes:
        malformed: Number of packets and messages that could not be read so far.
    """

    def __init__(self) -> None:
        """Create a decoder for a new sender."""
        self.malformed = 0
        self._raw: dict[str, float] = {}
        self._avatar = Avatar()

    @property
    def notice(self) -> str:
        """What the user should know about this sender, "" if nothing."""
        return self._avatar.notice

    def decode(self, packet: bytes, arrival: float) -> list[Reading]:
        """Return the readings of a datagram.

        See :class:`~ssrhmr_core.streaming.readings.Decoder`.
        """
        parsed = read_packet(packet, _HANDLERS)
        self.malformed += parsed.malformed
        time = _read_time(parsed)
        readings: list[Reading] = []
        bones: dict[str, Transform] = {}
        for message, handler in parsed.messages:
            try:
                if handler is _BONE:
                    # Fingers and eyes are most of the bones: of them only the name is read.
                    name = message.read_name()
                    bone = _BONE_NAMES.get(name)
                    if bone:
                        bones[bone] = _read_transform(message, name)
                elif handler is _ROOT:
                    # The root's name means nothing, and may be empty.
                    self._avatar.root = _read_transform(message, message.read_name())
                elif isinstance(handler, tuple):
                    kind, is_raw = handler
                    reading = _read_device(message, time, kind)
                    if self._counts(reading.device, is_raw, arrival):
                        readings.append(reading)
            except MalformedError:
                self.malformed += 1
        if bones:
            readings += self._avatar.add(bones, time, arrival)
        return readings

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
        # There is no other way to say that a device is not seen.
        quat = (x, y, z, w) if reading.valid else (0.0, 0.0, 0.0, 0.0)
        values = (reading.device, *mirror_position(reading.position), *quat)
        messages.append((_ADDRESSES.get(reading.kind, _ADDRESSES["tracker"]), values))
    times = [reading.time for reading in readings if math.isfinite(reading.time)]
    if times:
        messages.append(("/VMC/Ext/T", (times[0],)))
    return [write_bundle(messages)]


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


def _read_device(message: Message, time: float, kind: str) -> Reading:
    name = message.read_name()
    try:
        device = name.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedError("a name that is not UTF-8") from error
    if not 0 < len(device) <= MAX_NAME:
        raise MalformedError(f"a device needs a name of at most {MAX_NAME} characters")
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
