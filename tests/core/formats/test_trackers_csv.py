# SPDX-License-Identifier: GPL-3.0-or-later
"""Tracker takes as CSV."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssrhmr_core.body.extra_trackers import EXTRA_TRACKERS, Segment
from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import TRACKERS
from ssrhmr_core.formats import MotionFileWarning
from ssrhmr_core.formats.trackers_csv import (
    Recorder,
    TrackerFileError,
    load_trackers,
    save_trackers,
)
from ssrhmr_core.tracking.extras.readings import ExtraReadings
from ssrhmr_core.tracking.take import Take
from tests.core.conftest import make_motion, make_skeleton
from tests.core.drawn import seeds, takes
from tests.core.formats.table_trackers import is_same
from tests.core.formats.tracker_files import (
    NAMES,
    ROLES,
    Style,
    long_table,
    standing_take,
    wide_table,
)

EXTRAS = ("chest", "left_elbow", "right_elbow", "left_knee", "right_knee")
INDEX = {role: index for index, role in enumerate(EXTRA_TRACKERS)}


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
    extra = [line.replace("LeftFoot", "Sword") for line in feet]
    with pytest.warns(MotionFileWarning, match=r"take\.csv: left out 'Sword', which"):
        loaded = read(tmp_path, text + "\n".join(extra))
    assert is_same(loaded, take) and loaded.extras is None


# --- Optional trackers --------------------------------------------------------------------------


def take_with_extras(frames: int = 30) -> Take:
    """Return a take in which elbows, knees and the chest are tracked, some of them in part."""
    motion = make_motion(make_skeleton(), frames, 30.0)
    take = Take.from_motion(motion)
    segments: dict[str, Segment] = {"right_elbow": "lower", "left_knee": "lower"}
    extras = ExtraReadings.from_motion(motion, EXTRAS, segments)
    # An elbow that is lost for a while, an IMU at the right knee, a point on the chest.
    extras.has_position[5:9, INDEX["left_elbow"]] = False
    extras.has_rotation[5:8, INDEX["left_elbow"]] = False
    extras.has_position[:, INDEX["right_knee"]] = False
    extras.has_rotation[:, INDEX["chest"]] = False
    return replace(take, extras=extras)


def check_extras(loaded: Take, take: Take, tolerance: float = 1e-6) -> None:
    assert take.extras is not None and loaded.extras is not None
    assert np.array_equal(loaded.extras.lower, take.extras.lower)
    assert np.array_equal(loaded.extras.has_position, take.extras.has_position)
    assert np.array_equal(loaded.extras.has_rotation, take.extras.has_rotation)
    apart = np.abs(loaded.extras.positions - take.extras.positions)
    assert apart[take.extras.has_position].max() < tolerance
    share = np.abs((loaded.extras.rotations * take.extras.rotations).sum(-1))
    assert share[take.extras.has_rotation].min() > 1.0 - tolerance


def test_optional_trackers_are_written_and_read(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    take = take_with_extras()
    assert check_round_trip(tmp_path, take).extras is not None
    check_extras(load_trackers(tmp_path / "take.csv"), take)
    assert not recwarn.list
    lines = (tmp_path / "take.csv").read_text(encoding="utf-8").splitlines()
    names = [line.split(",")[1] for line in lines[1 : 1 + 6 + len(EXTRAS)]]
    extras = ["chest", "left_elbow", "right_forearm", "left_shin", "right_knee"]
    assert names == [*TRACKERS, *extras]
    # A take without them is written as it always was.
    check_round_trip(tmp_path, replace(take, extras=None))
    lines = (tmp_path / "take.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 + 6 * len(take)


def test_a_frame_that_lacks_an_optional_tracker_was_cut_off(tmp_path: Path) -> None:
    save_trackers(tmp_path / "take.csv", take_with_extras())
    lines = (tmp_path / "take.csv").read_text(encoding="utf-8").splitlines()
    with pytest.raises(TrackerFileError, match=r"no row for right_knee at .* cut off"):
        read(tmp_path, "\n".join(lines[:-1]))


def optional_table(take: Take, style: Style, names: Mapping[str, str]) -> str:
    """Write optional trackers of a take that has nothing else to a long table."""
    extras = take.extras
    assert extras is not None
    rows = [INDEX[role] for role in names]
    part = Take(
        take.times,
        np.concatenate([take.positions, extras.positions[:, rows]], axis=1)[:, -6:],
        np.concatenate([take.rotations, extras.rotations[:, rows]], axis=1)[:, -6:],
        take.valid,
    )
    style = replace(style, names=([""] * 6 + [*names.values()])[-6:])
    lines = long_table(part, style, HEADER, "xyzw").splitlines()[1:]
    return "\n".join(line for line in lines if line.split(style.delimiter)[1])


def whole_take() -> Take:
    return Take.from_motion(make_motion(make_skeleton(), 30, 30.0), EXTRAS)


def test_optional_trackers_turn_and_scale_as_the_six(tmp_path: Path) -> None:
    take = whole_take()
    style = Style(names=NAMES["title"], up="z", unit="cm")
    text = long_table(take, style, HEADER, "xyzw")
    names = {role: f"Tracker {role}" for role in EXTRAS}
    text += optional_table(take, style, names)
    with pytest.warns(MotionFileWarning, match="assumed"):
        loaded = read(tmp_path, text)
    check_extras(loaded, take, 1e-4)
    check_extras(read(tmp_path, text, up="z", unit="cm"), take, 1e-4)


def test_optional_trackers_that_the_user_names(tmp_path: Path) -> None:
    take = whole_take()
    assert take.extras is not None
    text = long_table(take, Style(), HEADER, "xyzw")
    names = {"chest": "LHR-20", "left_elbow": "LHR-21", "right_knee": "LHR-22"}
    text += optional_table(take, Style(), names)
    with pytest.warns(MotionFileWarning, match="left out 'LHR-20', 'LHR-21', 'LHR-22'"):
        assert read(tmp_path, text).extras is None
    named = "chest=LHR-20,left_forearm=LHR-21,right_knee=LHR-22"
    loaded = read(tmp_path, text, columns=named).extras
    assert loaded is not None and loaded.worn == tuple(names)
    assert np.flatnonzero(loaded.lower).tolist() == [INDEX["left_elbow"]]
    np.testing.assert_allclose(
        loaded.positions[:, INDEX["right_knee"]],
        take.extras.positions[:, INDEX["right_knee"]],
        atol=1e-5,
    )


def test_several_devices_at_one_joint(tmp_path: Path) -> None:
    """Above the joint counts before below it; of two that are called alike neither is taken."""
    take = whole_take()
    text = long_table(take, Style(), HEADER, "xyzw")
    names = {"left_knee": "LeftThigh", "left_elbow": "LeftShin", "right_knee": "knee.R"}
    text += optional_table(take, Style(), names) + "\n"
    text += optional_table(take, Style(), {"right_knee": "right_knee"})
    with pytest.warns(MotionFileWarning, match="left out 'LeftShin', 'knee.R', 'right_knee'"):
        loaded = read(tmp_path, text).extras
    assert loaded is not None and loaded.worn == ("left_knee",) and not loaded.lower.any()


def test_optional_trackers_with_one_part_in_columns_of_their_own(tmp_path: Path) -> None:
    """An IMU has no position, a marker has no rotation, and either may be lost."""
    take = whole_take()
    assert take.extras is not None
    lines = wide_table(take, Style()).splitlines()
    elbow, knee = (INDEX[role] for role in ("left_elbow", "right_knee"))
    lines[0] += ",left_elbow_qw,left_elbow_qx,left_elbow_qy,left_elbow_qz"
    lines[0] += ",right_knee_x,right_knee_y,right_knee_z"
    for frame in range(len(take)):
        quaternion = "0,0,0,0"
        if frame != 3:
            quaternion = ",".join(f"{x:.7f}" for x in take.extras.rotations[frame, elbow])
        point = ",,"
        if frame != 4:
            point = ",".join(f"{x:.7f}" for x in take.extras.positions[frame, knee])
        lines[1 + frame] += f",{quaternion},{point}"
    loaded = read(tmp_path, "\n".join(lines))
    assert is_same(loaded, take)
    extras = loaded.extras
    assert extras is not None and extras.worn == ("left_elbow", "right_knee")
    assert not extras.has_position[:, elbow].any() and not extras.has_rotation[:, knee].any()
    assert np.flatnonzero(~extras.has_rotation[:, elbow]).tolist() == [3]
    assert np.flatnonzero(~extras.has_position[:, knee]).tolist() == [4]


def test_parts_that_programs_fill_with_constants_count_as_missing(tmp_path: Path) -> None:
    take = whole_take()
    assert take.extras is not None
    take.extras.positions[:, INDEX["left_elbow"]] = 0.0
    take.extras.rotations[:, INDEX["right_knee"]] = (1.0, 0.0, 0.0, 0.0)
    save_trackers(tmp_path / "take.csv", take)
    extras = load_trackers(tmp_path / "take.csv").extras
    assert extras is not None
    has_position, has_rotation = extras.has_position.all(0), extras.has_rotation.all(0)
    worn = np.isin(np.array(EXTRA_TRACKERS), EXTRAS)
    assert np.flatnonzero(worn & ~has_position).tolist() == [INDEX["left_elbow"]]
    assert np.flatnonzero(worn & ~has_rotation).tolist() == [INDEX["right_knee"]]


def test_optional_trackers_of_a_recording_do_not_move_the_frames(tmp_path: Path) -> None:
    """They come at times of their own, and are brought to the frames of the six."""
    take = whole_take()
    assert take.extras is not None
    lines = record(tmp_path / "take.csv", take, all_readings(take))
    alone = read(tmp_path, "\n".join(lines))
    knee = INDEX["right_knee"]
    for frame, time in enumerate((take.times + 0.011).tolist()):
        numbers = [*take.extras.positions[frame, knee], *take.extras.rotations[frame, knee]]
        words = ",".join(f"{x:.9g}" for x in numbers)
        lines.append(f"{time:.7f},right_knee,{words},1,LHR-9")
    loaded = read(tmp_path, "\n".join(lines))
    assert np.array_equal(loaded.times, alone.times)
    assert np.array_equal(loaded.positions, alone.positions)
    extras = loaded.extras
    assert extras is not None and extras.worn == ("right_knee",)
    # Between two readings, and not before the first one.
    assert np.flatnonzero(~extras.has_position[:, knee]).tolist() == [0]
    earlier = take.extras.positions[:-1, knee]
    expected = earlier + (1.0 - 0.33) * (take.extras.positions[1:, knee] - earlier)
    np.testing.assert_allclose(extras.positions[1:, knee], expected, atol=1e-5)


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


def test_halves_of_the_six_are_written_and_read(tmp_path: Path) -> None:
    take = whole_take().measuring([("head", "rotation"), ("left_foot", "position")])
    save_trackers(tmp_path / "take.csv", take)
    loaded = load_trackers(tmp_path / "take.csv")
    np.testing.assert_array_equal(loaded.has_position, take.has_position)
    np.testing.assert_array_equal(loaded.has_rotation, take.has_rotation)
    for values, others, has in (
        (loaded.positions, take.positions, take.has_position),
        (loaded.rotations, take.rotations, take.has_rotation),
    ):
        np.testing.assert_allclose(values[has], others[has], atol=1e-6)


def test_columns_of_a_half_are_enough(tmp_path: Path) -> None:
    """A head with a quaternion alone, and feet with places alone."""
    take = whole_take()
    parts = {"pelvis": "pr", "head": "r", "left_foot": "p", "right_foot": "p"}
    channels = {"p": "xyz", "r": ("qw", "qx", "qy", "qz")}
    heads = [
        f"{role}_{axis}" for role, kinds in parts.items() for k in kinds for axis in channels[k]
    ]
    lines = [",".join(["time", *heads])]
    for frame, time in enumerate(take.times.tolist()):
        row = [time]
        for role, kinds in parts.items():
            tracker = TRACKERS.index(role)
            for kind in kinds:
                values = take.positions if kind == "p" else take.rotations
                row += values[frame, tracker].tolist()
        lines.append(",".join(f"{x:.7f}" for x in row))
    loaded = read(tmp_path, "\n".join(lines))
    assert loaded.has_position.all(0).tolist() == [True, False, False, False, True, True]
    assert loaded.has_rotation.all(0).tolist() == [True, True, False, False, False, False]
    assert loaded.turned is not None and loaded.turned[:, 1].all()
