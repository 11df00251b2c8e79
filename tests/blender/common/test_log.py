# SPDX-License-Identifier: GPL-3.0-or-later
"""The console gets its level, reports get the last messages, and disabling leaves no handler."""

from __future__ import annotations

import logging
import threading

import bpy
import pytest

import ssrhmr_blender
from ssrhmr_blender.common import log
from ssrhmr_blender.common.errors import plain_message


def test_keeps_the_last_messages_of_add_on_and_core_without_names() -> None:
    bpy.data.objects.new("Alice", None)
    logging.getLogger("ssrhmr_core.streaming").info("Alice sent nothing")
    log.LOGGER.debug("not kept")
    for number in range(29):
        log.LOGGER.warning("message %d about 'Bob'", number)
    lines = log.RECENT.lines()
    assert len(lines) == 30
    assert lines[0].endswith("INFO: <name> sent nothing")
    assert lines[-1].endswith("WARNING: message 28 about '<name>'")
    log.LOGGER.warning("one more")
    assert len(log.RECENT.lines()) == 30 and "sent nothing" not in log.RECENT.lines()[0]


def test_messages_of_other_threads_do_not_read_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> set[str]:
        raise AssertionError("Blender's data was read outside of the main thread")

    monkeypatch.setattr(log, "private_names", fail)
    thread = threading.Thread(target=lambda: log.LOGGER.warning("from a thread"))
    thread.start()
    thread.join()
    assert log.RECENT.lines()[-1].endswith("from a thread")


def test_console_level(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setattr(log._console, "stream", sys.stderr)
    log.LOGGER.info("quiet")
    log.LOGGER.warning("at /home/ann")
    log.set_console_level("DEBUG")
    log.LOGGER.debug("detail")
    shown = capsys.readouterr().err
    # The user's own console shows everything.
    assert shown == "ssrhmr WARNING: at /home/ann\nssrhmr DEBUG: detail\n"


def test_explained_errors_are_logged() -> None:
    error = FileNotFoundError(2, "No such file", "/home/ann/my take.csv")
    assert plain_message(error).startswith("'/home/ann/my take.csv': No such file")
    assert log.RECENT.lines()[-1].endswith(
        "WARNING: '<name>': No such file. Check that it exists and that you may use it"
    )


def test_disabling_leaves_no_handler() -> None:
    ssrhmr_blender.unregister()
    for name in ("ssrhmr", "ssrhmr_core"):
        logger = logging.getLogger(name)
        assert not logger.handlers and logger.level == logging.NOTSET
    ssrhmr_blender.register()
    assert len(log.LOGGER.handlers) == 2 and not log.RECENT.lines()
