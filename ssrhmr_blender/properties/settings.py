# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user chose, kept in the scene."""

from __future__ import annotations

from collections.abc import Sequence

import bpy
from bpy.app.translations import pgettext_iface as iface_

from ..translations import CONTEXT

# The order of ssrhmr_core.body.skeleton.TRACKERS and JOINTS; written out here because the core is
# imported on first use only. A test holds both against each other.
TRACKERS = ("pelvis", "head", "left_hand", "right_hand", "left_foot", "right_foot")
TRACKER_LABELS = {
    "pelvis": "Pelvis",
    "head": "Head",
    "left_hand": "Left Hand",
    "right_hand": "Right Hand",
    "left_foot": "Left Foot",
    "right_foot": "Right Foot",
}


def label_of(joint: str) -> str:
    """Turn ``left_upper_arm`` into ``Left Upper Arm``."""
    return joint.replace("_", " ").title()


LIKELY = 0.3
"""Least confidence in a bone that is more than a guess."""


def question(joint: str, bones: Sequence[str]) -> str:
    """Ask which of some bones stands for a joint."""
    named = ", ".join(f"'{bone}'" for bone in bones[:3]) + ", ..." * (len(bones) > 3)
    asked = iface_(label_of(joint)).lower()
    return iface_("Which of {bones} is the {joint}?").format(bones=named, joint=asked)


def _is_armature(_self: bpy.types.PropertyGroup, candidate: bpy.types.Object) -> bool:
    return candidate.type == "ARMATURE"


def _is_tracker(self: bpy.types.PropertyGroup, candidate: bpy.types.Object) -> bool:
    return candidate != self.armature and candidate.type != "ARMATURE"


def _forget_bones(self: bpy.types.PropertyGroup, _context: bpy.types.Context) -> None:
    """Bones and calibration belong to one character."""
    self.bones.clear()
    self.family = self.obstacles = ""
    _forget_calibration(self, _context)


def _forget_calibration(self: bpy.types.PropertyGroup, _context: bpy.types.Context) -> None:
    self.calibration = ""
    self.warnings.clear()
    self.fits.clear()


def _chosen_by_hand(self: bpy.types.PropertyGroup, context: bpy.types.Context) -> None:
    self.confidence = 1.0 if self.bone else 0.0
    _forget_calibration(setup_of(context.scene), context)


class SSRHMR_BoneSlot(bpy.types.PropertyGroup):
    """The bone of one joint."""

    name: bpy.props.StringProperty(name="Joint")
    bone: bpy.props.StringProperty(
        name="Bone",
        description="Bone of the character that stands for this joint",
        update=_chosen_by_hand,
    )
    confidence: bpy.props.FloatProperty(
        name="Confidence",
        description="How sure the detection is: 1 by name and hierarchy, 0.5 by structure alone",
        min=0.0,
        max=1.0,
    )
    choices: bpy.props.StringProperty(
        name="Choices",
        description="Bones of which any could be it, one a line; empty if the detection found one",
    )
    required: bpy.props.BoolProperty(
        name="Required", description="Whether a character needs a bone for this joint"
    )


class SSRHMR_TrackerFit(bpy.types.PropertyGroup):
    """How one tracker fitted at the calibration frame."""

    name: bpy.props.StringProperty(name="Tracker")
    arm: bpy.props.FloatProperty(
        name="Lever Arm", description="Distance from the tracker to its joint", unit="LENGTH"
    )
    error: bpy.props.FloatProperty(
        name="Error",
        description="Centimetres between the tracker and where people wear it in that pose",
    )
    speed: bpy.props.FloatProperty(
        name="Speed",
        description="How fast it moves there, metres a second: calibrate while it stands still",
    )
    quality: bpy.props.FloatProperty(
        name="Quality",
        description="1: where the reference pose has its joint; 0: not believable",
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )


class SSRHMR_Warning(bpy.types.PropertyGroup):
    """A line about something that looks wrong."""

    name: bpy.props.StringProperty(name="Warning")
    pair: bpy.props.StringProperty(
        name="Pair", description="The pair of trackers that looks exchanged, if that is the matter"
    )


