# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of trackers with one row a reading, or one row a frame."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from pymotion.rotations import quat_np as quat

from .columns import (
    EULER,
    MATRIX,
    POSITION,
    QUATERNION,
    SECONDS,
    TRACKER_NAMES,
    Column,
    ColumnMapping,
    Layout,
    is_optional,
    recognize_columns,
)
from .detail_rows import split_detail_name
from .tables import LineError, Table, read_table
from .tracks import Recording, Track, role_of_device
from .units import UNITS

FRAME_COLUMNS = ["time", "tracker", "x", "y", "z", "qw", "qx", "qy", "qz", "valid"]
"""Columns of this project's own takes."""
READING_COLUMNS = [*FRAME_COLUMNS, "device"]
"""Columns of its recordings, whose rows are readings as they came."""

_LARGEST = 1e6
"""Units of length: larger numbers are damage, and would overflow."""
_SMALLEST = 1e-6
"""Numbers up to which all of a rotation may be without being one."""
_LATEST = 1e20
"""Units of time: as many nanoseconds have passed since 1970, and more are damage."""
_VALID = {
    **dict.fromkeys(("1", "1.0", "true", "yes"), True),
    **dict.fromkeys(("0", "0.0", "false", "no", ""), False),
}


def read_tracker_table(text: str, mapping: ColumnMapping) -> Recording:
    """Read a table of trackers.

    Args:
        text: The table.
        mapping: What the user says about its columns and devices.

    Raises:
        LineError: A line is damaged.
        ValueError: Columns are missing or unclear.
    """
    table = read_table(text)
    header = [cell.lower() for cell in table.header]
    own = header in (FRAME_COLUMNS, READING_COLUMNS) and set(mapping.columns) <= {"time"}
    # The last column of a recording says which device took a tracker's role, and has no part here.
    layout = recognize_columns(FRAME_COLUMNS if own else table.header, mapping)
    if layout.device is None:
        return _read_wide(table, layout)
    return _read_long(table, layout, declared=own, framed=own and header == FRAME_COLUMNS)


# --- Rows and cells -----------------------------------------------------------------------------


class _RowReader:
    """Reads the rows of a table.

    Attributes:
        counted: Whether all times are whole numbers, and may be numbers of frames.
        notes: Messages for the user.
    """

    def __init__(self, table: Table, time: Column, *, tolerant: bool) -> None:
        """Begin at the first row.

        Args:
            table: The table.
            time: The column of times.
            tolerant: Whether the last row may be damaged: there a program may have crashed.
        """
        self.counted = True
        self.notes: list[str] = []
        self._table, self._time, self._tolerant = table, time, tolerant
        self._width = len(table.header)

    def read(self, add: Callable[[int, float, list[str]], None]) -> None:
        """Call ``add`` with the line, the time and the cells of each row.

        Raises:
            LineError: A row is damaged, or ``add`` raised a ValueError about it.
        """
        damage: LineError | None = None
        for line, row in self._table.rows:
            if damage:
                raise damage
            try:
                row = self._checked(row)
                add(line, self._read_time(row[self._time.index]), row)
            except ValueError as error:
                damage = LineError(str(error), line)
        if damage and not self._tolerant:
            raise damage
        if damage:
            self.notes.append(f"line {damage.line}, the last one, is left out: {damage}")

    def _checked(self, row: list[str]) -> list[str]:
        while len(row) > self._width and not row[-1].strip():
            row.pop()
        if len(row) == self._width:
            return row
        text = f"{len(row)} values where {self._width} belong"
        if len(row) > self._width and not self._table.decimal_commas:
            text += "; numbers with decimal commas need semicolons between them"
        raise ValueError(text)

    def _read_time(self, word: str) -> float:
        time = self._table.number(word)
        if not abs(time) <= _LATEST:
            raise ValueError(f"the time is {word!r}")
        self.counted = self.counted and word.strip().lstrip("-").isdigit()
        return time


