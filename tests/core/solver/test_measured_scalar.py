# SPDX-License-Identifier: GPL-3.0-or-later
"""Measured arms and legs of one frame in plain floats are those of many frames in arrays."""

from __future__ import annotations

import numpy as np
import pytest

from ssrhmr_core.body.extra_trackers import EXTRA_TRACKERS
from ssrhmr_core.body.motion import Motion
from ssrhmr_core.solver import (
    ARMS,
    CLAVICLES,
    LEGS,
    LIMBS,
    LimbRotations,
    Measured,
    measured,
    measured_scalar,
    solver_skeleton,
)
from tests.core.solver.test_full_body import disturbed, trackers, true_poles
from tests.core.solver.test_measured import measure

RANDOM = np.random.default_rng(8)


def measure_something(motion: Motion, trust: str) -> Measured:
    """Measure all joints, 3 cm beside the truth, and trust each of them in another way."""
    truth = measure(motion, list(EXTRA_TRACKERS), "lower")
    more = measure(motion, list(EXTRA_TRACKERS), "upper")
    shape = truth.position_trust.shape
    draws = {
        "none": lambda: np.zeros(shape),
        "full": lambda: np.ones(shape),
        "some": lambda: RANDOM.integers(0, 2, shape),
        "fading": lambda: RANDOM.uniform(0.0, 1.0, shape) * RANDOM.integers(0, 2, shape),
    }
    has_rotation = np.maximum(truth.rotation_trust, more.rotation_trust)
    rotations = np.where(truth.rotation_trust[..., None] > 0, truth.rotations, more.rotations)
    noise = 0.03 * RANDOM.standard_normal(truth.positions.shape)
    return Measured(
        (truth.positions + noise).astype(np.float32),
        rotations,
        (truth.position_trust * draws[trust]()).astype(np.float32),
        (has_rotation * draws[trust]()).astype(np.float32),
    )


@pytest.mark.parametrize("trust", ["none", "full", "some", "fading"])
def test_shoulders(motion: Motion, trust: str) -> None:
    body, said = solver_skeleton(motion.skeleton.offsets), measure_something(motion, trust)
    predicted, joints = disturbed(motion, 10.0)[:, CLAVICLES], motion.positions()
    joints = (joints - joints[:, :1]).astype(np.float32)
    chest = motion.matrices()[:, 11], joints[:, 11]
    hands = joints[:, [arm.end for arm in ARMS]]
    many = measured.place_shoulders(predicted, body, *chest, hands, said)
    assert (np.abs(many[0] - predicted).max() > 0.05) or trust == "none"
    for frame in range(len(motion)):
        row = slice(frame, frame + 1)
        one = measured_scalar.place_shoulders(
            predicted[row], body, chest[0][row], chest[1][row], hands[row], said.part(row)
        )
        for own, expected in zip(one, many, strict=True):
            assert own.dtype == np.float32 and own.shape == expected[row].shape
            np.testing.assert_allclose(own, expected[row], atol=2e-4)


@pytest.mark.parametrize("trust", ["none", "full", "some", "fading"])
def test_limbs(motion: Motion, trust: str) -> None:
    body, said = solver_skeleton(motion.skeleton.offsets), measure_something(motion, trust)
    rotations = disturbed(motion, 10.0)
    limbs = LimbRotations(
        rotations[:, [limb.upper for limb in LIMBS]],
        rotations[:, [limb.lower for limb in LIMBS]],
        rotations[:, [leg.end + 1 for leg in LEGS]],
        (true_poles(motion) + 0.3 * RANDOM.standard_normal((len(motion), 4, 3))).astype("f4"),
    )
    joints = motion.positions()
    joints = (joints - joints[:, :1]).astype(np.float32)
    starts = joints[:, [limb.upper for limb in LIMBS]]
    targets = (trackers(motion)[0] - motion.root[:, None])[:, [limb.tracker for limb in LIMBS]]
    many = measured.aim_limbs(limbs, starts, targets, body, said)
    for frame in range(len(motion)):
        row = slice(frame, frame + 1)
        one = measured_scalar.aim_limbs(
            LimbRotations(*(part[row] for part in limbs)),
            starts[row],
            targets[row],
            body,
            said.part(row),
        )
        for own, expected in zip(one, many, strict=True):
            assert own.dtype == np.float32 and own.shape == expected[row].shape
            np.testing.assert_allclose(own, expected[row], atol=2e-5)
