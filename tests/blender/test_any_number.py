# SPDX-License-Identifier: GPL-3.0-or-later
"""Three, four, five, eight and eleven tracker objects, and halves: calibrated and baked."""

from __future__ import annotations

import re
from typing import Any

import bpy
import numpy as np
import pytest

from ssrhmr_blender.animation.actions import curves_of
from ssrhmr_core import Motion, Take
from ssrhmr_core.body.extra_trackers import EXTRA_TRACKERS
from ssrhmr_core.body.skeleton import INDEX, TRACKERS, Skeleton
from ssrhmr_core.formats.trackers_csv import save_trackers
from tests.blender.conftest import choose, make_armature, make_trackers, with_t_pose
from tests.blender.test_more_trackers import bake, make_more
from tests.core.conftest import make_motion

HANDS, FEET = ("left_hand", "right_hand"), ("left_foot", "right_foot")
ELBOWS, KNEES = ("left_elbow", "right_elbow"), ("left_knee", "right_knee")
WORN: dict[int, tuple[str, ...]] = {
    3: ("head", *HANDS),
    4: ("pelvis", "head", *HANDS),
    5: ("head", *HANDS, *FEET),
    8: (*TRACKERS, *ELBOWS),
    11: (*TRACKERS, "chest", *ELBOWS, *KNEES),
}
"""Trackers by their number."""
JOINT_OF = {
    "head": "head",
    "left_hand": "left_wrist",
    "right_foot": "right_ankle",
    "left_elbow": "left_elbow",
    "right_knee": "right_knee",
}
MEAN_LIMITS = {3: 140.0, 4: 130.0, 5: 90.0, 8: 50.0, 11: 45.0}
"""Millimetres: the mean over all joints. This performer leaps and turns at random."""


def ready(performance: Motion, roles: tuple[str, ...], *, mounted: bool = True) -> Any:
    """Choose a character and trackers of a performer who stands in a T-pose at frame 20."""
    armature = make_armature("Hero", performance.skeleton)
    six = make_trackers(Take.from_motion(performance), mounted=mounted)
    extras = tuple(role for role in roles if role in EXTRA_TRACKERS)
    more = make_more(performance, extras, mounted=mounted)
    choose(armature, {role: obj for role, obj in {**six, **more}.items() if role in roles})
    setup: Any = bpy.context.scene.ssrhmr
    setup.calibration_frame, setup.frame_start, setup.frame_end = 20, 1, len(performance)
    return armature


@pytest.mark.parametrize("count", WORN)
def test_any_number_is_calibrated_and_baked(performance: Motion, count: int) -> None:
    roles = WORN[count]
    armature = ready(performance, roles)
    setup: Any = bpy.context.scene.ssrhmr
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
    assert len(setup.fits) == count and not setup.warnings
    off = 1000.0 * bake(armature, performance)
    print(f"{count} trackers: mean {off.mean():.1f} mm")
    for role, joint in JOINT_OF.items():
        assert role not in roles or off[:, INDEX[joint]].max() < 130.0, role
    assert off.mean() < MEAN_LIMITS[count]


@pytest.mark.parametrize("count", [5, 8, 11])
def test_joints_end_on_any_number_of_ideal_trackers(performance: Motion, count: int) -> None:
    """Trackers that are the joints: what is measured is met, and more of them are never worse."""
    roles = WORN[count]
    armature = ready(performance, roles, mounted=False)
    setup: Any = bpy.context.scene.ssrhmr
    setup.reference = "JOINTS"
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
    off = 1000.0 * bake(armature, performance)
    for role, joint in JOINT_OF.items():
        # An elbow is met as far as arms reach.
        assert role not in roles or np.median(off[:, INDEX[joint]]) < 2.0, role


@pytest.mark.parametrize("part", ["shoulder", "elbow", "knee", "toe"])
def test_swapped_twins_are_named_and_put_right(performance: Motion, part: str) -> None:
    left, right = f"left_{part}", f"right_{part}"
    ready(performance, (*TRACKERS, left, right))
    setup: Any = bpy.context.scene.ssrhmr
    one, other = getattr(setup, left), getattr(setup, right)
    setattr(setup, left, other)
    setattr(setup, right, one)
    setup.tracker(left).measures = "BOTH"
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
    assert [warning.pair for warning in setup.warnings if warning.pair] == [f"{part}s"]
    assert bpy.ops.ssrhmr.swap_trackers(pair=f"{part}s".upper()) == {"FINISHED"}, setup.message
    assert getattr(setup, left) == one and getattr(setup, right) == other
    assert not setup.warnings and [f.name for f in setup.fits if f.optional]


