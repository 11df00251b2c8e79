# SPDX-License-Identifier: GPL-3.0-or-later
"""Lost trackers as the net predicts them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import TRACKER_JOINTS, TRACKERS
from ssrhmr_core.model.context import CONTEXT, UNKNOWN
from ssrhmr_core.model.tracker_predictor import AGO, TrackerHistory, predict_trackers
from ssrhmr_core.model.weights import load_weights

PELVIS = TRACKERS.index("pelvis")
SOMEBODY = np.linspace(-1.0, 1.0, CONTEXT, dtype=np.float32)
"""The context of some performer."""
JOINTS = list(TRACKER_JOINTS)


@pytest.fixture(scope="module")
def weights() -> dict[str, np.ndarray]:
    return load_weights()


def history_of(motion: Motion, *lost: str) -> TrackerHistory:
    """Return the history of all frames; some trackers are lost throughout."""
    frames = np.maximum(np.arange(len(motion))[:, None] - np.array(AGO), 0)
    valid = np.ones((len(motion), len(AGO), len(TRACKERS)), np.float32)
    for tracker in lost:
        valid[..., TRACKERS.index(tracker)] = 0.0
    return TrackerHistory(
        motion.positions()[:, JOINTS][frames], motion.matrices()[:, JOINTS][frames], valid
    )


def predict(
    weights: dict[str, np.ndarray], motion: Motion, *lost: str
) -> tuple[np.ndarray, np.ndarray]:
    skeleton = motion.skeleton
    size = np.float32(skeleton.size)
    return predict_trackers(weights, history_of(motion, *lost), skeleton.offsets, size, SOMEBODY)


@pytest.mark.parametrize("lost", TRACKERS)
def test_a_lost_tracker_is_put_near_its_joint(
    weights: dict[str, np.ndarray], motion: Motion, lost: str
) -> None:
    size = np.float32(motion.skeleton.size)
    history = history_of(motion, lost)
    positions, rotations = predict_trackers(
        weights, history, motion.skeleton.offsets, size, UNKNOWN
    )
    tracker = TRACKERS.index(lost)
    distance = np.linalg.norm(
        positions[:, tracker] - motion.positions()[:, JOINTS[tracker]], axis=-1
    )
    # Not near: this wandering is not how people move.
    assert np.median(distance) < (0.6 if "foot" in lost else 0.45)
    product = rotations @ rotations.swapaxes(-1, -2)
    np.testing.assert_allclose(product, np.broadcast_to(np.eye(3), product.shape), atol=1e-4)


@pytest.mark.parametrize("lost", [("left_hand",), ("pelvis", "left_foot")])
def test_readings_of_lost_trackers_mean_nothing(
    weights: dict[str, np.ndarray], motion: Motion, lost: tuple[str, ...]
) -> None:
    expected = predict(weights, motion, *lost)
    history = history_of(motion, *lost)
    for tracker in lost:
        history.positions[:, :, TRACKERS.index(tracker)] = 99.0
        history.rotations[:, :, TRACKERS.index(tracker)] = 0.0
    skeleton = motion.skeleton
    size = np.float32(skeleton.size)
    result = predict_trackers(weights, history, skeleton.offsets, size, SOMEBODY)
    for array, other in zip(result, expected, strict=True):
        np.testing.assert_array_equal(array, other)


@pytest.mark.parametrize("lost", ["left_hand", "pelvis"])
def test_position_and_heading_mean_nothing(
    weights: dict[str, np.ndarray], motion: Motion, lost: str
) -> None:
    turn = quat.from_angle_axis(np.array([1.1]), np.array([0.0, 1.0, 0.0]))
    matrix, shift = quat.to_matrix(turn), np.array([3.0, 0.0, -2.0])
    moved = Motion(
        motion.skeleton,
        motion.times,
        quat.mul(np.broadcast_to(turn, motion.rotations.shape), motion.rotations).astype("f4"),
        (motion.root @ matrix.T + shift).astype("f4"),
    )
    positions, rotations = predict(weights, motion, lost)
    moved_positions, moved_rotations = predict(weights, moved, lost)
    np.testing.assert_allclose(moved_positions, positions @ matrix.T + shift, atol=1e-3)
    np.testing.assert_allclose(moved_rotations, matrix @ rotations, atol=1e-3)


def test_numpy_equals_torch(weights: dict[str, np.ndarray], motion: Motion) -> None:
    expected = predict(weights, motion, "pelvis")
    tensors = {name: torch.as_tensor(array) for name, array in weights.items()}
    history = history_of(motion, "pelvis")
    skeleton = motion.skeleton
    result = predict_trackers(
        tensors,
        TrackerHistory(
            torch.as_tensor(history.positions),
            torch.as_tensor(history.rotations),
            torch.as_tensor(history.valid),
        ),
        torch.as_tensor(skeleton.offsets),
        torch.full((len(motion),), skeleton.size),
        torch.as_tensor(SOMEBODY),
    )
    for tensor, array in zip(result, expected, strict=True):
        np.testing.assert_allclose(tensor.numpy(), array, atol=1e-5)
