"""Takes of six trackers as CSV: one row a tracker and frame, metres, seconds, Y up.

The columns are ``time,tracker,x,y,z,qw,qx,qy,qz,valid``. The rows of a frame stand together and
have the same time; a tracker that was not seen has a row with ``valid`` 0, whose numbers may be
``nan`` or empty.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..skeleton import TRACKERS
from ..trackers import Take, TrackerError

_COLUMNS = ["time", "tracker", "x", "y", "z", "qw", "qx", "qy", "qz", "valid"]
_VALID = {"1": True, "true": True, "0": False, "false": False}


class TrackerFileError(ValueError):
    """A tracker file is damaged or incomplete; the message names the line."""


def load_trackers(path: str | Path) -> Take:
    """Read a take of six trackers.

    Raises:
        TrackerFileError: naming the line of what is wrong: columns, an unknown, missing or
            duplicate tracker, unreadable numbers, times that do not rise, a file that was cut off.
        OSError: if it cannot be opened.
    """
    path = Path(path)
    times: list[float] = []
    frames: list[list[list[float]]] = []
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        try:
            for time, frame in _frames(reader):
                times.append(time)
                frames.append(frame)
            if not frames:
                raise ValueError("no frames")
        except UnicodeDecodeError as error:
            raise TrackerFileError(f"{path.name}: not a text file") from error
        except (ValueError, csv.Error) as error:
            raise TrackerFileError(f"{path.name}, line {reader.line_num}: {error}") from error
    values = np.array(frames)
    try:
        return Take(
            np.array(times),
            values[..., 0:3].astype(np.float32),
            values[..., 3:7].astype(np.float32),
            values[..., 7] > 0.5,
        )
    except TrackerError as error:
        raise TrackerFileError(f"{path.name}: {error}") from error


def save_trackers(path: str | Path, take: Take) -> None:
    """Write a take so that :func:`load_trackers` gives the same numbers back."""
    # Written beside and moved, so that an interrupted run leaves no half file.
    partial = Path(f"{path}.partial")
    numbers = np.concatenate([take.positions, take.rotations], axis=-1)
    with partial.open("w", encoding="utf-8", newline="\n") as file:
        file.write(",".join(_COLUMNS) + "\n")
        for time, frame, valid in zip(take.times.tolist(), numbers, take.valid, strict=True):
            for name, row, seen in zip(TRACKERS, frame.tolist(), valid, strict=True):
                # Nine digits hold a single-precision number.
                file.write(f"{time!r},{name},{','.join(f'{x:.9g}' for x in row)},{seen:d}\n")
    partial.replace(path)


def _frames(rows: Iterator[list[str]]) -> Iterator[tuple[float, list[list[float]]]]:
    """Time and rows (6 trackers, 8 numbers) of each frame.

    Raises:
        ValueError: saying what is wrong with the row that was read last.
    """
    if [word.strip().lower() for word in next(rows, [])] != _COLUMNS:
        raise ValueError("the columns must be " + ",".join(_COLUMNS))
    last = -np.inf
    time = np.nan
    frame: dict[str, list[float]] = {}
    for row in rows:
        if not row:
            continue
        seconds, name, numbers = _row(row)
        if frame and seconds != time:
            raise ValueError(f"no row for {_missing(frame)} at {time:g} s, before this line")
        if not seconds > last:
            raise ValueError(f"the time {seconds:g} s does not rise")
        if name in frame:
            raise ValueError(f"a second row for {name} at {seconds:g} s")
        time = seconds
        frame[name] = numbers
        if len(frame) == len(TRACKERS):
            yield time, [frame[tracker] for tracker in TRACKERS]
            frame = {}
            last = time
    if frame:
        raise ValueError(f"no row for {_missing(frame)} at {time:g} s; the file was cut off")


def _missing(frame: dict[str, list[float]]) -> str:
    return ", ".join(tracker for tracker in TRACKERS if tracker not in frame)


def _row(row: list[str]) -> tuple[float, str, list[float]]:
    """Time, tracker, and place, turn and validity as eight numbers."""
    if len(row) != len(_COLUMNS):
        raise ValueError(f"{len(row)} values where {len(_COLUMNS)} belong; cut off?")
    name, valid = row[1].strip(), _VALID.get(row[-1].strip().lower())
    if name not in TRACKERS:
        raise ValueError(f"unknown tracker {name!r}; known are {', '.join(TRACKERS)}")
    if valid is None:
        raise ValueError(f"valid is {row[-1]!r}, not 0 or 1")
    time = float(row[0])
    if not np.isfinite(time):
        raise ValueError(f"the time is {row[0]!r}")
    numbers = [float(word) if word.strip() or valid else np.nan for word in row[2:9]]
    if valid:
        length = sum(x * x for x in numbers[3:]) ** 0.5
        if not np.isfinite(numbers).all() or length < 1e-6:
            raise ValueError(f"{name} is marked as valid and is not a place and a turn")
        # Files with few digits hold quaternions that are a little off their unit length.
        if abs(length - 1.0) > 1e-6:
            numbers[3:] = [x / length for x in numbers[3:]]
    return time, name, [*numbers, float(valid)]
