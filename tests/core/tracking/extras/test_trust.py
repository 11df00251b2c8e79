# SPDX-License-Identifier: GPL-3.0-or-later
"""Optional trackers fade out around their losses, so that no pose jumps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.extra_trackers import EXTRA_TRACKERS
from ssrhmr_core.body.motion import Motion
from ssrhmr_core.tracking.extras.readings import ExtraReadings
from ssrhmr_core.tracking.extras.trust import FADE_SECONDS, LiveTrust, bridge_gaps, trust

CHEST, LEFT_ELBOW = EXTRA_TRACKERS.index("chest"), EXTRA_TRACKERS.index("left_elbow")
STEEPEST = 1.5 / (60.0 * FADE_SECONDS) + 1e-6
"""The largest change of a weight from frame to frame."""
FADE_FRAMES = 9


@pytest.fixture
def readings(motion: Motion) -> ExtraReadings:
    return ExtraReadings.from_motion(motion, EXTRA_TRACKERS)


def lose(readings: ExtraReadings, tracker: int, begin: int, end: int) -> ExtraReadings:
    """Lose a tracker; what a source reports then means nothing."""
    has_position, has_rotation = readings.has_position.copy(), readings.has_rotation.copy()
    positions, rotations = readings.positions.copy(), readings.rotations.copy()
    has_position[begin:end, tracker] = has_rotation[begin:end, tracker] = False
    positions[begin:end, tracker], rotations[begin:end, tracker] = np.nan, np.nan
    return ExtraReadings(positions, rotations, has_position, has_rotation, readings.lower)


def test_readings_without_gaps_count_fully(motion: Motion, readings: ExtraReadings) -> None:
    for weights in trust(readings, motion.times):
        np.testing.assert_array_equal(weights, 1.0)
    for weights in trust(ExtraReadings.empty(len(motion)), motion.times):
        np.testing.assert_array_equal(weights, 0.0)


def test_weights_reach_zero_where_a_gap_begins(motion: Motion, readings: ExtraReadings) -> None:
    positions, rotations = trust(lose(readings, CHEST, 60, 90), motion.times)
    np.testing.assert_array_equal(positions, rotations)
    np.testing.assert_array_equal(np.delete(positions, CHEST, 1), 1.0)
    weights = positions[:, CHEST]
    np.testing.assert_array_equal(weights[60:90], 0.0)
    assert (weights[: 60 - FADE_FRAMES] == 1.0).all() and (weights[90 + FADE_FRAMES :] == 1.0).all()
    assert 0.0 < weights[59] < 0.1 and 0.0 < weights[90] < 0.1
    assert (np.diff(weights[:61]) <= 0.0).all() and (np.diff(weights[89:]) >= 0.0).all()
    assert np.abs(np.diff(weights)).max() <= STEEPEST


def test_an_imu_fades_by_its_rotation_alone(motion: Motion, readings: ExtraReadings) -> None:
    imus = replace(readings, has_position=np.zeros_like(readings.has_position))
    positions, rotations = trust(lose(imus, CHEST, 60, 90), motion.times)
    np.testing.assert_array_equal(positions, 0.0)
    assert rotations[75, CHEST] == 0.0 and rotations[30, CHEST] == 1.0


def test_fades_last_as_long_at_any_rate(clock: np.ndarray) -> None:
    readings = ExtraReadings.empty(len(clock))
    readings.has_position[:] = True
    readings.has_position[300:600, CHEST] = False
    weights = trust(readings, clock)[0][:, CHEST]
    partial = (weights > 0.0) & (weights < 1.0)
    seconds = partial.sum() * float(np.diff(clock).mean())
    assert seconds == pytest.approx(2.0 * FADE_SECONDS, abs=0.034)


@pytest.fixture(params=(60.0, 240.0))
def clock(request: pytest.FixtureRequest) -> np.ndarray:
    return np.arange(1000) / float(request.param)


def test_short_gaps_are_bridged(motion: Motion, readings: ExtraReadings) -> None:
    gappy = lose(lose(readings, CHEST, 40, 44), LEFT_ELBOW, 60, 90)
    bridged = bridge_gaps(gappy, motion.times)
    assert bridged.has_position[:, CHEST].all() and bridged.has_rotation[:, CHEST].all()
    np.testing.assert_array_equal(
        bridged.has_position[:, LEFT_ELBOW], gappy.has_position[:, LEFT_ELBOW]
    )
    np.testing.assert_allclose(bridged.positions[:, CHEST], readings.positions[:, CHEST], atol=0.01)
    same = np.abs((bridged.rotations[:, CHEST] * readings.rotations[:, CHEST]).sum(-1))
    np.testing.assert_allclose(same, 1.0, atol=1e-3)
    kept = gappy.has_position[:, CHEST]
    np.testing.assert_array_equal(bridged.positions[kept, CHEST], readings.positions[kept, CHEST])
    np.testing.assert_array_equal(trust(bridged, motion.times)[0][:, CHEST], 1.0)
    assert bridge_gaps(readings, motion.times) is readings
    # Nothing is known before the first reading.
    late = lose(readings, CHEST, 0, 3)
    assert bridge_gaps(late, motion.times) is late


def run(live: LiveTrust, readings: ExtraReadings) -> tuple[np.ndarray, ...]:
    """The held readings and weights of all frames."""
    rows = zip(
        readings.positions,
        readings.rotations,
        readings.has_position,
        readings.has_rotation,
        strict=True,
    )
    return tuple(np.stack(each) for each in zip(*(live.frame(*row) for row in rows), strict=True))


def test_live_trackers_count_fully_while_they_are_there(readings: ExtraReadings) -> None:
    live = LiveTrust()
    for _ in range(2):
        positions, rotations, position_trust, rotation_trust = run(live, readings)
        np.testing.assert_array_equal(position_trust, 1.0)
        np.testing.assert_array_equal(rotation_trust, 1.0)
        np.testing.assert_array_equal(positions, readings.positions)
        same = np.abs((rotations * readings.rotations).sum(-1))
        np.testing.assert_allclose(same, 1.0, atol=1e-6)
        live.reset()


def test_a_lost_live_tracker_holds_still_while_it_fades_out(readings: ExtraReadings) -> None:
    positions, rotations, weights, turning = run(LiveTrust(), lose(readings, CHEST, 60, 90))
    np.testing.assert_array_equal(weights, turning)
    np.testing.assert_array_equal(np.delete(weights, CHEST, 1), 1.0)
    weights = weights[:, CHEST]
    np.testing.assert_array_equal(weights[:60], 1.0)
    np.testing.assert_array_equal(weights[60 + FADE_FRAMES : 90], 0.0)
    np.testing.assert_array_equal(weights[90 + FADE_FRAMES :], 1.0)
    assert np.abs(np.diff(weights)).max() <= STEEPEST
    held = np.broadcast_to(readings.positions[59, CHEST], (30, 3))
    np.testing.assert_array_equal(positions[60:90, CHEST], held)
    np.testing.assert_array_equal(positions[90:, CHEST], readings.positions[90:, CHEST])
    assert np.isfinite(positions).all() and np.isfinite(rotations).all()


def test_a_short_loss_does_not_make_readings_jump(readings: ExtraReadings) -> None:
    """The tracker comes back half a metre away before it has faded out."""
    elsewhere = replace(readings, positions=readings.positions.copy())
    elsewhere.positions[64:, CHEST] += [0.5, 0.0, 0.0]
    turn = quat.from_angle_axis(np.array([1.0]), np.array([0.0, 1.0, 0.0]))
    turned = quat.mul(np.tile(turn, (len(readings) - 64, 1)), readings.rotations[64:, CHEST])
    elsewhere.rotations[64:, CHEST] = -turned
    lost = lose(elsewhere, CHEST, 60, 64)
    positions, rotations, weights, _ = run(LiveTrust(), lost)
    steps = np.linalg.norm(np.diff(positions[:, CHEST], axis=0), axis=-1)
    usual = np.linalg.norm(np.diff(readings.positions[:, CHEST], axis=0), axis=-1).max()
    assert steps.max() < 0.5 * STEEPEST + 3.0 * usual
    same = np.abs((rotations[1:, CHEST] * rotations[:-1, CHEST]).sum(-1))
    assert np.degrees(2.0 * np.arccos(np.clip(same, 0.0, 1.0))).max() < 25.0
    assert 0.3 < weights[63, CHEST] < 0.7
    after = 64 + FADE_FRAMES
    np.testing.assert_allclose(
        positions[after:, CHEST], elsewhere.positions[after:, CHEST], atol=1e-6
    )


def test_a_live_tracker_that_comes_late_fades_in(readings: ExtraReadings) -> None:
    weights = run(LiveTrust(), lose(readings, CHEST, 0, 30))[2][:, CHEST]
    np.testing.assert_array_equal(weights[:30], 0.0)
    assert 0.0 < weights[30] < 0.1 and weights[30 + FADE_FRAMES] == 1.0
