# SPDX-License-Identifier: GPL-3.0-or-later
"""Slips that a whole take shows: stored, listed, taken back by bakes, and left on request."""

from __future__ import annotations

import re
from dataclasses import replace

import bpy
import numpy as np
import pytest
from pymotion.rotations import quat_np as quat

from ssrhmr_blender.animation.actions import curves_of
from ssrhmr_blender.baking.job import bake
from ssrhmr_blender.baking.plan import BakeSource
from ssrhmr_blender.common.steps import run_steps
from ssrhmr_blender.common.typed import scene_of
from ssrhmr_core import Skeleton, Take
from ssrhmr_core.body.skeleton import INDEX, TRACKERS
from tests.blender.calibration.test_refine import prepare, session
from tests.blender.conftest import choose, joint_worlds, make_armature, make_trackers
from tests.blender.drawing import draw

SLIPS_AT = 720
"""The frame."""


def slip_of_the_head(take: Take) -> Take:
    """A cap slides by 5 cm, the tracker's own axes with it."""
    head, positions = TRACKERS.index("head"), take.positions.copy()
    turns = take.rotations[SLIPS_AT - 1 :, head].astype(np.float64)
    positions[SLIPS_AT - 1 :, head] += quat.mul_vec(turns, np.array([[0.03, 0.0, -0.04]])).astype(
        "f4"
    )
    return replace(take, positions=positions)


def test_slips_that_are_left_are_reported(skeleton: Skeleton) -> None:
    """A base station was bumped: all trackers move at once."""

    def bump(take: Take) -> Take:
        positions = take.positions.copy()
        positions[SLIPS_AT - 1 :] += (0.0, 0.03, 0.04)
        return replace(take, positions=positions)

    prepare(skeleton, bump)
    setup, bpy.context.scene.render.fps = bpy.context.scene.ssrhmr, 60
    bpy.ops.ssrhmr.refine_calibration(evidence="TAKE")
    told = [warning.name for warning in setup.warnings]
    pattern = r"The whole tracking space slipped by 5 cm at frame (\d+): calibrate the part after"
    (frame,) = [int(found[1]) for text in told if (found := re.match(pattern, text))]
    assert frame == pytest.approx(SLIPS_AT, abs=3) and not setup.slips


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
    assert slip.tracker == "head" and slip.frame == pytest.approx(SLIPS_AT, abs=2)
    assert np.linalg.norm(slip.offset) == pytest.approx(0.05, abs=0.008)
    assert not any("slipped" in warning.name for warning in setup.warnings)
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
    prepare(skeleton)
    setup = bpy.context.scene.ssrhmr
    for forget in (
        lambda: bpy.ops.ssrhmr.calibrate(),
        lambda: setattr(setup, "head", setup.head),
        lambda: setattr(setup, "calibration_frame", 30),
    ):
        bpy.ops.ssrhmr.calibrate()
        setup.slips.add().tracker = "head"
        forget()
        assert not setup.slips


def find_slip(skeleton: Skeleton) -> bpy.types.Object:
    """Refine from a take in which the head's tracker slips; return that tracker."""
    prepare(skeleton, slip_of_the_head)
    setup, bpy.context.scene.render.fps = bpy.context.scene.ssrhmr, 60
    bpy.ops.ssrhmr.refine_calibration(evidence="TAKE")
    assert [slip.tracker for slip in setup.slips] == ["head"]
    head: bpy.types.Object = setup.head
    return head


def taken_back(first: int, last: int) -> bool:
    """Bake some frames, and return whether the slip was taken back there."""
    setup = bpy.context.scene.ssrhmr
    setup.frame_start, setup.frame_end = first, last
    frames = np.array([last])
    told = "Head does not move at frame 7"
    corrected = bake_heads(frames)
    is_told = told in setup.notes
    kept = [(slip.tracker, slip.frame, slip.distance) for slip in setup.slips]
    stored = [tuple(slip.offset) for slip in setup.slips]
    for slip in setup.slips:
        slip.offset = (0.0, 0.0, 0.0)
    moved = float(np.linalg.norm(corrected - bake_heads(frames)))
    for slip, offset in zip(setup.slips, stored, strict=True):
        slip.offset = offset
    assert kept == [(slip.tracker, slip.frame, slip.distance) for slip in setup.slips]
    assert moved < 1e-4 or moved == pytest.approx(0.05, abs=0.01)
    assert is_told == (moved < 1e-4), setup.notes
    return not is_told


def shift_keys(tracker: bpy.types.Object, frames: float) -> None:
    for curve in curves_of(tracker):
        for key in curve.keyframe_points:
            key.co.x += frames
            key.handle_left.x += frames
            key.handle_right.x += frames


def test_ranges_and_rates_do_not_matter(skeleton: Skeleton) -> None:
    """A range behind the slip, and another frame rate, in which the keys stay at their frames."""
    find_slip(skeleton)
    assert taken_back(SLIPS_AT - 60, SLIPS_AT + 40)
    assert taken_back(SLIPS_AT + 20, SLIPS_AT + 60)
    bpy.context.scene.render.fps = 24
    assert taken_back(SLIPS_AT - 60, SLIPS_AT + 40)


