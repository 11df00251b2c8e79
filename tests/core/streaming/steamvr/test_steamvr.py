# SPDX-License-Identifier: GPL-3.0-or-later
"""SteamVR by its helper process, with a stand-in for the vendor's package: no hardware is there."""

from __future__ import annotations

import json
import math
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ssrhmr_core.geometry.scalar import to_matrix
from ssrhmr_core.streaming import DeviceTable, Reading, StreamingError, guess_roles
from ssrhmr_core.streaming.steamvr import SteamVrReceiver, helper, unpack_wheel
from ssrhmr_core.streaming.steamvr.receiver import HELPER

STAND_IN = Path(__file__).parent / "stand_in"
# As quick as the real one, but for its waiting.
QUICK = (
    "import runpy, sys; names = runpy.run_path(sys.argv[1]);"
    "names['serve'].__globals__.update(RETRY=0.1, PROPERTIES=0.1);"
    "sys.exit(names['main'](sys.argv[2:]))"
)
COMMAND = (sys.executable, "-I", "-c", QUICK, str(HELPER))
ROTATION = (0.5, 0.5, -0.5, 0.5)


def device(kind: int, serial: str, x: float, **values: Any) -> dict[str, Any]:
    rotation = np.array(to_matrix(ROTATION)).reshape(3, 3)
    matrix = np.column_stack([rotation, (x, 1.0, 2.0)]).tolist()
    properties = {"1002": serial, **values.pop("properties", {})}
    return {"class": kind, "connected": True, "matrix": matrix, "properties": properties, **values}


DEVICES = [
    device(1, "LHR-HMD", 0.1),
    device(4, "LHB-BASE", 9.0),
    device(2, "LHR-L", 0.2, hand=1, properties={"1012": 0.8}),
    device(2, "LHR-R", 0.3, hand=2),
    device(3, "LHR-1", 0.4, properties={"7000": "vive_tracker_waist", "1012": 0.9}),
    device(3, "LHR-2", 0.5, properties={"7000": "vive_tracker_left_foot"}),
    device(3, "LHR-3", 0.6, properties={"7000": "vive_tracker_right_foot"}),
]


