# SPDX-License-Identifier: GPL-3.0-or-later
"""The stress set: no NaN, no pops, no joint bent the wrong way."""

from __future__ import annotations

import numpy as np
import pytest

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import TRACKER_JOINTS
from ssrhmr_core.pipeline import ReconstructionOptions, Reconstructor
from ssrhmr_core.solver import ARMS, LEGS
from ssrhmr_core.tracking.denoising import Smoothing
from ssrhmr_core.tracking.take import Take
from tests.core.stress import CASES

ENDS = list(TRACKER_JOINTS)


@pytest.fixture(scope="module", params=list(CASES))
def case(request: pytest.FixtureRequest) -> tuple[str, Motion, Take, Motion]:
    motion, take = CASES[request.param]()
    # Without smoothing, so that the solve has to bear the noise.
    body = Reconstructor(
        motion.skeleton, ReconstructionOptions(smoothing=Smoothing(auto=False))
    ).clip(take)
    return request.param, motion, take, body


def degrees_per_frame(rotations: np.ndarray) -> np.ndarray:
    same = np.abs((rotations[1:] * rotations[:-1]).sum(-1))
    return np.degrees(2.0 * np.arccos(np.clip(same, 0.0, 1.0)))


def test_all_is_finite(case: tuple[str, Motion, Take, Motion]) -> None:
    *_, body = case
    assert np.isfinite(body.rotations).all() and np.isfinite(body.root).all()
    np.testing.assert_allclose(np.linalg.norm(body.rotations, axis=-1), 1.0, atol=1e-4)


def test_nothing_pops(case: tuple[str, Motion, Take, Motion]) -> None:
    _, _, take, body = case
    fastest = degrees_per_frame(take.rotations).max(1)
    assert (degrees_per_frame(body.rotations).max(1) <= np.maximum(25.0, fastest)).all()


def test_ends_are_where_they_can_be(case: tuple[str, Motion, Take, Motion]) -> None:
    name, _, take, body = case
    distances = np.linalg.norm(body.positions()[:, ENDS] - take.positions, axis=-1)
    if "reach" in name:
        # An end misses by no more than the distance that is out of reach.
        assert distances.max() < 0.4
        return
    # Noise takes ends of stretched arms out of reach.
    assert 1000.0 * distances.mean() < (0.6 if "noise" in name else 0.2)
    assert 1000.0 * np.percentile(distances, 99) < (5.0 if "noise" in name else 3.0)


def test_knees_and_elbows_bend_the_right_way(case: tuple[str, Motion, Take, Motion]) -> None:
    _, motion, _, body = case
    for limb in (*LEGS, *ARMS):
        bent, true = (bend_of(m, limb.upper, limb.lower, limb.end) for m in (body, motion))
        clear = (np.linalg.norm(bent, axis=-1) > 0.05) & (np.linalg.norm(true, axis=-1) > 0.05)
        side = (bent * true).sum(-1)[clear]
        # On the same side as the true one: never inverted.
        assert (side > 0.0).all()


def bend_of(motion: Motion, upper: int, lower: int, end: int) -> np.ndarray:
    """Return how far the middle joint is off the line between the others (F, 3), in limbs."""
    positions = motion.positions()
    line = positions[:, end] - positions[:, upper]
    length = np.linalg.norm(line, axis=-1, keepdims=True)
    away = positions[:, lower] - positions[:, upper]
    along = (away * line).sum(-1, keepdims=True) / np.maximum(length**2, 1e-9)
    whole = np.linalg.norm(motion.skeleton.offsets[[lower, end]], axis=-1).sum()
    return (away - along * line) / whole


def test_a_millimetre_of_noise_turns_an_elbow_little() -> None:
    motion, noisy = CASES["arms through full extension, 1 mm noise"]()
    unsmoothed = Reconstructor(
        motion.skeleton, ReconstructionOptions(smoothing=Smoothing(auto=False))
    )
    ideal, shaken = unsmoothed.clip(Take.from_motion(motion)), unsmoothed.clip(noisy)
    same = np.abs((ideal.rotations * shaken.rotations).sum(-1))
    degrees = np.degrees(2.0 * np.arccos(np.clip(same, 0.0, 1.0)))
    for arm in ARMS:
        assert np.median(degrees[:, arm.lower]) < 1.5
        assert np.percentile(degrees[:, arm.lower], 99) < 8.0
