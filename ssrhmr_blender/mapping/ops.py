# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators that detect bones and assign trackers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import bpy

from ..animation.actions import curves_of
from ..baking.plan import frame_range
from ..common.clock import curve_time_per_frame
from ..common.typed import OperatorResult, armature_of, scene_of
from ..common.validation import SetupError
from ..properties.bones import bone_question, joint_label
from ..properties.setup import setup_of
from ..properties.tracker import EXTRA_TRACKERS, TRACKER_LABELS
from ..rig.detection import detect_bones
from ..rig.obstacles import active_constraints, keyed_bones, store_obstacles
from ..rig.selection import meant_armature

if TYPE_CHECKING:
    from ssrhmr_core.rigs.bone_mapping import BoneMapping

    from ..properties.setup import SSRHMR_Setup


_SEGMENTS: dict[str, Literal["UPPER", "LOWER"]] = {"upper": "UPPER", "lower": "LOWER"}
"""Choices of the panel by what the core calls them."""


class SSRHMR_OT_detect_bones(bpy.types.Operator):
    """Find the bones of the character's 22 joints by their names and hierarchy."""

    bl_idname = "ssrhmr.detect_bones"
    bl_label = "Detect Bones"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        """Fill the table of bones."""
        setup = setup_of(scene_of(context))
        if setup.armature is None:
            # A character that was just imported need not be chosen by hand as well.
            setup.armature = meant_armature(context)
        if setup.armature is None:
            self.report({"ERROR"}, "No character is chosen: choose or select an armature first")
            return {"CANCELLED"}
        mapping = detect_bones(setup.armature)
        _fill_slots(setup, mapping, setup.armature)
        for warning in mapping.warnings:
            self.report({"WARNING"}, warning[:1].upper() + warning[1:])
        kinds, text = _describe(mapping, setup)
        self.report({*kinds}, text)
        return {"FINISHED"}


def _fill_slots(setup: SSRHMR_Setup, mapping: BoneMapping, armature: bpy.types.Object) -> None:
    """Store a mapping in the setup; its calibration is cleared."""
    from ssrhmr_core.body.skeleton import JOINTS, REQUIRED_JOINTS
    from ssrhmr_core.rigs.bone_mapping import NONE

    names = [bone.name for bone in armature_of(armature).bones]
    setup.bones.clear()
    for joint, name in enumerate(JOINTS):
        slot = setup.bones.add()
        slot.name, slot.required = name, joint in REQUIRED_JOINTS
        slot.bone = names[mapping.bones[joint]] if mapping.bones[joint] != NONE else ""
        slot.confidence = float(mapping.confidence[joint])
        slot.choices = "\n".join(names[bone] for bone in mapping.ambiguous.get(joint, ()))
    setup.family = mapping.family
    store_obstacles(setup, armature)
    setup.clear_calibration()


def _describe(
    mapping: BoneMapping, setup: SSRHMR_Setup
) -> tuple[set[Literal["INFO", "WARNING"]], str]:
    """Return the kind and the text of the report on a detection."""
    from ssrhmr_core.rigs.bone_mapping import NONE

    questions = [
        bone_question(slot.name, slot.choices.splitlines()) for slot in setup.bones if slot.choices
    ]
    mapped = mapping.bones != NONE
    if mapping.mirrored:
        return {"WARNING"}, (
            "The names of bones on the left of the body say right, so left and right follow the"
            " direction of the toes instead: check both sides in the table of bones"
        )
    if questions:
        more = f" ({len(questions) - 1} more below the table of bones)" if questions[1:] else ""
        return {"WARNING"}, questions[0] + more
    if mapping.missing:
        missing = ", ".join(joint_label(name) for name in mapping.missing)
        return {"WARNING"}, f"No bone found for {missing}: choose them in the table of bones"
    return {"INFO"}, f"{mapping.family} rig: {mapped.sum()} of {len(mapped)} joints found"


class SSRHMR_OT_choose_bone(bpy.types.Operator):
    """Use this bone for the joint."""

    bl_idname = "ssrhmr.choose_bone"
    bl_label = "Choose Bone"
    bl_options = {"REGISTER", "UNDO"}

    joint: bpy.props.StringProperty(name="Joint", description="Joint that the bone represents")
    bone: bpy.props.StringProperty(name="Bone", description="Bone of the character")

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        """Fill the slot."""
        setup = setup_of(scene_of(context))
        slot, armature = setup.bones.get(self.joint), setup.armature
        if slot is None or armature is None:
            self.report({"ERROR"}, "The bones have not been detected yet: press Detect Bones")
            return {"CANCELLED"}
        if self.bone not in armature_of(armature).bones:
            self.report(
                {"ERROR"},
                f"'{armature.name}' has no bone '{self.bone}': press Detect Bones again",
            )
            return {"CANCELLED"}
        slot.bone = self.bone
        store_obstacles(setup, armature)
        return {"FINISHED"}


