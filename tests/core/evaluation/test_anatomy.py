# SPDX-License-Identifier: GPL-3.0-or-later
"""Joints beyond their range, by known angles."""

from __future__ import annotations

import numpy as np
import pytest
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import INDEX, PARENTS, Skeleton
from ssrhmr_core.evaluation.anatomy import measure_anatomy, pool_anatomy, summarize_anatomy

TILT = np.radians(40.0)


def turned(skeleton: Skeleton, joint: str, rotvec: tuple[float, float, float]) -> Motion:
    """Return a single T-pose in which a joint, and all that it carries, is rotated (degrees)."""
    rotations = np.zeros((1, 22, 4), np.float32)
    rotations[..., 0] = 1.0
    turn = quat.from_scaled_angle_axis(np.radians(rotvec)).astype(np.float32)
    moved = {INDEX[joint]}
    for child, parent in enumerate(PARENTS):
        if child in moved or parent in moved:
            moved.add(child)
            rotations[0, child] = turn
    return Motion(skeleton, np.zeros(1), rotations, np.zeros((1, 3), np.float32))


@pytest.mark.parametrize("angle", [90.0, 30.0, -3.0, -20.0])
@pytest.mark.parametrize(
    ("joint", "axis", "column"),
    [
        ("left_knee", (1.0, 0.0, 0.0), 0),
        ("right_knee", (1.0, 0.0, 0.0), 1),
        ("left_elbow", (0.0, -np.cos(TILT), np.sin(TILT)), 2),
        ("right_elbow", (0.0, np.cos(TILT), -np.sin(TILT)), 3),
    ],
)
def test_bends_about_their_hinges(
    skeleton: Skeleton, joint: str, axis: tuple[float, float, float], column: int, angle: float
) -> None:
    motion = turned(skeleton, joint, tuple(angle * np.array(axis)))
    anatomy = measure_anatomy(motion)
    expected = np.zeros(4)
    expected[column] = angle
    np.testing.assert_allclose(anatomy.bends[0], expected, atol=0.05)
    figures = summarize_anatomy(anatomy, "_gt")
    kind = "knees" if "knee" in joint else "elbows"
    assert figures[f"{kind}_backwards_percent_gt"] == (50.0 if angle < -5.0 else 0.0)
    assert figures["most_backwards_deg_gt"] == pytest.approx(max(-angle, 0.0), abs=0.05)


@pytest.mark.parametrize("forwards", [(0.0, -60.0, 0.0), (0.0, 0.0, 60.0)])
def test_elbows_bend_forwards_and_upwards(
    skeleton: Skeleton, forwards: tuple[float, float, float]
) -> None:
    """Whether palms face the floor or the front in a T-pose differs between sources."""
    assert measure_anatomy(turned(skeleton, "left_elbow", forwards)).bends[0, 2] > 30.0
    backwards = tuple(-np.array(forwards))
    assert measure_anatomy(turned(skeleton, "left_elbow", backwards)).bends[0, 2] < -30.0


@pytest.mark.parametrize("twist", [60.0, 100.0, 170.0, -100.0])
def test_twists_of_forearms(skeleton: Skeleton, twist: float) -> None:
    anatomy = measure_anatomy(turned(skeleton, "left_wrist", (twist, 0.0, 0.0)))
    np.testing.assert_allclose(anatomy.twists[0], [twist, 0.0], atol=0.05)
    share = summarize_anatomy(anatomy)["forearms_twisted_percent"]
    assert share == (50.0 if abs(twist) > 90.0 else 0.0)
    # The bend of a wrist is no twist, and both sides count alike.
    bent = measure_anatomy(turned(skeleton, "right_wrist", (0.0, 60.0, 0.0)))
    np.testing.assert_allclose(bent.twists, 0.0, atol=0.05)
    mirrored = measure_anatomy(turned(skeleton, "right_wrist", (twist, 0.0, 0.0)))
    np.testing.assert_allclose(mirrored.twists[0], [0.0, twist], atol=0.05)


@pytest.mark.parametrize(
    ("turn", "excess"),
    [
        ((0.0, 60.0, 0.0), 0.0),
        ((0.0, 75.0, 0.0), 10.0),
        ((0.0, -120.0, 0.0), 0.0),
        ((0.0, -150.0, 0.0), 20.0),
        ((0.0, 0.0, 90.0), 0.0),
    ],
)
def test_range_of_shoulders(
    skeleton: Skeleton, turn: tuple[float, float, float], excess: float
) -> None:
    anatomy = measure_anatomy(turned(skeleton, "left_shoulder", turn))
    np.testing.assert_allclose(anatomy.shoulders[0], [excess, 0.0], atol=0.05)


def test_parts_and_pools(skeleton: Skeleton) -> None:
    good = measure_anatomy(turned(skeleton, "left_knee", (40.0, 0.0, 0.0)))
    bad = measure_anatomy(turned(skeleton, "left_knee", (-40.0, 0.0, 0.0)))
    pooled = pool_anatomy([good, bad])
    assert summarize_anatomy(pooled)["knees_backwards_percent"] == 25.0
    assert summarize_anatomy(pooled.part(np.array([True, False])))["knees_backwards_percent"] == 0.0
    nothing = summarize_anatomy(pooled.part(np.zeros(2, bool)))
    assert set(nothing.values()) == {None}
