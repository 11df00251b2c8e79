# SPDX-License-Identifier: GPL-3.0-or-later
"""A live session in simulated time: packets arrive at their times, ticks come at others."""

from __future__ import annotations

import errno
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.extra_trackers import EXTRA_TRACKERS
from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import INDEX, TRACKERS
from ssrhmr_core.formats.trackers_csv import Recorder, load_trackers
from ssrhmr_core.live import LivePose, LiveSession
from ssrhmr_core.pipeline import ReconstructionOptions, Reconstructor
from ssrhmr_core.streaming import ProtocolName, Reading, Receiver, StreamingError
from ssrhmr_core.streaming.decoding import ReadingQueue
from ssrhmr_core.streaming.sender import Conditions, device_names, packets, play
from ssrhmr_core.tracking.calibration import Calibration, CalibrationOptions, calibrate
from ssrhmr_core.tracking.denoising import Smoothing
from ssrhmr_core.tracking.extras.mounts import ExtraMounts
from ssrhmr_core.tracking.extras.readings import ExtraReadings
from ssrhmr_core.tracking.take import Take, TrackerError
from tests.core.conftest import make_motion, make_skeleton

RAW = Smoothing(auto=False)
BODY = make_skeleton()


class Stage:
    """A source of readings whose time is told by hand."""

    def __init__(
        self,
        take: Take | None = None,
        protocol: ProtocolName = "json",
        conditions: Conditions | None = None,
    ) -> None:
        self.now = 0.0
        self.intake = ReadingQueue(protocol, 100000)
        self.shown: dict[float, float] = {}
        made = packets(take, protocol, conditions=conditions) if take else iter(())
        self._packets: Iterator[tuple[float, bytes]] = iter(made)
        self._next = next(self._packets, None)

    def drain(self) -> list[Reading]:
        while self._next and self._next[0] <= self.now:
            arrival, packet = self._next
            self.intake.add_packet(packet, "sender", arrival)
            self._next = next(self._packets, None)
        return self.intake.drain()

    def run(self, session: LiveSession, times: Iterable[float]) -> list[LivePose]:
        poses = []
        for self.now in times:
            pose = session.tick(self.now)
            if pose:
                poses.append(pose)
                self.shown[pose.time] = self.now
        return poses

    def clock(self) -> float:
        return self.now


def every(step: float, until: float, begin: float = 0.0) -> Iterator[float]:
    number = 0
    while (at := begin + number * step) <= until:
        yield at
        number += 1


def take_at(rate: float, seconds: float = 2.0) -> Take:
    return Take.from_motion(make_motion(BODY, round(seconds * rate), rate))


@pytest.fixture(scope="module")
def mounts() -> Calibration:
    """Trackers that sit askew, some centimetres from their joints."""
    random = np.random.default_rng(8)
    turns = quat.from_scaled_angle_axis(random.uniform(-0.6, 0.6, (6, 3)))
    return Calibration(turns.astype("f4"), random.uniform(-0.04, 0.04, (6, 3)).astype("f4"), 0.97)


def session_on(stage: Stage, calibration: Calibration | None, **more: object) -> LiveSession:
    roles = device_names("json")
    return LiveSession(
        stage,
        Reconstructor(BODY, ReconstructionOptions(smoothing=RAW)),
        roles,
        calibration,
        clock=stage.clock,
        **more,  # type: ignore[arg-type]
    )


def baked(take: Take, poses: list[LivePose]) -> Motion:
    """The same take as a whole, on the clock that the session has."""
    first = poses[0].time - np.ceil((poses[0].time - take.times[0]) * 60.0) / 60.0 + 1.0 / 60.0
    times = np.arange(first, take.times[-1] + 1e-6, 1.0 / 60.0)
    options = ReconstructionOptions(smoothing=RAW, causal=True)
    return Reconstructor(BODY, options).clip(take.at(times))


def away(poses: list[LivePose], motion: Motion) -> np.ndarray:
    """Distance of all joints (F, 22) of live poses from a motion, millimetres."""
    times = np.array([pose.time for pose in poses])
    shown = Motion(
        motion.skeleton,
        times,
        np.stack([pose.rotations for pose in poses]),
        np.stack([pose.root for pose in poses]),
    )
    return 1000.0 * np.linalg.norm(shown.positions() - motion.at(times).positions(), axis=-1)


@pytest.mark.parametrize(
    ("protocol", "rate", "step"),
    [
        ("json", 60.0, 1.0 / 60.0),
        ("vmc", 120.0, 1.0 / 144.0),
        ("vrchat", 90.0, 1.0 / 200.0),
        ("vmc", 45.0, 1.0 / 60.0),
        ("json", 500.0, 1.0 / 30.0),
    ],
)
def test_live_poses_are_those_of_the_whole_clip(
    protocol: ProtocolName, rate: float, step: float, mounts: Calibration
) -> None:
    take = take_at(rate)
    stage = Stage(take, protocol)
    session = session_on(stage, mounts)
    session.bind(device_names(protocol))
    poses = stage.run(session, every(step, 2.2))
    whole = baked(mounts.apply(take), poses)
    assert len(whole) <= session.status.frames <= len(whole) + 1
    assert all(pose.valid.all() for pose in poses)
    assert len(poses) > 0.4 * min(120, 2.0 / step)
    assert away(poses, whole).max() < 1.0


