# SPDX-License-Identifier: GPL-3.0-or-later
"""Readings of optional trackers."""

from __future__ import annotations

import numpy as np
import pytest
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.extra_trackers import EXTRA_TRACKERS
from ssrhmr_core.body.motion import Motion
from ssrhmr_core.formats.orientation import rotation_to_y_up
from ssrhmr_core.tracking.extras.readings import ExtraReadings

WORN = ("chest", "left_elbow", "right_knee")


@pytest.fixture
def extras(motion: Motion) -> ExtraReadings:
    return ExtraReadings.from_motion(motion, WORN, {"right_knee": "lower"})


def test_frames_are_selected_and_joined_again(extras: ExtraReadings) -> None:
    parts = [extras.part(slice(0, 10)), extras.part(np.arange(10, len(extras)))]
    assert [len(part) for part in parts] == [10, len(extras) - 10]
    joined = ExtraReadings.concatenate(parts)
    for name in ("positions", "rotations", "has_position", "has_rotation", "lower"):
        assert np.array_equal(getattr(joined, name), getattr(extras, name))


def test_trackers_are_chosen(extras: ExtraReadings) -> None:
    assert extras.choose(("right_knee", "left_toe")).worn == ("right_knee",)
    assert extras.worn == WORN


def test_readings_rotate_about_the_origin(extras: ExtraReadings) -> None:
    rotation = rotation_to_y_up("z")
    rotated = extras.rotated(rotation)
    assert rotated.positions.dtype == rotated.rotations.dtype == np.float32
    assert rotated.worn == WORN and np.array_equal(rotated.lower, extras.lower)
    elbow = EXTRA_TRACKERS.index("left_elbow")
    np.testing.assert_allclose(
        rotated.positions[:, elbow], extras.positions[:, elbow] @ rotation.T, atol=1e-6
    )
    np.testing.assert_allclose(
        quat.to_matrix(rotated.rotations[:, elbow]),
        rotation @ quat.to_matrix(extras.rotations[:, elbow]),
        atol=1e-6,
    )
