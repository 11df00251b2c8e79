# SPDX-License-Identifier: GPL-3.0-or-later
"""The expected errors of poses."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ssrhmr_core.body.extra_trackers import EXTRA_JOINTS, EXTRA_ROLES, EXTRA_TRACKERS
from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import INDEX, MIRROR, TRACKERS, Skeleton
from ssrhmr_core.model.certainty import (
    _LOG_LEFT,
    HIDDEN,
    LIVE_NOISE,
    expect_log_errors,
    seconds_missing,
    settle_errors,
    shapes,
    shorten_missing,
)
from ssrhmr_core.model.weights import load_weights
from ssrhmr_core.pipeline import ReconstructionOptions, Reconstructor
from ssrhmr_core.solver import Measured
from ssrhmr_core.tracking.take import Take
from tests.core.conftest import make_motion

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


def test_corrected_trackers_are_not_missing_for_long() -> None:
    seconds = np.array([0.0, 0.1, 0.5, np.inf], np.float32)
    corrected = np.array([False, True, True, False])
    shortened = shorten_missing(seconds, corrected)
    assert shortened[[0, 1, 3]].tolist() == seconds[[0, 1, 3]].tolist()
    assert 0.1 < shortened[2] < 0.5


@pytest.mark.parametrize("causal", [False, True])
def test_corrected_trackers_are_more_certain(skeleton: Skeleton, causal: bool) -> None:
    """Live and in whole takes: what the take shows of the net's errors makes them smaller."""
    motion = make_motion(skeleton, frames=420)
    take = Take.from_motion(motion)
    take.valid[300:, PELVIS] = False
    body = Reconstructor(skeleton, ReconstructionOptions(certainty=True, causal=causal))
    body.clip(take)
    corrected = body.expected_errors
    if causal:
        for frame in range(400):
            body.frame(take.positions[frame], take.rotations[frame], take.valid[frame])
        assert corrected is not None and body.expected_errors is not None
        knee = INDEX["left_knee"]
        assert body.expected_errors[knee] == pytest.approx(corrected[399, knee], rel=0.02)
    take.valid[:300, PELVIS] = False
    body.clip(take)
    never_seen = body.expected_errors
    assert corrected is not None and never_seen is not None
    assert corrected[350:400].mean() < 0.9 * never_seen[350:400].mean()


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
    free = [INDEX[f"{side}_{part}"] for side in ("left", "right") for part in ("elbow", "knee")]
    np.testing.assert_allclose(body.expected_errors[free], whole[39, free], rtol=0.02)
    # How good trackers are is measured in whole takes only.
    assert whole[39, INDEX["head"]] < 2e-4
    assert body.expected_errors[INDEX["head"]] == pytest.approx(LIVE_NOISE, rel=0.02)


def test_nothing_is_expected_unless_asked(motion: Motion) -> None:
    body = Reconstructor(motion.skeleton)
    body.clip(Take.from_motion(motion))
    assert body.expected_errors is None


def test_the_shipped_weights_expect_errors() -> None:
    assert all(load_weights()[name].any() for name in shapes())


def expect(motion: Motion, take: Take) -> np.ndarray:
    """Return the errors (22,) expected in a take, means over its frames, mm."""
    body = Reconstructor(motion.skeleton, ReconstructionOptions(certainty=True))
    body.clip(take)
    assert body.expected_errors is not None
    result: np.ndarray = 1000.0 * body.expected_errors.mean(0)
    return result


ELBOWS = ("left_elbow", "right_elbow")


def test_what_is_measured_is_certain(motion: Motion) -> None:
    """Elbows know where they are, shoulders nearly; knees are as uncertain as they were."""
    six = expect(motion, Take.from_motion(motion))
    more = expect(motion, Take.from_motion(motion, ELBOWS))
    assert more[[INDEX[name] for name in (*ELBOWS, "hips", "left_wrist")]].max() < 1.0
    assert more[INDEX["left_shoulder"]] < 0.1 * six[INDEX["left_shoulder"]]
    assert more[INDEX["left_knee"]] > 0.7 * six[INDEX["left_knee"]]
    assert more[INDEX["neck"]] < six[INDEX["neck"]]
    one = expect(motion, Take.from_motion(motion, ELBOWS[:1]))
    assert one[INDEX["left_elbow"]] < 1.0 < one[INDEX["right_elbow"]]
    assert more[INDEX["neck"]] < one[INDEX["neck"]] < six[INDEX["neck"]]


