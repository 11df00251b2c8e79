# SPDX-License-Identifier: GPL-3.0-or-later
"""Ports for tests: whoever has one keeps it from other processes."""

from __future__ import annotations

import contextlib
import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import ports

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The ports that are tried first, the last one before the others."""
    numbers: list[int] = []

    class Drawn(random.Random):
        def randrange(self, start: int, stop: int) -> int:  # type: ignore[override]
            return numbers.pop() if numbers else super().randrange(start, stop)

    monkeypatch.setattr(random, "Random", Drawn)
    return numbers


@pytest.fixture
def other() -> Iterator[int]:
    """A port that another process has, without listening on it."""
    say = "import sys; from tests import ports; print(ports.free_port(), flush=True); input()"
    command = [sys.executable, "-c", say]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        yield int(process.stdout.readline())
        process.stdin.write("\n")


def test_a_port_of_another_process_is_not_given(other: int, drawn: list[int]) -> None:
    drawn += [other]
    mine = ports.free_port()
    assert mine != other and not drawn
    drawn += [mine]
    assert ports.free_port() != mine and not drawn


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_a_port_that_somebody_listens_on_is_not_given(
    kind: socket.SocketKind, drawn: list[int]
) -> None:
    with socket.socket(socket.AF_INET, kind) as taken:
        # Of those that systems give, some are too high to have a port above them.
        for port in range(14_000, 20_000):
            with contextlib.suppress(OSError):
                taken.bind(("127.0.0.1", port))
                break
        drawn += [port]
        assert ports.free_port() != port and not drawn
