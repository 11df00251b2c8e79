# SPDX-License-Identifier: GPL-3.0-or-later
"""Time a long bake by its parts: ``python tests/blender/bake_benchmark.py [FRAMES]``.

Six keyed empties, a rig of 22 bones, 60 frames a second; the default is ten minutes.
"""

from __future__ import annotations

import os
import sys

import bpy
import numpy as np

import ssrhmr_blender
from ssrhmr_blender.baking.job import bake
from ssrhmr_blender.common.steps import run_steps
from ssrhmr_blender.common.typed import scene_of
from ssrhmr_core import Motion, Take
from tests.blender.conftest import choose, make_armature, make_trackers, with_t_pose
from tests.core.conftest import make_motion, make_skeleton


def main(frames: int) -> None:
    """Make the scene, bake, print the seconds of each part."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    ssrhmr_blender.register()
    bpy.context.scene.render.fps = 60
    clip = with_t_pose(make_motion(make_skeleton(), frames=600))
    # The same ten seconds over and over, there and back so that nothing jumps.
    order = np.arange(frames) % (2 * len(clip) - 2)
    order = np.where(order < len(clip), order, 2 * len(clip) - 2 - order)
    times = np.arange(frames) / 60.0
    motion = Motion(clip.skeleton, times, clip.rotations[order], clip.root[order])
    armature = make_armature("Hero", clip.skeleton)
    choose(armature, make_trackers(Take.from_motion(motion)))
    setup = bpy.context.scene.ssrhmr
    setup.calibration_frame, setup.frame_start, setup.frame_end = 20, 1, frames
    bpy.ops.ssrhmr.calibrate()
    report = run_steps(bake(scene_of(bpy.context)))
    for part, seconds in report.seconds.items():
        print(f"{part:10} {seconds:6.2f} s")
    print(f"{'all':10} {sum(report.seconds.values()):6.2f} s: {frames} frames, {report.keys} keys")
    ssrhmr_blender.unregister()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 36_000)
    sys.stdout.flush()
    os._exit(0)  # The bpy wheel may hang when the interpreter ends.
