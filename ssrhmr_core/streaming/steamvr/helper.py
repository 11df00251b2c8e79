# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads SteamVR's devices and sends them as JSON lines: a program, run by any Python.

It is a process of its own so that neither the vendor's library nor a crash of it is in Blender's.
It needs nothing but the package ``openvr``, and ends when nobody listens any more.
"""

from __future__ import annotations

import argparse
import json
import math
import socket
import sys
import time
from dataclasses import dataclass
from typing import Any

INTERVAL = 1.0 / 120.0
"""Seconds between two looks at the devices."""
PROPERTIES = 1.0
"""Seconds between two looks at what seldom changes: roles and batteries."""
RETRY = 2.0
"""Seconds between two attempts to reach SteamVR."""
LOW_BATTERY = 0.15
_ROLE_PREFIX = "vive_tracker_"

NOT_FOUND = (
    "The package openvr was not found: choose its wheel or folder in the add-on's preferences"
)
NOT_RUNNING = "SteamVR is not running: start it"
QUIT = "SteamVR has quit: start it again"
STANDBY = "SteamVR is in standby: wear the headset, or switch its standby off in SteamVR's settings"


@dataclass
class Properties:
    """What seldom changes of a device.

    Attributes:
        name: Its serial.
        kind: "hmd", "controller" or "tracker".
        role: The role that SteamVR has for it, in words; "" if none.
        battery: Its charge, 0 to 1; nan if it has no battery.
    """

    name: str
    kind: str
    role: str
    battery: float


class Line:
    """The connection to the receiver."""

    def __init__(self, port: int) -> None:
        """Connect to a port of this computer."""
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, values: dict[str, Any]) -> None:
        """Send an object; raise OSError if nobody listens any more."""
        self._socket.sendall(json.dumps(values).encode() + b"\n")

    def wait(self, notice: str) -> None:
        """Say why nothing comes, and wait a little."""
        self.send({"notice": notice})
        time.sleep(RETRY)


class Devices:
    """The devices of a running SteamVR."""

    def __init__(self, openvr: Any, system: Any) -> None:
        """Begin with nothing known of them."""
        self._openvr, self._system = openvr, system
        self._poses = (openvr.TrackedDevicePose_t * openvr.k_unMaxTrackedDeviceCount)()
        self._known: dict[int, Properties | None] = {}
        self._refreshed = -math.inf
        self._is_standby = False

    def read(self) -> dict[str, Any] | None:
        """Return a line of all devices; None when SteamVR quits."""
        openvr, now = self._openvr, time.perf_counter()
        if not self._handle_events():
            return None
        if now - self._refreshed >= PROPERTIES:
            self._refreshed = now
            self._known.clear()
        self._system.getDeviceToAbsoluteTrackingPose(
            openvr.TrackingUniverseStanding, 0.0, self._poses
        )
        trackers = []
        for index, pose in enumerate(self._poses):
            if not pose.bDeviceIsConnected:
                self._known.pop(index, None)
                continue
            if index not in self._known:
                self._known[index] = self._describe(index)
            properties = self._known[index]
            if properties is not None:
                trackers.append(self._read_tracker(properties, pose))
        return {"time": now, "trackers": trackers, "notice": self._notice()}

    def _handle_events(self) -> bool:
        """Take note of events; return False when SteamVR quits."""
        event = self._openvr.VREvent_t()
        while self._system.pollNextEvent(event):
            if event.eventType == self._openvr.VREvent_Quit:
                self._system.acknowledgeQuit_Exiting()
                return False
            if event.eventType == self._openvr.VREvent_EnterStandbyMode:
                self._is_standby = True
            elif event.eventType == self._openvr.VREvent_LeaveStandbyMode:
                self._is_standby = False
        return True

    def _describe(self, index: int) -> Properties | None:
        """Return the properties of a device, None for base stations and the like."""
        openvr, system = self._openvr, self._system
        kinds = {
            openvr.TrackedDeviceClass_HMD: "hmd",
            openvr.TrackedDeviceClass_Controller: "controller",
            openvr.TrackedDeviceClass_GenericTracker: "tracker",
        }
        kind = kinds.get(system.getTrackedDeviceClass(index))
        if kind is None:
            return None
        role = ""
        if kind == "controller":
            hands = {
                openvr.TrackedControllerRole_LeftHand: "left hand",
                openvr.TrackedControllerRole_RightHand: "right hand",
            }
            role = hands.get(system.getControllerRoleForTrackedDeviceIndex(index), "")
        elif kind == "tracker":
            text = self._text(index, openvr.Prop_ControllerType_String)
            if text.startswith(_ROLE_PREFIX):
                role = text.removeprefix(_ROLE_PREFIX).replace("_", " ")
        name = self._text(index, openvr.Prop_SerialNumber_String) or f"device {index}"
        return Properties(name[:64], kind, role[:64], self._battery(index))

    def _text(self, index: int, what: int) -> str:
        try:
            return str(self._system.getStringTrackedDeviceProperty(index, what))
        except (self._openvr.error_code.OpenVRError, UnicodeDecodeError):
            return ""

    def _battery(self, index: int) -> float:
        try:
            what = self._openvr.Prop_DeviceBatteryPercentage_Float
            charge = float(self._system.getFloatTrackedDeviceProperty(index, what))
        except self._openvr.error_code.OpenVRError:
            return math.nan
        # Devices without a battery say zero.
        return charge if charge > 0.0 else math.nan

    def _read_tracker(self, properties: Properties, pose: Any) -> dict[str, Any]:
        tracker: dict[str, Any] = {"name": properties.name, "kind": properties.kind}
        if properties.role:
            tracker["role"] = properties.role
        is_seen = (
            pose.bPoseIsValid and pose.eTrackingResult == self._openvr.TrackingResult_Running_OK
        )
        rows = [list(row) for row in pose.mDeviceToAbsoluteTracking.m]
        # A driver that sends what is no number must not cost the line, with all other devices.
        if not is_seen or not all(math.isfinite(value) for row in rows for value in row):
            return {**tracker, "valid": False}
        return {
            **tracker,
            "position": [row[3] for row in rows],
            "quaternion": quat_of_matrix([row[:3] for row in rows]),
        }

    def _notice(self) -> str:
        if self._is_standby:
            return STANDBY
        low = [
            f"{each.name} ({100.0 * each.battery:.0f} %)"
            for each in self._known.values()
            if each is not None and each.battery < LOW_BATTERY
        ]
        return f"Batteries are low: {', '.join(low)}" if low else ""


def quat_of_matrix(m: list[list[float]]) -> list[float]:
    """Return the quaternion w, x, y, z of a rotation matrix."""
    # The largest of the four is not near zero, so that the others may be divided by it.
    squares = [
        1.0 + m[0][0] + m[1][1] + m[2][2],
        1.0 + m[0][0] - m[1][1] - m[2][2],
        1.0 - m[0][0] + m[1][1] - m[2][2],
        1.0 - m[0][0] - m[1][1] + m[2][2],
    ]
    largest = squares.index(max(squares))
    wx, wy, wz = m[2][1] - m[1][2], m[0][2] - m[2][0], m[1][0] - m[0][1]
    xy, xz, yz = m[0][1] + m[1][0], m[0][2] + m[2][0], m[1][2] + m[2][1]
    products = [
        [squares[0], wx, wy, wz],
        [wx, squares[1], xy, xz],
        [wy, xy, squares[2], yz],
        [wz, xz, yz, squares[3]],
    ]
    length = 2.0 * math.sqrt(max(squares[largest], 1e-12))
    return [value / length for value in products[largest]]


def serve(openvr: Any, line: Line) -> None:
    """Send the devices whenever SteamVR runs, until nobody listens any more."""
    notice = NOT_RUNNING
    while True:
        try:
            system = openvr.init(openvr.VRApplication_Background)
        except openvr.error_code.OpenVRError as error:
            name = type(error).__name__
            is_absent = "NoServerForBackgroundApp" in name
            line.wait(notice if is_absent else f"SteamVR cannot be reached ({name}): check it")
            continue
        try:
            devices = Devices(openvr, system)
            while values := devices.read():
                line.send(values)
                time.sleep(INTERVAL)
        finally:
            openvr.shutdown()
        notice = QUIT
        line.wait(notice)


def main(arguments: list[str]) -> int:
    """Run until the receiver closes the connection."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int, help="TCP port of the receiver")
    parser.add_argument("--folder", help="folder with the package openvr")
    chosen = parser.parse_args(arguments)
    line = Line(chosen.port)
    if chosen.folder:
        sys.path.insert(0, chosen.folder)
    try:
        try:
            # Found only where a person has installed or chosen it.
            import openvr  # type: ignore[import-not-found,unused-ignore]
        except (ImportError, OSError) as error:
            detail = "" if isinstance(error, ModuleNotFoundError) else f" ({error})"
            while True:
                line.wait(NOT_FOUND + detail)
        serve(openvr, line)
    except OSError:
        # The receiver was stopped, or Blender is gone.
        return 0
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
