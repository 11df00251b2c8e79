# SPDX-License-Identifier: GPL-3.0-or-later
"""Detecting bones and assigning trackers with the panel's operators."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

from ssrhmr_blender.properties.tracker import TRACKERS
from ssrhmr_core import Motion, Take
from ssrhmr_core.body import skeleton
from tests.blender.conftest import make_armature, make_trackers


def test_assigning_trackers_from_names(performance: Motion) -> None:
    make_trackers(Take.from_motion(performance))
    setup = bpy.context.scene.ssrhmr
    assert bpy.ops.ssrhmr.assign_trackers() == {"FINISHED"}
    for role in TRACKERS:
        assert getattr(setup, role).name == f"Tracker {role}"


def test_two_candidates_are_not_guessed_between(performance: Motion) -> None:
    trackers = make_trackers(Take.from_motion(performance))
    extra = bpy.data.objects.new("HMD", None)
    bpy.context.scene.collection.objects.link(extra)
    bpy.ops.ssrhmr.assign_trackers()
    assert bpy.context.scene.ssrhmr.head is None
    for tracker in trackers.values():
        tracker.select_set(True)
    bpy.ops.ssrhmr.assign_trackers()
    assert bpy.context.scene.ssrhmr.head == trackers["head"]


def test_detecting_fills_the_table(performance: Motion) -> None:
    armature = make_armature("Hero", performance.skeleton)
    setup = bpy.context.scene.ssrhmr
    setup.armature = armature
    bpy.ops.ssrhmr.detect_bones()
    assert [slot.name for slot in setup.bones] == list(skeleton.JOINTS)
    assert all(slot.bone and slot.confidence > 0.9 for slot in setup.bones)
    assert np.flatnonzero([slot.required for slot in setup.bones]).tolist() == list(
        skeleton.REQUIRED_JOINTS
    )
    setup.bones[3].bone = ""
    assert setup.bones[3].confidence == 0.0


def test_choosing_a_bone(performance: Motion) -> None:
    setup = bpy.context.scene.ssrhmr
    with pytest.raises(RuntimeError, match="have not been detected yet"):
        bpy.ops.ssrhmr.choose_bone(joint="head", bone="Head")
    setup.armature = make_armature("Hero", performance.skeleton)
    bpy.ops.ssrhmr.detect_bones()
    name = setup.bones["head"].bone
    setup.bones["head"].bone = ""
    with pytest.raises(RuntimeError, match="'Hero' has no bone 'Hat'"):
        bpy.ops.ssrhmr.choose_bone(joint="head", bone="Hat")
    assert bpy.ops.ssrhmr.choose_bone(joint="head", bone=name) == {"FINISHED"}
    assert setup.bones["head"].bone == name and setup.bones["head"].confidence == 1.0
