# SPDX-License-Identifier: GPL-3.0-or-later
"""Refining a calibration from a movement, in the panel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import bpy
import numpy as np
import pytest

from ssrhmr_blender.trackers.stored_calibration import stored_calibration
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


@pytest.mark.parametrize("proportions", ["MATCH", "RETARGET"])
@pytest.mark.parametrize("evidence", ["GUIDED", "TAKE"])
def test_the_scenes_unit_does_not_matter(
    skeleton: Skeleton, evidence: str, proportions: str
) -> None:
    """A scene in centimetres, or characters of that size in one in metres."""
    found = []
    for unit in (1.0, 100.0):
        bpy.ops.ssrhmr.setup_add()
        take, _, stands = session(skeleton)
        trackers = make_trackers(take.scaled(unit), mounted=False)
        choose(make_armature("Hero", skeleton.scaled(unit)), trackers)
        setup, bpy.context.scene.render.fps = bpy.context.scene.ssrhmr, 60
        setup.proportions, setup.calibration_frame = proportions, stands // 2
        setup.frame_start, setup.frame_end = stands + 1, len(take)
        assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
        assert bpy.ops.ssrhmr.refine_calibration(evidence=evidence) == {"FINISHED"}, setup.message
        assert setup.fits[0].deviation > 0.0
        refined = Calibration.from_json(setup.calibration).scaled(1.0 / unit)
        found.append((refined, [fit.deviation for fit in setup.fits]))
    (metres, known), (other, also_known) = found
    np.testing.assert_allclose(other.mount_offsets, metres.mount_offsets, atol=3e-3)
    # Other units count as those of an adult's body.
    np.testing.assert_allclose(also_known, known, rtol=0.1)
    assert (metres.performer is None) == (other.performer is None) == (proportions == "MATCH")
    if metres.performer is not None and other.performer is not None:
        np.testing.assert_allclose(other.performer.offsets, metres.performer.offsets, atol=3e-3)


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
