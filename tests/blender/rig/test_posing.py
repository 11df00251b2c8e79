# SPDX-License-Identifier: GPL-3.0-or-later
"""From a motion to channels: how much memory long takes need."""

from __future__ import annotations

import tracemalloc

import bpy
import numpy as np

from ssrhmr_blender.common.axes import flatten_matrix
from ssrhmr_blender.rig.bones import read_bones
from ssrhmr_blender.rig.posing import pose_bones
from ssrhmr_blender.rig.reading import read_character
from ssrhmr_core import Motion
from tests.blender.conftest import choose, make_armature

_BYTES_PER_FRAME = 2500
"""Matrices of 22 joints and poses of 22 bones would be 4,000 bytes a frame."""


def test_long_motions_are_posed_within_bounds_of_memory(performance: Motion) -> None:
    frames = 20_000
    order = np.arange(frames) % len(performance)
    motion = Motion(
        performance.skeleton,
        np.arange(frames) / 60.0,
        performance.rotations[order],
        performance.root[order],
    )
    armature = make_armature("Hero", performance.skeleton)
    choose(armature, {})
    setup = bpy.context.scene.ssrhmr
    character = read_character(armature, tuple(slot.bone for slot in setup.bones))
    bones = read_bones(armature, character)
    world = np.array(flatten_matrix(armature.matrix_world)).reshape(4, 4)
    worlds = np.tile(world, (frames, 1, 1))
    tracemalloc.start()
    try:
        posed = sum(
            len(channels.rotations) for channels in pose_bones(motion, character, bones, worlds)
        )
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert posed == frames * sum(bone.keyed for bone in bones)
    assert peak / frames < _BYTES_PER_FRAME
