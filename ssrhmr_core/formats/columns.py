# SPDX-License-Identifier: GPL-3.0-or-later
"""Which column of a table of trackers holds what.

Headers are recognised in the spellings that are common and clear. Anything else is named by the
user in a :class:`ColumnMapping`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ..body.extra_trackers import EXTRA_TRACKERS, SEGMENTED_TRACKERS
from ..tracking.roles import ALL_ROLES, name_of_role, role_from_name

POSITION = ("x", "y", "z")
QUATERNION = ("qw", "qx", "qy", "qz")
EULER = ("rx", "ry", "rz")
MATRIX = tuple(f"m{row}{column}" for row in range(3) for column in range(4))
"""Rotation in the first three columns, position in the last one."""
TRACKER_NAMES = (*ALL_ROLES, *(name_of_role(role, "lower") for role in SEGMENTED_TRACKERS))
"""What trackers are called in files; optional ones also by the bone below an elbow or a knee."""
_SINGLE = ("time", "device", "valid")
_CHANNELS = (*_SINGLE, *POSITION, *QUATERNION, *EULER, *MATRIX)

SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_ORDERS = ("xyz", "xzy", "yxz", "yzx", "zxy", "zyx")

_TIME_WORDS = {"time", "timestamp", "t", "seconds", "elapsed", "elapsed time", "time stamp"}
_DEVICE_WORDS = {
    *("tracker", "device", "name", "id", "serial", "role", "tracker name", "device name"),
    *("tracker id", "device id", "serial number", "device serial", "tracker serial", "object"),
}
_VALID_WORDS = {"valid", "tracked", "is valid", "is tracked", "visible", "pose valid", "tracking"}
_POSITION_WORDS = {"p", "t", "pos", "position", "loc", "location", "trans", "translation"}
_QUATERNION_WORDS = {"q", "quat", "quaternion"}
_ROTATION_WORDS = {"r", "rot", "rotation", "orientation", "ori"}
_KINDS = _POSITION_WORDS | _QUATERNION_WORDS | _ROTATION_WORDS
_OTHER_WORDS = {
    *("v", "vel", "velocity", "acc", "accel", "acceleration", "gyro", "angular", "euler", "mag"),
    *("linear", "angle", "angles", "error"),
}
"""Words of columns that are neither positions nor quaternions."""
_TIME_UNITS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("ms", "msec", "millis", "millisecond", "milliseconds"), "ms"),
    **dict.fromkeys(("us", "usec", "micros", "microsecond", "microseconds"), "us"),
    **dict.fromkeys(("ns", "nsec", "nanos", "nanosecond", "nanoseconds"), "ns"),
}
_LENGTH_UNITS = {
    **dict.fromkeys(("m", "meter", "meters", "metre", "metres"), "m"),
    **dict.fromkeys(("cm", "centimeters", "centimetres"), "cm"),
    **dict.fromkeys(("mm", "millimeters", "millimetres"), "mm"),
}
SYNTAX = 'name the columns, as in --columns "time=t,device=id,x=px,y=py,z=pz,qw=w,qx=i,qy=j,qz=k"'


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        index: Its number, from 0.
        sign: -1.0 where all its numbers are to be negated.
        unit: The unit that its header or the user names, or "".
    """

    index: int
    sign: float = 1.0
    unit: str = ""


@dataclass(frozen=True)
class ColumnMapping:
    """What a user says about a table.

    Attributes:
        columns: Header or ``#NUMBER`` (from 1), sign and unit by channel.
        devices: Device by tracker.
        order: Order of Euler angles: "zxy" is the product of the rotations about Z, X and Y.
    """

    columns: Mapping[str, tuple[str, float, str]] = field(default_factory=dict)
    devices: Mapping[str, str] = field(default_factory=dict)
    order: str = ""

    @classmethod
    def parse(cls, text: str) -> ColumnMapping:
        """Read ``KEY=VALUE,...``.

        Keys are ``time``, ``device``, ``valid``, ``x y z``, ``qw qx qy qz``, ``rx ry rz`` with
        ``order``, ``m00`` to ``m23``, and :data:`TRACKER_NAMES`. The value of a channel is the
        header of a column or its number (``#3``), with ``-`` in front to negate it, and with a unit
        behind it: ``time=t:ms`` (``s``, ``ms``, ``us``, ``ns``, or ``90fps`` for the numbers of
        frames), ``rx=roll:rad``. The value of a tracker is a device, as in ``head=LHR-1234``.

        Raises:
            ValueError: A key or a value is unknown.
        """
        columns: dict[str, tuple[str, float, str]] = {}
        devices: dict[str, str] = {}
        order = ""
        for entry in filter(None, (part.strip() for part in text.split(","))):
            key, equals, value = (part.strip() for part in entry.partition("="))
            if not equals or not value:
                raise ValueError(f"{entry!r} is not KEY=VALUE: {SYNTAX}")
            if key in TRACKER_NAMES:
                devices[key] = value
            elif key == "order":
                order = value.lower()
            elif key in _CHANNELS:
                columns[key] = _parse_column(key, value)
            else:
                known = ", ".join((*_SINGLE, *POSITION, *QUATERNION, *EULER, "order", "m00 to m23"))
                raise ValueError(f"{key!r} is unknown: the keys are {known}, and the trackers")
        if order not in ("", *_ORDERS):
            raise ValueError(f"the order is {order!r}: choose one of {', '.join(_ORDERS)}")
        return cls(columns, devices, order)


