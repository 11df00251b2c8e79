# SPDX-License-Identifier: GPL-3.0-or-later
"""The trackers of a setup: their objects by name, and what changing them clears."""

from __future__ import annotations

from typing import Any

import bpy
import pytest

from ssrhmr_blender.properties import characters
from ssrhmr_blender.properties.tracker import (
    ALL_TRACKERS,
    EXTRA_TRACKERS,
    SEGMENT_LABELS,
    TRACKER_LABELS,
    TRACKER_PLACES,
    TRACKERS,
)
from ssrhmr_core.body import extra_trackers


@pytest.fixture
def setups() -> list[Any]:
    """Three setups of a scene, all of them calibrated; the second is active."""
    scene: Any = bpy.context.scene
    for _ in range(2):
        characters.add_setup(scene)
    scene.ssrhmr_characters.active = 1
    setups = list(characters.all_setups(scene))
    for setup in setups:
        setup.bones.add().name = "head"
        setup.calibration = "calibrated"
        setup.fits.add().name = "Head"
    return setups


def test_objects_are_attributes_of_the_setup() -> None:
    setup = bpy.context.scene.ssrhmr
    for role in TRACKERS:
        obj = bpy.data.objects.new(role, None)
        setattr(setup, role, obj)
        assert getattr(setup, role) == setup.tracker(role).object == obj
        assert setup.tracker_objects()[role] == obj
        setattr(setup, role, None)
        assert setup.tracker(role).object is None
    with pytest.raises(TypeError, match="Object"):
        setup.head = "Head"


def test_weights_are_in_the_order_of_the_trackers() -> None:
    setup = bpy.context.scene.ssrhmr
    setup.trackers.right_foot.weight = 0.25
    assert setup.weights() == [1.0, 1.0, 1.0, 1.0, 1.0, 0.25]


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("what", ["tracker", "bone"])
def test_a_change_clears_the_calibration_of_its_own_setup(
    setups: list[Any], number: int, what: str
) -> None:
    """Not that of the active one."""
    if what == "tracker":
        setups[number].head = bpy.data.objects.new("Headset", None)
    else:
        setups[number].bones["head"].bone = "Head"
        assert setups[number].bones["head"].confidence == 1.0
    for other, setup in enumerate(setups):
        assert bool(setup.calibration) == bool(setup.fits) == (other != number)


def test_an_adjustment_keeps_the_calibration(setups: list[Any]) -> None:
    tracker = setups[0].tracker("head")
    tracker.weight, tracker.offset, tracker.rotation = 0.5, (0.1, 0.0, 0.0), (0.0, 0.1, 0.0)
    assert setups[0].calibration


def test_undo_brings_an_object_back() -> None:
    bpy.context.preferences.edit.use_global_undo = True
    obj = bpy.data.objects.new("Headset", None)
    bpy.context.scene.collection.objects.link(obj)
    bpy.context.scene.ssrhmr.head = obj
    bpy.ops.ed.undo_push(message="chosen")
    bpy.context.scene.ssrhmr.head = None
    bpy.ops.ed.undo_push(message="cleared")
    bpy.ops.ed.undo()
    assert bpy.context.scene.ssrhmr.head.name == "Headset"


def test_optional_trackers_are_those_of_the_core() -> None:
    assert EXTRA_TRACKERS == extra_trackers.EXTRA_TRACKERS
    assert tuple(SEGMENT_LABELS) == extra_trackers.SEGMENTED_TRACKERS
    assert ALL_TRACKERS == tuple(TRACKER_LABELS) == tuple(TRACKER_PLACES)


def test_optional_trackers_have_what_the_six_have() -> None:
    setup: Any = bpy.context.scene.ssrhmr
    for role in EXTRA_TRACKERS:
        obj = bpy.data.objects.new(role, None)
        setattr(setup, role, obj)
        assert getattr(setup, role) == setup.tracker(role).object == obj
    assert list(setup.tracker_objects()) == list(TRACKERS)
    assert list(setup.tracker_objects(EXTRA_TRACKERS)) == list(EXTRA_TRACKERS)
    setup.trackers.left_elbow.weight = 0.25
    assert setup.weights() == [1.0] * 6
    assert setup.extra_weights()[EXTRA_TRACKERS.index("left_elbow")] == 0.25
    setup.adjusted_tracker = "left_knee"


@pytest.mark.parametrize(
    ("name", "value"),
    [("object", None), ("segment", "LOWER"), ("measures", "ROTATION")],
)
def test_how_an_optional_tracker_is_worn_clears_the_calibration(
    setups: list[Any], name: str, value: object
) -> None:
    setattr(setups[1].tracker("left_elbow"), name, value)
    assert [bool(setup.calibration) for setup in setups] == [True, False, True]


def test_clearing_the_optional_trackers() -> None:
    setup: Any = bpy.context.scene.ssrhmr
    setup.head = setup.chest = bpy.data.objects.new("Tracker", None)
    assert bpy.ops.ssrhmr.clear_more_trackers() == {"FINISHED"}
    assert setup.chest is None and setup.head is not None
    setup.calibration = "calibrated"
    assert bpy.ops.ssrhmr.clear_more_trackers() == {"CANCELLED"}
    assert setup.calibration
