# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors that are explained to the user instead of shown as a traceback."""

from __future__ import annotations


class UserError(Exception):
    """Something that the user can fix; the message says what is wrong, then what to do."""


def plain_message(error: Exception) -> str:
    """Return an error's message; the system's own show numbers and do not say what to do."""
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}. Check that it exists and that you may use it"
    return str(error).strip()