@dataclass(frozen=True)
class Layout:
    """Columns of a table.

    Attributes:
        time: The column of times.
        device: The column of devices; None where each device has columns of its own.
        channels: Columns by channel, by device; the device is "" if there is a column of devices.
        order: Order of Euler angles, if there are any.
        devices: Device by tracker, for those that the user named.
    """

    time: Column
    device: Column | None
    channels: Mapping[str, Mapping[str, Column]]
    order: str
    devices: Mapping[str, str]


def recognize_columns(header: Sequence[str], mapping: ColumnMapping) -> Layout:
    """Find the columns of times, devices, positions and rotations.

    Raises:
        ValueError: Something is missing or unclear; the message says how to name columns.
    """
    named = {
        key: Column(_index(name, header), sign, unit)
        for key, (name, sign, unit) in mapping.columns.items()
    }
    single, groups = _recognized(header, {column.index for column in named.values()})
    single.update({key: column for key, column in named.items() if key in _SINGLE})
    if "time" not in single:
        raise ValueError(f"no column of times among {_shown(header)}: {SYNTAX}")
    own = {key: column for key, column in named.items() if key not in _SINGLE}
    if own or "device" in single:
        if "device" not in single:
            raise ValueError(f"no column of devices among {_shown(header)}: {SYNTAX}")
        groups = {"": {**_common_group(groups), **own}}
    complete = {}
    for device, channels in groups.items():
        chosen = _complete_channels(channels, mapping.order)
        if not chosen and _may_be_half(device, mapping.devices):
            chosen = _partial_channels(channels, mapping.order)
        if chosen:
            complete[device] = {**chosen, **_valid_of(channels, single)}
    if not complete:
        raise ValueError(
            f"no columns of positions and rotations among {_shown(header)}: {SYNTAX}, with rx, ry,"
            " rz and order for angles, or m00 to m23 for matrices"
        )
    return Layout(single["time"], single.get("device"), complete, mapping.order, mapping.devices)


def _may_be_half(device: str, devices: Mapping[str, str]) -> bool:
    """Return whether a device may have columns of a position or of a rotation alone.

    That is a tracker, by its name or by what the user says, in a table without a column of devices.
    """
    named = [key for key, name in devices.items() if name.lower() == device.lower()]
    return role_from_name(named[0] if named else device) is not None


def is_optional(device: str, devices: Mapping[str, str]) -> bool:
    """Return whether a device is an optional tracker, by its name or by what the user says.

    Args:
        device: The device.
        devices: Device by tracker, for those that the user named.
    """
    named = [key for key, name in devices.items() if name.lower() == device.lower()]
    return role_from_name(named[0] if named else device) in EXTRA_TRACKERS


def _parse_column(key: str, value: str) -> tuple[str, float, str]:
    name, _, unit = value.rpartition(":")
    if not name:
        name, unit = value, ""
    sign = 1.0
    if name.startswith("-") and key not in _SINGLE:
        name, sign = name[1:], -1.0
    rates = re.fullmatch(r"\d+(\.\d+)?fps", unit)
    known = {"time": set(SECONDS), **{axis: {"deg", "rad"} for axis in EULER}}.get(key, set())
    if unit and unit not in known and not (key == "time" and rates and float(unit[:-3]) > 0.0):
        raise ValueError(f"{value!r} has an unknown unit {unit!r}: {SYNTAX}")
    return name, sign, unit


def _index(name: str, header: Sequence[str]) -> int:
    if re.fullmatch(r"#\d{1,5}", name):
        index = int(name[1:]) - 1
        if 0 <= index < len(header):
            return index
    matching = [i for i, cell in enumerate(header) if cell.lower() == name.lower()]
    if len(matching) != 1:
        what = "several columns" if matching else "no column"
        raise ValueError(f"{what} {name!r} among {_shown(header)}: use #1, #2, ... for numbers")
    return matching[0]


