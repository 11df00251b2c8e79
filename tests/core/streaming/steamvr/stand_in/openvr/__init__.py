# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for PyPI's ``openvr``: SteamVR as a file says, which the environment names.

It has the names, values and structures of the real package, as far as the helper uses them. The
file is read whenever something is asked, so that a test may change what SteamVR does.
"""

from __future__ import annotations

import ctypes
import json
import os
from pathlib import Path
from typing import Any

from . import error_code

VRApplication_Background = 3
TrackingUniverseStanding = 1
TrackedDeviceClass_HMD, TrackedDeviceClass_Controller, TrackedDeviceClass_GenericTracker = 1, 2, 3
TrackedControllerRole_LeftHand, TrackedControllerRole_RightHand = 1, 2
TrackingResult_Running_OK = 200
Prop_SerialNumber_String, Prop_DeviceBatteryPercentage_Float = 1002, 1012
Prop_ControllerType_String = 7000
VREvent_EnterStandbyMode, VREvent_LeaveStandbyMode, VREvent_Quit = 106, 107, 700
k_unMaxTrackedDeviceCount = 64


class HmdMatrix34_t(ctypes.Structure):
    _fields_ = [("m", ctypes.c_float * 4 * 3)]


class TrackedDevicePose_t(ctypes.Structure):
    _fields_ = [
        ("mDeviceToAbsoluteTracking", HmdMatrix34_t),
        ("eTrackingResult", ctypes.c_int32),
        ("bPoseIsValid", ctypes.c_bool),
        ("bDeviceIsConnected", ctypes.c_bool),
    ]


class VREvent_t(ctypes.Structure):
    _fields_ = [("eventType", ctypes.c_uint32)]


def _state() -> dict[str, Any]:
    state: dict[str, Any] = json.loads(Path(os.environ["STAND_IN"]).read_text())
    if state.get("crash"):
        os._exit(139)
    return state


class _System:
    def __init__(self) -> None:
        # Events of before are not repeated to new applications.
        self._seen = len(_state()["events"])

    def pollNextEvent(self, event: VREvent_t) -> bool:
        events = _state()["events"]
        if self._seen == len(events):
            return False
        event.eventType = events[self._seen]
        self._seen += 1
        return True

    def acknowledgeQuit_Exiting(self) -> None:
        pass

    def getDeviceToAbsoluteTrackingPose(self, origin: int, predicted: float, poses: Any) -> None:
        assert (origin, predicted) == (TrackingUniverseStanding, 0.0)
        devices = _state()["devices"]
        for index, pose in enumerate(poses):
            device = devices[index] if index < len(devices) else {}
            pose.bDeviceIsConnected = device.get("connected", False)
            pose.bPoseIsValid = device.get("valid", True)
            pose.eTrackingResult = device.get("result", TrackingResult_Running_OK)
            for row, values in enumerate(device.get("matrix", ())):
                for column, value in enumerate(values):
                    pose.mDeviceToAbsoluteTracking.m[row][column] = value

    def getTrackedDeviceClass(self, index: int) -> int:
        return int(_state()["devices"][index]["class"])

    def getControllerRoleForTrackedDeviceIndex(self, index: int) -> int:
        return int(_state()["devices"][index].get("hand", 0))

    def getStringTrackedDeviceProperty(self, index: int, what: int) -> str:
        return str(self._property(index, what))

    def getFloatTrackedDeviceProperty(self, index: int, what: int) -> float:
        return float(self._property(index, what))

    def _property(self, index: int, what: int) -> Any:
        properties = _state()["devices"][index]["properties"]
        if str(what) not in properties:
            raise error_code.TrackedProp_UnknownProperty
        return properties[str(what)]


def init(applicationType: int) -> _System:
    assert applicationType == VRApplication_Background
    if not _state()["running"]:
        raise error_code.InitError_Init_NoServerForBackgroundApp
    return _System()


def shutdown() -> None:
    pass
