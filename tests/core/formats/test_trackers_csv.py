"""Tracker takes as CSV."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ssrhmr_core.formats.trackers_csv import TrackerFileError, load_trackers, save_trackers
from ssrhmr_core.motion import Motion
from ssrhmr_core.skeleton import TRACKERS
from ssrhmr_core.trackers import Take


@pytest.fixture
def take(motion: Motion) -> Take:
    """Ideal trackers on an uneven clock, some of them lost for a while."""
    ideal = Take.from_motion(motion.at(np.cumsum(np.linspace(0.01, 0.03, 40))))
    valid = ideal.valid.copy()
    valid[5:9, 2] = False
    valid[:3, 4] = False
    positions = ideal.positions.copy()
    positions[5:9, 2] = np.nan
    return Take(ideal.times, positions, ideal.rotations, valid)


def test_round_trip(tmp_path: Path, take: Take) -> None:
    save_trackers(tmp_path / "take.csv", take)
    loaded = load_trackers(tmp_path / "take.csv")
    assert np.array_equal(loaded.times, take.times)
    assert np.array_equal(loaded.positions, take.positions, equal_nan=True)
    assert np.abs(loaded.rotations - take.rotations).max() < 1e-6
    assert np.array_equal(loaded.valid, take.valid)
    assert loaded.positions.dtype == loaded.rotations.dtype == np.float32
    assert [file.name for file in tmp_path.iterdir()] == ["take.csv"]


def text(take: Take, path: Path) -> str:
    save_trackers(path, take)
    return path.read_text(encoding="utf-8")


def lines_of(words: str, edit: Callable[[list[str]], list[str]]) -> str:
    return "\n".join(edit(words.splitlines())) + "\n"


@pytest.mark.parametrize(
    "edit",
    [
        lambda t: "\ufeff" + t,
        lambda t: t.replace("\n", "\r\n"),
        lambda t: t.replace("\n", "\n\n"),
        lambda t: t.replace(",1\n", ",true\n").replace(",0\n", ",False\n"),
        lambda t: t.replace("nan", ""),
        lambda t: t.replace("time,", "Time,").replace(",x,", ", X ,"),
        lambda t: t.rstrip(),
        # Trackers of a frame in any order.
        lambda t: lines_of(t, lambda rows: [rows[0], *reversed(rows[1:7]), *rows[7:]]),
    ],
    ids=["bom", "crlf", "blank lines", "words", "empty", "heads", "no line feed", "order"],
)
def test_spellings(tmp_path: Path, take: Take, edit: Callable[[str], str]) -> None:
    path = tmp_path / "take.csv"
    path.write_bytes(edit(text(take, path)).encode("utf-8"))
    loaded = load_trackers(path)
    assert np.array_equal(loaded.times, take.times)
    assert np.array_equal(loaded.positions, take.positions, equal_nan=True)
    assert np.array_equal(loaded.valid, take.valid)


def test_quaternions_are_normalised(tmp_path: Path, take: Take) -> None:
    path = tmp_path / "take.csv"
    rows = ["time,tracker,x,y,z,qw,qx,qy,qz,valid"]
    rows += [f"0.5,{name},0,1,2,0.6,0,0.61,0,1" for name in TRACKERS]
    path.write_text("\n".join(rows))
    assert np.allclose(np.linalg.norm(load_trackers(path).rotations, axis=-1), 1.0)


def replace(line: int, old: str, new: str) -> Callable[[list[str]], list[str]]:
    """An edit of one line, counted from 1."""

    def edit(rows: list[str]) -> list[str]:
        assert old in rows[line - 1]
        rows[line - 1] = rows[line - 1].replace(old, new, 1)
        return rows

    return edit


def number(line: int, column: int, new: str) -> Callable[[list[str]], list[str]]:
    """An edit of one value of one line, counted from 1."""

    def edit(rows: list[str]) -> list[str]:
        words = rows[line - 1].split(",")
        words[column] = new
        rows[line - 1] = ",".join(words)
        return rows

    return edit


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda rows: rows[1:], "line 1: the columns must be time,tracker"),
        (lambda rows: rows[:1], "line 1: no frames"),
        (lambda rows: [], "line 0: the columns"),
        (replace(3, "head", "hat"), "line 3: unknown tracker 'hat'; known are pelvis"),
        (replace(3, "head", "pelvis"), "line 3: a second row for pelvis at 0.01 s"),
        (lambda rows: rows[:3] + rows[4:], "line 7: no row for left_hand at 0.01 s"),
        (lambda rows: rows[:-1], "line 240: no row for right_foot at .* cut off"),
        (number(9, 2, "abc"), "line 9: .*'abc'"),
        (number(9, 2, "nan"), "line 9: head is marked as valid"),
        (number(9, 5, ""), "line 9: "),
        (number(9, 9, "yes"), "line 9: valid is 'yes'"),
        (number(9, 0, "nan"), "line 9: the time is 'nan'"),
        (lambda rows: rows[:7] + rows[1:], "line 8: the time 0.01 s does not rise"),
        (lambda rows: rows[:1] + rows[7:13] + rows[1:7], "line 8: the time 0.01 s does not rise"),
        (lambda rows: [*rows[:-1], rows[-1][:20]], "line 241: .* values where 10 belong"),
    ],
)
def test_damages(
    tmp_path: Path, take: Take, edit: Callable[[list[str]], list[str]], message: str
) -> None:
    path = tmp_path / "take.csv"
    path.write_text("\n".join(edit(text(take, path).splitlines())))
    with pytest.raises(TrackerFileError, match=message) as error:
        load_trackers(path)
    assert str(error.value).startswith("take.csv")


def test_zero_quaternion(tmp_path: Path) -> None:
    path = tmp_path / "take.csv"
    path.write_text("time,tracker,x,y,z,qw,qx,qy,qz,valid\n0,head,0,0,0,0,0,0,0,1\n")
    with pytest.raises(TrackerFileError, match="line 2: head is marked as valid"):
        load_trackers(path)


def test_not_text(tmp_path: Path) -> None:
    path = tmp_path / "take.csv"
    path.write_bytes(bytes(range(256)))
    with pytest.raises(TrackerFileError, match=r"take\.csv: not a text file"):
        load_trackers(path)
