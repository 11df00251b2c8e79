# SPDX-License-Identifier: GPL-3.0-or-later
"""Work in steps: generators that yield the share done and return a result."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import TypeVar

_Result = TypeVar("_Result")


def rescale_steps(
    steps: Generator[float, None, _Result], begin: float, end: float
) -> Generator[float, None, _Result]:
    """Run a generator as a part of longer work, which ``begin`` and ``end`` are shares of."""
    results: list[_Result] = []
    for share in _keep_result(steps, results):
        yield begin + (end - begin) * share
    return results[0]


def run_steps(
    steps: Generator[float, None, _Result], progress: Callable[[float], object] | None = None
) -> _Result:
    """Run a generator to its end and return its result.

    Args:
        steps: The generator.
        progress: Called with each share done, 0 to 1.
    """
    results: list[_Result] = []
    for share in _keep_result(steps, results):
        if progress:
            progress(share)
    return results[0]


def _keep_result(steps: Generator[float, None, _Result], results: list[_Result]) -> Iterator[float]:
    """Yield what a generator yields, and append what it returns to a list."""
    results.append((yield from steps))
