# SPDX-License-Identifier: GPL-3.0-or-later
"""Fingers, shapes and props in a recording of trackers."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from ssrhmr_core.body.skeleton import TRACKERS
from ssrhmr_core.formats.detail_rows import DetailTrack, load_details, split_detail_name
from ssrhmr_core.formats.trackers_csv import Recorder, load_trackers

UNIT = (1.0, 0.0, 0.0, 0.0)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Three frames of trackers with everything that may come along."""
    recorder = Recorder(tmp_path / "take.csv")
    for frame in range(3):
        time = frame / 60.0
        for number, role in enumerate(TRACKERS):
            recorder.add(time, role, (0.3 * number, 1.0, frame), UNIT, True, f"puck {number}")
        bend = (math.cos(0.1 * frame), math.sin(0.1 * frame), 0.0, 0.0)
        recorder.add_detail(time, "finger:LeftIndexProximal", (0, 0, 0), bend, True)
        recorder.add_detail(time, "shape:笑い, big", (0.5 * frame, 0, 0), UNIT, True)
        recorder.add_detail(time, "prop:Sword", (frame, 2.0, 3.0), UNIT, frame != 1)
    # Late, and seen twice.
    recorder.add_detail(0.5 / 60.0, "shape:笑い, big", (0.25, 0, 0), UNIT, True)
    recorder.close()
    assert recorder.readings == 18
    return recorder.path


def test_trackers_are_read_as_without_details(recording: Path) -> None:
    take = load_trackers(recording)
    assert len(take) == 3 and take.valid.all()
    np.testing.assert_allclose(take.positions[:, 0, 2], [0.0, 1.0, 2.0])


def test_details_are_read(recording: Path) -> None:
    details = load_details(recording)
    assert set(details.fingers) == {"LeftIndexProximal"} and set(details.props) == {"Sword"}
    finger = details.fingers["LeftIndexProximal"].at(np.array([-1.0, 0.5 / 60.0, 9.0]))
    angles = 2.0 * np.arctan2(finger.rotations[:, 1], finger.rotations[:, 0])
    np.testing.assert_allclose(angles, [0.0, 0.1, 0.4], atol=1e-4)
    (shape,) = details.shapes.values()
    assert [*details.shapes] == ["笑い, big"]
    np.testing.assert_allclose(shape.positions[:, 0], [0.0, 0.25, 0.5, 1.0])
    # What was lost is bridged.
    prop = details.props["Sword"].at(np.array([1.0 / 60.0]))
    np.testing.assert_allclose(prop.positions, [[1.0, 2.0, 3.0]], atol=1e-6)


def test_rotations_go_the_short_way() -> None:
    rotations = np.array([UNIT, (-1.0, 0.0, 0.0, 0.0)])
    track = DetailTrack(np.array([0.0, 1.0]), np.zeros((2, 3)), rotations)
    np.testing.assert_allclose(track.at(np.array([0.5])).rotations, [UNIT])


def test_damaged_rows_cost_themselves(recording: Path) -> None:
    rows = (
        "0,shape:A,x,0,0,1,0,0,0,1,",
        "0,shape:B,nan,0,0,1,0,0,0,1,",
        "0,finger:C,0,0,0,0,0,0,0,1,",
    )
    with recording.open("a") as file:
        file.write("\n".join((*rows, "0,shape:D,0")))
    details = load_details(recording)
    assert len(details.shapes) == len(details.fingers) == 1


def test_names_of_trackers_are_none_of_details() -> None:
    assert split_detail_name("head") == ("", "head")
    assert split_detail_name("human://HEAD") == ("", "human://HEAD")
    assert split_detail_name("prop:a:b") == ("prop", "a:b")