class SSRHMR_OT_mute_constraints(bpy.types.Operator):
    """Mute all constraints of the bones that the bake keys, so that they follow their keys."""

    bl_idname = "ssrhmr.mute_constraints"
    bl_label = "Mute These Constraints"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        """Mute them, or key that they have no influence."""
        scene = scene_of(context)
        setup = setup_of(scene)
        armature = setup.armature
        if armature is None or not setup.bones:
            self.report({"ERROR"}, "The bones have not been detected yet: press Detect Bones")
            return {"CANCELLED"}
        constraints = active_constraints(armature, keyed_bones(setup, armature))
        if not constraints:
            store_obstacles(setup, armature)
            self.report({"INFO"}, "No constraints act on these bones any more")
            return {"CANCELLED"}
        frames: tuple[int, int] | None = None
        if setup.key_muting:
            try:
                frames = frame_range(scene, setup)
            except SetupError as error:
                self.report({"ERROR"}, str(error))
                return {"CANCELLED"}
        for pose, constraint in constraints:
            if frames is None:
                constraint.mute = True
            else:
                factor = curve_time_per_frame(scene)
                _key_no_influence(armature, pose, constraint, [factor * each for each in frames])
        store_obstacles(setup, armature)
        scene.frame_set(scene.frame_current, subframe=scene.frame_subframe)
        self.report({"INFO"}, f"Constraints muted: {len(constraints)}")
        return {"FINISHED"}


def _key_no_influence(
    armature: bpy.types.Object,
    pose: bpy.types.PoseBone,
    constraint: bpy.types.Constraint,
    times: list[float],
) -> None:
    """Key an influence of 0 from the first of two times to the last."""
    path = f"{pose.path_from_id()}.{constraint.path_from_id().rpartition('.')[2]}.influence"
    for curve in curves_of(armature):
        if curve.data_path == path:
            points = curve.keyframe_points
            inside = [key for key in points if times[0] <= key.co[0] <= times[-1]]
            for key in reversed(inside):
                points.remove(key)
    constraint.influence = 0.0
    for time in times:
        constraint.keyframe_insert("influence", frame=time)


class SSRHMR_OT_assign_trackers(bpy.types.Operator):
    """Assign objects to the trackers by their names: selected objects, or all of the scene."""

    bl_idname = "ssrhmr.assign_trackers"
    bl_label = "Assign from Names"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        """Assign objects whose names are clear, and report the others."""
        from ssrhmr_core.tracking.roles import assign, segment_from_name

        setup = setup_of(scene_of(context))
        objects = [obj for obj in scene_of(context).objects if obj.type != "ARMATURE"]
        selected = [obj for obj in objects if obj.select_get()]
        # Empties are what importers and tracking tools make; other objects only if selected.
        empties = [obj for obj in objects if obj.type == "EMPTY"]
        clear, unclear = assign((obj.name for obj in selected), TRACKER_LABELS)
        if not clear and not unclear:
            clear, unclear = assign((obj.name for obj in empties), TRACKER_LABELS)
        for role, name in clear.items():
            tracker = setup.tracker(role)
            tracker.object = scene_of(context).objects[name]
            segment = segment_from_name(name)
            tracker.segment = _SEGMENTS[segment] if segment else "AUTO"
        missing = [
            TRACKER_LABELS[role] for role, obj in setup.tracker_objects().items() if obj is None
        ]
        if unclear:
            role, names = next(iter(unclear.items()))
            self.report(
                {"WARNING"},
                f"{TRACKER_LABELS[role]} could be {' or '.join(names)}: choose one, or select the"
                " tracker objects first",
            )
        elif missing:
            self.report(
                {"WARNING"},
                f"No object has a name that fits {', '.join(missing)}: choose the objects, or let"
                " the model fill in what nobody wears",
            )
        else:
            self.report({"INFO"}, "All trackers are assigned")
        return {"FINISHED"} if clear else {"CANCELLED"}


class SSRHMR_OT_clear_more_trackers(bpy.types.Operator):
    """Choose no object for any of the optional trackers."""

    bl_idname = "ssrhmr.clear_more_trackers"
    bl_label = "Clear More Trackers"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        """Clear them; the calibration stays if there were none."""
        setup = setup_of(scene_of(context))
        chosen = [role for role in EXTRA_TRACKERS if setup.tracker(role).object is not None]
        for role in chosen:
            setup.tracker(role).object = None
        return {"FINISHED"} if chosen else {"CANCELLED"}


CLASSES = (
    SSRHMR_OT_detect_bones,
    SSRHMR_OT_choose_bone,
    SSRHMR_OT_mute_constraints,
    SSRHMR_OT_assign_trackers,
    SSRHMR_OT_clear_more_trackers,
)
