# SPDX-License-Identifier: GPL-3.0-or-later
"""Refining a calibration from a movement, in the panel."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

from ssrhmr_core import Calibration, Skeleton, Take
from ssrhmr_core.evaluation.worn.mounts import draw_mounts
from ssrhmr_core.evaluation.worn.movement import draw_habits, hold_reference, make_guided_movement
from tests.blender.conftest import choose, make_armature, make_trackers

_SEED = 4


def session(skeleton: Skeleton) -> tuple[Take, np.ndarray, int]:
    """A reference pose, then the guided movement; the true mounts, and the pose's last frame."""
    random = np.random.default_rng(_SEED)
    mounts, habits = draw_mounts(skeleton, random), draw_habits(random)
    pose = mounts.to_trackers(Take.from_motion(hold_reference(skeleton, habits, 0.0, random)))
    movement = mounts.to_trackers(Take.from_motion(make_guided_movement(skeleton, habits, random)))
    take = Take(
        np.arange(len(pose) + len(movement)) / 60.0,
        np.concatenate([pose.positions, movement.positions]),
        np.concatenate([pose.rotations, movement.rotations]),
        np.ones((len(pose) + len(movement), 6), bool),
    )
    return take, mounts.mount_offsets(), len(pose)


def missed(true_offsets: np.ndarray) -> float:
    """Mean distance of the calibrated joints from the true ones, metres."""
    calibration = Calibration.from_json(bpy.context.scene.ssrhmr.calibration)
    return float(np.linalg.norm(calibration.mount_offsets - true_offsets, axis=-1).mean())


def prepare(skeleton: Skeleton) -> tuple[np.ndarray, int]:
    take, true_offsets, stands = session(skeleton)
    choose(make_armature("Hero", skeleton), make_trackers(take, mounted=False))
    scene = bpy.context.scene
    setup = scene.ssrhmr
    setup.calibration_frame = stands // 2
    setup.frame_start, setup.frame_end = stands + 1, len(take)
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
    return true_offsets, stands


def test_a_guided_movement_halves_the_error_of_the_pose(skeleton: Skeleton) -> None:
    true_offsets, _ = prepare(skeleton)
    before = missed(true_offsets)
    assert bpy.ops.ssrhmr.refine_calibration(evidence="GUIDED") == {"FINISHED"}
    assert missed(true_offsets) < 0.5 * before
    assert len(bpy.context.scene.ssrhmr.fits) == 6


def test_without_movement_the_calibration_stays(skeleton: Skeleton) -> None:
    _, stands = prepare(skeleton)
    setup = bpy.context.scene.ssrhmr
    before = setup.calibration
    setup.frame_start, setup.frame_end = 1, stands
    assert bpy.ops.ssrhmr.refine_calibration(evidence="GUIDED") == {"CANCELLED"}
    assert setup.calibration == before
    assert any("fewer than 4 seconds" in warning.name for warning in setup.warnings)


def test_only_reference_poses_are_refined(skeleton: Skeleton) -> None:
    prepare(skeleton)
    setup = bpy.context.scene.ssrhmr
    setup.proportions = "FIT"
    with pytest.raises(RuntimeError, match="Not calibrated yet"):
        bpy.ops.ssrhmr.refine_calibration()
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}
    with pytest.raises(RuntimeError, match="choose Retarget"):
        bpy.ops.ssrhmr.refine_calibration()
