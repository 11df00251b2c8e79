# SPDX-License-Identifier: GPL-3.0-or-later
"""Showing single poses on a character without keys, and restoring the pose of before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from ..common.axes import flatten_matrix
from ..common.data_blocks import GoneError, find_object, key_of
from ..common.typed import pose_of
from .bones import read_bones
from .controls import read_switch, set_switch
from .posing import pose_bones
from .reading import Character

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from ssrhmr_core.body.motion import Motion

_CHANNELS = {
    "location": 3,
    "rotation_quaternion": 4,
    "rotation_axis_angle": 4,
    "rotation_euler": 3,
    "scale": 3,
}


class Preview:
    """Poses one character. Keeps names only, so that undo and deletion do no harm."""

    def __init__(self, armature: bpy.types.Object, character: Character) -> None:
        """Remember the character's pose.

        Raises:
            RigError: if it cannot be posed; see :func:`~ssrhmr_blender.rig.bones.read_bones`.
        """
        self._owner = key_of(armature)
        self._character = character
        self._bones = read_bones(armature, character)
        self._before = {channel: _read(armature, channel) for channel in _CHANNELS}
        switches = character.controls.switches if character.controls else ()
        self._switches = {(bone, name): value for bone, name, value in switches}
        self._switches_before: dict[tuple[str, str], float] = {
            (bone, name): read_switch(armature, bone, name) for bone, name in self._switches
        }

    def show(self, rotations: np.ndarray, root: np.ndarray) -> None:
        """Put the character into a pose.

        Args:
            rotations: (22, 4) global canonical quaternions, in the core's axes.
            root: (3,) position of the hips, in the core's axes and scene units.

        Raises:
            GoneError: if the character was deleted, or lost bones.
        """
        import numpy as np

        from ssrhmr_core.body.motion import Motion

        armature = self._armature()
        motion = Motion(self._character.rest.skeleton, np.zeros(1), rotations[None], root[None])
        world = np.array(flatten_matrix(armature.matrix_world)).reshape(1, 4, 4)
        index = {bone.name: number for number, bone in enumerate(pose_of(armature).bones)}
        tables: dict[str, np.ndarray] = {}
        for bone, channel, values in self._channels(motion, world):
            if bone not in index:
                raise GoneError(
                    f"bone '{bone}' was deleted: press Detect Bones, then Start Live again"
                )
            if channel not in tables:
                tables[channel] = _read(armature, channel)
            tables[channel][index[bone]] = values
        for (bone, name), switch in self._switches.items():
            set_switch(armature, bone, name, switch)
        for channel, table in tables.items():
            _write(armature, channel, table)

    def _channels(self, motion: Motion, world: np.ndarray) -> Iterator[tuple[str, str, np.ndarray]]:
        """Yield bone, name of the channel and its values (n,) for a motion of one frame."""
        import numpy as np

        from ssrhmr_core.geometry.rotations import to_quat

        from ..animation.rotation_values import rotation_values

        posed = list(pose_bones(motion, self._character, self._bones, world))
        # All at once: single ones would take as long each.
        quaternions = to_quat(np.concatenate([channels.rotations for channels in posed]))
        for channels, quaternion in zip(posed, quaternions, strict=True):
            if channels.rotation_mode == "QUATERNION":
                yield channels.bone, "rotation_quaternion", quaternion
            else:
                name, values = rotation_values(channels.rotations, channels.rotation_mode)
                yield channels.bone, name, values[0]
            if channels.clears_scale:
                yield channels.bone, "scale", np.ones(3)
            if channels.locations is not None:
                yield channels.bone, "location", channels.locations[0]

    def shows(self, armature: bpy.types.Object | None) -> bool:
        """Return whether this is the character."""
        return armature is not None and key_of(armature) == self._owner

    def restore(self) -> None:
        """Restore the pose of before, if the character still exists."""
        armature = find_object(self._owner)
        if armature is None or armature.pose is None:
            return
        for (bone, name), switch in self._switches_before.items():
            set_switch(armature, bone, name, switch)
        for channel, table in self._before.items():
            if len(table) == len(armature.pose.bones):
                _write(armature, channel, table)

    def _armature(self) -> bpy.types.Object:
        armature = find_object(self._owner)
        if armature is None or armature.pose is None:
            raise GoneError(f"'{self._owner[0]}' was deleted: choose another character")
        return armature


def _read(armature: bpy.types.Object, channel: str) -> np.ndarray:
    """Return one channel of all pose bones, (bones, 3 or 4)."""
    import numpy as np

    table = np.empty((len(pose_of(armature).bones), _CHANNELS[channel]), np.float32)
    pose_of(armature).bones.foreach_get(channel, table.ravel())
    return table


def _write(armature: bpy.types.Object, channel: str, table: np.ndarray) -> None:
    import numpy as np

    pose_of(armature).bones.foreach_set(channel, np.ascontiguousarray(table, np.float32).ravel())
    # The pose alone: tagging everything would evaluate the character's action over it.
    armature.update_tag(refresh={"DATA"})