def _tracker(role: str, worn: str) -> bpy.props.PointerProperty:
    return bpy.props.PointerProperty(
        type=bpy.types.Object,
        name=TRACKER_LABELS[role],
        description=f"Animated object that follows the tracker {worn}",
        poll=_is_tracker,
        update=_forget_calibration,
    )


def _weight(role: str) -> bpy.props.FloatProperty:
    return bpy.props.FloatProperty(
        name=TRACKER_LABELS[role],
        description="How much this tracker counts: 1 is followed exactly, 0 is left to the model",
        default=1.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )


def _nudge_offset() -> bpy.props.FloatVectorProperty:
    return bpy.props.FloatVectorProperty(
        name="Offset",
        description="Moves the joint against its tracker: to the left of the body, up, to the"
        " front, as in the T-pose. Added to every calibration",
        size=3,
        subtype="TRANSLATION",
        unit="LENGTH",
        soft_min=-0.2,
        soft_max=0.2,
        step=1,
        precision=3,
    )


def _nudge_turn() -> bpy.props.FloatVectorProperty:
    return bpy.props.FloatVectorProperty(
        name="Rotation",
        description="Turns the joint against its tracker: about the axes to the left of the body,"
        " up and to the front, as in the T-pose. Added to every calibration",
        size=3,
        subtype="EULER",
        unit="ROTATION",
    )


PORTS = {"VMC": 39539, "VRCHAT": 9000, "JSON": 39560}
"""The port on which each protocol is usually sent."""


def _usual_port(self: bpy.types.PropertyGroup, _context: bpy.types.Context) -> None:
    self.port = PORTS[self.protocol]


def _worn_once(self: bpy.types.PropertyGroup, _context: bpy.types.Context) -> None:
    """A role has one device: the one that was chosen last."""
    if self.role == "NONE":
        return
    for device in live_of(self.id_data).devices:
        if device.role == self.role and device.name != self.name:
            device.role = "NONE"


class SSRHMR_Device(bpy.types.PropertyGroup):
    """A tracking device that was heard of, and where it is worn."""

    name: bpy.props.StringProperty(name="Device", description="Its name or serial number")
    role: bpy.props.EnumProperty(
        name="Worn On",
        description="Which of the six trackers this device is",
        items=(
            ("NONE", "Not Used", "Listed, but not part of the capture"),
            *((role, label, "") for role, label in TRACKER_LABELS.items()),
        ),
        update=_worn_once,
    )


class SSRHMR_Live(bpy.types.PropertyGroup):
    """Where live trackers come from, and what becomes of them."""

    protocol: bpy.props.EnumProperty(
        name="Protocol",
        description="What the tracking software sends",
        items=(
            ("VMC", "VMC", "Virtual Motion Capture protocol (OSC): VMC, VSeeFace, Warudo, ..."),
            ("VRCHAT", "VRChat OSC", "OSC trackers as sent to VRChat: SlimeVR, AXIS, ..."),
            (
                "JSON",
                "JSON Lines",
                "For scripts of your own: one JSON object a line, over UDP or TCP",
            ),
        ),
        update=_usual_port,
    )
    port: bpy.props.IntProperty(
        name="Port",
        description="Number of the port that the tracking software sends to",
        default=PORTS["VMC"],
        min=1,
        max=65535,
    )
    everywhere: bpy.props.BoolProperty(
        name="From Other Computers",
        description="Hear tracking software on other computers of the network too. Off, only"
        " this one is heard",
    )
    devices: bpy.props.CollectionProperty(type=SSRHMR_Device)
    active_device: bpy.props.IntProperty(name="Device", description="Device of the table")
    countdown: bpy.props.FloatProperty(
        name="Countdown",
        description="Time to walk to the spot and stand still before calibration",
        default=3.0,
        min=0.0,
        soft_max=10.0,
        max=60.0,
        subtype="TIME_ABSOLUTE",
        unit="TIME_ABSOLUTE",
    )
    overlay: bpy.props.BoolProperty(
        name="Overlay",
        description="Draw trackers, floor and skeleton into the 3D view while capturing",
        default=True,
    )
    folder: bpy.props.StringProperty(
        name="Takes",
        description="Folder for recorded takes, one CSV file each. Empty: a folder 'takes' beside"
        " the saved file, or in Blender's user folder",
        subtype="DIR_PATH",
    )
    pre_roll: bpy.props.FloatProperty(
        name="Pre-Roll",
        description="Time between pressing Record and the first recorded frame",
        default=0.0,
        min=0.0,
        soft_max=10.0,
        max=60.0,
        subtype="TIME_ABSOLUTE",
        unit="TIME_ABSOLUTE",
    )
    play: bpy.props.BoolProperty(
        name="Play Timeline",
        description="Play from the scene's first frame while recording, for music and other"
        " characters to act with",
    )
    bake: bpy.props.BoolProperty(
        name="Bake After Recording",
        description="Turn each take into keyframes as soon as it is recorded",
        default=True,
    )


