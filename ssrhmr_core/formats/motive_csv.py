# SPDX-License-Identifier: GPL-3.0-or-later
"""Rigid bodies as OptiTrack Motive exports them: a table with seven or eight rows of headers.

The first row says how long a unit is and how rotations are given; the others give, for each
column, its type (Rigid Body, Bone, Marker), name, ID, parent (newer versions), value (Rotation,
Position, error) and axis.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .tables import LineError, split_rows
from .tracks import Recording, Track
from .units import UNITS

_FIRST_CELL = "format version"
_UNITS = {
    **dict.fromkeys(("meters", "metres"), "m"),
    **dict.fromkeys(("centimeters", "centimetres"), "cm"),
    **dict.fromkeys(("millimeters", "millimetres"), "mm"),
    **dict.fromkeys(("inches",), "in"),
    **dict.fromkeys(("feet",), "ft"),
}
_TYPES = ("rigid body", "bone")
_VALUES = (
    *(f"rotation.{axis}" for axis in "xyzw"),
    *(f"position.{axis}" for axis in "xyz"),
)
_LARGEST = 1e6
"""Units of length: larger numbers are damage, and would overflow."""
_AGAIN = "export the take again, with rigid bodies, quaternions and world space"


def is_motive(text: str) -> bool:
    """Return whether a table begins as Motive's do."""
    return text[: len(_FIRST_CELL) + 1].strip('"').lower().startswith(_FIRST_CELL)


def read_motive(text: str) -> Recording:
    """Read the rigid bodies of an export, or the bones where it has no rigid bodies.

    Cells of frames in which a body was not tracked are empty.

    Raises:
        LineError: A line is damaged.
        ValueError: The export lacks something; the message says how to export it.
    """
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    rows = split_rows(text, delimiter)
    _, first = next(rows)
    settings = dict(zip(map(_plain, first[::2]), map(_plain, first[1::2]), strict=False))
    _check_settings(settings)
    labels: dict[str, list[str]] = {}
    axes: list[str] = []
    values: list[str] = []
    for _, row in rows:
        cells = [_plain(cell) for cell in row]
        if cells[0] == "frame":
            axes = cells
            break
        if len(cells) > 1 and cells[1] in ("type", "name"):
            labels[cells[1]] = row
        else:
            values = cells
    if not axes or len(axes) < 2 or "name" not in labels or "type" not in labels:
        raise ValueError(f"the headers of Motive's export are not complete: {_AGAIN}")
    kind, columns = _body_columns(labels, values, axes)
    if not columns:
        raise ValueError(f"no rigid bodies with rotations and positions: {_AGAIN}")
    lines, numbers = [], []
    for line, row in rows:
        lines.append(line)
        numbers.append(_numbers(row, line, len(axes), decimal_commas=delimiter != ","))
    table = np.array(numbers).reshape(len(numbers), len(axes))
    return Recording(
        tracks=[_track(name, table, indices) for name, indices in columns.items()],
        framed=True,
        seconds=1.0,
        metres=UNITS[_UNITS[settings["length units"]]] if "length units" in settings else None,
        whole_body=kind == "bone",
    )


def _plain(cell: str) -> str:
    return " ".join(cell.split()).lower()


def _check_settings(settings: Mapping[str, str]) -> None:
    """Check the first row.

    Raises:
        ValueError: The export has another setting than can be read.
    """
    rotation = settings.get("rotation type", "quaternion")
    if rotation != "quaternion":
        raise ValueError(f"rotations are given as {rotation!r}: {_AGAIN}")
    space = settings.get("coordinate space", "global")
    if space not in ("global", "world"):
        raise ValueError(f"positions are in {space!r} space: {_AGAIN}")
    unit = settings.get("length units", "meters")
    if unit not in _UNITS:
        raise ValueError(f"the unit of length {unit!r} is unknown: export the take in meters")


def _body_columns(
    labels: Mapping[str, list[str]], values: list[str], axes: list[str]
) -> tuple[str, dict[str, list[int]]]:
    """Return a type, and the columns of each such body's values in the order of ``_VALUES``."""
    for kind in _TYPES:
        bodies: dict[str, dict[str, int]] = {}
        cells = zip(labels["type"], labels["name"], values, axes, strict=False)
        for index, (type_, name, value, axis) in enumerate(cells):
            key = f"{value}.{axis}"
            if _plain(type_) == kind and key in _VALUES:
                bodies.setdefault(name.strip(), {}).setdefault(key, index)
        complete = {
            # Bones are called SKELETON:BONE.
            name.rpartition(":")[2]: [columns[key] for key in _VALUES]
            for name, columns in bodies.items()
            if len(columns) == len(_VALUES)
        }
        if complete:
            return kind, complete
    return "", {}


def _numbers(row: list[str], line: int, width: int, *, decimal_commas: bool) -> list[float]:
    """Read a row, NaN from empty cells.

    Raises:
        LineError: The row is damaged.
    """
    while len(row) > width and not row[-1].strip():
        row.pop()
    if len(row) > width or len(row) < 2:
        raise LineError(f"{len(row)} values where {width} belong", line)
    words = [word.strip() for word in row] + [""] * (width - len(row))
    if decimal_commas:
        words = [word.replace(",", ".") for word in words]
    try:
        numbers = [float(word) if word else np.nan for word in words]
    except ValueError as error:
        raise LineError(str(error), line) from error
    if not np.isfinite(numbers[1]):
        raise LineError(f"the time is {words[1]!r}", line)
    return numbers


def _track(name: str, table: np.ndarray, indices: list[int]) -> Track:
    values = table[:, indices]
    valid = (np.abs(values) <= _LARGEST).all(1) & (np.abs(values[:, :4]) > 1e-6).any(1)
    values[~valid] = np.nan
    rotations = np.roll(values[:, :4], 1, axis=1)
    rotations /= np.linalg.norm(rotations, axis=1, keepdims=True)
    return Track(name, table[:, 1], values[:, 4:], rotations, valid)
