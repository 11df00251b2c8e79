# SPDX-License-Identifier: GPL-3.0-or-later
"""A performer's measures, and what is typical of people of that height."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..body.skeleton import INDEX, Skeleton, units_per_metre
from .proportions import make_adult, measure_height

_TYPICAL_HEIGHTS = (1.50, 1.95)
"""Metres between which most adults are."""
_SPREAD = 0.08
"""Share by which parts of most people differ from an adult's of that height: two standard
deviations."""
_PARTS = {"Leg": ("knee", "ankle"), "Arm": ("elbow", "wrist")}
"""Joints at the lower ends of the bones of each part."""
_TRUNK = ("lower_spine", "middle_spine", "chest", "neck")


class BodyMeasure(NamedTuple):
    """One measure of a body.

    Attributes:
        name: What is measured.
        length: Its length in the units of the skeleton.
        low: The least that is typical of people of that height.
        high: The most that is.
    """

    name: str
    length: float
    low: float
    high: float


def measure_body(body: Skeleton) -> tuple[BodyMeasure, ...]:
    """Return height, leg, arm, trunk and width of the shoulders beside what is typical."""
    adult = make_adult()
    height = measure_height(body)
    unit = units_per_metre(body.size)
    low, high = (unit * limit for limit in _TYPICAL_HEIGHTS)
    scale = height / measure_height(adult)
    typical = _measure_parts(adult)
    parts = (
        BodyMeasure(
            name,
            length,
            scale * typical[name] / (1.0 + _SPREAD),
            scale * typical[name] * (1.0 + _SPREAD),
        )
        for name, length in _measure_parts(body).items()
    )
    return (BodyMeasure("Height", height, low, high), *parts)


def _measure_parts(body: Skeleton) -> dict[str, float]:
    lengths = np.linalg.norm(body.offsets, axis=-1)
    measures = {
        name: float(
            np.mean(
                [sum(lengths[INDEX[f"{side}_{p}"]] for p in joints) for side in ("left", "right")]
            )
        )
        for name, joints in _PARTS.items()
    }
    measures["Trunk"] = float(sum(lengths[INDEX[name]] for name in _TRUNK))
    rest = body.t_pose()
    width = rest[INDEX["left_shoulder"], 0] - rest[INDEX["right_shoulder"], 0]
    return measures | {"Shoulders": float(width)}
