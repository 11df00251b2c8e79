# SPDX-License-Identifier: GPL-3.0-or-later
"""Real senders in a real window: start, calibrate, record, bake, stop; nothing is left behind."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from zeroconf import ServiceBrowser, ServiceStateChange, Zeroconf

from ssrhmr_core import Motion
from ssrhmr_core.body.skeleton import INDEX, JOINTS, TRACKERS
from ssrhmr_core.geometry.scalar import to_matrix
from tests.core.streaming.emulators.performer import STANDING, WaitingPerformer
from tests.core.streaming.emulators.senders import (
    SERIALS,
    Emulator,
    SlimeVrVmc,
    SlimeVrVrchat,
    VirtualMotionCapture,
)
from tests.core.streaming.steamvr.test_steamvr import STAND_IN, device
from tests.ports import free_port
from tests.window.conftest import FOLDER, LEFT, PATIENCE, Window, escape

COUNTDOWN = 1.0
RECORDED = 2.0
"""Seconds of the performance that are recorded."""
SLACK = 0.08
"""Metres by which a wrist of the character may go less far, or farther, than the performer's. On a
busy machine readings arrive late by a frame or two, which is noise to be smoothed."""
THREE_POINTS = ("head", "left_hand", "right_hand")


class Player(threading.Thread):
    """Performs over a real socket, at the sender's own rate.

    It is silent between the calibration and the performance, and after it, so that takes are as
    long on a busy machine as on any other.
    """

    def __init__(self, port: int, make: Callable[[WaitingPerformer], Emulator]) -> None:
        super().__init__(daemon=True)
        self.body = WaitingPerformer()
        self._port, self._sender = port, make(self.body)
        self._began, self._is_over = time.perf_counter(), threading.Event()
        self._is_silent = False
        self.sent_at: list[float] = []
        """Seconds since it began to act of all that it sent; less than zero before."""

    def now(self) -> float:
        return time.perf_counter() - self._began

    def rest(self) -> None:
        """Be silent until the performance."""
        self._is_silent = True

    def act(self) -> None:
        """Begin to act, now."""
        self.body.acts_at = self.now()
        self._is_silent = False

    def acted(self) -> float:
        """Seconds since then."""
        return self.now() - self.body.acts_at

    def send(self, out: socket.socket, now: float) -> None:
        for packet in self._sender.frame(now):
            # Nobody may listen yet.
            with contextlib.suppress(ConnectionRefusedError):
                out.send(packet)

    def run(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.connect(("127.0.0.1", self._port))
            due = 0.0
            while not self._is_over.wait(max(due - self.now(), 0.0)):
                now = self.now()
                if not self._is_silent and self.acted() <= RECORDED:
                    self.send(out, now)
                    self.sent_at.append(now - self.body.acts_at)
                # A busy machine leaves frames out, as programs do: they never send several at once.
                due = max(due + 1.0 / self._sender.rate, self.now())

    def stop(self) -> None:
        self._is_over.set()
        self.join()


class SteamVrPlayer(Player):
    """Lets the stand-in for SteamVR see six devices, whose roles SteamVR knows."""

    ROLES: Mapping[str, tuple[int, dict[str, Any]]] = {
        "head": (1, {}),
        "left_hand": (2, {"hand": 1}),
        "right_hand": (2, {"hand": 2}),
        "pelvis": (3, {"properties": {"7000": "vive_tracker_waist"}}),
        "left_foot": (3, {"properties": {"7000": "vive_tracker_left_foot"}}),
        "right_foot": (3, {"properties": {"7000": "vive_tracker_right_foot"}}),
    }

    def send(self, out: socket.socket, now: float) -> None:
        devices = []
        for role, (kind, more) in self.ROLES.items():
            position, rotation = self.body.tracker(now, role)
            turn = np.array(to_matrix(rotation)).reshape(3, 3)
            matrix = np.column_stack([turn, position]).tolist()
            values = json.loads(json.dumps(more))
            devices.append({**device(kind, SERIALS[role], 0.0, **values), "matrix": matrix})
        state = {"running": True, "events": [], "devices": devices}
        part = FOLDER / "steamvr.partial"
        part.write_text(json.dumps(state))
        part.replace(FOLDER / "steamvr.json")


def six_serials(body: WaitingPerformer) -> Emulator:
    return VirtualMotionCapture(body, bones=False)


def three_points(body: WaitingPerformer) -> Emulator:
    serials = {role: SERIALS[role] for role in THREE_POINTS}
    return VirtualMotionCapture(body, bones=False, serials=serials)


@dataclass(frozen=True)
class Case:
    """A sender.

    Attributes:
        protocol: The setting of the panel.
        make: Makes the sender.
        roles: The roles that its devices must get by themselves.
        player: What performs.
        settings: Other settings of the panel.
    """

    protocol: str
    make: Callable[[WaitingPerformer], Emulator]
    roles: tuple[str, ...] = TRACKERS
    player: type[Player] = Player
    settings: Mapping[str, object] = field(default_factory=dict)


CASES = {
    "vmc six serials": Case("VMC", six_serials),
    "slimevr vmc 250 hz": Case("VMC", SlimeVrVmc),
    "three points": Case("VMC", three_points, THREE_POINTS),
    # It has no hands.
    "vrchat found by oscquery": Case(
        *("VRCHAT", SlimeVrVrchat, ("pelvis", "head", "left_foot", "right_foot")),
        settings={"announce": True},
    ),
    "steamvr": Case("STEAMVR", six_serials, player=SteamVrPlayer),
}


@pytest.fixture(scope="module")
def performance() -> Motion:
    """The window's character has the performer's proportions, so that its wrists go as far."""
    return WaitingPerformer().motion


@contextlib.contextmanager
def performing(port: int, case: Case) -> Iterator[Player]:
    player = case.player(port, case.make)
    player.start()
    try:
        yield player
    finally:
        player.stop()


def is_found(wanted: str, port: int) -> bool:
    """Return whether a browser of multicast DNS on this computer finds a port under a name.

    Other tests may announce ports of theirs at the same time.
    """
    found: list[int] = []

    # Called with these names.
    def note(
        zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange
    ) -> None:
        if state_change is ServiceStateChange.Added and wanted in name:
            info = zeroconf.get_service_info(service_type, name)
            if info is not None and info.port is not None:
                found.append(info.port)

    browser = Zeroconf(interfaces=["127.0.0.1"])
    try:
        ServiceBrowser(browser, "_osc._udp.local.", handlers=[note])
        limit = time.monotonic() + PATIENCE
        while port not in found and time.monotonic() < limit:
            time.sleep(0.05)
    finally:
        browser.close()
    return port in found


@pytest.fixture(autouse=True)
def stopped(window: Window) -> Iterator[None]:
    """A test that fails leaves nothing to the next one."""
    yield
    if window.seen()["captures"]:
        window.key("Escape", 300, 400)
        window.until(lambda seen: not seen["captures"], "the end")


def calibrate(window: Window, roles: tuple[str, ...]) -> None:
    """Press the button, as somebody who stands in the T-pose; places may decide the roles."""
    before = window.seen()["calibrations"]
    window.order("operator", name="live_calibrate")
    seen = window.until(lambda seen: seen["calibrations"] > before, "a calibration")
    assert seen["roles"].keys() >= set(roles), seen["roles"]


def check_bake(player: Player, has_hands: bool = True) -> None:
    """Compare how far the left wrist of the character went with how far it was sent.

    A busy machine leaves out frames, those at the ends of a swing too.
    """
    places = np.array(json.loads((FOLDER / "action.json").read_text())["places"])
    assert len(places) >= 60 * RECORDED - 6
    baked = np.ptp(places[:, JOINTS.index("left_wrist")], axis=0)
    sent_at = np.array(player.sent_at)
    times = STANDING + sent_at[sent_at >= 0.0]
    wrist = player.body.motion.at(times).positions()[:, INDEX["left_wrist"]]
    # Blender's Y is the other way round than the core's Z, which makes no difference here.
    truth = np.ptp(wrist, axis=0)[[0, 2, 1]]
    print(f"{len(places)} frames; the wrist went {baked.round(3)} m, truly {truth.round(3)}")
    # Otherwise a character that stands still would do.
    assert truth.max() > 4.0 * SLACK
    if has_hands:
        np.testing.assert_allclose(baked, truth, atol=SLACK)


def assert_nothing_is_left(window: Window, before: Mapping[str, Any]) -> None:
    window.order("operator", name="wm.ssrhmr_probe")
    time.sleep(1.0)
    after = window.seen()
    assert after["timers"] == 0 and after["captures"] == 0
    assert [after[what] for what in LEFT] == [before[what] for what in LEFT]


@pytest.mark.parametrize("name", CASES)
def test_start_calibrate_record_bake_stop(name: str, window: Window) -> None:
    case = CASES[name]
    if case.player is SteamVrPlayer:
        shutil.copytree(STAND_IN, FOLDER / "stand_in")
        window.order("openvr", folder=str(FOLDER / "stand_in"))
    window.order("protocol", protocol=case.protocol, worn={})
    window.order("set", values={"countdown": COUNTDOWN, "announce": False, **case.settings})
    before = window.seen()
    window.order("look")
    with contextlib.ExitStack() as stack:
        if case.settings.get("announce"):
            # The sender knows neither address nor port: it looks for VRChat.
            window.order("operator", name="live_start")
            assert is_found("VRChat-Client-Blender", window.port)
        player = stack.enter_context(performing(window.port, case))
        if not case.settings.get("announce"):
            window.order("operator", name="live_start")
        window.until(lambda seen: seen.get("counters", 0) > 200, "readings")
        calibrate(window, case.roles)
        player.rest()
        window.order("operator", name="record")
        window.until(lambda seen: seen["status"]["recording"] >= 0, "the recording")
        player.act()
        window.until(lambda seen: player.acted() > RECORDED, "the performance")
        window.picture(f"live {name}")
        window.order("operator", name="record")
        window.until(
            lambda seen: seen["action"] not in (None, before["action"]) and not seen["baking"],
            "the bake",
        )
        escape(window)
    window.order("read action")
    window.picture(f"baked {name}")
    check_bake(player, "left_hand" in case.roles)
    assert_nothing_is_left(window, before)


def test_two_performers(window: Window) -> None:
    """Each has a character and a port; one button records both, and each take is baked."""
    window.order("protocol", protocol="VMC", worn={})
    window.order("set", values={"countdown": COUNTDOWN, "announce": False})
    before = window.seen()
    other = free_port()
    window.order("partner", protocol="VMC", port=other, countdown=COUNTDOWN)
    cases = (CASES["vmc six serials"], CASES["slimevr vmc 250 hz"])
    with contextlib.ExitStack() as stack:
        players = [
            stack.enter_context(performing(port, case))
            for port, case in zip((window.port, other), cases, strict=True)
        ]
        for number in (0, 1):
            window.order("activate", character=number)
            window.order("operator", name="live_start")
            window.until(lambda seen: seen.get("counters", 0) > 200, "readings")
            calibrate(window, TRACKERS)
            players[number].rest()
        assert window.seen()["captures"] == 2
        window.order("operator", name="record")
        window.until(lambda seen: seen["status"]["recording"] >= 0, "the recording")
        for player in players:
            player.act()
        window.until(lambda seen: players[0].acted() > RECORDED, "the performance")
        window.picture("live two performers")
        window.order("operator", name="record")
        window.until(
            lambda seen: (
                "Partner" in seen["actions"]
                and seen["actions"].get("Hero") not in (None, before["action"])
                and not seen["baking"]
            ),
            "both bakes",
        )
        escape(window)
    window.order("read action")
    check_bake(players[0])
    window.order("remove partner")
    assert_nothing_is_left(window, before)
    # The first character is alone again, with its own settings.
    window.order("protocol", protocol="VMC", worn={})
    assert window.seen()["actions"].keys() == {"Hero"}