def test_what_a_swapped_tracker_measures_goes_with_it(performance: Motion) -> None:
    ready(performance, (*TRACKERS, *ELBOWS))
    setup: Any = bpy.context.scene.ssrhmr
    setup.trackers.left_elbow.measures = "POSITION"
    setup.trackers.left_elbow.segment = "LOWER"
    assert bpy.ops.ssrhmr.swap_trackers(pair="ELBOWS") == {"FINISHED"}
    kept = [(setup.tracker(role).measures, setup.tracker(role).segment) for role in ELBOWS]
    assert kept == [("BOTH", "AUTO"), ("POSITION", "LOWER")]


def lay_down(tracker: bpy.types.Object, frame: int) -> None:
    """Let a tracker lie on a table from a frame on, as sensors have it."""
    table, random = (0.4, -0.5, 0.8), np.random.default_rng(3)
    for curve in curves_of(tracker):
        turned = curve.evaluate(frame)
        for key in curve.keyframe_points:
            if key.co.x < frame:
                continue
            key.co.y = turned
            if curve.data_path == "location":
                key.co.y = table[curve.array_index] + 0.0003 * random.standard_normal()


@pytest.mark.parametrize("role", ["pelvis", "left_hand", "left_knee"])
def test_a_tracker_that_was_taken_off_is_told_with_its_frame(skeleton: Skeleton, role: str) -> None:
    performance = with_t_pose(make_motion(skeleton, frames=400))
    armature = ready(performance, (*TRACKERS, *KNEES))
    setup: Any = bpy.context.scene.ssrhmr
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
    expected = bake(armature, performance)
    assert "lies still" not in setup.notes
    half = len(performance) // 2
    lay_down(getattr(setup, role), half)
    off = bake(armature, performance)
    label = role.replace("_", " ").title()
    told = re.search(rf"{label} lies still from frame (\d+) while the body moves", setup.notes)
    assert told is not None, setup.notes
    assert int(told[1]) == pytest.approx(half, abs=8)
    assert off.mean() < expected.mean() + 0.03


def mute(tracker: bpy.types.Object, path: str) -> None:
    """Let a property of a tracker stand still."""
    for curve in curves_of(tracker):
        curve.mute |= curve.data_path == path


def test_a_head_that_measures_its_rotation_alone(performance: Motion) -> None:
    """Its object may be anywhere: the head turns as it does, and the body is whole."""
    armature = ready(performance, TRACKERS)
    setup: Any = bpy.context.scene.ssrhmr
    head = setup.head
    mute(head, "location")
    head.location = (0.0, 0.0, 0.0)
    setup.trackers.head.measures = "ROTATION"
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
    assert setup.assumed.startswith("No position of Head: the model guesses it")
    off = 1000.0 * bake(armature, performance)
    assert off[:, INDEX["left_wrist"]].max() < 130.0 and off[:, INDEX["head"]].mean() < 250.0


def test_feet_that_measure_their_places_alone(performance: Motion) -> None:
    armature = ready(performance, TRACKERS, mounted=False)
    setup: Any = bpy.context.scene.ssrhmr
    for role in FEET:
        mute(getattr(setup, role), "rotation_quaternion")
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}
    # Nobody said so, but they move and never turn.
    assert "Left Foot never turns" in setup.notes
    for role in FEET:
        setup.tracker(role).measures = "POSITION"
    setup.reference = "JOINTS"
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
    assert setup.assumed.startswith("No rotation of Left Foot and Right Foot: the model guesses")
    off = 1000.0 * bake(armature, performance)
    assert np.median(off[:, INDEX["right_ankle"]]) < 2.0
    assert "never turns" not in setup.notes


def test_an_imported_table_of_halves_is_used(performance: Motion, tmp_path: Any) -> None:
    """What a table lacks has no keys, and its trackers say that they do not measure it."""
    make_armature("Hero", performance.skeleton)
    take = Take.from_motion(performance)
    save_trackers(
        tmp_path / "halves.csv", take.measuring([("head", "rotation"), ("left_foot", "position")])
    )
    assert bpy.ops.ssrhmr.import_take(filepath=str(tmp_path / "halves.csv")) == {"FINISHED"}
    setup: Any = bpy.context.scene.ssrhmr
    measures = {role: setup.tracker(role).measures for role in TRACKERS}
    assert measures.pop("head") == "ROTATION" and measures.pop("left_foot") == "POSITION"
    assert set(measures.values()) == {"BOTH"}
