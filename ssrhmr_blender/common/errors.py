# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors that are explained to the user instead of shown as a traceback."""

from __future__ import annotations


class UserError(Exception):
    """Something that the user can mend; the message says what is wrong and what to do."""


def plain_message(error: Exception) -> str:
    """Return what to tell the user: the system's own errors have numbers in them and no way out."""
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}. Check that it is there and may be used"
    return str(error).strip()
