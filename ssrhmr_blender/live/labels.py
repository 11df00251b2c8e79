# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the names of trackers go in a view, so that they do not cover each other."""

from __future__ import annotations

from collections.abc import Sequence

_ASIDE, _ABOVE = 8.0, 4.0
"""Pixels between a tracker and its name."""

Pair = tuple[float, float]


def place_labels(trackers: Sequence[Pair], sizes: Sequence[Pair]) -> list[Pair]:
    """Return the lower left corners of the trackers' names in a view.

    Each name goes to the right of its tracker; where an earlier one is there already, to the left
    of it, lower, or a line further away. Where all places are taken it covers another one.

    Args:
        trackers: Places (x, y) of the trackers in pixels.
        sizes: Widths and heights of the names in pixels.
    """
    corners: list[Pair] = []
    for (x, y), (width, height) in zip(trackers, sizes, strict=True):
        right, left = x + _ASIDE, x - _ASIDE - width
        upper, lower = y + _ABOVE, y - _ABOVE - height
        lines = (upper, lower, upper + height, lower - height)
        places = [(aside, line) for line in lines for aside in (right, left)]
        taken = list(zip(corners, sizes, strict=False))
        corners.append(
            next(
                (
                    place
                    for place in places
                    if not any(_overlap(place, (width, height), *other) for other in taken)
                ),
                places[0],
            )
        )
    return corners


def _overlap(one: Pair, size: Pair, other: Pair, other_size: Pair) -> bool:
    """Return whether two boxes, given by corners and sizes, share some area."""
    return all(
        a < b + b_size and b < a + a_size
        for a, a_size, b, b_size in zip(one, size, other, other_size, strict=True)
    )
