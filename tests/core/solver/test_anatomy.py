# SPDX-License-Identifier: GPL-3.0-or-later
"""No knee or elbow bends backwards, and no forearm twists beyond what forearms do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.anatomy import FOREARM_TWIST
from ssrhmr_core.body.skeleton import TRACKERS, Skeleton
from ssrhmr_core.evaluation.anatomy import forearm_twists, limb_bends
from ssrhmr_core.solver import LIMBS, Measured, SolverSkeleton, assemble, solver_skeleton
from ssrhmr_core.solver.anatomy import keep_in_range

LEFT_ARM = 2


def straight(angles: float = 0.0) -> tuple[np.ndarray, ...]:
    """Return limbs (1, 4, 3, 3) in the T-pose, knees and elbows bent about their hinges."""
    turns = np.array(
        [[angles, 0.0, 0.0]] * 2 + [[0.0, -angles, 0.0], [0.0, angles, 0.0]], np.float64
    )
    bent = quat.to_matrix(quat.from_scaled_angle_axis(turns)).astype(np.float32)[None]
    same = np.tile(np.eye(3, dtype=np.float32), (1, 4, 1, 1))
    return same, bent, bent.copy()


def rolled(rotations: np.ndarray, axis: tuple[float, float, float], degrees: float) -> np.ndarray:
    turn = quat.from_scaled_angle_axis(np.radians(degrees) * np.array(axis, np.float64))
    return (rotations @ quat.to_matrix(turn)).astype(np.float32)


def random_limbs(frames: int) -> tuple[np.ndarray, ...]:
    """Return limbs bent by 4 to 170 degrees to any side, with bones rolled anyhow."""
    random = np.random.default_rng(5)
    uppers = quat.normalize(random.standard_normal((frames, 4, 4)))
    across = random.standard_normal((frames, 4, 3))
    across[:, :LEFT_ARM, 1] = across[:, LEFT_ARM:, 0] = 0.0
    across /= np.linalg.norm(across, axis=-1, keepdims=True)
    bends = quat.from_scaled_angle_axis(
        np.radians(random.uniform(4.0, 170.0, (frames, 4, 1))) * across
    )
    along = np.array([[0.0, -1.0, 0.0]] * 2 + [[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]])
    rolls = quat.from_scaled_angle_axis(random.uniform(-3.1, 3.1, (frames, 4, 1)) * along)
    lowers = quat.mul(quat.mul(uppers, bends), rolls)
    # Hands and feet are twisted anyhow, and bent by up to 110 degrees.
    bends = quat.from_scaled_angle_axis(random.uniform(0.0, 1.9, (frames, 4, 1)) * across)
    twists = quat.from_scaled_angle_axis(random.uniform(-3.1, 3.1, (frames, 4, 1)) * along)
    ends = quat.mul(quat.mul(lowers, twists), bends)
    return tuple(quat.to_matrix(part).astype(np.float32) for part in (uppers, lowers, ends))


def kept_limbs(limbs: Any, body: SolverSkeleton) -> tuple[Any, Any]:
    uppers, lowers, ends = limbs
    return keep_in_range(uppers, lowers, ends, body)


def posed(uppers: np.ndarray, lowers: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Return bodies (F, 22, 3, 3) with these limbs, all else as in the T-pose."""
    frames = len(uppers)
    rest = np.tile(np.eye(3, dtype=np.float32), (frames, 22, 1, 1))
    tracked = rest[:, : len(TRACKERS)].copy()
    tracked[:, [limb.tracker for limb in LIMBS]] = ends
    return assemble(tracked, rest[:, :4], rest[:, :2], uppers, lowers, rest[:, :2])


def test_what_people_do_is_left_alone(skeleton: Skeleton) -> None:
    body = solver_skeleton(skeleton.offsets)
    uppers, lowers, ends = straight(1.0)
    many = [np.repeat(part, 2, 0) for part in (uppers, lowers, ends)]
    for limbs in ((uppers, lowers, ends), tuple(many)):
        kept = kept_limbs(limbs, body)
        np.testing.assert_array_equal(kept[0], limbs[0])
        np.testing.assert_array_equal(kept[1], limbs[1])


@pytest.mark.parametrize("frames", [1, 400])
def test_nothing_bends_backwards(skeleton: Skeleton, frames: int) -> None:
    body = solver_skeleton(skeleton.offsets)
    limbs = random_limbs(400)
    before = limb_bends(posed(*limbs), skeleton)
    assert (before < -5.0).mean() > 0.3
    rows = [
        kept_limbs([part[begin : begin + frames] for part in limbs], body)
        for begin in range(0, 400, frames)
    ]
    uppers, lowers = (np.concatenate(part) for part in zip(*rows, strict=True))
    assert limb_bends(posed(uppers, lowers, limbs[2]), skeleton).min() > 0.0


