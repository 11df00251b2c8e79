# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON lines over UDP or TCP, usually port 39560: a sender for them is written in minutes.

The axes are the core's: right-handed, Y up, metres, quaternions w, x, y, z. A line has one tracker
or several; ``tracker_line.json`` next to this file is its JSON schema::

    {"time": 1.5, "name": "head", "position": [0, 1.7, 0], "quaternion": [1, 0, 0, 0]}
    {"time": 1.5, "trackers": [{"name": "left_foot", "valid": false}]}
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...geometry.scalar import IDENTITY_QUAT
from ..readings import MalformedError, Reading, make_reading

PORT = 39560
SCHEMA = Path(__file__).with_name("tracker_line.json")
"""The published schema."""
_MAX_TRACKERS = 64


class JsonDecoder:
    """Decodes the packets of one sender; a datagram may hold several lines.

    Attributes:
        malformed: Number of lines and trackers that could not be read so far.
        notice: Always "".
    """

    def __init__(self) -> None:
        """Create a decoder for a new sender."""
        self.malformed = 0
        self.notice = ""

    def decode(self, packet: bytes, arrival: float) -> list[Reading]:
        """Return the readings of a datagram or line.

        See :class:`~ssrhmr_core.streaming.readings.Decoder`.
        """
        readings: list[Reading] = []
        for line in packet.splitlines():
            if line.strip():
                readings += self._decode_line(line)
        return readings

    def _decode_line(self, line: bytes) -> list[Reading]:
        readings: list[Reading] = []
        try:
            trackers, time = _parse_line(line)
        except MalformedError:
            self.malformed += 1
            return readings
        for tracker in trackers:
            try:
                readings.append(_read_tracker(tracker, time))
            except MalformedError:
                self.malformed += 1
        return readings


def encode(readings: Sequence[Reading]) -> list[bytes]:
    """Encode one frame as a line; all readings have the same time."""
    trackers = []
    for reading in readings:
        tracker: dict[str, Any] = {"name": reading.device, "valid": reading.valid}
        if reading.valid:
            tracker["position"] = list(reading.position)
            tracker["quaternion"] = list(reading.rotation)
        trackers.append(tracker)
    line: dict[str, Any] = {"trackers": trackers}
    times = [reading.time for reading in readings if math.isfinite(reading.time)]
    if times:
        line["time"] = times[0]
    return [json.dumps(line, separators=(",", ":")).encode() + b"\n"]


def _parse_line(line: bytes) -> tuple[list[object], float]:
    """Return the trackers of a line and the time that they share."""
    try:
        values = json.loads(line.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise MalformedError("not a line of JSON") from error
    if not isinstance(values, dict):
        raise MalformedError("a JSON object belongs here")
    trackers = values.get("trackers", [values])
    if not isinstance(trackers, list) or len(trackers) > _MAX_TRACKERS:
        raise MalformedError(f"at most {_MAX_TRACKERS} trackers belong into a line")
    return trackers, _read_time(values, math.nan)


def _read_tracker(values: object, time: float) -> Reading:
    if not isinstance(values, dict):
        raise MalformedError("a tracker is a JSON object")
    valid = values.get("valid", True)
    if not isinstance(valid, bool):
        raise MalformedError("valid is true or false")
    name, time = values.get("name"), _read_time(values, time)
    if not valid:
        return make_reading(name, (0.0, 0.0, 0.0), IDENTITY_QUAT, time)._replace(valid=False)
    position, rotation = values.get("position"), values.get("quaternion")
    if not isinstance(position, list) or len(position) != 3:
        raise MalformedError("position has three numbers")
    if not isinstance(rotation, list) or len(rotation) != 4:
        raise MalformedError("quaternion has four numbers")
    return make_reading(name, position, rotation, time)


def _read_time(values: dict[str, Any], otherwise: float) -> float:
    time = values.get("time", otherwise)
    if isinstance(time, bool) or not isinstance(time, int | float):
        raise MalformedError("time is a number")
    if isinstance(time, int) and abs(time) > 1e15:
        raise MalformedError("time is too large")
    return float(time)


def _refuse_constant(word: str) -> float:
    raise ValueError(f"{word} is not JSON")
