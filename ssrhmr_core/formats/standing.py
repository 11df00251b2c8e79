# SPDX-License-Identifier: GPL-3.0-or-later
"""The up axis of a file, inferred from a body of which only a few points are known."""

from __future__ import annotations

import numpy as np

from ..geometry.arrays import normalize
from .orientation import UP_AXES

_UPRIGHT_COSINE = np.cos(np.radians(40.0))
_USUAL_SHARE = 0.5
"""Share of the frames in which a body stands along an axis that is not the expected one."""
_FLOOR = (-0.3, 0.4)
"""Metres: the heights that the lowest point of a body has where the floor is at 0."""
_MOST_FRAMES = 2000


def standing_shares(directions: np.ndarray) -> dict[str, float]:
    """Return for each axis the share of frames in which a body stands along it.

    Args:
        directions: (F, D, 3) vectors that all point up while the body stands, such as from the
            feet to the pelvis and from the pelvis to the head. Frames that are not finite do not
            count.
    """
    directions = directions[np.isfinite(directions).all((1, 2))]
    if not len(directions):
        return dict.fromkeys(UP_AXES, 0.0)
    units = normalize(directions)
    return {up: float((units @ UP_AXES[up] > _UPRIGHT_COSINE).all(1).mean()) for up in UP_AXES}


def infer_up(
    directions: np.ndarray,
    positions: np.ndarray,
    expected: str | None,
    *,
    trusted: bool = False,
) -> tuple[str | None, bool]:
    """Infer the up axis of a file from the body in it.

    A body that stands along another axis than the expected one in most frames either lies or comes
    from a file with other axes. It lies if it is close to the floor of the expected axis and not
    to that of the other.

    Args:
        directions: (F, D, 3) vectors as for :func:`standing_shares`, the trunk's last.
        positions: (F, P, 3) points of the body, in metres; NaN where unknown.
        expected: The axis that the format has by convention, or None.
        trusted: Whether another axis counts only if the body also stands on its floor.

    Returns:
        The axis, or None where neither the body nor the format determines it; and whether the body
        agrees with it. The caller warns if it does not.
    """
    step = max(len(directions) // _MOST_FRAMES, 1)
    shares = standing_shares(directions[::step])
    usual = max(shares, key=lambda up: (shares[up], up == expected))
    if shares[usual] < _USUAL_SHARE:
        # People who sit or crouch still hold their trunk upright most of the time.
        trunk = standing_shares(directions[::step, -1:])
        if expected is not None:
            return expected, shares[expected] + trunk[expected] > 0.0
        usual = max(trunk, key=lambda up: trunk[up])
        return (usual if trunk[usual] >= _USUAL_SHARE else None), False
    if expected in (None, usual):
        return usual, True
    # The feet of a lying body have the height 0 along a wrong axis only by chance.
    stands = _is_on_floor(positions, usual)
    stands = stands or not (trusted or _is_on_floor(positions, expected))
    return (usual if stands else expected), False


def _is_on_floor(positions: np.ndarray, up: str) -> bool:
    heights = positions @ UP_AXES[up]
    lowest = np.where(np.isfinite(heights), heights, np.inf).min(1)
    lowest = lowest[np.isfinite(lowest)]
    return bool(len(lowest) and _FLOOR[0] <= np.median(lowest) <= _FLOOR[1])