def test_what_is_measured_is_no_more_certain_than_its_noise(motion: Motion) -> None:
    take = Take.from_motion(motion, ELBOWS)
    random = np.random.default_rng(4)
    assert take.extras is not None
    for positions in (take.positions, take.extras.positions):
        positions += 0.005 * random.standard_normal(positions.shape).astype(np.float32)
    noisy = expect(motion, take)
    assert 3.0 < noisy[INDEX["left_elbow"]] < 20.0 and noisy[INDEX["hips"]] > 3.0


def test_a_tracker_that_cannot_be_met_is_not_certain(motion: Motion) -> None:
    take = Take.from_motion(motion, ELBOWS)
    assert take.extras is not None
    take.extras.positions[:, EXTRA_TRACKERS.index("left_elbow"), 1] += 0.12
    assert expect(motion, take)[INDEX["left_elbow"]] > 10.0


def test_what_the_six_hold_is_as_certain_as_they_are(motion: Motion) -> None:
    """The net would expect some millimetres of joints that ideal trackers meet exactly."""
    held = [INDEX[name] for name in ("hips", "left_hip", "head", "left_wrist", "right_toe")]
    take = Take.from_motion(motion)
    ideal = expect(motion, take)
    assert ideal[held].max() < 0.2 and ideal[INDEX["left_elbow"]] > 1.0
    noise = np.random.default_rng(4).standard_normal(take.positions.shape)
    take.positions[:] += (0.005 * noise).astype(np.float32)
    noisy = expect(motion, take)
    assert (noisy[held] > 3.0).all() and (noisy[held] < 8.0).all()


def test_a_tracker_out_of_reach_is_not_certain(motion: Motion) -> None:
    take = Take.from_motion(motion)
    hand = TRACKERS.index("left_hand")
    take.positions[:, hand, 0] += 0.6
    body = Reconstructor(motion.skeleton, ReconstructionOptions(certainty=True))
    result = body.clip(take)
    true = np.linalg.norm(
        result.positions()[:, INDEX["left_wrist"]] - take.positions[:, hand], axis=1
    )
    assert body.expected_errors is not None and true.min() > 0.1
    np.testing.assert_allclose(body.expected_errors[:, INDEX["left_wrist"]], true, rtol=0.01)


def test_a_tracker_that_counts_half_is_half_as_certain(motion: Motion) -> None:
    """And one that does not count at all is not certain."""
    take, wrist = Take.from_motion(motion), INDEX["left_wrist"]

    def expected(weight: float) -> float:
        weights = tuple(weight if role == "left_hand" else 1.0 for role in TRACKERS)
        options = ReconstructionOptions(certainty=True, tracker_weights=weights)
        body = Reconstructor(motion.skeleton, options)
        body.clip(take)
        assert body.expected_errors is not None
        return float(body.expected_errors[:, wrist].mean())

    assert expected(1.0) < expected(0.5) < expected(0.0)


def test_trackers_that_do_not_count_change_nothing() -> None:
    """A weight that fades has no jump at its end."""
    random = np.random.default_rng(4)
    errors = random.uniform(0.001, 0.02, (5, 22)).astype(np.float32)
    joints, trackers, places = (
        random.standard_normal((5, count, 3)).astype(np.float32)
        for count in (22, 6, len(EXTRA_JOINTS))
    )
    nothing = np.zeros((5, len(EXTRA_JOINTS), 1), np.float32)
    turns = np.tile(np.eye(3, dtype=np.float32), (5, len(EXTRA_JOINTS), 1, 1))
    held = np.zeros((5, 6), np.float32)
    no_trust = Measured(places, turns, nothing, nothing)
    for measured in (None, no_trust):
        without = settle_errors(errors, joints, trackers, held, measured, 0.0)
        np.testing.assert_array_equal(without, errors)
    barely = Measured(places, turns, nothing + 1e-4, nothing + 1e-4)
    np.testing.assert_allclose(
        settle_errors(errors, joints, trackers, held + 1e-4, barely, 0.002),
        errors,
        rtol=0.01,
        atol=1e-3,
    )


@pytest.mark.parametrize("part", ["chest", "shoulder", "elbow", "knee", "toe"])
def test_left_and_right_leave_the_same(part: str) -> None:
    """And nothing is more uncertain for a tracker."""
    assert set(_LOG_LEFT) == set(EXTRA_ROLES)
    for name, logs in _LOG_LEFT.items():
        if name.endswith(part):
            assert logs.max() <= 0.0
            twin = name.replace("left", "x").replace("right", "left").replace("x", "right")
            np.testing.assert_array_equal(logs, _LOG_LEFT[twin][:, list(MIRROR)])
