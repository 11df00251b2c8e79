# SPDX-License-Identifier: GPL-3.0-or-later
"""The expected errors of poses."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import TRACKERS
from ssrhmr_core.model.certainty import (
    HIDDEN,
    expect_log_errors,
    seconds_missing,
    shapes,
)
from ssrhmr_core.model.weights import load_weights
from ssrhmr_core.pipeline import ReconstructionOptions, Reconstructor
from ssrhmr_core.tracking.take import Take

PELVIS = TRACKERS.index("pelvis")


@pytest.fixture
def weights() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {
        name: 0.1 * random.standard_normal(shape).astype(np.float32)
        for name, shape in shapes().items()
    }


def test_arrays_and_tensors_agree(weights: dict[str, np.ndarray]) -> None:
    random = np.random.default_rng(1)
    hidden = random.standard_normal((5, HIDDEN)).astype(np.float32)
    missing = np.array([0.0, 0.02, 0.3, 2.0, np.inf, 0.0], np.float32) * np.ones((5, 1), "f4")
    expected = expect_log_errors(weights, hidden, missing)
    assert expected.shape == (5, 22) and expected.dtype == np.float32
    tensors = {name: torch.as_tensor(array) for name, array in weights.items()}
    result = expect_log_errors(tensors, torch.as_tensor(hidden), torch.as_tensor(missing))
    np.testing.assert_allclose(result.numpy(), expected, atol=1e-5)


def test_trackers_missing_for_long_count_the_same(weights: dict[str, np.ndarray]) -> None:
    hidden = np.zeros((1, HIDDEN), np.float32)
    seconds = [np.full((1, 6), value, np.float32) for value in (0.6, 10.0, np.inf)]
    first, *others = (expect_log_errors(weights, hidden, each) for each in seconds)
    for other in others:
        np.testing.assert_array_equal(first, other)


def test_seconds_missing() -> None:
    valid = np.array([[False, True], [True, True], [False, True], [False, False]])
    np.testing.assert_allclose(
        seconds_missing(valid, 2.0), [[np.inf, 0.0], [0.0, 0.0], [0.5, 0.0], [1.0, 0.5]]
    )


def test_lost_trackers_are_less_certain(motion: Motion) -> None:
    take = Take.from_motion(motion)
    certain = Reconstructor(motion.skeleton, ReconstructionOptions(certainty=True))
    certain.clip(take)
    whole = certain.expected_errors
    assert whole is not None and whole.shape == (len(motion), 22)
    assert whole.dtype == np.float32 and (whole > 0.0).all()
    take.valid[60:, PELVIS] = False
    certain.clip(take)
    lost = certain.expected_errors
    assert lost is not None
    assert lost[80:].mean() > 1.5 * whole[80:].mean()


def test_frames_expect_what_whole_takes_expect(motion: Motion) -> None:
    options = ReconstructionOptions(certainty=True, causal=True)
    take = Take.from_motion(motion)
    body = Reconstructor(motion.skeleton, options)
    body.clip(take)
    whole = body.expected_errors
    body.reset()
    assert body.expected_errors is None
    for frame in range(40):
        body.frame(take.positions[frame], take.rotations[frame])
    assert whole is not None and body.expected_errors is not None
    np.testing.assert_allclose(body.expected_errors, whole[39], rtol=0.02)


def test_nothing_is_expected_unless_asked(motion: Motion) -> None:
    body = Reconstructor(motion.skeleton)
    body.clip(Take.from_motion(motion))
    assert body.expected_errors is None


def test_the_shipped_weights_expect_errors() -> None:
    assert all(load_weights()[name].any() for name in shapes())
