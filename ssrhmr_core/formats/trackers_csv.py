# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes of trackers as tables: this project's own CSV, and what other programs write.

The columns of the own format are ``time,tracker,x,y,z,qw,qx,qy,qz,valid``: one row a tracker and
frame, metres, seconds, Y up. The rows of a frame stand together and have the same time; a tracker
that was not tracked has a row with ``valid`` 0, whose numbers may be ``nan`` or empty.

Optional trackers have rows after the six, with names that also say which bone a tracker at an elbow
or a knee sits on: ``left_elbow`` (the upper arm) or ``left_forearm``, ``left_knee`` (the thigh) or
``left_shin``. The position or the rotation of a tracker may be ``nan`` where it measures only the
other.

A recording of a live feed has one more column, ``device``, the serial or name. Its rows are the
readings as they came: each with a time of its own, not all trackers at each time, late ones late.
A crash may have cut it off in its last line. Read, it is a take of frames like any other.

Other tables may have other names, columns, units, axes, delimiters and encodings; see
:func:`load_trackers` and :mod:`ssrhmr_core.formats.columns`.
"""

from __future__ import annotations

import csv
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO

import numpy as np

from ..body.extra_trackers import EXTRA_TRACKERS
from ..body.skeleton import TRACKERS
from ..files import atomic_write
from ..tracking.extras.readings import ExtraReadings
from ..tracking.roles import name_of_role
from ..tracking.take import Take
from .columns import ColumnMapping
from .errors import MotionFileError, MotionFileWarning
from .motive_csv import is_motive, read_motive
from .orientation import parse_up
from .tables import LineError
from .text_files import read_text
from .tracker_table import FRAME_COLUMNS, READING_COLUMNS, read_tracker_table
from .tracks import Recording, to_take
from .trc import is_trc, read_trc
from .units import parse_unit

_MOST_BYTES = 1 << 28
"""Of an unpacked file: six trackers for an hour at 120 frames a second need as much."""


class TrackerFileError(MotionFileError):
    """A tracker file is damaged or incomplete; the message names the line."""


def load_trackers(
    path: str | Path,
    *,
    up: str | None = None,
    unit: str | float | None = None,
    columns: str | None = None,
) -> Take:
    """Read a take of the six trackers, and of optional ones if there are any.

    Tables (``.csv``, ``.tsv``, ``.txt``, also as ``.xz``) are this project's own, rigid bodies as
    Motive exports them, or have any columns that are recognised or named. A ``.trc`` has markers
    only: clusters of three or more with a common name (Head1, Head2, Head3) are devices. Devices
    become trackers by their names, and others are left out. What is inferred or missing is
    reported in a :class:`~ssrhmr_core.formats.errors.MotionFileWarning`.

    Args:
        path: The file.
        up: The up axis, such as "z". If None, it is inferred from the body, and Y in doubt.
        unit: The unit of positions, a name or metres. If None, it is that of the file's header, or
            metres unless trackers are much too far apart.
        columns: What the file does not say of its columns and devices, see
            :meth:`~ssrhmr_core.formats.columns.ColumnMapping.parse`.

    Raises:
        TrackerFileError: The file is damaged or incomplete, or lacks what only the user can say.
        MotionFileError: ``up`` or ``unit`` is unknown.
        ValueError: ``columns`` is wrong.
        OSError: The file cannot be opened.
    """
    path = Path(path)
    axis, metres = parse_up(up), parse_unit(unit)
    mapping = ColumnMapping.parse(columns or "")
    assumed: list[str] = []
    try:
        text = read_text(path, "a table of trackers", _MOST_BYTES, assumed)
        recording = _read_recording(text, mapping)
        recording = replace(recording, devices=mapping.devices)
        take, notes = to_take(recording, axis, metres)
    except LineError as error:
        raise TrackerFileError(
            f"{path.name}, line {error.line}: {error}. Correct that line, or record or export the"
            " file again"
        ) from error
    except ValueError as error:
        raise TrackerFileError(f"{path.name}: {error}") from error
    for note in [*assumed, *notes]:
        warnings.warn(f"{path.name}: {note}", MotionFileWarning, stacklevel=2)
    return take


def _read_recording(text: str, mapping: ColumnMapping) -> Recording:
    if is_motive(text):
        return read_motive(text)
    if is_trc(text):
        return read_trc(text)
    return read_tracker_table(text, mapping)


def save_trackers(path: str | Path, take: Take) -> None:
    """Write a take so that :func:`load_trackers` gives the same numbers back."""

    def write(file: IO[bytes]) -> None:
        file.writelines(line.encode("ascii") for line in _format_lines(take))

    atomic_write(path, write)


def _format_lines(take: Take) -> Iterator[str]:
    yield ",".join(FRAME_COLUMNS) + "\n"
    names: tuple[str, ...] = TRACKERS
    halves = [
        # Numbers of lost trackers are kept, those of halves that are not measured are not.
        (take.positions, take.turned),
        (take.rotations, take.placed),
    ]
    numbers = np.concatenate(
        [
            values if lacking is None else np.where(lacking[..., None], np.nan, values)
            for values, lacking in halves
        ],
        axis=-1,
    )
    valid_frames = take.has_position | take.has_rotation
    if take.extras:
        extra_names, extra_numbers, extra_valid = _tabulate_extras(take.extras)
        names = (*names, *extra_names)
        numbers = np.concatenate([numbers, extra_numbers], axis=1)
        valid_frames = np.concatenate([valid_frames, extra_valid], axis=1)
    for time, frame, valid in zip(take.times.tolist(), numbers, valid_frames, strict=True):
        for name, row, tracked in zip(names, frame.tolist(), valid, strict=True):
            # Nine digits hold a single-precision number.
            yield f"{time!r},{name},{','.join(f'{x:.9g}' for x in row)},{tracked:d}\n"


def _tabulate_extras(extras: ExtraReadings) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return names, numbers (F, W, 7) and validity (F, W) of the trackers that are worn."""
    indices = [EXTRA_TRACKERS.index(role) for role in extras.worn]
    names = [
        name_of_role(EXTRA_TRACKERS[index], "lower" if extras.lower[index] else "upper")
        for index in indices
    ]
    parts = (
        (extras.positions, extras.has_position),
        (extras.rotations, extras.has_rotation),
    )
    numbers = [np.where(has[:, indices, None], values[:, indices], np.nan) for values, has in parts]
    valid = (extras.has_position | extras.has_rotation)[:, indices]
    return names, np.concatenate(numbers, axis=-1), valid


