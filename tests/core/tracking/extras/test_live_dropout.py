# SPDX-License-Identifier: GPL-3.0-or-later
"""Implausible readings of optional trackers are left out as frames come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ssrhmr_core.body.extra_trackers import EXTRA_TRACKERS
from ssrhmr_core.body.skeleton import Skeleton
from ssrhmr_core.formats import load_motion
from ssrhmr_core.tracking.extras.live_dropout import LiveExtraDropouts
from ssrhmr_core.tracking.extras.readings import ExtraReadings
from ssrhmr_core.tracking.take import Take
from tests.core.conftest import make_motion

SAMPLE = Path(__file__).parents[4] / "examples" / "sample_take.bvh"
INDICES = {name: index for index, name in enumerate(EXTRA_TRACKERS)}
FRAMES = 420


@pytest.fixture
def take(skeleton: Skeleton) -> Take:
    return Take.from_motion(make_motion(skeleton, frames=FRAMES), EXTRA_TRACKERS)


def change(take: Take, spoil: Callable[[ExtraReadings], None]) -> Take:
    assert take.extras is not None
    readings = ExtraReadings.concatenate([take.extras])
    spoil(readings)
    return replace(take, extras=readings)


def run(detector: LiveExtraDropouts, take: Take) -> tuple[np.ndarray, np.ndarray]:
    """Which positions and rotations (F, 9) are believed."""
    own = take.extras
    assert own is not None
    results = [
        detector.frame(
            (own.positions[frame], own.rotations[frame]),
            (own.has_position[frame], own.has_rotation[frame]),
            take.positions[frame],
            take.valid[frame],
        )
        for frame in range(len(take))
    ]
    positions, rotations = zip(*results, strict=True)
    return np.stack(positions), np.stack(rotations)


def find_lost(take: Take, tracker: str, body: Skeleton) -> list[int]:
    """The frames in which a tracker is lost; all others are believed throughout."""
    positions, rotations = run(LiveExtraDropouts(body), take)
    np.testing.assert_array_equal(positions, rotations)
    assert np.delete(positions, INDICES[tracker], 1).all()
    return np.flatnonzero(~positions[:, INDICES[tracker]]).tolist()


def test_good_readings_are_believed(take: Take, skeleton: Skeleton) -> None:
    detector = LiveExtraDropouts(skeleton)
    for _ in range(2):
        for mask in run(detector, take):
            assert mask.all()
        assert detector.ignored == ()
        detector.reset()
    motion = load_motion(SAMPLE).resampled()
    sample = Take.from_motion(motion, EXTRA_TRACKERS)
    for mask in run(LiveExtraDropouts(motion.skeleton), sample):
        assert mask.all()


def test_noise_is_believed(take: Take, skeleton: Skeleton) -> None:
    def shake(readings: ExtraReadings) -> None:
        noise = 0.005 * np.random.default_rng(5).standard_normal(readings.positions.shape)
        readings.positions[:] += noise.astype(np.float32)

    positions, _ = run(LiveExtraDropouts(skeleton), change(take, shake))
    assert positions.mean() > 0.999


@pytest.mark.parametrize("name", ["chest", "left_elbow", "right_knee", "left_toe"])
@pytest.mark.parametrize("frames", [1, 5, 20])
def test_a_leap_is_left_out(take: Take, skeleton: Skeleton, name: str, frames: int) -> None:
    def leap(readings: ExtraReadings) -> None:
        readings.positions[100 : 100 + frames, INDICES[name], 1] += 0.4

    lost = find_lost(change(take, leap), name, skeleton)
    # It must be back for a moment before it is believed.
    assert lost[:frames] == list(range(100, 100 + frames))
    assert len(lost) <= frames + 3


def test_a_tracker_that_stays_elsewhere_is_believed_at_last(take: Take, skeleton: Skeleton) -> None:
    def shift(readings: ExtraReadings) -> None:
        readings.positions[100:, INDICES["left_knee"], 2] += 0.35

    # A body that reaches so far.
    lost = find_lost(change(take, shift), "left_knee", skeleton.scaled(2.0))
    assert lost[0] == 100 and 25 <= len(lost) <= 60


def test_a_frozen_tracker_is_left_out(take: Take, skeleton: Skeleton) -> None:
    def freeze(readings: ExtraReadings) -> None:
        tracker = INDICES["left_knee"]
        readings.positions[101:160, tracker] = readings.positions[100, tracker]
        readings.rotations[101:160, tracker] = readings.rotations[100, tracker]

    lost = find_lost(change(take, freeze), "left_knee", skeleton)
    assert set(range(107, 160)) <= set(lost) <= set(range(101, 162))


def test_a_frozen_imu_is_left_out(take: Take, skeleton: Skeleton) -> None:
    def freeze(readings: ExtraReadings) -> None:
        readings.has_position[:] = False
        tracker = INDICES["left_elbow"]
        readings.rotations[101:160, tracker] = readings.rotations[100, tracker]

    positions, rotations = run(LiveExtraDropouts(skeleton), change(take, freeze))
    assert not positions.any()
    assert not rotations[107:160, INDICES["left_elbow"]].any()
    assert rotations[:101].all() and rotations[161:].all()


def test_a_paused_source_freezes_nothing(take: Take, skeleton: Skeleton) -> None:
    assert take.extras is not None
    rows = np.concatenate([np.arange(100), np.full(60, 100), np.arange(101, 200)])
    paused = Take(
        np.arange(len(rows)) / 60.0,
        take.positions[rows],
        take.rotations[rows],
        take.valid[rows],
        take.extras.part(rows),
    )
    for mask in run(LiveExtraDropouts(skeleton), paused):
        assert mask.all()


def test_a_place_out_of_reach_is_left_out(take: Take, skeleton: Skeleton) -> None:
    def glide(readings: ExtraReadings) -> None:
        away = np.interp(np.arange(FRAMES), [100, 140, 200, 240], [0.0, 0.8, 0.8, 0.0])
        readings.positions[:, INDICES["left_elbow"], 0] += away.astype(np.float32)

    lost = find_lost(change(take, glide), "left_elbow", skeleton)
    assert set(range(140, 200)) <= set(lost) <= set(range(101, 260))


def test_a_cut_is_no_leap(take: Take, skeleton: Skeleton) -> None:
    positions = take.positions.copy()
    positions[200:] += np.float32(1.5)

    def cut(readings: ExtraReadings) -> None:
        readings.positions[200:] += np.float32(1.5)

    for mask in run(LiveExtraDropouts(skeleton), change(replace(take, positions=positions), cut)):
        assert mask.all()


def test_a_tracker_left_on_a_table_is_ignored(take: Take, skeleton: Skeleton) -> None:
    detector = LiveExtraDropouts(skeleton)

    def put_down(readings: ExtraReadings) -> None:
        readings.positions[:300, INDICES["left_knee"]] = np.array([9.0, 0.8, 2.0])

    left = change(take, put_down)
    assert left.extras is not None
    early = Take(
        left.times[:300],
        left.positions[:300],
        left.rotations[:300],
        left.valid[:300],
        left.extras.part(slice(300)),
    )
    positions, rotations = run(detector, early)
    assert not positions[:, INDICES["left_knee"]].any()
    assert not rotations[:, INDICES["left_knee"]].any()
    assert detector.ignored == ("left_knee",)
    # Taken up, it is believed after some seconds.
    positions, _ = run(detector, take)
    assert not detector.ignored and positions[-30:, INDICES["left_knee"]].all()


def test_a_lost_tracker_is_believed_as_soon_as_it_is_back(take: Take, skeleton: Skeleton) -> None:
    def lose(readings: ExtraReadings) -> None:
        readings.positions[100:130, INDICES["chest"]] = np.nan
        readings.has_position[100:130, INDICES["chest"]] = False
        readings.has_rotation[100:130, INDICES["chest"]] = False

    assert find_lost(change(take, lose), "chest", skeleton) == list(range(100, 130))