def test_every_model_frame_is_computed_however_rare_the_ticks(mounts: Calibration) -> None:
    take = take_at(120.0, 4.0)
    stage = Stage(take)
    session = session_on(stage, mounts, budget=np.inf)
    poses = stage.run(session, every(0.45, 3.65))
    whole = baked(mounts.apply(take), poses)
    assert len(poses) == 8
    status = session.status
    assert (status.frames, status.frames_lost) == (216, 0)
    assert away(poses, whole).max() < 1.0


@pytest.mark.parametrize("end", [9.0, 10.0, 10.3, 11.0])
def test_after_a_long_stall_the_oldest_frames_are_left_out_and_counted(end: float) -> None:
    take = take_at(60.0, 12.0)
    stage = Stage(take)
    session = session_on(stage, Calibration.none(), budget=np.inf)
    stage.run(session, every(1.0 / 60.0, 1.0))
    before = session.status.frames
    seen = []
    body = session.reconstructor
    assert body is not None

    def frame(*trackers: Any) -> tuple[np.ndarray, np.ndarray]:
        seen.append(trackers[2].all())
        return Reconstructor.frame(body, *trackers)

    body.frame = frame  # type: ignore[method-assign, assignment]
    (pose,) = stage.run(session, [end])
    # The readings that they need are still there.
    assert len(seen) == 180 and all(seen)
    assert pose.time == pytest.approx(end, abs=0.02)
    status = session.status
    assert status.frames == before + 180
    assert status.frames_lost == pytest.approx(60.0 * (end - 1.0) - 180.0, abs=2)


def test_a_computer_that_is_too_slow_still_answers() -> None:
    take = take_at(60.0, 4.0)
    stage = Stage(take)
    session = session_on(stage, Calibration.none(), budget=0.05)
    calls = 0

    def slow() -> float:
        nonlocal calls
        calls += 1
        return stage.now + 0.01 * calls

    session._clock = slow
    stage.run(session, [0.0, 0.2])
    # Each frame takes two looks at the clock, 0.02 s, and no more than the last tick is ago.
    assert 8 <= session.status.frames <= 11
    # What is left over has its turn, as long as that is not too much.
    poses = stage.run(session, [0.2, 0.201, 0.202])
    assert session.status.frames == pytest.approx(12, abs=1)
    assert away(poses, baked(take, poses)).max() < 1.0
    stage.run(session, every(0.1, 3.5, 0.3))
    # About five of the six that each tenth of a second has.
    status = session.status
    assert 150 < status.frames < 195
    assert status.frames_lost == 0


def test_a_bad_network_does_little_harm(mounts: Calibration) -> None:
    take = take_at(120.0, 6.0)
    bad = Conditions(
        loss=0.02, jitter=0.002, reorder=0.02, duplicate=0.02, burst=0.12, drift=5e-5, seed=2
    )
    stage = Stage(take, conditions=bad)
    session = session_on(stage, mounts)
    poses = stage.run(session, every(1.0 / 60.0, 5.9))
    status = session.status
    assert status.frames > 345 and status.frames_lost == 0
    assert all(pose.valid.all() for pose in poses)
    whole = baked(mounts.apply(take), poses)
    wrong = away([pose for pose in poses if pose.time > 0.5], whole)
    assert wrong.mean() < 0.5
    assert np.percentile(wrong, 99) < 2.0


class Silenced(Stage):
    """A stage on which some tracker is not heard of for a while."""

    def __init__(self, take: Take, role: str, begin: float, end: float) -> None:
        super().__init__(take)
        self._role, self._begin, self._end = role, begin, end

    def drain(self) -> list[Reading]:
        return [
            reading
            for reading in super().drain()
            if reading.device != self._role or not self._begin <= reading.time < self._end
        ]


def test_a_tracker_that_falls_silent_is_filled_in_and_not_waited_for() -> None:
    stage = Silenced(take_at(60.0, 4.0), "left_hand", 1.0, 3.0)
    session = session_on(stage, Calibration.none())
    poses = stage.run(session, every(1.0 / 120.0, 3.9))
    for pose in poses:
        if pose.time < 0.99 or pose.time > 3.2:
            assert pose.valid.all()
        elif 1.05 < pose.time < 2.98:
            assert pose.valid.tolist() == [True, True, False, True, True, True]
    # Frames wait for it while it may be late, but not for ever.
    late = {1.1: 0.05, 2.0: 0.0}
    for moment, wait in late.items():
        pose = next(pose for pose in poses if pose.time >= moment)
        assert stage.shown[pose.time] - pose.time == pytest.approx(wait, abs=0.02)
    assert session.status.frames_waited > 100
    state = session.trackers()[2]
    assert (state.role, state.valid, state.has_reading) == ("left_hand", True, True)