class _CellReader:
    """Reads the cells of one device in the rows of a table."""

    def __init__(
        self, table: Table, channels: Mapping[str, Column], layout: Layout, name: str
    ) -> None:
        self._table, self._channels, self._order = table, channels, layout.order
        self._name, self._is_optional = name, is_optional(name, layout.devices)
        position, rotation = _number_keys(channels)
        self._position = [channels[key] for key in position]
        self._rotation = [channels[key] for key in rotation]
        self._rotation_size = len(rotation) or len(QUATERNION)
        self._valid = channels.get("valid")
        self._readings = _Readings()

    def add(self, time: float, row: list[str]) -> None:
        """Read a row.

        Raises:
            ValueError: The row is damaged.
        """
        valid = self._read_valid(row)
        position = [self._read_number(row, column, valid) for column in self._position]
        rotation = [self._read_number(row, column, valid) for column in self._rotation]
        # Not a number, far away, or a rotation of zeros: what programs write for "lost".
        is_placed = bool(position) and all(abs(x) <= _LARGEST for x in position)
        is_turned = bool(rotation) and all(abs(x) <= _LARGEST for x in rotation)
        if "rx" not in self._channels:
            is_turned = is_turned and any(abs(x) > _SMALLEST for x in rotation)
        usable = is_placed and is_turned
        if self._is_optional or self._is_half(position, rotation):
            # One of both is enough.
            usable = is_placed or is_turned
            position = position if is_placed else [math.nan] * 3
            rotation = rotation if is_turned else [math.nan] * self._rotation_size
        if valid and not usable:
            what = "neither a position nor" if self._is_optional else "not a position and"
            raise ValueError(f"{self._name} is marked as valid and is {what} a rotation")
        self._readings.add(time, position + rotation, usable and valid is not False)

    def _is_half(self, position: list[float], rotation: list[float]) -> bool:
        """Return whether one of the six has a position or a rotation alone.

        Its other half is not a number, or the table has no columns for it. Zeros and numbers far
        away are what programs write for lost trackers.
        """
        halves = (position, rotation)
        missing = [not half or all(math.isnan(x) for x in half) for half in halves]
        return missing[0] != missing[1]

    def to_track(self) -> Track:
        """Return all that was read."""
        numbers = np.array(self._readings.numbers).reshape(-1, 3 + self._rotation_size)
        # Whatever was written for lost trackers, it must not overflow.
        numbers[np.abs(numbers) > np.finfo(np.float32).max] = np.nan
        valid = np.array(self._readings.valid).astype(bool)
        return Track(
            name=self._name,
            times=np.array(self._readings.times),
            positions=numbers[:, :3],
            rotations=self._to_quaternions(numbers[:, 3:]),
            valid=valid,
        )

    def _read_number(self, row: list[str], column: Column, valid: bool | None) -> float:
        try:
            return column.sign * self._table.number(row[column.index])
        except ValueError:
            if valid is False:
                return math.nan
            raise

    def _read_valid(self, row: list[str]) -> bool | None:
        if self._valid is None:
            return None
        word = row[self._valid.index].strip()
        if word.lower() not in _VALID:
            raise ValueError(f"valid is {word!r}, not 0 or 1")
        return _VALID[word.lower()]

    def _to_quaternions(self, numbers: np.ndarray) -> np.ndarray:
        """Return quaternions (N, 4) of rotations as the table has them."""
        if "qw" in self._channels:
            # Files with few digits hold quaternions that are a little off their unit length.
            length = np.linalg.norm(np.clip(numbers, -_LARGEST, _LARGEST), axis=-1, keepdims=True)
            off = (np.abs(length - 1.0) > 1e-6) & (length > _SMALLEST)
            return numbers / np.where(off, length, 1.0)
        known = (np.abs(numbers) <= _LARGEST).all(1)
        quaternions = np.full((len(numbers), 4), np.nan)
        if "m00" in self._channels:
            quaternions[known] = quat.from_matrix(numbers[known].reshape(-1, 3, 3))
        else:
            quaternions[known] = self._from_euler(numbers[known])
        return quaternions

    def _from_euler(self, angles: np.ndarray) -> np.ndarray:
        rotations = np.tile((1.0, 0.0, 0.0, 0.0), (len(angles), 1))
        for axis in self._order:
            index = "xyz".index(axis)
            values = angles[:, index, None]
            if self._channels[f"r{axis}"].unit != "rad":
                values = np.radians(values)
            rotvecs = values * np.eye(3)[index]
            rotations = quat.mul(rotations, quat.from_scaled_angle_axis(rotvecs))
        return rotations


def _number_keys(channels: Mapping[str, Column]) -> tuple[list[str], list[str]]:
    """Return the channels of the position and those of the rotation, as far as there are any."""
    if "m00" in channels:
        return ["m03", "m13", "m23"], [key for key in MATRIX if not key.endswith("3")]
    position = [key for key in POSITION if key in channels]
    rotation = QUATERNION if "qw" in channels else EULER
    return position, [key for key in rotation if key in channels]


@dataclass
class _Readings:
    """Readings of one device, in the order of their rows, eight bytes a number."""

    times: array[float] = field(default_factory=lambda: array("d"))
    numbers: array[float] = field(default_factory=lambda: array("d"))
    valid: bytearray = field(default_factory=bytearray)

    def add(self, time: float, numbers: list[float], valid: bool) -> None:
        self.times.append(time)
        self.numbers.extend(numbers)
        self.valid.append(valid)


