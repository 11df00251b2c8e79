# SPDX-License-Identifier: GPL-3.0-or-later
"""Fingers and faces of a character: bones and shape keys that no tracker moves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import bpy

from ..common.axes import core_axes, flatten_matrix
from ..common.data_blocks import DataBlockKey, find_object, key_of
from ..common.typed import armature_of, pose_of
from .skin import meshes_of

if TYPE_CHECKING:
    import numpy as np

    from .reading import Character

_SIDES = (("Left", "left_wrist", ".L"), ("Right", "right_wrist", ".R"))
_VALUE = ".value"


@dataclass(frozen=True, eq=False)
class FingerBone:
    """A finger's bone.

    Attributes:
        name: Name of the bone.
        axes: (3, 3) rotation from the bone's axes at rest to the canonical T-pose.
        rotation_mode: How the bone's rotation is stored.
    """

    name: str
    axes: np.ndarray
    rotation_mode: str

    def to_basis(self, rotations: np.ndarray) -> np.ndarray:
        """Convert rotations (F, 3, 3) since the T-pose, relative to the parent, to the bone's."""
        basis: np.ndarray = self.axes.T @ rotations @ self.axes
        return basis


def read_finger_bones(armature: bpy.types.Object, character: Character) -> dict[str, FingerBone]:
    """Return the finger bones of a character by Unity's names."""
    import numpy as np

    from ssrhmr_core.body.skeleton import INDEX
    from ssrhmr_core.rigs.finger_bones import find_finger_bones

    data = armature_of(armature).bones
    fingers: dict[str, FingerBone] = {}
    for side, joint, ending in _SIDES:
        hand = data.get(character.bones[INDEX[joint]])
        if hand is None:
            continue
        # Controls of fingers do not hang from the bones that deform the hand.
        below: Iterable[bpy.types.Bone] = hand.children_recursive
        if character.controls is not None:
            below = [bone for bone in data if bone.name.endswith(ending)]
        named = ((bone.name, len(bone.parent_recursive)) for bone in below)
        alignment = character.rest.alignments[INDEX[joint]]
        for unity, name in find_finger_bones(side, named).items():
            rest = np.array(flatten_matrix(data[name].matrix_local)).reshape(4, 4)[:3, :3]
            axes = alignment @ core_axes() @ rest
            fingers[unity] = FingerBone(name, axes, pose_of(armature).bones[name].rotation_mode)
    return fingers


def find_shape_keys(
    armature: bpy.types.Object, names: Iterable[str]
) -> dict[str, list[tuple[bpy.types.Object, bpy.types.ShapeKey]]]:
    """Return the shape keys of a character's meshes that have certain names, by those names.

    Keys with a driver, and those at the top that others are relative to, are left out. Where no key
    has the very name, capitals do not count.
    """
    wanted = list(names)
    keys: dict[str, list[tuple[bpy.types.Object, bpy.types.ShapeKey]]] = {}
    for mesh in meshes_of(armature):
        block = getattr(mesh.data, "shape_keys", None)
        if block is None:
            continue
        driven = {driver.data_path for driver in getattr(block.animation_data, "drivers", ())}
        for key in block.key_blocks:
            if key != block.reference_key and key.path_from_id() + _VALUE not in driven:
                keys.setdefault(key.name, []).append((mesh, key))
    folded = {name.casefold(): found for name, found in keys.items()}
    chosen = {name: keys.get(name) or folded.get(name.casefold(), []) for name in wanted}
    return {name: found for name, found in chosen.items() if found}


class DetailsPreview:
    """Shows fingers and faces as they stream in. Keeps names only, as the preview of bodies."""

    def __init__(self, armature: bpy.types.Object, character: Character) -> None:
        """Read the character; nothing is changed yet."""
        self._owner = key_of(armature)
        self._fingers = read_finger_bones(armature, character)
        self._shapes: dict[str, list[tuple[DataBlockKey, str]]] = {}
        self._before: dict[tuple[DataBlockKey, str], float] = {}

    def show(
        self,
        fingers: Mapping[str, tuple[float, float, float, float]],
        shapes: Mapping[str, float],
    ) -> None:
        """Show rotations of fingers, relative to their parents in core axes, and values of shapes.

        The pose of before is restored with that of the body.
        """
        armature = find_object(self._owner)
        if armature is None or armature.pose is None:
            return
        self._show_fingers(armature, fingers)
        new = [name for name in shapes if name not in self._shapes]
        if new:
            found = find_shape_keys(armature, new)
            for name in new:
                pairs = found.get(name, ())
                self._shapes[name] = [(key_of(mesh), key.name) for mesh, key in pairs]
        for name, value in shapes.items():
            for mesh, key in self._shapes[name]:
                self._set_shape(mesh, key, value)

    def restore(self) -> None:
        """Restore the face of before; fingers are restored with the body's pose."""
        for (mesh, key), value in self._before.items():
            self._set_shape(mesh, key, value)

    def _show_fingers(
        self,
        armature: bpy.types.Object,
        fingers: Mapping[str, tuple[float, float, float, float]],
    ) -> None:
        import numpy as np

        from ssrhmr_core.geometry.rotations import from_quat

        from ..animation.rotation_values import rotation_values

        shown = [name for name in fingers if name in self._fingers]
        if not shown:
            return
        matrices = from_quat(np.array([fingers[name] for name in shown]))
        for name, matrix in zip(shown, matrices, strict=True):
            bone = self._fingers[name]
            pose = pose_of(armature).bones.get(bone.name)
            if pose is not None:
                basis = bone.to_basis(matrix[None])
                channel, values = rotation_values(basis, bone.rotation_mode)
                setattr(pose, channel, values[0].tolist())

    def _set_shape(self, mesh_key: DataBlockKey, name: str, value: float) -> None:
        mesh = find_object(mesh_key)
        block = getattr(mesh.data, "shape_keys", None) if mesh is not None else None
        key = block.key_blocks.get(name) if block is not None else None
        if key is not None:
            self._before.setdefault((mesh_key, name), key.value)
            key.value = value
