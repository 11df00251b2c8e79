# SPDX-License-Identifier: GPL-3.0-or-later
"""The recorder of raw readings."""

from __future__ import annotations

from pathlib import Path

import pytest

from ssrhmr_core.live.recording import TakeRecorder
from ssrhmr_core.streaming import Reading, StreamingError


def reading(time: float, device: str = "LHR-1") -> Reading:
    return Reading(device, (0.0, 1.7, time), (1.0, 0.0, 0.0, 0.0), time)


def test_what_is_added_while_it_runs_is_recorded(tmp_path: Path) -> None:
    recorder = TakeRecorder()
    recorder.add("head", reading(0.5))
    assert (recorder.readings, recorder.seconds) == (-1, 0.0)
    recorder.start(tmp_path / "take.csv", 1.0)
    for index in range(4):
        recorder.add("head", reading(1.25 + 0.25 * index))
    assert (recorder.readings, recorder.seconds) == (4, 1.0)
    take = recorder.stop()
    assert (take.readings, take.seconds, take.first, take.began) == (4, 1.0, 0.25, 1.0)
    assert take.load().times.tolist() == [0.25, 0.5, 0.75, 1.0]
    with pytest.raises(StreamingError, match="it is not recording"):
        recorder.stop()


def test_flushing_now_and_then(tmp_path: Path) -> None:
    recorder, path = TakeRecorder(), tmp_path / "take.csv"
    recorder.start(path, 0.0)
    recorder.add("head", reading(0.1))
    recorder.flush(0.4)
    assert path.read_text() == ""
    recorder.flush(0.5)
    assert path.read_text().count("\n") == 2
    recorder.stop()


@pytest.mark.parametrize("name", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)"])
def test_names_are_no_formulas_to_a_spreadsheet(tmp_path: Path, name: str) -> None:
    recorder, path = TakeRecorder(), tmp_path / "take.csv"
    recorder.start(path, 0.0)
    recorder.add("head", reading(0.1, name))
    take = recorder.stop()
    last = path.read_text().splitlines()[1].rpartition(",")[2].strip('"')
    assert last == f"'{name}"
    assert len(take.load()) == 1
