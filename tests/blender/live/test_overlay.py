# SPDX-License-Identifier: GPL-3.0-or-later
"""What is drawn into a view keeps clear of the toolbar and the sidebar that lie over it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ssrhmr_blender.live.overlay import find_room


def region(kind: str, begin: int, end: int) -> Any:
    return SimpleNamespace(type=kind, x=begin, width=end - begin)


VIEW = region("WINDOW", 100, 1100)


@pytest.mark.parametrize(
    ("others", "room"),
    [
        ((), (0.0, 1000.0)),
        ((region("TOOLS", 100, 156),), (56.0, 1000.0)),
        ((region("TOOLS", 100, 156), region("UI", 780, 1100)), (56.0, 680.0)),
        # Hidden ones have a width of 1; opaque ones lie beside the view; headers lie above it.
        ((region("UI", 1099, 1100), region("TOOLS", 44, 100)), (0.0, 1000.0)),
        ((region("UI", 1100, 1400), region("HEADER", 100, 1100)), (0.0, 1000.0)),
        # Turned round: the sidebar at the left.
        ((region("UI", 100, 420),), (320.0, 1000.0)),
        # A sidebar that leaves next to nothing is drawn over.
        ((region("UI", 300, 1100),), (0.0, 1000.0)),
    ],
)
def test_the_room_is_what_nothing_covers(others: tuple[Any, ...], room: tuple[float, ...]) -> None:
    assert find_room(VIEW, (VIEW, *others)) == room
