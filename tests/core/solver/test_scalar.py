# SPDX-License-Identifier: GPL-3.0-or-later
"""One frame in plain floats gives what many frames in arrays give."""

from __future__ import annotations

import numpy as np
import pytest
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.solver import SPINE, SolverSkeleton, batched, scalar, solver_skeleton
from tests.core.solver.test_full_body import disturbed

ROWS = 400


def random_rotations(random: np.random.Generator, *shape: int) -> np.ndarray:
    quats = quat.normalize(random.standard_normal((*shape, 4)))
    return quat.to_matrix(quats).astype(np.float32)


def random_directions(random: np.random.Generator, *shape: int) -> np.ndarray:
    directions = random.standard_normal((*shape, 3))
    return directions / np.linalg.norm(directions, axis=-1, keepdims=True)


def random_bodies(random: np.random.Generator, offsets: np.ndarray) -> np.ndarray:
    """Return bodies (ROWS, 22, 3) of all proportions, from children to long-armed giants."""
    scale = np.exp(0.4 * random.standard_normal((ROWS, len(offsets), 1)))
    return (offsets * scale * random.uniform(0.5, 3.0, (ROWS, 1, 1))).astype(np.float32)


def row_of(bodies: SolverSkeleton, row: int) -> SolverSkeleton:
    return SolverSkeleton._make(part[row] for part in bodies)


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(4)


@pytest.fixture
def bodies(random: np.random.Generator, motion: Motion) -> SolverSkeleton:
    return solver_skeleton(random_bodies(random, motion.skeleton.offsets))


def test_spine(random: np.random.Generator, bodies: SolverSkeleton, motion: Motion) -> None:
    predicted = disturbed(motion, 15.0)[:, SPINE]
    predicted = predicted[random.integers(0, len(predicted), ROWS)]
    hips = random_rotations(random, ROWS)
    # From folded up to out of reach.
    straight = (hips @ np.array([0.0, 1.0, 0.0], np.float32)) * bodies.spine_length
    away = 0.35 * bodies.spine_length * random.standard_normal((ROWS, 3))
    head = (straight * random.uniform(0.6, 1.2, (ROWS, 1)) + away).astype(np.float32)
    many, joints = batched.solve_spine(predicted, bodies, hips, head, 8)
    assert (np.abs(many - predicted).max((1, 2, 3)) > 0.1).mean() > 0.5
    for row in range(ROWS):
        body = row_of(bodies, row)
        one, own_joints = scalar.solve_spine(predicted[row], body, hips[row], head[row], 8)
        # After the last step far heads are still on their way.
        np.testing.assert_allclose(own_joints, joints[row], atol=1e-3 * body.spine_length.item())
        np.testing.assert_allclose(one, many[row], atol=5e-3)
        assert one.dtype == own_joints.dtype == np.float32


def test_clavicles(random: np.random.Generator, bodies: SolverSkeleton) -> None:
    predicted, chest_rotations = random_rotations(random, ROWS, 2), random_rotations(random, ROWS)
    chests = random.standard_normal((ROWS, 3)).astype(np.float32)
    _, shoulders = batched.reach_with_clavicles(
        predicted, bodies, chest_rotations, chests, np.zeros((ROWS, 2, 3), np.float32)
    )
    # Within reach, about to leave it, and beyond.
    reach = (bodies.upper_lengths + bodies.lower_lengths)[:, 2:]
    distance = reach * random.uniform(0.9, 1.3, (ROWS, 2, 1))
    hands = (shoulders + random_directions(random, ROWS, 2) * distance).astype(np.float32)
    many, shoulders = batched.reach_with_clavicles(
        predicted, bodies, chest_rotations, chests, hands
    )
    moved = np.abs(many - predicted).max((-1, -2)) > 1e-3
    assert 0.2 < moved.mean() < 0.95
    for row in range(ROWS):
        one, own_shoulders = scalar.reach_with_clavicles(
            predicted[row], row_of(bodies, row), chest_rotations[row], chests[row], hands[row]
        )
        np.testing.assert_allclose(own_shoulders, shoulders[row], atol=5e-5)
        np.testing.assert_allclose(one, many[row], atol=5e-4)


def test_limbs(random: np.random.Generator, bodies: SolverSkeleton) -> None:
    uppers, lowers = random_rotations(random, ROWS, 4), random_rotations(random, ROWS, 4)
    starts = random.standard_normal((ROWS, 4, 3)).astype(np.float32)
    poles = random.standard_normal((ROWS, 4, 3)).astype(np.float32)
    whole = bodies.upper_lengths + bodies.lower_lengths
    distance = whole * random.uniform(0.05, 1.3, (ROWS, 4, 1))
    targets = (starts + random_directions(random, ROWS, 4) * distance).astype(np.float32)
    many = batched.close_limbs(uppers, lowers, starts, bodies, targets, poles)
    for row in range(ROWS):
        body = row_of(bodies, row)
        one = scalar.close_limbs(
            uppers[row], lowers[row], starts[row], body, targets[row], poles[row]
        )
        for result, expected in zip(one, many, strict=True):
            np.testing.assert_allclose(result, expected[row], atol=5e-3)
