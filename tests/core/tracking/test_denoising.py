# SPDX-License-Identifier: GPL-3.0-or-later
"""Smoothing: noise goes, motion and timing stay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.extra_trackers import EXTRA_TRACKERS
from ssrhmr_core.body.skeleton import Skeleton
from ssrhmr_core.tracking.denoising import Smoothing, estimate_noise, smooth
from ssrhmr_core.tracking.extras.readings import ExtraReadings
from ssrhmr_core.tracking.one_euro import OneEuro
from ssrhmr_core.tracking.take import Take
from tests.core.conftest import make_motion

RANDOM = np.random.default_rng(5)


@pytest.fixture
def take(skeleton: Skeleton) -> Take:
    return Take.from_motion(make_motion(skeleton, frames=600))


def add_noise(take: Take, millimetres: float = 5.0, degrees: float = 1.0) -> Take:
    positions = take.positions + 0.001 * millimetres * RANDOM.standard_normal(take.positions.shape)
    noise = quat.from_scaled_angle_axis(
        np.radians(degrees) * RANDOM.standard_normal(take.positions.shape)
    )
    rotations = quat.mul(take.rotations.astype(float), noise)
    return replace(take, positions=positions.astype("f4"), rotations=rotations.astype("f4"))


def position_error(take: Take, truth: Take) -> float:
    return 1000.0 * float(np.linalg.norm(take.positions - truth.positions, axis=-1).mean())


def rotation_error(take: Take, truth: Take) -> float:
    same = np.abs((take.rotations * truth.rotations).sum(-1))
    return float(np.degrees(2.0 * np.arccos(np.clip(same, 0.0, 1.0))).mean())


def measure_jitter(take: Take) -> float:
    return float(np.linalg.norm(np.diff(take.positions, 3, axis=0), axis=-1).mean())


def test_clean_takes_stay_as_they_are(take: Take) -> None:
    assert smooth(take, Smoothing()) is take
    assert smooth(take, Smoothing(auto=False, cutoff=0.0)) is take


@pytest.mark.parametrize("rate", [12.0, 24.0, 30.0])
def test_the_corners_of_a_slower_take_are_no_noise(skeleton: Skeleton, rate: float) -> None:
    """Fast motion, keyed at a lower rate and read between its keys, as Blender does."""
    motion = make_motion(skeleton, frames=int(8 * rate), rate=rate / 5.0)
    fast = replace(Take.from_motion(motion), times=motion.times / 5.0)
    assert smooth(fast, Smoothing()) is fast
    between = fast.resampled(rate * np.ceil(60.0 / rate))
    corners = np.diff(between.positions[:, 2], 6, axis=0)
    assert np.quantile(np.abs(corners), 0.3) > 0.005, "metres: these would pass for noise"
    assert smooth(between, Smoothing()) is between


def test_noise_is_measured(take: Take) -> None:
    noisy = add_noise(take)
    for tracker in range(6):
        assert estimate_noise(noisy.positions[:, tracker].astype(float)) == pytest.approx(
            0.005, rel=0.2
        )


def test_noise_goes_and_motion_stays(take: Take) -> None:
    noisy = add_noise(take)
    smoothed = smooth(noisy, Smoothing())
    assert position_error(smoothed, take) < 0.45 * position_error(noisy, take)
    assert rotation_error(smoothed, take) < 0.5 * rotation_error(noisy, take)
    assert measure_jitter(smoothed) < 0.05 * measure_jitter(noisy)
    np.testing.assert_allclose(np.linalg.norm(smoothed.rotations, axis=-1), 1.0, atol=1e-5)


def test_small_noise_goes_where_all_trackers_have_it(take: Take) -> None:
    """Of one tracker, or of few, as much may be motion."""
    noisy = add_noise(take, 1.0, 0.4)
    smoothed = smooth(noisy, Smoothing())
    assert position_error(smoothed, take) < 0.6 * position_error(noisy, take)
    assert rotation_error(smoothed, take) < 0.6 * rotation_error(noisy, take)
    assert measure_jitter(smoothed) < 0.1 * measure_jitter(noisy)
    positions, rotations = take.positions.copy(), take.rotations.copy()
    positions[:, 2], rotations[:, 2] = noisy.positions[:, 2], noisy.rotations[:, 2]
    one = replace(take, positions=positions, rotations=rotations)
    assert smooth(one, Smoothing()) is one
    valid = take.valid.copy()
    valid[:, [0, 4, 5]] = False
    few = replace(noisy, valid=valid)
    assert smooth(few, Smoothing()) is few


@pytest.mark.parametrize("cutoff", [3.0, 6.0])
def test_the_cutoff_is_where_half_the_power_is_left_and_nothing_is_late(cutoff: float) -> None:
    times = np.arange(1200) / 60.0
    positions = np.zeros((1200, 6, 3), np.float32)
    positions[:, 0, 0] = np.sin(2.0 * np.pi * cutoff * times)
    still = np.tile(np.array([1, 0, 0, 0], np.float32), (1200, 6, 1))
    take = Take(times, positions, still, np.ones((1200, 6), bool))
    smoothed = smooth(take, Smoothing(auto=False, cutoff=cutoff)).positions[200:-200, 0, 0]
    expected = positions[200:-200, 0, 0]
    gain = (smoothed @ expected) / (expected @ expected)
    assert gain == pytest.approx(0.5**0.5, abs=0.02)
    np.testing.assert_allclose(smoothed, gain * expected, atol=5e-3)


def test_gaps_and_signs_do_no_harm(take: Take) -> None:
    noisy = add_noise(take)
    flipped = noisy.rotations.copy()
    flipped[::2] *= -1.0
    valid = noisy.valid.copy()
    valid[200:260, 2] = False
    positions = noisy.positions.copy()
    positions[200:260, 2] = np.nan
    smoothed = smooth(Take(take.times, positions, flipped, valid), Smoothing())
    assert rotation_error(smoothed, take) < rotation_error(noisy, take)
    assert np.isfinite(smoothed.positions[smoothed.valid]).all()
    np.testing.assert_array_equal(smoothed.valid, valid)


def test_uneven_times(take: Take) -> None:
    times = take.times + RANDOM.uniform(-0.004, 0.004, len(take))
    noisy = add_noise(take.at(np.clip(times, 0.0, None)))
    smoothed = smooth(noisy, Smoothing())
    assert position_error(smoothed.at(noisy.times), take.at(noisy.times)) < 0.5 * position_error(
        noisy, take.at(noisy.times)
    )


def test_one_euro_calms_still_trackers_and_follows_fast_ones() -> None:
    still = np.tile(np.array([1, 0, 0, 0], np.float32), (6, 1))
    valid = np.ones(6, bool)
    fast = OneEuro(1.0)
    smoothed = []
    for _ in range(240):
        positions = 0.005 * RANDOM.standard_normal((6, 3))
        smoothed.append(fast.frame(positions, still, valid)[0])
    assert np.std(smoothed[60:]) < 0.4 * 0.005
    fast.reset()
    for frame in range(240):
        positions = np.full((6, 3), 2.0 * frame / 60.0)
        late = positions - fast.frame(positions, still, valid)[0]
    # 2 m/s on each axis: late by less than 4 ms.
    assert np.abs(late).max() / 2.0 < 0.004


def test_one_euro_is_off_at_zero_and_restarts_after_a_loss() -> None:
    still = np.tile(np.array([1, 0, 0, 0], np.float32), (6, 1))
    positions = np.ones((6, 3), np.float32)
    assert OneEuro(0.0).frame(positions, still, np.ones(6, bool))[0] is positions
    euro = OneEuro(1.0)
    euro.frame(positions, still, np.ones(6, bool))
    without_hand = np.arange(6) != 2
    euro.frame(positions + 9.0, still, without_hand)
    again, _ = euro.frame(positions + 1.0, still, np.ones(6, bool))
    np.testing.assert_allclose(again[2], 2.0)


def with_extras(skeleton: Skeleton, millimetres: float, degrees: float) -> tuple[Take, Take]:
    """A take with all optional trackers, and the same with noise on these."""
    take = Take.from_motion(make_motion(skeleton, frames=600), EXTRA_TRACKERS)
    assert take.extras is not None
    own = Take(take.times, take.extras.positions[:, :6], take.extras.rotations[:, :6], take.valid)
    noisy = add_noise(own, millimetres, degrees)
    readings = ExtraReadings.concatenate([take.extras])
    readings.positions[:, :6], readings.rotations[:, :6] = noisy.positions, noisy.rotations
    return take, replace(take, extras=readings)


def test_optional_trackers_are_smoothed_like_the_six(skeleton: Skeleton) -> None:
    take, noisy = with_extras(skeleton, 5.0, 1.0)
    assert smooth(take, Smoothing()) is take
    assert noisy.extras is not None and take.extras is not None
    noisy.extras.has_position[200:240, 1] = False
    smoothed = smooth(noisy, Smoothing())
    assert smoothed.extras is not None
    # The six have no noise.
    assert smoothed.positions is noisy.positions and smoothed.rotations is noisy.rotations
    there = noisy.extras.has_position
    before, after = (
        np.linalg.norm(each.positions - take.extras.positions, axis=-1)[:, :6][there[:, :6]].mean()
        for each in (noisy.extras, smoothed.extras)
    )
    assert after < 0.5 * before
    same = (
        np.abs((each.rotations * take.extras.rotations).sum(-1))[:, :6]
        for each in (noisy.extras, smoothed.extras)
    )
    turned = [np.arccos(np.clip(each, 0.0, 1.0)).mean() for each in same]
    assert turned[1] < 0.55 * turned[0]
    np.testing.assert_array_equal(smoothed.extras.positions[:, 6:], noisy.extras.positions[:, 6:])
    np.testing.assert_array_equal(smoothed.extras.has_position, there)
    np.testing.assert_array_equal(
        smoothed.extras.positions[200:240, 1], noisy.extras.positions[200:240, 1]
    )


def test_noise_of_the_six_does_not_depend_on_optional_trackers(take: Take) -> None:
    noisy = add_noise(take)
    extras = ExtraReadings.empty(len(take))
    plain, with_none = (
        smooth(each, Smoothing()) for each in (noisy, replace(noisy, extras=extras))
    )
    np.testing.assert_array_equal(plain.positions, with_none.positions)
    np.testing.assert_array_equal(plain.rotations, with_none.rotations)
    assert with_none.extras is extras and plain.extras is None


def test_one_euro_restarts_positions_and_rotations_by_themselves() -> None:
    euro = OneEuro(0.5, 2)
    still = np.tile([1.0, 0.0, 0.0, 0.0], (2, 1))
    turned = np.tile([0.8, 0.6, 0.0, 0.0], (2, 1))
    both = np.ones(2, bool)
    euro.frame(np.zeros((2, 3)), still, both, both)
    euro.frame(np.zeros((2, 3)), still, both, np.array([True, False]))
    positions, rotations = euro.frame(np.ones((2, 3)), turned, both, both)
    assert (positions < 0.95).all()
    np.testing.assert_allclose(rotations[1], turned[1], atol=1e-6)
    assert np.abs(rotations[0] - turned[0]).max() > 0.01
