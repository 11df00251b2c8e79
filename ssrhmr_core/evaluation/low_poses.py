# SPDX-License-Identifier: GPL-3.0-or-later
"""Low poses: which of them a body is in, and how its joints rest on the floor."""

from __future__ import annotations

import numpy as np

from ..body.motion import Motion
from ..body.skeleton import ADULT_SIZE, INDEX, Skeleton

LOW_KINDS = ("lying", "crawling", "floor sit", "kneeling", "squatting")
"""Kinds of low poses, of which the first that applies counts: flat on the floor, trunk level with a
knee down, hips on the floor, on a knee, or none of these."""
RESTING_JOINTS = (
    "left_knee",
    "right_knee",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "hips",
    "chest",
)
"""Joints near the parts of the body that rest on the floor."""

_RESTING = [INDEX[name] for name in RESTING_JOINTS]
_LYING_HIPS, _LYING_CHEST = 0.2, 0.25
"""Heights of hips and chest over the lowest joint of a body that lies, in lengths of a leg."""
_HIPS_DOWN, _KNEE_DOWN, _KNEE_LOW = 0.3, 0.15, 0.3
"""Heights below which hips and knees rest on the floor, and of the knees of a body that crawls."""
_LEVEL = np.cos(np.radians(50.0))
"""Cosine of the angle of the trunk from the vertical, below which it is level."""
_THICKNESS = (0.12, 0.12, 0.1, 0.1, 0.1, 0.1, 0.2, 0.22)
"""Heights over the floor in metres on an adult, below which each joint may rest on it."""
_STILL = 0.15
"""Metres a second below which a true joint rests."""


def classify_low(positions: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Return the index into :data:`LOW_KINDS` (F,) of a body that is low.

    Args:
        positions: (F, 22, 3) joints, metres, Y up.
        skeleton: The body.
    """
    lengths = np.linalg.norm(skeleton.offsets, axis=-1)
    leg = float(lengths[[INDEX["left_knee"], INDEX["left_ankle"]]].sum())
    heights = (positions[..., 1] - positions[..., 1].min(-1, keepdims=True)) / leg
    hips, chest = heights[:, INDEX["hips"]], heights[:, INDEX["chest"]]
    knee = heights[:, [INDEX["left_knee"], INDEX["right_knee"]]].min(-1)
    trunk = positions[:, INDEX["chest"]] - positions[:, INDEX["hips"]]
    level = trunk[:, 1] < _LEVEL * np.linalg.norm(trunk, axis=-1)
    checks = [
        level & (chest < _LYING_CHEST) & (hips < _LYING_HIPS),
        level & (knee < _KNEE_LOW),
        hips < _HIPS_DOWN,
        knee < _KNEE_DOWN,
    ]
    return np.select(checks, range(len(checks)), len(checks))


def measure_heights(
    positions: np.ndarray, true_positions: np.ndarray, true_speed: np.ndarray, truth: Motion
) -> np.ndarray:
    """Return how far joints (F, 8) are below their place while the true ones rest, metres.

    A true joint rests where it is slow and no higher over the lowest point of the clip than the
    body is thick there. Its own height is that of a joint that neither sinks nor floats.

    Args:
        positions: (F, 22, 3) joints of the result, metres, Y up.
        true_positions: (F, 22, 3) true joints.
        true_speed: (F, 22) speeds of the true joints, metres a second.
        truth: The true motion.

    Returns:
        Depths, negative where a joint is higher than the true one; NaN where that does not rest.
    """
    thickness = np.array(_THICKNESS) * truth.skeleton.size / ADULT_SIZE
    true = true_positions[:, _RESTING, 1]
    # The lowest hundredth: single frames of captures are below the floor.
    floor = np.percentile(true_positions[..., 1].min(-1), 1.0) if len(true) else 0.0
    rests = (true < floor + thickness) & (true_speed[:, _RESTING] < _STILL)
    return np.where(rests, true - positions[:, _RESTING, 1], np.nan)
