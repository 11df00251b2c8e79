# SPDX-License-Identifier: GPL-3.0-or-later
"""The log of the add-on and the core: to the console, and the last messages for reports."""

from __future__ import annotations

import logging
from collections import deque

from .redaction import private_names, redact

LOGGER = logging.getLogger("ssrhmr")
"""Logger of the add-on; the core has ``ssrhmr_core``."""
_LOGGERS = (LOGGER, logging.getLogger("ssrhmr_core"))
_KEPT = 30
_CONSOLE_FORMAT = "%(name)s %(levelname)s: %(message)s"
_REPORT_FORMAT = "%(asctime)s %(levelname)s: %(message)s"


class RecentMessages(logging.Handler):
    """Keeps the last messages without names and paths, whatever the level of the console."""

    def __init__(self) -> None:
        """Keep messages of level INFO and above."""
        super().__init__(logging.INFO)
        self.setFormatter(logging.Formatter(_REPORT_FORMAT, "%H:%M:%S"))
        self._lines: deque[str] = deque(maxlen=_KEPT)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a message; its names are looked up now, while the file that has them is open."""
        try:
            # Blender's data may be read by the main thread alone.
            names = private_names() if record.threadName == "MainThread" else ()
            self._lines.append(redact(self.format(record), names))
        except Exception:
            self.handleError(record)

    def lines(self) -> list[str]:
        """Return the messages, oldest first."""
        return list(self._lines)

    def clear(self) -> None:
        """Forget all messages."""
        self._lines.clear()


RECENT = RecentMessages()
_console = logging.StreamHandler()
_console.setFormatter(logging.Formatter(_CONSOLE_FORMAT))


def register() -> None:
    """Begin to log."""
    for logger in _LOGGERS:
        # Handlers choose what they keep; loggers pass on everything from INFO, or from DEBUG.
        logger.setLevel(logging.INFO)
        logger.addHandler(RECENT)
        logger.addHandler(_console)
    set_console_level("WARNING")


def unregister() -> None:
    """Stop to log, and forget what was kept."""
    for logger in _LOGGERS:
        logger.removeHandler(RECENT)
        logger.removeHandler(_console)
        logger.setLevel(logging.NOTSET)
    RECENT.clear()


def set_console_level(level: str) -> None:
    """Choose the least level that is written to the console, such as "DEBUG"."""
    _console.setLevel(level)
    for logger in _LOGGERS:
        logger.setLevel(min(logging.INFO, _console.level))
