"""Tracker takes as text: ``time,tracker,x,y,z,qw,qx,qy,qz,valid``, a line a tracker and frame.

Seconds, metres, Y up; ``valid`` is 1 or 0. Lines of one frame share their time.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from ..skeleton import TRACKERS
from ..trackers import Take, TrackerError

_HEADER = ("time", "tracker", "x", "y", "z", "qw", "qx", "qy", "qz", "valid")


class TrackerFileError(ValueError):
    """A tracker file is damaged; the message names the line."""


def save_trackers(path: str | Path, take: Take) -> None:
    """Write a take; the file appears complete or not at all."""
    partial = Path(f"{path}.partial")
    with partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(_HEADER)
        for frame, time in enumerate(take.times):
            for tracker, name in enumerate(TRACKERS):
                spot = [f"{value:.6f}" for value in take.positions[frame, tracker]]
                turn = [f"{value:.7f}" for value in take.rotations[frame, tracker]]
                valid = int(take.valid[frame, tracker])
                writer.writerow([f"{time:.6f}", name, *spot, *turn, valid])
    partial.replace(path)


def load_trackers(path: str | Path) -> Take:
    """Read a take.

    Raises:
        TrackerFileError: naming the line and what is wrong there.
        OSError: if the file cannot be opened.
    """
    path = Path(path)
    times: list[float] = []
    rows: list[np.ndarray] = []
    seen: set[str] = set()
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            if tuple(next(reader, ())) != _HEADER:
                raise TrackerFileError(f"{path.name}, line 1: expected {','.join(_HEADER)}")
            for words in reader:
                where = f"{path.name}, line {reader.line_num}"
                time, name, values = _row(words, where)
                if not times or time > times[-1]:
                    _complete(seen, where)
                    times.append(time)
                    rows.append(np.full((len(TRACKERS), 8), np.nan))
                    seen = set()
                elif time < times[-1]:
                    raise TrackerFileError(f"{where}: the time goes back")
                if name in seen:
                    raise TrackerFileError(f"{where}: {name} twice in one frame")
                seen.add(name)
                rows[-1][TRACKERS.index(name)] = values
            _complete(seen, f"{path.name}, end of file")
    except (UnicodeDecodeError, csv.Error) as error:
        raise TrackerFileError(f"{path.name}: not a tracker file ({error})") from error
    if not rows:
        raise TrackerFileError(f"{path.name}: no frame in it")
    table = np.stack(rows).astype(np.float32)
    try:
        return Take(np.array(times), table[..., :3], table[..., 3:7], table[..., 7] > 0.5)
    except TrackerError as error:
        raise TrackerFileError(f"{path.name}: {error}") from error


def _row(words: list[str], where: str) -> tuple[float, str, np.ndarray]:
    if len(words) != len(_HEADER):
        raise TrackerFileError(f"{where}: {len(words)} values where {len(_HEADER)} belong")
    if words[1] not in TRACKERS:
        raise TrackerFileError(f"{where}: {words[1]!r} is none of {', '.join(TRACKERS)}")
    try:
        time, *numbers = (float(word) for word in (words[0], *words[2:]))
    except ValueError as error:
        raise TrackerFileError(f"{where}: {error}") from error
    values = np.array(numbers)
    if not np.isfinite(time) or values[7] not in (0.0, 1.0):
        raise TrackerFileError(f"{where}: time must be finite and valid 0 or 1")
    length = np.linalg.norm(values[3:7])
    if values[7] and not 0.9 < length < 1.1:
        raise TrackerFileError(f"{where}: the quaternion's length is not 1")
    return time, words[1], values


def _complete(seen: set[str], where: str) -> None:
    """A frame has all six trackers, or the file was cut off in it."""
    missing = [name for name in TRACKERS if name not in seen]
    if seen and missing:
        raise TrackerFileError(f"{where}: the frame before lacks {', '.join(missing)}")
