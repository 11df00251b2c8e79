# SPDX-License-Identifier: GPL-3.0-or-later
"""What an animator would rig without a learned model: the yardstick for every result.

The spine is blended between pelvis and head, knees and elbows bend in constant directions, limbs
are closed exactly. Same solve, no network.
"""

from __future__ import annotations

import numpy as np
from pymotion.rotations import quat_np as quat

from ..body.skeleton import INDEX, JOINTS, TRACKERS
from ..geometry.rotations import rotate

_SPINE_SHARE = {"lower_spine": 0.2, "middle_spine": 0.4, "chest": 0.6, "neck": 0.8}
_LEG_POLE, _ARM_POLE = np.array([0.0, 0.0, 1.0]), np.array([0.0, -0.4, -0.9])


def predict_without_network(rotations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Predict a body from the rotations of the trackers alone.

    Args:
        rotations: (F, 6, 4) quaternions of the tracked joints.

    Returns:
        Global rotations (F, 22, 3, 3) and bend directions (F, 4, 3), as
        :func:`ssrhmr_core.solver.solve` takes them.
    """
    pelvis = rotations[:, 0].astype(np.float64)
    head = rotations[:, TRACKERS.index("head")].astype(np.float64)
    body = np.repeat(pelvis[:, None], len(JOINTS), 1)
    for name, share in _SPINE_SHARE.items():
        body[:, INDEX[name]] = quat.slerp(pelvis, head, share)
    for joint, name in enumerate(JOINTS):
        if any(part in name for part in ("clavicle", "shoulder", "elbow")):
            body[:, joint] = body[:, INDEX["chest"]]
    turned = quat.to_matrix(body).astype(np.float32)
    hips, chest = turned[:, 0], turned[:, INDEX["chest"]]
    leg, arm = rotate(hips, _LEG_POLE), rotate(chest, _ARM_POLE)
    return turned, np.stack([leg, leg, arm, arm], 1).astype(np.float32)
