# SPDX-License-Identifier: GPL-3.0-or-later
"""The setup of one character: its bones, trackers and calibration, and how to bake it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import bpy

from ..common.typed import scene_property
from ..translations import CONTEXT
from .bones import SSRHMR_BoneSlot
from .calibration import SSRHMR_BodyMeasure, SSRHMR_Slip, SSRHMR_TrackerFit, SSRHMR_Warning
from .contacts import SSRHMR_Contacts
from .keys import SSRHMR_Keys
from .root_motion import SSRHMR_RootMotion
from .tracker import (
    ALL_TRACKERS,
    EXTRA_TRACKERS,
    TRACKER_ITEMS,
    TRACKERS,
    SSRHMR_Tracker,
    SSRHMR_Trackers,
    object_property,
)


def _item(
    identifier: str, name: str, description: str, number: int
) -> tuple[str, str, str, str, int]:
    """Return an enum item with the number that files store, whatever its place in the menu."""
    return identifier, name, description, "NONE", number


def _is_armature(_setup: SSRHMR_Setup, candidate: bpy.types.Object) -> bool:
    return candidate.type == "ARMATURE"


def _clear_character(setup: SSRHMR_Setup, _context: bpy.types.Context) -> None:
    """Clear what belongs to the character of before."""
    setup.bones.clear()
    setup.family = setup.obstacles = setup.notes = ""
    setup.has_constraints = False
    if setup.reference == "CHARACTER":
        # Only that character was posed where the performer stands, as the example's is.
        setup.reference = "T_POSE"
    setup.clear_calibration()


def _clear_calibration(setup: SSRHMR_Setup, _context: bpy.types.Context) -> None:
    setup.clear_calibration()


def _use_custom_range(setup: SSRHMR_Setup, _context: bpy.types.Context) -> None:
    setup.range = "CUSTOM"


class SSRHMR_Setup(bpy.types.PropertyGroup):
    """A character, its trackers and how they belong together.

    The objects of the trackers are attributes as well, by name: ``setup.left_hand`` reads and
    writes ``setup.trackers.left_hand.object``.
    """

    armature: bpy.props.PointerProperty(
        type=bpy.types.Object,
        name="Character",
        description="Armature to animate",
        poll=_is_armature,
        update=_clear_character,
    )
    trackers: bpy.props.PointerProperty(type=SSRHMR_Trackers, name="Trackers")

    bones: bpy.props.CollectionProperty(type=SSRHMR_BoneSlot)
    active_bone: bpy.props.IntProperty(name="Joint", description="Selected joint")
    family: bpy.props.StringProperty(
        name="Rig Family", description="Naming convention that the bones match best"
    )

    obstacles: bpy.props.StringProperty(
        name="Obstacles",
        description="What keeps bones from following their keyframes, one sentence per line",
    )

    has_constraints: bpy.props.BoolProperty(options={"HIDDEN"})
    key_muting: bpy.props.BoolProperty(
        name="Key the Muting",
        description="Key an influence of 0 over the frames to bake in the character's present"
        " action, so that the constraints act again elsewhere and in other actions. If off, they"
        " are muted for good",
    )

    calibration_frame: bpy.props.IntProperty(
        name="Frame",
        description="Frame at which the performer stands still in the reference pose",
        default=1,
        update=_clear_calibration,
    )
    reference: bpy.props.EnumProperty(
        name="Reference",
        description="Pose that the performer holds at that frame",
        items=(
            _item(
                "T_POSE",
                "T-Pose",
                "Arms straight out to the sides, facing any direction in the room",
                0,
            ),
            _item("A_POSE", "A-Pose", "Arms halfway down, facing any direction in the room", 2),
            _item(
                "ARMS_DOWN",
                "Arms Down",
                "Arms hanging at the sides, facing any direction in the room",
                3,
            ),
            _item(
                "CHARACTER",
                "Character's Pose",
                "The character is posed and placed exactly as the performer stands at that frame",
                1,
            ),
            _item(
                "JOINTS",
                "Performer's Joints",
                "The trackers are the performer's joints themselves, as imported from a whole-body"
                " file or made from an armature; needs no pose",
                4,
            ),
        ),
        translation_context=CONTEXT,
        update=_clear_calibration,
    )
    proportions: bpy.props.EnumProperty(
        name="Proportions",
        description="How to treat differences between the performer's body and the character's",
        items=(
            _item(
                "MATCH",
                "Match Trackers",
                "Use the trackers as they are: hands and feet reach them",
                0,
            ),
            _item(
                "RETARGET",
                "Retarget",
                "Rotate limbs like the performer's, scale the path by leg length and keep feet on"
                " the floor; for characters with other proportions",
                2,
            ),
            _item(
                "FIT",
                "Match Hands & Feet",
                "Scale the whole performance to the character's size: hands and feet reach the"
                " scaled trackers",
                1,
            ),
        ),
        update=_clear_calibration,
    )
    height: bpy.props.FloatProperty(
        name="Body Height",
        description="Height of the performer; 0 estimates it from the trackers",
        unit="LENGTH",
        min=0.0,
        soft_max=2.2,
        precision=2,
        update=_clear_calibration,
    )
    correct_floor: bpy.props.BoolProperty(
        name="Correct Floor",
        description="Level the trackers to the floor on which the performer was seen to stand"
        " during a movement",
    )
    calibration: bpy.props.StringProperty(name="Calibration", options={"HIDDEN"})
    fits: bpy.props.CollectionProperty(type=SSRHMR_TrackerFit)
    measures: bpy.props.CollectionProperty(type=SSRHMR_BodyMeasure)
    warnings: bpy.props.CollectionProperty(type=SSRHMR_Warning)
    slips: bpy.props.CollectionProperty(type=SSRHMR_Slip)
    assumed: bpy.props.StringProperty(
        name="Assumed",
        description="What the calibration assumes in place of trackers that the performer does not"
        " wear",
    )

    adjusted_tracker: bpy.props.EnumProperty(
        name="Adjusted Tracker",
        description="Tracker whose calibration is adjusted by hand",
        items=TRACKER_ITEMS,
    )

    range: bpy.props.EnumProperty(
        name="Range",
        description="Frames to bake",
        items=(
            ("SCENE", "Scene", "The scene's frame range"),
            ("PREVIEW", "Preview Range", "The timeline's preview range"),
            ("TRACKERS", "Trackers", "From the first keyframe of the trackers to the last"),
            ("CUSTOM", "Custom", "The start and end frames below"),
        ),
        default="SCENE",
    )
    frame_start: bpy.props.IntProperty(
        name="Start",
        description="First frame to bake",
        default=1,
        update=_use_custom_range,
    )
    frame_end: bpy.props.IntProperty(
        name="End",
        description="Last frame to bake",
        default=250,
        update=_use_custom_range,
    )
    between_frames: bpy.props.BoolProperty(
        name="Sample Subframes",
        description="Read the trackers at least 60 times per second, even if the scene has fewer"
        " frames",
        default=True,
    )

    key_switches: bpy.props.BoolProperty(
        name="Key FK Switches",
        description="Key the control rig's switches to FK at the first frame of the new action. If"
        " off, they are set but not keyed",
        default=True,
    )

    ik_controls: bpy.props.BoolProperty(
        name="Key IK Controls",
        description="Also key hands, feet and pole targets, so that limbs can be switched to IK"
        " and stay in place. Turns IK stretch off",
    )

    smoothing: bpy.props.EnumProperty(
        name="Smoothing",
        description="How to remove noise from the trackers; none of the methods adds delay",
        items=(
            (
                "AUTO",
                "Automatic",
                "Measure the noise of each tracker and filter accordingly; clean trackers stay"
                " unchanged",
            ),
            ("OFF", "Off", "Use the trackers unfiltered"),
            ("CUTOFF", "By Frequency", "Remove movement faster than the cutoff frequency"),
        ),
    )
    cutoff: bpy.props.FloatProperty(
        name="Cutoff",
        description="Frequency in hertz above which movement is removed: 4 smooths strongly, 12"
        " slightly",
        default=8.0,
        min=0.5,
        soft_max=20.0,
        max=30.0,
    )
    planting: bpy.props.FloatProperty(
        name="Plant Feet",
        description="How firmly standing feet are held: 0 follows their trackers exactly, 1 stops"
        " all sliding and sinking. Leave at 0 for trackers keyed by hand",
        default=0.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )

    contacts: bpy.props.PointerProperty(type=SSRHMR_Contacts, name="Contacts")
    root_motion: bpy.props.PointerProperty(type=SSRHMR_RootMotion, name="Root Motion")
    keyframes: bpy.props.PointerProperty(type=SSRHMR_Keys, name="Keys")

    write_certainty: bpy.props.BoolProperty(
        name="Write Certainty",
        description="Also write how far joints are expected to be off, in millimetres: as a curve"
        " of a custom property of the character, with markers in the new action where it is most",
    )

    message: bpy.props.StringProperty(name="Message", options={"SKIP_SAVE"})
    notes: bpy.props.StringProperty(name="Notes", options={"HIDDEN", "SKIP_SAVE"})
    progress: bpy.props.FloatProperty(
        name="Progress", min=0.0, max=1.0, subtype="FACTOR", options={"SKIP_SAVE"}
    )

    if TYPE_CHECKING:
        pelvis: bpy.types.Object | None
        head: bpy.types.Object | None
        left_hand: bpy.types.Object | None
        right_hand: bpy.types.Object | None
        left_foot: bpy.types.Object | None
        right_foot: bpy.types.Object | None
        chest: bpy.types.Object | None
        left_shoulder: bpy.types.Object | None
        right_shoulder: bpy.types.Object | None
        left_elbow: bpy.types.Object | None
        right_elbow: bpy.types.Object | None
        left_knee: bpy.types.Object | None
        right_knee: bpy.types.Object | None
        left_toe: bpy.types.Object | None
        right_toe: bpy.types.Object | None

    def tracker(self, role: str) -> SSRHMR_Tracker:
        """Return the settings of a tracker by its name."""
        tracker: SSRHMR_Tracker = getattr(self.trackers, role)
        return tracker

    def tracker_objects(
        self, roles: Iterable[str] = TRACKERS
    ) -> dict[str, bpy.types.Object | None]:
        """Return the objects of trackers by name; by default without the optional trackers."""
        return {role: self.tracker(role).object for role in roles}

    def has_anchor(self) -> bool:
        """Return whether a pelvis or a head is tracked, from which the others are filled in."""
        return self.tracker("pelvis").object is not None or self.tracker("head").object is not None

    def weights(self) -> list[float]:
        """Return the weights of the trackers, in the order of :data:`TRACKERS`."""
        return [self.tracker(role).weight for role in TRACKERS]

    def extra_weights(self) -> list[float]:
        """Return the weights of the optional trackers, in the order of :data:`EXTRA_TRACKERS`."""
        return [self.tracker(role).weight for role in EXTRA_TRACKERS]

    def clear_calibration(self) -> None:
        """Remove the calibration: what it was made from has changed."""
        self.calibration = self.assumed = ""
        self.warnings.clear()
        self.fits.clear()
        self.measures.clear()
        self.slips.clear()


for _role in ALL_TRACKERS:
    setattr(SSRHMR_Setup, _role, object_property(_role))


def setup_of(scene: bpy.types.Scene | None) -> SSRHMR_Setup:
    """Return the scene's active setup."""
    setup: SSRHMR_Setup = scene_property(scene, "ssrhmr")
    return setup


CLASSES = (SSRHMR_Setup,)
