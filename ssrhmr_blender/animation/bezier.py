# SPDX-License-Identifier: GPL-3.0-or-later
"""Curves that are sampled on whole frames, and written as few keys with handles."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import bpy

if TYPE_CHECKING:
    import numpy as np

_BEZIER, _ALIGNED = 2, 3
"""Numbers of keyframe interpolation and handle type, as foreach_set takes them."""


def sample_curve(curve: bpy.types.FCurve, frames: Iterable[int]) -> list[float]:
    """Return the values of a curve at some frames."""
    return [curve.evaluate(frame) for frame in frames]


def replace_keys(
    curve: bpy.types.FCurve, frames: np.ndarray, values: np.ndarray, slopes: np.ndarray
) -> None:
    """Replace all keys of a curve.

    Args:
        curve: Curve to change.
        frames: (K,) frame numbers, ascending.
        values: (K,) values.
        slopes: (K,) changes per frame, the same on both sides of a key.
    """
    import numpy as np

    points = curve.keyframe_points
    points.clear()
    count = len(frames)
    points.add(count)
    frames = frames.astype(np.float64)
    steps = np.diff(frames) / 3.0
    # Handles a third of the way long make the curve cubic in time.
    before = np.concatenate([steps[:1], steps]) if count > 1 else np.ones(1)
    after = np.concatenate([steps, steps[-1:]]) if count > 1 else np.ones(1)
    for name, times in (("co", 0.0 * frames), ("handle_left", -before), ("handle_right", after)):
        pairs = np.stack([frames + times, values + slopes * times], -1)
        points.foreach_set(name, pairs.astype(np.float32).ravel())
    points.foreach_set("interpolation", np.full(count, _BEZIER, np.int32))
    for name in ("handle_left_type", "handle_right_type"):
        points.foreach_set(name, np.full(count, _ALIGNED, np.int32))
    curve.update()
