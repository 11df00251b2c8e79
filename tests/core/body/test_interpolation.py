# SPDX-License-Identifier: GPL-3.0-or-later
"""Clocks, runs and interpolation over time."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.interpolation import (
    find_runs,
    interpolate,
    interpolate_rotations,
    regular_times,
)
from ssrhmr_core.body.motion import Motion
from tests.core.drawn import motions, seeds


def largest_angle(a: np.ndarray, b: np.ndarray) -> float:
    """Return the largest angle between quaternions (..., 4), radians."""
    a, b = a.astype(float), b.astype(float)
    distance = np.minimum(np.linalg.norm(a - b, axis=-1), np.linalg.norm(a + b, axis=-1))
    return float(4.0 * np.arcsin(np.clip(0.5 * distance, 0.0, 1.0)).max())


def test_even_times() -> None:
    assert np.allclose(regular_times(np.array([1.0, 1.5]), 10.0), [1.0, 1.1, 1.2, 1.3, 1.4, 1.5])
    assert len(regular_times(np.array([0.0, 0.999]), 10.0)) == 10
    # Sums of rounded steps do not lose the last frame.
    assert len(regular_times(np.cumsum(np.full(601, 1.0 / 60.0)), 60.0)) == 601


@given(
    start=st.floats(-1e4, 1e4),
    span=st.floats(0.0, 100.0),
    rate=st.sampled_from([1.0, 23.976, 24.0, 30.0, 59.94, 60.0, 90.0, 240.0]),
)
def test_even_clocks(start: float, span: float, rate: float) -> None:
    times = regular_times(np.array([start, start + span]), rate)
    assert times[0] == start
    np.testing.assert_allclose(np.diff(times), 1.0 / rate, rtol=1e-6)
    assert -2e-3 / rate < start + span - times[-1] < 1.0 / rate + 1e-9


@given(mask=st.lists(st.booleans(), max_size=60))
def test_runs_of_a_mask(mask: list[bool]) -> None:
    again = np.zeros(len(mask), bool)
    runs = find_runs(np.array(mask, bool))
    for begin, end in runs:
        assert begin < end
        again[begin:end] = True
    assert again.tolist() == mask
    assert all(a[1] < b[0] for a, b in pairwise(runs))


def test_values_on_uneven_times() -> None:
    times = np.array([0.0, 1.0, 4.0])
    values = np.array([[0.0], [10.0], [40.0]])
    new_times = np.array([-1.0, 0.25, 1.0, 2.0, 9.0])
    result = interpolate(times, values, new_times)
    assert result.dtype == np.float32
    assert np.allclose(result[:, 0], [0.0, 2.5, 10.0, 20.0, 40.0])


def test_a_single_value_is_held() -> None:
    one, new_times = np.array([[3.0, 4.0]]), np.array([-1.0, 0.0, 5.0])
    assert interpolate(np.zeros(1), one, new_times).tolist() == [[3.0, 4.0]] * 3


def test_rotations_take_the_short_way() -> None:
    """The short way between quaternions of opposite sign, and between nearly equal ones."""
    angles = np.radians([10.0, 20.0, 20.00001])
    rotations = quat.from_angle_axis(angles[:, None], np.tile([0.0, 1.0, 0.0], (3, 1)))
    rotations[1] *= -1.0
    result = interpolate_rotations(np.arange(3.0), rotations, np.array([0.5, 1.5]))
    assert result.dtype == np.float32
    assert np.allclose(np.linalg.norm(result, axis=-1), 1.0, atol=1e-6)
    degrees = 2.0 * np.degrees(np.arctan2(np.abs(result[:, 2]), np.abs(result[:, 0])))
    assert np.allclose(degrees, [15.0, 20.0], atol=1e-3)


@given(motion=motions(), seed=seeds())
def test_signs_of_quaternions_mean_nothing(motion: Motion, seed: int) -> None:
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (len(motion), 22, 1)).astype("f4")
    times = np.linspace(motion.times[0], motion.times[-1], 30)
    expected = interpolate_rotations(motion.times, motion.rotations, times)
    result = interpolate_rotations(motion.times, motion.rotations * signs, times)
    assert largest_angle(result, expected) < 1e-3
