# SPDX-License-Identifier: GPL-3.0-or-later
"""Printing on any system."""

from __future__ import annotations

import io
import sys


def print_any_letters() -> None:
    """Let output escape a letter that it cannot show, instead of ending the command.

    On Windows, output that goes to a file or another program has the letters of one region, which
    need not be those of the files' names.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")
