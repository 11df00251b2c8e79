"""AMASS .npz files: SMPL, SMPL+H and SMPL-X body poses.

Betas are ignored: the motion goes onto an average body of this project's own.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
from pymotion.rotations import quat_np as quat

from ..arrays import rotate
from ..motion import Motion
from ..rest import read_rest
from ..skeleton import JOINTS

_SMPL = (
    "hips", "left_hip", "right_hip", "lower_spine", "left_knee", "right_knee", "middle_spine",
    "left_ankle", "right_ankle", "chest", "left_toe", "right_toe", "neck", "left_clavicle",
    "right_clavicle", "head", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow",
    "left_wrist", "right_wrist",
)  # fmt: skip
_PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19)

_HALF = {
    "hip": (0.06, -0.09, -0.01),
    "knee": (0.04, -0.38, 0.0),
    "ankle": (-0.015, -0.42, -0.035),
    "toe": (0.035, -0.055, 0.12),
    "clavicle": (0.075, 0.115, -0.02),
    "shoulder": (0.12, 0.045, -0.015),
    "elbow": (0.255, -0.015, -0.02),
    "wrist": (0.25, 0.01, 0.0),
}
_TRUNK = {
    "lower_spine": (0.0, 0.11, -0.03),
    "middle_spine": (0.0, 0.135, 0.005),
    "chest": (0.0, 0.055, 0.025),
    "neck": (0.0, 0.21, -0.035),
    "head": (0.0, 0.09, 0.05),
}
_PELVIS = np.array([0.0, -0.23, 0.02])
"""Where the pelvis lies in the model's own axes when ``trans`` is zero, metres."""
_TO_Y_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])


class AmassError(ValueError):
    """A file is not an AMASS motion; the message says why."""


def load_amass(path: str | Path) -> Motion:
    """Read body pose and place from ``poses`` or ``root_orient`` and ``pose_body``.

    Raises:
        AmassError: if the file is damaged, holds pickled objects, or lacks something.
        OSError: if it cannot be opened.
    """
    path = Path(path)
    arrays = _read(path)
    poses = _body(path, arrays)
    trans = _table(path, arrays, "trans", 3)
    rate = _rate(path, arrays)
    if len(trans) != len(poses) or len(poses) == 0:
        raise AmassError(f"{path.name}: {len(poses)} poses and {len(trans)} places")

    points = np.zeros((len(_SMPL), 3))
    for joint, parent in enumerate(_PARENTS[1:], 1):
        points[joint] = points[parent] + _offset(_SMPL[joint])
    order = [_SMPL.index(name) for name in JOINTS]
    rest = read_rest(points[order], np.ones(len(JOINTS), bool))

    turned = quat.to_matrix(quat.from_scaled_angle_axis(poses))
    for joint, parent in enumerate(_PARENTS[1:], 1):
        turned[:, joint] = turned[:, parent] @ turned[:, joint]
    turned = _TO_Y_UP @ turned[:, order]
    canonical = rest.to_canonical(turned)
    return Motion(
        rest.skeleton,
        np.arange(len(poses)) / rate,
        quat.normalize(quat.from_matrix(canonical)).astype(np.float32),
        rotate(_TO_Y_UP, trans + _PELVIS).astype(np.float32),
    )


def _offset(name: str) -> np.ndarray:
    if name in _TRUNK:
        return np.array(_TRUNK[name])
    side, part = name.split("_")
    return np.array(_HALF[part]) * ((1.0 if side == "left" else -1.0), 1.0, 1.0)


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            wanted = {"poses", "root_orient", "pose_body", "trans"}
            wanted |= {"mocap_framerate", "mocap_frame_rate"}
            return {name: file[name] for name in file.files if name in wanted}
    except FileNotFoundError:
        raise
    except (OSError, ValueError, EOFError, KeyError, AttributeError, zipfile.BadZipFile) as error:
        raise AmassError(f"{path.name}: damaged, or not an AMASS file ({error})") from error


def _table(path: Path, arrays: dict[str, np.ndarray], name: str, width: int) -> np.ndarray:
    if name not in arrays:
        raise AmassError(f"{path.name}: no {name!r} in it")
    table = arrays[name]
    if table.dtype.kind not in "fiu" or table.ndim != 2 or table.shape[1] < width:
        raise AmassError(f"{path.name}: {name!r} should be numbers, {width} or more a frame")
    if not np.isfinite(table).all():
        raise AmassError(f"{path.name}: {name!r} holds values that are not finite")
    return table[:, :width].astype(np.float64)


def _body(path: Path, arrays: dict[str, np.ndarray]) -> np.ndarray:
    """Axis-angle rotations (F, 22, 3): all layouts begin with the root and 21 body joints."""
    if "poses" in arrays:
        return _table(path, arrays, "poses", 66).reshape(-1, 22, 3)
    root = _table(path, arrays, "root_orient", 3)
    body = _table(path, arrays, "pose_body", 63)
    if len(root) != len(body):
        raise AmassError(f"{path.name}: 'root_orient' and 'pose_body' differ in length")
    return np.concatenate([root, body], 1).reshape(-1, 22, 3)


def _rate(path: Path, arrays: dict[str, np.ndarray]) -> float:
    for name in ("mocap_framerate", "mocap_frame_rate"):
        if name in arrays and arrays[name].size == 1 and arrays[name].dtype.kind in "fiu":
            rate = float(arrays[name].reshape(()))
            if np.isfinite(rate) and rate > 0.0:
                return rate
    raise AmassError(f"{path.name}: no usable 'mocap_framerate' in it")