@pytest.mark.parametrize("role", ["pelvis", "left_hand"])
def test_a_tracker_that_was_taken_off_is_told(role: str) -> None:
    take = take_at(60.0, 5.0)
    index = list(device_names("json")).index(role)
    take.positions[90:, index] = (0.5, 0.8, 0.3)
    take.rotations[90:, index] = take.rotations[90, index]
    session = session_on(stage := Stage(take), Calibration.none())
    stage.run(session, every(1.0 / 60.0, 1.4))
    assert not session.status.message
    poses = stage.run(session, every(1.0 / 60.0, 4.9, 1.4))
    assert session.status.message.startswith(f"{role} lies still while the body moves")
    assert not poses[-1].valid[index] and poses[-1].valid.sum() == 5


def test_silence_of_all_keeps_the_pose_and_is_made_up_for() -> None:
    take = take_at(60.0, 6.0)
    stage = Stage(take, conditions=Conditions(burst=0.4))
    session = session_on(stage, Calibration.none(), budget=np.inf)
    held = stage.run(session, every(1.0 / 60.0, 0.99))
    assert held[-1].time < 0.61
    poses = stage.run(session, every(1.0 / 60.0, 5.9, 1.0))
    assert session.status.frames_lost == session.status.frames_waited == 0
    assert away(held + poses, baked(take, held)).max() < 1.0


def test_after_a_long_silence_it_begins_anew() -> None:
    take = take_at(60.0, 6.0)
    keep = (take.times < 1.0) | (take.times > 4.0)
    broken = Take(take.times[keep], take.positions[keep], take.rotations[keep], take.valid[keep])
    stage = Stage(broken)
    session = session_on(stage, Calibration.none())
    assert stage.run(session, every(1.0 / 60.0, 1.0))
    assert not stage.run(session, every(1.0 / 60.0, 3.9, 1.1))
    poses = stage.run(session, every(1.0 / 60.0, 5.5, 4.0))
    assert len(poses) > 70
    assert session.status.frames_lost == 0


def test_trackers_show_without_a_character() -> None:
    stage = Stage(take_at(60.0))
    session = LiveSession(stage, roles={"head": "head", "pelvis": "pelvis"}, clock=stage.clock)
    before = session.trackers()
    assert [state.role for state in before] == list(TRACKERS)
    assert not any(state.has_reading or state.valid for state in before)
    assert stage.run(session, every(1.0 / 60.0, 1.0)) == []
    head = session.trackers()[1]
    assert head.has_reading and head.valid and head.device == "head"
    np.testing.assert_allclose(head.position, take_at(60.0).positions[60, 1], atol=1e-5)
    assert not session.trackers()[2].has_reading
    assert [device.name for device in session.devices()] == sorted(TRACKERS)
    assert session.status.rate == pytest.approx(60.0, rel=0.05)
    # It is not seen any more when nothing comes.
    stage.now = 5.0
    stage.intake.drain()
    session._source = Stage()
    session.tick(5.0)
    assert session.trackers()[1].has_reading and not session.trackers()[1].valid


def test_neither_pelvis_nor_head() -> None:
    stage = Stage(take_at(60.0))
    session = session_on(stage, Calibration.none())
    session.bind({"left_hand": "left_hand"})
    assert stage.run(session, every(1.0 / 60.0, 1.0)) == []
    assert "neither pelvis nor head is seen" in session.status.message
    session.bind(device_names("json"))
    assert stage.run(session, every(1.0 / 60.0, 1.8, 1.0))
    assert session.status.message == ""


def test_roles_are_checked_and_may_change() -> None:
    stage = Stage(take_at(60.0))
    session = session_on(stage, Calibration.none())
    with pytest.raises(StreamingError, match="head has two roles"):
        session.bind({"head": "head", "pelvis": "head"})
    with pytest.raises(StreamingError, match="is no tracker"):
        LiveSession(stage, roles={"nose": "head"}, clock=stage.clock)
    stage.run(session, every(1.0 / 60.0, 0.5))
    swapped = {**device_names("json"), "left_hand": "right_hand", "right_hand": "left_hand"}
    session.bind(swapped)
    assert session.roles == swapped
    poses = stage.run(session, every(1.0 / 60.0, 1.5, 0.5))
    assert poses[0].time >= 0.49
    take = take_at(60.0)
    np.testing.assert_allclose(session.trackers()[2].position, take.positions[90, 3], atol=1e-5)


def test_pausing() -> None:
    stage = Stage(take_at(60.0))
    session = session_on(stage, Calibration.none())
    assert stage.run(session, every(1.0 / 60.0, 0.5))
    session.pause()
    assert session.status.paused
    assert stage.run(session, every(1.0 / 60.0, 1.0, 0.5)) == []
    session.resume()
    poses = stage.run(session, every(1.0 / 60.0, 1.5, 1.02))
    # Not what was performed meanwhile.
    assert poses[0].time >= 1.0
    assert session.status.frames_lost == 0


# --- Calibration -------------------------------------------------------------------------------


