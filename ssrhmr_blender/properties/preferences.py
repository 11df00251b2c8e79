# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user sets once, for all files. Files from elsewhere cannot change it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from ..common.log import set_console_level
from ..common.typed import layout_of

PACKAGE = (__package__ or "").rpartition(".")[0]
"""The name of the add-on, as Blender has it."""


def _use_log_level(preferences: SSRHMR_Preferences, _context: bpy.types.Context) -> None:
    set_console_level(preferences.log_level)


class SSRHMR_Preferences(bpy.types.AddonPreferences):
    """The settings of the add-on in Blender's preferences."""

    bl_idname = PACKAGE

    openvr: bpy.props.StringProperty(
        name="SteamVR Package",
        description="The wheel of the Python package openvr, as fetched from PyPI, or a folder with"
        " it. If empty: where Blender's Python has it installed. It is run as a program",
        subtype="FILE_PATH",
    )
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
        update=_use_log_level,
    )

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the settings, and the button for reports."""
        layout = layout_of(self)
        layout.use_property_split = True
        layout.prop(self, "openvr")
        layout.prop(self, "log_level")
        layout.operator("ssrhmr.copy_report", icon="COPYDOWN")


def openvr_package() -> Path | None:
    """Return what the user chose as the package openvr, None if nothing."""
    preferences = _stored_preferences()
    chosen: str = preferences.openvr if preferences else ""
    return Path(bpy.path.abspath(chosen)) if chosen else None


def use_stored_log_level() -> None:
    """Log to the console at the level of the preferences."""
    preferences = _stored_preferences()
    if preferences:
        set_console_level(preferences.log_level)


def _stored_preferences() -> Any:
    """Return the preferences of the add-on; None where it is not enabled, as in tests."""
    addon = bpy.context.preferences.addons.get(PACKAGE) if bpy.context.preferences else None
    return addon.preferences if addon else None


CLASSES = (SSRHMR_Preferences,)
