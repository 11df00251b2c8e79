# SPDX-License-Identifier: GPL-3.0-or-later
"""The pose bones of a character as plain arrays: those to key, and those that they follow."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import bpy

from ..animation.actions import curves_of, nla_paths
from ..common.axes import flatten_matrix, split_transforms
from ..common.typed import armature_of, pose_of
from .obstacles import find_driven
from .reading import Character, RigError, inherits_scale

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

_SCALED = 1e-3


@dataclass(frozen=True)
class Bone:
    """What the pose of a bone depends on besides its channels.

    Attributes:
        name: Name of the bone.
        parent: Index in the list of bones of the one that it follows, or -1.
        rest: (4, 4) rest matrix in the armature's space.
        relative: (4, 4) rest matrix in the space of the bone that it follows.
        static: (4, 4) or (F, 4, 4) its own pose as it stands; used for bones that are not keyed.
        keyed: Whether it is posed.
        held: Whether constraints or drivers of its own, which nothing here imitates, move it.
        joint: Index of the joint that it is put onto, or -1.
        joint_offset: (3,) rest position of that joint, from the bone's head along its axes.
        moves: Whether it has location keys in any case.
        can_move: Whether it may have location keys.
        inherits_rotation: Whether it rotates with its parent.
        inherits_scale: Whether it is scaled with its parent.
        clears_scale: Whether it is keyed and something has scaled it, or may.
        local_location: Whether its location channels are along its own axes.
        rotation_mode: Blender's name of it.
    """

    name: str
    parent: int
    rest: np.ndarray
    relative: np.ndarray
    static: np.ndarray
    keyed: bool
    held: bool
    joint: int
    joint_offset: np.ndarray
    moves: bool
    can_move: bool
    inherits_rotation: bool
    inherits_scale: bool
    clears_scale: bool
    local_location: bool
    rotation_mode: str


def read_bones(armature: bpy.types.Object, character: Character) -> list[Bone]:
    """Read the bones to pose and all that they follow, parents before children.

    Raises:
        RigError: if the hips cannot be moved.
    """
    reader = _BoneReader(armature, character)
    for bone in armature_of(armature).bones:
        if bone.name in reader.keyed:
            reader.add(bone.name)
    return reader.bones


class _BoneReader:
    """Reads bones one by one, each after those that it follows."""

    def __init__(self, armature: bpy.types.Object, character: Character) -> None:
        self._data, self._pose = armature_of(armature), pose_of(armature)
        self._character, self._controls = character, character.controls
        self._nla_paths = nla_paths(armature)
        self._animated = self._nla_paths | {curve.data_path for curve in curves_of(armature)}
        self._driven = find_driven(armature)
        self._joints = positioned_bones(character)
        self.keyed = self._find_keyed()
        self._moving = {*(self._controls.locations if self._controls else character.bones[:1])}
        # The ends of segments that bend come a little nearer.
        self._moving |= {
            character.bones[segment.end] for segment in character.segments if segment.bends
        }
        self.bones: list[Bone] = []
        self._index: dict[str, int] = {}

    def add(self, name: str) -> int:
        """Return the index of a bone; read it first where that is still to do."""
        if name in self._index:
            return self._index[name]
        bone, pose = self._data.bones[name], self._pose.bones[name]
        parent = self._followed(bone)
        index = self.add(parent) if parent else -1
        self._check(bone)
        self._index[name] = len(self.bones)
        self.bones.append(self._read(bone, pose, index))
        return self._index[name]

    def _find_keyed(self) -> set[str]:
        keyed = {*self._joints, *rotated_bones(self._character)}
        keyed |= {name for segment in self._character.segments for name in segment.bones}
        if self._controls:
            return keyed | {*self._controls.at_rest, *self._controls.poles}
        return keyed | {*self._between(keyed)}

    def _between(self, keyed: set[str]) -> Iterator[str]:
        """Yield bones between keyed ones: they are the body's too, and are keyed at rest.

        Otherwise an earlier pose of theirs, as from an old action, would carry the body away.
        """
        for name in keyed:
            ancestors: list[str] = []
            bone = self._data.bones[name].parent
            while bone is not None and bone.name not in keyed:
                ancestors.append(bone.name)
                bone = bone.parent
            if bone is not None:
                yield from (each for each in ancestors if not self._is_held(each))

    def _is_held(self, name: str) -> bool:
        constraints = self._pose.bones[name].constraints
        return name in self._driven or any(not constraint.mute for constraint in constraints)

    def _followed(self, bone: bpy.types.Bone) -> str:
        """Return the name of the bone that a bone follows, "" if there is none."""
        parent = bone.parent.name if bone.parent else ""
        return self._controls.parents.get(bone.name, parent) if self._controls else parent

    def _check(self, bone: bpy.types.Bone) -> None:
        if bone.name in self._moving and bone.use_connect and bone.parent is not None:
            raise RigError(
                f"the hips' bone '{bone.name}' is connected to '{bone.parent.name}' and cannot"
                " move: disconnect it in edit mode, or choose another bone"
            )

    def _read(self, bone: bpy.types.Bone, pose: bpy.types.PoseBone, parent: int) -> Bone:
        import numpy as np

        name, rest = bone.name, np.array(flatten_matrix(bone.matrix_local)).reshape(4, 4)
        relative = np.linalg.inv(self.bones[parent].rest) @ rest if parent >= 0 else rest
        joint = self._joint(name)
        connected = bone.use_connect and bone.parent is not None
        path = f'pose.bones["{bpy.utils.escape_identifier(name)}"]'
        scaled = f"{path}.scale" in self._animated or any(
            abs(value - 1.0) > _SCALED for value in pose.scale[:]
        )
        return Bone(
            name=name,
            parent=parent,
            rest=rest,
            relative=relative,
            static=np.array(flatten_matrix(pose.matrix_basis)).reshape(4, 4),
            keyed=name in self.keyed,
            held=self._controls is None and self._is_held(name),
            joint=joint,
            joint_offset=self._joint_offset(rest, joint),
            moves=name in self._moving or (f"{path}.location" in self._nla_paths and not connected),
            can_move=not connected,
            inherits_rotation=bone.use_inherit_rotation,
            inherits_scale=inherits_scale(bone),
            clears_scale=name in self.keyed and scaled,
            local_location=bone.use_local_location,
            rotation_mode=pose.rotation_mode,
        )

    def _joint(self, name: str) -> int:
        if self._controls and name in self._controls.poles:
            # The middle joint of the limb.
            return self._controls.poles[name] + 1
        return self._joints.get(name, -1)

    def _joint_offset(self, rest: np.ndarray, joint: int) -> np.ndarray:
        import numpy as np

        if not self._controls or joint < 0:
            return np.zeros(3)
        head = np.array(self._data.bones[self._character.bones[joint]].head_local)
        offset: np.ndarray = rest[:3, :3].T @ (head - rest[:3, 3])
        return offset


def use_sampled_poses(bones: list[Bone], poses: np.ndarray, pose_scale: float) -> list[Bone]:
    """Replace the still poses of bones that are not keyed by their poses over time.

    Args:
        bones: Bones from :func:`read_bones`.
        poses: (F, n, 4, 4) poses of those that are not keyed, each in its own space.
        pose_scale: Scale of the character's body in its pose; see
            :class:`~ssrhmr_blender.rig.reading.Character`.

    Raises:
        RigError: if one of them is scaled by different amounts, along its axes or over time.
    """
    moving, column = [], 0
    for bone in bones:
        if bone.keyed:
            moving.append(bone)
            continue
        moving.append(replace(bone, static=poses[:, column]))
        column += 1
    _check_scales(moving, pose_scale)
    return moving


def _check_scales(bones: list[Bone], pose_scale: float) -> None:
    """Raise RigError if bones are not scaled evenly, or the body not by the same at all frames."""
    import numpy as np

    scales: list[np.ndarray] = []
    for bone in bones:
        above = scales[bone.parent] if bone.parent >= 0 else np.ones(1)
        if bone.keyed:
            scales.append(above)
            if bone.joint == 0 and abs(above / pose_scale - 1.0).max() > _SCALED:
                name = bones[bone.parent].name
                raise RigError(
                    f"the scale of '{name}', which carries the body, changes over time: delete its"
                    " scale keys, or bake onto a copy of the character without them"
                )
            continue
        own = split_transforms(bone.static)[2]
        if own.min() <= 0.0 or (own.max(-1) / own.min(-1)).max() > 1.0 + _SCALED:
            raise RigError(
                f"bone '{bone.name}' is scaled unevenly in its pose, so the bones below it are not"
                " where their joints are: clear its scale (Alt S in pose mode)"
            )
        scales.append(above * own.mean(-1))


def positioned_bones(character: Character) -> dict[str, int]:
    """Return the joint of each bone that is moved to one."""
    if character.controls:
        return character.controls.locations
    return {name: joint for joint, name in enumerate(character.bones) if name}


def rotated_bones(character: Character) -> dict[str, int]:
    """Return the joint of each bone that rotates as one."""
    if character.controls:
        return character.controls.rotations
    return positioned_bones(character)
