# SPDX-License-Identifier: GPL-3.0-or-later
"""Meshes on the rigs of the tests: a small box on every bone, and what may be wrong with one."""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np
from mathutils import Vector

_CORNERS = [Vector((x, y, z)) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]
_FACES = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))


def add_skin(armature: bpy.types.Object, size: float = 0.03) -> bpy.types.Object:
    """Add a mesh with a box around the head of every bone, which moves it alone."""
    heads = {bone.name: bone.head_local.copy() for bone in armature.data.bones}
    return add_boxes(armature, heads, size)


def add_boxes(
    armature: bpy.types.Object, centres: dict[str, Vector], size: float
) -> bpy.types.Object:
    """Add a mesh with a box for each of some bones.

    Args:
        armature: Armature object.
        centres: Middle of each box at rest, in the armature's space, by name of the bone.
        size: Half of the length of a side.
    """
    corners = [centre + size * corner for centre in centres.values() for corner in _CORNERS]
    faces = [
        tuple(8 * box + corner for corner in face) for box in range(len(centres)) for face in _FACES
    ]
    mesh = bpy.data.meshes.new("Body")
    mesh.from_pydata([corner[:] for corner in corners], [], faces)
    body = bpy.data.objects.new("Body", mesh)
    bpy.context.scene.collection.objects.link(body)
    body.parent = armature
    for box, name in enumerate(centres):
        body.vertex_groups.new(name=name).add(range(8 * box, 8 * box + 8), 1.0, "REPLACE")
    body.modifiers.new("Armature", "ARMATURE").object = armature
    return body


def add_bone(
    armature: bpy.types.Object,
    name: str,
    head: Sequence[float],
    parent: str = "",
    child: str = "",
) -> bpy.types.PoseBone:
    """Add a bone of 10 cm below another one, and put one below it."""
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    bones = armature.data.edit_bones
    bone = bones.new(name)
    bone.head, bone.tail = head, Vector(head) + Vector((0.0, 0.0, 0.1))
    if parent:
        bone.parent = bones[parent]
    if child:
        bones[child].parent = bone
    bpy.ops.object.mode_set(mode="OBJECT")
    return armature.pose.bones[name]


def lowest(body: bpy.types.Object, frame: int) -> float:
    """Return the height of the lowest vertex of a mesh at a frame."""
    bpy.context.scene.frame_set(frame)
    evaluated = body.evaluated_get(bpy.context.evaluated_depsgraph_get())
    vertices = [evaluated.matrix_world @ vertex.co for vertex in evaluated.data.vertices]
    return float(np.array(vertices)[:, 2].min())
