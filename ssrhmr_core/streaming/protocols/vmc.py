# SPDX-License-Identifier: GPL-3.0-or-later
"""VMC protocol: OSC over UDP, usually port 39539, as performers send it to marionettes.

Read are the devices (``/VMC/Ext/Hmd|Con|Tra/Pos`` and their ``/Local`` variants), the bones of
suits (``/VMC/Ext/Root/Pos`` and ``/VMC/Ext/Bone/Pos``), the sender's time (``/VMC/Ext/T``) and its
state of tracking (``/VMC/Ext/OK``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...geometry.scalar import IDENTITY_QUAT, Quaternion, Vector, multiply, rotate
from ..axes import mirror_position, mirror_rotation
from ..readings import MalformedError, Reading, make_reading
from .osc import Message, bundle, read

PORT = 39539

_DEVICES = {"Hmd": "hmd", "Con": "controller", "Tra": "tracker"}
_ADDRESSES = {kind: f"/VMC/Ext/{word}/Pos" for word, kind in _DEVICES.items()}
_KINDS = {address: kind for kind, address in _ADDRESSES.items()}
_KINDS |= {f"{address}/Local": kind for address, kind in list(_KINDS.items())}
_ROOT, _BONE = "/VMC/Ext/Root/Pos", "/VMC/Ext/Bone/Pos"
_TIME, _STATE = "/VMC/Ext/T", "/VMC/Ext/OK"
_WANTED = {*_KINDS, _ROOT, _BONE, _TIME, _STATE}
_MOST_SERIALS = 64

_ENDS = ("Hips", "Head", "LeftHand", "RightHand", "LeftFoot", "RightFoot")
_PARENTS = {
    "Spine": "Hips",
    "Chest": "Spine",
    "UpperChest": "Chest",
    "Neck": "UpperChest",
    "Head": "Neck",
    **{
        f"{side}{bone}": f"{side}{parent}" if parent not in ("UpperChest", "Hips") else parent
        for side in ("Left", "Right")
        for bone, parent in (
            ("Shoulder", "UpperChest"),
            ("UpperArm", "Shoulder"),
            ("LowerArm", "UpperArm"),
            ("Hand", "LowerArm"),
            ("UpperLeg", "Hips"),
            ("LowerLeg", "UpperLeg"),
            ("Foot", "LowerLeg"),
        )
    },
}
_BONES = {"Hips", *_PARENTS}

Transform = tuple[Vector, Quaternion]


class VmcDecoder:
    """Understands one performer.

    Where a device comes both scaled to an avatar and raw (``/Local``), the raw one counts: metres
    of the room. Bones are local to their parents; the six that people are tracked by become
    devices named "Bone Hips" and so on. Bones of a frame may be spread over several datagrams: it
    begins with the one that has the hips, and is over when all bones that are known have come.
    """

    def __init__(self) -> None:
        """Begin with a sender that was not heard of."""
        self._raw: set[str] = set()
        self._tracking = True
        self._root: Transform = ((0.0, 0.0, 0.0), IDENTITY_QUAT)
        self._bones: dict[str, Transform] = {}
        self._fresh: set[str] = set()
        self._frames = 0
        self._moment = (math.nan, math.nan)

    def decode(self, packet: bytes, arrival: float) -> list[Reading]:
        """Readings of a datagram; see :class:`~ssrhmr_core.streaming.readings.Decoder`."""
        messages = read(packet, _WANTED.__contains__)
        time = _time_of(messages)
        found: list[Reading] = []
        bones: list[Reading] = []
        for address, arguments, _ in messages:
            if address == _STATE:
                # The fourth number is there since version 2.7 of the protocol.
                self._tracking = len(arguments) < 4 or arguments[3] != 0
            elif address != _TIME:
                reading = _reading(arguments, time, _KINDS.get(address, "bone"))
                if address == _ROOT:
                    self._root = (reading.position, reading.rotation)
                elif address == _BONE:
                    bones += [reading] if reading.device in _BONES else []
                elif self._counts(reading.device, address.endswith("/Local")):
                    found.append(reading)
        if bones:
            found += self._body(bones, (time, arrival))
        if self._tracking:
            return found
        return [reading._replace(valid=False) for reading in found]

    def _counts(self, serial: str, raw: bool) -> bool:
        if raw and len(self._raw) < _MOST_SERIALS:
            self._raw.add(serial)
        return raw or serial not in self._raw

    def _body(self, bones: list[Reading], moment: tuple[float, float]) -> list[Reading]:
        """Take in the bones of a datagram; return the six ends of frames that are over."""
        names = {bone.device for bone in bones}
        begins = "Hips" in names
        if not begins and not self._frames:
            # Heard from the middle of a frame on.
            return []
        found: list[Reading] = []
        if self._fresh and (begins or names & self._fresh):
            # What is still missing was lost, or comes seldom.
            found += self._ends()
        self._frames += begins
        self._bones |= {bone.device: (bone.position, bone.rotation) for bone in bones}
        self._fresh |= names
        self._moment = moment
        # How many bones a sender has is known when its second frame begins.
        if self._frames > 1 and len(self._fresh) == len(self._bones):
            found += self._ends()
        return found

    def _ends(self) -> list[Reading]:
        time, arrival = self._moment
        found = [
            Reading(f"Bone {end}", *self._world(end), time, True, "bone", arrival)
            for end in _ENDS
            if end in self._fresh
        ]
        self._fresh.clear()
        return found

    def _world(self, bone: str) -> Transform:
        """Where a bone is in the room."""
        chain: list[Transform] = []
        at: str | None = bone
        while at:
            # Chest, upper chest, neck and shoulders may be missing: their children are then local
            # to the next bone up.
            if at in self._bones:
                chain.append(self._bones[at])
            at = _PARENTS.get(at)
        position, rotation = self._root
        for step, turn in reversed(chain):
            x, y, z = rotate(rotation, step)
            position = (position[0] + x, position[1] + y, position[2] + z)
            rotation = multiply(rotation, turn)
        return position, rotation


def encode(readings: Sequence[Reading]) -> list[bytes]:
    """Write one frame of devices as a performer sends it; their times are equal."""
    messages: list[tuple[str, Sequence[object]]] = [("/VMC/Ext/OK", (1, 3, 0, 1))]
    for reading in readings:
        w, x, y, z = mirror_rotation(reading.rotation)
        # There is no other way to say that a device is not seen.
        turn = (x, y, z, w) if reading.valid else (0.0, 0.0, 0.0, 0.0)
        values = (reading.device, *mirror_position(reading.position), *turn)
        messages.append((_ADDRESSES.get(reading.kind, _ADDRESSES["tracker"]), values))
    times = [reading.time for reading in readings if math.isfinite(reading.time)]
    if times:
        messages.append((_TIME, (times[0],)))
    return [bundle(messages)]


def _time_of(messages: Sequence[Message]) -> float:
    """Seconds on the sender's clock: its own message, or the time of the bundle; else nan."""
    for message in messages:
        if message.address == _TIME:
            time = message.arguments[0] if message.arguments else None
            if isinstance(time, bool) or not isinstance(time, int | float):
                raise MalformedError("a time that is no number")
            return float(time)
    return messages[0].time if messages else math.nan


def _reading(arguments: Sequence[object], time: float, kind: str) -> Reading:
    if len(arguments) < 8:
        raise MalformedError("a name, a position and a quaternion belong here")
    x, y, z, w = arguments[4:8]
    reading = make_reading(arguments[0], arguments[1:4], (w, x, y, z), time, kind)
    return reading._replace(
        position=mirror_position(reading.position), rotation=mirror_rotation(reading.rotation)
    )
