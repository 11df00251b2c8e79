# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel for those who are stuck."""

from __future__ import annotations

import bpy

from ..common.typed import layout_of
from ..common.ui import SidebarPanel


class SSRHMR_PT_help(SidebarPanel, bpy.types.Panel):
    """What to send when something goes wrong."""

    bl_label = "Help"
    bl_idname = "SSRHMR_PT_help"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the button."""
        layout_of(self).operator("ssrhmr.copy_report", icon="COPYDOWN")


CLASSES = (SSRHMR_PT_help,)
