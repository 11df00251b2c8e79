# SPDX-License-Identifier: GPL-3.0-or-later
"""The trackers of a setup, one group of settings each.

Everything about a tracker lies in its :class:`SSRHMR_Tracker`, and the groups are declared from the
tables below: another tracker is another line in two of them. A pointer to a group, unlike an
item of a collection, always exists, so panels draw it, scripts read it, and undo, copies of scenes
and library overrides treat it like any other setting, without anything to fill in first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy

_MAIN_LABELS = {
    "pelvis": "Pelvis",
    "head": "Head",
    "left_hand": "Left Hand",
    "right_hand": "Right Hand",
    "left_foot": "Left Foot",
    "right_foot": "Right Foot",
}
_EXTRA_LABELS = {
    "chest": "Chest",
    "left_shoulder": "Left Shoulder",
    "right_shoulder": "Right Shoulder",
    "left_elbow": "Left Elbow",
    "right_elbow": "Right Elbow",
    "left_knee": "Left Knee",
    "right_knee": "Right Knee",
    "left_toe": "Left Toe",
    "right_toe": "Right Toe",
}
TRACKER_LABELS = {**_MAIN_LABELS, **_EXTRA_LABELS}
TRACKER_PLACES = {
    "pelvis": "On the hips or the belt",
    "head": "On the head, such as a headset",
    "left_hand": "In or on the left hand",
    "right_hand": "In or on the right hand",
    "left_foot": "On the left foot or ankle",
    "right_foot": "On the right foot or ankle",
    "chest": "On the breastbone or between the shoulder blades",
    "left_shoulder": "On the left shoulder, above the joint of the arm",
    "right_shoulder": "On the right shoulder, above the joint of the arm",
    "left_elbow": "On the left upper arm or forearm, near the elbow",
    "right_elbow": "On the right upper arm or forearm, near the elbow",
    "left_knee": "On the left thigh or shin, near the knee",
    "right_knee": "On the right thigh or shin, near the knee",
    "left_toe": "On the toes of the left foot",
    "right_toe": "On the toes of the right foot",
}
TRACKER_ITEMS = [(role, label, TRACKER_PLACES[role]) for role, label in TRACKER_LABELS.items()]
"""Items of enums whose choices are the trackers."""
TRACKERS = tuple(_MAIN_LABELS)
"""Names in the order of ssrhmr_core.body.skeleton.TRACKERS; written out here because the core is
imported on first use only. A test compares the two."""
EXTRA_TRACKERS = tuple(_EXTRA_LABELS)
"""Names of the optional trackers, those of ssrhmr_core.body.extra_trackers in their order."""
ALL_TRACKERS = TRACKERS + EXTRA_TRACKERS
SEGMENT_LABELS = {
    "left_elbow": ("Upper Arm", "Forearm"),
    "right_elbow": ("Upper Arm", "Forearm"),
    "left_knee": ("Thigh", "Shin"),
    "right_knee": ("Thigh", "Shin"),
}
"""Names of the parts of the body above and below the joints of some trackers: they may sit on
either."""


_ELBOWS, _KNEES = ("left_elbow", "right_elbow"), ("left_knee", "right_knee")
MORE_TRACKERS: dict[str, tuple[str, ...]] = {
    "NONE": (),
    "ELBOWS": _ELBOWS,
    "KNEES": _KNEES,
    "ELBOWS_KNEES": (*_ELBOWS, *_KNEES),
    "ELEVEN": ("chest", *_ELBOWS, *_KNEES),
    "ALL": EXTRA_TRACKERS,
}
"""Optional trackers that are made of a whole body, by choice."""
MORE_ITEMS = (
    ("NONE", "Six Trackers", "Pelvis, head, hands and feet"),
    ("ELBOWS", "With Elbows", "The six, and both elbows"),
    ("KNEES", "With Knees", "The six, and both knees"),
    ("ELBOWS_KNEES", "With Elbows and Knees", "The six, both elbows and both knees"),
    ("ELEVEN", "With Elbows, Knees and Chest", "Eleven, as many full-body suits have"),
    ("ALL", "All", "Fifteen: also chest, shoulders, elbows, knees and toes"),
)
"""Items of enums whose choices these are."""


def setup_holding(group: bpy.types.PropertyGroup, member: str) -> Any:
    """Return the setup that a group of settings is part of.

    Args:
        group: A group somewhere below a setup.
        member: The setup's own property that leads to the group, such as "bones".
    """
    path = group.path_from_id().rpartition(f".{member}")[0]
    owner: Any = group.id_data
    return owner.path_resolve(path)


def _is_tracker(_tracker: SSRHMR_Tracker, candidate: bpy.types.Object) -> bool:
    return candidate.type != "ARMATURE"


def _clear_calibration(tracker: SSRHMR_Tracker, _context: bpy.types.Context) -> None:
    setup_holding(tracker, "trackers").clear_calibration()


class SSRHMR_Tracker(bpy.types.PropertyGroup):
    """One tracker: the object that follows it, and how the setup uses it."""

    object: bpy.props.PointerProperty(
        type=bpy.types.Object,
        name="Object",
        description="Animated object that follows this tracker, such as an imported empty",
        poll=_is_tracker,
        update=_clear_calibration,
    )
    segment: bpy.props.EnumProperty(
        name="Worn On",
        description="Part of the body that carries a tracker at an elbow or a knee",
        items=(
            ("AUTO", "Automatic", "Calibration infers it from where the tracker is in the pose"),
            ("UPPER", "Above the Joint", "On the upper arm or the thigh"),
            ("LOWER", "Below the Joint", "On the forearm or the shin"),
        ),
        update=_clear_calibration,
    )
    measures: bpy.props.EnumProperty(
        name="Measures",
        description="What the tracker measures; what it does not measure is left to the model",
        items=(
            ("BOTH", "Position & Rotation", "Where the tracker is, and how it is rotated"),
            ("ROTATION", "Rotation Only", "How it is rotated, as inertial trackers do"),
            ("POSITION", "Position Only", "Where it is, as markers and points do"),
        ),
        update=_clear_calibration,
    )
    weight: bpy.props.FloatProperty(
        name="Weight",
        description="Influence of this tracker: 1 follows it exactly, 0 leaves the joint to the"
        " model",
        default=1.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
    offset: bpy.props.FloatVectorProperty(
        name="Offset",
        description="Move the joint relative to its tracker: to the left, up and forward, as seen"
        " from the body in the T-pose. Applied on top of every calibration",
        size=3,
        subtype="TRANSLATION",
        unit="LENGTH",
        soft_min=-0.2,
        soft_max=0.2,
        step=1,
        precision=3,
    )
    rotation: bpy.props.FloatVectorProperty(
        name="Rotation",
        description="Rotate the joint relative to its tracker: about the axes that point left, up"
        " and forward from the body in the T-pose. Applied on top of every calibration",
        size=3,
        subtype="EULER",
        unit="ROTATION",
    )


class SSRHMR_Trackers(bpy.types.PropertyGroup):
    """The trackers of a setup by name: ``setup.trackers.left_hand.weight``."""

    # Blender reads declarations from here, and a class statement cannot make them in a loop.
    __annotations__ = {
        role: bpy.props.PointerProperty(type=SSRHMR_Tracker, name=label, description=place)
        for role, label, place in TRACKER_ITEMS
    }
    if TYPE_CHECKING:
        pelvis: SSRHMR_Tracker
        head: SSRHMR_Tracker
        left_hand: SSRHMR_Tracker
        right_hand: SSRHMR_Tracker
        left_foot: SSRHMR_Tracker
        right_foot: SSRHMR_Tracker
        chest: SSRHMR_Tracker
        left_shoulder: SSRHMR_Tracker
        right_shoulder: SSRHMR_Tracker
        left_elbow: SSRHMR_Tracker
        right_elbow: SSRHMR_Tracker
        left_knee: SSRHMR_Tracker
        right_knee: SSRHMR_Tracker
        left_toe: SSRHMR_Tracker
        right_toe: SSRHMR_Tracker


def object_property(role: str) -> property:
    """Return a Python property that reads and writes the object of a setup's tracker."""

    def get(setup: Any) -> bpy.types.Object | None:
        return getattr(setup.trackers, role).object

    def set_(setup: Any, value: bpy.types.Object | None) -> None:
        getattr(setup.trackers, role).object = value

    return property(get, set_, doc=f"Object that follows the {TRACKER_LABELS[role]} tracker.")


CLASSES = (SSRHMR_Tracker, SSRHMR_Trackers)
