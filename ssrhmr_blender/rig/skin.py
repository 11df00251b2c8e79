# SPDX-License-Identifier: GPL-3.0-or-later
"""The meshes of a character: which they are, and where the skin of a bone lies at rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import bpy

from ..common.axes import flatten_matrix
from ..common.typed import armature_of, pose_of

if TYPE_CHECKING:
    import numpy as np

_SAME_PLACE = 1e-3
"""Share of the shin within which a bone begins where another one does, as copies of it do."""
_NEAR_FOOT = 1.5
"""Distance from the ankle in shins within which the skin of a foot lies."""
_MOST_VERTICES = 20_000
"""Vertices of a mesh whose weights are read; of denser feet every second one or fewer."""


def meshes_of(armature: bpy.types.Object) -> list[bpy.types.Object]:
    """Return the mesh objects that the bones of an armature deform or carry."""
    meshes = []
    for obj in bpy.data.objects:
        if obj.type != "MESH" or (obj.hide_viewport and obj.hide_render):
            continue
        if obj.users_scene and (is_carried(obj, armature) or is_deformed(obj, armature)):
            meshes.append(obj)
    return meshes


def is_carried(obj: bpy.types.Object, armature: bpy.types.Object) -> bool:
    """Return whether an object is parented to a bone of an armature."""
    return obj.parent == armature and obj.parent_type == "BONE"


def is_deformed(obj: bpy.types.Object, armature: bpy.types.Object) -> bool:
    """Return whether a modifier or the parent makes an armature deform an object."""
    if obj.parent == armature and obj.parent_type == "ARMATURE":
        return True
    return any(
        isinstance(modifier, bpy.types.ArmatureModifier)
        and modifier.object == armature
        and modifier.show_viewport
        for modifier in obj.modifiers
    )


def read_feet_skins(
    armature: bpy.types.Object, legs: Iterable[tuple[str, str, str]]
) -> list[np.ndarray]:
    """Return the vertices (V, 3) of each foot at rest, in the armature's space.

    Args:
        armature: Armature object.
        legs: Names of the knee's, the ankle's and the toe's bone of each leg, empty where there is
            no bone.
    """
    import numpy as np

    meshes = meshes_of(armature)
    bones = armature_of(armature).bones
    skins = []
    for knee, ankle, toe in legs:
        foot = find_foot_bones(armature, knee, ankle, toe)
        shin = (bones[ankle].head_local - bones[knee].head_local).length
        near = np.array(bones[ankle].head_local), _NEAR_FOOT * shin
        parts = [_vertices_of(obj, armature, foot, near) for obj in meshes]
        skins.append(np.concatenate([np.zeros((0, 3)), *parts]))
    return skins


def find_foot_bones(armature: bpy.types.Object, knee: str, ankle: str, toe: str) -> frozenset[str]:
    """Return the bones of a foot and below it, and those that begin at the same places."""
    bones = armature_of(armature).bones
    near = _SAME_PLACE * (bones[ankle].head_local - bones[knee].head_local).length
    roots = [bones[name] for name in (ankle, toe) if name]
    heads = [bone.head_local for bone in roots]
    roots += [
        bone for bone in bones if any((bone.head_local - head).length < near for head in heads)
    ]
    return frozenset(each.name for bone in roots for each in (bone, *bone.children_recursive))


def _vertices_of(
    obj: bpy.types.Object,
    armature: bpy.types.Object,
    bones: frozenset[str],
    near: tuple[np.ndarray, float],
) -> np.ndarray:
    """Return the vertices (V, 3) of a mesh that some bones carry, near a position at rest."""
    import numpy as np

    mesh = obj.data
    if not isinstance(mesh, bpy.types.Mesh):
        return np.zeros((0, 3))
    carried = is_carried(obj, armature)
    if carried and obj.parent_bone not in bones:
        return np.zeros((0, 3))
    vertices = np.empty((len(mesh.vertices), 3), np.float32)
    mesh.vertices.foreach_get("co", vertices.ravel())
    at_rest = _rest_transform(obj, armature)
    vertices = vertices @ at_rest[:3, :3].T + at_rest[:3, 3]
    centre, radius = near
    inside = np.flatnonzero(np.linalg.norm(vertices - centre, axis=-1) < radius)
    if not carried:
        inside = inside[:: 1 + len(inside) // _MOST_VERTICES]
        weights = dict(_bone_groups(obj, armature))
        inside = np.array(
            [index for index in inside if _moves_most(mesh.vertices[index], weights, bones)], int
        )
    chosen: np.ndarray = vertices[inside]
    return chosen


def _bone_groups(obj: bpy.types.Object, armature: bpy.types.Object) -> Iterator[tuple[int, str]]:
    """Yield the index and the name of each vertex group that a bone of the armature moves."""
    bones = armature_of(armature).bones
    for group in obj.vertex_groups:
        bone = bones.get(group.name)
        if bone is not None and bone.use_deform:
            yield group.index, group.name


def _moves_most(
    vertex: bpy.types.MeshVertex, groups: dict[int, str], bones: frozenset[str]
) -> bool:
    """Return whether some bones move a vertex more than all the others do."""
    whole = own = 0.0
    for element in vertex.groups:
        name = groups.get(element.group)
        if name is not None:
            whole += element.weight
            own += element.weight if name in bones else 0.0
    return own > 0.5 * whole


def _rest_transform(obj: bpy.types.Object, armature: bpy.types.Object) -> np.ndarray:
    """Return the transform (4, 4) from an object's vertices to the armature's space at rest."""
    import numpy as np

    transform = armature.matrix_world.inverted_safe() @ obj.matrix_world
    pose = pose_of(armature).bones.get(obj.parent_bone) if obj.parent == armature else None
    if pose is not None and obj.parent_type == "BONE":
        transform = pose.bone.matrix_local @ pose.matrix.inverted_safe() @ transform
    return np.array(flatten_matrix(transform)).reshape(4, 4)