# --- One row a reading, one row a frame ---------------------------------------------------------


def _read_long(table: Table, layout: Layout, *, declared: bool, framed: bool) -> Recording:
    """Read a table with one row a reading.

    Args:
        table: The table.
        layout: Its columns.
        declared: Whether it is in this project's own format.
        framed: Whether each frame has a row for each of its trackers.

    Raises:
        LineError: A line is damaged.
    """
    assert layout.device is not None
    column = layout.device.index
    channels = layout.channels[""]
    readers: dict[str, _CellReader] = {}
    frames = _FrameCheck(layout.devices)

    def add(line: int, time: float, row: list[str]) -> None:
        name = row[column].strip()
        if declared and split_detail_name(name)[0]:
            return
        if framed:
            frames.add(line, time, name)
        reader = readers.get(name) or _CellReader(table, channels, layout, name)
        reader.add(time, row)
        readers[name] = reader

    # Takes are written at once; of a recording, a crash may cut off the last row.
    rows = _RowReader(table, layout.time, tolerant=not framed)
    rows.read(add)
    if framed:
        frames.close()
    tracks = [reader.to_track() for reader in readers.values()]
    return _to_recording(tracks, rows, layout, declared=declared, framed=framed)


def _read_wide(table: Table, layout: Layout) -> Recording:
    """Read a table with one row a frame.

    Raises:
        LineError: A line is damaged.
    """
    readers = {
        name: _CellReader(table, channels, layout, name)
        for name, channels in layout.channels.items()
    }

    def add(line: int, time: float, row: list[str]) -> None:
        for reader in readers.values():
            reader.add(time, row)

    rows = _RowReader(table, layout.time, tolerant=False)
    rows.read(add)
    tracks = [reader.to_track() for reader in readers.values()]
    return _to_recording(tracks, rows, layout, declared=False, framed=True)


def _to_recording(
    tracks: Sequence[Track], rows: _RowReader, layout: Layout, *, declared: bool, framed: bool
) -> Recording:
    if not tracks or not len(tracks[0].times):
        raise ValueError("no readings: nothing was recorded")
    units = {
        column.unit
        for channels in layout.channels.values()
        for key, column in channels.items()
        if key in (*POSITION, "m03", "m13", "m23")
    }
    if len(units) != 1:
        raise ValueError(f"positions are in several units: {', '.join(sorted(units))}")
    unit = units.pop()
    return Recording(
        tracks=tracks,
        framed=framed,
        seconds=_seconds(layout.time.unit),
        metres=UNITS[unit] if unit else None,
        counted=rows.counted,
        declared=declared,
        notes=rows.notes,
    )


def _seconds(unit: str) -> float | None:
    if unit.endswith("fps"):
        return 1.0 / float(unit.removesuffix("fps"))
    return SECONDS[unit] if unit else None


class _FrameCheck:
    """Checks that each frame of a take has one row for each of its trackers."""

    def __init__(self, devices: Mapping[str, str]) -> None:
        self._roles = {device.lower(): role for role, device in devices.items()}
        self._frames: list[tuple[float, int, dict[str, str]]] = []

    def add(self, line: int, time: float, name: str) -> None:
        """Note a row.

        Raises:
            ValueError: Its time is earlier than the one before, or it is a tracker's second one.
        """
        if not self._frames or time != self._frames[-1][0]:
            if self._frames and time < self._frames[-1][0]:
                raise ValueError(f"the time {time:g} s does not rise")
            self._frames.append((time, line, {}))
        present = self._frames[-1][2]
        role = self._roles.get(name.lower()) or role_of_device(name) or name
        # Two devices with the same role are reported when roles are assigned.
        if present.get(role) == name:
            raise ValueError(f"a second row for {name} at {time:g} s")
        present.setdefault(role, name)
        self._frames[-1] = (time, line, present)

    def close(self) -> None:
        """Check that no frame lacks a tracker that others have.

        Raises:
            LineError: A frame does.
        """
        known = {role for _, _, present in self._frames for role in present}
        roles = [role for role in TRACKER_NAMES if role in known]
        for number, (time, line, present) in enumerate(self._frames, 1):
            missing = [role for role in roles if role not in present]
            if not missing:
                continue
            text = f"no row for {', '.join(missing)} at {time:g} s"
            others = [name for role, name in present.items() if role not in TRACKER_NAMES]
            if number == len(self._frames):
                text += "; the file was cut off"
            elif others:
                text += f", but for {', '.join(map(repr, others))}"
            raise LineError(text, line)
