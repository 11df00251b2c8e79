# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes of six trackers as CSV: one row a tracker and frame, metres, seconds, Y up.

The columns are ``time,tracker,x,y,z,qw,qx,qy,qz,valid``. The rows of a frame stand together and
have the same time; a tracker that was not seen has a row with ``valid`` 0, whose numbers may be
``nan`` or empty.

A recording of a live feed has one column more, ``device``, the serial or name. Its rows are the
readings as they came: each with a time of its own, not all trackers at each time, late ones late.
It may have been cut off by a crash in its last line. Read, it is a take of frames like any other.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..body.skeleton import TRACKERS
from ..tracking.reading_buffer import sample
from ..tracking.take import Take, TrackerError

_COLUMNS = ["time", "tracker", "x", "y", "z", "qw", "qx", "qy", "qz", "valid"]
_RECORDED = [*_COLUMNS, "device"]
_TOGETHER = 0.5
"""Share of the time between two frames within which readings belong to the same one."""
_LARGEST = 1e6
"""Metres: more is damage, and would overflow."""
_LONGEST = 24 * 3600.0
"""Seconds of a take: more are milliseconds, or times of day of several days."""
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
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        try:
            heads = [word.strip().lower() for word in next(reader, [])]
            if heads == _RECORDED:
                return _assembled(list(_readings(reader)))
            if heads != _COLUMNS:
                raise ValueError("the columns must be " + ",".join(_COLUMNS))
            times: list[float] = []
            frames: list[list[list[float]]] = []
            for time, frame in _frames(reader):
                times.append(time)
                frames.append(frame)
            if not frames:
                raise ValueError("no frames")
            _check_span(times[-1] - times[0])
        except UnicodeDecodeError as error:
            raise TrackerFileError(
                f"{path.name}: not a text file: choose a tracker .csv"
            ) from error
        except (ValueError, csv.Error) as error:
            raise TrackerFileError(
                f"{path.name}, line {reader.line_num}: {error}. Mend the file there, or record or"
                " export it again"
            ) from error
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


class Recorder:
    """Writes readings of a live feed as they come.

    What was written up to the last ``flush`` survives a crash of the program.
    """

    def __init__(self, path: str | Path) -> None:
        """Open the file; an existing one is replaced.

        Raises:
            OSError: if it cannot be written.
        """
        self.path = Path(path)
        self.readings = 0
        self._file = self.path.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._writer.writerow(_RECORDED)

    def add(
        self,
        time: float,
        tracker: str,
        position: Iterable[float],
        rotation: Iterable[float],
        valid: bool,
        device: str,
    ) -> None:
        """Write a reading.

        Args:
            time: seconds, to a tenth of a microsecond; need not rise.
            tracker: one of :data:`ssrhmr_core.body.skeleton.TRACKERS`.
            position: x, y, z in metres.
            rotation: quaternion w, x, y, z.
            valid: whether it was seen.
            device: serial or name.

        Raises:
            OSError: if the disk is full.
        """
        # One line a reading, in characters of one byte: a crash may cut it off anywhere.
        name = " ".join(device.split()).encode("ascii", "backslashreplace").decode()
        numbers = [f"{x:.9g}" for x in (*position, *rotation)]
        self._writer.writerow([f"{time:.7f}", tracker, *numbers, int(valid), name])
        self.readings += 1

    def flush(self) -> None:
        """Hand all that was written to the system.

        Raises:
            OSError: if the disk is full.
        """
        self._file.flush()

    def close(self) -> None:
        """Close the file.

        Raises:
            OSError: if the disk is full; the file is closed all the same.
        """
        self._file.close()


class _Row(NamedTuple):
    time: float
    tracker: int
    numbers: list[float]


def _readings(rows: Iterator[list[str]]) -> Iterator[_Row]:
    """Read the rows of a recording.

    Raises:
        ValueError: saying what is wrong with the row that was read last.
    """
    damaged: ValueError | None = None
    for row in rows:
        if damaged:
            raise ValueError(f"{damaged}; one line before this one")
        if not row:
            continue
        try:
            if len(row) != len(_RECORDED):
                raise ValueError(f"{len(row)} values where {len(_RECORDED)} belong")
            time, name, numbers = _row(row[:-1])
        except ValueError as error:
            # Only the last row may be damaged: there the program ended in the middle of it.
            damaged = error
            continue
        yield _Row(time, TRACKERS.index(name), numbers)


