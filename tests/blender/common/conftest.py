# SPDX-License-Identifier: GPL-3.0-or-later
"""A scene in which the panels have much to show."""

from __future__ import annotations

import bpy
import pytest

from ssrhmr_core import Motion, Take
from tests.blender.conftest import choose, make_armature, make_trackers
from tests.mixamo_names import mixamo_name


@pytest.fixture
def full(performance: Motion) -> None:
    """Two characters, a calibration, takes, devices, and a rig with obstacles."""
    armature = make_armature("Hero", performance.skeleton)
    armature.pose.bones[mixamo_name("head")].constraints.new("COPY_ROTATION")
    trackers = make_trackers(Take.from_motion(performance))
    trackers["left_hand"], trackers["right_hand"] = trackers["right_hand"], trackers["left_hand"]
    choose(armature, trackers)
    setup = bpy.context.scene.ssrhmr
    for role in ("left_elbow", "chest"):
        setattr(setup, role, bpy.data.objects.new(role, None))
        bpy.context.scene.collection.objects.link(setup.tracker(role).object)
        setup.tracker(role).object.parent = trackers["pelvis"]
    setup.calibration_frame, setup.proportions = 20, "RETARGET"
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
    slip = setup.slips.add()
    slip.tracker, slip.frame, slip.distance = "right_hand", 100000.0, 12.0
    bpy.ops.ssrhmr.setup_duplicate()
    bpy.ops.ssrhmr.find_takes()
    for number in range(6):
        bpy.context.scene.ssrhmr_live.devices.add().name = f"LHR-{number}"
    bpy.context.scene.ssrhmr_live.devices[0].role = "right_knee"
