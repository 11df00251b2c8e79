# SPDX-License-Identifier: GPL-3.0-or-later
"""Work in steps: its result arrives, its steps are converted, and it ends when it is closed."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from ssrhmr_blender.common.steps import map_steps, run_steps


def count(to: int, log: list[str]) -> Generator[int, None, str]:
    """Yield numbers up to ``to``, note the end, and return a text."""
    try:
        yield from range(to)
    finally:
        log.append("ended")
    return f"counted to {to}"


def test_the_result_is_returned() -> None:
    log: list[str] = []
    assert run_steps(count(3, log)) == "counted to 3" and log == ["ended"]
    assert run_steps(count(0, log)) == "counted to 0"


def test_steps_are_converted() -> None:
    shown: list[str] = []

    def job() -> Generator[str, None, str]:
        result = yield from map_steps(count(2, []), lambda number: f"step {number}")
        return result.upper()

    steps = job()
    shown.extend([next(steps), next(steps)])
    with pytest.raises(StopIteration, match="COUNTED TO 2"):
        next(steps)
    assert shown == ["step 0", "step 1"]


def test_closing_ends_what_is_converted() -> None:
    log: list[str] = []
    inner = count(2, log)
    steps = map_steps(inner, str)
    next(steps)
    steps.close()
    assert log == ["ended"]


def test_errors_pass_through() -> None:
    def broken() -> Generator[int, None, None]:
        yield 1
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        run_steps(broken())
    steps = map_steps(broken(), str)
    assert next(steps) == "1"
    with pytest.raises(ValueError, match="broken"):
        next(steps)
