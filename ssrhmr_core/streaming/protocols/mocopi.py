# SPDX-License-Identifier: GPL-3.0-or-later
"""mocopi's own format: UDP, usually port 12351, as its app sends it.

A packet is a sequence of fields: size, four letters, and the value, which may be fields again;
everything is little-endian. ``fram`` has a frame: its number, its time, and in ``btrs`` the local
rotation and position of 27 bones. ``skdf`` has the skeleton; frames repeat what matters of it. The
axes are those of the core.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator

from ...geometry.scalar import IDENTITY_QUAT, Quaternion, Vector, add, multiply, rotate
from ..readings import ORIGIN, MalformedError, Reading, is_in_room, normalize_pose

PORT = 12351

FORMAT = b"sony motion format"
_PARENTS = (
    -1,
    *range(7),  # seven bones of the torso
    *(7, 8, 9),  # neck and head
    *(7, 11, 12, 13),  # left arm
    *(7, 15, 16, 17),  # right arm
    *(0, 19, 20, 21),  # left leg
    *(0, 23, 24, 25),  # right leg
)
"""The parent of each bone."""
_DEVICES = {
    0: ("Bone Hips", 0),
    7: ("Bone Chest", 7),
    10: ("Bone Head", 10),
    **{
        first + bone: (f"Bone {side}{point}", first + turned)
        for side, first in (("Left", 11), ("Right", 15))
        for point, bone, turned in (("Shoulder", 1, 0), ("Elbow", 2, 1), ("Hand", 3, 3))
    },
    **{
        first + bone: (f"Bone {side}{point}", first + turned)
        for side, first in (("Left", 19), ("Right", 23))
        for point, bone, turned in (("Knee", 1, 0), ("Foot", 2, 2), ("Toe", 3, 3))
    },
}
"""Devices, called as those of VMC, and the bone that is turned as they are, by the bone that begins
where they are."""
_FIELD = struct.Struct("<I4s")
_TRANSFORM = struct.Struct("<7f")
_MAX_FIELDS = 128

_Transform = tuple[Vector, Quaternion]


class MocopiDecoder:
    """Decodes the packets of one performer.

    Attributes:
        malformed: Number of packets and bones that could not be read so far.
        notice: Always "".
    """

    def __init__(self) -> None:
        """Create a decoder for a new sender."""
        self.malformed = 0
        self.notice = ""

    def decode(self, packet: bytes, arrival: float) -> list[Reading]:
        """Return the readings of a datagram.

        See :class:`~ssrhmr_core.streaming.readings.Decoder`.
        """
        try:
            fields = dict(_read_fields(packet, 0, len(packet)))
            head = _read_values(packet, fields.get(b"head"))
            if head.get(b"ftyp") != FORMAT:
                raise MalformedError("a packet of another format")
            if b"fram" not in fields:
                # The skeleton: every frame says enough of it.
                return []
            frame = dict(_read_fields(packet, *fields[b"fram"]))
            bones = self._read_bones(packet, frame.get(b"btrs", (0, 0)))
        except MalformedError:
            self.malformed += 1
            return []
        return _make_readings(bones, _read_time(packet, frame))

    def _read_bones(self, packet: bytes, span: tuple[int, int]) -> dict[int, _Transform]:
        bones: dict[int, _Transform] = {}
        for _, bone_span in _read_fields(packet, *span):
            try:
                values = _read_values(packet, bone_span)
                number, numbers = values.get(b"bnid", b""), values.get(b"tran", b"")
                if len(number) != 2 or len(numbers) != _TRANSFORM.size:
                    raise MalformedError("a number and seven floats belong here")
                a, b, c, w, x, y, z = _TRANSFORM.unpack(numbers)
                position, quat = normalize_pose(x, y, z, w, a, b, c)
            except MalformedError:
                self.malformed += 1
            else:
                bones[int.from_bytes(number, "little")] = position, quat or IDENTITY_QUAT
        return bones


def _make_readings(bones: dict[int, _Transform], time: float) -> list[Reading]:
    """Return readings of the devices whose bones are all there."""
    room: dict[int, _Transform] = {}
    readings: list[Reading] = []
    # Parents come before their children.
    for number, parent in enumerate(_PARENTS):
        local = bones.get(number)
        above = room.get(parent, (ORIGIN, IDENTITY_QUAT) if parent < 0 else None)
        if local is None or above is None:
            continue
        position = add(above[0], rotate(above[1], local[0]))
        rotation = multiply(above[1], local[1])
        room[number] = position, rotation
        if number in _DEVICES:
            device, turned = _DEVICES[number]
            valid = is_in_room(position)
            place = position if valid else ORIGIN
            readings.append(Reading(device, place, room[turned][1], time, valid, "bone"))
    return readings


def _read_time(packet: bytes, frame: dict[bytes, tuple[int, int]]) -> float:
    """Return seconds on the sender's clock: the date if there is one, else since the start."""
    values = {name: packet[begin:end] for name, (begin, end) in frame.items() if name != b"btrs"}
    for name, layout in ((b"uttm", "<d"), (b"time", "<f")):
        value = values.get(name, b"")
        if len(value) == struct.calcsize(layout):
            (time,) = struct.unpack(layout, value)
            if math.isfinite(time):
                return float(time)
    return math.nan


def _read_values(packet: bytes, span: tuple[int, int] | None) -> dict[bytes, bytes]:
    """Return the fields inside a field, by name."""
    if span is None:
        raise MalformedError("a field is missing")
    return {name: packet[begin:end] for name, (begin, end) in _read_fields(packet, *span)}


def _read_fields(packet: bytes, at: int, end: int) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """Yield names of fields, and where in the packet their values begin and end.

    Raises:
        MalformedError: if one is cut off, or there are too many.
    """
    for _ in range(_MAX_FIELDS):
        if at == end:
            return
        if at + _FIELD.size > end:
            raise MalformedError("a field that was cut off")
        size, name = _FIELD.unpack_from(packet, at)
        at += _FIELD.size
        if at + size > end:
            raise MalformedError("a field that was cut off")
        yield name, (at, at + size)
        at += size
    raise MalformedError("too many fields")
