# SPDX-License-Identifier: GPL-3.0-or-later
"""Differences between the versions of Blender that the add-on runs in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import bpy

if TYPE_CHECKING:
    CurveOwner = bpy.types.Action | bpy.types.ActionChannelbag
    """What holds curves and groups: the action itself before Blender 4.4."""

LAYERED_ACTIONS = hasattr(bpy.types, "ActionChannelbag")
"""Whether actions have layers, slots and channelbags: since Blender 4.4."""


def stored_properties(scene: bpy.types.Scene) -> Any:
    """Return what a file stores of the properties that add-ons declare, by name; None if nothing.

    Since Blender 5.0 they are kept apart from users' own custom properties.
    """
    read = getattr(scene, "bl_system_properties_get", None)
    return read() if read else scene


def data_handlers() -> list[list[Any]]:
    """Return the lists of handlers that Blender calls after it has read data from a file.

    Since Blender 4.3 there is one for data that is appended or linked; in 4.2 such data is seen
    when the file is opened again.
    """
    names = ("load_post", "blend_import_post")
    return [getattr(bpy.app.handlers, name) for name in names if hasattr(bpy.app.handlers, name)]


def new_action(name: str, owner: bpy.types.Object | bpy.types.Key) -> bpy.types.Action:
    """Return a new, empty action for an object or shape keys, with a slot where there are slots."""
    action = bpy.data.actions.new(name)
    if LAYERED_ACTIONS:
        action.slots.new(id_type=owner.id_type, name=owner.name)
        action.layers.new("Layer").strips.new(type="KEYFRAME")
    return action


def curve_owner(action: bpy.types.Action) -> CurveOwner:
    """Return what holds curves and groups of an action's first slot."""
    if not LAYERED_ACTIONS:
        return action
    return next(_keyframe_strips(action)).channelbag(action.slots[0], ensure=True)


def assigned_slot(
    owner: bpy.types.AnimData | bpy.types.NlaStrip,
) -> bpy.types.ActionSlot | None:
    """Return the slot of an action that is in use; None before Blender 4.4."""
    return owner.action_slot if LAYERED_ACTIONS and owner.action else None


def assign_slot(
    owner: bpy.types.AnimData | bpy.types.NlaStrip, slot: bpy.types.ActionSlot | None
) -> None:
    """Use a slot of the assigned action, or the first one that fits if None is given.

    Nothing changes before Blender 4.4, or where a slot is in use already and None is given.
    """
    if not LAYERED_ACTIONS:
        return
    if slot is None and owner.action_slot is None:
        slot = next(iter(owner.action_suitable_slots), None)
    if slot is not None:
        owner.action_slot = slot


def first_slot(action: bpy.types.Action) -> bpy.types.ActionSlot | None:
    """Return the first slot of an action, None before Blender 4.4."""
    return action.slots[0] if LAYERED_ACTIONS else None


def find_slot(action: bpy.types.Action, identifier: str) -> bpy.types.ActionSlot | None:
    """Return the slot with an identifier, None if there is none or before Blender 4.4."""
    slots = action.slots if LAYERED_ACTIONS else ()
    return next((slot for slot in slots if slot.identifier == identifier), None)


def object_slots(action: bpy.types.Action) -> list[tuple[str, str]]:
    """Return identifier and name of each slot for objects; one without a name before 4.4."""
    if not LAYERED_ACTIONS:
        return [("", "")] if action.id_root in ("OBJECT", "") else []
    return [
        (slot.identifier, slot.name_display)
        for slot in action.slots
        if slot.target_id_type in ("OBJECT", "UNSPECIFIED")
    ]


def slot_curves(
    action: bpy.types.Action, slot: bpy.types.ActionSlot | None
) -> Iterable[bpy.types.FCurve]:
    """Return the curves of a slot of an action; all of them before Blender 4.4."""
    if not LAYERED_ACTIONS:
        return action.fcurves
    bags = [strip.channelbag(slot) for strip in _keyframe_strips(action)] if slot else []
    return [curve for bag in bags if bag for curve in bag.fcurves]


def _keyframe_strips(action: bpy.types.Action) -> Iterator[bpy.types.ActionKeyframeStrip]:
    for layer in action.layers:
        for strip in layer.strips:
            if isinstance(strip, bpy.types.ActionKeyframeStrip):
                yield strip
