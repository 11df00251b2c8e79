"""The bake panel."""

from __future__ import annotations

import bpy

from ..panels import SidebarPanel, draw_text
from ..settings import setup_of
from .ops import is_running


class SSRHMR_PT_bake(SidebarPanel, bpy.types.Panel):
    """From trackers to keyframes."""

    bl_label = "Bake"
    bl_idname = "SSRHMR_PT_bake"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the range, the button, progress and the last message."""
        layout, setup, scene = self.layout, setup_of(context.scene), context.scene
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(setup, "range")
        if setup.range == "CUSTOM":
            column = layout.column(align=True)
            column.prop(setup, "frame_start")
            column.prop(setup, "frame_end")
        if scene.render.fps < 60:
            layout.prop(setup, "between_frames")
        if is_running():
            layout.progress(factor=setup.progress, text=setup.message)
            layout.label(text="Esc cancels", icon="INFO")
            return
        row = layout.row()
        row.scale_y = 1.5
        row.operator("ssrhmr.bake", icon="REC")
        if setup.message:
            draw_text(layout, context, setup.message)


CLASSES = (SSRHMR_PT_bake,)
