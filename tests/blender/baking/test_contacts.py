# SPDX-License-Identifier: GPL-3.0-or-later
"""Contacts: found, corrected by hand, and baked again."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

from ssrhmr_blender.baking.contacts import foot_bones, ranges_of_feet, read_contact_options
from ssrhmr_blender.common.typed import scene_of
from ssrhmr_blender.properties.contacts import PARTS
from ssrhmr_blender.rig.reading import read_character
from ssrhmr_core import Motion, Take
from ssrhmr_core.body.skeleton import INDEX
from ssrhmr_core.tracking import contacts as core
from ssrhmr_core.tracking.foot_planting import ContactOptions
from tests.blender.conftest import choose, joint_worlds, make_armature, make_trackers

FRAMES = np.arange(1, 131)


def calibrated(performance: Motion) -> bpy.types.Object:
    armature = make_armature("Hero", performance.skeleton)
    choose(armature, make_trackers(Take.from_motion(performance)))
    setup = bpy.context.scene.ssrhmr
    setup.calibration_frame, setup.frame_start, setup.frame_end = 20, 1, 130
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
    return armature


def slide(armature: bpy.types.Object, joint: str, first: int, last: int) -> float:
    """Return how far a joint moves in the world over some frames, in millimetres."""
    setup = bpy.context.scene.ssrhmr
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}, setup.message
    positions = joint_worlds(armature, np.arange(first, last + 1))[0][:, INDEX[joint]]
    return float(1000.0 * np.linalg.norm(np.ptp(positions, axis=0)))


def test_parts_are_those_of_the_core() -> None:
    assert tuple(PARTS) == core.PARTS


def test_found_corrected_and_baked_again(performance: Motion) -> None:
    armature = calibrated(performance)
    setup = bpy.context.scene.ssrhmr
    setup.planting = 1.0
    assert bpy.ops.ssrhmr.find_contacts() == {"FINISHED"}, setup.message
    contacts = setup.contacts
    # The T-pose of the first 40 frames: both feet stand.
    stands = [
        (entry.part, entry.frame_start, entry.frame_end)
        for entry in contacts.entries
        if entry.part in ("left_foot", "right_foot") and entry.frame_start == 1
    ]
    assert contacts.source == "LIST" and len(stands) == 2
    assert all(30 <= end <= 45 for _, _, end in stands)
    # A contact that nobody finds, such as of a foot that is dragged, holds it there.
    contacts.entries.clear()
    free = slide(armature, "left_ankle", 70, 90)
    assert bpy.ops.ssrhmr.add_contact() == {"FINISHED"}
    entry = contacts.entries[contacts.active]
    entry.part, entry.frame_start, entry.frame_end = "left_foot", 60, 100
    held = slide(armature, "left_ankle", 70, 90)
    assert held < 0.1 * free and free > 20.0
    waving = slide(armature, "right_wrist", 70, 90)
    entry.part = "right_hand"
    assert slide(armature, "right_wrist", 70, 90) < 0.1 * waving
    # Removed, the foot is free again.
    assert bpy.ops.ssrhmr.remove_contact() == {"FINISHED"}
    assert slide(armature, "left_ankle", 70, 90) == pytest.approx(free, rel=1e-3)
    with pytest.raises(RuntimeError, match="poll"):
        bpy.ops.ssrhmr.remove_contact()


def test_a_list_as_found_bakes_as_automatic_contacts_do(performance: Motion) -> None:
    armature = calibrated(performance)
    setup = bpy.context.scene.ssrhmr
    setup.planting = 1.0
    slide(armature, "left_ankle", 1, 2)
    automatic = joint_worlds(armature, FRAMES)[0]
    bpy.ops.ssrhmr.find_contacts()
    slide(armature, "left_ankle", 1, 2)
    assert np.abs(joint_worlds(armature, FRAMES)[0] - automatic).max() < 1e-4


def test_settings_reach_the_core(performance: Motion) -> None:
    calibrated(performance)
    contacts = bpy.context.scene.ssrhmr.contacts
    usual = read_contact_options(contacts)
    assert usual == ContactOptions(release=usual.release) and abs(usual.release - 0.13) < 1e-6
    contacts.sensitivity, contacts.gap, contacts.release = 2.0, 0.25, 0.5
    contacts.whole_body = True
    contacts.above_floor = False
    assert read_contact_options(contacts) == ContactOptions(2.0, 0.25, 0.5, True, False)


def test_contacts_of_an_animated_character_are_those_of_its_trackers(performance: Motion) -> None:
    armature = calibrated(performance)
    setup = bpy.context.scene.ssrhmr
    bpy.ops.ssrhmr.bake()
    bpy.ops.ssrhmr.find_contacts()
    names = foot_bones(read_character(armature, tuple(slot.bone for slot in setup.bones)))
    heads = []
    for frame in FRAMES:
        bpy.context.scene.frame_set(int(frame))
        heads.append([armature.matrix_world @ armature.pose.bones[n].head for n in names])
    skeleton = read_character(armature, tuple(slot.bone for slot in setup.bones)).rest.skeleton
    ranges = ranges_of_feet(
        scene_of(bpy.context), np.array(heads), skeleton.size, read_contact_options(setup.contacts)
    )
    from_feet = sorted(
        (each.part, 1 + round(60 * each.begin), 1 + round(60 * each.end)) for each in ranges
    )
    listed = sorted((e.part, e.frame_start, e.frame_end) for e in setup.contacts.entries)
    assert [each[0] for each in from_feet] == [each[0] for each in listed]
    for one, other in zip(from_feet, listed, strict=True):
        assert max(abs(one[1] - other[1]), abs(one[2] - other[2])) <= 2
