# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes: frames of six trackers."""

from __future__ import annotations

import numpy as np
import pytest

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.tracking.take import Take, TrackerError


def test_what_is_no_number_was_not_seen(motion: Motion) -> None:
    take = Take.from_motion(motion)
    spots, turns = take.positions.copy(), take.rotations.copy()
    spots[60, 3, 1] = np.nan
    turns[70, 4] = 0.0
    turns[80, 5, 2] = np.inf
    found = Take(take.times, spots, turns, take.valid)
    assert np.argwhere(~found.valid).tolist() == [[60, 3], [70, 4], [80, 5]]


def test_times_must_rise_and_shapes_fit(motion: Motion) -> None:
    take = Take.from_motion(motion)
    with pytest.raises(TrackerError, match="rise"):
        Take(take.times[::-1], take.positions, take.rotations, take.valid)
    with pytest.raises(TrackerError, match="six trackers"):
        Take(take.times, take.positions[:, :5], take.rotations, take.valid)


def test_a_tracker_that_is_never_seen_stays_unseen(motion: Motion) -> None:
    take = Take.from_motion(motion)
    unseen = take.valid.copy()
    unseen[:, 4] = False
    found = Take(take.times, take.positions, take.rotations, unseen).resampled()
    assert not found.valid[:, 4].any() and found.valid[:, :4].all()
    assert np.isfinite(found.positions).all() and np.isfinite(found.rotations).all()


def test_gaps_are_bridged(motion: Motion) -> None:
    take = Take.from_motion(motion)
    valid = take.valid.copy()
    valid[50:56, 2] = False
    spots = take.positions.copy()
    spots[50:56, 2] = np.nan
    bridged = Take(take.times, spots, take.rotations, valid).at(take.times)
    assert np.isfinite(bridged.positions).all()
    assert np.abs(bridged.positions[50:56, 2] - take.positions[50:56, 2]).max() < 0.02
    np.testing.assert_allclose(bridged.positions[:50], take.positions[:50], atol=1e-6)
    assert not bridged.valid[50:56, 2].any()


def test_resampling_keeps_time(motion: Motion) -> None:
    take = Take.from_motion(motion)
    half = take.at(take.times[::2])
    np.testing.assert_allclose(half.positions, take.positions[::2], atol=1e-6)
    again = half.resampled()
    np.testing.assert_allclose(again.times, take.times[: len(again)], atol=1e-9)
    assert np.abs(again.positions - take.positions[: len(again)]).max() < 2e-3
