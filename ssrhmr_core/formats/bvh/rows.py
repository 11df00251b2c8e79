# SPDX-License-Identifier: GPL-3.0-or-later
"""The frames of a BVH file: one number for each channel, usually one line for each frame."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from .errors import BVHError
from .hierarchy import LARGEST
from .text import holds, parse_number, split_numbers, strip_comment

_MEND = "mend that line, or export the file again"


@dataclass
class _Numbers:
    """The numbers of a text, and which line each came from.

    Attributes:
        values: All of them, in order.
        counts: How many each line that is not empty holds.
        lines: The numbers of these lines in the file.
        stray: Number, text and index in the line of the first word that is no number.
        after_stray: Numbers in the longest line after it.
    """

    values: array[float] = field(default_factory=lambda: array("d"))
    counts: list[int] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    stray: tuple[int, str, int] | None = None
    after_stray: int = 0


def read_rows(
    lines: Sequence[str], first: int, width: int, announced: int | None, notes: list[str]
) -> np.ndarray:
    """Read the frames of a file.

    Args:
        lines: Lines after the header.
        first: Number of the first of them in the file.
        width: Number of channels.
        announced: Number of frames that the header names, if it does.
        notes: What was assumed is added to this list.

    Returns:
        (F, width) float64.

    Raises:
        BVHError: If there are no frames, or one of them is damaged; the message names its line.
    """
    if not width:
        raise BVHError("no joint has channels, so nothing moves: export the motion as well")
    numbers = _read_numbers(lines, first)
    before = len(notes)
    total = _count_whole_rows(numbers, width, announced, notes) * width
    values = np.array(numbers.values[:total], np.float64)
    _check_finite(values, numbers)
    rows = values.reshape(-1, width)
    if not len(rows):
        raise BVHError("no frames are in the file, which may have been cut off: export it again")
    if announced is None:
        notes.append(f"the file does not say how many frames it holds: read all {len(rows)}")
    elif len(rows) != announced and len(notes) == before:
        notes.append(f"{announced} frames are announced and {len(rows)} are there: read these")
    return rows


def _read_numbers(lines: Sequence[str], first: int) -> _Numbers:
    numbers = _Numbers()
    for number, line in enumerate(lines, first):
        words = split_numbers(strip_comment(line))
        if not words:
            continue
        if numbers.stray:
            numbers.after_stray = max(numbers.after_stray, len(words))
            continue
        before = len(numbers.values)
        try:
            if "_" in line or not line.isascii():
                raise ValueError
            numbers.values.extend(map(float, words))
        except ValueError:
            del numbers.values[before:]
            at = next((i for i, word in enumerate(words) if not _is_number(word)), None)
            if at is None:  # Only a comment is not ASCII.
                numbers.values.extend(map(float, words))
            else:
                numbers.stray = (number, words[at], at)
                numbers.after_stray = -1 if len(words) == at + 1 else len(words)
        if not numbers.stray:
            numbers.counts.append(len(words))
            numbers.lines.append(number)
    return numbers


def _is_number(word: str) -> bool:
    try:
        parse_number(word)
    except ValueError:
        return False
    return True


def _count_whole_rows(
    numbers: _Numbers, width: int, announced: int | None, notes: list[str]
) -> int:
    """Return how many complete frames come before the end or the first damage that ends a file.

    Raises:
        BVHError: If a frame before the last is damaged.
    """
    counts = np.array(numbers.counts, int)
    total = int(counts.sum())
    regular = bool((counts[:-1] == width).all())
    if not regular and not _are_split_evenly(counts, width, announced):
        at = int(np.argmax(counts != width))
        raise BVHError(
            f"line {numbers.lines[at]} holds {counts[at]} numbers where the joints have {width}"
            f" channels: {_MEND}"
        )
    rows, rest = divmod(total, width)
    if rest and regular and counts[-1] > width:
        raise BVHError(
            f"line {numbers.lines[-1]} holds {counts[-1]} numbers where the joints have {width}"
            f" channels: {_MEND}"
        )
    if numbers.stray:
        _check_stray(numbers, width, rows, rest, announced, notes)
    elif rest:
        notes.append(
            f"line {numbers.lines[-1]} holds {rest} of the {width} numbers of a frame, the file was"
            " cut off there: left that frame out"
        )
    return rows


def _are_split_evenly(counts: np.ndarray, width: int, announced: int | None) -> bool:
    """Tell whether lines are broken so that no number can be missing or too many.

    Frames begin on a new line, lines hold several whole frames, or all lines are equally long.
    """
    ends = np.cumsum(counts)
    total = int(ends[-1])
    if np.isin(np.arange(width, total + 1, width), ends).all():
        return total >= width
    if not (counts[:-1] % width).any():
        return True
    return bool((counts[:-1] == counts[0]).all() and total == width * (announced or 0))


def _check_stray(
    numbers: _Numbers,
    width: int,
    rows: int,
    rest: int,
    announced: int | None,
    notes: list[str],
) -> None:
    """Accept words after the last frame and half of a number at the end of a file.

    Raises:
        BVHError: If they stand in the middle of the frames.
    """
    assert numbers.stray is not None
    number, word, at = numbers.stray
    is_after_all = not rest and at == 0 and numbers.after_stray < width
    is_cut = numbers.after_stray < 0 and rest + at + 1 < width and at > 0
    if not (is_after_all or is_cut) or (is_after_all and not rows):
        raise BVHError(f"line {number} holds {holds(word)} where a number belongs: {_MEND}")
    if is_cut:
        notes.append(f"line {number} breaks off in a frame: left that frame out")
    elif announced is None or rows < announced:
        notes.append(f"line {number} holds {holds(word)} after the frames: left the rest out")


def _check_finite(values: np.ndarray, numbers: _Numbers) -> None:
    bad = np.flatnonzero(~(np.abs(values) <= LARGEST))
    if not len(bad):
        return
    line = int(np.searchsorted(np.cumsum(numbers.counts), bad[0], side="right"))
    value = values[bad[0]]
    held = str(value) if not np.isfinite(value) else f"{value:g}, which is over a billion"
    raise BVHError(
        f"line {numbers.lines[line]} holds {held}: write a number there, or delete the line and"
        ' lower the number after "Frames:"'
    )
