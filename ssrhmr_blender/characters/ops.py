# SPDX-License-Identifier: GPL-3.0-or-later
"""Adding, removing, copying and finding setups."""

from __future__ import annotations

import bpy
from bpy.app.translations import pgettext_tip as tip_

from ..common.modal_job import is_running
from ..properties import characters
from ..properties.settings import setup_of


class _ListOperator:
    """The list stays as it is while a job works on it."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether no job is running."""
        if is_running():
            cls.poll_message_set(tip_("Wait for the bake, or press Esc"))
            return False
        return context.scene is not None


class SSRHMR_OT_setup_add(_ListOperator, bpy.types.Operator):
    """Add a character with a setup of its own; a selected armature is chosen at once."""

    bl_idname = "ssrhmr.setup_add"
    bl_label = "Add Character"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Append a setup."""
        armature = _selected(context)
        if armature is not None and characters.find(context.scene, armature) >= 0:
            armature = None
        setup = characters.add(context.scene, armature.name if armature else "")
        setup.armature = armature
        return {"FINISHED"}


class SSRHMR_OT_setup_remove(_ListOperator, bpy.types.Operator):
    """Forget the active character's setup; the character itself, and its actions, stay."""

    bl_idname = "ssrhmr.setup_remove"
    bl_label = "Remove Character"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Remove the active setup."""
        characters.remove(context.scene)
        return {"FINISHED"}


class SSRHMR_OT_setup_duplicate(_ListOperator, bpy.types.Operator):
    """Copy the active setup, such as for a second character that follows the same trackers."""

    bl_idname = "ssrhmr.setup_duplicate"
    bl_label = "Duplicate Setup"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Append a copy."""
        characters.duplicate(context.scene)
        return {"FINISHED"}


class SSRHMR_OT_setup_of_selected(_ListOperator, bpy.types.Operator):
    """Switch to the setup of the selected character; add one if it has none."""

    bl_idname = "ssrhmr.setup_of_selected"
    bl_label = "Setup of Selected"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Find the armature, or the one that moves the selected mesh."""
        armature = _selected(context)
        if armature is None:
            self.report({"ERROR"}, "Select a character first: its armature, or a mesh it moves")
            return {"CANCELLED"}
        number = characters.find(context.scene, armature)
        if number >= 0:
            characters.characters_of(context.scene).active = number
        else:
            setup = setup_of(context.scene)
            if setup.armature is not None:
                setup = characters.add(context.scene, armature.name)
            setup.armature = armature
        return {"FINISHED"}


def _selected(context: bpy.types.Context) -> bpy.types.Object | None:
    """Return the active object's armature."""
    obj = context.view_layer.objects.active
    if obj is None or not obj.select_get():
        return None
    return obj if obj.type == "ARMATURE" else obj.find_armature()


CLASSES = (
    SSRHMR_OT_setup_add,
    SSRHMR_OT_setup_remove,
    SSRHMR_OT_setup_duplicate,
    SSRHMR_OT_setup_of_selected,
)
