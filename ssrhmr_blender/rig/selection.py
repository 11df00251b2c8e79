# SPDX-License-Identifier: GPL-3.0-or-later
"""Which armature a user means who has chosen none."""

from __future__ import annotations

import bpy

from ..common.typed import scene_of, view_layer_of


def selected_armature(context: bpy.types.Context) -> bpy.types.Object | None:
    """Return the armature of the active object, if that is selected.

    A mesh stands for the armature that deforms it.
    """
    obj = view_layer_of(context).objects.active
    return _armature_of(obj) if obj is not None and obj.select_get() else None


def meant_armature(context: bpy.types.Context) -> bpy.types.Object | None:
    """Return the selected armature, or the only one; None if there are several or none."""
    chosen = selected_armature(context)
    if chosen is not None:
        return chosen
    objects = [*scene_of(context).objects]
    for some in ([obj for obj in objects if obj.select_get()], objects):
        armatures = {found for obj in some if (found := _armature_of(obj)) is not None}
        if armatures:
            return armatures.pop() if len(armatures) == 1 else None
    return None


def _armature_of(obj: bpy.types.Object) -> bpy.types.Object | None:
    return obj if obj.type == "ARMATURE" else obj.find_armature()
