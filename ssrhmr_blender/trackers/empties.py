# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes of the core as animated empties."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from ..animation.actions import ActionWriter
from ..common.axes import core_axes, metre
from ..properties.tracker import TRACKER_LABELS, TRACKERS

if TYPE_CHECKING:
    from ssrhmr_core.tracking.take import Take

_DISPLAY_SIZE = 0.1
"""Of the empties, metres."""


def make_empties(
    scene: bpy.types.Scene, name: str, take: Take, collection: bpy.types.Collection | None = None
) -> dict[str, bpy.types.Object]:
    """Put a take into the scene, a key for every frame that a tracker was seen.

    Args:
        scene: its first frame is the take's first.
        name: what the empties' names begin with.
        take: in metres.
        collection: gets the empties; a new one of the scene, called ``name``, if not given.

    Returns:
        The empties by tracker; trackers that were never seen have none.
    """
    import numpy as np
    from pymotion.rotations import quat_np as quat

    axes, unit = core_axes().T, metre(scene)
    turn = quat.from_matrix(axes)
    rate = scene.render.fps / scene.render.fps_base
    frames = scene.frame_start + (take.times - take.times[0]) * rate
    places = take.positions @ axes.T * unit
    turns = quat.mul(quat.mul(turn, take.rotations), quat.inverse(turn))
    if collection is None:
        collection = bpy.data.collections.new(name)
        scene.collection.children.link(collection)
    empties = {}
    for number, role in enumerate(TRACKERS):
        seen = take.valid[:, number]
        if not seen.any():
            continue
        empty = bpy.data.objects.new(f"{name} {TRACKER_LABELS[role]}", None)
        empty.empty_display_type, empty.empty_display_size = "ARROWS", _DISPLAY_SIZE * unit
        empty.rotation_mode = "QUATERNION"
        collection.objects.link(empty)
        writer = ActionWriter(empty.name, empty)
        writer.write("Tracker", "location", frames[seen], places[seen, number])
        around = quat.unroll(np.asarray(turns[seen, number], np.float64), axis=0)
        writer.write("Tracker", "rotation_quaternion", frames[seen], around)
        writer.assign(empty)
        empties[role] = empty
    return empties
