# SPDX-License-Identifier: GPL-3.0-or-later
"""Which action moves an object: read, changed, and put back with the pose it was in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import bpy

from ..trackers.sampling import Key, find, key_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_CHANNELS = (
    *("location", "rotation_euler", "rotation_quaternion", "rotation_axis_angle", "scale"),
    "rotation_mode",
)


@dataclass(frozen=True)
class Assignment:
    """What moved an object, and its channels then; names only, so that it outlives undo.

    Attributes:
        owner: the object.
        had_data: whether it had animation data at all.
        action: its action, or None.
        kept: whether that action had a fake user.
        slot: identifier of the action's slot, empty before Blender 4.4.
        channels: values by name of the bone; the object's own under the empty name.
    """

    owner: Key
    had_data: bool
    action: Key | None
    kept: bool
    slot: str
    channels: dict[str, dict[str, object]]


def assignment_of(obj: bpy.types.Object) -> Assignment:
    """Return what moves an object now."""
    data = obj.animation_data
    action = data.action if data else None
    slot = getattr(data, "action_slot", None) if action else None
    channels = {"": _values(obj)}
    if obj.pose:
        channels |= {bone.name: _values(bone) for bone in obj.pose.bones}
    return Assignment(
        key_of(obj),
        data is not None,
        _key(action) if action else None,
        bool(action and action.use_fake_user),
        slot.identifier if slot else "",
        channels,
    )


def assign(obj: bpy.types.Object, action: bpy.types.Action | None, slot: str = "") -> None:
    """Let an action move an object.

    Args:
        obj: the object.
        action: or None for none.
        slot: identifier of the action's slot; the one that Blender chooses if empty.
    """
    data = obj.animation_data or obj.animation_data_create()
    data.action = action
    if action is not None and hasattr(action, "slots"):
        found = next((each for each in action.slots if each.identifier == slot), None)
        if found is None and data.action_slot is None:
            suitable = data.action_suitable_slots
            found = suitable[0] if suitable else None
        if found is not None:
            data.action_slot = found


def restore(before: Assignment) -> None:
    """Put an object back as it was; nothing happens if it was deleted."""
    obj = find(before.owner)
    if obj is None:
        return
    action = bpy.data.actions.get(before.action) if before.action else None
    if action is not None:
        assign(obj, action, before.slot)
        action.use_fake_user = before.kept
    elif before.had_data:
        obj.animation_data.action = None
    else:
        obj.animation_data_clear()
    for name, values in before.channels.items():
        owner = obj.pose.bones.get(name) if name else obj
        for channel, value in values.items():
            if owner is not None:
                setattr(owner, channel, value)


def find_action(key: Key) -> bpy.types.Action | None:
    """Return the action, or None if it is gone."""
    return bpy.data.actions.get(key)


def slots_of(action: bpy.types.Action) -> Sequence[tuple[str, str]]:
    """Identifier and name of an action's slots for objects; one without a name before 4.4."""
    if not hasattr(action, "slots"):
        return [("", "")] if action.id_root in ("OBJECT", "") else []
    return [
        (slot.identifier, slot.name_display)
        for slot in action.slots
        if slot.target_id_type in ("OBJECT", "UNSPECIFIED")
    ]


def curves_in(action: bpy.types.Action, slot: str) -> list[bpy.types.FCurve]:
    """Curves of one slot of an action."""
    if not hasattr(action, "slots"):
        return list(action.fcurves)
    found = next((each for each in action.slots if each.identifier == slot), None)
    return [
        curve
        for layer in action.layers
        for strip in layer.strips
        if found and (bag := strip.channelbag(found))
        for curve in bag.fcurves
    ]


def _key(action: bpy.types.Action) -> Key:
    return action.name, action.library.filepath if action.library else None


def _values(owner: bpy.types.Object | bpy.types.PoseBone) -> dict[str, object]:
    values: dict[str, object] = {}
    for channel in _CHANNELS:
        value = getattr(owner, channel)
        values[channel] = value if isinstance(value, str) else tuple(value)
    return values