def standing(seconds: float = 4.0, moves: float = 0.0, begin: float = 0.0) -> Take:
    """Trackers of a T-pose, turned and mounted askew, that sway until some moment."""
    times = np.arange(round(60.0 * seconds)) / 60.0
    random = np.random.default_rng(4)
    spots = BODY.t_pose()[[0, 13, 17, 21, 3, 7]] + (1.0, 0.95, 2.0)
    spots = spots + random.uniform(-0.03, 0.03, (6, 3))
    sway = moves * np.sin(7.0 * times) * (times < begin)
    positions = spots[None] + sway[:, None, None] * (1.0, 0.0, 0.0)
    turns = quat.from_scaled_angle_axis(random.uniform(-0.5, 0.5, (6, 3)))
    return Take(
        times,
        positions.astype("f4"),
        np.tile(turns, (len(times), 1, 1)).astype("f4"),
        np.ones((len(times), 6), bool),
    )


def test_calibrating_after_a_countdown() -> None:
    # The performer comes to rest half a second before the end.
    take = standing(moves=0.1, begin=2.5)
    stage = Stage(take)
    session = session_on(stage, None)
    assert stage.run(session, every(1.0 / 60.0, 0.5)) == []
    session.begin_calibration(2.5)
    stage.run(session, every(1.0 / 60.0, 2.0, 0.51))
    assert session.status.countdown == pytest.approx(1.0, abs=0.03)
    assert session.calibration is None and session.calibrations == 0
    poses = stage.run(session, every(1.0 / 60.0, 3.8, 2.01))
    assert session.calibrations == 1 and session.status.countdown == 0.0
    expected = calibrate(BODY, take.positions[-1], take.rotations[-1])
    found = session.calibration
    assert found is not None
    np.testing.assert_allclose(found.mount_offsets, expected.mount_offsets, atol=1e-4)
    np.testing.assert_allclose(found.mount_rotations, expected.mount_rotations, atol=1e-4)
    assert session.calibration_warnings == ()
    # And the character stands there at once.
    assert poses and poses[0].time >= 2.9


def test_a_countdown_that_ends_unseen_ends_when_somebody_looks() -> None:
    """A window that stood still for seconds has none of the readings of then."""
    stage = Stage(Take.from_motion(make_motion(BODY, 900, 60.0)))
    session = session_on(stage, None)
    stage.run(session, every(1.0 / 60.0, 1.0))
    session.begin_calibration(0.5)
    stage.run(session, [14.0])
    assert session.calibrations == 1, session.status.message


def test_calibrating_while_moving_warns() -> None:
    stage = Stage(standing(moves=0.3, begin=9.0))
    session = session_on(stage, None)
    stage.run(session, every(1.0 / 60.0, 0.5))
    session.begin_calibration(1.0, CalibrationOptions("FIT"))
    stage.run(session, every(1.0 / 60.0, 2.0, 0.5))
    assert session.calibrations == 1
    assert any("moves at" in warning for warning in session.calibration_warnings)


def test_calibrating_without_a_device_that_is_bound_says_which() -> None:
    stage = Stage(standing())
    session = session_on(stage, None)
    session.bind({role: "off" if role == "left_foot" else role for role in TRACKERS})
    stage.run(session, every(1.0 / 60.0, 0.5))
    old = Calibration.none()
    session.set_calibration(old)
    session.begin_calibration(1.0)
    stage.run(session, every(1.0 / 60.0, 2.0, 0.5))
    assert session.status.message == (
        "not calibrated: not seen: left_foot: switch on what is worn there, or let no device have"
        " that role to calibrate without it"
    )
    assert session.calibration is old and session.calibrations == 0


def test_calibrating_needs_a_character_and_may_be_cancelled() -> None:
    stage = Stage(standing())
    session = LiveSession(stage, roles=device_names("json"), clock=stage.clock)
    with pytest.raises(TrackerError, match="choose a character"):
        session.begin_calibration()
    session.begin_calibration(0.5, skeleton=BODY)
    session.cancel_calibration()
    stage.run(session, every(1.0 / 60.0, 1.0))
    assert session.calibrations == 0
    session.begin_calibration(0.5, skeleton=BODY)
    stage.run(session, every(1.0 / 60.0, 2.0, 1.0))
    assert session.calibrations == 1


