# SPDX-License-Identifier: GPL-3.0-or-later
"""Many frames at once: each is solved as if it were alone, for arrays and tensors."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.geometry.rotations import from_rotvec
from ssrhmr_core.solver import (
    SPINE,
    SPINE_STEPS,
    SolverSkeleton,
    batched,
    scalar,
    solver_skeleton,
)
from ssrhmr_core.solver.body import SPINE_TOLERANCE
from tests.core.solver.test_full_body import HEAD, disturbed, trackers


@pytest.fixture
def spines(motion: Motion) -> tuple[np.ndarray, SolverSkeleton, np.ndarray, np.ndarray]:
    """Spines that need between no and all steps: predictions from perfect to far off."""
    positions, rotations = trackers(motion)
    parts = [motion.matrices()[:50], disturbed(motion, 5.0)[50:100], disturbed(motion, 25.0)[100:]]
    predicted = np.concatenate(parts)[:, SPINE].astype(np.float64)
    head = (positions[:, HEAD] - positions[:, 0]).astype(np.float64)
    skeleton = solver_skeleton(motion.skeleton.offsets.astype(np.float64))
    return predicted, skeleton, rotations[:, 0].astype(np.float64), head


def test_each_frame_stops_when_its_head_has_arrived(
    spines: tuple[np.ndarray, SolverSkeleton, np.ndarray, np.ndarray],
) -> None:
    predicted, skeleton, hips, head = spines
    rotations, joints = batched.solve_spine(predicted, skeleton, hips, head, SPINE_STEPS)
    # A head that is on its tracker leaves the prediction alone, whatever the other frames need.
    np.testing.assert_array_equal(rotations[:50], predicted[:50])
    assert (np.abs(rotations[50:] - predicted[50:]).max((1, 2, 3)) > 1e-3).all()
    for frame in range(len(predicted)):
        now = slice(frame, frame + 1)
        alone, own_joints = batched.solve_spine(
            predicted[now], skeleton, hips[now], head[now], SPINE_STEPS
        )
        np.testing.assert_allclose(alone[0], rotations[frame], atol=1e-9)
        np.testing.assert_allclose(own_joints[0], joints[frame], atol=1e-9)


def test_heads_land_on_their_trackers(
    spines: tuple[np.ndarray, SolverSkeleton, np.ndarray, np.ndarray],
) -> None:
    predicted, skeleton, hips, head = spines
    rotations, joints = batched.solve_spine(predicted, skeleton, hips, head, SPINE_STEPS)
    tip = joints[:, -1] + (rotations[:, -1] @ skeleton.spine_offsets[-1])
    assert np.linalg.norm(tip - head, axis=-1).max() < 1e-3


@pytest.mark.parametrize("steps", [1, 3, SPINE_STEPS])
def test_tensors_are_solved_alike(
    spines: tuple[np.ndarray, SolverSkeleton, np.ndarray, np.ndarray], steps: int
) -> None:
    predicted, skeleton, hips, head = spines
    expected = batched.solve_spine(predicted, skeleton, hips, head, steps)
    tensors = SolverSkeleton._make(torch.as_tensor(part) for part in skeleton)
    results = batched.solve_spine(
        torch.as_tensor(predicted), tensors, torch.as_tensor(hips), torch.as_tensor(head), steps
    )
    for result, array in zip(results, expected, strict=True):
        np.testing.assert_allclose(result.numpy(), array, atol=1e-9)


def test_leading_axes_are_kept(
    spines: tuple[np.ndarray, SolverSkeleton, np.ndarray, np.ndarray],
) -> None:
    predicted, skeleton, hips, head = spines
    flat = batched.solve_spine(predicted, skeleton, hips, head, SPINE_STEPS)
    folded = batched.solve_spine(
        predicted.reshape(10, 15, 4, 3, 3),
        skeleton,
        hips.reshape(10, 15, 3, 3),
        head.reshape(10, 15, 3),
        SPINE_STEPS,
    )
    assert folded[0].shape == (10, 15, 4, 3, 3) and folded[1].shape == (10, 15, 4, 3)
    for result, expected in zip(folded, flat, strict=True):
        np.testing.assert_array_equal(result.reshape(expected.shape), expected)


def test_gradients_of_frames_that_stop_at_different_steps(
    spines: tuple[np.ndarray, SolverSkeleton, np.ndarray, np.ndarray],
) -> None:
    """Against finite differences, for a frame that needs no step, few and many."""
    predicted, skeleton, hips, head = spines
    predicted, hips, head = predicted[::70], hips[::70], head[::70]
    tensors = SolverSkeleton._make(torch.as_tensor(part) for part in skeleton)
    weights = torch.as_tensor(np.random.default_rng(0).standard_normal((len(predicted), 4, 3)))

    def loss(prediction: torch.Tensor) -> torch.Tensor:
        _, joints = batched.solve_spine(
            prediction, tensors, torch.as_tensor(hips), torch.as_tensor(head), 3
        )
        return (joints * weights).sum((1, 2))

    prediction = torch.as_tensor(predicted).requires_grad_()
    (gradient,) = torch.autograd.grad(loss(prediction).sum(), prediction)
    step = 1e-6 * torch.as_tensor(np.random.default_rng(1).standard_normal(predicted.shape))
    change = loss(prediction.detach() + step) - loss(prediction.detach() - step)
    slope = (gradient * step).sum((1, 2, 3))
    torch.testing.assert_close(2.0 * slope, change, rtol=1e-3, atol=1e-10)


def test_a_head_that_barely_has_to_move_bends_the_spine_without_a_jump(motion: Motion) -> None:
    """From a tenth of the tolerance to ten of them off a spine that is nearly straight.

    Whether it is solved in one more step must not hang on the last bit of that distance.
    """
    skeleton = solver_skeleton(motion.skeleton.offsets)
    upright = np.repeat(np.eye(3, dtype=np.float32)[None, None], len(SPINE), 1)
    tilt = from_rotvec(np.radians([[4.0, 0.0, 0.0], [-3.0, 0.0, 0.0], [-2.0, 0.0, 0.0], [0.0] * 3]))
    predicted = (tilt.astype(np.float32) @ upright)[0]
    hips = np.eye(3, dtype=np.float32)
    head = (predicted @ skeleton.spine_offsets[..., None])[..., 0].sum(0) + skeleton.spine_base
    # Shorter by this much: what a straight spine is worst at.
    off = np.linspace(0.1, 10.0, 400)[:, None] * SPINE_TOLERANCE * skeleton.spine_length
    aims = (head - off * head / np.linalg.norm(head)).astype(np.float32)
    many = batched.solve_spine(
        np.repeat(predicted[None], len(aims), 0),
        skeleton,
        np.repeat(hips[None], len(aims), 0),
        aims,
        SPINE_STEPS,
    )[0]
    alone = [scalar.solve_spine(predicted, skeleton, hips, aim, SPINE_STEPS)[0] for aim in aims]
    for rotations in (many, np.stack(alone)):
        changes = np.abs(np.diff(rotations, axis=0)).max((1, 2, 3))
        assert np.abs(rotations[-1] - predicted).max() > 1e-3
        assert changes.max() < 2e-5
