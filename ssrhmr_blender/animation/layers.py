# SPDX-License-Identifier: GPL-3.0-or-later
"""Actions as layers: NLA strips above what an object does already, without merging anything."""

from __future__ import annotations

import bpy

from ..common.compat import assign_slot, assigned_slot, first_slot
from .actions import animation_data_of

_TRACK = "SSR-HMR"


def has_animation(owner: bpy.types.Object) -> bool:
    """Return whether an object has an action or NLA tracks that a layer could lie above."""
    data = owner.animation_data
    return data is not None and (data.action is not None or len(data.nla_tracks) > 0)


def add_layer(owner: bpy.types.Object, action: bpy.types.Action, blend: int) -> None:
    """Put an action on a strip above all others; the object's own action becomes one below.

    Args:
        owner: Object to animate.
        action: Action of the new strip, which counts within its own range only.
        blend: Frames over which the strip fades in and out.
    """
    data = animation_data_of(owner)
    former, slot = data.action, assigned_slot(data)
    tracks = []
    try:
        if former is not None:
            tracks.append(_add_track(data, former.name))
            below = _add_strip(tracks[-1], former, slot)
            below.extrapolation = "HOLD"
        tracks.append(_add_track(data, _TRACK))
        above = _add_strip(tracks[-1], action, first_slot(action))
        above.extrapolation = "NOTHING"
        above.use_auto_blend = False
        length = above.frame_end - above.frame_start
        above.blend_in = above.blend_out = min(float(blend), 0.5 * length)
    except BaseException:
        for track in tracks:
            data.nla_tracks.remove(track)
        raise
    data.action = None
    data.use_nla = True


def _add_track(data: bpy.types.AnimData, name: str) -> bpy.types.NlaTrack:
    track = data.nla_tracks.new()
    track.name = name
    return track


def _add_strip(
    track: bpy.types.NlaTrack, action: bpy.types.Action, slot: bpy.types.ActionSlot | None
) -> bpy.types.NlaStrip:
    strip = track.strips.new(action.name, round(action.frame_range[0]), action)
    assign_slot(strip, slot)
    return strip
