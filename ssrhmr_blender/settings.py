"""All that the add-on stores: settings with the scene, passing messages with the window manager."""

from __future__ import annotations

from collections.abc import Callable

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)
from bpy.types import Context, Object, PropertyGroup

from .trackers import TRACKERS

STATUS_ICONS = {
    "FOUND": "CHECKMARK",
    "MANUAL": "GREASEPENCIL",
    "DOUBTFUL": "QUESTION",
    "ABSENT": "REMOVE",
    "MISSING": "ERROR",
    "TWICE": "ERROR",
    "WRONG": "ERROR",
}

_STATUSES = [
    ("FOUND", "Found", "Recognised"),
    ("MANUAL", "Chosen", "Chosen by you"),
    ("DOUBTFUL", "Doubtful", "Recognised with doubt: please check"),
    ("ABSENT", "Not there", "No bone; the rig can do without this joint"),
    ("MISSING", "Missing", "No bone, and the rig cannot do without this joint"),
    ("TWICE", "Twice", "This bone is chosen for another joint as well"),
    ("WRONG", "No such bone", "The armature has no bone of this name"),
]
_LEVELS = [("INFO", "Info", ""), ("WARNING", "Warning", ""), ("ERROR", "Error", "")]


def _forget_calibration(settings: SSRHMR_Settings) -> None:
    settings.calibration = ""
    settings.fits.clear()
    settings.calibration_notes.clear()


def _armature_changed(settings: SSRHMR_Settings, _context: Context) -> None:
    settings.bones.clear()
    settings.bone_family = ""
    _forget_calibration(settings)


def _tracker_changed(settings: SSRHMR_Settings, _context: Context) -> None:
    _forget_calibration(settings)


def _bone_changed(slot: SSRHMR_BoneSlot, _context: Context) -> None:
    settings = slot.id_data.ssrhmr
    slot.status = "MANUAL" if slot.bone else ("MISSING" if slot.required else "ABSENT")
    slot.confidence = 1.0 if slot.bone else 0.0
    refresh_slots(settings)
    _forget_calibration(settings)


def refresh_slots(settings: SSRHMR_Settings) -> None:
    """Set the status of slots whose bone is gone, or chosen twice."""
    armature = settings.armature
    names = armature.data.bones if armature else ()
    chosen = [slot.bone for slot in settings.bones]
    for slot in settings.bones:
        if not slot.bone:
            continue
        if slot.bone not in names:
            slot.status = "WRONG"
        elif chosen.count(slot.bone) > 1:
            slot.status = "TWICE"
        elif slot.status in ("TWICE", "WRONG"):
            slot.status = "MANUAL"


def _is_armature(_settings: SSRHMR_Settings, obj: Object) -> bool:
    return obj.type == "ARMATURE"


def _is_tracker(settings: SSRHMR_Settings, obj: Object) -> bool:
    return obj != settings.armature


def _tracker(label: str) -> Callable:
    return PointerProperty(
        name=label,
        description=f"Animated object that follows the performer: {label.lower()}",
        type=Object,
        poll=_is_tracker,
        update=_tracker_changed,
    )


class SSRHMR_BoneSlot(PropertyGroup):
    """Which bone stands for one of the 22 joints."""

    joint: StringProperty(name="Joint")
    required: BoolProperty(name="Required")
    bone: StringProperty(name="Bone", description="Bone of this joint", update=_bone_changed)
    confidence: FloatProperty(name="Confidence", min=0.0, max=1.0)
    status: EnumProperty(name="Status", items=_STATUSES, default="MISSING")


class SSRHMR_TrackerFit(PropertyGroup):
    """How calibration found one tracker."""

    tracker: StringProperty(name="Tracker")
    arm: FloatProperty(name="Lever Arm", description="Distance to its joint, cm")
    speed: FloatProperty(name="Speed", description="Speed at the calibration frame, cm/s")
    quality: FloatProperty(name="Quality", min=0.0, max=1.0, subtype="FACTOR")
    good: BoolProperty(name="Good")


class SSRHMR_Note(PropertyGroup):
    """A line of text for a panel; ``topic`` says for which."""

    topic: StringProperty()
    text: StringProperty()
    level: EnumProperty(items=_LEVELS)


class SSRHMR_Settings(PropertyGroup):
    """One character and the six trackers that animate it."""

    armature: PointerProperty(
        name="Character",
        description="Armature that is animated",
        type=Object,
        poll=_is_armature,
        update=_armature_changed,
    )
    pelvis: _tracker(TRACKERS["pelvis"])
    head: _tracker(TRACKERS["head"])
    left_hand: _tracker(TRACKERS["left_hand"])
    right_hand: _tracker(TRACKERS["right_hand"])
    left_foot: _tracker(TRACKERS["left_foot"])
    right_foot: _tracker(TRACKERS["right_foot"])

    bones: CollectionProperty(type=SSRHMR_BoneSlot)
    bone_family: StringProperty(name="Rig")

    calibration_frame: IntProperty(
        name="Frame",
        description="Frame in which the performer stands still in the reference pose",
        default=1,
    )
    calibration_reference: EnumProperty(
        name="Pose",
        description="What the trackers are compared with at the calibration frame",
        items=[
            (
                "TPOSE",
                "T-Pose",
                "The performer stands in a T-pose; where, and facing where, is found by itself",
            ),
            (
                "CHARACTER",
                "Character's Pose",
                "The character is posed, in place, as the performer stands at that frame",
            ),
        ],
        update=_tracker_changed,
    )
    calibration_scale: EnumProperty(
        name="Size",
        description="What to do when performer and character differ in size",
        items=[
            ("MATCH", "Match Trackers", "Take trackers as they are: hands and feet land on them"),
            ("FIT", "Fit to Character", "Scale the trackers' space to the character's size"),
        ],
        update=_tracker_changed,
    )
    calibration: StringProperty(options={"HIDDEN"})
    calibrated_size: FloatProperty(options={"HIDDEN"})
    fits: CollectionProperty(type=SSRHMR_TrackerFit)
    calibration_notes: CollectionProperty(type=SSRHMR_Note)

    frame_start: IntProperty(name="Start", description="First frame to bake", default=1)
    frame_end: IntProperty(name="End", description="Last frame to bake", default=250)
    samples: EnumProperty(
        name="Samples",
        description="How often the trackers are read; keys are set at every frame in any case",
        items=[
            (
                "AUTO",
                "Automatic",
                "At least 60 times a second: between frames too when the scene's rate is lower",
            ),
            ("FRAMES", "Each Frame", "Once a frame: for trackers keyed at the scene's frames"),
        ],
    )


class SSRHMR_State(PropertyGroup):
    """What goes on right now. With the window manager: neither saved nor undone."""

    running: BoolProperty()
    progress: FloatProperty(min=0.0, max=1.0)
    stage: StringProperty()
    notes: CollectionProperty(type=SSRHMR_Note)


CLASSES = (SSRHMR_BoneSlot, SSRHMR_TrackerFit, SSRHMR_Note, SSRHMR_Settings, SSRHMR_State)


def register() -> None:
    """Put the properties onto scenes and the window manager."""
    bpy.types.Scene.ssrhmr = PointerProperty(type=SSRHMR_Settings)
    bpy.types.WindowManager.ssrhmr = PointerProperty(type=SSRHMR_State)


def unregister() -> None:
    """Take the properties away again."""
    del bpy.types.WindowManager.ssrhmr
    del bpy.types.Scene.ssrhmr
