# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel for many takes."""

from __future__ import annotations

from typing import Any

import bpy

from ..common.modal_job import draw_progress
from ..common.typed import Icon, layout_of, scene_of
from ..common.ui import RowList, SidebarPanel, draw_wrapped_text
from .properties import SSRHMR_Batch, SSRHMR_Take, batch_of

_ICONS: dict[str, Icon] = {"WAITING": "RADIOBUT_OFF", "DONE": "CHECKMARK", "SKIPPED": "ERROR"}


class SSRHMR_UL_takes(RowList, bpy.types.UIList):
    """The takes."""

    @staticmethod
    def draw_row(
        context: bpy.types.Context,
        layout: bpy.types.UILayout,
        batch: SSRHMR_Batch,
        take: SSRHMR_Take,
    ) -> None:
        """Draw a tick, the name and the state."""
        row = layout.row(align=True)
        row.prop(take, "use", text="")
        row.label(text=take.name, icon=_ICONS[take.state], translate=False)
        if take.state == "DONE":
            show: Any = row.operator("ssrhmr.show_take", text="", icon="PLAY", emboss=False)
            show.take = take.name


class SSRHMR_PT_batch(SidebarPanel, bpy.types.Panel):
    """Many takes at once."""

    bl_label = "Many Takes"
    bl_idname = "SSRHMR_PT_batch"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the list, its choices and the button."""
        layout, batch = layout_of(self), batch_of(scene_of(context))
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(batch, "source")
        layout.operator("ssrhmr.find_takes", icon="VIEWZOOM")
        if not batch.takes:
            return
        layout.template_list("SSRHMR_UL_takes", "", batch, "takes", batch, "active", rows=4)
        if 0 <= batch.active < len(batch.takes) and batch.takes[batch.active].result:
            draw_wrapped_text(layout, context, batch.takes[batch.active].result)
        layout.prop(batch, "span")
        layout.prop(batch, "strips")
        if not draw_progress(layout, context):
            row = layout.row()
            row.scale_y = 1.5
            row.operator("ssrhmr.bake_takes", icon="REC")


CLASSES = (SSRHMR_UL_takes, SSRHMR_PT_batch)
