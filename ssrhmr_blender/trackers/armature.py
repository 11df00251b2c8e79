# SPDX-License-Identifier: GPL-3.0-or-later
"""The tracked joints of posed armatures as takes."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

import bpy

from ..common.axes import core_axes, flatten_matrix, split_transforms
from ..common.data_blocks import key_of
from ..common.typed import armature_of
from ..properties.tracker import TRACKERS
from ..rig.reading import Character
from .sampling import sample_bones
from .take import take_from_samples

if TYPE_CHECKING:
    import numpy as np

    from ssrhmr_core.tracking.extras.calibration import ReferenceBody
    from ssrhmr_core.tracking.take import Take


def read_joints(
    scene: bpy.types.Scene,
    armature: bpy.types.Object,
    character: Character,
    frames: np.ndarray,
    extras: Sequence[str] = (),
) -> Generator[float, None, Take]:
    """Read the tracked joints of an armature's evaluated pose.

    Args:
        scene: Scene of the window.
        armature: Armature object.
        character: The same armature as :func:`~ssrhmr_blender.rig.reading.read_character` reads it.
        frames: (F,) frame numbers, with fractions for sub-frames.
        extras: Names of optional trackers whose joints are read too, see :func:`readable_extras`.

    Yields:
        The share done, 0..1.

    Returns:
        The joints as trackers, in scene units. Their rotations are canonical.

    Raises:
        SamplingError, GoneError: with a message for the user.
    """
    from ssrhmr_core.body.extra_trackers import EXTRA_ROLES
    from ssrhmr_core.body.skeleton import TRACKER_JOINTS

    placed = [*TRACKER_JOINTS, *(EXTRA_ROLES[role].position for role in extras)]
    turning = [*TRACKER_JOINTS, *(EXTRA_ROLES[role].rotation() for role in extras)]
    joints = list(dict.fromkeys([*placed, *turning]))
    names = [character.bones[joint] for joint in joints]
    canonical = _canonical_rotations(armature, character, joints)
    rate = scene.render.fps / scene.render.fps_base
    sampled = yield from sample_bones(scene.name, key_of(armature), names, list(frames))
    # Bones may be stretched; joints are not.
    sampled[..., :3, :3] = split_transforms(sampled)[1] @ canonical
    worlds = sampled[:, [joints.index(joint) for joint in placed]]
    worlds[..., :3, :3] = sampled[:, [joints.index(joint) for joint in turning], :3, :3]
    roles = [*TRACKERS, *extras]
    labels = {role: character.bones[joint] for role, joint in zip(roles, placed, strict=True)}
    return take_from_samples(worlds, frames, rate, labels)


def read_body(
    scene: bpy.types.Scene, armature: bpy.types.Object, character: Character, frame: int
) -> Generator[float, None, ReferenceBody]:
    """Read all joints of an armature's evaluated pose at a frame, as :func:`read_joints` does.

    Returns:
        The body in scene units; joints without a bone have no position, and the rotation of the
        joint above them.
    """
    import numpy as np
    from pymotion.rotations import quat_np as quat

    from ssrhmr_core.body.skeleton import PARENTS
    from ssrhmr_core.tracking.extras.calibration import ReferenceBody

    joints = [joint for joint, bone in enumerate(character.bones) if bone]
    names = [character.bones[joint] for joint in joints]
    worlds = yield from sample_bones(scene.name, key_of(armature), names, [frame])
    axes = core_axes()
    turned = split_transforms(worlds[0])[1] @ _canonical_rotations(armature, character, joints)
    positions = np.full((len(PARENTS), 3), np.nan)
    positions[joints] = worlds[0, :, :3, 3] @ axes.T
    rotations = np.tile(np.array([1.0, 0.0, 0.0, 0.0]), (len(PARENTS), 1))
    rotations[joints] = quat.from_matrix(axes @ turned @ axes.T)
    for joint, parent in enumerate(PARENTS):
        if joint not in joints and parent >= 0:
            rotations[joint] = rotations[parent]
    return ReferenceBody(positions, rotations, character.rest.skeleton)


def readable_extras(character: Character, roles: Sequence[str]) -> list[str]:
    """Return those of some optional trackers whose joints an armature has bones for."""
    from ssrhmr_core.body.extra_trackers import EXTRA_ROLES

    def is_readable(role: str) -> bool:
        joints = EXTRA_ROLES[role].position, EXTRA_ROLES[role].rotation()
        return all(character.bones[joint] for joint in joints)

    return [role for role in roles if is_readable(role)]


def _canonical_rotations(
    armature: bpy.types.Object, character: Character, joints: list[int]
) -> np.ndarray:
    """Return rotations (n, 3, 3) from the canonical axes of joints in Blender to their bones'."""
    import numpy as np

    axes = core_axes()
    bones = armature_of(armature).bones
    rests = np.array(
        [flatten_matrix(bones[character.bones[joint]].matrix_local) for joint in joints]
    )
    rests = axes @ rests.reshape(-1, 4, 4)[:, :3, :3]
    alignments = character.rest.alignments[joints].astype(np.float64)
    canonical: np.ndarray = (alignments @ rests).swapaxes(-1, -2) @ axes
    return canonical
