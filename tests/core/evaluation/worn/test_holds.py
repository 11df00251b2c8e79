# SPDX-License-Identifier: GPL-3.0-or-later
"""Drawn performers hold poses as people do: recognisably, and no better than the solver expects."""

from __future__ import annotations

import numpy as np
import pytest

from ssrhmr_core.body.skeleton import INDEX
from ssrhmr_core.evaluation.worn.holds import HeldPoses, draw_held_poses
from ssrhmr_core.evaluation.worn.movement import draw_habits, make_guided_movement
from ssrhmr_core.geometry.rotations import from_quat, to_rotvec, transpose
from ssrhmr_core.tracking.movement import hold_residuals
from tests.core.conftest import make_skeleton

WRISTS = [INDEX["left_wrist"], INDEX["right_wrist"]]
ANKLES = [INDEX["left_ankle"], INDEX["right_ankle"]]
TOGETHER = np.diag([-1.0, -1.0, 1.0])


def draw(count: int = 400) -> list[HeldPoses]:
    random = np.random.default_rng(1)
    drawn = []
    for _ in range(count):
        habits = draw_habits(random)
        posture = habits.pelvis + habits.trunk + habits.head
        drawn.append(draw_held_poses(posture, habits.toes_out, random))
    return drawn


DRAWN = draw()


def spread_of(rotations: np.ndarray) -> np.ndarray:
    """Return the spreads (3,) of rotations (n, 3, 3) about their axes, radians."""
    return np.sqrt((to_rotvec(rotations) ** 2).mean(0))


def test_hands_are_held_no_better_than_the_solver_expects() -> None:
    together = np.array([held.together.rotations for held in DRAWN])
    relative = spread_of(transpose(together[:, 0]) @ together[:, 1] @ TOGETHER)
    stated = [hold_residuals._ROLL, hold_residuals._SIDE, hold_residuals._BEND]
    assert (relative > stated).all() and (relative < np.radians(12.0)).all()
    stacked = np.array([held.stacked.rotations for held in DRAWN])
    backs = stacked[..., 1]
    between = np.arccos(np.clip((backs[:, 0] * backs[:, 1]).sum(-1), -1.0, 1.0))
    assert np.sqrt((between**2).mean()) > np.hypot(hold_residuals._ROLL, hold_residuals._BEND)
    middle = backs.mean(1)
    assert (middle[:, [0, 2]].std(0) > 0.95 * hold_residuals._PLANE).all()
    normal = 0.5 * (together[:, 0, :, 1] - together[:, 1, :, 1])
    assert (normal[:, 1:].std(0) > 0.95 * hold_residuals._PLANE).all()
    fingers = 0.5 * (together[:, 0, :, 0] - together[:, 1, :, 0])
    assert fingers[:, 1].std() > 0.95 * hold_residuals._POINTING


def test_heads_and_feet_keep_habits() -> None:
    looks = np.radians([held.look for held in DRAWN])
    stated = np.array([hold_residuals._PITCH, hold_residuals._YAW, hold_residuals._HEAD_ROLL])
    assert (looks.std(0) > 0.95 * stated).all() and (looks.std(0) < 1.5 * stated).all()
    toes = np.radians([held.toes_out for held in DRAWN])
    assert toes.mean() == pytest.approx(hold_residuals._TOES_OUT, abs=np.radians(0.5))
    assert toes.sum(1).std() > 0.95 * np.sqrt(2.0) * hold_residuals._FOOT
    turned = 0.5 * (toes[:, 0] - toes[:, 1])
    expected = np.hypot(hold_residuals._FEET, hold_residuals._FOOT / np.sqrt(2.0))
    assert turned.std() > 0.85 * expected
    apart = np.array([held.apart.sum() for held in DRAWN])
    assert apart.mean() == pytest.approx(hold_residuals._FEET_APART, abs=0.003)
    assert apart.std() > 0.95 * hold_residuals._APART


@pytest.mark.parametrize("seed", (0, 2))
def test_the_movement_ends_with_palms_and_feet_together(seed: int) -> None:
    random, body = np.random.default_rng(seed), make_skeleton()
    motion = make_guided_movement(body, draw_habits(random), random)
    assert 15.0 < motion.times[-1] < 26.0
    positions, rotations = motion.positions()[-20], from_quat(motion.rotations[-20].astype(float))
    left, right = rotations[WRISTS]
    angle = np.linalg.norm(to_rotvec(transpose(left) @ right @ TOGETHER))
    assert np.radians(1.0) < angle < np.radians(25.0)
    assert np.linalg.norm(positions[WRISTS[0]] - positions[WRISTS[1]]) < 0.15
    ankles = motion.positions()[:, ANKLES]
    apart = np.linalg.norm(ankles[:, 0] - ankles[:, 1], axis=-1)
    assert apart[-20] < 0.13 < apart[0]


def test_others_hold_poses_otherwise() -> None:
    first, second = DRAWN[:2]
    assert not np.allclose(first.together.rotations, second.together.rotations)
    assert not np.allclose(first.look, second.look)
