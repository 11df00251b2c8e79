# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the feet of a rest pose end: the soles, and the balls of feet without toe joints.

The tail of a foot's bone means nothing in many files, such as those that store joints alone. The
skin shows where the foot ends. Without a skin, a body that stands on the origin of its file shows
how high its ankles are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .skeleton import INDEX

_SIDES = ("left", "right")

# Lengths below are shares of the shin's.
_BALL_THICKNESS = 0.05
"""Height of the ball of the foot over the sole: 2 cm on an adult."""
_BALL_AT = 0.7
"""Share of the way from the ankle to the tip of the toes at which the ball is."""
_USUAL_FOOT = np.array([0.0, -0.13, 0.31])
"""Mean step from ankle to ball of training bodies."""
_TAIL_FORWARD, _TAIL_DOWN = (0.1, 0.75), (0.05, 0.3)
"""How far ahead of the ankle and below it the tail of a foot may be to be believed."""
_SKIN_HEIGHT = (0.01, 1.5)
_ORIGIN_HEIGHT = (0.05, 0.6)
"""Heights of the ankle over the sole that are believed."""
_SHORT_TIP = 0.1
"""A foot that ends nearer to the ankle points nowhere, as hooves and stumps do."""


@dataclass(frozen=True, eq=False)
class FootEvidence:
    """What a file shows about its feet, in the axes and unit of the rest pose.

    Attributes:
        skins: Vertices (V, 3) of the left and the right foot at rest; none where it has no skin.
        tips: (2, 3) tails of the feet's bones, NaN where they have none.
        stands_on_origin: Whether the body may stand on the plane through the origin.
    """

    skins: tuple[np.ndarray, np.ndarray]
    tips: np.ndarray
    stands_on_origin: bool = True


def find_balls(positions: np.ndarray, tips: np.ndarray) -> np.ndarray:
    """Return the balls (2, 3) of feet without toe joints.

    Args:
        positions: (22, 3) joints of a body that faces +Z with +Y up.
        tips: (2, 3) tips of the feet, NaN where unknown.
    """
    usual = _ankles(positions) + shin_length(positions) * _USUAL_FOOT
    return np.where(np.isfinite(tips).all(-1)[:, None], tips, usual)


def find_ankle_heights(positions: np.ndarray, evidence: FootEvidence) -> np.ndarray:
    """Return the heights (2,) of the ankles over the soles, NaN where nothing shows them.

    Args:
        positions: (22, 3) joints of a body that faces +Z with +Y up.
        evidence: What shows the soles, in the same axes.
    """
    shin, ankles = shin_length(positions), _ankles(positions)
    soles = [skin[:, 1].min() if len(skin) else np.nan for skin in evidence.skins]
    heights = ankles[:, 1] - np.array(soles)
    heights[~_within(heights, _SKIN_HEIGHT, shin)] = np.nan
    # One foot alone has a skin where the other one is a mirror image.
    heights = np.where(np.isfinite(heights), heights, heights[::-1])
    if evidence.stands_on_origin and not np.isfinite(heights).any():
        heights = ankles[:, 1].copy()
        heights[~_within(heights, _ORIGIN_HEIGHT, shin)] = np.nan
    return heights


def find_shown_balls(
    positions: np.ndarray, evidence: FootEvidence, heights: np.ndarray
) -> np.ndarray:
    """Return the balls (2, 3) of feet without toe joints, as far as evidence shows them.

    Args:
        positions: (22, 3) joints of a body that faces +Z with +Y up.
        evidence: What shows the feet, in the same axes.
        heights: (2,) heights of the ankles over the soles, NaN where unknown.
    """
    shin, ankles = shin_length(positions), _ankles(positions)
    balls = find_balls(positions, np.full((2, 3), np.nan))
    steps = evidence.tips - ankles
    believed = _within(steps[:, 2], _TAIL_FORWARD, shin) & _within(-steps[:, 1], _TAIL_DOWN, shin)
    balls[believed] = evidence.tips[believed]
    for side, skin in enumerate(evidence.skins):
        reach = skin[:, 2].max() - ankles[side, 2] if len(skin) else 0.0
        if reach > _SHORT_TIP * shin:
            front = skin[skin[:, 2] > ankles[side, 2] + 0.8 * reach].mean(0)
            balls[side] = ankles[side] + _BALL_AT * (front - ankles[side])
    shown = np.isfinite(heights)
    balls[shown, 1] = (ankles[:, 1] - heights + _BALL_THICKNESS * shin)[shown]
    return balls


def shin_length(positions: np.ndarray) -> float:
    """Return the mean length of the shins of a body's joints (22, 3)."""
    shins = [positions[INDEX[f"{s}_ankle"]] - positions[INDEX[f"{s}_knee"]] for s in _SIDES]
    return float(np.linalg.norm(shins, axis=-1).mean())


def _ankles(positions: np.ndarray) -> np.ndarray:
    return positions[[INDEX[f"{side}_ankle"] for side in _SIDES]]


def _within(lengths: np.ndarray, limits: tuple[float, float], shin: float) -> np.ndarray:
    """Return which lengths lie between limits in shins; those that are NaN do not."""
    return (lengths > limits[0] * shin) & (lengths < limits[1] * shin)
