# SPDX-License-Identifier: GPL-3.0-or-later
"""The slips that bakes take back, as the panel lists them, and how to leave one as it is."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.app.translations import pgettext_iface as iface_

from ..common.typed import OperatorResult, scene_of
from ..properties.setup import SSRHMR_Setup, setup_of
from ..properties.tracker import TRACKER_LABELS


class SSRHMR_OT_keep_slip(bpy.types.Operator):
    """Bake this slip as the trackers have it, instead of taking it back."""

    bl_idname = "ssrhmr.keep_slip"
    bl_label = "Keep Slip"
    bl_options = {"REGISTER", "UNDO"}

    number: bpy.props.IntProperty(name="Number", description="Number of the slip, from 0", min=0)

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        """Remove the slip from those that are taken back."""
        slips = setup_of(scene_of(context)).slips
        if self.number >= len(slips):
            self.report({"WARNING"}, "There is no such slip: choose one in the Calibration panel")
            return {"CANCELLED"}
        slips.remove(self.number)
        return {"FINISHED"}


def draw_slips(layout: bpy.types.UILayout, setup: SSRHMR_Setup) -> None:
    """Draw a line for each slip that bakes take back, with a button to leave it as it is.

    Args:
        layout: The layout to draw into.
        setup: The setup.
    """
    if not setup.slips:
        return
    column = layout.column(align=True)
    column.label(text="Slips Taken Back")
    for number, slip in enumerate(setup.slips):
        row = column.row(align=True)
        text = iface_("{tracker}: {distance:.0f} cm, frame {frame:.0f}").format(
            tracker=iface_(TRACKER_LABELS.get(slip.tracker, slip.tracker)),
            distance=slip.distance,
            frame=slip.frame,
        )
        row.label(text=text, icon="LOOP_BACK", translate=False)
        keep: Any = row.operator("ssrhmr.keep_slip", text="", icon="X")
        keep.number = number


CLASSES = (SSRHMR_OT_keep_slip,)
