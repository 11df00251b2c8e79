# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes: frames of six trackers."""

from __future__ import annotations

import numpy as np
import pytest

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.tracking.take import Take, TrackerError, has_usable_values, is_usable


def test_non_finite_readings_are_not_valid(motion: Motion) -> None:
    take = Take.from_motion(motion)
    positions, rotations = take.positions.copy(), take.rotations.copy()
    positions[60, 3, 1] = np.nan
    rotations[70, 4] = 0.0
    rotations[80, 5, 2] = np.inf
    checked = Take(take.times, positions, rotations, take.valid)
    assert np.argwhere(~checked.valid).tolist() == [[60, 3], [70, 4], [80, 5]]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 0.0, 1e-7, 1e-5, 3e38])
@pytest.mark.parametrize("number", range(7))
def test_single_readings_are_judged_as_many_are(number: int, value: float) -> None:
    reading = np.array([3e38, -3e38, 3e38, 0.0, 0.0, 0.0, 0.0], np.float32)
    reading[number] = value
    expected = bool(has_usable_values(reading[:3], reading[3:]))
    assert is_usable(reading[:3].tolist(), reading[3:].tolist()) == expected
    assert expected == (number > 2 and np.isfinite(value) and value > 1e-6)


def test_times_must_rise_and_shapes_fit(motion: Motion) -> None:
    take = Take.from_motion(motion)
    with pytest.raises(TrackerError, match="rise"):
        Take(take.times[::-1], take.positions, take.rotations, take.valid)
    with pytest.raises(TrackerError, match="six trackers"):
        Take(take.times, take.positions[:, :5], take.rotations, take.valid)


def test_a_tracker_without_readings_stays_invalid(motion: Motion) -> None:
    take = Take.from_motion(motion)
    valid = take.valid.copy()
    valid[:, 4] = False
    resampled = Take(take.times, take.positions, take.rotations, valid).resampled()
    assert not resampled.valid[:, 4].any() and resampled.valid[:, :4].all()
    assert np.isfinite(resampled.positions).all() and np.isfinite(resampled.rotations).all()


def test_gaps_are_bridged(motion: Motion) -> None:
    take = Take.from_motion(motion)
    valid = take.valid.copy()
    valid[50:56, 2] = False
    positions = take.positions.copy()
    positions[50:56, 2] = np.nan
    bridged = Take(take.times, positions, take.rotations, valid).at(take.times)
    assert np.isfinite(bridged.positions).all()
    assert np.abs(bridged.positions[50:56, 2] - take.positions[50:56, 2]).max() < 0.02
    np.testing.assert_allclose(bridged.positions[:50], take.positions[:50], atol=1e-6)
    assert not bridged.valid[50:56, 2].any()


def test_resampling_keeps_time(motion: Motion) -> None:
    take = Take.from_motion(motion)
    half = take.at(take.times[::2])
    np.testing.assert_allclose(half.positions, take.positions[::2], atol=1e-6)
    again = half.resampled()
    np.testing.assert_allclose(again.times, take.times[: len(again)], atol=1e-9)
    assert np.abs(again.positions - take.positions[: len(again)]).max() < 2e-3


def test_other_units_scale_positions_alone(motion: Motion) -> None:
    take = Take.from_motion(motion, ["chest"])
    scaled = take.scaled(100.0)
    assert take.extras is not None and scaled.extras is not None
    np.testing.assert_allclose(scaled.positions, 100.0 * take.positions, rtol=1e-6)
    np.testing.assert_allclose(scaled.extras.positions, 100.0 * take.extras.positions, rtol=1e-6)
    np.testing.assert_array_equal(scaled.rotations, take.rotations)
    assert scaled.positions.dtype == np.float32
