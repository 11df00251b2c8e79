# SPDX-License-Identifier: GPL-3.0-or-later
"""What reading a motion file can raise or warn about."""

from __future__ import annotations


class MotionFileError(ValueError):
    """A file cannot be read as motion; the message names the path, the fault and what to do."""


class MotionFileWarning(UserWarning):
    """A motion file left something open; the message names what was assumed and how to override."""
