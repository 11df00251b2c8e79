# SPDX-License-Identifier: GPL-3.0-or-later
"""Optional trackers are cleaned as frames come: dropouts, noise and fades together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ssrhmr_core.body.extra_trackers import EXTRA_TRACKERS
from ssrhmr_core.body.skeleton import Skeleton
from ssrhmr_core.tracking.extras.live_cleaning import LiveExtras
from ssrhmr_core.tracking.extras.readings import ExtraReadings
from ssrhmr_core.tracking.take import Take
from tests.core.conftest import make_motion

CHEST = EXTRA_TRACKERS.index("chest")
STEEPEST = 0.17


@pytest.fixture
def take(skeleton: Skeleton) -> Take:
    return Take.from_motion(make_motion(skeleton, frames=300), EXTRA_TRACKERS)


def run(live: LiveExtras, take: Take) -> tuple[np.ndarray, ...]:
    """Positions, rotations and both weights of all frames."""
    assert take.extras is not None
    frames = [
        live.frame(take.extras.part(slice(n, n + 1)), take.positions[n], take.valid[n])
        for n in range(len(take))
    ]
    return tuple(np.stack(each) for each in zip(*frames, strict=True))


def test_clean_readings_pass_as_they_are(take: Take, skeleton: Skeleton) -> None:
    live = LiveExtras(skeleton)
    for _ in range(2):
        positions, rotations, position_trust, rotation_trust = run(live, take)
        assert take.extras is not None
        np.testing.assert_array_equal(positions, take.extras.positions)
        same = np.abs((rotations * take.extras.rotations).sum(-1))
        np.testing.assert_allclose(same, 1.0, atol=1e-6)
        assert (position_trust == 1.0).all() and (rotation_trust == 1.0).all()
        live.reset()


def test_noise_goes(take: Take, skeleton: Skeleton) -> None:
    assert take.extras is not None
    noise = 0.005 * np.random.default_rng(2).standard_normal(take.extras.positions.shape)
    noisy = replace(take.extras, positions=(take.extras.positions + noise).astype(np.float32))
    positions = run(LiveExtras(skeleton, 1.0), replace(take, extras=noisy))[0]

    def jitter(values: np.ndarray) -> float:
        return float(np.linalg.norm(np.diff(values, 3, axis=0), axis=-1).mean())

    assert jitter(positions) < 0.5 * jitter(noisy.positions)


@pytest.mark.parametrize("cutoff", (0.0, 1.0))
def test_glitches_and_losses_fade(take: Take, skeleton: Skeleton, cutoff: float) -> None:
    assert take.extras is not None
    readings = ExtraReadings.concatenate([take.extras])
    readings.positions[100:120, CHEST] += 0.6
    readings.positions[200:230, CHEST], readings.rotations[200:230, CHEST] = np.nan, np.nan
    readings.has_position[200:230, CHEST] = readings.has_rotation[200:230, CHEST] = False
    values = run(LiveExtras(skeleton, cutoff), replace(take, extras=readings))
    assert all(np.isfinite(value).all() for value in values)
    positions, _, position_trust, rotation_trust = values
    np.testing.assert_array_equal(position_trust, rotation_trust)
    weights = position_trust[:, CHEST]
    assert weights[99] == 1.0 and weights[112] == 0.0 and weights[150] == 1.0
    assert weights[199] == 1.0 and weights[215] == 0.0 and weights[245] == 1.0
    assert np.abs(np.diff(weights)).max() < STEEPEST
    assert (np.delete(position_trust, CHEST, 1) == 1.0).all()
    # What counts never leaps.
    steps = np.linalg.norm(np.diff(positions[:, CHEST], axis=0), axis=-1)
    usual = np.linalg.norm(np.diff(take.extras.positions[:, CHEST], axis=0), axis=-1).max()
    assert steps[weights[1:] > 0.2].max() < usual + 0.05


def test_ignored_trackers_are_named(take: Take, skeleton: Skeleton) -> None:
    assert take.extras is not None
    readings = ExtraReadings.concatenate([take.extras])
    readings.positions[:, CHEST] = np.array([5.0, 0.8, 2.0])
    live = LiveExtras(skeleton)
    weights = run(live, replace(take, extras=readings))[2]
    assert live.ignored == ("chest",) and not weights[:, CHEST].any()
