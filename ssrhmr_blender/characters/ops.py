# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators that add, remove, duplicate and find setups."""

from __future__ import annotations

import bpy
from bpy.app.translations import pgettext_tip as tip_

from ..common.modal_job import is_running
from ..common.typed import OperatorMixin, OperatorResult, scene_of
from ..properties import characters
from ..properties.setup import setup_of
from ..rig.selection import selected_armature


class _ListOperator(OperatorMixin):
    """Keeps the list unchanged while a job uses it."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Return whether no job is running."""
        if is_running():
            cls.poll_message_set(tip_("Wait for the bake, or press Esc to cancel it"))
            return False
        return context.scene is not None


class SSRHMR_OT_setup_add(_ListOperator, bpy.types.Operator):
    """Add a character with a setup of its own, for the selected armature if there is one."""

    bl_idname = "ssrhmr.setup_add"
    bl_label = "Add Character"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        """Append a setup."""
        armature = selected_armature(context)
        if armature is not None and characters.find_setup(scene_of(context), armature) >= 0:
            armature = None
        setup = characters.add_setup(scene_of(context), armature.name if armature else "")
        setup.armature = armature
        return {"FINISHED"}


class SSRHMR_OT_setup_remove(_ListOperator, bpy.types.Operator):
    """Remove the setup of the active character; the character and its actions stay."""

    bl_idname = "ssrhmr.setup_remove"
    bl_label = "Remove Character"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        """Remove the active setup."""
        characters.remove_setup(scene_of(context))
        return {"FINISHED"}


class SSRHMR_OT_setup_duplicate(_ListOperator, bpy.types.Operator):
    """Duplicate the active setup, such as for another character that follows the same trackers."""

    bl_idname = "ssrhmr.setup_duplicate"
    bl_label = "Duplicate Setup"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        """Append a copy."""
        characters.duplicate_setup(scene_of(context))
        return {"FINISHED"}


class SSRHMR_OT_setup_of_selected(_ListOperator, bpy.types.Operator):
    """Switch to the setup of the selected character, or add one if it has none."""

    bl_idname = "ssrhmr.setup_of_selected"
    bl_label = "Setup of Selected"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        """Find the selected armature, or the one that deforms the selected mesh."""
        armature = selected_armature(context)
        if armature is None:
            self.report(
                {"ERROR"},
                "No character is selected: select its armature, or a mesh that it deforms",
            )
            return {"CANCELLED"}
        number = characters.find_setup(scene_of(context), armature)
        if number >= 0:
            characters.characters_of(scene_of(context)).active = number
        else:
            setup = setup_of(scene_of(context))
            if setup.armature is not None:
                setup = characters.add_setup(scene_of(context), armature.name)
            setup.armature = armature
        return {"FINISHED"}


CLASSES = (
    SSRHMR_OT_setup_add,
    SSRHMR_OT_setup_remove,
    SSRHMR_OT_setup_duplicate,
    SSRHMR_OT_setup_of_selected,
)
