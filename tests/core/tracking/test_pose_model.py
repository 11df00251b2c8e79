# SPDX-License-Identifier: GPL-3.0-or-later
"""The jointed body: derivatives against differences, and reading poses back."""

from __future__ import annotations

import numpy as np
import pytest

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import INDEX, TRACKER_JOINTS, Skeleton
from ssrhmr_core.geometry.rotations import from_rotvec, to_rotvec, transpose
from ssrhmr_core.tracking.pose_model import (
    BALL_ANGLES,
    BALL_JOINTS,
    DEGREE_INDEX,
    DEGREE_JOINTS,
    DEGREES,
    DEGREES_OF_FREEDOM,
    MOVES_TRACKER,
    Poses,
    decompose,
    pose_body,
)

FRAMES = 4
TRACKED = list(TRACKER_JOINTS)
FRONT, BACK = (0.0, 0.0, 1.0), (0.0, 0.0, -1.0)


def draw_poses(seed: int) -> Poses:
    """Return bent limbs and small angles elsewhere, none of them at its limit."""
    random = np.random.default_rng(seed)
    angles = random.uniform(-0.4, 0.4, (FRAMES, DEGREES))
    for name, number in DEGREE_INDEX.items():
        if name.endswith("flex"):
            angles[:, number] = random.uniform(0.3, 1.8, FRAMES)
    angles[:, :BALL_ANGLES] = 0.0
    rotvecs = random.uniform(-0.6, 0.6, (FRAMES, len(BALL_JOINTS), 3))
    return Poses(random.standard_normal((FRAMES, 3)), from_rotvec(rotvecs), angles)


@pytest.mark.parametrize("degree", DEGREES_OF_FREEDOM, ids=lambda degree: degree.name)
def test_axes_are_the_derivatives(skeleton: Skeleton, degree: tuple) -> None:
    number, step = DEGREES_OF_FREEDOM.index(degree), 1e-5
    offsets = skeleton.offsets.astype(np.float64)
    poses = draw_poses(1)
    body = pose_body(poses, offsets)
    steps = np.zeros((FRAMES, 3 + DEGREES))
    steps[:, 3 + number] = step
    after = pose_body(poses.step(steps), offsets)
    moves = MOVES_TRACKER[number]
    axes = body.axes[:, number, None] * moves[:, None]
    levers = body.positions[:, TRACKED] - body.positions[:, DEGREE_JOINTS[number], None]
    moved = (after.positions - body.positions)[:, TRACKED] / step
    np.testing.assert_allclose(moved, np.cross(axes, levers), atol=1e-4)
    between = after.rotations @ transpose(body.rotations)
    np.testing.assert_allclose(to_rotvec(between)[:, TRACKED] / step, axes, atol=1e-4)
    assert moves.any()
    turned = (after.rotations - body.rotations)[:, TRACKED] / step
    for tracker in range(len(TRACKED)):
        derivatives = body.position_derivatives(tracker)[:, number]
        np.testing.assert_allclose(moved[:, tracker], derivatives, atol=1e-4)
        for axis in range(3):
            derivatives = body.axis_derivatives(tracker, axis)[:, number]
            np.testing.assert_allclose(turned[:, tracker, :, axis], derivatives, atol=1e-4)


def test_the_root_carries_all_joints(skeleton: Skeleton) -> None:
    poses = draw_poses(2)
    steps = np.zeros((FRAMES, 3 + DEGREES))
    steps[:, :3] = (0.1, 0.2, 0.3)
    before, after = (pose_body(p, skeleton.offsets) for p in (poses, poses.step(steps)))
    moved = after.positions - before.positions
    np.testing.assert_allclose(moved, np.broadcast_to([0.1, 0.2, 0.3], moved.shape), atol=1e-9)


def test_poses_are_read_back(skeleton: Skeleton) -> None:
    poses = draw_poses(3)
    offsets = skeleton.offsets.astype(np.float64)
    body = pose_body(poses, offsets)
    poles = np.tile(np.array([FRONT, FRONT, BACK, BACK]), (FRAMES, 1, 1))
    again = decompose(body.rotations, poses.root, offsets, poles)
    np.testing.assert_allclose(again.angles, poses.angles, atol=1e-6)
    np.testing.assert_allclose(again.balls, poses.balls, atol=1e-6)
    np.testing.assert_allclose(pose_body(again, offsets).positions, body.positions, atol=1e-6)


def test_any_solved_body_keeps_its_bone_directions(skeleton: Skeleton, motion: Motion) -> None:
    rotations = motion.matrices()
    poles = np.tile(np.array([FRONT, FRONT, BACK, BACK]), (len(motion), 1, 1))
    poses = decompose(rotations, motion.root, skeleton.offsets, poles)
    body = pose_body(poses, skeleton.offsets)
    # Clavicles turn about two axes, and shoulders sit on them a little out of line.
    np.testing.assert_allclose(body.positions, motion.positions(), atol=0.01)
    for name in ("hips", "head", "left_ankle", "right_ankle"):
        joint = INDEX[name]
        np.testing.assert_allclose(body.rotations[:, joint], rotations[:, joint], atol=1e-5)


def test_changes_of_ball_joints_are_rotations() -> None:
    poses = draw_poses(4)
    changes = poses.changes()
    assert changes.shape == (FRAMES - 1, DEGREES)
    first = from_rotvec(changes[:, :BALL_ANGLES].reshape(FRAMES - 1, -1, 3)) @ poses.balls[:-1]
    np.testing.assert_allclose(first, poses.balls[1:], atol=1e-6)
    knee = DEGREE_INDEX["left_knee.flex"]
    np.testing.assert_allclose(changes[:, knee], np.diff(poses.values()[:, knee]))
