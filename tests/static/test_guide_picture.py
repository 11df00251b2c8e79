# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture of the guided calibration shows the exercises that there are, when they begin."""

from __future__ import annotations

import re

from scripts.draw_guide import COUNTDOWN, PICTURE, draw, moments
from ssrhmr_core.tracking.movement.guided import EXERCISES, MOVEMENT_SECONDS


def lines_of(picture: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", picture)


def test_picture_is_current() -> None:
    """After a change of the figure or the exercises: ``python scripts/draw_guide.py``."""
    stored, drawn = PICTURE.read_text(encoding="utf-8"), draw()
    assert lines_of(stored) == lines_of(drawn)
    numbers = [[float(n) for n in re.findall(r"-?\d+\.\d", text)] for text in (stored, drawn)]
    assert len(numbers[0]) == len(numbers[1])
    assert max(abs(a - b) for a, b in zip(*numbers, strict=True)) < 0.25


def test_each_exercise_is_shown_while_it_is_made() -> None:
    shown = moments()
    assert [name for name, _, _ in shown] == ["reference pose", *(e.name for e in EXERCISES)]
    begins = [begin for _, begin, _ in shown[1:]] + [MOVEMENT_SECONDS]
    for (_, begin, drawn), end in zip(shown[1:], begins[1:], strict=True):
        assert begin < drawn < end


def test_the_guided_way_takes_less_than_half_a_minute() -> None:
    assert COUNTDOWN + MOVEMENT_SECONDS < 30.0