def _assembled(readings: list[_Row]) -> Take:
    """Make frames of readings.

    Readings that are close together are a frame; its time is theirs, or the mean of them where
    trackers are not sent together. Each tracker is brought to that time from its own readings.

    Raises:
        ValueError: if there are none.
    """
    if not readings:
        raise ValueError("no readings: nothing was recorded")
    readings.sort(key=lambda reading: reading.time)
    _check_span(readings[-1].time - readings[0].time)
    tracks: list[dict[float, list[float]]] = [{} for _ in TRACKERS]
    for reading in readings:
        tracks[reading.tracker][reading.time] = reading.numbers
    densest = max(range(len(tracks)), key=lambda tracker: len(tracks[tracker]))
    steps = np.diff(list(tracks[densest]))
    together = _TOGETHER * float(np.median(steps)) if len(steps) else 0.0
    frames: list[list[_Row]] = []
    present: set[int] = set()
    for reading in readings:
        apart = not frames or reading.time - frames[-1][0].time > together
        again = reading.tracker in present and reading.time != frames[-1][-1].time
        if apart or again:
            frames.append([])
            present = set()
        frames[-1].append(reading)
        present.add(reading.tracker)
    times = np.array([_middle(frame) for frame in frames])
    columns = [_column(track, times) for track in tracks]
    return Take(
        times,
        np.stack([places for places, _, _ in columns], 1),
        np.stack([turns for _, turns, _ in columns], 1),
        np.stack([seen for _, _, seen in columns], 1),
    )


def _check_span(seconds: float) -> None:
    if seconds > _LONGEST:
        raise ValueError(
            f"the take lasts {seconds / 3600.0:,.0f} hours: times must be given in seconds"
        )


def _middle(frame: list[_Row]) -> float:
    first, last = frame[0].time, frame[-1].time
    # Exactly that time, not a mean that is off by its rounding.
    return first if first == last else sum(reading.time for reading in frame) / len(frame)


def _column(
    track: dict[float, list[float]], times: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions (F, 3), rotations (F, 4) and validity (F,) of one tracker at some times."""
    if not track:
        unit = np.tile(np.array([1.0, 0.0, 0.0, 0.0], np.float32), (len(times), 1))
        return np.zeros((len(times), 3), np.float32), unit, np.zeros(len(times), bool)
    values = np.array(list(track.values()))
    usable = values[:, 7] > 0.5
    values[~usable] = (0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0)
    return sample(np.array(list(track)), values[:, :3], values[:, 3:7], usable, times)


def _frames(rows: Iterator[list[str]]) -> Iterator[tuple[float, list[list[float]]]]:
    """Time and rows (6 trackers, 8 numbers) of each frame.

    Raises:
        ValueError: saying what is wrong with the row that was read last.
    """
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
    name, valid = row[1].strip(), _VALID.get(row[9].strip().lower())
    if name not in TRACKERS:
        raise ValueError(f"unknown tracker {name!r}; known are {', '.join(TRACKERS)}")
    if valid is None:
        raise ValueError(f"valid is {row[9]!r}, not 0 or 1")
    time = float(row[0])
    if not np.isfinite(time):
        raise ValueError(f"the time is {row[0]!r}")
    numbers = [float(word) if word.strip() or valid else np.nan for word in row[2:9]]
    if valid:
        length = sum(x * x for x in numbers[3:]) ** 0.5
        if not (np.abs(numbers) <= _LARGEST).all() or length < 1e-6:
            raise ValueError(f"{name} is marked as valid and is not a place and a turn")
        # Files with few digits hold quaternions that are a little off their unit length.
        if abs(length - 1.0) > 1e-6:
            numbers[3:] = [x / length for x in numbers[3:]]
    return time, name, [*numbers, float(valid)]
