"""Takes of the core as animated empties."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from ..settings import TRACKERS
from .actions import ActionWriter
from .spaces import core_axes

if TYPE_CHECKING:
    from ssrhmr_core.trackers import Take

_SIZE = 0.12
"""Of an empty's arrows, metres."""


def make_trackers(
    take: Take, collection: bpy.types.Collection, rate: float, first_frame: float = 1.0
) -> dict[str, bpy.types.Object]:
    """Make an empty for each tracker, with a key wherever the take has seen it.

    Args:
        take: in the core's axes, metres.
        collection: to put them into.
        rate: frames a second of the scene; keys lie between frames where the take has more.
        first_frame: of the take.

    Returns:
        The empties by tracker. One that was never seen has no keys.
    """
    import numpy as np
    from pymotion.rotations import quat_np as quat

    axes = core_axes()
    frames = first_frame + (take.times - take.times[0]) * rate
    made = {}
    for number, role in enumerate(TRACKERS):
        empty = bpy.data.objects.new(f"Tracker {role}", None)
        empty.empty_display_type, empty.empty_display_size = "ARROWS", _SIZE
        empty.rotation_mode = "QUATERNION"
        collection.objects.link(empty)
        made[role] = empty
        seen = take.valid[:, number]
        if not seen.any():
            continue
        places = take.positions[seen, number] @ axes
        turns = take.rotations[seen, number].astype(np.float64)
        # The same rotation in Blender's axes: its axis is turned along.
        turns[:, 1:] = turns[:, 1:] @ axes
        turns = quat.unroll(quat.normalize(turns), axis=0)
        writer = ActionWriter(f"{empty.name} Take", empty)
        writer.write("Object Transforms", "location", frames[seen], places)
        writer.write("Object Transforms", "rotation_quaternion", frames[seen], turns)
        writer.assign(empty)
    return made
