# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept of a frame for the frames after it, as one row of numbers.

A row holds the features, the position of the hips, and the columns of their rotation. Rows are
gathered at once for all ages that the network reads.
"""

from __future__ import annotations

import numpy as np

from .features import FRAME_FEATURES

ROW = FRAME_FEATURES + 12
"""Numbers in a row."""
POSITION = slice(FRAME_FEATURES, FRAME_FEATURES + 3)
_COLUMNS = slice(FRAME_FEATURES + 3, ROW)
POSITION_AND_AXES = slice(FRAME_FEATURES, FRAME_FEATURES + 9)
"""The position, and behind it the first two columns of the rotation."""


def write_row(
    row: np.ndarray, features: np.ndarray, position: np.ndarray, rotation: np.ndarray
) -> None:
    """Keep a frame.

    Args:
        row: (60,) is filled.
        features: (48,) features of the frame's trackers.
        position: (3,) position of the hips.
        rotation: (3, 3) rotation of the hips.
    """
    row[:FRAME_FEATURES] = features
    row[POSITION] = position
    row[_COLUMNS] = rotation.T.reshape(9)


def read_rows(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what was kept of frames.

    Args:
        rows: (..., 60) rows.

    Returns:
        Features (..., 48), and positions (..., 3) and rotations (..., 3, 3) of the hips: parts of
        ``rows``, which they change with.
    """
    rotations = rows[..., _COLUMNS].reshape(*rows.shape[:-1], 3, 3).swapaxes(-1, -2)
    return rows[..., :FRAME_FEATURES], rows[..., POSITION], rotations
