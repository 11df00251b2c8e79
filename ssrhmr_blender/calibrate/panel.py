"""The calibration panel."""

from __future__ import annotations

import bpy

from ..panels import SidebarPanel, draw_text
from ..settings import setup_of

_GOOD, _FAIR = 0.6, 0.35


class SSRHMR_PT_calibration(SidebarPanel, bpy.types.Panel):
    """How the trackers sit on the body."""

    bl_label = "Calibration"
    bl_idname = "SSRHMR_PT_calibration"
    preset_menu = "SSRHMR_MT_presets_calibration"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the choices, and the result tracker by tracker."""
        layout, setup = self.layout, setup_of(context.scene)
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(setup, "calibration_frame")
        layout.prop(setup, "reference")
        row = layout.row()
        row.active = setup.reference == "T_POSE"
        row.prop(setup, "scale")
        layout.operator("ssrhmr.calibrate", icon="OUTLINER_OB_ARMATURE")
        if not setup.calibration:
            layout.label(text="Not calibrated yet", icon="INFO")
            return
        column = layout.column(align=True)
        for fit in setup.fits:
            split = column.split(factor=0.5)
            mark = "ERROR"
            if fit.quality >= _FAIR:
                mark = "CHECKMARK" if fit.quality >= _GOOD else "QUESTION"
            split.label(text=fit.name, icon=mark)
            split.label(text=f"{100.0 * fit.arm:.1f} cm, {100.0 * fit.quality:.0f} %")
        for warning in setup.warnings:
            draw_text(layout, context, warning.name, icon="ERROR")


CLASSES = (SSRHMR_PT_calibration,)
