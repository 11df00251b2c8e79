# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes of the core as animated empties."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import bpy

from ..animation.actions import ActionWriter
from ..common.axes import core_axes, metre
from ..common.clock import curve_time_per_frame
from ..properties.tracker import EXTRA_TRACKERS, TRACKER_LABELS, TRACKERS
from .joints import mark_as_lower, store_performer

if TYPE_CHECKING:
    import numpy as np

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
    unit = metre(scene)
    rate = scene.render.fps / scene.render.fps_base
    first = scene.frame_start if start is None else start
    frames = (first + (take.times - take.times[0]) * rate) * curve_time_per_frame(scene)
    if collection is None:
        collection = bpy.data.collections.new(name)
        scene.collection.children.link(collection)
    empties = {}
    for role, track in _split_take(take).items():
        empty = bpy.data.objects.new(f"{name} {TRACKER_LABELS[role]}", None)
        empty.empty_display_type, empty.empty_display_size = "ARROWS", _DISPLAY_SIZE * unit
        empty.rotation_mode = "QUATERNION"
        collection.objects.link(empty)
        _key_track(empty, track, frames, unit)
        if track.lower:
            mark_as_lower(empty)
        empties[role] = empty
    for role in ("pelvis", "head"):
        if performer is not None and role in empties:
            store_performer(empties[role], performer)
    return empties


class _Track(NamedTuple):
    """What one tracker measured.

    Attributes:
        positions: (F, 3) positions in metres.
        rotations: (F, 4) rotations.
        has_position: (F,) bool, where it has a position.
        has_rotation: (F,) bool, where it has a rotation.
        lower: Whether it sits below its elbow or knee.
    """

    positions: np.ndarray
    rotations: np.ndarray
    has_position: np.ndarray
    has_rotation: np.ndarray
    lower: bool = False


def _split_take(take: Take) -> dict[str, _Track]:
    """Return the trackers of a take that were ever visible, by role."""
    tracks = {
        role: _Track(
            take.positions[:, number],
            take.rotations[:, number],
            take.valid[:, number],
            take.valid[:, number],
        )
        for number, role in enumerate(TRACKERS)
        if take.valid[:, number].any()
    }
    extras = take.extras
    if extras is None:
        return tracks
    for role in extras.worn:
        number = EXTRA_TRACKERS.index(role)
        tracks[role] = _Track(
            extras.positions[:, number],
            extras.rotations[:, number],
            extras.has_position[:, number],
            extras.has_rotation[:, number],
            bool(extras.lower[number]),
        )
    return tracks


def _key_track(empty: bpy.types.Object, track: _Track, frames: np.ndarray, unit: float) -> None:
    """Key what a tracker measured, at (F,) frames, on an empty."""
    import numpy as np
    from pymotion.rotations import quat_np as quat

    axes = core_axes().T
    axes_quat = quat.from_matrix(axes)
    writer = ActionWriter(empty.name, empty)
    shown = track.has_position
    if shown.any():
        positions = track.positions[shown] @ axes.T * unit
        writer.write("Tracker", "location", frames[shown], positions)
    shown = track.has_rotation
    if shown.any():
        rotations = quat.mul(quat.mul(axes_quat, track.rotations[shown]), quat.inverse(axes_quat))
        quats = quat.unroll(np.asarray(rotations, np.float64), axis=0)
        writer.write("Tracker", "rotation_quaternion", frames[shown], quats)
    writer.assign(empty)
