# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole exact solve: the ends meet their trackers whatever was predicted."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import INDEX, TRACKER_JOINTS, TRACKERS, Skeleton, forward_kinematics
from ssrhmr_core.solver import LIMBS, solve, solver_skeleton

ENDS = list(TRACKER_JOINTS)
HEAD = TRACKERS.index("head")


def disturbed(motion: Motion, degrees: float) -> np.ndarray:
    """Return rotations (F, 22, 3, 3) of a motion with random errors of a few degrees."""
    random = np.random.default_rng(1)
    rotvecs = np.radians(degrees) * random.standard_normal((len(motion), 22, 3))
    wrong = quat.mul(quat.from_scaled_angle_axis(rotvecs), motion.rotations.astype(float))
    return quat.to_matrix(wrong).astype(np.float32)


def trackers(motion: Motion) -> tuple[np.ndarray, np.ndarray]:
    return motion.positions()[:, ENDS], motion.matrices()[:, ENDS]


def true_poles(motion: Motion) -> np.ndarray:
    joints = motion.positions()
    return np.stack(
        [
            joints[:, limb.lower] - 0.5 * (joints[:, limb.upper] + joints[:, limb.end])
            for limb in LIMBS
        ],
        1,
    )


def test_truth_is_left_alone(motion: Motion) -> None:
    positions, rotations = trackers(motion)
    offsets = motion.skeleton.offsets
    solved = solve(
        motion.matrices(), true_poles(motion), positions, rotations, solver_skeleton(offsets)
    )
    # The clavicle of an arm at 98.9 % of its reach gives by 0.13 degrees.
    np.testing.assert_allclose(solved, motion.matrices(), atol=3e-3)


@pytest.mark.parametrize("degrees", [3.0, 10.0, 20.0])
def test_ends_meet_their_trackers(motion: Motion, degrees: float) -> None:
    positions, rotations = trackers(motion)
    offsets = motion.skeleton.offsets
    solved = solve(
        disturbed(motion, degrees),
        true_poles(motion),
        positions,
        rotations,
        solver_skeleton(offsets),
    )
    joints = forward_kinematics(solved, positions[:, 0], offsets)
    distances = 1000.0 * np.linalg.norm(joints[:, ENDS] - positions, axis=-1)
    assert distances.mean() < 0.1, "mm"
    assert np.percentile(distances, 99) < 1.0, "mm"
    np.testing.assert_allclose(solved[:, ENDS], rotations, atol=1e-6)


def test_solving_brings_the_whole_body_closer(motion: Motion) -> None:
    positions, rotations = trackers(motion)
    offsets = motion.skeleton.offsets
    wrong = disturbed(motion, 10.0)
    solved = solve(wrong, true_poles(motion), positions, rotations, solver_skeleton(offsets))
    before = np.linalg.norm(
        forward_kinematics(wrong, positions[:, 0], offsets) - motion.positions(), axis=-1
    )
    after = np.linalg.norm(
        forward_kinematics(solved, positions[:, 0], offsets) - motion.positions(), axis=-1
    )
    assert after.mean() < 0.5 * before.mean()


def test_knees_and_elbows_bend_towards_their_pole(motion: Motion) -> None:
    positions, rotations = trackers(motion)
    offsets = motion.skeleton.offsets
    poles = true_poles(motion)
    joints = forward_kinematics(
        solve(disturbed(motion, 10.0), poles, positions, rotations, solver_skeleton(offsets)),
        positions[:, 0],
        offsets,
    )
    for number, limb in enumerate(LIMBS):
        bend = joints[:, limb.lower] - 0.5 * (joints[:, limb.upper] + joints[:, limb.end])
        assert ((bend * poles[:, number]).sum(-1) > 0.0).all()


def test_an_arm_out_of_reach_points_at_its_target(skeleton: Skeleton) -> None:
    pose = skeleton.t_pose()[None]
    still = np.broadcast_to(np.eye(3, dtype=np.float32), (1, 22, 3, 3))
    positions, rotations = pose[:, ENDS].copy(), still[:, ENDS]
    away = np.array([0.5, 0.3, 0.4], np.float32)
    hand = TRACKERS.index("left_hand")
    positions[0, hand] += away
    poles = np.tile(np.array([0.0, 0.0, 1.0], np.float32), (1, 4, 1))
    joints = forward_kinematics(
        solve(still, poles, positions, rotations, solver_skeleton(skeleton.offsets)),
        positions[:, 0],
        skeleton.offsets,
    )[0]
    arm = joints[INDEX["left_wrist"]] - joints[INDEX["left_shoulder"]]
    aim = positions[0, hand] - joints[INDEX["left_shoulder"]]
    assert arm @ aim / np.linalg.norm(arm) / np.linalg.norm(aim) > 0.9999
    # The clavicle gave: the wrist is nearer than the arm alone could bring it.
    miss = np.linalg.norm(joints[INDEX["left_wrist"]] - positions[0, hand])
    assert miss < np.linalg.norm(away) - 0.02


