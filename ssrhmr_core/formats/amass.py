# SPDX-License-Identifier: GPL-3.0-or-later
"""AMASS archives: SMPL, SMPL+H and SMPL-X poses, read without any body model.

Only the rotations of the 22 body joints are taken. The body is an average one of our own with
SMPL's joints: body models are licensed, and proportions are for the solver to be told elsewhere.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pymotion.rotations import quat_np as quat

from ..body.motion import Motion
from ..body.rest_pose import read_rest_pose
from ..body.skeleton import INDEX, JOINTS
from ..files import ArchiveError, read_arrays

# SMPL's joints in its order: name here, index of the parent, metres from it in the zero pose
# (arms out, legs a little apart, facing +Z with +Y up). The first row is where SMPL's origin sees
# the pelvis; translations are those of the origin.
_BODY: tuple[tuple[str, int, tuple[float, float, float]], ...] = (
    ("hips", -1, (0.0, -0.22, 0.03)),
    ("left_hip", 0, (0.06, -0.09, -0.01)),
    ("right_hip", 0, (-0.06, -0.09, -0.01)),
    ("lower_spine", 0, (0.0, 0.12, -0.04)),
    ("left_knee", 1, (0.04, -0.38, 0.0)),
    ("right_knee", 2, (-0.04, -0.38, 0.0)),
    ("middle_spine", 3, (0.0, 0.14, 0.02)),
    ("left_ankle", 4, (-0.02, -0.42, -0.04)),
    ("right_ankle", 5, (0.02, -0.42, -0.04)),
    ("chest", 6, (0.0, 0.06, 0.0)),
    ("left_toe", 7, (0.04, -0.06, 0.13)),
    ("right_toe", 8, (-0.04, -0.06, 0.13)),
    ("neck", 9, (0.0, 0.21, -0.03)),
    ("left_clavicle", 9, (0.08, 0.11, -0.02)),
    ("right_clavicle", 9, (-0.08, 0.11, -0.02)),
    ("head", 12, (0.0, 0.09, 0.05)),
    ("left_shoulder", 13, (0.12, 0.05, -0.01)),
    ("right_shoulder", 14, (-0.12, 0.05, -0.01)),
    ("left_elbow", 16, (0.26, -0.01, -0.03)),
    ("right_elbow", 17, (-0.26, -0.01, -0.03)),
    ("left_wrist", 18, (0.26, 0.01, -0.01)),
    ("right_wrist", 19, (-0.26, 0.01, -0.01)),
)
_RATES = ("mocap_framerate", "mocap_frame_rate")
_POSE_SIZES: tuple[int, ...] = (72, 156, 165)
"""Values a frame of SMPL, SMPL+H and SMPL-X."""
_SPLIT_SIZES: tuple[int, ...] = (66, 72)
"""The same of ``root_orient`` and ``pose_body``, without and with SMPL's two hand joints."""
_SLOWEST, _FASTEST = 1.0, 1e5
"""Frames a second."""
_LARGEST = 1e6
"""Radians, or metres: more is damage, and would overflow."""
# AMASS has Z up; the vector (x, y, z) is (x, z, -y) here.
_Y_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
_AGAIN = "download it again, or choose a motion file of AMASS"


class AmassError(ValueError):
    """An archive is damaged or holds no AMASS motion; the message says what is wrong."""


def load_amass(path: str | Path) -> Motion:
    """Read an AMASS ``.npz``: SMPL, SMPL+H or SMPL-X, in one array of poses or in parts.

    Z, which AMASS has as up, becomes Y. Gender, shape, hands and face are ignored.

    Raises:
        AmassError: if the archive is damaged, holds Python objects (which are never unpacked), or
            lacks something.
        OSError: if it cannot be opened.
    """
    path = Path(path)
    try:
        data = read_arrays(path)
    except ArchiveError as error:
        raise AmassError(f"{path.name}: cannot be read ({error}): {_AGAIN}") from error
    poses = _poses(data, path.name)
    frames = len(poses)
    root = _array(data, "trans", path.name)
    if frames == 0 or root.shape != (frames, 3):
        raise AmassError(
            f"{path.name}: {frames} poses do not go with trans of {root.shape}: {_AGAIN}"
        )
    rate = next((_array(data, key, path.name) for key in _RATES if key in data), None)
    if rate is None or rate.size != 1 or not _SLOWEST <= rate.item() <= _FASTEST:
        raise AmassError(f"{path.name}: no frame rate: add it to the file as {' or '.join(_RATES)}")

    matrices = quat.to_matrix(quat.from_scaled_angle_axis(poses))
    order = [INDEX[name] for name, _, _ in _BODY]
    points = np.zeros((len(JOINTS), 3))
    turned = np.empty((frames, len(JOINTS), 3, 3))
    for joint, (_, parent, offset) in enumerate(_BODY):
        above = order[parent]
        points[order[joint]] = offset if parent < 0 else points[above] + offset
        turned[:, order[joint]] = (
            _Y_UP @ matrices[:, joint] if parent < 0 else turned[:, above] @ matrices[:, joint]
        )
    rest = read_rest_pose(points, np.ones(len(JOINTS), bool), up=np.array([0.0, 1.0, 0.0]))
    rotations = quat.normalize(quat.from_matrix(rest.to_canonical(turned)))
    return Motion(
        rest.skeleton,
        np.arange(frames) / rate.item(),
        rotations.astype(np.float32),
        ((root + points[0]) @ _Y_UP.T).astype(np.float32),
    )


def _array(data: dict[str, np.ndarray], key: str, name: str) -> np.ndarray:
    """One array of numbers of a sane size.

    Raises:
        AmassError: if it is anything else.
    """
    if key not in data:
        held = ", ".join(sorted(data)) or "nothing"
        raise AmassError(f"{name}: no {key!r}; it holds {held}: {_AGAIN}")
    values = data[key]
    if values.dtype.kind not in "fiu" or not (np.abs(values) <= _LARGEST).all():
        raise AmassError(f"{name}: {key!r} holds values that are not finite numbers: {_AGAIN}")
    return values.astype(np.float64)


def _poses(data: dict[str, np.ndarray], name: str) -> np.ndarray:
    """Rotation vectors (F, 22, 3) of the body's joints."""
    if "poses" in data:
        sizes = _POSE_SIZES
        poses = _array(data, "poses", name)
    else:
        parts = [_array(data, key, name) for key in ("root_orient", "pose_body")]
        if any(part.ndim != 2 for part in parts) or len(parts[0]) != len(parts[1]):
            raise AmassError(f"{name}: root_orient and pose_body do not go together: {_AGAIN}")
        sizes = _SPLIT_SIZES
        poses = np.concatenate(parts, axis=1)
    if poses.ndim != 2 or poses.shape[1] not in sizes:
        raise AmassError(
            f"{name}: poses of {poses.shape} are none of SMPL, SMPL+H or SMPL-X: {_AGAIN}"
        )
    return poses[:, : 3 * len(_BODY)].reshape(len(poses), len(_BODY), 3)
