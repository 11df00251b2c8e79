# SPDX-License-Identifier: GPL-3.0-or-later
"""What a feed gives: readings of tracking devices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from ..geometry.scalar import IDENTITY_QUAT, Quaternion, Vector

_FARTHEST = 1000.0
"""Metres from the origin beyond which a number is no place in a room."""


class StreamingError(ValueError):
    """A feed cannot be opened; the message says what to do."""


class MalformedError(ValueError):
    """A packet is not what its protocol says."""


class Reading(NamedTuple):
    """One device at one moment, in the core's axes: right-handed, Y up, metres.

    Attributes:
        device: serial or name, as the sender gives it.
        position: x, y, z.
        rotation: unit quaternion w, x, y, z.
        time: seconds on the receiver's clock when the device was there; from a decoder, seconds
            on the sender's clock, or nan where it gives no times.
        valid: False where the sender says that it does not see the device; position and rotation
            then mean nothing.
        kind: "hmd", "controller", "tracker" or "bone".
        arrival: seconds on the receiver's clock when the packet came; from a decoder, nan if that
            is the packet at hand.
    """

    device: str
    position: Vector
    rotation: Quaternion
    time: float = math.nan
    valid: bool = True
    kind: str = "tracker"
    arrival: float = math.nan


class Decoder(Protocol):
    """Understands the packets of one sender; may remember what is spread over several of them."""

    def decode(self, packet: bytes, arrival: float) -> list[Reading]:
        """Readings of a datagram, or of a line of a stream.

        Args:
            packet: as it came.
            arrival: seconds on the receiver's clock.

        Raises:
            MalformedError: if it is not what the protocol says. What it held before that is lost.
        """
        ...


def make_reading(
    device: object,
    position: Sequence[object],
    rotation: Sequence[object],
    time: float = math.nan,
    kind: str = "tracker",
) -> Reading:
    """Make a reading of numbers that came from outside; zero quaternions are devices not seen.

    Raises:
        MalformedError: if a number is none, or beyond what can be measured.
    """
    if not isinstance(device, str) or not 0 < len(device) <= 64:
        raise MalformedError("a device needs a name of at most 64 characters")
    x, y, z = (_number(value) for value in position)
    turn = tuple(_number(value) for value in rotation)
    length = math.sqrt(sum(value * value for value in turn))
    if max(abs(x), abs(y), abs(z)) > _FARTHEST or length > _FARTHEST:
        raise MalformedError("not a place in a room")
    if length < 1e-6:
        return Reading(device, (x, y, z), IDENTITY_QUAT, time, False, kind)
    w, a, b, c = (value / length for value in turn)
    return Reading(device, (x, y, z), (w, a, b, c), time, True, kind)


def _number(value: object) -> float:
    # bool is an int to Python.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise MalformedError(f"{type(value).__name__} where a number belongs")
    if isinstance(value, int) and abs(value) > 1e15:
        raise MalformedError("a number is too large")
    if not math.isfinite(value):
        raise MalformedError("a number is not finite")
    return float(value)