class SteamVr:
    """The state of the stand-in, and a receiver with its helper."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._path = path
        self.state: dict[str, Any] = {"running": True, "events": [], "devices": DEVICES}
        self.set()
        monkeypatch.setenv("STAND_IN", str(path))
        self.receiver = SteamVrReceiver(str(STAND_IN), COMMAND)
        self.newest: dict[str, Reading] = {}
        self.table = DeviceTable()

    def set(self, **values: Any) -> None:
        self.state |= values
        # At once, since the other process reads it all the time.
        part = self._path.with_suffix(".part")
        part.write_text(json.dumps(self.state))
        part.replace(self._path)

    def change(self, index: int, **values: Any) -> None:
        devices = [dict(each) for each in self.state["devices"]]
        devices[index] |= values
        self.set(devices=devices)

    def wait_for(self, done: Callable[[], bool]) -> None:
        limit = time.monotonic() + 600.0
        while time.monotonic() < limit:
            readings = self.receiver.drain()
            self.table.add(readings)
            self.newest |= {reading.device: reading for reading in readings}
            if done():
                return
            time.sleep(0.01)
        raise AssertionError(f"it did not happen: {self.newest}, '{self.receiver.notice}'")

    def roles(self) -> dict[str, str]:
        return guess_roles(self.table.list_devices(time.perf_counter()), {})


@pytest.fixture
def steam_vr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SteamVr]:
    found = SteamVr(tmp_path / "state.json", monkeypatch)
    found.receiver.start()
    yield found
    found.receiver.stop()


def test_poses_kinds_and_roles(steam_vr: SteamVr) -> None:
    steam_vr.wait_for(lambda: len(steam_vr.newest) == 6)
    kinds = {name: reading.kind for name, reading in steam_vr.newest.items()}
    assert kinds == {
        "LHR-HMD": "hmd",
        "LHR-L": "controller",
        "LHR-R": "controller",
        **{f"LHR-{number}": "tracker" for number in (1, 2, 3)},
    }
    for name, x in (("LHR-HMD", 0.1), ("LHR-L", 0.2), ("LHR-3", 0.6)):
        reading = steam_vr.newest[name]
        assert reading.valid and reading.position == pytest.approx((x, 1.0, 2.0), abs=1e-6)
        assert abs(np.dot(reading.rotation, ROTATION)) == pytest.approx(1.0, abs=1e-6)
    assert steam_vr.roles() == {
        "head": "LHR-HMD",
        "left_hand": "LHR-L",
        "right_hand": "LHR-R",
        "pelvis": "LHR-1",
        "left_foot": "LHR-2",
        "right_foot": "LHR-3",
    }
    assert steam_vr.receiver.notice == ""
    before = steam_vr.receiver.counters.datagrams
    # It goes on without being asked.
    steam_vr.wait_for(lambda: steam_vr.receiver.counters.datagrams - before > 20)
    assert steam_vr.receiver.counters.malformed == 0


def test_roles_that_are_changed_in_steamvr(steam_vr: SteamVr) -> None:
    steam_vr.wait_for(lambda: steam_vr.roles().get("left_foot") == "LHR-2")
    left, right = DEVICES[5]["properties"], DEVICES[6]["properties"]
    steam_vr.change(5, properties={**left, "7000": right["7000"]})
    steam_vr.change(6, properties={**right, "7000": left["7000"]})
    steam_vr.wait_for(lambda: steam_vr.roles().get("left_foot") == "LHR-3")
    assert steam_vr.roles()["right_foot"] == "LHR-2"


@pytest.mark.parametrize("role", ["chest", "left_elbow", "right_knee", "left_shoulder"])
def test_roles_of_optional_trackers(steam_vr: SteamVr, role: str) -> None:
    properties = {**DEVICES[6]["properties"], "7000": f"vive_tracker_{role}"}
    steam_vr.change(6, properties=properties)
    steam_vr.wait_for(lambda: steam_vr.roles().get(role) == "LHR-3")
    assert "right_foot" not in steam_vr.roles()


@pytest.mark.parametrize("lost", [{"valid": False}, {"result": 201}, {"result": 300}])
def test_devices_that_are_not_seen(steam_vr: SteamVr, lost: dict[str, Any]) -> None:
    steam_vr.wait_for(lambda: len(steam_vr.newest) == 6 and steam_vr.newest["LHR-2"].valid)
    steam_vr.change(5, **lost)
    steam_vr.wait_for(lambda: not steam_vr.newest["LHR-2"].valid)
    assert steam_vr.newest["LHR-1"].valid
    steam_vr.change(5, valid=True, result=200)
    steam_vr.wait_for(lambda: steam_vr.newest["LHR-2"].valid)


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_a_driver_without_numbers_costs_its_own_device(steam_vr: SteamVr, number: float) -> None:
    steam_vr.wait_for(lambda: len(steam_vr.newest) == 6 and steam_vr.newest["LHR-2"].valid)
    steam_vr.change(5, matrix=[[number] * 4] * 3)
    steam_vr.wait_for(lambda: not steam_vr.newest["LHR-2"].valid)
    time_then = steam_vr.newest["LHR-1"].time
    steam_vr.wait_for(lambda: steam_vr.newest["LHR-1"].time > time_then)
    assert steam_vr.newest["LHR-1"].valid and steam_vr.receiver.counters.malformed == 0


def test_devices_that_are_switched_off_are_not_sent(steam_vr: SteamVr) -> None:
    steam_vr.wait_for(lambda: len(steam_vr.newest) == 6)
    # What was on its way when another device moved is older than that move.
    steam_vr.change(6, connected=False)
    first = DEVICES[0]["matrix"]
    steam_vr.change(0, matrix=[[*row[:3], row[3] + 1.0] for row in first])
    steam_vr.wait_for(lambda: steam_vr.newest["LHR-HMD"].position[0] > 1.0)
    steam_vr.receiver.drain()
    steam_vr.newest.clear()
    steam_vr.wait_for(lambda: len(steam_vr.newest) == 5)
    assert "LHR-3" not in steam_vr.newest


def test_standby_and_batteries(steam_vr: SteamVr) -> None:
    steam_vr.wait_for(lambda: len(steam_vr.newest) == 6)
    steam_vr.set(events=[106])
    steam_vr.wait_for(lambda: "in standby: wear the headset" in steam_vr.receiver.notice)
    steam_vr.set(events=[106, 107])
    steam_vr.wait_for(lambda: steam_vr.receiver.notice == "")
    steam_vr.change(4, properties={**DEVICES[4]["properties"], "1012": 0.12})
    steam_vr.wait_for(lambda: steam_vr.receiver.notice == "Batteries are low: LHR-1 (12 %)")


def test_steamvr_that_quits_and_comes_back(steam_vr: SteamVr) -> None:
    steam_vr.wait_for(lambda: len(steam_vr.newest) == 6)
    steam_vr.set(running=False, events=[700])
    steam_vr.wait_for(lambda: steam_vr.receiver.notice == helper.QUIT)
    steam_vr.newest.clear()
    steam_vr.set(running=True, events=[])
    steam_vr.wait_for(lambda: len(steam_vr.newest) == 6 and steam_vr.receiver.notice == "")


def test_steamvr_that_does_not_run_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steam_vr = SteamVr(tmp_path / "state.json", monkeypatch)
    steam_vr.set(running=False)
    with steam_vr.receiver:
        steam_vr.wait_for(lambda: steam_vr.receiver.notice == helper.NOT_RUNNING)
        assert steam_vr.newest == {}
        steam_vr.set(running=True)
        steam_vr.wait_for(lambda: len(steam_vr.newest) == 6)


def test_a_crash_of_the_helper_is_a_message(steam_vr: SteamVr) -> None:
    steam_vr.wait_for(lambda: len(steam_vr.newest) == 6)
    steam_vr.set(crash=True)
    steam_vr.wait_for(lambda: "has crashed (code 139)" in steam_vr.receiver.notice)
    # And it starts again.
    steam_vr.receiver.stop()
    steam_vr.newest.clear()
    steam_vr.set(crash=False)
    steam_vr.receiver.start()
    steam_vr.wait_for(lambda: len(steam_vr.newest) == 6)


def test_a_package_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steam_vr = SteamVr(tmp_path / "state.json", monkeypatch)
    receiver = SteamVrReceiver(str(tmp_path), COMMAND)
    with receiver:
        steam_vr.receiver = receiver
        steam_vr.wait_for(lambda: receiver.notice == helper.NOT_FOUND)


def test_a_helper_that_cannot_be_started(tmp_path: Path) -> None:
    receiver = SteamVrReceiver("", [str(tmp_path / "no python")])
    before = threading.active_count()
    with pytest.raises(StreamingError, match="the helper for SteamVR cannot be started"):
        receiver.start()
    assert not receiver.running and threading.active_count() == before


def test_the_helper_ends_when_nobody_listens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when Blender crashes, which cannot end it any more."""
    SteamVr(tmp_path / "state.json", monkeypatch)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        process = subprocess.Popen([*COMMAND, port, "--folder", str(STAND_IN)])
        connection, _ = server.accept()
        assert connection.recv(10).startswith(b'{"')
        connection.close()
    assert process.wait(20.0) == 0


