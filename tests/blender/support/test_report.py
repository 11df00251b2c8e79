# SPDX-License-Identifier: GPL-3.0-or-later
"""A report says what a maintainer needs, and nothing about who made the file and where."""

from __future__ import annotations

import json
import re
import socket
import time
from pathlib import Path

import bpy
import pytest

import ssrhmr_core
from ssrhmr_blender.common.typed import scene_of
from ssrhmr_blender.live import capture
from ssrhmr_blender.support.report import make_report
from ssrhmr_core import Motion, Take
from tests.blender.conftest import choose, make_armature, make_trackers
from tests.ports import free_port

SECRETS = ("Alice", "Zoë", "Wonder", "LHR", "mixamorig", "Tracker ", "Motion", "/", "\\")


def body_of(report: str, heading: str) -> str:
    (body,) = re.findall(rf"^{heading}\n(.*?)(?:\n\n|\Z)", report, re.DOTALL | re.MULTILINE)
    return str(body)


def strip_fractions(report: str) -> str:
    """Leave out the slashes of rates: "60 readings/s"."""
    return report.replace("readings/s", "readings").replace("cm/s", "cm").replace("0/s", "0")


def test_baked_setup(scene: bpy.types.Scene, performance: Motion, tmp_path: Path) -> None:
    armature = make_armature("Alice", performance.skeleton)
    choose(armature, make_trackers(Take.from_motion(performance)))
    for tracker in scene.ssrhmr.tracker_objects().values():
        tracker.name = f"Wonder {tracker.name}"
    scene.name = "Scene of Alice"
    scene.frame_start, scene.frame_end = 1, 30
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}
    slip = scene.ssrhmr.slips.add()
    slip.tracker, slip.frame, slip.distance = "left_foot", 20.0, 3.2
    folder = tmp_path / "Zoë of Wonderland"
    folder.mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "Alice's film.blend"))
    with pytest.raises(RuntimeError):
        bpy.ops.ssrhmr.bake_take(filepath=str(folder / "no take of Alice.csv"))
    report = make_report(scene_of(bpy.context))
    assert [secret for secret in SECRETS if secret in strip_fractions(report)] == []
    assert f"core {ssrhmr_core.__version__}" in report
    assert f"Blender {bpy.app.version_string}, background" in report
    character = body_of(report, "Character")
    assert "22 bones, scale 1, 1, 1" in character
    assert "family Mixamo and HumanIK, 22 of 22 joints mapped" in character
    trackers = body_of(report, "Trackers").splitlines()
    assert trackers[0] == f"pelvis: empty, action from 1 to {len(performance)}"
    assert len(trackers) == 6
    calibration = body_of(report, "Calibration")
    assert (
        "T_POSE at frame 1, MATCH" in calibration and "height estimated, calibrated" in calibration
    )
    assert "left_foot slipped, taken back: 3 cm at frame 20" in calibration
    assert len(re.findall(r"cm off, mount 0\.\d{3}, \d+ cm/s, quality", calibration)) == 6
    assert "scene 1 to 30 at 60 fps" in body_of(report, "Bake")
    messages = body_of(report, "Last messages")
    assert "INFO: '<name>': " in messages and "keys on 22 bones" in messages
    assert "WARNING: " in messages and "No such file" in messages


def test_what_is_missing(scene: bpy.types.Scene, performance: Motion) -> None:
    report = make_report(scene)
    assert body_of(report, "Character") == "none chosen"
    assert "pelvis: none" in body_of(report, "Trackers")
    assert "not calibrated" in body_of(report, "Calibration")
    assert body_of(report, "Last messages").strip() == "none"
    armature = make_armature("Alice", performance.skeleton)
    choose(armature, {})
    scene.ssrhmr.bones[0].bone = ""
    scene.ssrhmr.bones[1].confidence = 0.75
    character = body_of(make_report(scene), "Character")
    assert "21 of 22 joints mapped" in character
    assert "below 95 %: left_hip 75%" in character
    assert "no bone: hips (required)" in character


def test_live_senders(scene: bpy.types.Scene) -> None:
    live = scene.ssrhmr_live
    live.protocol = "JSON"
    live.port = free_port()
    assert "not running" in body_of(make_report(scene), "Live")
    assert bpy.ops.ssrhmr.live_start() == {"FINISHED"}
    reading = {"name": "LHR-A1B2C3D4", "position": [0, 1.7, 0], "quaternion": [1, 0, 0, 0]}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for number in range(20):
            packet = {"time": number / 60, "trackers": [reading]}
            sender.sendto(json.dumps(packet).encode(), ("127.0.0.1", live.port))
            time.sleep(0.01)
    current = capture.require_running()
    limit = time.monotonic() + 600.0
    while not current.heard and time.monotonic() < limit:
        current.tick()
        time.sleep(0.02)
    text = body_of(make_report(scene), "Live")
    bpy.ops.ssrhmr.live_stop()
    assert "LHR" not in text and "127.0.0.1" not in text
    assert f"JSON, port {live.port}, other computers False" in text
    assert re.search(r"device 1: \w+, \w+, \d+/s, visible", text)
    assert re.search(r"datagrams [1-9]\d*, readings [1-9]", text)
