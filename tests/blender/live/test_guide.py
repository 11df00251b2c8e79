# SPDX-License-Identifier: GPL-3.0-or-later
"""The guided calibration of a live capture, with real sockets and simulated time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
import pytest

from ssrhmr_blender.live import capture, figure, guide
from ssrhmr_core import Calibration, Motion, Take
from ssrhmr_core.body.skeleton import TRACKERS
from ssrhmr_core.evaluation.worn.mounts import Mounts, draw_mounts
from ssrhmr_core.evaluation.worn.movement import draw_habits, hold_reference, make_guided_movement
from ssrhmr_core.tracking.movement.guided import MOVEMENT_SECONDS
from ssrhmr_core.tracking.proportions import make_adult, measure_height
from ssrhmr_core.tracking.reference_pose import ReferencePose
from tests.blender.conftest import choose, make_armature
from tests.blender.live.conftest import (
    Clock,
    Sender,
    start,
    stream,
    until,
    wait_for,
)

pytestmark = pytest.mark.usefixtures("clock")


@dataclass(frozen=True, eq=False)
class Guided:
    """A capture in which somebody holds the pose and then makes the movement."""

    current: capture.Capture
    sender: Sender
    mounts: Mounts
    height: float
    pose: range
    movement: range

    def error(self) -> float:
        stored = Calibration.from_json(bpy.context.scene.ssrhmr.calibration)
        away = stored.mount_offsets - self.mounts.mount_offsets()
        return float(np.linalg.norm(away, axis=-1).mean())

    def begin(self) -> None:
        bpy.context.scene.ssrhmr_live.countdown = 1.9
        assert bpy.ops.ssrhmr.live_guide() == {"FINISHED"}
        self.stream(self.pose)

    def stream(self, rows: range) -> None:
        """Send all, and tick now and then: what is drawn in between does not matter here."""
        for begin in range(rows.start, rows.stop, 5):
            some = rows[begin - rows.start : begin - rows.start + 5]
            for row in some:
                before = self.current.receiver.counters.datagrams
                self.sender.send(row)
                wait_for(
                    lambda: self.current.receiver.counters.datagrams >= before + len(TRACKERS)  # noqa: B023
                )
                self.sender.clock.sleep(1.0 / 30.0)
            self.current.tick()

    def finish(self) -> None:
        until(self.current, self.sender.clock, lambda: self.current.guide is None)


@pytest.fixture
def guided(performance: Motion, port: int, clock: Clock) -> Iterator[Guided]:
    """Trackers as people wear them, 30 readings a second."""
    body, random = performance.skeleton, np.random.default_rng([0, 7])
    mounts, habits = draw_mounts(body, random), draw_habits(random)
    parts = (
        hold_reference(body, habits, 0.0, random),
        make_guided_movement(body, habits, random),
    )
    takes = [mounts.to_trackers(Take.from_motion(part)).resampled(30.0) for part in parts]
    take = Take(
        np.arange(sum(map(len, takes))) / 30.0,
        np.concatenate([part.positions for part in takes]),
        np.concatenate([part.rotations for part in takes]),
        np.concatenate([part.valid for part in takes]),
    )
    choose(make_armature("Hero", body), {})
    sender = Sender(port, take, clock)
    current = start()
    held = len(takes[0])
    yield Guided(current, sender, mounts, measure_height(body), range(held), range(held, len(take)))
    sender.close()


def test_a_guided_calibration_beats_the_pose(guided: Guided) -> None:
    setup = bpy.context.scene.ssrhmr
    stream(guided.current, guided.sender, range(3))
    guided.begin()
    assert guided.current.guide is not None and setup.calibration
    pose = guided.error()
    assert [fit.deviation for fit in setup.fits] == [0.0] * 6
    guided.stream(guided.movement)
    guided.sender.send(guided.movement[-1])
    guided.finish()
    assert guided.error() < 0.7 * pose
    assert all(0.0 < fit.deviation < 10.0 for fit in setup.fits)
    session = guided.current.session.calibration
    np.testing.assert_allclose(
        session.mount_offsets, Calibration.from_json(setup.calibration).mount_offsets, atol=1e-6
    )


def test_takes_may_begin_while_the_movement_is_measured(guided: Guided, tmp_path: Path) -> None:
    setup, live = bpy.context.scene.ssrhmr, bpy.context.scene.ssrhmr_live
    live.folder = str(tmp_path)
    stream(guided.current, guided.sender, range(3))
    guided.begin()
    pose = setup.calibration
    guided.stream(guided.movement)
    guide = guided.current.guide
    assert guide is not None
    until(guided.current, guided.sender.clock, lambda: guide.calibration.phase == "COMPUTING")
    assert bpy.ops.ssrhmr.record() == {"FINISHED"}
    guided.stream(guided.movement[-30:])
    guided.finish()
    assert guided.current.recording and setup.calibration != pose
    measured = setup.calibration
    guided.stream(guided.movement[-5:])
    # What was recorded are raw readings: the bake that follows uses what was measured meanwhile.
    assert bpy.ops.ssrhmr.record() == {"FINISHED"}
    assert (tmp_path / "take_001.csv").is_file() and setup.calibration == measured
    assert setup.armature.animation_data.action is not None


def test_the_body_is_measured_along(guided: Guided) -> None:
    setup = bpy.context.scene.ssrhmr
    setup.proportions = "RETARGET"
    stream(guided.current, guided.sender, range(3))
    guided.begin()
    names = [measure.name for measure in setup.measures]
    assert names == ["Height", "Leg", "Arm", "Trunk", "Shoulders"]
    assert setup.measures["Height"].length == pytest.approx(guided.height, abs=0.15)
    setup.proportions = "MATCH"
    assert not setup.measures


def test_leaving_out_the_movement_stores_the_pose(guided: Guided) -> None:
    setup = bpy.context.scene.ssrhmr
    former = setup.calibration = Calibration.none().to_json()
    guided.current.take_character(setup)
    stream(guided.current, guided.sender, range(3))
    guided.begin()
    # What was calibrated before stays until the guide is over.
    assert guided.current.guide.calibration.phase == "MOVEMENT"
    assert setup.calibration == former
    assert bpy.ops.ssrhmr.live_guide_skip() == {"FINISHED"}
    guided.finish()
    stored = Calibration.from_json(setup.calibration)
    assert setup.calibration != former
    np.testing.assert_allclose(
        guided.current.session.calibration.mount_offsets, stored.mount_offsets
    )


@pytest.mark.parametrize("operator", ["live_guide", "live_calibrate"])
def test_cancelling_a_guide_loses_nothing(guided: Guided, operator: str) -> None:
    setup = bpy.context.scene.ssrhmr
    former = setup.calibration = Calibration.none().to_json()
    guided.current.take_character(setup)
    stream(guided.current, guided.sender, range(3))
    guided.begin()
    guided.stream(guided.movement[:30])
    assert getattr(bpy.ops.ssrhmr, operator)() == {"FINISHED"}
    guided.finish()
    assert setup.calibration == former
    assert not guided.current.session.calibration.mount_offsets.any()


def test_stopping_in_the_middle_of_a_guide_keeps_the_pose(guided: Guided) -> None:
    stream(guided.current, guided.sender, range(3))
    guided.begin()
    guided.stream(guided.movement[:30])
    assert bpy.ops.ssrhmr.live_stop() == {"FINISHED"}
    assert guided.current.guide is None and bpy.context.scene.ssrhmr.calibration


def test_who_stands_still_is_told_and_the_pose_stays(guided: Guided) -> None:
    setup = bpy.context.scene.ssrhmr
    stream(guided.current, guided.sender, range(3))
    guided.begin()
    pose = setup.calibration
    for _ in range(11):
        guided.stream(guided.pose)
    guided.finish()
    assert setup.calibration == pose
    assert "The movement was not used: hardly any movement" in " ".join(
        warning.name for warning in setup.warnings
    )


def test_the_guide_needs_a_pose_and_six_trackers(guided: Guided) -> None:
    setup = bpy.context.scene.ssrhmr
    with pytest.raises(RuntimeError, match="needs all six trackers"):
        bpy.ops.ssrhmr.live_guide()
    stream(guided.current, guided.sender, range(3))
    setup.reference = "JOINTS"
    with pytest.raises(RuntimeError, match="needs a pose of the performer"):
        bpy.ops.ssrhmr.live_guide()
    assert guided.current.guide is None


def test_the_figure_is_shown_without_words(guided: Guided) -> None:
    bpy.context.scene.ssrhmr_live.overlay = False
    stream(guided.current, guided.sender, range(3))
    assert guided.current.picture() is None
    guided.begin()
    drawn = guided.current.picture()
    assert drawn.figure is not None and drawn.names == [] and drawn.title == ""
    ends = np.array([end for positions, _ in drawn.figure.lines.values() for end in positions])
    assert (np.abs(ends[:, 0]) < figure.HALF_WIDTH).all()
    assert (ends[:, 1] > 0.0).all() and (ends[:, 1] < figure.TOP).all()


def test_the_figure_is_a_mirror_and_fits_its_backdrop() -> None:
    body = make_adult()
    for seconds in np.arange(0.0, MOVEMENT_SECONDS, 0.25):
        shown = figure.Figure()
        figure.add_body(shown, body, seconds, ReferencePose.T_POSE)
        figure.add_marks(shown, [True, False], 2, 8)
        figure.add_ring(shown, 0.5)
        ends = np.array([end for positions, _ in shown.lines.values() for end in positions])
        assert (np.abs(ends[:, 0]) < figure.HALF_WIDTH).all()
        assert (ends[:, 1] > 0.0).all() and (ends[:, 1] < figure.TOP).all()
    left = figure._project(np.array([[1.0, 1.0, 0.0], [-1.0, 1.0, 0.0]]), 1.0)
    assert left[0, 0] < left[1, 0]


def test_beeps_are_silent_where_there_is_no_sound() -> None:
    beeper = guide.Beeper()
    beeper.beep(880.0)
    beeper.beep(880.0)
