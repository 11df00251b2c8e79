"""Actions in every version of Blender: the only place that knows of slots and channel bags.

Blender 4.2 and 4.3 keep curves in the action itself. Since 4.4 they are in the channel bag of a
slot; ``Action.fcurves`` is gone in 5.0.
"""

from __future__ import annotations

from typing import Any

import bpy
from bpy.types import Action, FCurve, Object

_HAS_SLOTS = bpy.app.version >= (4, 4, 0)


def new_action(name: str, owner: Object) -> tuple[Action, Any]:
    """Make an empty action for an object.

    Returns:
        The action and what holds its curves: has ``fcurves`` and ``groups``.
    """
    action = bpy.data.actions.new(name)
    if not _HAS_SLOTS:
        action.id_root = "OBJECT"
        return action, action
    slot = action.slots.new(id_type="OBJECT", name=owner.name)
    strip = action.layers.new("Layer").strips.new(type="KEYFRAME")
    return action, strip.channelbag(slot, ensure=True)


def assign_action(owner: Object, action: Action) -> None:
    """Make an action of :func:`new_action` an object's active one."""
    animation = owner.animation_data or owner.animation_data_create()
    animation.action = action
    if _HAS_SLOTS:
        animation.action_slot = action.slots[0]


def active_curves(owner: Any) -> list[FCurve]:
    """Return the curves of the action, and slot, that animate a data-block."""
    animation = getattr(owner, "animation_data", None)
    action = animation.action if animation else None
    return _curves(action, getattr(animation, "action_slot", None)) if action else []


def key_span(owner: Any) -> tuple[float, float] | None:
    """Return the first and the last frame keyed on a data-block, strips included; None if none."""
    frames: list[float] = []
    for curve in active_curves(owner):
        if len(curve.keyframe_points):
            frames += curve.range()
    animation = getattr(owner, "animation_data", None)
    for track in animation.nla_tracks if animation else ():
        for strip in track.strips if not track.mute else ():
            frames += (strip.frame_start, strip.frame_end)
    return (min(frames), max(frames)) if frames else None


def copy_curve(curve: FCurve, holder: Any) -> None:
    """Copy a curve with its keys into another action."""
    new = holder.fcurves.new(curve.data_path, index=curve.array_index)
    new.extrapolation = curve.extrapolation
    count = len(curve.keyframe_points)
    new.keyframe_points.add(count)
    for old_key, new_key in zip(curve.keyframe_points, new.keyframe_points, strict=True):
        for name in (
            *("co", "interpolation", "easing", "amplitude", "period", "back"),
            *("handle_left_type", "handle_right_type", "handle_left", "handle_right"),
        ):
            setattr(new_key, name, getattr(old_key, name))
    new.update()


def _curves(action: Action, slot: Any) -> list[FCurve]:
    if not _HAS_SLOTS:
        return list(action.fcurves)
    return [
        curve
        for layer in action.layers
        for strip in layer.strips
        if slot is not None and (bag := strip.channelbag(slot)) is not None
        for curve in bag.fcurves
    ]
