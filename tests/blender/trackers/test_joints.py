# SPDX-License-Identifier: GPL-3.0-or-later
"""Trackers that are the performer's joints: calibration without a pose."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

from ssrhmr_blender.common.typed import scene_of
from ssrhmr_blender.common.validation import SetupError
from ssrhmr_blender.trackers.empties import make_empties
from ssrhmr_blender.trackers.joints import joint_calibration, read_performer, use_trackers
from ssrhmr_core import Calibration, Motion, Skeleton, Take
from tests.blender.conftest import choose, make_armature


def test_the_calibration_follows_from_both_bodies(skeleton: Skeleton) -> None:
    performer = skeleton.scaled(0.5)
    assert joint_calibration(skeleton, "MATCH", None).to_json() == Calibration.none().to_json()
    assert joint_calibration(skeleton, "MATCH", performer).performer is None
    fitted = joint_calibration(skeleton, "FIT", performer)
    assert fitted.scale == pytest.approx(2.0) and fitted.performer is None
    assert not fitted.mount_offsets.any()
    retargeted = joint_calibration(skeleton, "RETARGET", performer)
    assert retargeted.scale == 1.0 and retargeted.performer is performer
    for proportions in ("FIT", "RETARGET"):
        with pytest.raises(SetupError, match="import the file again, or choose Match Trackers"):
            joint_calibration(skeleton, proportions, None)


def test_the_performer_is_stored_with_the_pelvis(performance: Motion) -> None:
    scene, setup = scene_of(bpy.context), bpy.context.scene.ssrhmr
    take = Take.from_motion(performance)
    assert read_performer(setup) is None
    use_trackers(setup, make_empties(scene, "Plain", take))
    assert read_performer(setup) is None
    empties = make_empties(scene, "Joints", take, start=11.0, performer=performance.skeleton)
    use_trackers(setup, empties)
    stored = read_performer(setup)
    assert stored is not None
    np.testing.assert_array_equal(stored.offsets, performance.skeleton.offsets)
    for damaged in ("no JSON", "[1, 2]", "[" * 5000, 3, "null"):
        setup.pelvis["ssrhmr_performer"] = damaged
        assert read_performer(setup) is None


def test_calibrate_and_its_messages(performance: Motion) -> None:
    choose(make_armature("Hero", performance.skeleton), {})
    scene, setup = scene_of(bpy.context), bpy.context.scene.ssrhmr
    empties = make_empties(scene, "Joints", Take.from_motion(performance))
    use_trackers(setup, empties)
    # Wherever the frame is.
    setup.reference, setup.calibration_frame = "JOINTS", 9999
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}
    assert setup.calibration == Calibration.none().to_json()
    assert not setup.fits and not setup.warnings
    setup.proportions = "FIT"
    assert not setup.calibration
    with pytest.raises(RuntimeError, match="how large the performer is"):
        bpy.ops.ssrhmr.calibrate()
    with pytest.raises(RuntimeError, match="need no pose: press Calibrate"):
        bpy.ops.ssrhmr.find_still()
    setup.left_hand = None
    setup.proportions = "MATCH"
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}
    assert setup.assumed.startswith("No tracker on Left Hand: the model fills in")
    setup.pelvis = setup.head = None
    with pytest.raises(RuntimeError, match="Neither a Pelvis nor a Head tracker is chosen"):
        bpy.ops.ssrhmr.calibrate()


def test_other_trackers_are_not_taken_for_joints(performance: Motion) -> None:
    scene, setup = scene_of(bpy.context), bpy.context.scene.ssrhmr
    setup.reference = "JOINTS"
    use_trackers(setup, make_empties(scene, "Plain", Take.from_motion(performance)))
    assert setup.reference == "T_POSE"
    setup.reference = "A_POSE"
    use_trackers(setup, make_empties(scene, "Plain", Take.from_motion(performance)))
    assert setup.reference == "A_POSE"
