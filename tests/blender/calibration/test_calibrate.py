# SPDX-License-Identifier: GPL-3.0-or-later
"""Calibration in the panel: poses, the still frame, exchanged trackers and corrections by hand."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from pymotion.rotations import quat_np as quat

from ssrhmr_blender.trackers.stored_calibration import stored_calibration
from ssrhmr_core import Motion, Skeleton, Take
from ssrhmr_core.body.skeleton import INDEX
from ssrhmr_core.tracking.reference_pose import ReferencePose
from tests.blender.conftest import TO_BLENDER, choose, joint_worlds, make_armature, make_trackers
from tests.core.mounts import MOUNT_SETS, MountedTrackers, mount_trackers

_FRAMES = 40


def stand(
    skeleton: Skeleton, reference: ReferencePose, seed: int = 1
) -> tuple[MountedTrackers, Take]:
    """A performer who stands still in a pose for some frames."""
    worn = mount_trackers(skeleton, MOUNT_SETS[0], seed, reference)
    take = Take(
        np.arange(_FRAMES) / 60.0,
        np.tile(worn.positions, (_FRAMES, 1, 1)).astype(np.float32),
        np.tile(worn.rotations, (_FRAMES, 1, 1)).astype(np.float32),
        np.ones((_FRAMES, 6), bool),
    )
    return worn, take


@pytest.mark.parametrize("reference", list(ReferencePose))
def test_a_performer_in_each_pose(skeleton: Skeleton, reference: ReferencePose) -> None:
    worn, take = stand(skeleton, reference)
    choose(make_armature("Hero", skeleton), make_trackers(take, mounted=False))
    setup = bpy.context.scene.ssrhmr
    setup.calibration_frame, setup.reference = 20, reference
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
    assert not setup.warnings, [warning.name for warning in setup.warnings]
    found = stored_calibration(setup).apply(take)
    assert np.linalg.norm(found.positions[20] - worn.joint_positions, axis=-1).mean() < 0.06
    cosine = np.abs((found.rotations[20] * worn.joint_rotations).sum(-1))
    # Feet are turned out by up to 14 degrees, which no tracker's place tells.
    assert np.degrees(2.0 * np.arccos(np.clip(cosine, 0.0, 1.0))).max() < 20.0
    assert len(setup.fits) == 6 and all(fit.speed < 0.01 for fit in setup.fits)

    other = "T_POSE" if reference != "T_POSE" else "A_POSE"
    setup.reference = other
    assert not setup.calibration
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}
    assert any("arms are not held" in warning.name for warning in setup.warnings)


def test_a_t_pose_in_the_first_frame_alone_is_found(performance: Motion) -> None:
    """As in many motion libraries: the performance begins in the next frame."""
    frames = np.array([20, *range(60, len(performance))])
    take = Take.from_motion(performance)
    take = Take(
        np.arange(len(frames)) / 60.0,
        take.positions[frames],
        take.rotations[frames],
        take.valid[frames],
    )
    choose(make_armature("Hero", performance.skeleton), make_trackers(take, mounted=False))
    setup = bpy.context.scene.ssrhmr
    setup.range, setup.frame_start, setup.frame_end = "CUSTOM", 1, len(frames)
    setup.calibration_frame = 30
    assert bpy.ops.ssrhmr.find_still() == {"FINISHED"}, setup.message
    assert setup.calibration_frame == 1
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
    assert not setup.warnings


def test_the_still_frame_is_found(performance: Motion) -> None:
    """The made take begins with 40 frames of T-pose; 35 of a walk come before it here."""
    choose(
        make_armature("Hero", performance.skeleton),
        make_trackers(Take.from_motion(performance), first_frame=36),
    )
    setup = bpy.context.scene.ssrhmr
    setup.range, setup.frame_start, setup.frame_end = "CUSTOM", 36, 35 + len(performance)
    assert bpy.ops.ssrhmr.find_still() == {"FINISHED"}, setup.message
    assert 36 <= setup.calibration_frame < 76
    assert bpy.context.scene.frame_current == setup.calibration_frame
    setup.reference = "CHARACTER"
    with pytest.raises(RuntimeError, match="choose T-Pose or another reference"):
        bpy.ops.ssrhmr.find_still()


@pytest.mark.parametrize(("pair", "part"), [("HANDS", "hand"), ("FEET", "foot")])
def test_exchanged_trackers_are_named_and_put_right(
    skeleton: Skeleton, pair: str, part: str
) -> None:
    _, take = stand(skeleton, ReferencePose.T_POSE)
    trackers = make_trackers(take, mounted=False)
    left, right = f"left_{part}", f"right_{part}"
    trackers[left], trackers[right] = trackers[right], trackers[left]
    choose(make_armature("Hero", skeleton), trackers)
    setup = bpy.context.scene.ssrhmr
    setup.calibration_frame = 20
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
    assert pair.lower() in setup.warnings[0].pair.split(",")
    assert bpy.ops.ssrhmr.swap_trackers(pair=pair) == {"FINISHED"}, setup.message
    assert getattr(setup, left) == trackers[right] and getattr(setup, right) == trackers[left]
    assert setup.calibration and not setup.warnings


def test_an_adjustment_moves_a_joint_relative_to_its_tracker(
    performance: Motion,
) -> None:
    armature = make_armature("Hero", performance.skeleton)
    choose(armature, make_trackers(Take.from_motion(performance), mounted=False))
    setup = bpy.context.scene.ssrhmr
    setup.calibration_frame = 20
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
    setup.range, setup.frame_start, setup.frame_end = "CUSTOM", 15, 25

    def wrist() -> tuple[np.ndarray, np.ndarray]:
        assert bpy.ops.ssrhmr.bake() == {"FINISHED"}, setup.message
        places, turns = joint_worlds(armature, np.array([20]))
        return places[0, INDEX["left_wrist"]], turns[0, INDEX["left_wrist"]]

    place, turn = wrist()
    tracker = setup.tracker("left_hand")
    tracker.offset = (-0.01, 0.02, 0.03)
    moved, _ = wrist()
    # The T-pose stands there: its left is the world's X, its front the world's -Y.
    np.testing.assert_allclose(moved - place, TO_BLENDER @ [-0.01, 0.02, 0.03], atol=2e-3)
    tracker.offset = (0.0, 0.0, 0.0)
    tracker.rotation = (np.radians(20.0), 0.0, 0.0)
    _, turned = wrist()
    back = turned @ turn.T
    angle = np.degrees(np.arccos(np.clip(0.5 * (np.trace(back) - 1.0), -1.0, 1.0)))
    assert angle == pytest.approx(20.0, abs=0.5)
    axis = quat.from_matrix(back[None])[0, 1:]
    assert abs(axis[0]) > 0.99 * np.linalg.norm(axis)
