# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON lines over UDP or TCP, usually port 39560: a sender for them is written in minutes.

The axes are the core's: right-handed, Y up, metres, quaternions w, x, y, z. A line has one tracker
or several, each with a position, a quaternion or both; ``tracker_line.json`` next to this file is
its JSON schema::

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
from ..readings import MAX_NAME, MalformedError, Reading, make_reading

PORT = 39560
SCHEMA = Path(__file__).with_name("tracker_line.json")
"""The published schema."""
_MAX_TRACKERS = 64
_KINDS = ("hmd", "controller", "tracker")
_MAX_NOTICE = 200
_LONGEST_TIME = 1e15
_AROUND = b" \t\0\xef\xbb\xbf"
"""What some languages write around a text: spaces, a zero at its end, a mark at its beginning."""
_ORIGIN, _IDENTITY = [0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]


class JsonDecoder:
    """Decodes the packets of one sender; a datagram may hold several lines.

    Attributes:
        malformed: Number of lines and trackers that could not be read so far.
        notice: What the sender wants the user to know; "" if nothing.
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
            line = line.strip(_AROUND)
            if line:
                readings += self._decode_line(line)
        return readings

    def _decode_line(self, line: bytes) -> list[Reading]:
        readings: list[Reading] = []
        try:
            trackers, time, notice = _parse_line(line)
        except MalformedError:
            self.malformed += 1
            return readings
        self.notice = self.notice if notice is None else notice
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
        is_seen = reading.valid and (reading.has_position or reading.has_rotation)
        tracker: dict[str, Any] = {"name": reading.device, "valid": is_seen}
        if is_seen:
            if reading.has_position:
                tracker["position"] = list(reading.position)
            if reading.has_rotation:
                tracker["quaternion"] = list(reading.rotation)
        trackers.append(tracker)
    line: dict[str, Any] = {"trackers": trackers}
    times = [reading.time for reading in readings if math.isfinite(reading.time)]
    if times:
        line["time"] = times[0]
    return [json.dumps(line, separators=(",", ":")).encode() + b"\n"]


def _parse_line(line: bytes) -> tuple[list[object], float, str | None]:
    """Return the trackers of a line, the time that they share, and the notice if it has one."""
    try:
        values = json.loads(line.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise MalformedError("not a line of JSON") from error
    if not isinstance(values, dict):
        raise MalformedError("a JSON object belongs here")
    notice = values.get("notice")
    if notice is not None and not isinstance(notice, str):
        raise MalformedError("a notice is a text")
    if notice is not None:
        notice = "".join(filter(str.isprintable, notice))[:_MAX_NOTICE]
    # A line may have nothing but a notice.
    alone = [values] if notice is None else []
    trackers = values.get("trackers", alone)
    if not isinstance(trackers, list) or len(trackers) > _MAX_TRACKERS:
        raise MalformedError(f"at most {_MAX_TRACKERS} trackers belong into a line")
    return trackers, _read_time(values, math.nan), notice


def _read_tracker(values: object, time: float) -> Reading:
    if not isinstance(values, dict):
        raise MalformedError("a tracker is a JSON object")
    valid = values.get("valid", True)
    if not isinstance(valid, bool):
        raise MalformedError("valid is true or false")
    name, time = values.get("name"), _read_time(values, time)
    kind, hint = values.get("kind", "tracker"), values.get("role", "")
    if kind not in _KINDS:
        raise MalformedError(f"kind is one of {', '.join(_KINDS)}")
    if not isinstance(hint, str) or len(hint) > MAX_NAME:
        raise MalformedError(f"role is a text of at most {MAX_NAME} characters")
    if not valid:
        reading = make_reading(name, (0.0, 0.0, 0.0), IDENTITY_QUAT, time, kind)
        return reading._replace(valid=False, hint=hint)
    has_position, has_rotation = "position" in values, "quaternion" in values
    if not has_position and not has_rotation:
        raise MalformedError("a position or a quaternion belongs here")
    position, rotation = values.get("position", _ORIGIN), values.get("quaternion", _IDENTITY)
    if not isinstance(position, list) or len(position) != 3:
        raise MalformedError("position has three numbers")
    if not isinstance(rotation, list) or len(rotation) != 4:
        raise MalformedError("quaternion has four numbers")
    reading = make_reading(name, position, rotation, time, kind)
    if hint or not (has_position and has_rotation):
        return reading._replace(hint=hint, has_position=has_position, has_rotation=has_rotation)
    return reading


def _read_time(values: dict[str, Any], otherwise: float) -> float:
    time = values.get("time", otherwise)
    if isinstance(time, bool) or not isinstance(time, int | float):
        raise MalformedError("time is a number")
    # Nanoseconds since 1970, for instance: the clock does not believe such times, the rest counts.
    return float(time) if abs(time) < _LONGEST_TIME else math.nan


def _refuse_constant(word: str) -> float:
    raise ValueError(f"{word} is not JSON")
