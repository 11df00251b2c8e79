# SPDX-License-Identifier: GPL-3.0-or-later
"""What programs send to the driver Virtual Motion Tracker: OSC, one message a tracker.

A message has a number, a mode, a time offset, a position, and a quaternion or angles. It is read
together with VMC, since the same programs speak both.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from enum import Enum

from ...geometry.scalar import Quaternion, Vector
from ..axes import from_euler, mirror_position, mirror_rotation
from ..readings import MalformedError, Reading, make_reading, read_pose, to_numbers
from .osc import Message


class Axes(Enum):
    """The axes of a message, and what its rotation is."""

    UNITY = "a quaternion in Unity's axes"
    DRIVER = "a quaternion in the axes of OpenVR, which are those of the core"
    EULER = "angles in degrees in Unity's axes"


ADDRESSES: Mapping[bytes, Axes] = {
    f"/VMT/{space}/{word}".encode(): axes
    for space in ("Room", "Raw")
    for word, axes in (("Unity", Axes.UNITY), ("Driver", Axes.DRIVER), ("UEuler", Axes.EULER))
}
_DISABLED, _BASE_STATION = 0, 4
_HANDS = {2: "left hand", 5: "left hand", 3: "right hand", 6: "right hand"}
"""What a controller of a mode is."""


def read_tracker(message: Message, axes: Axes, time: float) -> Reading | None:
    """Read a message.

    Args:
        message: The message.
        axes: What belongs to its address.
        time: Seconds on the sender's clock, or nan.

    Returns:
        The reading; None of base stations.

    Raises:
        MalformedError: if something is missing or no number.
    """
    count = 9 if axes is Axes.EULER else 10
    numbers = to_numbers(message.read_arguments()[:count])
    if len(numbers) < count or not all(map(math.isfinite, numbers)):
        raise MalformedError("a number, a mode, a time, a position and a rotation belong here")
    mode = int(numbers[1])
    hint = _HANDS.get(mode, "")
    if mode == _BASE_STATION:
        return None
    position, rotation = _to_core(numbers[3:6], numbers[6:], axes)
    kind = "controller" if hint else "tracker"
    reading = make_reading(f"VMT {int(numbers[0])}", position, rotation, time, kind)
    return reading._replace(hint=hint, valid=reading.valid and mode != _DISABLED)


def _to_core(
    place: Sequence[float], turn: Sequence[float], axes: Axes
) -> tuple[Vector, Quaternion]:
    x, y, z = place
    if axes is Axes.EULER:
        a, b, c = turn
        position, rotation = read_pose((x, y, z), from_euler((a, b, c)))
    else:
        i, j, k, w = turn
        position, rotation = read_pose((x, y, z), (w, i, j, k))
    # A quaternion of zeros means "not seen", as it does elsewhere.
    rotation = rotation or (0.0, 0.0, 0.0, 0.0)
    if axes is Axes.DRIVER:
        return position, rotation
    return mirror_position(position), mirror_rotation(rotation)
