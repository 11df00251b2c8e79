# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's data with the types that the add-on relies on.

Blender declares almost every part of its context and data as optional. Where an operator or a panel
runs, most of them exist; the functions below return those and raise an error that names what is
missing, instead of an ``AttributeError`` of ``None`` somewhere later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeVar

import bpy

OperatorResult = set[Literal["FINISHED", "CANCELLED", "RUNNING_MODAL", "PASS_THROUGH", "INTERFACE"]]
"""What an operator's execute, invoke and modal return."""

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpy.stub_internal.rna_enums import IconItems as Icon

    _Function = TypeVar("_Function", bound=Callable[..., object])

    # Mixins are plain classes when Blender registers what is derived from them.
    OperatorMixin = bpy.types.Operator
    PanelMixin = bpy.types.Panel
    MenuMixin = bpy.types.Menu
    ListMixin = bpy.types.UIList

    class ImportHelper:
        """Asks for a file; the stubs of Blender's own class lack the property."""

        filepath: str

    def persistent(function: _Function) -> _Function:
        """Let a handler outlive the file in which it was added."""
        return function
else:
    from bpy.app.handlers import persistent
    from bpy_extras.io_utils import ImportHelper

    Icon = str
    OperatorMixin = PanelMixin = MenuMixin = ListMixin = object

__all__ = [
    "Icon",
    "ImportHelper",
    "ListMixin",
    "MenuMixin",
    "OperatorMixin",
    "OperatorResult",
    "PanelMixin",
    "action_of",
    "add_scene_property",
    "addon_operators",
    "armature_of",
    "layout_of",
    "persistent",
    "pose_of",
    "remove_scene_property",
    "scene_of",
    "scene_property",
    "ui_scale_of",
    "view_layer_of",
    "window_manager_of",
]

_Value = TypeVar("_Value")


def scene_of(context: bpy.types.Context) -> bpy.types.Scene:
    """Return the window's scene."""
    return _require(context.scene, "a scene")


def view_layer_of(context: bpy.types.Context) -> bpy.types.ViewLayer:
    """Return the window's view layer."""
    return _require(context.view_layer, "a view layer")


def window_manager_of(context: bpy.types.Context) -> bpy.types.WindowManager:
    """Return the window manager, which holds timers and modal operators."""
    return _require(context.window_manager, "a window manager")


def ui_scale_of(context: bpy.types.Context) -> float:
    """Return the factor by which the user enlarges the interface."""
    return _require(context.preferences, "preferences").system.ui_scale


def layout_of(
    owner: bpy.types.Panel | bpy.types.Menu | bpy.types.AddonPreferences,
) -> bpy.types.UILayout:
    """Return the layout of a panel, a menu or preferences while Blender draws them."""
    return _require(owner.layout, "a layout")


def armature_of(obj: bpy.types.Object) -> bpy.types.Armature:
    """Return the armature data of an armature object."""
    data = obj.data
    if not isinstance(data, bpy.types.Armature):
        raise TypeError(f"'{obj.name}' is not an armature")
    return data


def pose_of(obj: bpy.types.Object) -> bpy.types.Pose:
    """Return the pose of an armature object."""
    return _require(obj.pose, f"a pose of '{obj.name}'")


def scene_property(scene: bpy.types.Scene | None, name: str) -> Any:
    """Return a property that the add-on has given to scenes; Blender's stubs do not know it."""
    return getattr(_require(scene, "a scene"), name)


def add_scene_property(name: str, declaration: object) -> None:
    """Give scenes a property, from a call to ``bpy.props`` or as a Python property."""
    setattr(bpy.types.Scene, name, declaration)


def remove_scene_property(name: str) -> None:
    """Remove a property that the add-on has given to scenes."""
    delattr(bpy.types.Scene, name)


def action_of(obj: bpy.types.Object) -> bpy.types.Action:
    """Return the action that animates an object now."""
    data = obj.animation_data
    return _require(data.action if data else None, f"an action of '{obj.name}'")


def addon_operators() -> Any:
    """Return ``bpy.ops.ssrhmr``: Blender fills its operators in at run time."""
    return getattr(bpy.ops, _OPERATORS)


_OPERATORS = "ssrhmr"


def _require(value: _Value | None, what: str) -> _Value:
    if value is None:
        raise RuntimeError(f"missing in Blender: {what}")
    return value
