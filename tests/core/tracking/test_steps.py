# SPDX-License-Identifier: GPL-3.0-or-later
"""Generators that are run to their end."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from ssrhmr_core.tracking.steps import rescale_steps, run_steps


def halves(ends: bool = True) -> Generator[float, None, str]:
    yield 0.5
    if not ends:
        raise ValueError("half done")
    yield 1.0
    return "done"


def test_the_result_is_returned_and_each_share_told() -> None:
    told: list[float] = []
    assert run_steps(halves(), told.append) == "done"
    assert told == [0.5, 1.0]
    assert run_steps(halves()) == "done"


def test_steps_may_be_a_part_of_longer_work() -> None:
    told: list[float] = []
    assert run_steps(rescale_steps(halves(), 0.2, 0.6), told.append) == "done"
    assert told == pytest.approx([0.4, 0.6])


def test_errors_come_through() -> None:
    with pytest.raises(ValueError, match="half done"):
        run_steps(halves(ends=False))
