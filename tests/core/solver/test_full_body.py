# SPDX-License-Identifier: GPL-3.0-or-later
"""The exact solve, on its own: the ends meet their trackers whatever was predicted."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import INDEX, TRACKER_JOINTS, Skeleton, forward_kinematics
from ssrhmr_core.solver import ARMS, LEGS, solve, solver_skeleton

ENDS = list(TRACKER_JOINTS)


def disturbed(motion: Motion, degrees: float) -> np.ndarray:
    """Rotations of a motion, each joint turned by a few degrees some way (F, 22, 3, 3)."""
    random = np.random.default_rng(1)
    turns = np.radians(degrees) * random.standard_normal((len(motion), 22, 3))
    wrong = quat.mul(quat.from_scaled_angle_axis(turns), motion.rotations.astype(float))
    return quat.to_matrix(wrong).astype(np.float32)


def trackers(motion: Motion) -> tuple[np.ndarray, np.ndarray]:
    return motion.positions()[:, ENDS], motion.matrices()[:, ENDS]


def true_poles(motion: Motion) -> np.ndarray:
    points = motion.positions()
    return np.stack(
        [points[:, b] - 0.5 * (points[:, a] + points[:, c]) for _, a, b, c, _ in (*LEGS, *ARMS)], 1
    )


def test_truth_is_left_alone(motion: Motion) -> None:
    spots, turns = trackers(motion)
    offsets = motion.skeleton.offsets
    found = solve(motion.matrices(), true_poles(motion), spots, turns, solver_skeleton(offsets))
    # An arm at 98.9 % of its reach has its clavicle give by 0.13 degrees.
    np.testing.assert_allclose(found, motion.matrices(), atol=3e-3)


@pytest.mark.parametrize("degrees", [3.0, 10.0, 20.0])
def test_ends_meet_their_trackers(motion: Motion, degrees: float) -> None:
    spots, turns = trackers(motion)
    offsets = motion.skeleton.offsets
    found = solve(
        disturbed(motion, degrees), true_poles(motion), spots, turns, solver_skeleton(offsets)
    )
    points = forward_kinematics(found, spots[:, 0], offsets)
    missed = 1000.0 * np.linalg.norm(points[:, ENDS] - spots, axis=-1)
    assert missed.mean() < 0.1, "mm"
    assert np.percentile(missed, 99) < 1.0, "mm"
    np.testing.assert_allclose(found[:, ENDS], turns, atol=1e-6)


def test_solving_brings_the_whole_body_closer(motion: Motion) -> None:
    spots, turns = trackers(motion)
    offsets = motion.skeleton.offsets
    wrong = disturbed(motion, 10.0)
    found = solve(wrong, true_poles(motion), spots, turns, solver_skeleton(offsets))
    before = np.linalg.norm(
        forward_kinematics(wrong, spots[:, 0], offsets) - motion.positions(), axis=-1
    )
    after = np.linalg.norm(
        forward_kinematics(found, spots[:, 0], offsets) - motion.positions(), axis=-1
    )
    assert after.mean() < 0.5 * before.mean()


def test_knees_and_elbows_bend_towards_their_pole(motion: Motion) -> None:
    spots, turns = trackers(motion)
    offsets = motion.skeleton.offsets
    poles = true_poles(motion)
    points = forward_kinematics(
        solve(disturbed(motion, 10.0), poles, spots, turns, solver_skeleton(offsets)),
        spots[:, 0],
        offsets,
    )
    for number, limb in enumerate((*LEGS, *ARMS)):
        bend = points[:, limb.lower] - 0.5 * (points[:, limb.upper] + points[:, limb.end])
        assert ((bend * poles[:, number]).sum(-1) > 0.0).all()


def test_an_arm_out_of_reach_points_at_its_target(skeleton: Skeleton) -> None:
    pose = skeleton.t_pose()[None]
    still = np.broadcast_to(np.eye(3, dtype=np.float32), (1, 22, 3, 3))
    spots, turns = pose[:, ENDS].copy(), still[:, ENDS]
    away = np.array([0.5, 0.3, 0.4], np.float32)
    spots[0, 2] += away
    poles = np.tile(np.array([0.0, 0.0, 1.0], np.float32), (1, 4, 1))
    points = forward_kinematics(
        solve(still, poles, spots, turns, solver_skeleton(skeleton.offsets)),
        spots[:, 0],
        skeleton.offsets,
    )[0]
    arm = points[INDEX["left_wrist"]] - points[INDEX["left_shoulder"]]
    aim = spots[0, 2] - points[INDEX["left_shoulder"]]
    assert arm @ aim / np.linalg.norm(arm) / np.linalg.norm(aim) > 0.9999
    # The clavicle gave: the wrist is nearer than the arm alone could bring it.
    miss = np.linalg.norm(points[INDEX["left_wrist"]] - spots[0, 2])
    assert miss < np.linalg.norm(away) - 0.02


@pytest.mark.parametrize("lifted", [0.02, 0.05, 0.3])
def test_a_spine_out_of_reach_stretches_and_keeps_calm(motion: Motion, lifted: float) -> None:
    """Mounts that were calibrated badly lift the head; a micrometre must then not whip it about."""
    spots, turns = trackers(motion)
    offsets, wrong = motion.skeleton.offsets, disturbed(motion, 10.0)
    first = spots[:, 0] + turns[:, 0] @ offsets[INDEX["lower_spine"]]
    aim = spots[:, 1] - first
    distance = np.linalg.norm(aim, axis=-1, keepdims=True)
    chain = [INDEX[name] for name in ("middle_spine", "chest", "neck", "head")]
    reach = float(np.linalg.norm(offsets[chain], axis=-1).sum())
    spots[:, 1] = first + aim * ((reach + lifted) / distance)
    found = solve(wrong, true_poles(motion), spots, turns, solver_skeleton(offsets))
    points = forward_kinematics(found, spots[:, 0], offsets)
    missed = np.linalg.norm(points[:, ENDS[1]] - spots[:, 1], axis=-1)
    assert missed.max() < lifted + 0.003
    spots[:, 1] += 1e-6
    again = solve(wrong, true_poles(motion), spots, turns, solver_skeleton(offsets))
    moved = forward_kinematics(again, spots[:, 0], offsets) - points
    assert np.abs(moved).max() < 1e-3


@pytest.mark.parametrize("lowered", [0.01, 0.03, 0.06])
def test_a_straight_spine_that_is_too_long_does_not_buckle_about(
    skeleton: Skeleton, lowered: float
) -> None:
    """A head that was calibrated too low asks an upright spine for a bow, always to one side."""
    frames = 300
    offsets = skeleton.offsets.copy()
    chain = [INDEX[name] for name in ("middle_spine", "chest", "neck", "head")]
    offsets[chain] *= np.array([0.0, 1.0, 0.0], np.float32)
    # The prediction sways through straight by a degree or two, as predictions do.
    random = np.random.default_rng(3)
    times = np.arange(frames) / 60.0
    rates, phases = random.uniform(0.3, 1.5, (2, 22, 3))
    waves = np.radians(1.5) * np.sin(2.0 * np.pi * (times[:, None, None] * rates + phases))
    turned = quat.to_matrix(quat.from_scaled_angle_axis(waves)).astype(np.float32)
    turned[:, 0] = np.eye(3)
    points = forward_kinematics(turned, np.zeros((frames, 3), np.float32), offsets)
    spots, turns = points[:, ENDS].copy(), turned[:, ENDS]
    spots[:, 1, 1] -= lowered
    poles = np.tile(np.array([0.0, 0.0, 1.0], np.float32), (frames, 4, 1))
    found = forward_kinematics(
        solve(turned, poles, spots, turns, solver_skeleton(offsets)), spots[:, 0], offsets
    )
    steps = np.linalg.norm(np.diff(found[:, chain[:3]], axis=0), axis=-1)
    assert np.abs(found[:, ENDS[1]] - spots[:, 1]).max() < 1e-3
    assert steps.max() < 0.04


@pytest.mark.parametrize("gone", [("left_clavicle",), ("lower_spine", "middle_spine"), ("neck",)])
def test_joints_without_length_do_no_harm(
    skeleton: Skeleton, motion: Motion, gone: tuple[str, ...]
) -> None:
    offsets = skeleton.offsets.copy()
    for name in gone:
        child = INDEX[name] + 1
        offsets[INDEX[name]] += offsets[child]
        offsets[child] = 0.0
    short = Motion(Skeleton(offsets), motion.times, motion.rotations, motion.root)
    spots, turns = trackers(short)
    found = solve(disturbed(short, 5.0), true_poles(short), spots, turns, solver_skeleton(offsets))
    points = forward_kinematics(found, spots[:, 0], offsets)
    assert np.isfinite(points).all()
    assert np.linalg.norm(points[:, ENDS] - spots, axis=-1).mean() < 1e-4


def test_numpy_and_torch_agree_and_gradients_flow(motion: Motion) -> None:
    spots, turns = trackers(motion)
    inputs = (disturbed(motion, 8.0), true_poles(motion), spots, turns, motion.skeleton.offsets)
    rotations, poles, places, measured, offsets = (np.asarray(x, np.float64) for x in inputs)
    expected = solve(rotations, poles, places, measured, solver_skeleton(offsets))
    tensors = [torch.as_tensor(x) for x in (rotations, poles, places, measured, offsets)]
    tensors[0].requires_grad_()
    found = solve(tensors[0], tensors[1], tensors[2], tensors[3], solver_skeleton(tensors[4]))
    np.testing.assert_allclose(found.detach().numpy(), expected, atol=1e-9)
    found.square().sum().backward()
    assert tensors[0].grad is not None and torch.isfinite(tensors[0].grad).all()
