# SPDX-License-Identifier: GPL-3.0-or-later
"""Refining a calibration from a movement, in the panel."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import bpy
import numpy as np
import pytest
from pymotion.rotations import quat_np as quat

from ssrhmr_blender.baking.job import bake
from ssrhmr_blender.baking.plan import BakeSource
from ssrhmr_blender.common.steps import run_steps
from ssrhmr_blender.common.typed import scene_of
from ssrhmr_blender.trackers.stored_calibration import stored_calibration
from ssrhmr_core import Calibration, Skeleton, Take
from ssrhmr_core.body.skeleton import INDEX, TRACKERS
from ssrhmr_core.evaluation.worn.mounts import draw_mounts
from ssrhmr_core.evaluation.worn.movement import draw_habits, hold_reference, make_guided_movement
from tests.blender.conftest import choose, joint_worlds, make_armature, make_trackers

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


def prepare(
    skeleton: Skeleton, change: Callable[[Take], Take] = lambda take: take
) -> tuple[np.ndarray, int]:
    take, true_offsets, stands = session(skeleton)
    take = change(take)
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
    fits = bpy.context.scene.ssrhmr.fits
    assert len(fits) == 6 and all(0.0 < fit.deviation < 10.0 for fit in fits)


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


def test_a_take_reports_slips(skeleton: Skeleton) -> None:
    def slip(take: Take) -> Take:
        positions = take.positions.copy()
        positions[420:, TRACKERS.index("head")] += (0.0, 0.03, 0.04)
        return replace(take, positions=positions)

    prepare(skeleton, slip)
    bpy.context.scene.render.fps = 60
    bpy.ops.ssrhmr.refine_calibration(evidence="TAKE")
    told = [warning.name for warning in bpy.context.scene.ssrhmr.warnings]
    frames = [re.match(r"Head slipped by 5 cm at frame (\d+):", text) for text in told]
    (frame,) = [int(found[1]) for found in frames if found]
    assert frame == pytest.approx(420, abs=3)


def slip_of_the_head(take: Take) -> Take:
    """A cap slides by 5 cm at frame 720, the tracker's own axes with it."""
    head, positions = TRACKERS.index("head"), take.positions.copy()
    turns = take.rotations[719:, head].astype(np.float64)
    positions[719:, head] += quat.mul_vec(turns, np.array([[0.03, 0.0, -0.04]])).astype("f4")
    return replace(take, positions=positions)


def bake_heads(frames: np.ndarray) -> np.ndarray:
    """Bake, and return where the head is at some frames (F, 3)."""
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}, bpy.context.scene.ssrhmr.message
    positions, _ = joint_worlds(bpy.context.scene.ssrhmr.armature, frames)
    return positions[:, INDEX["head"]]


def test_bakes_take_back_slips_that_a_whole_take_shows(skeleton: Skeleton) -> None:
    prepare(skeleton, slip_of_the_head)
    scene = bpy.context.scene
    setup, scene.render.fps = scene.ssrhmr, 60
    assert bpy.ops.ssrhmr.refine_calibration(evidence="TAKE") == {"FINISHED"}
    (slip,) = setup.slips
    assert slip.tracker == "head" and slip.frame == pytest.approx(720, abs=2)
    assert np.linalg.norm(slip.offset) == pytest.approx(0.05, abs=0.008)
    assert any(
        w.name.startswith("Head slipped by 5 cm at frame 7") and "bakes take this back" in w.name
        for w in setup.warnings
    )
    # A guided movement that is looked at afterwards keeps what is known of the take.
    bpy.ops.ssrhmr.refine_calibration(evidence="GUIDED")
    assert len(setup.slips) == 1
    setup.frame_start, setup.frame_end = 600, 840
    frames = np.array([640, 800])
    with_slip = bake_heads(frames)
    # A batch bakes other takes: their straps held.
    other = BakeSource(trackers=setup.tracker_objects(), span=(600, 840))
    run_steps(bake(scene_of(bpy.context), other))
    of_batch = joint_worlds(setup.armature, frames)[0][:, INDEX["head"]]
    calibration = setup.calibration
    setup.slips.clear()
    without = bake_heads(frames)
    np.testing.assert_allclose(of_batch, without, atol=1e-5)
    held, _, _ = session(skeleton)
    choose(make_armature("Other", skeleton), make_trackers(held, mounted=False))
    setup = scene.ssrhmr
    setup.calibration, setup.range = calibration, "CUSTOM"
    setup.frame_start, setup.frame_end = 600, 840
    true = bake_heads(frames)
    np.testing.assert_allclose(with_slip[0], without[0], atol=1e-5)
    assert np.linalg.norm(with_slip[1] - true[1]) < 0.008
    assert np.linalg.norm(without[1] - true[1]) == pytest.approx(0.05, abs=0.01)


def test_other_trackers_and_calibrations_forget_slips(skeleton: Skeleton) -> None:
    prepare(skeleton, slip_of_the_head)
    scene = bpy.context.scene
    setup, scene.render.fps = scene.ssrhmr, 60
    for forget in (
        lambda: bpy.ops.ssrhmr.calibrate(),
        lambda: setattr(setup, "head", setup.head),
        lambda: setattr(setup, "calibration_frame", 30),
    ):
        bpy.ops.ssrhmr.calibrate()
        bpy.ops.ssrhmr.refine_calibration(evidence="TAKE")
        assert len(setup.slips) == 1
        forget()
        assert not setup.slips


def test_a_floor_that_is_off_is_reported_and_corrected_if_asked(skeleton: Skeleton) -> None:
    def raise_floor(take: Take) -> Take:
        return replace(take, positions=take.positions + np.array([0.0, 0.1, 0.0], np.float32))

    prepare(skeleton, raise_floor)
    setup = bpy.context.scene.ssrhmr
    assert bpy.ops.ssrhmr.refine_calibration(evidence="GUIDED") == {"FINISHED"}
    assert any("above height 0: choose Correct Floor" in w.name for w in setup.warnings)
    assert stored_calibration(setup).floor == (0.0, 0.0, 0.0)
    setup.correct_floor = True
    assert stored_calibration(setup).floor[0] == pytest.approx(0.1, abs=0.04)
