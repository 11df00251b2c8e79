# SPDX-License-Identifier: GPL-3.0-or-later
"""Armatures that perform a known motion, as imported files do."""

from __future__ import annotations

import bpy
import numpy as np

from ssrhmr_blender.animation.actions import ActionWriter
from ssrhmr_blender.baking.keys import write_bone_keys
from ssrhmr_blender.rig.bones import read_bones
from ssrhmr_blender.rig.detection import detect_bone_names
from ssrhmr_blender.rig.posing import pose_bones
from ssrhmr_blender.rig.reading import read_character
from ssrhmr_core import Motion


def perform(armature: bpy.types.Object, motion: Motion, first_frame: int = 1) -> Motion:
    """Key an armature so that it performs a motion, one key a frame of the scene.

    Args:
        armature: Armature of any family.
        motion: Motion of any body; its rotations are taken over, its path is scaled.
        first_frame: Frame of the first key.

    Returns:
        The motion of the armature in scene units.
    """
    bpy.context.view_layer.update()
    character = read_character(armature, detect_bone_names(armature)[0])
    scale = character.rest.skeleton.size / motion.skeleton.size
    root = (motion.root * scale).astype(np.float32)
    own = Motion(character.rest.skeleton, motion.times, motion.rotations, root)
    worlds = np.tile(np.array(armature.matrix_world), (len(motion), 1, 1))
    writer = ActionWriter(f"{armature.name} performs", armature)
    frames = first_frame + np.arange(len(motion))
    for channels in pose_bones(own, character, read_bones(armature, character), worlds):
        write_bone_keys(writer, channels, frames)
    writer.assign(armature)
    return own
