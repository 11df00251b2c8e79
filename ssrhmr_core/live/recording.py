# SPDX-License-Identifier: GPL-3.0-or-later
"""Recording of raw readings while a session runs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ..formats.trackers_csv import Recorder, load_trackers
from ..streaming.readings import Reading, StreamingError
from ..tracking.take import Take

_FLUSH_INTERVAL = 0.5
"""Seconds between two flushes: a crash loses no more than that."""
_MISSING = (np.nan,) * 4
_FORMULA_STARTS = ("=", "+", "-", "@")


@dataclass(frozen=True)
class RawTake:
    """A recording on disk.

    Attributes:
        path: The tracker CSV; :func:`ssrhmr_core.formats.trackers_csv.load_trackers` reads it.
        readings: Number of rows.
        seconds: Length of the recording.
        first: Seconds from its beginning to the first reading.
        began: Seconds on the session's clock that are time zero in the file.
    """

    path: Path
    readings: int
    seconds: float
    first: float
    began: float

    def load(self) -> Take:
        """Read the recording as frames of the six and optional trackers, not calibrated yet.

        Raises:
            TrackerFileError: if nothing was recorded, or the file was changed since.
            OSError: if the file cannot be opened.
        """
        return load_trackers(self.path)


class TakeRecorder:
    """Writes the readings of bound trackers to a file while it is started.

    A disk that fills up ends the recording, not the performance: ``error`` says so.

    Attributes:
        error: Why the last recording ended early, in plain words; "" if it did not.
    """

    def __init__(self) -> None:
        """Create a recorder that is not started."""
        self.error = ""
        self._recorder: Recorder | None = None
        self._began = self._flushed = self._first = self._last = 0.0

    @property
    def readings(self) -> int:
        """Number of readings recorded so far, -1 when not recording."""
        return self._recorder.readings if self._recorder else -1

    @property
    def seconds(self) -> float:
        """Length of the recording so far, 0 when not recording."""
        return self._last if self._recorder else 0.0

    def start(self, path: str | Path, now: float) -> None:
        """Create the file.

        Args:
            path: Path of the file; an existing one is replaced.
            now: Seconds on the session's clock that become time zero in the file.

        Raises:
            OSError: if the file cannot be written.
        """
        self._recorder = Recorder(path)
        self.error = ""
        self._began = self._flushed = now
        self._first, self._last = np.inf, 0.0

    def stop(self) -> RawTake:
        """Close the file.

        Raises:
            StreamingError: if nothing is being recorded.
            OSError: if the rest could not be written.
        """
        recorder, self._recorder = self._recorder, None
        if not recorder:
            raise StreamingError(self.error or "it is not recording: begin a recording first")
        recorder.close()
        first = self._first if recorder.readings else 0.0
        return RawTake(recorder.path, recorder.readings, self._last, first, self._began)

    def add(self, tracker: str, reading: Reading) -> None:
        """Write a reading, if a recording is running.

        Args:
            tracker: One of :data:`~ssrhmr_core.formats.columns.TRACKER_NAMES`.
            reading: The reading.
        """
        if not self._recorder:
            return
        time = reading.time - self._began
        self._first = min(self._first, time)
        self._last = max(self._last, time)
        self._write(
            partial(
                self._recorder.add,
                time,
                tracker,
                reading.position if reading.has_position else _MISSING[:3],
                reading.rotation if reading.has_rotation else _MISSING,
                reading.valid,
                _escape_formula(reading.device),
            )
        )

    def add_detail(self, name: str, reading: Reading) -> None:
        """Write a reading of a finger, a shape of the face or a prop, if a recording is running.

        Args:
            name: What stands for the tracker in its row.
            reading: The reading.
        """
        if self._recorder:
            self._write(
                partial(
                    self._recorder.add_detail,
                    reading.time - self._began,
                    name,
                    reading.position,
                    reading.rotation,
                    reading.valid,
                )
            )

    def flush(self, now: float) -> None:
        """Hand what was written to the system, if it is time to do so."""
        if self._recorder and now - self._flushed >= _FLUSH_INTERVAL:
            self._flushed = now
            self._write(self._recorder.flush)

    def _write(self, write: Callable[[], None]) -> None:
        try:
            write()
        except OSError as error:
            recorder, self._recorder = self._recorder, None
            self.error = (
                f"the recording ended: {error.strerror or error}. What came before is kept: record"
                " on in another folder, or make room"
            )
            if recorder:
                with contextlib.suppress(OSError):
                    recorder.close()


def _escape_formula(name: str) -> str:
    """Return a name that no spreadsheet runs: it came over the network."""
    return f"'{name}" if name.lstrip().startswith(_FORMULA_STARTS) else name
