# SPDX-License-Identifier: GPL-3.0-or-later
"""The performer context."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import TRACKER_JOINTS
from ssrhmr_core.model.context import CONTEXT, GrowingContext, encode_context, encode_take
from ssrhmr_core.model.features import BodyFeatures, body_features, frame_features
from ssrhmr_core.training.model import Stages

JOINTS = list(TRACKER_JOINTS)


@pytest.fixture
def weights() -> dict[str, np.ndarray]:
    return Stages(seed=4).export()


@pytest.fixture
def body(motion: Motion) -> BodyFeatures:
    return body_features(motion.skeleton.offsets, np.float32(motion.skeleton.size))


def trackers(motion: Motion) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    positions = motion.positions()[:, JOINTS].astype("f4")
    return positions, motion.matrices()[:, JOINTS], np.ones(positions.shape[:2], bool)


def test_numpy_equals_torch(
    weights: dict[str, np.ndarray], motion: Motion, body: BodyFeatures
) -> None:
    positions, rotations, _ = trackers(motion)
    features = frame_features(positions, rotations, body.size)
    expected = encode_context(weights, features, body.joints)
    tensors = {name: torch.as_tensor(array) for name, array in weights.items()}
    result = encode_context(tensors, torch.as_tensor(features), torch.as_tensor(body.joints))
    np.testing.assert_allclose(result.numpy(), expected, atol=1e-5)
    assert expected.shape == (CONTEXT,)
    assert expected.dtype == np.float32


def test_the_order_of_frames_means_nothing(
    weights: dict[str, np.ndarray], motion: Motion, body: BodyFeatures
) -> None:
    positions, rotations, valid = trackers(motion)
    backwards = encode_take(weights, body, positions[::-1], rotations[::-1], valid)
    np.testing.assert_allclose(
        encode_take(weights, body, positions, rotations, valid), backwards, atol=2e-2
    )


def test_frames_with_a_lost_tracker_do_not_count(
    weights: dict[str, np.ndarray], motion: Motion, body: BodyFeatures
) -> None:
    positions, rotations, valid = trackers(motion)
    expected = encode_take(weights, body, positions[:60], rotations[:60], valid[:60])
    valid[60:, 3] = False
    positions[60:, 3] = 99.0
    result = encode_take(weights, body, positions, rotations, valid)
    np.testing.assert_array_equal(result, expected)
    assert not encode_take(weights, body, positions, rotations, valid & False).any()


def test_a_growing_context_ends_at_that_of_the_take(
    weights: dict[str, np.ndarray], motion: Motion, body: BodyFeatures
) -> None:
    positions, rotations, valid = trackers(motion)
    growing = GrowingContext(weights, body)
    contexts = np.stack(
        [growing.add(*row) for row in zip(positions, rotations, valid, strict=True)]
    )
    every = slice(None, None, 8)
    expected = encode_take(weights, body, positions[every], rotations[every], valid[every])
    np.testing.assert_allclose(contexts[-1], expected, atol=1e-4)
    assert contexts[0].any()
    assert np.abs(contexts[-1] - contexts[0]).max() > 1e-3


def test_lost_trackers_stop_its_growth(
    weights: dict[str, np.ndarray], motion: Motion, body: BodyFeatures
) -> None:
    positions, rotations, valid = trackers(motion)
    growing, without = GrowingContext(weights, body), valid[0].copy()
    without[2] = False
    assert not growing.add(positions[0], rotations[0], without).any()
    for frame in range(1, 8):
        # Frames between the eighths do not count either.
        assert not growing.add(positions[frame], rotations[frame], valid[frame]).any()
    assert growing.add(positions[8], rotations[8], valid[8]).any()