class SSRHMR_Setup(bpy.types.PropertyGroup):
    """A character, its trackers and how they belong together."""

    armature: bpy.props.PointerProperty(
        type=bpy.types.Object,
        name="Character",
        description="Armature to animate",
        poll=_is_armature,
        update=_forget_bones,
    )
    pelvis: _tracker("pelvis", "on the hips or the belt")
    head: _tracker("head", "on the head, such as a headset")
    left_hand: _tracker("left_hand", "in or on the left hand")
    right_hand: _tracker("right_hand", "in or on the right hand")
    left_foot: _tracker("left_foot", "on the left foot or ankle")
    right_foot: _tracker("right_foot", "on the right foot or ankle")

    bones: bpy.props.CollectionProperty(type=SSRHMR_BoneSlot)
    active_bone: bpy.props.IntProperty(name="Joint", description="Joint of the table")
    family: bpy.props.StringProperty(
        name="Rig Family", description="Naming scheme that fitted the character best"
    )

    obstacles: bpy.props.StringProperty(
        name="Obstacles",
        description="What keeps bones from following their keys, found with the bones",
    )

    calibration_frame: bpy.props.IntProperty(
        name="Frame",
        description="Frame at which the performer stands still in the reference pose",
        default=1,
        update=_forget_calibration,
    )
    reference: bpy.props.EnumProperty(
        name="Reference",
        description="Pose in which the performer stands at that frame",
        items=(
            (
                *(
                    "T_POSE",
                    "T-Pose",
                    "Arms straight out to the sides, facing anywhere in the room",
                ),
                *("NONE", 0),
            ),
            (
                *("A_POSE", "A-Pose", "Arms half way down, facing anywhere in the room"),
                *("NONE", 2),
            ),
            (
                *(
                    "ARMS_DOWN",
                    "Arms Down",
                    "Arms hanging at the sides, facing anywhere in the room",
                ),
                *("NONE", 3),
            ),
            (
                "CHARACTER",
                "Character's Pose",
                "The character is posed and placed just as the performer stands at that frame",
                *("NONE", 1),
            ),
        ),
        translation_context=CONTEXT,
        update=_forget_calibration,
    )
    scale: bpy.props.EnumProperty(
        name="Proportions",
        description="What to do where performer and character differ",
        items=(
            (
                *("MATCH", "Match Trackers"),
                "Take the trackers as they are: hands and feet meet them",
                *("NONE", 0),
            ),
            (
                *("RETARGET", "Retarget"),
                "Limbs turn as the performer's do, the path is scaled by the length of the legs,"
                " feet keep to the floor; for characters with other proportions",
                *("NONE", 2),
            ),
            (
                *("FIT", "Match Hands and Feet"),
                "Scale the performer's whole motion to the character: hands and feet meet the"
                " scaled trackers",
                *("NONE", 1),
            ),
        ),
        update=_forget_calibration,
    )
    height: bpy.props.FloatProperty(
        name="Performer's Height",
        description="How tall the performer is; 0 to tell it from the trackers",
        unit="LENGTH",
        min=0.0,
        soft_max=2.2,
        precision=2,
        update=_forget_calibration,
    )
    calibration: bpy.props.StringProperty(name="Calibration", options={"HIDDEN"})
    fits: bpy.props.CollectionProperty(type=SSRHMR_TrackerFit)
    warnings: bpy.props.CollectionProperty(type=SSRHMR_Warning)

    nudged: bpy.props.EnumProperty(
        name="Nudge",
        description="Tracker whose calibration is corrected by hand",
        items=tuple((role, label, "") for role, label in TRACKER_LABELS.items()),
    )
    pelvis_offset: _nudge_offset()
    head_offset: _nudge_offset()
    left_hand_offset: _nudge_offset()
    right_hand_offset: _nudge_offset()
    left_foot_offset: _nudge_offset()
    right_foot_offset: _nudge_offset()
    pelvis_turn: _nudge_turn()
    head_turn: _nudge_turn()
    left_hand_turn: _nudge_turn()
    right_hand_turn: _nudge_turn()
    left_foot_turn: _nudge_turn()
    right_foot_turn: _nudge_turn()

    range: bpy.props.EnumProperty(
        name="Range",
        description="Frames to bake",
        items=(
            ("SCENE", "Scene", "The scene's frame range"),
            ("PREVIEW", "Preview Range", "The timeline's preview range"),
            ("TRACKERS", "Trackers", "From the trackers' first key to their last"),
            ("CUSTOM", "Custom", "Start and end below"),
        ),
        default="SCENE",
    )
    frame_start: bpy.props.IntProperty(
        name="Start",
        description="First frame to bake",
        default=1,
        update=lambda self, _context: setattr(self, "range", "CUSTOM"),
    )
    frame_end: bpy.props.IntProperty(
        name="End",
        description="Last frame to bake",
        default=250,
        update=lambda self, _context: setattr(self, "range", "CUSTOM"),
    )
    between_frames: bpy.props.BoolProperty(
        name="Sample Between Frames",
        description="Read the trackers at least 60 times a second where the scene has fewer frames",
        default=True,
    )

    key_switches: bpy.props.BoolProperty(
        name="Key FK Switches",
        description="Key the control rig's switches to FK at the first frame, in the new action."
        " Off, they are set once and not keyed",
        default=True,
    )

    ik_controls: bpy.props.BoolProperty(
        name="IK Controls Too",
        description="Key hands, feet and poles as well, so that limbs may be switched to IK with"
        " hands, elbows, knees and feet in their places. IK stretch is off then",
    )

    smoothing: bpy.props.EnumProperty(
        name="Smoothing",
        description="How noise is taken out of the trackers; nothing gets late by it",
        items=(
            ("AUTO", "Automatic", "Find the noise of each tracker; clean ones stay as they are"),
            ("OFF", "Off", "Take the trackers as they are"),
            ("CUTOFF", "By Frequency", "Remove what changes faster than the cutoff"),
        ),
    )
    cutoff: bpy.props.FloatProperty(
        name="Cutoff",
        description="Motions faster than this many times a second are taken out: 4 is a lot of"
        " smoothing, 12 a little",
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
    pelvis_weight: _weight("pelvis")
    head_weight: _weight("head")
    left_hand_weight: _weight("left_hand")
    right_hand_weight: _weight("right_hand")
    left_foot_weight: _weight("left_foot")
    right_foot_weight: _weight("right_foot")

    message: bpy.props.StringProperty(name="Message", options={"SKIP_SAVE"})
    progress: bpy.props.FloatProperty(
        name="Progress", min=0.0, max=1.0, subtype="FACTOR", options={"SKIP_SAVE"}
    )


def setup_of(scene: bpy.types.Scene | None) -> SSRHMR_Setup:
    """Return the scene's setup, typed."""
    return scene.ssrhmr


def live_of(scene: bpy.types.Scene | None) -> SSRHMR_Live:
    """Return where the scene's live trackers come from, typed."""
    return scene.ssrhmr_live


CLASSES = (
    SSRHMR_BoneSlot,
    SSRHMR_TrackerFit,
    SSRHMR_Warning,
    SSRHMR_Device,
    SSRHMR_Live,
    SSRHMR_Setup,
)
