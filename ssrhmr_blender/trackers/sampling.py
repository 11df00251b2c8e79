# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading transforms from the evaluated scene: keys, drivers, constraints, parents, caches."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING

import bpy

from ..common.axes import flatten_matrix
from ..common.data_blocks import DataBlockKey, GoneError, find_object
from ..common.typed import pose_of, view_layer_of
from .stage import open_stage

if TYPE_CHECKING:
    import numpy as np
    from mathutils import Matrix

_SLICE_SECONDS = 0.2
"""How long to work before Blender handles Esc and draws the progress bar."""

PoseKey = tuple[str, bool]
"""Name of a bone, and whether its pose includes what its constraints and drivers do."""


def sample(
    scene_name: str,
    keys: Sequence[DataBlockKey],
    frames: Sequence[float],
    bones: Sequence[PoseKey] = (),
) -> Generator[float, None, np.ndarray]:
    """Read transforms at some frames; the scene stays at its current frame.

    Args:
        scene_name: Name of the scene, which must be the window's.
        keys: Keys of the objects whose world transforms are read.
        frames: Frame numbers, with fractions for sub-frames.
        bones: Bones of the last object, whose poses are read in their own space.

    Yields:
        The share done, 0..1.

    Returns:
        (F, objects + bones, 4, 4).

    Raises:
        GoneError: if an object or bone was deleted meanwhile, or is not evaluated.
    """

    def read_row(objects: list[bpy.types.Object]) -> list[list[float]]:
        row = [flatten_matrix(obj.matrix_world) for obj in objects]
        return row + [flatten_matrix(_bone_pose(objects[-1], *bone)) for bone in bones]

    return (yield from _sample_rows(scene_name, keys, frames, read_row))


def sample_bones(
    scene_name: str, key: DataBlockKey, names: Sequence[str], frames: Sequence[float]
) -> Generator[float, None, np.ndarray]:
    """Read the world transforms of bones at some frames, as :func:`sample` does with objects.

    Args:
        scene_name: Name of the scene, which must be the window's.
        key: Key of the armature object.
        names: Names of the bones.
        frames: Frame numbers, with fractions for sub-frames.

    Yields:
        The share done, 0..1.

    Returns:
        (F, bones, 4, 4).

    Raises:
        GoneError: if the object or a bone was deleted meanwhile, or is not evaluated.
    """

    def read_row(objects: list[bpy.types.Object]) -> list[list[float]]:
        (armature,) = objects
        bones = pose_of(armature).bones
        missing = next((name for name in names if name not in bones), None)
        if missing is not None:
            raise GoneError(f"bone '{missing}' was deleted meanwhile: start again")
        world = armature.matrix_world
        return [flatten_matrix(world @ bones[name].matrix) for name in names]

    return (yield from _sample_rows(scene_name, [key], frames, read_row))


def _sample_rows(
    scene_name: str,
    keys: Sequence[DataBlockKey],
    frames: Sequence[float],
    read_row: Callable[[list[bpy.types.Object]], list[list[float]]],
) -> Generator[float, None, np.ndarray]:
    """Read rows of transforms (F, n, 4, 4) from evaluated objects, in slices."""
    import numpy as np

    rows: list[np.ndarray] = []
    while len(rows) < len(frames):
        if rows:
            yield len(rows) / len(frames)
        begin = time.monotonic()
        # References do not survive what may happen between two slices.
        objects = _resolve(keys)
        with open_stage(bpy.data.scenes[scene_name], objects) as stage:
            for frame in frames[len(rows) :]:
                depsgraph = stage.set_frame(frame)
                rows.append(np.array(read_row([obj.evaluated_get(depsgraph) for obj in objects])))
                if time.monotonic() - begin > _SLICE_SECONDS:
                    break
    return np.array(rows).reshape(len(frames), -1, 4, 4)


def _bone_pose(armature: bpy.types.Object, name: str, held: bool) -> Matrix:
    """Return the pose of a bone of an evaluated armature, in the bone's own space."""
    pose = pose_of(armature).bones.get(name)
    if pose is None:
        raise GoneError(f"bone '{name}' was deleted meanwhile: press Detect Bones again")
    if not held:
        return pose.matrix_basis
    return armature.convert_space(
        pose_bone=pose, matrix=pose.matrix, from_space="POSE", to_space="LOCAL"
    )


def is_animated(obj: bpy.types.Object) -> bool:
    """Return whether anything could move an object: keys, drivers, constraints, parents, NLA."""
    chain: bpy.types.Object | None = obj
    while chain is not None:
        data = chain.animation_data
        if data and (data.action or data.drivers or data.nla_tracks):
            return True
        if any(not constraint.mute for constraint in chain.constraints):
            return True
        chain = chain.parent
    return False


def _resolve(keys: Sequence[DataBlockKey]) -> list[bpy.types.Object]:
    objects = []
    for key in keys:
        obj = find_object(key)
        if obj is None:
            raise GoneError(f"'{key[0]}' was deleted meanwhile: choose another object")
        objects.append(obj)
    for obj in objects:
        if not _is_enabled(obj):
            raise GoneError(
                f"'{obj.name}' is disabled in viewports, or its collection is: it does not move"
                " then. Enable it (the monitor icon in the outliner); hiding with the eye is fine"
            )
    return objects


def _is_enabled(obj: bpy.types.Object) -> bool:
    """Return whether Blender evaluates an object of the scene."""

    def holds(layer: bpy.types.LayerCollection) -> bool:
        if layer.exclude or layer.collection.hide_viewport:
            return False
        inside = layer.collection.objects.get(obj.name) == obj
        return inside or any(holds(child) for child in layer.children)

    return not obj.hide_viewport and holds(view_layer_of(bpy.context).layer_collection)
