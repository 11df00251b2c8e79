# SPDX-License-Identifier: GPL-3.0-or-later
"""The body that SMPL's rotations move: an average one, or that of a table of joints by shape."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...body.skeleton import INDEX
from ...files import read_arrays
from .arrays import AGAIN, check_numbers
from .spellings import Source

# SMPL's joints in its order: name here, index of the parent, metres from it in the zero pose
# (arms out, legs a little apart, facing +Z with +Y up). The first row is where SMPL's origin sees
# the pelvis; translations are those of the origin.
BODY: tuple[tuple[str, int, tuple[float, float, float]], ...] = (
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
JOINT_ORDER = np.array([INDEX[name] for name, _, _ in BODY])
"""Joint here of each joint of SMPL."""


def read_body_positions(
    smpl_joints: str | Path | None, arrays: dict[str, np.ndarray], source: Source
) -> np.ndarray:
    """Return the joints (22, 3) of the body at rest, relative to SMPL's origin and in SMPL's order.

    Raises:
        ValueError: The table or the shape cannot be used.
        OSError: The table cannot be opened.
    """
    if smpl_joints is None:
        positions = np.zeros((len(BODY), 3))
        for joint, (_, parent, offset) in enumerate(BODY):
            positions[joint] = offset if parent < 0 else positions[parent] + offset
        return positions
    path = Path(smpl_joints)
    try:
        table = read_arrays(path, ["J_template", "J_shapedirs"])
        template = check_numbers(table, "J_template").astype(np.float64)
        directions = check_numbers(table, "J_shapedirs").astype(np.float64)
        if template.ndim != 2 or template.shape[1] != 3 or len(template) < len(BODY):
            raise ValueError(f"'J_template' of {template.shape} is not (joints, 3)")
        if directions.shape[:-1] != template.shape:
            raise ValueError(f"'J_shapedirs' of {directions.shape} is not (joints, 3, betas)")
    except KeyError as error:
        raise ValueError(f"{path.name} has no {error}: make the table of joints again") from error
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}: make the table of joints again") from error
    betas = _betas(arrays, source)[: directions.shape[-1]]
    return (template + directions[..., : len(betas)] @ betas)[: len(BODY)]


def _betas(arrays: dict[str, np.ndarray], source: Source) -> np.ndarray:
    """Return the shape (B,) of the body; the median over frames where each has its own.

    Raises:
        ValueError: The array holds no shape.
    """
    if not source.betas:
        return np.zeros(0)
    betas = check_numbers(arrays, source.betas).astype(np.float64)
    if betas.ndim == 0 or betas.size == 0:
        raise ValueError(f"{source.betas!r} of {betas.shape} holds no shape: {AGAIN}")
    return np.median(betas.reshape(-1, betas.shape[-1]), axis=0)
