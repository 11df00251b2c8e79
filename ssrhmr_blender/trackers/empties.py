# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes of the core as animated empties."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from ..animation.actions import ActionWriter
from ..common.axes import core_axes, metre
from ..common.clock import curve_time_per_frame
from ..properties.tracker import TRACKER_LABELS, TRACKERS
from .joints import store_performer

if TYPE_CHECKING:
    from ssrhmr_core.body.skeleton import Skeleton
    from ssrhmr_core.tracking.take import Take

_DISPLAY_SIZE = 0.1
"""Size of the empties in metres."""


def make_empties(
    scene: bpy.types.Scene,
    name: str,
    take: Take,
    collection: bpy.types.Collection | None = None,
    *,
    start: float | None = None,
    performer: Skeleton | None = None,
) -> dict[str, bpy.types.Object]:
    """Add a take to the scene, with a key for every frame at which a tracker was visible.

    Args:
        scene: The scene.
        name: Beginning of the empties' names.
        take: Take in metres.
        collection: Collection that gets the empties; a new one of the scene, called ``name``, if
            not given.
        start: Frame at which the take begins; the scene's first frame if not given.
        performer: Body in metres whose joints the trackers are, which is stored on the pelvis.

    Returns:
        The empties by tracker; trackers that were never visible have none.
    """
    import numpy as np
    from pymotion.rotations import quat_np as quat

    axes, unit = core_axes().T, metre(scene)
    axes_quat = quat.from_matrix(axes)
    rate = scene.render.fps / scene.render.fps_base
    first = scene.frame_start if start is None else start
    frames = (first + (take.times - take.times[0]) * rate) * curve_time_per_frame(scene)
    positions = take.positions @ axes.T * unit
    rotations = quat.mul(quat.mul(axes_quat, take.rotations), quat.inverse(axes_quat))
    if collection is None:
        collection = bpy.data.collections.new(name)
        scene.collection.children.link(collection)
    empties = {}
    for number, role in enumerate(TRACKERS):
        valid = take.valid[:, number]
        if not valid.any():
            continue
        empty = bpy.data.objects.new(f"{name} {TRACKER_LABELS[role]}", None)
        empty.empty_display_type, empty.empty_display_size = "ARROWS", _DISPLAY_SIZE * unit
        empty.rotation_mode = "QUATERNION"
        collection.objects.link(empty)
        writer = ActionWriter(empty.name, empty)
        writer.write("Tracker", "location", frames[valid], positions[valid, number])
        quats = quat.unroll(np.asarray(rotations[valid, number], np.float64), axis=0)
        writer.write("Tracker", "rotation_quaternion", frames[valid], quats)
        writer.assign(empty)
        empties[role] = empty
    for role in ("pelvis", "head"):
        if performer is not None and role in empties:
            store_performer(empties[role], performer)
    return empties