class Recorder:
    """Write readings of a live feed as they come.

    What was written up to the last ``flush`` survives a crash of the program.
    """

    def __init__(self, path: str | Path) -> None:
        """Open the file, and replace an existing one.

        Raises:
            OSError: The file cannot be written.
        """
        self.path = Path(path)
        self.readings = 0
        self._file = self.path.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._writer.writerow(READING_COLUMNS)

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
            time: The time in seconds, kept to a tenth of a microsecond; times need not rise.
            tracker: One of :data:`~ssrhmr_core.formats.columns.TRACKER_NAMES`.
            position: The position x, y, z in metres; nan where a tracker has none.
            rotation: The quaternion w, x, y, z; nan where a tracker has none.
            valid: Whether the device was tracked.
            device: The device's serial or name.

        Raises:
            OSError: The disk is full.
        """
        self._write(time, tracker, (*position, *rotation), valid, device)
        self.readings += 1

    def add_detail(
        self,
        time: float,
        name: str,
        position: Iterable[float],
        rotation: Iterable[float],
        valid: bool,
    ) -> None:
        """Write a reading of something that is not a tracker; it does not count as one.

        Args:
            time: The time in seconds.
            name: What it is, see :mod:`ssrhmr_core.formats.detail_rows`.
            position: The position x, y, z in metres.
            rotation: The quaternion w, x, y, z.
            valid: Whether it was tracked.

        Raises:
            OSError: The disk is full.
        """
        self._write(time, name, (*position, *rotation), valid, "")

    def _write(
        self, time: float, tracker: str, pose: Iterable[float], valid: bool, device: str
    ) -> None:
        # One line a reading: a crash may cut it off anywhere.
        columns = [" ".join(text.split()) for text in (tracker, device)]
        columns = [text.encode("ascii", "backslashreplace").decode() for text in columns]
        numbers = [f"{x:.9g}" for x in pose]
        self._writer.writerow([f"{time:.7f}", columns[0], *numbers, int(valid), columns[1]])

    def flush(self) -> None:
        """Pass everything written so far to the operating system.

        Raises:
            OSError: The disk is full.
        """
        self._file.flush()

    def close(self) -> None:
        """Close the file.

        Raises:
            OSError: The disk is full; the file is closed all the same.
        """
        self._file.close()
