# SPDX-License-Identifier: GPL-3.0-or-later
"""A single frame is the network and the exact solve, computed in another way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import TRACKER_JOINTS, Skeleton
from ssrhmr_core.model.features import HISTORY, body_features, frame_features, step_features
from ssrhmr_core.model.network import NetworkInputs, fold_body, predict
from ssrhmr_core.model.past_frames import ROW
from ssrhmr_core.model.single_frame import SingleFrame
from ssrhmr_core.model.weights import load_weights
from tests.core.conftest import make_motion

ENDS = list(TRACKER_JOINTS)


def disturbed(motion: Motion, metres: float, degrees: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the trackers of a motion, off by white noise."""
    random = np.random.default_rng(3)
    positions = motion.positions()[:, ENDS]
    positions = positions + metres * random.standard_normal(positions.shape)
    turns = np.radians(degrees) * random.standard_normal(positions.shape)
    rotations = quat.mul(motion.rotations[:, ENDS], quat.from_scaled_angle_axis(turns))
    return positions.astype(np.float32), quat.to_matrix(rotations).astype(np.float32)


@pytest.mark.parametrize(
    ("metres", "degrees", "size"), [(0.0, 0.0, 1.0), (0.1, 20.0, 1.0), (0.6, 90.0, 0.6)]
)
def test_one_frame_equals_many(
    skeleton: Skeleton, metres: float, degrees: float, size: float
) -> None:
    """Also where heads and hands are out of reach, joints out of range, and contexts change."""
    body = skeleton.scaled(size)
    motion = replace(make_motion(skeleton), skeleton=body)
    positions, rotations = disturbed(motion, metres, degrees)
    frames = len(positions)
    proportions = body_features(body.offsets, np.float32(body.size))
    weights, folded = fold_body(load_weights(), proportions)
    single = SingleFrame(weights, body.size, proportions.skeleton)
    random = np.random.default_rng(5)
    contexts = random.standard_normal((frames, 64)).astype(np.float32)
    contexts[5:9] = contexts[5]

    features = frame_features(positions, rotations, proportions.size)
    moments = np.maximum(np.arange(frames)[:, None] - np.array([0, *HISTORY]), 0)
    steps = step_features(
        features,
        features[moments[:, 1:]],
        positions[moments, 0],
        rotations[moments, 0],
        proportions.size,
    )
    past = np.zeros((frames, ROW), np.float32)
    worst = []
    for frame in range(frames):
        single.read(positions[frame], rotations[frame], past[frame])
        np.testing.assert_allclose(past[frame, :48], features[frame], atol=1e-5)
        context = contexts[5 if 5 <= frame < 9 else frame]
        one, hidden = single.pose(
            positions[frame], rotations[frame], past, moments[frame, 1:], context
        )
        row = slice(frame, frame + 1)
        inputs = NetworkInputs(features[row], steps[row], context)
        usual = predict(weights, inputs, positions[row], rotations[row], folded)
        np.testing.assert_allclose(hidden, usual.hidden, atol=2e-4)
        worst.append(np.abs(one - usual.exact).max())
    assert max(worst) < (1e-5 if metres < 0.5 else 1e-4)


def test_tracked_joints_are_measured_exactly(skeleton: Skeleton) -> None:
    positions, rotations = disturbed(make_motion(skeleton), 0.02, 5.0)
    proportions = body_features(skeleton.offsets, np.float32(skeleton.size))
    weights, _ = fold_body(load_weights(), proportions)
    single = SingleFrame(weights, skeleton.size, proportions.skeleton)
    past = np.zeros((1, ROW), np.float32)
    single.read(positions[0], rotations[0], past[0])
    body, _ = single.pose(
        positions[0], rotations[0], past, np.zeros(5, int), np.zeros(64, np.float32)
    )
    np.testing.assert_array_equal(body[0, ENDS], rotations[0])
