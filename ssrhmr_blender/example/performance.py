# SPDX-License-Identifier: GPL-3.0-or-later
"""The sample performance and how its performer wears the trackers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pymotion.rotations import quat_np as quat

from ssrhmr_core import Motion, Take, load_motion
from ssrhmr_core.body.skeleton import TRACKERS

T_POSE_SECONDS = 0.5
"""Time at which the performer stands still in a T-pose."""

_HERE = Path(__file__).resolve().parent
_FILES = (_HERE / "sample_take.bvh.xz", _HERE.parents[1] / "examples" / "sample_take.bvh")
"""Next to the code once installed, in the examples in a checkout."""
_MOUNTS = {
    "pelvis": (0.03, 0.03, 0.125),
    "head": (0.0, 0.10, 0.135),
    "left_hand": (0.09, -0.055, 0.01),
    "right_hand": (-0.09, -0.055, 0.01),
    "left_foot": (0.01, 0.01, 0.075),
    "right_foot": (-0.01, 0.01, 0.075),
}
"""Offset of each tracker from its joint in the T-pose, metres in the core's axes: a belt, a
headset, two controllers, straps on the insteps."""


def load_performance() -> Motion:
    """Read the sample take."""
    return load_motion(next(path for path in _FILES if path.is_file()))


def worn_trackers(performance: Motion) -> Take:
    """Return six trackers that are mounted off the performer's joints, as real ones are."""
    joints = Take.from_motion(performance)
    rotations = joints.rotations.astype(np.float64)
    shape = (len(joints), len(TRACKERS), 3)
    mount_offsets = np.broadcast_to(np.array([_MOUNTS[role] for role in TRACKERS]), shape)
    mount_rotations = np.random.default_rng(7).standard_normal((len(TRACKERS), 4))
    mount_rotations = np.broadcast_to(quat.normalize(mount_rotations), rotations.shape)
    return Take(
        times=joints.times,
        positions=(joints.positions + quat.mul_vec(rotations, mount_offsets)).astype(np.float32),
        rotations=quat.mul(rotations, mount_rotations).astype(np.float32),
        valid=joints.valid,
    )
