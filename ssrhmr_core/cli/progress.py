# SPDX-License-Identifier: GPL-3.0-or-later
"""A progress bar on standard error, of which only the last line appears outside a terminal."""

from __future__ import annotations

import sys
import time

_WIDTH = 32
_CLEAR = "\r\x1b[K"


class Bar:
    """Draws ``[####----] 50 %  text`` in place, a few times a second."""

    def __init__(self, label: str) -> None:
        """Start the clock."""
        self._label, self._begin, self._drawn = label, time.monotonic(), 0.0

    def show(self, share: float, text: str = "") -> None:
        """Draw the share done (0 to 1), the time left, and a text."""
        now = time.monotonic()
        if now - self._drawn < 0.1 and share < 1.0:
            return
        self._drawn = now
        spent = now - self._begin
        left = f"{spent / share - spent:.0f} s left" if share > 0.02 else ""
        marks = "#" * round(_WIDTH * share)
        if sys.stderr.isatty():
            line = f"{self._label} [{marks:-<{_WIDTH}}] {100 * share:3.0f} % {left} {text}"
            sys.stderr.write(f"{_CLEAR}{line}")
        if share >= 1.0:
            clear_line()
            sys.stderr.write(f"{self._label}: done in {spent:.1f} s\n")
        sys.stderr.flush()


def clear_line() -> None:
    """Clear the line of a progress bar, so that something else can be printed there."""
    if sys.stderr.isatty():
        sys.stderr.write(_CLEAR)
