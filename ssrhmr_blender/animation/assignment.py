# SPDX-License-Identifier: GPL-3.0-or-later
"""Which action moves an object: read, changed, and put back with the pose it was in."""

from __future__ import annotations

from dataclasses import dataclass

import bpy

from ..common.compat import assign_slot, assigned_slot, find_slot, slot_curves
from ..common.data_blocks import DataBlockKey, find_action, find_object, key_of
from ..common.typed import pose_of
from .actions import animation_data_of

_CHANNELS = (
    *("location", "rotation_euler", "rotation_quaternion", "rotation_axis_angle", "scale"),
    "rotation_mode",
)


@dataclass(frozen=True)
class Assignment:
    """What animated an object, and its channels then; names only, so that it outlives undo.

    Attributes:
        owner: Key of the object.
        had_data: Whether it had animation data at all.
        action: Key of its action, or None.
        fake_user: Whether that action had a fake user.
        slot: Identifier of the action's slot, empty before Blender 4.4.
        channels: Values by name of the bone; the object's own under the empty name.
    """

    owner: DataBlockKey
    had_data: bool
    action: DataBlockKey | None
    fake_user: bool
    slot: str
    channels: dict[str, dict[str, object]]


def assignment_of(obj: bpy.types.Object) -> Assignment:
    """Return what animates an object now."""
    data = obj.animation_data
    action = data.action if data else None
    slot = assigned_slot(data) if data else None
    channels = {"": _read_channels(obj)}
    if obj.pose:
        channels |= {bone.name: _read_channels(bone) for bone in obj.pose.bones}
    return Assignment(
        owner=key_of(obj),
        had_data=data is not None,
        action=key_of(action) if action else None,
        fake_user=bool(action and action.use_fake_user),
        slot=slot.identifier if slot else "",
        channels=channels,
    )


def assign(obj: bpy.types.Object, action: bpy.types.Action | None, slot: str = "") -> None:
    """Let an action animate an object.

    Args:
        obj: Object to animate.
        action: Action to assign, or None for none.
        slot: Identifier of the action's slot; the one that Blender chooses if empty.
    """
    data = animation_data_of(obj)
    data.action = action
    if action is not None:
        assign_slot(data, find_slot(action, slot))


def restore(before: Assignment) -> None:
    """Restore an object's animation and channels; do nothing if it was deleted."""
    obj = find_object(before.owner)
    if obj is None:
        return
    action = find_action(before.action) if before.action else None
    if action is not None:
        assign(obj, action, before.slot)
        action.use_fake_user = before.fake_user
    elif before.had_data:
        animation_data_of(obj).action = None
    else:
        obj.animation_data_clear()
    for name, values in before.channels.items():
        owner = pose_of(obj).bones.get(name) if name else obj
        for channel, value in values.items():
            if owner is not None:
                setattr(owner, channel, value)


def curves_in(action: bpy.types.Action, slot: str) -> list[bpy.types.FCurve]:
    """Return the curves of the slot with an identifier; all of them before Blender 4.4."""
    return list(slot_curves(action, find_slot(action, slot)))


def _read_channels(owner: bpy.types.Object | bpy.types.PoseBone) -> dict[str, object]:
    values: dict[str, object] = {}
    for channel in _CHANNELS:
        value = getattr(owner, channel)
        values[channel] = value if isinstance(value, str) else tuple(value)
    return values
