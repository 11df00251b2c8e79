# SPDX-License-Identifier: GPL-3.0-or-later
"""How far the joints of people turn: the axes of their hinges, and ranges of motion.

An axis belongs to the canonical T-pose and turns with the bone that carries it. In which direction
an elbow bends there depends on how a performer holds the arms and on the conventions of rigs:
straight forwards if the palms face the floor, upwards if they face forwards. The axis below lies
between: whatever a source of the training corpus takes for straight, its elbows bend within 90
degrees of it, but for a few that are broken.
"""

from __future__ import annotations

import numpy as np

from .skeleton import INDEX

_ELBOW_TILT = np.radians(40.0)
"""Angle by which the elbow of a T-pose bends upwards rather than forwards."""
_ELBOW = np.array([0.0, -np.cos(_ELBOW_TILT), np.sin(_ELBOW_TILT)], np.float32)
_KNEE = np.array([1.0, 0.0, 0.0], np.float32)

HINGES = {
    INDEX["left_knee"]: _KNEE,
    INDEX["right_knee"]: _KNEE,
    INDEX["left_elbow"]: _ELBOW,
    INDEX["right_elbow"]: -_ELBOW,
}
"""The axis (3,) about which the bone below each knee and elbow turns when the joint bends."""

BACKWARDS = np.radians(5.0)
"""Angle beyond which a knee or an elbow is bent backwards: people overstretch them by less."""
FOREARM_TWIST = np.radians(90.0)
"""Largest twist of a hand against its forearm, either way from the T-pose."""
SHOULDER_BACKWARDS, SHOULDER_ACROSS = np.radians(65.0), np.radians(40.0)
"""Angles of an upper arm behind the plane of the chest, and across its middle, that nobody
exceeds by much: 1 in 1,000 frames of the training corpus does."""
