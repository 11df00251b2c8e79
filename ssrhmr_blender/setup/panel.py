"""The panels for the character and the trackers."""

from __future__ import annotations

import bpy

from ..panels import SidebarPanel
from ..settings import TRACKERS, label_of, setup_of

_SURE, _LIKELY = 0.95, 0.3


class SSRHMR_UL_bones(bpy.types.UIList):
    """The 22 joints and their bones."""

    def draw_item(
        self,
        context: bpy.types.Context,
        layout: bpy.types.UILayout,
        data: bpy.types.AnyType,
        item: bpy.types.AnyType,
        icon: int,
        active_data: bpy.types.AnyType,
        active_property: str,
    ) -> None:
        """Draw a joint, a mark of how sure it is, and its bone."""
        if not item.bone:
            mark = "ERROR" if item.required else "REMOVE"
        elif item.confidence >= _SURE:
            mark = "CHECKMARK"
        else:
            mark = "QUESTION" if item.confidence >= _LIKELY else "ERROR"
        split = layout.split(factor=0.47, align=True)
        split.label(text=label_of(item.name), icon=mark)
        armature = data.armature
        if armature is not None:
            split.prop_search(item, "bone", armature.data, "bones", text="")


class SSRHMR_PT_character(SidebarPanel, bpy.types.Panel):
    """The character and its bones."""

    bl_label = "Character"
    bl_idname = "SSRHMR_PT_character"
    preset_menu = "SSRHMR_MT_presets_bones"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the picker and the table."""
        layout, setup = self.layout, setup_of(context.scene)
        layout.prop(setup, "armature", text="", icon="ARMATURE_DATA")
        if setup.armature is None:
            layout.operator("ssrhmr.load_example", icon="IMPORT")
        column = layout.column()
        column.enabled = setup.armature is not None
        column.operator("ssrhmr.detect_bones", icon="BONE_DATA")
        if setup.bones:
            column.label(text=f"{setup.family} names")
            column.template_list(
                "SSRHMR_UL_bones", "", setup, "bones", setup, "active_bone", rows=8, maxrows=11
            )


class SSRHMR_PT_trackers(SidebarPanel, bpy.types.Panel):
    """The six trackers."""

    bl_label = "Trackers"
    bl_idname = "SSRHMR_PT_trackers"
    preset_menu = "SSRHMR_MT_presets_trackers"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the six pickers."""
        layout, setup = self.layout, setup_of(context.scene)
        layout.use_property_split = True
        layout.use_property_decorate = False
        column = layout.column(align=True)
        for role in TRACKERS:
            column.prop(setup, role)
        layout.operator("ssrhmr.assign_trackers", icon="EYEDROPPER")


CLASSES = (SSRHMR_UL_bones, SSRHMR_PT_character, SSRHMR_PT_trackers)
