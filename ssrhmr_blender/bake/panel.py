# SPDX-License-Identifier: GPL-3.0-or-later
"""The bake panel."""

from __future__ import annotations

import bpy

from ..common.modal_job import draw_progress
from ..common.typed import layout_of, scene_of
from ..common.ui import SidebarPanel, draw_mute_button, draw_wrapped_text
from ..properties.setup import SSRHMR_Setup, setup_of
from ..properties.tracker import EXTRA_TRACKERS, TRACKER_LABELS, TRACKERS
from .sub_panel import BakeSubPanel


class SSRHMR_PT_bake(SidebarPanel, bpy.types.Panel):
    """From trackers to keyframes."""

    bl_label = "Bake"
    bl_idname = "SSRHMR_PT_bake"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the range, the button, progress and the last message."""
        layout, scene = layout_of(self), scene_of(context)
        setup = setup_of(scene)
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(setup, "range")
        if setup.range == "CUSTOM":
            column = layout.column(align=True)
            column.prop(setup, "frame_start")
            column.prop(setup, "frame_end")
        if scene.render.fps < 60:
            layout.prop(setup, "between_frames")
        layout.prop(setup, "write_certainty")
        if draw_progress(layout, context):
            return
        row = layout.row()
        row.scale_y = 1.5
        row.operator("ssrhmr.bake", icon="REC")
        if setup.message:
            draw_wrapped_text(layout, context, setup.message)
        for line in setup.notes.splitlines():
            draw_wrapped_text(layout, context, line[:1].upper() + line[1:], "INFO")
        if setup.notes:
            draw_mute_button(layout, setup)


class SSRHMR_PT_cleanup(BakeSubPanel, bpy.types.Panel):
    """How the trackers are cleaned up before the model sees them."""

    bl_label = "Cleanup"
    bl_idname = "SSRHMR_PT_cleanup"

    @staticmethod
    def draw_settings(
        layout: bpy.types.UILayout, context: bpy.types.Context, setup: SSRHMR_Setup
    ) -> None:
        """Draw smoothing and the trackers' weights."""
        layout.prop(setup, "smoothing")
        if setup.smoothing == "CUTOFF":
            layout.prop(setup, "cutoff", text="Cutoff (Hz)")
        column = layout.column(align=True)
        column.label(text="Weights")
        more = setup.tracker_objects(EXTRA_TRACKERS)
        for role in (*TRACKERS, *(role for role, obj in more.items() if obj is not None)):
            column.prop(setup.tracker(role), "weight", text=TRACKER_LABELS[role], slider=True)


CLASSES = (SSRHMR_PT_bake, SSRHMR_PT_cleanup)
