# SPDX-License-Identifier: GPL-3.0-or-later
"""A progress bar on standard error; nothing where that is not a terminal but a last line."""

from __future__ import annotations

import sys
import time

_WIDTH = 32


class Bar:
    """Draws ``[####----] 50 %  what`` in place, a few times a second."""

    def __init__(self, label: str) -> None:
        """Start the clock."""
        self._label, self._begin, self._drawn = label, time.monotonic(), 0.0

    def show(self, share: float, text: str = "") -> None:
        """Draw the share done (0..1), the time left, and a text."""
        now = time.monotonic()
        if now - self._drawn < 0.1 and share < 1.0:
            return
        self._drawn = now
        spent = now - self._begin
        left = f"{spent / share - spent:.0f} s left" if share > 0.02 else ""
        marks = "#" * round(_WIDTH * share)
        if sys.stderr.isatty():
            line = f"{self._label} [{marks:-<{_WIDTH}}] {100 * share:3.0f} % {left} {text}"
            sys.stderr.write(f"\r\x1b[K{line}")
        if share >= 1.0:
            end = "\r\x1b[K" if sys.stderr.isatty() else ""
            sys.stderr.write(f"{end}{self._label}: done in {spent:.1f} s\n")
        sys.stderr.flush()
