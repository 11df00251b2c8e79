# SPDX-License-Identifier: GPL-3.0-or-later
"""Up axes inferred from a body that is partly tracked."""

from __future__ import annotations

import numpy as np
import pytest

from ssrhmr_core.formats.orientation import UP_AXES
from ssrhmr_core.formats.standing import infer_up, standing_shares

FEET, PELVIS, HEAD = 0.05, 0.9, 1.6


def body(up: str, floor: float = 0.0, frames: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Directions and positions of a body that stands along an axis."""
    axis = UP_AXES[up]
    heights = np.array([FEET, PELVIS, HEAD])
    positions = np.tile((floor + heights)[:, None] * axis, (frames, 1, 1))
    return np.diff(positions, axis=1), positions + 0.5 * (1.0 - np.abs(axis))


@pytest.mark.parametrize("up", list(UP_AXES))
def test_standing(up: str) -> None:
    directions, positions = body(up)
    shares = standing_shares(directions)
    assert shares[up] == 1.0 and sum(shares.values()) == 1.0
    assert infer_up(directions, positions, None) == (up, True)
    assert infer_up(directions, positions, up) == (up, True)
    other = "y" if up != "y" else "z"
    assert infer_up(directions, positions, other) == (up, False)
    assert infer_up(directions, positions, other, trusted=True) == (up, False)


def test_lying_on_the_floor() -> None:
    """Along Z, far from the middle of the room: Y is up as usual."""
    directions, positions = body("z", floor=2.0)
    positions[..., 1] = 0.1
    assert infer_up(directions, positions, "y") == ("y", False)
    # Without a floor only a format that is known is trusted.
    positions[..., 1] = 5.0
    assert infer_up(directions, positions, "y") == ("z", False)
    assert infer_up(directions, positions, "y", trusted=True) == ("y", False)


def test_sitting() -> None:
    directions, positions = body("z")
    directions[:, 0] = (0.4, 0.0, 0.1)
    assert infer_up(directions, positions, "z") == ("z", True)
    assert infer_up(directions, positions, None) == ("z", False)
    assert infer_up(directions, positions, "y") == ("y", False)


def test_nothing_is_tracked() -> None:
    nothing = np.full((5, 2, 3), np.nan)
    assert infer_up(nothing, nothing, "y") == ("y", False)
    assert infer_up(nothing, nothing, None) == (None, False)
