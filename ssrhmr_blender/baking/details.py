# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys for what a take has besides trackers: fingers, shapes of the face, and props."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from ..animation.actions import ActionWriter, animation_data_of
from ..common.axes import core_axes, metre
from ..rig.details import find_shape_keys, read_finger_bones

if TYPE_CHECKING:
    import numpy as np

    from ssrhmr_core.formats.detail_rows import Details, DetailTrack

    from .plan import BakePlan


def bake_details(plan: BakePlan, path: Path, times: np.ndarray, frames: np.ndarray) -> None:
    """Key fingers, shape keys and props as a take has them, beside the body that was baked.

    Args:
        plan: The plan of the bake of the body, whose action exists.
        path: The take.
        times: (F,) seconds in the take at the frames.
        frames: (F,) numbers of the frames.
    """
    from ssrhmr_core.formats.detail_rows import load_details

    details = load_details(path)
    keyed_at = frames * plan.curve_time
    parts = (
        (_bake_fingers(plan, details, times, keyed_at), len(details.fingers), "finger bones"),
        (_bake_shapes(plan, details, path.stem, times, keyed_at), len(details.shapes), "shapes"),
        (_bake_props(plan, details, path.stem, times, keyed_at), len(details.props), "props"),
    )
    baked = [f"{done} of {count} {what}" for done, count, what in parts if count]
    if baked:
        plan.report.notes.append(f"baked along: {', '.join(baked)}")


def _bake_fingers(plan: BakePlan, details: Details, times: np.ndarray, keyed_at: np.ndarray) -> int:
    """Key the fingers in the action of the body; return how many bones."""
    from ssrhmr_core.geometry.rotations import from_quat

    from ..animation.rotation_values import rotation_values

    if not details.fingers:
        return 0
    bones = read_finger_bones(plan.find_armature(), plan.character)
    writer = ActionWriter.continue_with(plan.report.action)
    baked = 0
    for unity, track in details.fingers.items():
        bone = bones.get(unity)
        if bone is None:
            continue
        rotations = bone.to_basis(from_quat(track.at(times).rotations))
        channel, values = rotation_values(rotations, bone.rotation_mode)
        path = f'pose.bones["{bpy.utils.escape_identifier(bone.name)}"].{channel}'
        writer.remove_curves(path)
        writer.write(bone.name, path, keyed_at, values)
        baked += 1
    return baked


def _bake_shapes(
    plan: BakePlan, details: Details, take: str, times: np.ndarray, keyed_at: np.ndarray
) -> int:
    """Key the shape keys of the character's meshes, an action a mesh; return how many shapes."""
    shapes = find_shape_keys(plan.find_armature(), details.shapes)
    by_mesh: dict[bpy.types.Object, list[tuple[bpy.types.ShapeKey, DetailTrack]]] = {}
    for name, keys in shapes.items():
        for mesh, key in keys:
            by_mesh.setdefault(mesh, []).append((key, details.shapes[name]))
    for mesh, pairs in by_mesh.items():
        block = pairs[0][0].id_data
        assert isinstance(block, bpy.types.Key)
        writer = ActionWriter(f"{take} {mesh.name}", block)
        for key, track in pairs:
            values = track.at(times).positions[:, :1]
            writer.write("Shape Keys", f"{key.path_from_id()}.value", keyed_at, values)
        _assign(writer, block)
    return len(shapes)


def _bake_props(
    plan: BakePlan, details: Details, take: str, times: np.ndarray, keyed_at: np.ndarray
) -> int:
    """Key an empty for each prop; one of that name that exists is used again."""
    from ssrhmr_core.geometry.rotations import from_quat

    from ..animation.rotation_values import rotation_values

    scene = bpy.data.scenes[plan.scene]
    axes, unit = core_axes(), metre(scene)
    for name, track in details.props.items():
        empty = bpy.data.objects.get(name)
        if empty is None or empty.type != "EMPTY":
            empty = bpy.data.objects.new(name, None)
            empty.empty_display_type, empty.empty_display_size = "ARROWS", 0.1 * unit
        if scene.objects.get(empty.name) != empty:
            scene.collection.objects.link(empty)
        empty.rotation_mode = "QUATERNION"
        moved = track.at(times)
        writer = ActionWriter(f"{take} {name}", empty)
        writer.write("Transform", "location", keyed_at, moved.positions @ axes * unit)
        rotations = axes.T @ from_quat(moved.rotations) @ axes
        channel, values = rotation_values(rotations, "QUATERNION")
        writer.write("Transform", channel, keyed_at, values)
        _assign(writer, empty)
    return len(details.props)


def _assign(writer: ActionWriter, owner: bpy.types.Object | bpy.types.Key) -> None:
    """Assign a new action; the former one stays in the file."""
    previous = animation_data_of(owner).action
    writer.assign(owner)
    if previous is not None and previous.users == 0:
        previous.use_fake_user = True