def _recognized(
    header: Sequence[str], taken: set[int]
) -> tuple[dict[str, Column], dict[str, dict[str, Column]]]:
    """Return single columns, and channels by what stands before them in their headers.

    Raises:
        ValueError: Two columns are the same.
    """
    single: dict[str, Column] = {}
    groups: dict[str, dict[str, Column]] = {}
    for index, cell in enumerate(header):
        if index in taken:
            continue
        words = _words(cell)
        unit = _unit_of(words)
        key, group = _channel(words[:-1] if unit else words)
        if not key:
            continue
        if key == "time":
            unit = _TIME_UNITS.get(words[-1], "") if len(words) > 1 or unit else ""
            unit = "s" if words == ["seconds"] else unit
        target = single if key in _SINGLE and not group else groups.setdefault(group, {})
        if key in target:
            raise ValueError(f"{cell!r} and {header[target[key].index]!r} are the same: {SYNTAX}")
        target[key] = Column(index, unit=unit)
    return single, groups


def _words(cell: str) -> list[str]:
    """Split a header at punctuation and where small letters meet capitals."""
    spread = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", cell).replace("µ", "u").replace("μ", "u")
    return re.sub(r"[^a-z0-9]+", " ", spread.lower()).split()


def _unit_of(words: list[str]) -> str:
    if len(words) < 2:
        return ""
    return _TIME_UNITS.get(words[-1], "") or _LENGTH_UNITS.get(words[-1], "")


def _channel(words: list[str]) -> tuple[str, str]:
    """Return the channel that a header names, "" if none, and the words before it."""
    whole = " ".join(words)
    for key, known in (("time", _TIME_WORDS), ("device", _DEVICE_WORDS), ("valid", _VALID_WORDS)):
        if whole in known:
            return key, ""
    if words and words[-1] in _VALID_WORDS:
        return "valid", " ".join(words[:-1])
    match = re.fullmatch(r"([a-z]*?)(m[0-2][0-3]|[wxyz])", words[-1] if words else "")
    if not match:
        return "", ""
    kind, axis = match.groups()
    before = words[:-1]
    if not kind and before and before[-1] in _KINDS:
        kind = before.pop()
    if kind in _QUATERNION_WORDS and before and before[-1] in _ROTATION_WORDS:
        before.pop()
    key = _axis_channel(kind, axis) if _OTHER_WORDS.isdisjoint(before) else ""
    return key, " ".join(before) if key else ""


def _axis_channel(kind: str, axis: str) -> str:
    """Return the channel of an axis or an element of a matrix, "" if there is none."""
    if len(axis) == 3:
        return "" if kind else axis
    if kind in _QUATERNION_WORDS or (not kind and axis == "w"):
        return f"q{axis}"
    if kind in _ROTATION_WORDS:
        # Together with a fourth one these are quaternions, else angles in an unknown order.
        return f"r{axis}"
    return axis if axis != "w" and (not kind or kind in _POSITION_WORDS) else ""


def _common_group(groups: Mapping[str, dict[str, Column]]) -> dict[str, Column]:
    """Return the columns of a table with a column of devices."""
    if "" in groups:
        return groups[""]
    complete = [channels for channels in groups.values() if set(POSITION) <= set(channels)]
    return complete[0] if len(complete) == 1 else {}


def _complete_channels(channels: Mapping[str, Column], order: str) -> dict[str, Column]:
    """Return the channels of a position and a rotation, nothing if some are missing."""
    if all(key in channels for key in MATRIX):
        return {key: channels[key] for key in MATRIX}
    quaternion = dict(channels)
    if "rw" in channels or ("qw" in channels and "qx" not in channels):
        # rx ry rz rw, or rx ry rz w.
        quaternion.update({f"q{a}": channels[f"r{a}"] for a in "wxyz" if f"r{a}" in channels})
    for rotation in (QUATERNION, EULER):
        keys = (*POSITION, *rotation)
        source = quaternion if rotation is QUATERNION else channels
        if all(key in source for key in keys) and (rotation is QUATERNION or order):
            return {key: source[key] for key in keys}
    return {}


def _partial_channels(channels: Mapping[str, Column], order: str) -> dict[str, Column]:
    """Return the channels of a position or a rotation alone, nothing if there is neither."""
    if all(key in channels for key in POSITION):
        return {key: channels[key] for key in POSITION}
    position = {key: Column(-1) for key in POSITION}
    chosen = _complete_channels({**channels, **position}, order)
    return {key: column for key, column in chosen.items() if key not in POSITION}


def _valid_of(channels: Mapping[str, Column], single: Mapping[str, Column]) -> dict[str, Column]:
    column = channels.get("valid") or single.get("valid")
    return {"valid": column} if column else {}


def _shown(header: Iterable[str]) -> str:
    cells = [cell or '""' for cell in header]
    return ", ".join(cells[:16]) + (", ..." if len(cells) > 16 else "")
