"""Actions in all versions: with layers, slots and channelbags since 4.4, without before."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import bpy

if TYPE_CHECKING:
    import numpy as np

_LAYERED = hasattr(bpy.types, "ActionChannelbag")
_LINEAR, _AUTO_CLAMPED = 1, 4
"""Numbers of keyframe interpolation and handle types, as foreach_set takes them."""


class ActionWriter:
    """Makes one action for one object and fills it, curve by curve."""

    def __init__(self, name: str, owner: bpy.types.Object) -> None:
        """Make an empty action; the owner is not touched yet."""
        self.action = bpy.data.actions.new(name)
        self._bag = None
        if _LAYERED:
            self._slot = self.action.slots.new(id_type="OBJECT", name=owner.name)
            strip = self.action.layers.new("Layer").strips.new(type="KEYFRAME")
            self._bag = strip.channelbag(self._slot, ensure=True)

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
            points.foreach_set("handle_left_type", handles)
            points.foreach_set("handle_right_type", handles)
            curve.update()

    def assign(self, owner: bpy.types.Object) -> None:
        """Make the action the owner's active one."""
        data = owner.animation_data_create()
        data.action = self.action
        if _LAYERED:
            data.action_slot = self._slot

    def remove(self) -> None:
        """Delete the action, as after a cancel."""
        bpy.data.actions.remove(self.action)

    def _curve(self, group: str, path: str, index: int) -> bpy.types.FCurve:
        if self._bag is None:
            return self.action.fcurves.new(path, index=index, action_group=group)
        curve = self._bag.fcurves.new(path, index=index)
        found = self._bag.groups.get(group) or self._bag.groups.new(group)
        curve.group = found
        return curve


def curves_of(owner: bpy.types.ID) -> Iterable[bpy.types.FCurve]:
    """Curves of the action that animates ``owner`` now."""
    data = owner.animation_data
    if data is None or data.action is None:
        return ()
    if not _LAYERED:
        return data.action.fcurves
    slot = data.action_slot
    return (
        curve
        for layer in data.action.layers
        for strip in layer.strips
        if slot and (bag := strip.channelbag(slot))
        for curve in bag.fcurves
    )
