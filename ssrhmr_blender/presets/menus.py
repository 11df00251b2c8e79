# SPDX-License-Identifier: GPL-3.0-or-later
"""The preset menus in the headers of panels."""

from __future__ import annotations

import bpy

from ..common.typed import MenuMixin, layout_of
from .files import names_in
from .kinds import folder_of


class _PresetMenu(MenuMixin):
    """Lists the user's presets; folders are read when a menu is opened."""

    kind = ""

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the presets, then the actions on them."""
        layout = layout_of(self)
        names = names_in(folder_of(self.kind))
        for name in names:
            chosen = layout.operator("ssrhmr.preset_load", text=name, translate=False)
            chosen.kind, chosen.name = self.kind, name
        if names:
            layout.separator()
        layout.operator("ssrhmr.preset_save", text="Save...", icon="ADD").kind = self.kind
        if names:
            layout.menu(f"SSRHMR_MT_delete_{self.kind}", icon="REMOVE")
        layout.separator()
        layout.operator("ssrhmr.preset_import", text="Import...", icon="IMPORT").kind = self.kind
        layout.operator("ssrhmr.preset_export", text="Export...", icon="EXPORT").kind = self.kind


class _DeleteMenu(MenuMixin):
    """Lists the user's presets for deleting."""

    kind = ""

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the names."""
        for name in names_in(folder_of(self.kind)):
            chosen = layout_of(self).operator("ssrhmr.preset_delete", text=name, translate=False)
            chosen.kind, chosen.name = self.kind, name


class SSRHMR_MT_presets_bones(_PresetMenu, bpy.types.Menu):
    """Mappings of bones."""

    bl_label = "Bone Presets"
    kind = "bones"


class SSRHMR_MT_presets_trackers(_PresetMenu, bpy.types.Menu):
    """Names of tracker objects, and cleanup."""

    bl_label = "Tracker Presets"
    kind = "trackers"


class SSRHMR_MT_presets_calibration(_PresetMenu, bpy.types.Menu):
    """Calibrations."""

    bl_label = "Calibration Presets"
    kind = "calibration"


class SSRHMR_MT_presets_live(_PresetMenu, bpy.types.Menu):
    """Sources of live trackers, and where each device is worn."""

    bl_label = "Live Presets"
    kind = "live"


class SSRHMR_MT_delete_bones(_DeleteMenu, bpy.types.Menu):
    """Mappings of bones to delete."""

    bl_label = "Delete"
    kind = "bones"


class SSRHMR_MT_delete_trackers(_DeleteMenu, bpy.types.Menu):
    """Tracker setups to delete."""

    bl_label = "Delete"
    kind = "trackers"


class SSRHMR_MT_delete_calibration(_DeleteMenu, bpy.types.Menu):
    """Calibrations to delete."""

    bl_label = "Delete"
    kind = "calibration"


class SSRHMR_MT_delete_live(_DeleteMenu, bpy.types.Menu):
    """Live setups to delete."""

    bl_label = "Delete"
    kind = "live"


CLASSES = (
    SSRHMR_MT_presets_bones,
    SSRHMR_MT_presets_trackers,
    SSRHMR_MT_presets_calibration,
    SSRHMR_MT_presets_live,
    SSRHMR_MT_delete_bones,
    SSRHMR_MT_delete_trackers,
    SSRHMR_MT_delete_calibration,
    SSRHMR_MT_delete_live,
)