@pytest.mark.parametrize("lifted", [0.02, 0.05, 0.3])
def test_a_spine_out_of_reach_stretches_and_keeps_calm(motion: Motion, lifted: float) -> None:
    """A bad calibration may lift the head; a micrometre must then not whip it about."""
    positions, rotations = trackers(motion)
    offsets, wrong = motion.skeleton.offsets, disturbed(motion, 10.0)
    first = positions[:, 0] + rotations[:, 0] @ offsets[INDEX["lower_spine"]]
    aim = positions[:, HEAD] - first
    distance = np.linalg.norm(aim, axis=-1, keepdims=True)
    chain = [INDEX[name] for name in ("middle_spine", "chest", "neck", "head")]
    reach = float(np.linalg.norm(offsets[chain], axis=-1).sum())
    positions[:, HEAD] = first + aim * ((reach + lifted) / distance)
    solved = solve(wrong, true_poles(motion), positions, rotations, solver_skeleton(offsets))
    joints = forward_kinematics(solved, positions[:, 0], offsets)
    distances = np.linalg.norm(joints[:, ENDS[HEAD]] - positions[:, HEAD], axis=-1)
    assert distances.max() < lifted + 0.003
    positions[:, HEAD] += 1e-6
    again = solve(wrong, true_poles(motion), positions, rotations, solver_skeleton(offsets))
    moved = forward_kinematics(again, positions[:, 0], offsets) - joints
    assert np.abs(moved).max() < 1e-3


@pytest.mark.parametrize("lowered", [0.01, 0.03, 0.06])
def test_a_straight_spine_that_is_too_long_does_not_buckle_about(
    skeleton: Skeleton, lowered: float
) -> None:
    """A head that was calibrated too low makes an upright spine bow, always to one side."""
    frames = 300
    offsets = skeleton.offsets.copy()
    chain = [INDEX[name] for name in ("middle_spine", "chest", "neck", "head")]
    offsets[chain] *= np.array([0.0, 1.0, 0.0], np.float32)
    # The prediction sways through straight by a degree or two, as predictions do.
    random = np.random.default_rng(3)
    times = np.arange(frames) / 60.0
    rates, phases = random.uniform(0.3, 1.5, (2, 22, 3))
    waves = np.radians(1.5) * np.sin(2.0 * np.pi * (times[:, None, None] * rates + phases))
    predicted = quat.to_matrix(quat.from_scaled_angle_axis(waves)).astype(np.float32)
    predicted[:, 0] = np.eye(3)
    joints = forward_kinematics(predicted, np.zeros((frames, 3), np.float32), offsets)
    positions, rotations = joints[:, ENDS].copy(), predicted[:, ENDS]
    positions[:, HEAD, 1] -= lowered
    poles = np.tile(np.array([0.0, 0.0, 1.0], np.float32), (frames, 4, 1))
    solved_joints = forward_kinematics(
        solve(predicted, poles, positions, rotations, solver_skeleton(offsets)),
        positions[:, 0],
        offsets,
    )
    steps = np.linalg.norm(np.diff(solved_joints[:, chain[:3]], axis=0), axis=-1)
    assert np.abs(solved_joints[:, ENDS[HEAD]] - positions[:, HEAD]).max() < 1e-3
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
    positions, rotations = trackers(short)
    solved = solve(
        disturbed(short, 5.0), true_poles(short), positions, rotations, solver_skeleton(offsets)
    )
    joints = forward_kinematics(solved, positions[:, 0], offsets)
    assert np.isfinite(joints).all()
    assert np.linalg.norm(joints[:, ENDS] - positions, axis=-1).mean() < 1e-4


def test_numpy_and_torch_agree_and_gradients_flow(motion: Motion) -> None:
    positions, rotations = trackers(motion)
    inputs = (
        disturbed(motion, 8.0),
        true_poles(motion),
        positions,
        rotations,
        motion.skeleton.offsets,
    )
    predicted, poles, positions, rotations, offsets = (np.asarray(x, np.float64) for x in inputs)
    expected = solve(predicted, poles, positions, rotations, solver_skeleton(offsets))
    tensor = torch.as_tensor(predicted).requires_grad_()
    solved = solve(
        tensor,
        torch.as_tensor(poles),
        torch.as_tensor(positions),
        torch.as_tensor(rotations),
        solver_skeleton(torch.as_tensor(offsets)),
    )
    np.testing.assert_allclose(solved.detach().numpy(), expected, atol=1e-9)
    solved[:, :, 0, 1].sum().backward()
    assert tensor.grad is not None and torch.isfinite(tensor.grad).all()
    # Joints between the trackers follow the prediction.
    assert (tensor.grad[:, INDEX["chest"]].abs().amax((-1, -2)) > 0.0).all()
