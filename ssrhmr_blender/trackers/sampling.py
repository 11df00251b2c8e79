# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading transforms from the evaluated scene: keys, drivers, constraints, parents, caches."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

import bpy

from ..common.axes import flatten_matrix
from ..common.data_blocks import DataBlockKey, GoneError, find_object
from ..common.typed import pose_of, view_layer_of

if TYPE_CHECKING:
    import numpy as np
    from mathutils import Matrix

_SLICE_SECONDS = 0.2
"""How long to work before Blender handles Esc and draws the progress bar."""

PoseKey = tuple[str, bool]
"""Name of a bone, and whether its pose includes what its constraints do."""


def sample(
    scene_name: str,
    keys: Sequence[DataBlockKey],
    frames: Sequence[float],
    bones: Sequence[PoseKey] = (),
) -> Generator[float, None, np.ndarray]:
    """Read transforms at some frames, and return to the scene's current frame.

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
    import numpy as np

    table = np.empty((len(frames), len(keys) + len(bones), 16))
    scene = bpy.data.scenes[scene_name]
    before = scene.frame_current, scene.frame_subframe
    try:
        begin = time.monotonic()
        objects = _resolve(keys)
        for row, frame in enumerate(frames):
            if time.monotonic() - begin > _SLICE_SECONDS:
                yield row / len(frames)
                begin = time.monotonic()
                # References do not survive what may have happened meanwhile.
                scene = bpy.data.scenes[scene_name]
                objects = _resolve(keys)
            whole = int(frame // 1)
            scene.frame_set(whole, subframe=frame - whole)
            # Blender copies what it evaluated for the window's scene back to the objects.
            for column, obj in enumerate(objects):
                table[row, column] = flatten_matrix(obj.matrix_world)
            for column, bone in enumerate(bones, len(objects)):
                table[row, column] = flatten_matrix(_bone_pose(objects[-1], *bone))
    finally:
        if scene_name in bpy.data.scenes:
            bpy.data.scenes[scene_name].frame_set(before[0], subframe=before[1])
    return table.reshape(len(frames), -1, 4, 4)


def _bone_pose(armature: bpy.types.Object, name: str, constrained: bool) -> Matrix:
    """Return the present pose of a bone, in its own space."""
    pose = pose_of(armature).bones.get(name)
    if pose is None:
        raise GoneError(f"bone '{name}' was deleted meanwhile: press Detect Bones again")
    if not constrained:
        return pose.matrix_basis
    evaluated = armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
    pose = pose_of(evaluated).bones[name]
    return evaluated.convert_space(
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
