# SPDX-License-Identifier: GPL-3.0-or-later
"""Motions: positions, rates and resampling."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.interpolation import MODEL_RATE
from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import Skeleton
from tests.core.body.test_interpolation import largest_angle
from tests.core.conftest import to_global
from tests.core.drawn import motions, seeds


def turning(skeleton: Skeleton, times: np.ndarray, speed: float = 1.0) -> Motion:
    """Return a body that turns about Y at ``speed`` radians a second and moves along X."""
    rotvecs = np.zeros((len(times), 22, 3))
    rotvecs[..., 1] = speed * times[:, None]
    root = np.stack([times, np.ones_like(times), 0.0 * times], -1)
    rotations = quat.from_scaled_angle_axis(rotvecs)
    return Motion(skeleton, times, rotations.astype("f4"), root.astype("f4"))


def test_positions(skeleton: Skeleton) -> None:
    motion = turning(skeleton, np.array([0.0, np.pi / 2.0]))
    positions = motion.positions()
    assert positions.dtype == np.float32
    assert np.allclose(positions[0], skeleton.t_pose() + motion.root[0], atol=1e-6)
    x, y, z = skeleton.t_pose().T
    assert np.allclose(positions[1], np.stack([z, y, -x], -1) + motion.root[1], atol=1e-5)


def test_local_rotations_lead_back(motion: Motion) -> None:
    local = motion.local_rotations().astype(float)
    assert np.abs(local[:, 1:] - motion.rotations[:, 1:]).max() > 0.1
    assert largest_angle(to_global(local), motion.rotations) < 1e-3


def test_rate(motion: Motion) -> None:
    assert len(motion) == 150
    assert motion.rate == pytest.approx(60.0)
    assert motion.at(motion.times[:1]).rate == MODEL_RATE


@pytest.mark.parametrize("rate", [24.0, 59.94, 120.0])
def test_resampling_is_exact_on_steady_motion(skeleton: Skeleton, rate: float) -> None:
    motion = turning(skeleton, 5.0 + np.arange(60) / rate)
    resampled = motion.resampled()
    expected = turning(skeleton, resampled.times)
    assert resampled.times[0] == 5.0
    assert resampled.rate == pytest.approx(MODEL_RATE)
    assert motion.times[-1] - resampled.times[-1] < 1.0 / MODEL_RATE
    assert np.abs(resampled.positions() - expected.positions()).max() < 1e-4


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


@given(motion=motions(), seed=seeds(), between=st.integers(0, 20))
def test_frames_in_between_change_no_others(motion: Motion, seed: int, between: int) -> None:
    """Resampling to more frames, with the old ones among them, leads back to the old ones."""
    random = np.random.default_rng(seed)
    extra = random.uniform(motion.times[0] - 1.0, motion.times[-1] + 1.0, between)
    dense = motion.at(np.unique(np.concatenate([motion.times, extra])))
    assert np.abs(np.linalg.norm(dense.rotations, axis=-1) - 1.0).max() < 1e-5
    low, high = motion.root.min(0), motion.root.max(0)
    assert (dense.root >= low - 1e-5).all() and (dense.root <= high + 1e-5).all()
    back = dense.at(motion.times)
    np.testing.assert_allclose(back.root, motion.root, atol=1e-5)
    assert largest_angle(back.rotations, motion.rotations) < 1e-3
