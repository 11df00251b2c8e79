# SPDX-License-Identifier: GPL-3.0-or-later
"""A performer on a real socket, in simulated time: a busy machine would send late."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import pytest
from pythonosc.osc_message_builder import OscMessageBuilder

from ssrhmr_blender.live import capture
from ssrhmr_core import Calibration, Motion, Take
from ssrhmr_core import live as core_live
from ssrhmr_core import streaming as core_streaming
from ssrhmr_core.body.extra_trackers import EXTRA_TRACKERS
from ssrhmr_core.body.skeleton import TRACKERS
from tests.blender.conftest import choose, make_armature
from tests.ports import free_port


class Clock:
    """Seconds that pass only when a test lets them."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of everything that a capture consists of."""
    simulated = Clock()
    for module, name in ((core_streaming, "Receiver"), (core_live, "LiveSession")):
        monkeypatch.setattr(module, name, partial(getattr(module, name), clock=simulated))
    monkeypatch.setattr(capture, "time", SimpleNamespace(monotonic=simulated))
    return simulated


@pytest.fixture
def port() -> Iterator[int]:
    """A port that nobody has, and that is free again afterwards."""
    free = free_port()
    bpy.context.scene.ssrhmr_live.port = free
    yield free
    capture.stop()
    assert_free(free)


def assert_free(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", port))


class Sender:
    """Plays a take as a VMC sender does, one datagram a tracker."""

    def __init__(self, port: int, take: Take, clock: Clock) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self._port, self._take = port, take
        self.clock = clock
        self.roles: tuple[str, ...] = TRACKERS
        self.sent = 0

    def send(self, row: int) -> None:
        for role in self.roles:
            readings: Any = self._take if role in TRACKERS else self._take.extras
            tracker = (TRACKERS if role in TRACKERS else EXTRA_TRACKERS).index(role)
            x, y, z = readings.positions[row, tracker].tolist()
            w, a, b, c = readings.rotations[row, tracker].tolist()
            message = OscMessageBuilder("/VMC/Ext/Tra/Pos")
            # Unity is left-handed: X is mirrored.
            for value in (f"vive {role}", -x, y, z, a, -b, -c, w):
                message.add_arg(value)
            self._socket.sendto(message.build().dgram, ("127.0.0.1", self._port))
            self.sent += 1

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def sender(port: int, performance: Motion, clock: Clock) -> Iterator[Sender]:
    vmc_sender = Sender(port, Take.from_motion(performance), clock)
    yield vmc_sender
    vmc_sender.close()


@pytest.fixture
def sender_of_nine(port: int, performance: Motion, clock: Clock) -> Iterator[Sender]:
    """One that also sends both elbows and the chest."""
    more = ("left_elbow", "right_elbow", "chest")
    vmc_sender = Sender(port, Take.from_motion(performance, more), clock)
    vmc_sender.roles = (*TRACKERS, *more)
    yield vmc_sender
    vmc_sender.close()


@pytest.fixture
def hero(performance: Motion) -> bpy.types.Object:
    armature = make_armature("Hero", performance.skeleton)
    choose(armature, {})
    bpy.context.scene.ssrhmr.calibration = Calibration.none().to_json()
    return armature


def start() -> capture.Capture:
    assert bpy.ops.ssrhmr.live_start() == {"FINISHED"}, bpy.context.scene.ssrhmr.message
    current = capture.running()
    assert current is not None
    return current


def stream(current: capture.Capture, sender: Sender, rows: Iterable[int]) -> None:
    """Send and tick, 60 frames a second."""
    for row in rows:
        before = current.receiver.counters.datagrams
        sender.send(row)
        wanted = before + len(sender.roles)
        wait_for(lambda: current.receiver.counters.datagrams >= wanted)  # noqa: B023
        current.tick()
        sender.clock.sleep(1.0 / 60.0)
    current.tick()


def wait_for(done: Callable[[], bool]) -> None:
    """Wait in real time for what another thread does."""
    limit = time.monotonic() + 600.0
    while not done() and time.monotonic() < limit:
        time.sleep(0.001)
    assert done()


def until(current: capture.Capture, clock: Clock, done: Callable[[], bool]) -> None:
    """Tick while time passes, until something has happened."""
    limit = time.monotonic() + 600.0
    while not done() and time.monotonic() < limit:
        current.tick()
        clock.sleep(0.005)
        time.sleep(0.001)
    assert done()


def readings_in(path: Path) -> int:
    """Rows below the title; the add-on reads the file with the core's reader in other tests."""
    return len(path.read_text(encoding="utf-8").splitlines()) - 1
