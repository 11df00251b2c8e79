# SPDX-License-Identifier: GPL-3.0-or-later
"""Readings of tracking devices, whatever protocol they come by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from ..geometry.scalar import IDENTITY_QUAT, Quaternion, Vector

ORIGIN: Vector = (0.0, 0.0, 0.0)
ROOM_RADIUS = 100.0
"""Metres from the origin beyond which nothing is tracked: senders park there what they lost."""
MAX_NAME = 64
"""Characters of the longest name of a device."""
_MAX_QUAT = 1000.0
_MIN_QUAT = 1e-6
_FLOATS = {float}


class StreamingError(ValueError):
    """A stream cannot be opened; the message says what to do."""


class MalformedError(ValueError):
    """A message is not what its protocol says."""


class Reading(NamedTuple):
    """One device at one moment, in the core's axes: right-handed, Y up, metres.

    Attributes:
        device: Serial or name, as the sender gives it.
        position: x, y, z.
        rotation: Unit quaternion w, x, y, z.
        time: Seconds on the receiver's clock when the device was there; from a decoder, seconds
            on the sender's clock, or nan where the sender gives no times.
        valid: False where the sender does not see the device; position and rotation then mean
            nothing.
        kind: "hmd", "controller", "tracker" or "bone".
        arrival: Seconds on the receiver's clock when the packet came; from a decoder, nan if that
            is the present packet.
        has_rotation: False where the sender gives positions only; the rotation then never changes.
        has_position: False where the sender gives rotations only; the position then means nothing.
        hint: What the sender says about where the device is, such as "left foot"; "" if nothing.
    """

    device: str
    position: Vector
    rotation: Quaternion
    time: float = math.nan
    valid: bool = True
    kind: str = "tracker"
    arrival: float = math.nan
    has_rotation: bool = True
    hint: str = ""
    has_position: bool = True


class Decoder(Protocol):
    """Decodes the packets of one sender; may remember what is spread over several of them.

    Attributes:
        malformed: Number of packets and messages that could not be read so far. One that cannot be
            read costs nothing but itself.
    """

    malformed: int

    @property
    def notice(self) -> str:
        """What the user should know about this sender and do, in plain words; "" if nothing."""
        ...

    def decode(self, packet: bytes, arrival: float) -> list[Reading]:
        """Return the readings of a datagram, or of a line of a stream.

        Args:
            packet: The bytes, as they came.
            arrival: Seconds on the receiver's clock.
        """
        ...


def make_reading(
    device: object,
    position: Sequence[object],
    rotation: Sequence[object],
    time: float = math.nan,
    kind: str = "tracker",
) -> Reading:
    """Make a reading of values that came from outside.

    Zero quaternions, and positions far outside of any room, make readings that are not valid.

    Args:
        device: The name.
        position: Three numbers x, y, z.
        rotation: Four numbers w, x, y, z; need not have unit length.
        time: Seconds on the sender's clock.
        kind: The kind of device.

    Raises:
        MalformedError: if the name cannot be used or a value is not a finite number.
    """
    if not isinstance(device, str) or not 0 < len(device) <= MAX_NAME:
        raise MalformedError(f"a device needs a name of at most {MAX_NAME} characters")
    place, quat = read_pose(position, rotation)
    if quat is None or not is_in_room(place):
        return Reading(device, ORIGIN, IDENTITY_QUAT, time, False, kind)
    return Reading(device, place, quat, time, True, kind)


def is_in_room(position: Vector) -> bool:
    """Return whether a position is one that a tracking system may see."""
    return max(map(abs, position)) <= ROOM_RADIUS


def read_pose(
    position: Sequence[object], rotation: Sequence[object]
) -> tuple[Vector, Quaternion | None]:
    """Check the numbers of a position and a quaternion that came from outside.

    Args:
        position: Three numbers x, y, z.
        rotation: Four numbers w, x, y, z; need not have unit length.

    Returns:
        The position, and the unit quaternion; None if it is zero.

    Raises:
        MalformedError: if a value is not a finite number.
    """
    return normalize_pose(*to_numbers((*position, *rotation)))


def normalize_pose(
    x: float, y: float, z: float, w: float, a: float, b: float, c: float
) -> tuple[Vector, Quaternion | None]:
    """Return position x, y, z and the unit quaternion of w, a, b, c; None if it is zero.

    Raises:
        MalformedError: if a number is not finite.
    """
    length = math.sqrt(w * w + a * a + b * b + c * c)
    if not math.isfinite(x + y + z + length):
        raise MalformedError("a number is not finite")
    if length > _MAX_QUAT:
        raise MalformedError("the quaternion is far too long")
    if length < _MIN_QUAT:
        return (x, y, z), None
    return (x, y, z), (w / length, a / length, b / length, c / length)


def to_numbers(values: Sequence[object]) -> Sequence[float]:
    """Return values that came from outside as numbers; they may be infinite or nan.

    Raises:
        MalformedError: if one is not a number.
    """
    if set(map(type, values)) == _FLOATS:
        return values  # type: ignore[return-value]
    return [_to_float(value) for value in values]


def _to_float(value: object) -> float:
    # bool is an int to Python.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise MalformedError(f"{type(value).__name__} where a number belongs")
    if isinstance(value, int) and abs(value) > 1e15:
        raise MalformedError("a number is too large")
    return float(value)
