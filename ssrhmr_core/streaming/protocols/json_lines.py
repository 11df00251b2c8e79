# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON lines over UDP or TCP, usually port 39560: the protocol to write a sender for in minutes.

The axes are the core's: right-handed, Y up, metres, quaternions w, x, y, z. A line has one tracker
or several; ``tracker_line.json`` beside this file is its JSON schema::

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
_MOST_TRACKERS = 64


class JsonDecoder:
    """Understands one sender; a datagram may hold several lines."""

    def decode(self, packet: bytes, arrival: float) -> list[Reading]:
        """Readings of a datagram or line; see :class:`~ssrhmr_core.streaming.readings.Decoder`."""
        found: list[Reading] = []
        for line in packet.splitlines():
            if line.strip():
                found += _line(line)
        return found


def encode(readings: Sequence[Reading]) -> list[bytes]:
    """Write one frame as a line; their times are equal."""
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


def _line(line: bytes) -> list[Reading]:
    try:
        values = json.loads(line.decode("utf-8"), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise MalformedError("not a line of JSON") from error
    if not isinstance(values, dict):
        raise MalformedError("a JSON object belongs here")
    trackers = values.get("trackers", [values])
    if not isinstance(trackers, list) or len(trackers) > _MOST_TRACKERS:
        raise MalformedError(f"at most {_MOST_TRACKERS} trackers belong into a line")
    shared = _time(values, math.nan)
    return [_tracker(tracker, shared) for tracker in trackers]


def _tracker(values: object, time: float) -> Reading:
    if not isinstance(values, dict):
        raise MalformedError("a tracker is a JSON object")
    valid = values.get("valid", True)
    if not isinstance(valid, bool):
        raise MalformedError("valid is true or false")
    name, time = values.get("name"), _time(values, time)
    if not valid:
        return make_reading(name, (0.0, 0.0, 0.0), IDENTITY_QUAT, time)._replace(valid=False)
    position, turn = values.get("position"), values.get("quaternion")
    if not isinstance(position, list) or len(position) != 3:
        raise MalformedError("position has three numbers")
    if not isinstance(turn, list) or len(turn) != 4:
        raise MalformedError("quaternion has four numbers")
    return make_reading(name, position, turn, time)


def _time(values: dict[str, Any], otherwise: float) -> float:
    time = values.get("time", otherwise)
    if isinstance(time, bool) or not isinstance(time, int | float):
        raise MalformedError("time is a number")
    if isinstance(time, int) and abs(time) > 1e15:
        raise MalformedError("time is too large")
    return float(time)


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no JSON")
