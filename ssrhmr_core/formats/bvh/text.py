# SPDX-License-Identifier: GPL-3.0-or-later
"""The words and numbers of a line of a BVH file."""

from __future__ import annotations

import re

_COMMENT = re.compile(r"(^|\s)(#|//|;).*")


def strip_comment(line: str) -> str:
    """Return a line without what stands after ``#``, ``//`` or ``;``."""
    return _COMMENT.sub("", line) if "#" in line or "/" in line or ";" in line else line


def split_numbers(line: str) -> list[str]:
    """Split a line at blanks, or at commas unless they are decimal commas."""
    if "," in line:
        words = line.split()
        separates = "." in line or any(
            word.count(",") > 1 or word[0] == "," or word[-1] == "," for word in words
        )
        line = line.replace(",", " " if separates else ".")
    return line.split()


def parse_number(word: str) -> float:
    """Return a number as programs write it.

    Raises:
        ValueError: If it is not one; Python also reads ``1_0`` and the digits of other scripts.
    """
    if "_" in word or not word.isascii():
        raise ValueError(word)
    return float(word)


def holds(word: str) -> str:
    """Quote a word of a file for a message."""
    return repr(word if len(word) < 40 else word[:37] + "...")
