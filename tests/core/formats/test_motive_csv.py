# SPDX-License-Identifier: GPL-3.0-or-later
"""Exports of Motive; the table of files has more."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ssrhmr_core.body.extra_trackers import EXTRA_TRACKERS
from ssrhmr_core.body.skeleton import TRACKERS
from ssrhmr_core.formats import MotionFileWarning
from ssrhmr_core.formats.trackers_csv import TrackerFileError, load_trackers
from ssrhmr_core.tracking.take import Take
from tests.core.formats.tracker_files import (
    NAMES,
    MotiveStyle,
    Style,
    motive_table,
    standing_take,
)

STYLE = Style(names=NAMES["title"])


@pytest.fixture
def take() -> Take:
    return standing_take(12)


def read(tmp_path: Path, text: str) -> Take:
    path = tmp_path / "take.csv"
    path.write_text(text, encoding="utf-8")
    return load_trackers(path)


def test_rigid_bodies(tmp_path: Path, take: Take, recwarn: pytest.WarningsRecorder) -> None:
    style = Style(names=NAMES["title"], unit="mm")
    motive = MotiveStyle(units="Millimeters", parents=True)
    loaded = read(tmp_path, motive_table(take, style, motive))
    assert not recwarn.list
    np.testing.assert_allclose(loaded.times, take.times, atol=1e-6)
    np.testing.assert_allclose(loaded.positions, take.positions, atol=1e-5)
    assert np.abs((loaded.rotations * take.rotations).sum(-1)).min() > 1.0 - 1e-6


def test_what_was_not_tracked_is_empty(tmp_path: Path, take: Take) -> None:
    take.valid[3:6, TRACKERS.index("left_hand")] = False
    assert np.array_equal(read(tmp_path, motive_table(take, STYLE)).valid, take.valid)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"Rotation Type": "XYZ"}, "given as 'xyz': export the take again, .* quaternions"),
        ({"Coordinate Space": "Local"}, "in 'local' space: export the take again"),
        ({"Length Units": "Furlongs"}, "'furlongs' is unknown"),
    ],
)
def test_settings(tmp_path: Path, take: Take, settings: dict[str, str], message: str) -> None:
    with pytest.raises(TrackerFileError, match=message):
        read(tmp_path, motive_table(take, STYLE, MotiveStyle(settings=settings)))


def test_damaged_rows(tmp_path: Path, take: Take) -> None:
    lines = motive_table(take, STYLE).splitlines()
    lines[9] = lines[9].replace(lines[9].split(",")[5], "oops")
    with pytest.raises(TrackerFileError, match=r"line 10: .*oops"):
        read(tmp_path, "\n".join(lines))
    with pytest.raises(TrackerFileError, match="headers of Motive's export are not complete"):
        read(tmp_path, "\n".join(lines[:4]))
    with pytest.raises(TrackerFileError, match="no readings"):
        read(tmp_path, "\n".join(lines[:7]))


def test_markers_alone_are_no_trackers(tmp_path: Path, take: Take) -> None:
    text = motive_table(take, STYLE, MotiveStyle(kind="Marker"))
    with pytest.raises(TrackerFileError, match="no rigid bodies"):
        read(tmp_path, text)


def test_optional_trackers_are_rigid_bodies_and_not_bones(tmp_path: Path, take: Take) -> None:
    """A bone begins at another joint than the tracker that is called like it measures."""
    names = ("Hips", "Head", "LeftHand", "RightHand", "LeftShin", "RightFoot")
    style = Style(names=names)
    loaded = read(tmp_path, motive_table(take, style))
    assert loaded.extras is not None and loaded.extras.worn == ("left_knee",)
    knee = EXTRA_TRACKERS.index("left_knee")
    assert loaded.extras.lower[knee]
    foot = TRACKERS.index("left_foot")
    np.testing.assert_allclose(loaded.extras.positions[:, knee], take.positions[:, foot], atol=1e-5)
    with pytest.warns(MotionFileWarning, match="left out 'LeftShin'"):
        bones = read(tmp_path, motive_table(take, style, MotiveStyle(kind="Bone")))
    assert bones.extras is None and bones.valid[:, TRACKERS.index("head")].all()
