# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept of frames is read again as it was."""

from __future__ import annotations

import numpy as np

from ssrhmr_core.model.features import FRAME_FEATURES
from ssrhmr_core.model.past_frames import POSITION_AND_AXES, ROW, read_rows, write_row


def test_rows_give_back_what_was_written() -> None:
    random = np.random.default_rng(2)
    features, positions, rotations = (
        random.standard_normal((4, *shape)).astype(np.float32)
        for shape in ((FRAME_FEATURES,), (3,), (3, 3))
    )
    rows = np.full((4, ROW), np.nan, np.float32)
    for row, *kept in zip(rows, features, positions, rotations, strict=True):
        write_row(row, *kept)
    for ages in (rows, rows.reshape(2, 2, ROW)):
        read = read_rows(ages)
        for values, expected in zip(read, (features, positions, rotations), strict=True):
            np.testing.assert_array_equal(values.reshape(expected.shape), expected)


def test_the_first_two_axes_follow_the_position() -> None:
    """So that both are turned in one product."""
    row = np.zeros(ROW, np.float32)
    rotation = np.arange(9, dtype=np.float32).reshape(3, 3)
    write_row(row, np.zeros(FRAME_FEATURES, np.float32), np.array([7.0, 8.0, 9.0]), rotation)
    assert row[POSITION_AND_AXES].tolist() == [7.0, 8.0, 9.0, 0.0, 3.0, 6.0, 1.0, 4.0, 7.0]
