# SPDX-License-Identifier: GPL-3.0-or-later
"""What a recording has besides trackers: fingers, shapes of the face, and props.

Each is a row of the tracker CSV like a reading of a tracker, with a kind and a name for a tracker:
``finger:LeftIndexProximal`` (the rotation relative to the parent), ``shape:Joy`` (the value in
``x``), ``prop:Sword`` (position and rotation in the room). Readers of trackers leave them out.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..body.interpolation import interpolate, interpolate_rotations
from .text_files import read_text

FINGER, SHAPE, PROP = "finger", "shape", "prop"
_KINDS = (FINGER, SHAPE, PROP)
_MOST_BYTES = 1 << 28
_ESCAPE = re.compile(r"\\x([0-9a-f]{2})|\\u([0-9a-f]{4})|\\U([0-9a-f]{8})")
"""How recordings write characters that are not ASCII."""


@dataclass(frozen=True, eq=False)
class DetailTrack:
    """The recorded course of a finger, a shape or a prop.

    Attributes:
        times: (N,) increasing seconds.
        positions: (N, 3) metres, core axes; of a shape its value comes first.
        rotations: (N, 4) unit quaternions.
    """

    times: np.ndarray
    positions: np.ndarray
    rotations: np.ndarray

    def at(self, times: np.ndarray) -> DetailTrack:
        """Return the track at other times; the ends are held."""
        return DetailTrack(
            times,
            interpolate(self.times, self.positions, times),
            interpolate_rotations(self.times, self.rotations, times),
        )


@dataclass(frozen=True, eq=False)
class Details:
    """What a recording has besides trackers, by name."""

    fingers: dict[str, DetailTrack] = field(default_factory=dict)
    shapes: dict[str, DetailTrack] = field(default_factory=dict)
    props: dict[str, DetailTrack] = field(default_factory=dict)


def detail_name(kind: str, name: str) -> str:
    """Return what stands for the tracker in a row."""
    return f"{kind}:{name}"


def split_detail_name(text: str) -> tuple[str, str]:
    """Return kind and name of what stands for the tracker in a row; ("", text) of a tracker."""
    kind, colon, name = text.partition(":")
    return (kind, name) if colon and kind in _KINDS else ("", text)


def load_details(path: str | Path) -> Details:
    """Read what a recording has besides trackers; rows that are damaged are left out.

    Raises:
        MotionFileError: The file is no text, or too long.
        OSError: The file cannot be opened.
    """
    text = read_text(Path(path), "a table of trackers", _MOST_BYTES, [])
    details = Details()
    if not any(f",{kind}:" in text for kind in _KINDS):
        return details
    kinds = {FINGER: details.fingers, SHAPE: details.shapes, PROP: details.props}
    rows: dict[tuple[str, str], list[list[float]]] = {}
    for kind, name, numbers in _read_rows(io.StringIO(text)):
        rows.setdefault((kind, name), []).append(numbers)
    for (kind, name), values in rows.items():
        table = np.array(values)
        # Late ones in their place, and one of each time.
        _, first = np.unique(table[:, 0], return_index=True)
        table = table[first]
        rotations = table[:, 4:8] / np.linalg.norm(table[:, 4:8], axis=-1, keepdims=True)
        kinds[kind][name] = DetailTrack(table[:, 0], table[:, 1:4], rotations)
    return details


def _read_rows(lines: Iterable[str]) -> Iterator[tuple[str, str, list[float]]]:
    """Yield kind, name, and time, position and rotation of the rows that are valid."""
    for row in csv.reader(lines):
        kind, name = split_detail_name(row[1]) if len(row) > 9 else ("", "")
        if not kind or row[9].strip() != "1":
            continue
        try:
            numbers = [float(word) for word in (row[0], *row[2:9])]
        except ValueError:
            continue
        if all(map(math.isfinite, numbers)) and any(numbers[4:]):
            yield kind, _ESCAPE.sub(_unescape, name), numbers


def _unescape(match: re.Match[str]) -> str:
    return chr(int(next(filter(None, match.groups())), 16))
