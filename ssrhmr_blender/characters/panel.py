# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of characters."""

from __future__ import annotations

import bpy
from bpy.app.translations import pgettext_iface as iface_

from ..common.modal_job import is_running
from ..common.typed import layout_of, scene_of
from ..common.ui import RowList, SidebarPanel
from ..properties.characters import (
    SSRHMR_Character,
    SSRHMR_Characters,
    characters_of,
    setup_in,
)
from ..translations import CONTEXT


class SSRHMR_UL_characters(RowList, bpy.types.UIList):
    """The characters of a scene."""

    @staticmethod
    def draw_row(
        context: bpy.types.Context,
        layout: bpy.types.UILayout,
        characters: SSRHMR_Characters,
        entry: SSRHMR_Character,
    ) -> None:
        """Draw the setup's name and its armature."""
        split = layout.split(factor=0.5, align=True)
        split.prop(entry, "name", text="", emboss=False)
        armature = setup_in(characters, entry).armature
        if armature is None:
            split.label(text="Not chosen", icon="ERROR")
        elif scene_of(context).objects.get(armature.name) != armature:
            text = iface_("Deleted: {name}").format(name=armature.name)
            split.label(text=text, icon="ERROR", translate=False)
        else:
            split.label(text=armature.name, icon="ARMATURE_DATA", translate=False)


class SSRHMR_PT_setups(SidebarPanel, bpy.types.Panel):
    """The list of characters; the panels below show the active one."""

    bl_label = "Characters"
    bl_idname = "SSRHMR_PT_setups"
    bl_translation_context = CONTEXT
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the list with its buttons."""
        layout, characters = layout_of(self), characters_of(scene_of(context))
        row = layout.row()
        row.enabled = not is_running()
        if characters.entries:
            row.template_list(
                *("SSRHMR_UL_characters", "", characters, "entries", characters, "active"),
                rows=4,
            )
        else:
            row.label(text="One character so far")
        column = row.column(align=True)
        column.operator("ssrhmr.setup_add", icon="ADD", text="")
        column.operator("ssrhmr.setup_remove", icon="REMOVE", text="")
        column.operator("ssrhmr.setup_duplicate", icon="DUPLICATE", text="")
        layout.operator("ssrhmr.setup_of_selected", icon="RESTRICT_SELECT_OFF")


CLASSES = (SSRHMR_UL_characters, SSRHMR_PT_setups)
