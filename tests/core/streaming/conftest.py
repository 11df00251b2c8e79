# SPDX-License-Identifier: GPL-3.0-or-later
"""Readings and takes that the tests of the feed share."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.streaming.readings import Reading
from ssrhmr_core.tracking.take import Take


def turn_between(a: object, b: object) -> float:
    """Degrees between two quaternions, exact for small ones too."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if (a * b).sum() < 0.0:
        b = -b
    return math.degrees(4.0 * math.asin(min(1.0, 0.5 * float(np.linalg.norm(a - b)))))


def same_place(a: Reading, b: Reading, metres: float = 1e-6, degrees: float = 1e-4) -> bool:
    """Whether two readings say the same of the same device, but for single precision."""
    return (
        a.device == b.device
        and a.valid == b.valid
        and math.dist(a.position, b.position) < metres
        and turn_between(a.rotation, b.rotation) < degrees
    )


@pytest.fixture
def take(motion: Motion) -> Take:
    """Two and a half seconds of ideal trackers at 60 frames a second."""
    return Take.from_motion(motion)
