# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of trackers in a view do not cover each other."""

from __future__ import annotations

import pytest

from ssrhmr_blender.live.labels import Pair, place_labels

SIZE = (70.0, 11.0)


def overlaps(corners: list[Pair], sizes: list[Pair]) -> int:
    boxes = [(x, y, x + w, y + h) for (x, y), (w, h) in zip(corners, sizes, strict=True)]
    return sum(
        a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
        for number, a in enumerate(boxes)
        for b in boxes[:number]
    )


def test_a_name_stands_to_the_right_of_its_tracker() -> None:
    assert place_labels([(100.0, 50.0)], [SIZE]) == [(108.0, 54.0)]


@pytest.mark.parametrize("step", [(0.0, 0.0), (34.0, 0.0), (2.0, 3.0), (5.0, 10.0)])
def test_four_names_close_to_each_other_are_all_read(step: Pair) -> None:
    """As at a foot, a knee and toes of a body that is far away."""
    trackers = [(200.0 + n * step[0], 100.0 + n * step[1]) for n in range(4)]
    corners = place_labels(trackers, [SIZE] * 4)
    assert overlaps([(x + 8.0, y + 4.0) for x, y in trackers], [SIZE] * 4) > 0
    assert overlaps(corners, [SIZE] * 4) == 0
    # Each stays at its tracker.
    for (x, y), (left, low) in zip(trackers, corners, strict=True):
        assert left - x in (8.0, -78.0) and low - y in (4.0, -15.0, 15.0, -26.0)


def test_more_names_than_places_are_drawn_all_the_same() -> None:
    corners = place_labels([(0.0, 0.0)] * 10, [SIZE] * 10)
    assert len(set(corners)) == 8 and corners[8:] == [(8.0, 4.0)] * 2
