# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user sets once, for all files. Files from elsewhere cannot change it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

PACKAGE = (__package__ or "").rpartition(".")[0]
"""The name of the add-on, as Blender has it."""


class SSRHMR_Preferences(bpy.types.AddonPreferences):
    """The settings of the add-on in Blender's preferences."""

    bl_idname = PACKAGE

    openvr: bpy.props.StringProperty(
        name="SteamVR Package",
        description="The wheel of the Python package openvr, as fetched from PyPI, or a folder with"
        " it. If empty: where Blender's Python has it installed. It is run as a program",
        subtype="FILE_PATH",
    )

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the settings."""
        self.layout.prop(self, "openvr")


def openvr_package() -> Path | None:
    """Return what the user chose as the package openvr, None if nothing."""
    addon = bpy.context.preferences.addons.get(PACKAGE) if bpy.context.preferences else None
    # Without an add-on that is enabled, as in tests, nothing was chosen.
    preferences: Any = addon.preferences if addon else None
    chosen: str = preferences.openvr if preferences else ""
    return Path(bpy.path.abspath(chosen)) if chosen else None


CLASSES = (SSRHMR_Preferences,)