@pytest.mark.parametrize(
    "roles",
    [
        # No sender of VRChat's trackers has hands.
        ("pelvis", "head", "left_foot", "right_foot"),
        ("head", "left_hand", "right_hand", "left_foot", "right_foot"),
        ("pelvis", "head", "left_hand", "right_hand"),
        ("head", "left_hand", "right_hand"),
    ],
)
def test_what_is_missing_is_said_at_once_and_calibrated_all_the_same(roles: list[str]) -> None:
    take = standing()
    stage = Stage(take)
    session = session_on(stage, None)
    session.bind({role: role for role in roles})
    stage.run(session, every(1.0 / 60.0, 0.5))
    session.begin_calibration(1.5)
    missing = [role for role in TRACKERS if role not in roles]
    assert session.status.message.startswith("no device is bound to " + missing[0])
    assert "the model fills in what nobody tracks" in session.status.message
    poses = stage.run(session, every(1.0 / 60.0, 3.5, 0.5))
    assert session.calibrations == 1 and session.status.message == ""
    assert session.calibration is not None
    assert session.calibration.tracked.tolist() == [role in roles for role in TRACKERS]
    assert poses and poses[-1].valid.tolist() == [role in roles for role in TRACKERS]
    # Whoever stands in the T-pose is shown so.
    shown = away(poses[-1:], Motion(BODY, np.zeros(1), *t_pose_of(poses[-1])))
    legs_and_spine = [joint for joint in range(22) if joint < 14]
    # Feet that nobody tracks stand where the model has them, a little apart.
    assert shown[:, legs_and_spine].max() < (60.0 if "left_foot" in roles else 110.0)


def t_pose_of(pose: LivePose) -> tuple[np.ndarray, np.ndarray]:
    return np.tile(np.array([1, 0, 0, 0], "f4"), (1, 22, 1)), pose.root[None]


def test_a_device_that_is_bound_has_its_past() -> None:
    """Roles that places decide are bound at the end of the countdown."""
    stage = Stage(standing())
    session = session_on(stage, None)
    session.bind({})
    stage.run(session, every(1.0 / 60.0, 0.5))
    session.begin_calibration(1.5)
    assert session.status.message.startswith("no device is bound to pelvis or head")
    stage.run(session, every(1.0 / 60.0, 1.95, 0.5))
    session.bind(device_names("json"))
    stage.run(session, every(1.0 / 60.0, 2.3, 1.96))
    assert session.calibrations == 1 and session.status.message == ""


def test_a_flood_of_devices_takes_nothing_from_those_that_are_bound() -> None:
    stage = Stage(standing())
    session = session_on(stage, Calibration.none())
    frames = 0
    for number in range(120):
        for flood in range(20):
            name = f"{number} {flood}"
            stage.intake._queue.append(
                Reading(name, (0, 0, 0), (1, 0, 0, 0), stage.now, arrival=stage.now)
            )
        frames += len(stage.run(session, [number / 60.0]))
    assert frames > 110 and session.trackers()[0].valid
    assert len(session._buffers) <= 70


class Warned(Stage):
    """A source that has something to tell the user."""

    notice = "two senders"


def test_what_the_source_has_to_tell_is_shown() -> None:
    stage = Warned(take_at(60.0))
    session = session_on(stage, Calibration.none())
    stage.run(session, [0.0, 0.1])
    assert session.status.message == "two senders"
    # What is wrong here comes first.
    session.bind({"left_hand": "left_hand"})
    stage.run(session, every(1.0 / 60.0, 1.0, 0.2))
    message = session.status.message
    assert message.startswith("neither pelvis nor head") and message.endswith(". two senders")


HEAD = TRACKERS.index("head")
IDENTITY = (1.0, 0.0, 0.0, 0.0)


def halve_head(stage: Stage, part: str, begin: float = -1.0, end: float = 99.0) -> None:
    """Let the readings of a head between two times have a position or a rotation alone."""
    drain = stage.drain

    def halved() -> list[Reading]:
        return [
            reading
            if reading.device != "head" or not begin <= reading.time < end
            else reading._replace(rotation=IDENTITY, has_rotation=False)
            if part == "position"
            else reading._replace(position=(0.0, 0.0, 0.0), has_position=False)
            for reading in drain()
        ]

    stage.drain = halved  # type: ignore[method-assign]


def head_errors(take: Take, poses: list[LivePose]) -> tuple[np.ndarray, np.ndarray]:
    """Return how far heads are off, mm and degrees, at the times of poses."""
    truth = take.at(np.array([pose.time for pose in poses]))
    away, turned = [], []
    for frame, pose in enumerate(poses):
        one = Motion(BODY, np.zeros(1), pose.rotations[None], pose.root[None])
        place = one.positions()[0, INDEX["head"]]
        away.append(1000.0 * np.linalg.norm(place - truth.positions[frame, HEAD]))
        cosine = abs(pose.rotations[INDEX["head"]] @ truth.rotations[frame, HEAD])
        turned.append(np.degrees(2.0 * np.arccos(min(cosine, 1.0))))
    return np.array(away), np.array(turned)


def test_a_head_with_positions_only_is_where_it_is() -> None:
    take = take_at(60.0)
    stage = Stage(take)
    session = session_on(stage, Calibration.none())
    halve_head(stage, "position")
    away, turned = head_errors(take, stage.run(session, every(1.0 / 60.0, 1.5)))
    # The turns of this motion are drawn at random, so nothing foretells them.
    assert away.max() < 1.0 and turned.mean() < 40.0


