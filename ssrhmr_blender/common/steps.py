# SPDX-License-Identifier: GPL-3.0-or-later
"""Work in steps: generators that yield their progress and return a result."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Generic, TypeVar

_Step = TypeVar("_Step")
_Converted = TypeVar("_Converted")
_Result = TypeVar("_Result")


class _ResultKeeper(Generic[_Step, _Result]):
    """Iterates over a generator and keeps the result that it returns."""

    result: _Result

    def __init__(self, steps: Generator[_Step, None, _Result]) -> None:
        self._steps = steps

    def __iter__(self) -> Iterator[_Step]:
        self.result = yield from self._steps


def run_steps(steps: Generator[object, None, _Result]) -> _Result:
    """Run a generator to its end and return its result."""
    keeper = _ResultKeeper(steps)
    for _ in keeper:
        pass
    return keeper.result


def map_steps(
    steps: Generator[_Step, None, _Result], convert: Callable[[_Step], _Converted]
) -> Generator[_Converted, None, _Result]:
    """Convert each step of a generator and return its result.

    The generator is closed along with this one.
    """
    keeper = _ResultKeeper(steps)
    try:
        for step in keeper:
            yield convert(step)
    finally:
        steps.close()
    return keeper.result
