# SPDX-License-Identifier: GPL-3.0-or-later
"""Actions in all versions: with layers, slots and channelbags since 4.4, without before."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import bpy

if TYPE_CHECKING:
    import numpy as np

_LAYERED = hasattr(bpy.types, "ActionChannelbag")
_LINEAR, _AUTO_CLAMPED = 1, 4
"""Numbers of keyframe interpolation and handle types, as foreach_set takes them."""
_KEY_VALUES = (
    *("co", "interpolation", "easing", "amplitude", "period", "back", "type"),
    *("handle_left_type", "handle_right_type", "handle_left", "handle_right"),
)


class ActionWriter:
    """Makes one action for one object and fills it, curve by curve.

    Only names are kept: writing may be spread over several turns of the event loop.
    """

    def __init__(self, name: str, owner: bpy.types.Object) -> None:
        """Make an empty action; the owner is not touched yet."""
        action = bpy.data.actions.new(name)
        self.name = action.name
        if _LAYERED:
            action.slots.new(id_type="OBJECT", name=owner.name)
            action.layers.new("Layer").strips.new(type="KEYFRAME")

    @property
    def action(self) -> bpy.types.Action:
        """The action."""
        return bpy.data.actions[self.name]

    def write(self, group: str, path: str, frames: np.ndarray, values: np.ndarray) -> None:
        """Write the curves of one property.

        Args:
            group: name of the channel group, such as the bone's.
            path: data path from the owner.
            frames: (F,) frame numbers.
            values: (F, n) one column a component.
        """
        import numpy as np

        keys = np.empty((len(frames), 2), np.float32)
        keys[:, 0] = frames
        linear = np.full(len(frames), _LINEAR, np.int32)
        handles = np.full(len(frames), _AUTO_CLAMPED, np.int32)
        for index in range(values.shape[1]):
            curve = self._curve(group, path, index)
            keys[:, 1] = values[:, index]
            points = curve.keyframe_points
            points.add(len(frames))
            points.foreach_set("co", keys.ravel())
            # A key on every frame: straight lines between them, but handles ready for editing.
            points.foreach_set("interpolation", linear)
            if points[0].handle_left_type != "AUTO_CLAMPED":
                points.foreach_set("handle_left_type", handles)
                points.foreach_set("handle_right_type", handles)
            curve.update()

    def carry_over(self, owner: bpy.types.Object, written: set[str]) -> None:
        """Copy what the owner's action moves beside the bones that were written.

        The object itself and fingers, faces and props go on as before.

        Args:
            owner: whose current action it is.
            written: data paths up to the channel's name, such as ``pose.bones["Hips"]``; curves
                that were written are left out in any case.
        """
        bag = self._bag()
        for curve in list(curves_of(owner)):
            if curve.data_path.rpartition(".")[0] in written or bag.fcurves.find(
                curve.data_path, index=curve.array_index
            ):
                continue
            new = bag.fcurves.new(curve.data_path, index=curve.array_index)
            new.extrapolation, new.mute = curve.extrapolation, curve.mute
            new.keyframe_points.add(len(curve.keyframe_points))
            for old, key in zip(curve.keyframe_points, new.keyframe_points, strict=True):
                for name in _KEY_VALUES:
                    setattr(key, name, getattr(old, name))
            new.update()

    def assign(self, owner: bpy.types.Object) -> None:
        """Make the action the owner's active one."""
        data = owner.animation_data_create()
        data.action = self.action
        if _LAYERED:
            data.action_slot = self.action.slots[0]

    def remove(self) -> None:
        """Delete the action, as after a cancel."""
        bpy.data.actions.remove(self.action)

    def _bag(self) -> Any:
        """What holds curves and groups: the action itself before 4.4."""
        action = self.action
        if not _LAYERED:
            return action
        return action.layers[0].strips[0].channelbag(action.slots[0], ensure=True)

    def _curve(self, group: str, path: str, index: int) -> bpy.types.FCurve:
        bag = self._bag()
        curve = bag.fcurves.new(path, index=index)
        curve.group = bag.groups.get(group) or bag.groups.new(group)
        return curve


def curves_of(owner: bpy.types.ID) -> Iterable[bpy.types.FCurve]:
    """Curves of the action that animates ``owner`` now."""
    data = owner.animation_data
    if data is None or data.action is None:
        return ()
    return _curves(data.action, data.action_slot if _LAYERED else None)


def nla_paths(owner: bpy.types.ID) -> set[str]:
    """Data paths that NLA tracks animate; an action goes over those that it has itself."""
    data = owner.animation_data
    strips = [
        strip
        for track in (data.nla_tracks if data else ())
        if not track.mute
        for strip in track.strips
        if strip.action and not strip.mute
    ]
    return {
        curve.data_path
        for strip in strips
        for curve in _curves(strip.action, strip.action_slot if _LAYERED else None)
    }


def _curves(action: bpy.types.Action, slot: Any) -> Iterable[bpy.types.FCurve]:
    """Curves of a slot of an action; all of them before 4.4."""
    if not _LAYERED:
        return action.fcurves
    return (
        curve
        for layer in action.layers
        for strip in layer.strips
        if slot and (bag := strip.channelbag(slot))
        for curve in bag.fcurves
    )
