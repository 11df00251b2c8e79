# SPDX-License-Identifier: GPL-3.0-or-later
"""The calibration panel."""

from __future__ import annotations

import bpy
from bpy.app.translations import pgettext_iface as iface_

from ..common.axes import metre
from ..common.calibration_result import draw_measures, draw_tracker_fits
from ..common.typed import layout_of, scene_of
from ..common.ui import SidebarPanel, draw_swap_buttons, draw_wrapped_text
from ..properties.setup import setup_of
from .slips import draw_slips

_MOVING = 0.15
"""Metres a second above which the calibration warns."""


class SSRHMR_PT_calibration(SidebarPanel, bpy.types.Panel):
    """How the trackers sit on the body: reference pose, result and warnings."""

    bl_label = "Calibration"
    bl_idname = "SSRHMR_PT_calibration"
    preset_menu = "SSRHMR_MT_presets_calibration"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the choices, and the result tracker by tracker."""
        layout, setup = layout_of(self), setup_of(scene_of(context))
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(setup, "reference")
        row = layout.row(align=True)
        row.active = setup.reference != "JOINTS"
        row.prop(setup, "calibration_frame")
        row.operator("ssrhmr.find_still", text="", icon="VIEWZOOM")
        row = layout.row()
        row.active = setup.reference != "CHARACTER"
        row.prop(setup, "proportions")
        if setup.proportions == "RETARGET":
            row = layout.row()
            row.active = setup.reference not in ("CHARACTER", "JOINTS")
            row.prop(setup, "height")
        layout.operator("ssrhmr.calibrate", icon="OUTLINER_OB_ARMATURE")
        if not setup.calibration:
            layout.label(text="Not calibrated yet", icon="INFO")
            return
        is_complete = None not in setup.tracker_objects().values()
        from_pose = setup.reference not in ("CHARACTER", "JOINTS") and setup.proportions != "FIT"
        if from_pose and is_complete:
            layout.operator_menu_enum("ssrhmr.refine_calibration", "evidence", icon="ARMATURE_DATA")
        column = layout.column(align=True)
        draw_tracker_fits(column, setup)
        if setup.fits:
            fastest = max(setup.fits, key=lambda fit: fit.speed)
            text = iface_("Fastest tracker: {speed:.0f} cm/s ({tracker})")
            column.label(
                text=text.format(speed=100.0 * fastest.speed, tracker=iface_(fastest.name)),
                icon="ERROR" if fastest.speed > _MOVING else "CHECKMARK",
            )
        draw_measures(layout.column(align=True), setup, metre(scene_of(context)))
        layout.prop(setup, "correct_floor")
        draw_slips(layout, setup)
        if setup.assumed:
            draw_wrapped_text(layout, context, setup.assumed, icon="INFO")
        for warning in setup.warnings:
            draw_wrapped_text(layout, context, warning.name, icon="ERROR")
            draw_swap_buttons(layout, warning)


class SSRHMR_PT_adjustments(SidebarPanel, bpy.types.Panel):
    """Adjustments of the calibration by hand, tracker by tracker."""

    bl_label = "Manual Adjustment"
    bl_idname = "SSRHMR_PT_adjustments"
    bl_parent_id = "SSRHMR_PT_calibration"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the adjustment of the chosen tracker."""
        layout, setup = layout_of(self), setup_of(scene_of(context))
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(setup, "adjusted_tracker", text="Tracker")
        tracker = setup.tracker(setup.adjusted_tracker)
        layout.prop(tracker, "offset")
        layout.prop(tracker, "rotation")


CLASSES = (SSRHMR_PT_calibration, SSRHMR_PT_adjustments)
