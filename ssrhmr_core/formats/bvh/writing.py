# SPDX-License-Identifier: GPL-3.0-or-later
"""From a motion to a BVH file."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from pymotion.rotations import quat_np as quat

from ...body.motion import Motion
from ...body.skeleton import JOINTS, PARENTS
from ...files import atomic_write


def save_bvh(path: str | Path, motion: Motion) -> None:
    """Write a motion as BVH: 22 joints, canonical T-pose as zero pose, metres, Y up.

    Frames are written as evenly spaced at the motion's mean rate.

    Args:
        path: The file to write, which is replaced as a whole or not at all.
        motion: The motion.

    Raises:
        OSError: The file cannot be written.
    """
    # This imports torch where that is installed, which takes 0.2 GB of memory.
    from pymotion.io.bvh import BVH

    # pymotion writes depth first in index order, which is the order of the joints here.
    order = np.tile(np.array(["z", "y", "x"]), (len(JOINTS), 1))
    local = motion.local_rotations().astype(np.float64)
    frames = len(motion)
    positions = np.tile(motion.skeleton.offsets.astype(np.float64), (frames, 1, 1))
    positions[:, 0] = motion.root
    ends = [joint for joint in range(len(JOINTS)) if joint not in PARENTS]
    writer = BVH()
    writer.data = {
        "names": np.array(JOINTS),
        "offsets": motion.skeleton.offsets.astype(np.float64),
        "end_sites": np.array([_end_site(motion, joint) for joint in ends]),
        "end_sites_parents": np.array(ends),
        "parents": np.maximum(PARENTS, 0),
        "rot_order": order,
        "channels": np.array([6] + [3] * (len(JOINTS) - 1)),
        "positions": positions,
        "rotations": np.degrees(quat.to_euler(local, np.tile(order, (frames, 1, 1)))),
        "frame_time": 1.0 / motion.rate,
    }
    with tempfile.TemporaryDirectory() as folder:
        complete = Path(folder) / "complete.bvh"
        writer.save(str(complete))
        # pymotion writes the system's line ends; the same motion is the same file everywhere.
        atomic_write(path, complete.read_bytes().replace(b"\r\n", b"\n"))


def _end_site(motion: Motion, joint: int) -> np.ndarray:
    """Place a nominal fingertip, toe tip or crown."""
    size = motion.skeleton.size
    if "toe" in JOINTS[joint]:
        return np.array([0.0, 0.0, 0.04 * size])
    if JOINTS[joint] == "head":
        return np.array([0.0, 0.12 * size, 0.0])
    return np.array([(0.06 if "left" in JOINTS[joint] else -0.06) * size, 0.0, 0.0])
