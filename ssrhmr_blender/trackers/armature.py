# SPDX-License-Identifier: GPL-3.0-or-later
"""The tracked joints of posed armatures as takes."""

from __future__ import annotations

from collections.abc import Generator
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

    from ssrhmr_core.tracking.take import Take


def read_joints(
    scene: bpy.types.Scene, armature: bpy.types.Object, character: Character, frames: np.ndarray
) -> Generator[float, None, Take]:
    """Read the tracked joints of an armature's evaluated pose.

    Args:
        scene: Scene of the window.
        armature: Armature object.
        character: The same armature as :func:`~ssrhmr_blender.rig.reading.read_character` reads it.
        frames: (F,) frame numbers, with fractions for sub-frames.

    Yields:
        The share done, 0..1.

    Returns:
        The joints as six trackers, in scene units. Their rotations are canonical.

    Raises:
        SamplingError, GoneError: with a message for the user.
    """
    from ssrhmr_core.body.skeleton import TRACKER_JOINTS

    names = [character.bones[joint] for joint in TRACKER_JOINTS]
    canonical = _canonical_rotations(armature, character, names)
    rate = scene.render.fps / scene.render.fps_base
    worlds = yield from sample_bones(scene.name, key_of(armature), names, list(frames))
    # Bones may be stretched; joints are not.
    worlds[..., :3, :3] = split_transforms(worlds)[1] @ canonical
    return take_from_samples(worlds, frames, rate, dict(zip(TRACKERS, names, strict=True)))


def _canonical_rotations(
    armature: bpy.types.Object, character: Character, names: list[str]
) -> np.ndarray:
    """Return rotations (6, 3, 3) from the canonical joints' axes in Blender to their bones'."""
    import numpy as np

    from ssrhmr_core.body.skeleton import TRACKER_JOINTS

    axes = core_axes()
    bones = armature_of(armature).bones
    rests = np.array([flatten_matrix(bones[name].matrix_local) for name in names])
    rests = axes @ rests.reshape(-1, 4, 4)[:, :3, :3]
    alignments = character.rest.alignments[list(TRACKER_JOINTS)].astype(np.float64)
    canonical: np.ndarray = (alignments @ rests).swapaxes(-1, -2) @ axes
    return canonical
