# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator that copies a report."""

from __future__ import annotations

import bpy

from ..common.typed import OperatorResult, scene_of, window_manager_of
from .report import make_report


class SSRHMR_OT_copy_report(bpy.types.Operator):
    """Copy versions, mapping, calibration and the last messages, without names and paths, to paste into an issue."""  # noqa: E501 - Blender shows it as the tooltip

    bl_idname = "ssrhmr.copy_report"
    bl_label = "Copy Report"

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        """Copy the report."""
        window_manager_of(context).clipboard = make_report(scene_of(context))
        self.report({"INFO"}, "Report copied: paste it into the issue")
        return {"FINISHED"}


CLASSES = (SSRHMR_OT_copy_report,)
