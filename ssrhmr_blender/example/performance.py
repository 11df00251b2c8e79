# SPDX-License-Identifier: GPL-3.0-or-later
"""The sample performance and where its performer wears the trackers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pymotion.rotations import quat_np as quat

from ssrhmr_core import Motion, Take, load_motion
from ssrhmr_core.body.skeleton import TRACKERS

T_POSE_SECONDS = 0.5
"""When the performer stands still in a T-pose."""

_HERE = Path(__file__).resolve().parent
_FILES = (_HERE / "sample_take.bvh.xz", _HERE.parents[1] / "examples" / "sample_take.bvh")
"""Beside the code once installed, as it was made in a checkout."""
_MOUNTS = {
    "pelvis": (0.03, 0.03, 0.125),
    "head": (0.0, 0.10, 0.135),
    "left_hand": (0.09, -0.055, 0.01),
    "right_hand": (-0.09, -0.055, 0.01),
    "left_foot": (0.01, 0.01, 0.075),
    "right_foot": (-0.01, 0.01, 0.075),
}
"""Where each tracker sits, from its joint in the T-pose, metres in the core's axes: a belt, a
headset, two controllers, straps on the insteps."""


def load_performance() -> Motion:
    """Read the sample take."""
    return load_motion(next(path for path in _FILES if path.is_file()))


def worn_trackers(performance: Motion) -> Take:
    """Six trackers that sit turned and off the performer's joints, as real ones do."""
    joints = Take.from_motion(performance)
    turns = joints.rotations.astype(np.float64)
    shape = (len(joints), len(TRACKERS), 3)
    arms = np.broadcast_to(np.array([_MOUNTS[role] for role in TRACKERS]), shape)
    worn = np.random.default_rng(7).standard_normal((len(TRACKERS), 4))
    worn = np.broadcast_to(quat.normalize(worn), turns.shape)
    return Take(
        joints.times,
        (joints.positions + quat.mul_vec(turns, arms)).astype(np.float32),
        quat.mul(turns, worn).astype(np.float32),
        joints.valid,
    )
