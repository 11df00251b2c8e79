# SPDX-License-Identifier: GPL-3.0-or-later
"""Differences between the versions of Blender that the add-on runs in."""

from __future__ import annotations

from typing import Any

import bpy

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
