# SPDX-License-Identifier: GPL-3.0-or-later
"""What a body part can do, and what only a glitch can."""

from __future__ import annotations

import numpy as np
import pytest

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import TRACKERS
from ssrhmr_core.tracking.plausibility import (
    LIMITS,
    REACH,
    limits_of,
    measure_implausibility,
    measure_overreach,
)
from ssrhmr_core.tracking.take import Take

HAND, FOOT = TRACKERS.index("left_hand"), TRACKERS.index("left_foot")


def path(speeds: np.ndarray, rate: float = 60.0) -> tuple[np.ndarray, np.ndarray]:
    """Return times and positions of a tracker that moves along X at some speeds."""
    x = np.concatenate([[0.0], np.cumsum(speeds) / rate])
    return np.arange(len(x)) / rate, np.stack([x, 0 * x, 0 * x], -1)


@pytest.mark.parametrize("tracker", range(len(TRACKERS)))
def test_standing_and_even_motion_are_plausible(tracker: int) -> None:
    for speed in (0.0, 1.0, 5.0):
        excess = measure_implausibility(*path(np.full(60, speed)), limits_of(tracker))
        assert excess.shape == (60,) and excess.max() < 0.6


def test_a_start_within_frames_is_plausible_and_one_within_a_frame_is_not() -> None:
    punch = np.concatenate([np.zeros(20), np.linspace(1.5, 10.0, 7), np.full(5, 10.0)])
    assert measure_implausibility(*path(punch), limits_of(HAND)).max() < 1.0
    glitch = np.concatenate([np.zeros(20), np.full(5, 10.0)])
    excess = measure_implausibility(*path(glitch), limits_of(HAND))
    assert np.flatnonzero(excess > 1.0).tolist() == [20]


def test_a_dead_stop_is_plausible() -> None:
    ramp = np.linspace(0.0, 10.0, 20)
    stop = np.concatenate([ramp, np.zeros(20)])
    assert measure_implausibility(*path(stop), limits_of(HAND)).max() <= 1.0


def test_after_a_jump_the_velocity_is_unknown() -> None:
    """One jump is one implausible step, and does not make the next one so."""
    speeds = np.full(40, 1.0)
    speeds[20] = 90.0
    excess = measure_implausibility(*path(speeds), limits_of(HAND))
    assert np.flatnonzero(excess > 1.0).tolist() == [20]


@pytest.mark.parametrize("rate", [24.0, 30.0, 120.0, 240.0])
def test_rates_do_not_matter(rate: float) -> None:
    seconds = np.arange(0.0, 2.0, 1.0 / rate)
    swing = 6.0 * np.sin(2.0 * np.pi * 1.5 * seconds)
    assert measure_implausibility(*path(swing, rate), limits_of(HAND)).max() < 1.0


def test_uncertainty_grows_up_to_a_limit() -> None:
    for limits in LIMITS.values():
        distances = [limits.allowed_distance(seconds) for seconds in (0.0, 0.1, 0.2, 10.0)]
        assert distances == sorted(distances) and distances[-1] == limits.uncertainty_limit


def test_allowed_changes_rise_with_speed_and_noise() -> None:
    hand = limits_of(HAND)
    at_rest = hand.allowed_change(0.0, gains_speed=True)
    assert at_rest < hand.allowed_change(3.0, gains_speed=True)
    assert hand.allowed_change(3.0, gains_speed=True) < hand.allowed_change(3.0, gains_speed=False)
    assert hand.allowed_change(0.0, gains_speed=True, noise=0.01) > at_rest + 0.02


@pytest.mark.parametrize("readings", [0, 1])
def test_without_steps_nothing_is_implausible(readings: int) -> None:
    excess = measure_implausibility(np.zeros(readings), np.zeros((readings, 3)), limits_of(HAND))
    assert excess.shape == (0,)


def test_reaches_are_symmetric_and_bodies_stay_within_them(motion: Motion) -> None:
    np.testing.assert_array_equal(REACH, REACH.T)
    take = Take.from_motion(motion)
    for tracker in range(len(TRACKERS)):
        assert not measure_overreach(take.positions, tracker, take.valid).any()


def test_overreach_is_measured_from_reliable_trackers(motion: Motion) -> None:
    """A foot two metres to the side is out of reach, and nothing else is."""
    take = Take.from_motion(motion)
    positions, reliable = take.positions.copy(), take.valid.copy()
    positions[50:60, FOOT, 0] += 2.0
    reliable[40:70, FOOT] = False
    over = measure_overreach(positions, FOOT, reliable)
    assert over[50:60].min() > 0.7 and not over[:50].any() and not over[60:].any()
    for other in range(len(TRACKERS)):
        assert other == FOOT or not measure_overreach(positions, other, reliable).any()


def test_larger_bodies_reach_farther(motion: Motion) -> None:
    take = Take.from_motion(motion)
    for tracker in range(len(TRACKERS)):
        assert not measure_overreach(2.5 * take.positions, tracker, take.valid).any()
