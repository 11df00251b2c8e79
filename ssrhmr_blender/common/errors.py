# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors that are explained to the user instead of shown as a traceback."""

from __future__ import annotations

from .log import LOGGER


class UserError(Exception):
    """Something that the user can fix; the message says what is wrong, then what to do."""


def plain_message(error: Exception) -> str:
    """Return an error's message, and log it.

    The system's own messages show numbers and do not say what to do.
    """
    text = str(error).strip()
    if isinstance(error, OSError) and error.filename:
        text = f"'{error.filename}': {error.strerror}. Check that it exists and that you may use it"
    LOGGER.warning("%s", text)
    return text
