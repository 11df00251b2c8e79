# SPDX-License-Identifier: GPL-3.0-or-later
"""The body that an animator would rig without a learned model, the yardstick for every result.

The spine is blended between pelvis and head, knees and elbows bend in constant directions, and the
exact solve closes the limbs.
"""

from __future__ import annotations

import numpy as np
from pymotion.rotations import quat_np as quat

from ..body.skeleton import INDEX, JOINTS, TRACKERS
from ..geometry.rotations import rotate

_SPINE_SHARE = {"lower_spine": 0.2, "middle_spine": 0.4, "chest": 0.6, "neck": 0.8}
_LEG_POLE, _ARM_POLE = np.array([0.0, 0.0, 1.0]), np.array([0.0, -0.4, -0.9])
"""Bend directions in the frames of hips and chest."""


def predict_without_network(rotations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Predict a body from the rotations of the trackers alone.

    Args:
        rotations: (F, 6, 4) quaternions of the tracked joints.

    Returns:
        Global rotations (F, 22, 3, 3) and bend directions (F, 4, 3), as
        :func:`ssrhmr_core.solver.solve` takes them.
    """
    pelvis = rotations[:, TRACKERS.index("pelvis")].astype(np.float64)
    head = rotations[:, TRACKERS.index("head")].astype(np.float64)
    quats = np.repeat(pelvis[:, None], len(JOINTS), 1)
    for name, share in _SPINE_SHARE.items():
        quats[:, INDEX[name]] = quat.slerp(pelvis, head, share)
    for joint, name in enumerate(JOINTS):
        if any(part in name for part in ("clavicle", "shoulder", "elbow")):
            quats[:, joint] = quats[:, INDEX["chest"]]
    body = quat.to_matrix(quats).astype(np.float32)
    leg = rotate(body[:, INDEX["hips"]], _LEG_POLE)
    arm = rotate(body[:, INDEX["chest"]], _ARM_POLE)
    return body, np.stack([leg, leg, arm, arm], 1).astype(np.float32)