def test_stopping_ends_the_helper(steam_vr: SteamVr) -> None:
    steam_vr.wait_for(lambda: len(steam_vr.newest) == 6)
    process = steam_vr.receiver._process
    assert process is not None and process.poll() is None
    steam_vr.receiver.stop()
    assert process.poll() is not None and not steam_vr.receiver.running


def test_quaternions_of_all_rotations() -> None:
    random = np.random.default_rng(0)
    axes = [np.array(axis, float) for axis in ((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1))]
    quats = [
        (math.cos(half), *(math.sin(half) * axis / np.linalg.norm(axis)))
        for axis in axes
        for half in (0.0, 1.0, math.pi / 2.0, 1.6)
    ]
    quats += [tuple(quat / np.linalg.norm(quat)) for quat in random.normal(size=(200, 4))]
    for quat in quats:
        rows = np.array(to_matrix(quat)).reshape(3, 3).tolist()
        assert abs(np.dot(helper.quat_of_matrix(rows), quat)) == pytest.approx(1.0, abs=1e-12)


def test_what_a_person_may_choose(tmp_path: Path) -> None:
    cache, wheel = tmp_path / "cache", tmp_path / "openvr-2.12.1401-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as packed:
        for path in (STAND_IN / "openvr").glob("*.py"):
            packed.write(path, f"openvr/{path.name}")
    unpacked = cache / "openvr-2.12.1401-py3-none-any"
    for chosen, wanted in (
        (STAND_IN, STAND_IN),
        (STAND_IN / "openvr", STAND_IN),
        (wheel, unpacked),
        (wheel, unpacked),
    ):
        assert unpack_wheel(chosen, cache) == wanted
        assert (wanted / "openvr" / "error_code.py").is_file()
    with pytest.raises(StreamingError, match="has no package openvr: choose the wheel"):
        unpack_wheel(tmp_path, cache)
    broken = tmp_path / "openvr.whl"
    broken.write_bytes(b"PK nonsense")
    with pytest.raises(StreamingError, match="cannot be unpacked"):
        unpack_wheel(broken, cache)
