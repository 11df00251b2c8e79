# SPDX-License-Identifier: GPL-3.0-or-later
"""Letters that the output of this system cannot show."""

from __future__ import annotations

import io
import sys

import pytest

from ssrhmr_core.console import print_any_letters


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize(
    ("encoding", "shown"), [("cp1252", b"l\xe4uft \\u8d70"), ("utf-8", "läuft 走".encode())]
)
def test_letters_are_shown_or_escaped(
    monkeypatch: pytest.MonkeyPatch, stream: str, encoding: str, shown: bytes
) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, stream, io.TextIOWrapper(written, encoding=encoding))
    print_any_letters()
    print("läuft 走", end="", file=getattr(sys, stream), flush=True)
    assert written.getvalue() == shown


def test_a_choice_of_the_user_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as by PYTHONIOENCODING; streams of other kinds stay as they are too."""
    chosen = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="replace")
    monkeypatch.setattr(sys, "stdout", chosen)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    print_any_letters()
    assert chosen.errors == "replace"
