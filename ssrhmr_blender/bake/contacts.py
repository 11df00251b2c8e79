# SPDX-License-Identifier: GPL-3.0-or-later
"""Contacts with the floor: found, corrected by hand, and baked again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import bpy
from bpy.app.translations import pgettext_tip as tip_

from ..baking.existing import find_contacts
from ..common.modal_job import ModalJob, Steps
from ..common.typed import OperatorResult, scene_of
from ..common.ui import RowList
from ..properties.setup import SSRHMR_Setup, setup_of
from .sub_panel import BakeSubPanel

if TYPE_CHECKING:
    from ssrhmr_core.tracking.contacts import ContactRange

_LENGTH = 10


class SSRHMR_OT_find_contacts(ModalJob, bpy.types.Operator):
    """Find when feet rest on the floor, and replace the list of contacts by that."""

    bl_idname = "ssrhmr.find_contacts"
    bl_label = "Find Contacts"
    bl_options = {"REGISTER", "UNDO"}
    job = "Search"

    def start(self, context: bpy.types.Context) -> Steps:
        """Search the trackers' animation."""
        return find_contacts(scene_of(context))

    def finish(self, context: bpy.types.Context, result: Sequence[ContactRange]) -> OperatorResult:
        """Report how many there are."""
        text = f"{len(result)} contacts: correct the list, and bake"
        setup_of(scene_of(context)).message = text
        self.report({"INFO"}, text)
        return {"FINISHED"}


class SSRHMR_OT_add_contact(bpy.types.Operator):
    """Add a contact at the current frame, of the same part as the selected one."""

    bl_idname = "ssrhmr.add_contact"
    bl_label = "Add Contact"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        """Append a short range and select it."""
        scene = scene_of(context)
        contacts = setup_of(scene).contacts
        part = ""
        if 0 <= contacts.active < len(contacts.entries):
            part = contacts.entries[contacts.active].part
        entry = contacts.entries.add()
        if part:
            entry.part = part
        entry.frame_start, entry.frame_end = scene.frame_current, scene.frame_current + _LENGTH
        contacts.source, contacts.active = "LIST", len(contacts.entries) - 1
        return {"FINISHED"}


class SSRHMR_OT_remove_contact(bpy.types.Operator):
    """Remove the selected contact from the list."""

    bl_idname = "ssrhmr.remove_contact"
    bl_label = "Remove Contact"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Return whether one is selected."""
        contacts = setup_of(context.scene).contacts
        if 0 <= contacts.active < len(contacts.entries):
            return True
        cls.poll_message_set(tip_("Select a contact in the list first"))
        return False

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        """Remove it."""
        contacts = setup_of(scene_of(context)).contacts
        contacts.entries.remove(contacts.active)
        contacts.active = max(0, min(contacts.active, len(contacts.entries) - 1))
        return {"FINISHED"}


class SSRHMR_UL_contacts(RowList, bpy.types.UIList):
    """Contacts: a part of the body, and its first and last frame."""

    @staticmethod
    def draw_row(
        context: bpy.types.Context, layout: bpy.types.UILayout, data: Any, item: Any
    ) -> None:
        """Draw one contact."""
        split = layout.split(factor=0.5, align=True)
        split.prop(item, "part", text="", emboss=False)
        row = split.row(align=True)
        row.prop(item, "frame_start", text="")
        row.prop(item, "frame_end", text="")


class SSRHMR_PT_contacts(BakeSubPanel, bpy.types.Panel):
    """When parts of the body rest on the floor."""

    bl_label = "Contacts"
    bl_idname = "SSRHMR_PT_contacts"

    @staticmethod
    def draw_settings(
        layout: bpy.types.UILayout, context: bpy.types.Context, setup: SSRHMR_Setup
    ) -> None:
        """Draw how contacts are found, and their list."""
        contacts = setup.contacts
        layout.prop(setup, "planting", slider=True)
        layout.prop(contacts, "release")
        column = layout.column(align=True)
        for name in ("sensitivity", "gap", "whole_body", "above_floor"):
            column.prop(contacts, name)
        layout.prop(contacts, "source")
        layout.operator("ssrhmr.find_contacts")
        row = layout.row()
        row.template_list("SSRHMR_UL_contacts", "", contacts, "entries", contacts, "active", rows=4)
        column = row.column(align=True)
        column.operator("ssrhmr.add_contact", text="", icon="ADD")
        column.operator("ssrhmr.remove_contact", text="", icon="REMOVE")


CLASSES = (
    SSRHMR_OT_find_contacts,
    SSRHMR_OT_add_contact,
    SSRHMR_OT_remove_contact,
    SSRHMR_UL_contacts,
    SSRHMR_PT_contacts,
)
