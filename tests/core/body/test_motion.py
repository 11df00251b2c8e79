# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips: forward kinematics, clocks and interpolation."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.interpolation import (
    MODEL_RATE,
    interpolate,
    interpolate_rotations,
    regular_times,
    runs,
)
from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import PARENTS, Skeleton
from tests.core.drawn import motions, seeds


def turning(skeleton: Skeleton, times: np.ndarray, speed: float = 1.0) -> Motion:
    """A body that turns about Y at ``speed`` radians a second and walks along X."""
    turns = np.zeros((len(times), 22, 3))
    turns[..., 1] = speed * times[:, None]
    root = np.stack([times, np.ones_like(times), 0.0 * times], -1)
    rotations = quat.from_scaled_angle_axis(turns)
    return Motion(skeleton, times, rotations.astype("f4"), root.astype("f4"))


def test_positions(skeleton: Skeleton) -> None:
    motion = turning(skeleton, np.array([0.0, np.pi / 2.0]))
    positions = motion.positions()
    assert positions.dtype == np.float32
    assert np.allclose(positions[0], skeleton.t_pose() + motion.root[0], atol=1e-6)
    x, y, z = skeleton.t_pose().T
    assert np.allclose(positions[1], np.stack([z, y, -x], -1) + motion.root[1], atol=1e-5)


def test_local_rotations_lead_back(motion: Motion) -> None:
    turned = motion.local_rotations().astype(float)
    for joint, parent in enumerate(PARENTS[1:], 1):
        turned[:, joint] = quat.mul(turned[:, parent], turned[:, joint])
    assert np.allclose(np.abs((turned * motion.rotations).sum(-1)), 1.0, atol=1e-5)


def test_rate(motion: Motion) -> None:
    assert len(motion) == 150
    assert motion.rate == pytest.approx(60.0)
    assert motion.at(motion.times[:1]).rate == MODEL_RATE


@pytest.mark.parametrize("rate", [24.0, 59.94, 120.0])
def test_resampling_is_exact_on_steady_motion(skeleton: Skeleton, rate: float) -> None:
    motion = turning(skeleton, 5.0 + np.arange(60) / rate)
    resampled = motion.resampled()
    wanted = turning(skeleton, resampled.times)
    assert resampled.times[0] == 5.0
    assert resampled.rate == pytest.approx(MODEL_RATE)
    assert motion.times[-1] - resampled.times[-1] < 1.0 / MODEL_RATE
    assert np.abs(resampled.positions() - wanted.positions()).max() < 1e-4


def test_there_and_back(motion: Motion) -> None:
    back = motion.resampled(240.0).at(motion.times)
    assert np.abs(back.positions() - motion.positions()).max() < 1e-4


def test_same_times_change_nothing(motion: Motion) -> None:
    again = motion.resampled()
    assert np.array_equal(again.rotations, motion.rotations)
    assert np.array_equal(again.root, motion.root)


def test_ends_are_held(motion: Motion) -> None:
    held = motion.at(np.array([-1.0, motion.times[-1] + 1.0]))
    assert np.allclose(held.root, motion.root[[0, -1]])
    assert np.allclose(np.abs((held.rotations * motion.rotations[[0, -1]]).sum(-1)), 1.0, atol=1e-6)


def test_a_single_frame_is_held(motion: Motion) -> None:
    one = motion.at(motion.times[:1])
    many = one.at(np.array([0.0, 1.0, 2.0]))
    assert np.array_equal(many.root, np.repeat(one.root, 3, axis=0))
    assert len(one.resampled()) == 1


def test_even_times() -> None:
    assert np.allclose(regular_times(np.array([1.0, 1.5]), 10.0), [1.0, 1.1, 1.2, 1.3, 1.4, 1.5])
    assert len(regular_times(np.array([0.0, 0.999]), 10.0)) == 10
    # Sums of rounded steps do not lose the last frame.
    assert len(regular_times(np.cumsum(np.full(601, 1.0 / 60.0)), 60.0)) == 601


def test_interpolation_on_uneven_times() -> None:
    known = np.array([0.0, 1.0, 4.0])
    values = np.array([[0.0], [10.0], [40.0]])
    wanted = np.array([-1.0, 0.25, 1.0, 2.0, 9.0])
    assert np.allclose(interpolate(known, values, wanted)[:, 0], [0.0, 2.5, 10.0, 20.0, 40.0])


def test_rotations_take_the_short_way() -> None:
    """Also between quaternions of opposite sign, and between nearly equal ones."""
    angles = np.radians([10.0, 20.0, 20.00001])
    turns = quat.from_angle_axis(angles[:, None], np.tile([0.0, 1.0, 0.0], (3, 1)))
    turns[1] *= -1.0
    found = interpolate_rotations(np.arange(3.0), turns, np.array([0.5, 1.5]))
    assert np.allclose(np.linalg.norm(found, axis=-1), 1.0, atol=1e-6)
    halves = 2.0 * np.degrees(np.arctan2(np.abs(found[:, 2]), np.abs(found[:, 0])))
    assert np.allclose(halves, [15.0, 20.0], atol=1e-3)


def apart(a: np.ndarray, b: np.ndarray) -> float:
    """Greatest angle between quaternions (..., 4), radians."""
    a, b = a.astype(float), b.astype(float)
    away = np.minimum(np.linalg.norm(a - b, axis=-1), np.linalg.norm(a + b, axis=-1))
    return float(4.0 * np.arcsin(np.clip(0.5 * away, 0.0, 1.0)).max())


@given(motion=motions(), seed=seeds(), between=st.integers(0, 20))
def test_frames_in_between_change_no_others(motion: Motion, seed: int, between: int) -> None:
    """Resampled to more frames, with the old ones among them, and back."""
    random = np.random.default_rng(seed)
    extra = random.uniform(motion.times[0] - 1.0, motion.times[-1] + 1.0, between)
    dense = motion.at(np.unique(np.concatenate([motion.times, extra])))
    assert np.abs(np.linalg.norm(dense.rotations, axis=-1) - 1.0).max() < 1e-5
    low, high = motion.root.min(0), motion.root.max(0)
    assert (dense.root >= low - 1e-5).all() and (dense.root <= high + 1e-5).all()
    back = dense.at(motion.times)
    np.testing.assert_allclose(back.root, motion.root, atol=1e-5)
    assert apart(back.rotations, motion.rotations) < 1e-3


@given(motion=motions(), seed=seeds())
def test_signs_of_quaternions_mean_nothing(motion: Motion, seed: int) -> None:
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (len(motion), 22, 1)).astype("f4")
    times = np.linspace(motion.times[0], motion.times[-1], 30)
    turned = interpolate_rotations(motion.times, motion.rotations * signs, times)
    assert apart(turned, interpolate_rotations(motion.times, motion.rotations, times)) < 1e-3


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
    found = runs(np.array(mask, bool))
    for begin, end in found:
        assert begin < end
        again[begin:end] = True
    assert again.tolist() == mask
    assert all(a[1] < b[0] for a, b in pairwise(found))
