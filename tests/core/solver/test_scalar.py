# SPDX-License-Identifier: GPL-3.0-or-later
"""One frame in plain floats gives what many frames in arrays give."""

from __future__ import annotations

import numpy as np
import pytest
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.geometry.rotations import between
from ssrhmr_core.solver import SolverSkeleton, batched, scalar, solver_skeleton
from tests.core.solver.test_full_body import disturbed

ROWS = 400


def random_turns(random: np.random.Generator, *shape: int) -> np.ndarray:
    turns = quat.normalize(random.standard_normal((*shape, 4)))
    return quat.to_matrix(turns).astype(np.float32)


def random_bodies(random: np.random.Generator, offsets: np.ndarray) -> np.ndarray:
    """Bodies (ROWS, 22, 3) of all proportions, from children to long-armed giants."""
    scale = np.exp(0.4 * random.standard_normal((ROWS, len(offsets), 1)))
    return (offsets * scale * random.uniform(0.5, 3.0, (ROWS, 1, 1))).astype(np.float32)


def row_of(body: SolverSkeleton, row: int) -> SolverSkeleton:
    return SolverSkeleton(*(part[row] for part in body))


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(4)


@pytest.fixture
def bodies(random: np.random.Generator, motion: Motion) -> SolverSkeleton:
    return solver_skeleton(random_bodies(random, motion.skeleton.offsets))


def test_spine(random: np.random.Generator, bodies: SolverSkeleton, motion: Motion) -> None:
    wrong = disturbed(motion, 15.0)[:, [9, 10, 11, 12]]
    turned = wrong[random.integers(0, len(wrong), ROWS)]
    hips = random_turns(random, ROWS)
    # From folded up to out of reach.
    straight = (hips @ np.array([0.0, 1.0, 0.0], np.float32)) * bodies.length
    away = 0.35 * bodies.length * random.standard_normal((ROWS, 3))
    head = (straight * random.uniform(0.6, 1.2, (ROWS, 1)) + away).astype(np.float32)
    many, points = batched.solve_spine(turned, bodies, hips, head, 8)
    for row in range(ROWS):
        body = row_of(bodies, row)
        one, places = scalar.solve_spine(turned[row], body, hips[row], head[row], 8)
        # After as many steps as there are, far heads are still on their way.
        np.testing.assert_allclose(places, points[row], atol=1e-3 * body.length.item())
        np.testing.assert_allclose(one, many[row], atol=5e-3)
        assert one.dtype == places.dtype == np.float32


def test_clavicles(random: np.random.Generator, bodies: SolverSkeleton) -> None:
    turned, chest_turns = random_turns(random, ROWS, 2), random_turns(random, ROWS)
    chests = random.standard_normal((ROWS, 3)).astype(np.float32)
    # Within reach, about to leave it, and beyond.
    reach = (bodies.uppers + bodies.lowers)[:, 2:]
    direction = random.standard_normal((ROWS, 2, 3))
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    many, shoulders = batched.reach_with_clavicles(
        turned, bodies, chest_turns, chests, np.zeros((ROWS, 2, 3), np.float32)
    )
    hands = shoulders + direction * reach * random.uniform(0.9, 1.3, (ROWS, 2, 1))
    hands = hands.astype(np.float32)
    many, shoulders = batched.reach_with_clavicles(turned, bodies, chest_turns, chests, hands)
    given = np.abs(many - turned).max((-1, -2)) > 1e-3
    assert 0.2 < given.mean() < 0.95
    for row in range(ROWS):
        one, places = scalar.reach_with_clavicles(
            turned[row], row_of(bodies, row), chest_turns[row], chests[row], hands[row]
        )
        np.testing.assert_allclose(places, shoulders[row], atol=5e-5)
        np.testing.assert_allclose(one, many[row], atol=5e-4)


def test_limbs(random: np.random.Generator, bodies: SolverSkeleton) -> None:
    uppers, lowers = random_turns(random, ROWS, 4), random_turns(random, ROWS, 4)
    starts = random.standard_normal((ROWS, 4, 3)).astype(np.float32)
    poles = random.standard_normal((ROWS, 4, 3)).astype(np.float32)
    direction = random.standard_normal((ROWS, 4, 3))
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    whole = bodies.uppers + bodies.lowers
    targets = starts + direction * whole * random.uniform(0.05, 1.3, (ROWS, 4, 1))
    targets = targets.astype(np.float32)
    many = batched.close_limbs(uppers, lowers, starts, bodies, targets, poles)
    for row in range(ROWS):
        body = row_of(bodies, row)
        one = scalar.close_limbs(
            uppers[row], lowers[row], starts[row], body, targets[row], poles[row]
        )
        for found, expected in zip(one, many, strict=True):
            np.testing.assert_allclose(found, expected[row], atol=5e-3)


def test_smallest_rotation(random: np.random.Generator) -> None:
    a = random.standard_normal((60, 3))
    a /= np.linalg.norm(a, axis=-1, keepdims=True)
    b = random.standard_normal((60, 3))
    b /= np.linalg.norm(b, axis=-1, keepdims=True)
    # Opposite vectors, where any half turn will do; along each axis too.
    b[:20] = -a[:20]
    a[:3], b[:3] = np.eye(3), -np.eye(3)
    expected = between(a, b)
    for row in range(60):
        found = np.reshape(scalar.between(a[row].tolist(), b[row].tolist()), (3, 3))
        np.testing.assert_allclose(found, expected[row], atol=1e-9)
        np.testing.assert_allclose(found @ a[row], b[row], atol=1e-9)
        np.testing.assert_allclose(found @ found.T, np.eye(3), atol=1e-9)