def test_a_head_with_rotations_only_turns_as_it_does() -> None:
    take = take_at(60.0)
    stage = Stage(take)
    session = session_on(stage, Calibration.none())
    halve_head(stage, "rotation")
    poses = stage.run(session, every(1.0 / 60.0, 1.0))
    assert poses and not any(pose.valid[HEAD] for pose in poses)
    away, turned = head_errors(take, poses)
    assert turned.max() < 0.3 and away.max() < 200.0
    session.begin_calibration(1.0)
    assert "no position of head: the model guesses it" in session.status.message
    stage.run(session, every(1.0 / 60.0, 2.2, 1.0))
    calibration = session.calibration
    assert calibration is not None and calibration.measures[HEAD] == "rotation"
    assert session.calibrations == 1 and not calibration.tracked[HEAD]


def test_a_head_that_has_a_position_at_times() -> None:
    """Nothing is interpolated between a place and none, and the rotation is never lost."""
    take = take_at(60.0)
    stage = Stage(take)
    session = session_on(stage, Calibration.none())
    halve_head(stage, "rotation", 0.5, 1.0)
    away, turned = head_errors(take, stage.run(session, every(1.0 / 60.0, 1.9)))
    assert turned.max() < 0.3 and away.max() < 200.0
    assert away[:25].max() < 1.0 and away[-10:].max() < 1.0


@pytest.mark.parametrize("part", ["position", "rotation"])
def test_a_recording_has_the_halves(tmp_path: Path, part: str) -> None:
    take = take_at(60.0)
    stage = Stage(take)
    session = session_on(stage, None)
    halve_head(stage, part)
    stage.now = -0.25
    session.start_recording(tmp_path / "take.csv")
    stage.run(session, every(0.1, 2.2))
    loaded = session.stop_recording().load()
    half = loaded.placed if part == "position" else loaded.turned
    assert half is not None and half[:, HEAD].all() and not half[:, 2:].any()
    assert loaded.valid[:, [0, 2, 3, 4, 5]].all() and not loaded.valid[:, HEAD].any()
    values, truth = (
        (loaded.positions, take.positions)
        if part == "position"
        else (loaded.rotations, take.rotations)
    )
    same = np.minimum(np.abs(values[:, HEAD] - truth[:, HEAD]), np.abs(values + truth)[:, HEAD])
    assert same.max() < 1e-5


# --- Optional trackers --------------------------------------------------------------------------

EXTRAS = ("chest", "left_elbow", "right_elbow", "left_knee", "right_knee")
WITH_EXTRAS = replace(Calibration.none(), extras=ExtraMounts.identity())
"""The calibration of trackers that are the joints themselves."""


def extras_at(rate: float, seconds: float = 2.0) -> Take:
    """Ideal trackers with optional ones: a shin, an IMU at the right knee, a point on the chest."""
    take = Take.from_motion(make_motion(BODY, round(seconds * rate), rate), EXTRAS)
    assert take.extras is not None
    take.extras.lower[EXTRA_TRACKERS.index("left_knee")] = True
    take.extras.has_position[:, EXTRA_TRACKERS.index("right_knee")] = False
    take.extras.has_rotation[:, EXTRA_TRACKERS.index("chest")] = False
    return take


def check_extras(found: ExtraReadings | None, expected: ExtraReadings | None) -> None:
    assert found is not None and expected is not None
    assert np.array_equal(found.lower, expected.lower)
    assert np.array_equal(found.has_position, expected.has_position)
    assert np.array_equal(found.has_rotation, expected.has_rotation)
    places = expected.has_position
    np.testing.assert_allclose(found.positions[places], expected.positions[places], atol=1e-5)
    share = np.abs((found.rotations * expected.rotations).sum(-1))
    np.testing.assert_allclose(share[expected.has_rotation], 1.0, atol=1e-5)


def test_optional_trackers_are_sampled_and_shown() -> None:
    take = extras_at(60.0)
    stage = Stage(take)
    session = session_on(stage, WITH_EXTRAS)
    assert session.sample(np.zeros(1)).extras is None and session.extra_trackers() == []
    session.bind(device_names("json", take.extras))
    poses = stage.run(session, every(1.0 / 60.0, 1.0))
    times = np.array([0.4, 0.5])
    frames = np.round(times * 60.0).astype(int)
    assert take.extras is not None
    check_extras(session.sample(take.times[frames]).extras, take.extras.part(frames))
    states = {state.role: state for state in session.extra_trackers()}
    assert tuple(states) == EXTRAS and all(state.valid for state in states.values())
    assert states["left_knee"].device == "left_shin"
    assert not states["right_knee"].has_position and not states["chest"].has_rotation
    # The pose meets them: the elbows are where they were seen.
    live = np.stack([pose.rotations for pose in poses])
    root = np.stack([pose.root for pose in poses])
    moments = np.array([pose.time for pose in poses])
    motion = make_motion(BODY, 120, 60.0).at(moments)
    shown = Motion(BODY, moments, live, root).positions()
    elbows = [INDEX["left_elbow"], INDEX["right_elbow"]]
    away = np.linalg.norm(shown[:, elbows] - motion.positions()[:, elbows], axis=-1)
    assert 1000.0 * away.mean() < 1.0
    without = session_on(Stage(), Calibration.none())
    assert len(without.trackers()) == 6


