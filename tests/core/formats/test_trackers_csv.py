# SPDX-License-Identifier: GPL-3.0-or-later
"""Tracker takes as CSV."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import TRACKERS
from ssrhmr_core.formats import MotionFileWarning
from ssrhmr_core.formats.trackers_csv import (
    Recorder,
    TrackerFileError,
    load_trackers,
    save_trackers,
)
from ssrhmr_core.tracking.take import Take
from tests.core.drawn import seeds, takes
from tests.core.formats.table_trackers import is_same
from tests.core.formats.tracker_files import NAMES, ROLES, Style, long_table, standing_take


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


def check_round_trip(folder: Path, take: Take) -> Take:
    save_trackers(folder / "take.csv", take)
    loaded = load_trackers(folder / "take.csv")
    assert np.array_equal(loaded.times, take.times)
    assert np.array_equal(loaded.positions, take.positions, equal_nan=True)
    assert np.abs(loaded.rotations - take.rotations).max() < 1e-6
    assert np.array_equal(loaded.valid, take.valid)
    return loaded


def test_round_trip(tmp_path: Path, take: Take) -> None:
    loaded = check_round_trip(tmp_path, take)
    assert loaded.positions.dtype == loaded.rotations.dtype == np.float32
    assert [file.name for file in tmp_path.iterdir()] == ["take.csv"]


@given(take=takes())
def test_any_take_is_written_and_read(tmp_path: Path, take: Take) -> None:
    check_round_trip(tmp_path, take)


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


def replace_in(line: int, old: str, new: str) -> Callable[[list[str]], list[str]]:
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
        (lambda rows: rows[1:], "no column of times among 0.01, pelvis"),
        (lambda rows: rows[:1], "no readings: nothing was recorded"),
        (lambda rows: [], "the file is empty"),
        (replace_in(3, "head", "hat"), "line 7: no row for head at 0.01 s, but for 'hat'"),
        (replace_in(3, "head", "pelvis"), "line 3: a second row for pelvis at 0.01 s"),
        (lambda rows: rows[:3] + rows[4:], "line 6: no row for left_hand at 0.01 s"),
        (lambda rows: rows[:-1], "line 240: no row for right_foot at .* cut off"),
        (number(9, 2, "abc"), "line 9: .*'abc'"),
        (number(9, 2, "nan"), "line 9: head is marked as valid"),
        (number(9, 5, ""), "line 9: "),
        (number(9, 9, "maybe"), "line 9: valid is 'maybe'"),
        (number(9, 0, "nan"), "line 9: the time is 'nan'"),
        (lambda rows: rows[:7] + rows[1:], "line 8: a second row for pelvis at 0.01 s"),
        (lambda rows: rows[:1] + rows[7:13] + rows[1:7], "line 8: the time 0.01 s does not rise"),
        (lambda rows: [*rows[:-1], rows[-1][:20]], "line 241: .* values where 10 belong"),
        (number(9, 2, "1e39"), "line 9: head is marked as valid"),
        (number(9, 5, "1e300"), "line 9: head is marked as valid"),
        (lambda rows: [re.sub(r"^0\.01,", "-1e6,", row) for row in rows], "lasts 278 hours"),
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


# --- Tables of other programs; the table of files has more --------------------------------------

OTHER = Style(names=NAMES["title"], delimiter=";", comma=",")
HEADER = "Timestamp,Device,pos_x,pos_y,pos_z,rot_x,rot_y,rot_z,rot_w,Tracked"


def read(folder: Path, text: str, **options: Any) -> Take:
    path = folder / "take.csv"
    path.write_text(text, encoding="utf-8")
    return load_trackers(path, **options)


def test_a_table_of_a_spreadsheet(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    """Semicolons, decimal commas, capitals, other names, quaternions with w last."""
    take = standing_take()
    loaded = read(tmp_path, long_table(take, OTHER, HEADER, "xyzw"))
    assert is_same(loaded, take)
    assert not recwarn.list


def test_trackers_that_nobody_asked_for_are_left_out(tmp_path: Path) -> None:
    take = standing_take()
    text = long_table(take, OTHER, HEADER, "xyzw")
    feet = [line for line in text.splitlines() if "LeftFoot" in line]
    extra = [line.replace("LeftFoot", "LeftKnee") for line in feet]
    with pytest.warns(MotionFileWarning, match=r"take\.csv: left out 'LeftKnee', which"):
        assert is_same(read(tmp_path, text + "\n".join(extra)), take)


def test_trackers_that_are_missing_were_never_seen(tmp_path: Path) -> None:
    take = standing_take()
    lines = long_table(take, Style()).splitlines()
    kept = "\n".join(line for line in lines if "foot" not in line)
    with pytest.warns(MotionFileWarning, match="no readings of left_foot, right_foot: assumed"):
        loaded = read(tmp_path, kept)
    assert loaded.valid.all(0).tolist() == [True, True, True, True, False, False]
    assert not loaded.valid[:, 4:].any()


@pytest.mark.parametrize(("unit", "scale"), [("ms", 1e3), ("us", 1e6), ("ns", 1e9)])
def test_times_that_are_no_seconds(tmp_path: Path, unit: str, scale: float) -> None:
    """Ten seconds stay ten seconds: they were 16 hours once, or refused."""
    take = standing_take(300)
    text = long_table(take, Style(time=lambda seconds: f"{scale * seconds:.0f}"))
    with pytest.warns(MotionFileWarning, match=rf"a frame: assumed {unit}; set the unit"):
        loaded = read(tmp_path, text)
    assert loaded.times[-1] - loaded.times[0] == pytest.approx(299 / 30, abs=2e-3)
    named = read(tmp_path, text, columns=f"time=time:{unit}")
    assert np.array_equal(named.times, loaded.times)


def test_numbers_of_frames_need_a_rate(tmp_path: Path) -> None:
    take = standing_take()
    text = long_table(take, Style(time=lambda seconds: f"{30.0 * seconds:.0f}"))
    with pytest.raises(TrackerFileError, match="times rise by 1 a frame, and must be in seconds"):
        read(tmp_path, text)
    assert is_same(read(tmp_path, text, columns="time=time:30fps"), take)


@pytest.mark.parametrize(("up", "unit"), [("z", "m"), ("-x", "cm"), ("z", "mm"), ("y", "in")])
def test_axes_and_units(tmp_path: Path, up: str, unit: str) -> None:
    """What the body says, and what the user says."""
    take = standing_take()
    text = long_table(take, Style(up=up, unit=unit))
    with pytest.warns(MotionFileWarning, match="assumed"):
        assert is_same(read(tmp_path, text), take)
    assert is_same(read(tmp_path, text, up=up, unit=unit), take)
    assert not is_same(read(tmp_path, text, up="-y", unit=unit), take)
    assert not is_same(read(tmp_path, text, up=up, unit="dm"), take)


def test_devices_that_the_user_names(tmp_path: Path) -> None:
    take = standing_take()
    text = long_table(take, Style(names=NAMES["serials"]), HEADER, "xyzw")
    with pytest.raises(TrackerFileError, match=r"no device is named like a tracker; .*'LHR-0A'"):
        read(tmp_path, text)
    assert is_same(read(tmp_path, text, columns=ROLES), take)
    with pytest.raises(TrackerFileError, match="no device 'LHR-9' for head"):
        read(tmp_path, text, columns="head=LHR-9")


def test_devices_with_the_same_role(tmp_path: Path) -> None:
    text = long_table(standing_take(), Style()).replace("right_foot", "left_ankle")
    with pytest.raises(TrackerFileError, match="'left_foot' and 'left_ankle' both seem to be left"):
        read(tmp_path, text)
    with pytest.warns(MotionFileWarning, match="left out 'left_foot'"):
        loaded = read(tmp_path, text, columns="left_foot=left_ankle")
    assert loaded.valid[:, TRACKERS.index("left_foot")].all()


def test_a_recording_with_times_that_the_user_names(tmp_path: Path, take: Take) -> None:
    """The columns of the own formats keep their meaning."""
    lines = record(tmp_path / "take.csv", take, all_readings(take))
    loaded = read(tmp_path, "\n".join(lines), columns="time=time:s")
    np.testing.assert_allclose(loaded.times, take.times, atol=1e-7)


# --- Recordings: readings as they came ---------------------------------------------------------


def record(path: Path, take: Take, order: np.ndarray, device: str = "LHR-1") -> list[str]:
    """Record the readings (frame, tracker) of a take in some order; return the lines."""
    recorder = Recorder(path)
    for frame, tracker in order:
        position, rotation = take.positions[frame, tracker], take.rotations[frame, tracker]
        valid = bool(take.valid[frame, tracker])
        time = float(take.times[frame])
        recorder.add(time, TRACKERS[tracker], position, rotation, valid, device)
    assert recorder.readings == len(order)
    recorder.close()
    return path.read_text(encoding="utf-8").splitlines()


@given(take=takes(), device=st.text(max_size=12), seed=seeds())
def test_any_recording_in_any_order(tmp_path: Path, take: Take, device: str, seed: int) -> None:
    """Readings that came all together, whatever their devices are called, late ones among them."""
    order = np.random.default_rng(seed).permutation(all_readings(take))
    record(tmp_path / "take.csv", take, order, device)
    loaded = load_trackers(tmp_path / "take.csv")
    np.testing.assert_allclose(loaded.times, take.times, atol=1e-7)
    assert np.array_equal(loaded.valid, take.valid)
    assert np.array_equal(loaded.positions[take.valid], take.positions[take.valid])
    assert np.abs(loaded.rotations - take.rotations)[take.valid].max(initial=0.0) < 1e-6


def test_a_recording_of_days_is_none(tmp_path: Path, take: Take) -> None:
    """Times in milliseconds, most likely."""
    path = tmp_path / "take.csv"
    rows = record(path, take, all_readings(take))
    path.write_text("\n".join([*rows, rows[-1].replace(rows[-1].split(",")[0], "200000", 1)]))
    with pytest.raises(TrackerFileError, match="lasts 56 hours: times must be given in seconds"):
        load_trackers(path)


def all_readings(take: Take) -> np.ndarray:
    return np.stack(np.meshgrid(range(len(take)), range(6), indexing="ij"), -1).reshape(-1, 2)


def test_a_recording_comes_back(tmp_path: Path, take: Take) -> None:
    record(tmp_path / "take.csv", take, all_readings(take))
    loaded = load_trackers(tmp_path / "take.csv")
    np.testing.assert_allclose(loaded.times, take.times, atol=1e-7)
    assert np.array_equal(loaded.valid, take.valid)
    valid = take.valid
    assert np.array_equal(loaded.positions[valid], take.positions[valid])
    assert np.abs(loaded.rotations - take.rotations)[valid].max() < 3e-6
    assert np.isfinite(loaded.positions).all()


def test_the_order_of_readings_does_not_matter(tmp_path: Path, take: Take) -> None:
    record(tmp_path / "a.csv", take, all_readings(take))
    mixed = np.random.default_rng(1).permutation(all_readings(take))
    record(tmp_path / "b.csv", take, mixed)
    one, other = load_trackers(tmp_path / "a.csv"), load_trackers(tmp_path / "b.csv")
    assert np.array_equal(one.times, other.times) and np.array_equal(one.valid, other.valid)
    assert np.array_equal(one.positions, other.positions)


def test_readings_that_were_lost_are_bridged_as_long_as_that_is_short(
    tmp_path: Path, motion: Motion
) -> None:
    take = Take.from_motion(motion)
    order = all_readings(take)
    lost = (order[:, 1] == 3) & ((order[:, 0] == 20) | (np.abs(order[:, 0] - 80) < 20))
    record(tmp_path / "take.csv", take, order[~lost])
    loaded = load_trackers(tmp_path / "take.csv")
    assert len(loaded) == len(take)
    assert loaded.valid[:61].all() and loaded.valid[100:].all()
    assert not loaded.valid[61:100, 3].any()
    between = 0.5 * (take.positions[19, 3] + take.positions[21, 3])
    np.testing.assert_allclose(loaded.positions[20, 3], between, atol=1e-6)


def test_a_tracker_without_any_reading_is_never_seen(tmp_path: Path, take: Take) -> None:
    order = all_readings(take)
    record(tmp_path / "take.csv", take, order[order[:, 1] != 5])
    loaded = load_trackers(tmp_path / "take.csv")
    assert not loaded.valid[:, 5].any() and loaded.valid[:, 0].all()


@pytest.mark.parametrize("cut", [1, 5, 20, 40])
def test_a_recording_that_was_cut_off_by_a_crash(tmp_path: Path, take: Take, cut: int) -> None:
    path = tmp_path / "take.csv"
    record(path, take, all_readings(take))
    text = path.read_bytes()
    path.write_bytes(text[:-cut])
    loaded = load_trackers(path)
    assert len(loaded) == len(take)


def test_any_name_of_a_device_stays_in_its_column(tmp_path: Path, take: Take) -> None:
    name = 'Tracker "1", left\r\nfoot \u8db3'
    lines = record(tmp_path / "take.csv", take, all_readings(take), name)
    assert len(lines) == 1 + 6 * len(take)
    assert lines[1].isascii()
    assert len(load_trackers(tmp_path / "take.csv")) == len(take)


def test_readings_at_two_times_a_frame_apart_are_two_frames(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "take.csv")
    unit = (1.0, 0.0, 0.0, 0.0)
    for frame in range(5):
        for tracker, name in enumerate(TRACKERS):
            time = 0.02 * frame + 0.001 * tracker
            recorder.add(time, name, (time, 0.0, 0.0), unit, True, "a")
    recorder.close()
    loaded = load_trackers(tmp_path / "take.csv")
    np.testing.assert_allclose(loaded.times, 0.0025 + 0.02 * np.arange(5), atol=1e-9)
    # All of them at the time of the frame, where they have readings around it.
    np.testing.assert_allclose(
        loaded.positions[1:-1, :, 0], np.repeat(loaded.times[1:-1, None], 6, 1), atol=1e-6
    )


def test_the_same_reading_twice(tmp_path: Path, take: Take) -> None:
    record(tmp_path / "take.csv", take, np.repeat(all_readings(take), 2, 0))
    assert len(load_trackers(tmp_path / "take.csv")) == len(take)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda rows: rows[:1], "no readings: nothing was recorded"),
        (replace_in(3, "head", "h\u0444t,"), "line 3: 12 values where 11 belong"),
        (replace_in(3, ",1,", ",2,"), "line 3: valid is '2'"),
        (number(3, 2, "nan"), "line 3: head is marked as valid"),
        (lambda rows: [*rows[:3], rows[3][:20], *rows[4:]], "line 4: .* values where 11 belong"),
    ],
)
def test_damages_of_recordings(
    tmp_path: Path, take: Take, edit: Callable[[list[str]], list[str]], message: str
) -> None:
    path = tmp_path / "take.csv"
    path.write_text("\n".join(edit(record(path, take, all_readings(take)))))
    with pytest.raises(TrackerFileError, match=message):
        load_trackers(path)