def test_trackers_that_are_shifted_in_time_are_left_as_they_are(skeleton: Skeleton) -> None:
    head = find_slip(skeleton)
    for tracker in bpy.context.scene.ssrhmr.tracker_objects().values():
        shift_keys(tracker, 90.0)
    assert not taken_back(SLIPS_AT - 60, SLIPS_AT + 40)
    # Also where the slip itself is not baked.
    assert not taken_back(SLIPS_AT + 10, SLIPS_AT + 40)
    for tracker in bpy.context.scene.ssrhmr.tracker_objects().values():
        shift_keys(tracker, -90.0)
    assert taken_back(SLIPS_AT - 60, SLIPS_AT + 40) and head.animation_data is not None


def test_a_slip_that_is_mended_by_hand_is_not_taken_back(skeleton: Skeleton) -> None:
    head = find_slip(skeleton)
    held = make_trackers(session(skeleton)[0], mounted=False)
    whole = {curve.data_path + str(curve.array_index): curve for curve in curves_of(held["head"])}
    for curve in curves_of(head):
        for key in curve.keyframe_points:
            key.co.y = whole[curve.data_path + str(curve.array_index)].evaluate(key.co.x)
        curve.update()
    assert not taken_back(SLIPS_AT - 60, SLIPS_AT + 40)


def test_trackers_that_are_moved_as_one_still_slip(skeleton: Skeleton) -> None:
    head = find_slip(skeleton)
    stage = bpy.data.objects.new("Stage", None)
    bpy.context.scene.collection.objects.link(stage)
    for tracker in bpy.context.scene.ssrhmr.tracker_objects().values():
        tracker.parent = stage
    stage.location, stage.rotation_euler = (2.0, 1.0, 0.0), (0.0, 0.0, 1.0)
    assert head.parent == stage and taken_back(SLIPS_AT - 60, SLIPS_AT + 40)


def test_slips_are_stored_in_the_scenes_unit(skeleton: Skeleton) -> None:
    take, _, stands = session(skeleton)
    trackers = make_trackers(slip_of_the_head(take).scaled(100.0), mounted=False)
    choose(make_armature("Hero", skeleton.scaled(100.0)), trackers)
    setup, bpy.context.scene.render.fps = bpy.context.scene.ssrhmr, 60
    bpy.context.scene.unit_settings.scale_length = 0.01
    setup.calibration_frame = stands // 2
    setup.frame_start, setup.frame_end = stands + 1, len(take)
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
    bpy.ops.ssrhmr.refine_calibration(evidence="TAKE")
    (slip,) = setup.slips
    assert slip.distance == pytest.approx(5.0, abs=0.8)
    assert np.linalg.norm(slip.offset) == pytest.approx(5.0, abs=0.8)
    setup.frame_start, setup.frame_end = 600, 840
    corrected = bake_heads(np.array([800]))
    bpy.ops.ssrhmr.keep_slip(number=0)
    moved = np.linalg.norm(corrected - bake_heads(np.array([800])))
    assert moved == pytest.approx(5.0, abs=1.0)


def test_the_panel_lists_slips_until_they_are_kept(skeleton: Skeleton) -> None:
    find_slip(skeleton)
    setup = bpy.context.scene.ssrhmr
    line = f"Head: {setup.slips[0].distance:.0f} cm, frame {setup.slips[0].frame:.0f}"
    texts, _ = draw()
    assert "Slips Taken Back" in texts and line in texts
    bpy.context.preferences.edit.use_global_undo = True
    bpy.ops.ed.undo_push(message="found")
    assert bpy.ops.ssrhmr.keep_slip(number=0) == {"FINISHED"}
    bpy.ops.ed.undo_push(message="kept")
    texts, _ = draw()
    assert "Slips Taken Back" not in texts and not bpy.context.scene.ssrhmr.slips
    bpy.ops.ed.undo()
    assert len(bpy.context.scene.ssrhmr.slips) == 1
    assert bpy.ops.ssrhmr.keep_slip(number=1) == {"CANCELLED"}


@pytest.mark.parametrize("frames", [30, 0])
def test_a_take_that_shows_no_slip_any_more_forgets_it(skeleton: Skeleton, frames: int) -> None:
    """Which can be undone, although the calibration stays as it is."""
    find_slip(skeleton)
    setup = bpy.context.scene.ssrhmr
    setup.frame_end = setup.frame_start + frames
    before = [warning.name for warning in setup.warnings]
    assert bpy.ops.ssrhmr.refine_calibration(evidence="TAKE") == {"FINISHED"}
    assert not setup.slips
    told = [warning.name for warning in setup.warnings]
    assert bpy.ops.ssrhmr.refine_calibration(evidence="TAKE") == {"CANCELLED"}
    assert [warning.name for warning in setup.warnings] == told != before