def test_segments_follow_from_names_unless_somebody_says_otherwise() -> None:
    session = session_on(Stage(), Calibration.none())
    roles = {"left_elbow": "LHR-1", "right_elbow": "Forearm R", "left_knee": "shin.L"}
    session.bind(roles, {"left_elbow": "lower", "left_knee": "upper"})
    extras = session.sample(np.zeros(1)).extras
    assert extras is not None
    lower = [EXTRA_TRACKERS[index] for index in np.flatnonzero(extras.lower)]
    assert lower == ["left_elbow", "right_elbow"]


def test_a_recording_has_optional_trackers(tmp_path: Path) -> None:
    """The bake of the recording is that of the take."""
    take = extras_at(120.0)
    stage = Stage(take)
    session = session_on(stage, None)
    session.bind(device_names("json", take.extras))
    stage.now = -0.25
    session.start_recording(tmp_path / "take.csv")
    stage.run(session, every(0.4, 2.2))
    raw = session.stop_recording()
    assert raw.readings == 11 * len(take)
    loaded = raw.load()
    np.testing.assert_allclose(loaded.times, take.times + 0.25, atol=1e-6)
    check_extras(loaded.extras, take.extras)
    one, other = (Reconstructor(BODY).clip(WITH_EXTRAS.apply(each)) for each in (take, loaded))
    assert 1000.0 * np.abs(one.positions() - other.positions()).max() < 0.1
    # A session without them gives the same recording as ever.
    alone = Reconstructor(BODY).clip(replace(WITH_EXTRAS.apply(take), extras=None))
    assert 1000.0 * np.abs(one.positions() - alone.positions()).max() > 1.0


# --- Recording ---------------------------------------------------------------------------------


def test_a_recording_is_the_take(tmp_path: Path, mounts: Calibration) -> None:
    take = take_at(120.0)
    stage = Stage(take)
    session = session_on(stage, None)
    stage.now = -0.25
    began = session.start_recording(tmp_path / "take.csv")
    # However rarely it is called.
    stage.run(session, every(0.4, 2.2))
    raw = session.stop_recording()
    assert raw.readings == stage.intake.counters.readings == 6 * len(take)
    assert raw.began == began == -0.25 and raw.first == pytest.approx(0.25, abs=1e-6)
    assert raw.seconds == pytest.approx(take.times[-1] + 0.25, abs=1e-6)
    loaded = raw.load()
    np.testing.assert_allclose(loaded.times, take.times + 0.25, atol=1e-6)
    np.testing.assert_allclose(loaded.positions, take.positions, atol=1e-6)
    np.testing.assert_allclose(np.abs((loaded.rotations * take.rotations).sum(-1)), 1.0, atol=1e-6)
    assert loaded.valid.all()
    one, other = (Reconstructor(BODY).clip(mounts.apply(each)) for each in (take, loaded))
    assert 1000.0 * np.abs(one.positions() - other.positions()).max() < 0.1


def test_recording_begins_and_ends_when_told(tmp_path: Path) -> None:
    stage = Stage(take_at(60.0, 4.0))
    session = session_on(stage, Calibration.none())
    stage.run(session, every(0.1, 1.0))
    stage.now = 1.004
    assert session.start_recording(tmp_path / "a.csv") == 1.004
    with pytest.raises(StreamingError, match="recording already"):
        session.start_recording(tmp_path / "b.csv")
    session.pause()
    stage.run(session, every(0.1, 2.0, 1.1))
    status = session.status
    assert status.recording == 6 * 60
    assert status.recorded_seconds == pytest.approx(0.996, abs=1e-6)
    stage.now = 2.5
    raw = session.stop_recording()
    assert session.status.recording == -1
    # What had come but was not looked at yet is in it.
    assert raw.readings == 6 * 90
    times = raw.load().times
    assert 0.0 < times[0] < 1.0 / 60.0 and times[-1] == pytest.approx(1.496, abs=1e-6)
    with pytest.raises(StreamingError, match="it is not recording"):
        session.stop_recording()


def test_a_crash_loses_at_most_a_second(tmp_path: Path) -> None:
    stage = Stage(take_at(60.0, 6.0))
    session = session_on(stage, None)
    path = tmp_path / "take.csv"
    session.start_recording(path)
    for stage.now in every(1.0 / 60.0, 5.0):
        session.tick(stage.now)
        if stage.now > 1.0:
            # As the system has it, were the program to end here.
            rows = path.read_bytes().count(b"\n") - 1
            assert rows >= 6 * 60 * (stage.now - 1.0)
    text = path.read_bytes()
    cut = tmp_path / "cut.csv"
    cut.write_bytes(text[: len(text) - 17])
    assert load_trackers(cut).times[-1] > 3.9
    session.stop_recording()


