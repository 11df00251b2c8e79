# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's preferences."""

from __future__ import annotations

from typing import Any

import bpy

from ..common.log import set_console_level
from ..common.typed import layout_of

_ADDON = __package__.rpartition(".")[0]
"""The module that Blender enables: ``bl_ext.user_default.ssrhmr`` once installed."""


def _use_level(preferences: SSRHMR_Preferences, _context: bpy.types.Context) -> None:
    set_console_level(preferences.log_level)


class SSRHMR_Preferences(bpy.types.AddonPreferences):
    """What is the same in all files."""

    bl_idname = _ADDON

    log_level: bpy.props.EnumProperty(
        name="Log Level",
        description="Messages that are written to the system console",
        items=(
            ("ERROR", "Errors", "Only failures of the add-on itself"),
            ("WARNING", "Warnings", "Also what it could not do, and why"),
            ("INFO", "Information", "Also what it has done"),
            ("DEBUG", "Debug", "Everything, for developers"),
        ),
        default="WARNING",
        update=_use_level,
    )

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the level and the button for reports."""
        layout = layout_of(self)
        layout.use_property_split = True
        layout.prop(self, "log_level")
        layout.operator("ssrhmr.copy_report", icon="COPYDOWN")


def use_stored_level() -> None:
    """Log at the level of the preferences; a checkout that is only registered has none."""
    addon = bpy.context.preferences.addons.get(_ADDON) if bpy.context.preferences else None
    preferences: Any = addon.preferences if addon else None
    if preferences is not None:
        set_console_level(preferences.log_level)


CLASSES = (SSRHMR_Preferences,)
