# SPDX-License-Identifier: GPL-3.0-or-later
"""Blends between readings and predictions: no seam, bounded, and finite in time."""

from __future__ import annotations

import numpy as np
import pytest

from ssrhmr_core.body.interpolation import MODEL_RATE
from ssrhmr_core.geometry.rotations import from_rotvec, rotation_angle
from ssrhmr_core.tracking.source_blend import READ, Source, SourceBlend, shorten

PREDICTED = Source(is_read=False, is_held=False, anchor=(0, True))
STILL = np.eye(3, dtype=np.float32)


def blend_to(
    distance: float, frames: int, *, speed: float = 0.0, turn: float = 0.0
) -> tuple[np.ndarray, np.ndarray, SourceBlend]:
    """Follow a reading that moves along x, then a prediction to one side of it that does not turn.

    Returns:
        (frames, 3) positions from the frame of the change on, (frames,) angles to the prediction
        in radians, and the blend.
    """
    blend = SourceBlend()
    for frame in range(-5, 0):
        place = np.array([speed * frame / MODEL_RATE, 0.0, 0.0], np.float32)
        blend.follow(place, from_rotvec(np.array([0.0, turn, 0.0])).astype(np.float32))
    positions, angles = [], []
    for frame in range(frames):
        source = np.array([speed * frame / MODEL_RATE, distance, 0.0], np.float32)
        position, rotation = blend.frame(source, STILL, PREDICTED)
        positions.append(position)
        angles.append(float(rotation_angle(rotation)))
    return np.stack(positions), np.array(angles), blend


def test_a_change_of_source_begins_where_the_tracker_was_and_ends_at_the_source() -> None:
    positions, _, blend = blend_to(0.1, 40)
    assert abs(positions[0, 1]) < 1e-4
    np.testing.assert_allclose(positions[-1], [0.0, 0.1, 0.0], atol=1e-5)
    assert not blend.is_open


def test_the_speed_goes_on_over_a_change_of_source() -> None:
    positions, _, _ = blend_to(0.1, 40, speed=1.5)
    np.testing.assert_allclose(np.diff(positions[:, 0]), 1.5 / MODEL_RATE, atol=1e-4)


def test_a_blend_never_leaves_the_way_between_both() -> None:
    positions, _, _ = blend_to(0.5, 60)
    assert (np.diff(positions[:, 1]) >= -1e-6).all()
    assert positions[:, 1].min() > -1e-4 and positions[:, 1].max() < 0.5 + 1e-4


@pytest.mark.parametrize(("distance", "seconds"), [(0.02, 0.25), (0.5, 0.45)])
def test_near_sources_are_met_sooner(distance: float, seconds: float) -> None:
    positions, _, _ = blend_to(distance, 60)
    arrived = np.flatnonzero(np.abs(positions[:, 1] - distance) < 1e-3 * distance)[0] / MODEL_RATE
    assert 0.75 * seconds < arrived <= seconds + 1.0 / MODEL_RATE


def test_rotations_are_blended_alike() -> None:
    _, angles, _ = blend_to(0.0, 40, turn=0.6)
    np.testing.assert_allclose(angles[[0, -1]], [0.6, 0.0], atol=2e-3)
    assert (np.diff(angles) <= 1e-4).all()


def test_a_reading_that_leaps_within_a_blend_begins_another_one() -> None:
    _, _, blend = blend_to(0.1, 3)
    before = blend.frame(np.array([0.0, 0.1, 0.0], np.float32), STILL, READ)[0]
    after = blend.frame(np.array([2.0, 0.1, 0.0], np.float32), STILL, READ)[0]
    assert np.linalg.norm(after - before) < 0.05


def test_a_first_frame_is_taken_as_it_is() -> None:
    place = np.array([1.0, 2.0, 3.0], np.float32)
    position, rotation = SourceBlend().frame(place, STILL, PREDICTED)
    np.testing.assert_array_equal(position, place)
    np.testing.assert_array_equal(rotation, STILL)


def test_vectors_are_shortened_and_never_lengthened() -> None:
    vectors = shorten(np.array([[3.0, 4.0, 0.0], [0.0, 0.1, 0.0], [0.0, 0.0, 0.0]]), 1.0)
    np.testing.assert_allclose(vectors, [[0.6, 0.8, 0.0], [0.0, 0.1, 0.0], [0.0, 0.0, 0.0]])
