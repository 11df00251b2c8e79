# SPDX-License-Identifier: GPL-3.0-or-later
"""Actions: writing them curve by curve, and reading what animates an object."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import bpy

from ..common.compat import (
    assign_slot,
    assigned_slot,
    curve_owner,
    first_slot,
    new_action,
    slot_curves,
)

if TYPE_CHECKING:
    import numpy as np

_LINEAR, _AUTO_CLAMPED = 1, 4
"""Numbers of keyframe interpolation and handle types, as foreach_set takes them."""
_KEY_VALUES = (
    *("co", "interpolation", "easing", "amplitude", "period", "back", "type"),
    *("handle_left_type", "handle_right_type", "handle_left", "handle_right"),
)


class ActionWriter:
    """Creates one action for one object and fills it, curve by curve.

    It keeps names only: writing may be spread over several rounds of the event loop.
    """

    def __init__(self, name: str, owner: bpy.types.Object | bpy.types.Key) -> None:
        """Create an empty action; the owner does not change yet."""
        self.name = new_action(name, owner).name

    @classmethod
    def continue_with(cls, name: str) -> ActionWriter:
        """Return a writer of an action that exists, made by an earlier one."""
        writer = cls.__new__(cls)
        writer.name = name
        return writer

    @property
    def action(self) -> bpy.types.Action:
        """The action, by its name."""
        return bpy.data.actions[self.name]

    def write(self, group: str, path: str, frames: np.ndarray, values: np.ndarray) -> None:
        """Write the curves of one property; those that it has get new values.

        Args:
            group: Name of the channel group, such as the bone's.
            path: Data path from the owner.
            frames: (F,) times of the keys, the same ones whenever a property is written.
            values: (F, n) values, one column a component.
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
            points.add(len(frames) - len(points))
            points.foreach_set("co", keys.ravel())
            # A key on every frame: straight lines between them, but handles ready for editing.
            points.foreach_set("interpolation", linear)
            if points[0].handle_left_type != "AUTO_CLAMPED":
                points.foreach_set("handle_left_type", handles)
                points.foreach_set("handle_right_type", handles)
            curve.update()

    def remove_curves(self, path: str) -> None:
        """Remove the curves of one property, if it has any."""
        bag = curve_owner(self.action)
        for curve in [curve for curve in bag.fcurves if curve.data_path == path]:
            bag.fcurves.remove(curve)

    def carry_over(
        self, owner: bpy.types.Object, written: set[str], dropped: Collection[str] = ()
    ) -> None:
        """Copy the curves of the owner's action whose bones were not written.

        The object itself, fingers, faces and props keep their animation.

        Args:
            owner: Object whose current action is copied.
            written: Data paths up to the channel's name, such as ``pose.bones["Hips"]``; curves
                that were written are left out in any case.
            dropped: Whole data paths of curves that are left out too.
        """
        bag = curve_owner(self.action)
        for curve in list(curves_of(owner)):
            if curve.data_path in dropped:
                continue
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

    def assign(self, owner: bpy.types.Object | bpy.types.Key) -> None:
        """Make the action the owner's current one."""
        _assign_action(owner, self.action)

    @contextmanager
    def thinned(
        self, find_owner: Callable[[], bpy.types.Object], times: Iterable[float]
    ) -> Iterator[None]:
        """Let the owner show the action at some times only, with keys at these alone.

        Blender copies the actions of all that it evaluates. The copy of an hour's keys takes more
        than a gigabyte, and a look at a few frames does not need it.

        Args:
            find_owner: Returns the object that the action is assigned to.
            times: Times in the curves' own unit.
        """
        import numpy as np

        owner, chosen = find_owner(), sorted(set(times))
        name = new_action(f"{self.name} Check", owner).name
        try:
            bag = curve_owner(bpy.data.actions[name])
            for curve in curve_owner(self.action).fcurves:
                keys = np.array([chosen, [curve.evaluate(time) for time in chosen]], np.float32)
                new = bag.fcurves.new(curve.data_path, index=curve.array_index)
                new.mute = curve.mute
                new.keyframe_points.add(len(chosen))
                new.keyframe_points.foreach_set("co", keys.T.ravel())
                new.update()
            _assign_action(owner, bpy.data.actions[name])
            yield
        finally:
            self.assign(find_owner())
            bpy.data.actions.remove(bpy.data.actions[name])

    def remove(self) -> None:
        """Delete the action, as after a cancel."""
        bpy.data.actions.remove(self.action)

    def _curve(self, group: str, path: str, index: int) -> bpy.types.FCurve:
        bag = curve_owner(self.action)
        curve = bag.fcurves.find(path, index=index)
        if curve is not None:
            return curve
        curve = bag.fcurves.new(path, index=index)
        curve.group = bag.groups.get(group) or bag.groups.new(group)
        return curve


def animation_data_of(owner: bpy.types.Object | bpy.types.Key) -> bpy.types.AnimData:
    """Return the owner's animation data; create it where there is none."""
    data = owner.animation_data or owner.animation_data_create()
    if data is None:
        raise TypeError(f"'{owner.name}' cannot be animated")
    return data


def _assign_action(owner: bpy.types.Object | bpy.types.Key, action: bpy.types.Action) -> None:
    data = animation_data_of(owner)
    data.action = action
    assign_slot(data, first_slot(action))


def curves_of(owner: bpy.types.Object) -> Iterable[bpy.types.FCurve]:
    """Return the curves of the action that animates an object now."""
    data = owner.animation_data
    if data is None or data.action is None:
        return ()
    return slot_curves(data.action, assigned_slot(data))


def nla_paths(owner: bpy.types.Object) -> set[str]:
    """Return the data paths that NLA tracks animate; curves of the action override them."""
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
        if strip.action
        for curve in slot_curves(strip.action, assigned_slot(strip))
    }
