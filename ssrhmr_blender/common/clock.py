# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames of the scene and times of curves, which differ where the scene remaps time."""

from __future__ import annotations

import bpy


def curve_time_per_frame(scene: bpy.types.Scene) -> float:
    """Return how far curves advance with each frame of the scene.

    It is 1 unless *Time Stretching* (output properties) maps old frames to new ones. A key that
    shows at frame F of the scene lies at F times this factor.
    """
    return float(scene.render.frame_map_old / scene.render.frame_map_new)
