# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panels below the Bake panel share."""

from __future__ import annotations

import bpy

from ..common.modal_job import is_running
from ..common.typed import layout_of, scene_of
from ..common.ui import SidebarPanel
from ..properties.setup import SSRHMR_Setup, setup_of


class BakeSubPanel(SidebarPanel):
    """A closed panel of settings that nobody can change while a job runs."""

    bl_parent_id = "SSRHMR_PT_bake"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the settings of the scene's setup."""
        layout = layout_of(self)
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.enabled = not is_running()
        self.draw_settings(layout, context, setup_of(scene_of(context)))

    @staticmethod
    def draw_settings(
        layout: bpy.types.UILayout, context: bpy.types.Context, setup: SSRHMR_Setup
    ) -> None:
        """Draw the settings.

        Args:
            layout: The layout to draw into, with labels on the left.
            context: The context of the panel.
            setup: The scene's active setup.
        """
        raise NotImplementedError