def test_a_program_that_is_killed_leaves_its_recording(tmp_path: Path) -> None:
    """Nothing is told to the program that records: the system ends it between two instructions."""
    path = tmp_path / "take.csv"
    program = """
import sys, time
from ssrhmr_core.streaming import Receiver
from ssrhmr_core.live import LiveSession
with Receiver("json", 0) as receiver:
    session = LiveSession(receiver, roles={"head": "head"})
    session.start_recording(sys.argv[1])
    print(receiver.port, flush=True)
    while True:
        session.tick()
        print(session.status.recording, flush=True)
        time.sleep(0.01)
"""
    command = [sys.executable, "-c", program, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as recorder:
        assert recorder.stdout is not None
        port = int(recorder.stdout.readline())
        out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with out:
            for number in range(75):
                head = {"name": "head", "position": [0, number, 0], "quaternion": [1, 0, 0, 0]}
                line = {"time": number / 30.0, **head}
                out.sendto(json.dumps(line).encode(), ("127.0.0.1", port))
                time.sleep(1.0 / 30.0)
        while int(recorder.stdout.readline()) < 75:
            pass
        recorder.kill()
    assert recorder.returncode
    # Two and a half seconds, less than a file's buffer holds: all but the last one are there.
    assert len(load_trackers(path)) >= 75 - 30


def test_a_full_disk_ends_the_recording_and_not_the_performance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(take_at(60.0))
    session = session_on(stage, Calibration.none())
    session.start_recording(tmp_path / "take.csv")
    stage.run(session, every(1.0 / 60.0, 0.3))

    def full(self: Recorder) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Recorder, "flush", full)
    poses = stage.run(session, every(1.0 / 60.0, 1.8, 0.31))
    assert len(poses) > 70
    message = session.status.message
    assert message.startswith("the recording ended: No space left on device. What came before")
    assert session.status.recording == -1
    with pytest.raises(StreamingError, match="No space left"):
        session.stop_recording()


def test_lost_and_late_packets_are_recorded_as_they_came(tmp_path: Path) -> None:
    take = take_at(120.0, 4.0)
    bad = Conditions(loss=0.05, reorder=0.1, jitter=0.004, duplicate=0.1, seed=3)
    stage = Stage(take, conditions=bad)
    session = session_on(stage, None)
    stage.now = -0.1
    session.start_recording(tmp_path / "take.csv")
    stage.run(session, every(0.05, 4.2))
    raw = session.stop_recording()
    counters = stage.intake.counters
    assert raw.readings == counters.readings
    assert counters.late > 0 and counters.duplicate > 0
    loaded = raw.load()
    assert 6 * len(loaded) == raw.readings
    assert loaded.valid.all()
    # Times are told from those of arrival: some tenths of a millisecond are not known.
    times = loaded.times - 0.1
    inside = times < take.times[-1]
    missed = np.linalg.norm(loaded.positions - take.at(times).positions, axis=-1)[inside]
    assert 1000.0 * np.median(missed) < 1.0


def test_trackers_that_are_not_sent_together(tmp_path: Path) -> None:
    """Without times, and each tracker in a packet of its own, some time after the others."""
    take = take_at(60.0)
    stage = Stage()
    session = session_on(stage, None)
    session.start_recording(tmp_path / "take.csv")
    for moment in take.times.tolist():
        for index, role in enumerate(TRACKERS):
            at = np.array([moment + 0.001 * index])
            there = take.at(at)
            x, y, z = there.positions[0, index].tolist()
            w, a, b, c = there.rotations[0, index].tolist()
            stage.intake._queue.append(Reading(role, (x, y, z), (w, a, b, c), at[0], arrival=at[0]))
        session.tick(moment + 0.01)
    raw = session.stop_recording()
    assert raw.readings == 6 * len(take)
    loaded = raw.load()
    assert len(loaded) == len(take)
    inside = slice(1, -1)
    wanted = take.at(loaded.times)
    assert loaded.valid[inside].all()
    assert 1000.0 * np.abs(loaded.positions - wanted.positions)[inside].max() < 1.0


def test_over_a_real_socket_live_recorded_and_baked_are_one(tmp_path: Path) -> None:
    take = take_at(120.0, 1.5)
    with Receiver("vmc", 0) as receiver:
        session = LiveSession(
            receiver,
            Reconstructor(BODY, ReconstructionOptions(smoothing=RAW)),
            device_names("vmc"),
            Calibration.none(),
            budget=np.inf,
        )
        session.start_recording(tmp_path / "take.csv")
        made = packets(take, "vmc")
        sender = threading.Thread(target=play, args=(made, "127.0.0.1", receiver.port))
        sender.start()
        poses = []
        while sender.is_alive() or receiver.counters.datagrams < len(take):
            pose = session.tick()
            if pose:
                poses.append(pose)
            time.sleep(0.01)
        sender.join()
        raw = session.stop_recording()
    assert receiver.counters.readings == raw.readings == 6 * len(take)
    loaded = raw.load()
    assert len(loaded) == len(take)
    shifted = [
        LivePose(pose.time - raw.began, pose.rotations, pose.root, pose.valid) for pose in poses
    ]
    assert shifted
    assert away(shifted, baked(loaded, shifted)).max() < 1.0
