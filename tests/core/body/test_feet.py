# SPDX-License-Identifier: GPL-3.0-or-later
"""Where feet end: what skin shows, else the origin; tails only if a foot could have them."""

from __future__ import annotations

import numpy as np
import pytest

from ssrhmr_core.body.feet import FootEvidence
from ssrhmr_core.body.rest_pose import RestPose, read_rest_pose
from ssrhmr_core.body.skeleton import ADULT_SIZE, INDEX
from ssrhmr_core.tracking.reference_pose import measure_ankle_height
from tests.core.conftest import make_skeleton

ANKLES = [INDEX["left_ankle"], INDEX["right_ankle"]]
TOES = [INDEX["left_toe"], INDEX["right_toe"]]
NO_SKIN = (np.zeros((0, 3)), np.zeros((0, 3)))
NO_TIPS = np.full((2, 3), np.nan)
SHOE = np.array([[x, y, z] for x in (-0.04, 0.04) for y in (-0.13, 0.02) for z in (-0.07, 0.2)])
"""The corners of a shoe, from the ankle: its sole is 13 cm below."""


def body(height: float = 0.08) -> np.ndarray:
    """Joints (22, 3) with the ankles at a height over the origin."""
    positions = make_skeleton().t_pose().astype(float)
    positions[:, 1] += height - positions[ANKLES, 1].mean()
    return positions


def read(positions: np.ndarray, feet: FootEvidence, toes: bool = False) -> RestPose:
    present = np.ones(22, bool)
    present[TOES] = toes
    return read_rest_pose(positions, present, feet=feet)


def shoes(positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    left, right = positions[ANKLES]
    return left + SHOE, right + SHOE


@pytest.mark.parametrize("toes", [False, True])
@pytest.mark.parametrize("tail", [(0.0, 0.4, 0.0), (0.0, -0.32, 0.75), (np.nan,) * 3])
def test_the_skin_decides(toes: bool, tail: tuple[float, ...]) -> None:
    positions = body()
    tips = positions[ANKLES] + np.array(tail)
    skeleton = read(positions, FootEvidence(shoes(positions), tips), toes).skeleton
    assert measure_ankle_height(skeleton) == pytest.approx(0.13, abs=1e-4)
    if not toes:
        ahead = skeleton.offsets[TOES]
        assert np.allclose(ahead[:, 2], 0.7 * 0.2, atol=1e-3)
        assert np.allclose(ahead[:, 1], -0.13 + 0.02, atol=3e-3)


def test_axes_units_and_scaling_make_no_difference() -> None:
    positions = body()
    feet = FootEvidence(shoes(positions), NO_TIPS)
    turned = 100.0 * np.array([[0.0, 0.0, -1.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    skins = (feet.skins[0] @ turned.T, feet.skins[1] @ turned.T)
    other = read(positions @ turned.T, FootEvidence(skins, NO_TIPS)).skeleton
    same = read(positions, feet).skeleton
    assert np.allclose(other.offsets, 100.0 * same.offsets, atol=1e-2)
    assert other.sole_height == pytest.approx(100.0 * same.sole_height, rel=1e-4)
    assert other.scaled(0.01).sole_height == pytest.approx(same.sole_height, rel=1e-4)


def test_one_shoe_shows_the_other_foot() -> None:
    positions = body()
    left, _ = shoes(positions)
    skeleton = read(positions, FootEvidence((left, NO_SKIN[1]), NO_TIPS), toes=True).skeleton
    assert measure_ankle_height(skeleton) == pytest.approx(0.13, abs=1e-4)


@pytest.mark.parametrize("tail", [(0.0, 0.4, 0.0), (0.0, -0.32, 0.75), (0.0, -0.11, 0.46)])
def test_without_a_skin_the_body_stands_on_the_origin(tail: tuple[float, ...]) -> None:
    positions = body(0.11)
    tips = positions[ANKLES] + np.array(tail)
    skeleton = read(positions, FootEvidence(NO_SKIN, tips)).skeleton
    assert measure_ankle_height(skeleton) == pytest.approx(0.11, abs=1e-4)
    assert 0.05 < skeleton.offsets[TOES, 2].min() < 0.2


def test_with_nothing_to_show_it_the_foot_is_a_usual_one() -> None:
    """The hips lie on the origin, and the tail points up."""
    positions = body() - body()[0]
    tips = positions[ANKLES] + np.array([0.0, 0.4, 0.0])
    skeleton = read(positions, FootEvidence(NO_SKIN, tips)).skeleton
    assert skeleton.sole is None
    assert skeleton.sole_height == pytest.approx(0.02 * skeleton.size / ADULT_SIZE)
    assert 0.05 < measure_ankle_height(skeleton) < 0.1


def test_a_tail_that_a_foot_could_have_is_believed() -> None:
    positions = body() - body()[0]
    step = np.array([0.0, -0.07, 0.13])
    skeleton = read(positions, FootEvidence(NO_SKIN, positions[ANKLES] + step)).skeleton
    assert np.allclose(skeleton.offsets[TOES], step, atol=1e-5)


def test_a_skin_that_is_no_foot_is_not_believed() -> None:
    """A shoe above the ankle, or a robe whose hem is metres below."""
    positions = body() - body()[0]
    for rise in (0.3, -2.0):
        left, right = (shoe + np.array([0.0, rise, 0.0]) for shoe in shoes(positions))
        feet = FootEvidence((left, right), NO_TIPS)
        assert read(positions, feet, toes=True).skeleton.sole is None
