# SPDX-License-Identifier: GPL-3.0-or-later
"""Which way is up in a file, from one pose and from motion."""

from __future__ import annotations

import numpy as np
import pytest

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.formats import MotionFileError
from ssrhmr_core.formats.orientation import (
    UP_AXES,
    find_standing_axis,
    guess_up,
    measure_upright,
    name_nearest_axis,
    parse_up,
    rotation_to_y_up,
)
from tests.core.formats.bvh_files import axes_of, standing, tilted


@pytest.mark.parametrize("up", UP_AXES)
def test_rotation_to_y_up(up: str) -> None:
    rotation = rotation_to_y_up(up)
    assert np.allclose(rotation @ UP_AXES[up], (0.0, 1.0, 0.0), atol=1e-6)
    assert np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-6)
    assert np.linalg.det(rotation) == pytest.approx(1.0)


def test_left_stays_left_where_y_and_z_are_exchanged() -> None:
    for up in ("z", "-z", "-y"):
        assert np.allclose(rotation_to_y_up(up) @ (1.0, 0.0, 0.0), (1.0, 0.0, 0.0), atol=1e-6)


@pytest.mark.parametrize("up", UP_AXES)
def test_standing_body_in_any_axes(motion: Motion, up: str) -> None:
    positions = standing(motion).positions().astype(float) @ axes_of(up).T
    assert find_standing_axis(positions[0]) == up
    assert measure_upright(positions, up) > 0.9
    assert guess_up(positions).name == up


def lying_on_floor(motion: Motion) -> np.ndarray:
    """Joint positions of a body that lies on a floor at height zero, its middle at the origin."""
    positions = tilted(standing(motion), (90.0, 0.0, 0.0)).positions().astype(float)
    return positions - (0.0, positions[..., 1].min(), positions[..., 2].mean())


def test_motion_that_stands_half_of_the_time(motion: Motion) -> None:
    upright = standing(motion).positions().astype(float)
    guess = guess_up(np.concatenate([lying_on_floor(motion)[:75], upright[75:]]))
    assert guess.name == "y"


def test_somebody_who_never_stands_leaves_a_doubt(motion: Motion) -> None:
    assert not guess_up(lying_on_floor(motion)).is_clear


def test_crouching_pose_says_nothing(motion: Motion) -> None:
    assert find_standing_axis(motion.positions()[40].astype(float)) is None


def test_nearest_axis() -> None:
    assert name_nearest_axis(np.array([0.1, -2.0, 0.3])) == "-y"
    assert name_nearest_axis(np.array([1.0, 1.0, 0.0])) is None


@pytest.mark.parametrize(("given", "name"), [("Y", "y"), (" -z", "-z"), ("+x", "x"), (None, None)])
def test_parse_up(given: str | None, name: str | None) -> None:
    assert parse_up(given) == name


@pytest.mark.parametrize("given", ["", "up", "--y", "yz"])
def test_no_axes(given: str) -> None:
    with pytest.raises(MotionFileError, match="choose one of x, y, z, -x, -y, -z"):
        parse_up(given)
