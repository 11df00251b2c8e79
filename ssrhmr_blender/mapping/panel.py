# SPDX-License-Identifier: GPL-3.0-or-later
"""The panels for the character and the trackers."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.app.translations import pgettext_iface as iface_

from ..common.typed import Icon, armature_of, layout_of, scene_of
from ..common.ui import (
    RowList,
    SidebarPanel,
    draw_mute_button,
    draw_wrapped_text,
)
from ..properties.bones import LIKELY, SSRHMR_BoneSlot, bone_question, joint_label
from ..properties.setup import SSRHMR_Setup, setup_of
from ..properties.tracker import EXTRA_TRACKERS, SEGMENT_LABELS, TRACKER_LABELS, TRACKERS

_SURE = 0.95


class SSRHMR_UL_bones(RowList, bpy.types.UIList):
    """The 22 joints and their bones."""

    @staticmethod
    def draw_row(
        context: bpy.types.Context,
        layout: bpy.types.UILayout,
        setup: SSRHMR_Setup,
        slot: SSRHMR_BoneSlot,
    ) -> None:
        """Draw a joint, an icon for the confidence in its bone, and the bone."""
        mark: Icon
        if not slot.bone:
            mark = "ERROR" if slot.required or slot.choices else "REMOVE"
        elif slot.confidence >= _SURE:
            mark = "CHECKMARK"
        else:
            mark = "QUESTION" if slot.confidence >= LIKELY else "ERROR"
        # Enough for the longest joint; a bone's whole name is in its tooltip.
        split = layout.split(factor=0.52, align=True)
        split.label(text=joint_label(slot.name), icon=mark)
        if setup.armature is not None:
            split.prop_search(slot, "bone", armature_of(setup.armature), "bones", text="")


class SSRHMR_PT_character(SidebarPanel, bpy.types.Panel):
    """The character and its bones."""

    bl_label = "Character"
    bl_idname = "SSRHMR_PT_character"
    preset_menu = "SSRHMR_MT_presets_bones"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the picker and the table."""
        layout, setup = layout_of(self), setup_of(scene_of(context))
        layout.prop(setup, "armature", text="", icon="ARMATURE_DATA")
        if setup.armature is None:
            layout.operator("ssrhmr.load_example", icon="IMPORT")
        column = layout.column()
        column.operator("ssrhmr.detect_bones", icon="BONE_DATA")
        if setup.bones:
            column.label(text=iface_("{family} names").format(family=setup.family))
            column.template_list(
                *("SSRHMR_UL_bones", "", setup, "bones", setup, "active_bone"),
                # All: a bar to scroll would take the width that names need.
                rows=8,
                maxrows=len(setup.bones),
            )
            if 0 <= setup.active_bone < len(setup.bones):
                _draw_confidence(column, setup.bones[setup.active_bone])
            unclear = next((slot for slot in setup.bones if slot.is_unclear), None)
            if unclear is not None:
                _draw_question(column.box(), context, unclear)
            for line in setup.obstacles.splitlines():
                draw_wrapped_text(column, context, line[:1].upper() + line[1:], "INFO")
            draw_mute_button(column, setup)


def _draw_confidence(layout: bpy.types.UILayout, slot: SSRHMR_BoneSlot) -> None:
    """Draw how sure the detection is of the selected bone, unless it is sure."""
    if slot.bone and slot.confidence < _SURE:
        text = iface_("{joint}: {confidence:.0%} sure")
        text = text.format(joint=iface_(joint_label(slot.name)), confidence=slot.confidence)
        layout.label(text=text, translate=False)


def _draw_question(
    layout: bpy.types.UILayout, context: bpy.types.Context, slot: SSRHMR_BoneSlot
) -> None:
    """Draw the question which bone represents a joint, with a button for each."""
    bones = slot.choices.splitlines()
    draw_wrapped_text(layout, context, bone_question(slot.name, bones), "QUESTION")
    column = layout.column(align=True)
    for bone in bones[:6]:
        choice: Any = column.operator(
            "ssrhmr.choose_bone", text=bone, icon="BONE_DATA", translate=False
        )
        choice.joint, choice.bone = slot.name, bone


class SSRHMR_PT_trackers(SidebarPanel, bpy.types.Panel):
    """The objects that follow the trackers."""

    bl_label = "Trackers"
    bl_idname = "SSRHMR_PT_trackers"
    preset_menu = "SSRHMR_MT_presets_trackers"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw a picker for each."""
        layout, setup = layout_of(self), setup_of(scene_of(context))
        layout.use_property_split = True
        layout.use_property_decorate = False
        column = layout.column(align=True)
        for role in TRACKERS:
            tracker = setup.tracker(role)
            column.prop(tracker, "object", text=TRACKER_LABELS[role])
            if tracker.object is not None and tracker.measures != "BOTH":
                column.prop(tracker, "measures")
        _draw_missing(layout, context, setup)
        column = layout.column(align=True)
        column.operator("ssrhmr.assign_trackers", icon="EYEDROPPER")
        column.operator("ssrhmr.trackers_from_armature", icon="ARMATURE_DATA")


def _draw_missing(
    layout: bpy.types.UILayout, context: bpy.types.Context, setup: SSRHMR_Setup
) -> None:
    """Say what happens without the trackers that are not chosen."""
    missing = [
        iface_(TRACKER_LABELS[role]) for role, obj in setup.tracker_objects().items() if obj is None
    ]
    if not missing or len(missing) == len(TRACKERS):
        return
    if not setup.has_anchor():
        text = iface_("Choose a pelvis or a head: the body begins there")
        draw_wrapped_text(layout, context, text, icon="ERROR")
        return
    text = iface_("Without a tracker, filled in by the model: {trackers}")
    draw_wrapped_text(layout, context, text.format(trackers=", ".join(missing)), icon="INFO")


class SSRHMR_PT_more_trackers(SidebarPanel, bpy.types.Panel):
    """The objects that follow optional trackers."""

    bl_label = "More Trackers"
    bl_idname = "SSRHMR_PT_more_trackers"
    bl_parent_id = "SSRHMR_PT_trackers"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Draw a picker for each, what it measures, and where those at elbows and knees sit."""
        layout, setup = layout_of(self), setup_of(scene_of(context))
        layout.use_property_split = True
        layout.use_property_decorate = False
        for role in EXTRA_TRACKERS:
            tracker = setup.tracker(role)
            column = layout.column(align=True)
            column.prop(tracker, "object", text=TRACKER_LABELS[role])
            if tracker.object is None:
                continue
            column.prop(tracker, "measures")
            if role in SEGMENT_LABELS:
                column.prop(tracker, "segment")
        column = layout.column(align=True)
        column.label(text="Measures")
        for role in TRACKERS:
            tracker = setup.tracker(role)
            if tracker.object is not None:
                column.prop(tracker, "measures", text=TRACKER_LABELS[role])
        layout.operator_menu_enum("ssrhmr.trackers_from_armature", "more", icon="ARMATURE_DATA")
        layout.operator("ssrhmr.clear_more_trackers", icon="X")


CLASSES = (
    SSRHMR_UL_bones,
    SSRHMR_PT_character,
    SSRHMR_PT_trackers,
    SSRHMR_PT_more_trackers,
)