def test_bones_only_roll(skeleton: Skeleton) -> None:
    body = solver_skeleton(skeleton.offsets)
    uppers, lowers, ends = random_limbs(400)
    new_uppers, new_lowers = keep_in_range(uppers, lowers, ends, body)
    assert np.abs(new_uppers - uppers).max() > 0.5
    for bone, (old, new) in enumerate(((uppers, new_uppers), (lowers, new_lowers))):
        along = body.limb_directions[:, bone, :, None]
        np.testing.assert_allclose(new @ along, old @ along, atol=2e-6)


@pytest.mark.parametrize("twist", [82.0, 100.0, 114.0, -100.0, -114.0])
def test_forearms_share_the_twist_of_hands(skeleton: Skeleton, twist: float) -> None:
    body = solver_skeleton(skeleton.offsets)
    uppers, lowers, ends = straight(0.8)
    ends = rolled(ends, (1.0, 0.0, 0.0), twist)
    assert np.abs(forearm_twists(posed(uppers, lowers, ends))).max() == pytest.approx(
        abs(twist), abs=0.1
    )
    _, kept = keep_in_range(uppers, lowers, ends, body)
    left = np.abs(forearm_twists(posed(uppers, kept, ends)))
    assert left.max() < np.degrees(FOREARM_TWIST) + 0.01
    assert left.min() > 70.0, "no more than is needed"
    # Shins and feet have a range of their own.
    np.testing.assert_array_equal(kept[:, :LEFT_ARM], lowers[:, :LEFT_ARM])


def test_nothing_jumps_all_the_way_round(skeleton: Skeleton) -> None:
    """A bone or a hand that rolls once round makes no bone turn much faster than itself."""
    body = solver_skeleton(skeleton.offsets)
    degrees = np.arange(0.0, 361.0, 1.0)
    uppers, lowers, ends = (np.repeat(part, len(degrees), 0) for part in straight(0.8))
    turns = quat.to_matrix(
        quat.from_scaled_angle_axis(np.radians(degrees)[:, None] * np.array([1.0, 0.0, 0.0]))
    ).astype(np.float32)
    down = quat.to_matrix(
        quat.from_scaled_angle_axis(np.radians(degrees)[:, None] * np.array([0.0, 1.0, 0.0]))
    ).astype(np.float32)
    around = uppers.copy()
    around[:, LEFT_ARM:] = uppers[:, LEFT_ARM:] @ turns[:, None]
    around[:, :LEFT_ARM] = uppers[:, :LEFT_ARM] @ down[:, None]
    for new in (
        keep_in_range(around, lowers, ends, body)[0],
        keep_in_range(uppers, lowers, ends @ turns[:, None], body)[1],
    ):
        steps = new[1:] @ new[:-1].swapaxes(-1, -2)
        angles = np.degrees(np.arccos(np.clip(0.5 * (np.trace(steps, 0, -2, -1) - 1.0), -1, 1)))
        assert angles.max() < 4.0


def test_measured_rotations_are_kept(skeleton: Skeleton) -> None:
    body = solver_skeleton(skeleton.offsets)
    uppers, lowers, ends = random_limbs(20)
    nothing = Measured(
        np.zeros((20, 13, 3), np.float32),
        np.tile(np.eye(3, dtype=np.float32), (20, 13, 1, 1)),
        np.zeros((20, 13, 1), np.float32),
        np.ones((20, 13, 1), np.float32),
    )
    kept = keep_in_range(uppers, lowers, ends, body, nothing)
    np.testing.assert_allclose(kept[0], uppers, atol=1e-6)
    np.testing.assert_allclose(kept[1], lowers, atol=1e-6)
    unknown = nothing._replace(rotation_trust=0.0 * nothing.rotation_trust)
    kept = keep_in_range(uppers, lowers, ends, body, unknown)
    np.testing.assert_array_equal(kept[0], keep_in_range(uppers, lowers, ends, body)[0])


def test_torch_and_single_frames_give_the_same(skeleton: Skeleton) -> None:
    body = solver_skeleton(skeleton.offsets)
    limbs = random_limbs(200)
    many = kept_limbs(limbs, body)
    tensors = [torch.tensor(part, requires_grad=True) for part in limbs]
    learned = kept_limbs(tensors, solver_skeleton(torch.tensor(skeleton.offsets)))
    singles = [kept_limbs([part[row] for part in limbs], body) for row in range(200)]
    for bone in range(2):
        np.testing.assert_allclose(learned[bone].detach().numpy(), many[bone], atol=1e-5)
        np.testing.assert_allclose(np.stack([s[bone] for s in singles]), many[bone], atol=1e-5)
    (learned[0].sum() + learned[1].sum()).backward()
    assert all(tensor.grad is not None and torch.isfinite(tensor.grad).all() for tensor in tensors)
