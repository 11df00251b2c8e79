# SPDX-License-Identifier: GPL-3.0-or-later
"""Live capture from SteamVR's stand-in: the helper runs in the Python of this Blender."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import bpy
import pytest

from ssrhmr_blender.live import capture, devices, panel
from ssrhmr_blender.properties import preferences
from ssrhmr_core.body.skeleton import TRACKERS
from tests.core.streaming.steamvr.test_steamvr import DEVICES, STAND_IN


@pytest.fixture(autouse=True)
def stopped() -> Iterator[None]:
    yield
    capture.stop()


def choose(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Choose a package in the preferences, which only an add-on that is enabled has."""
    addons = {preferences.ADDON: SimpleNamespace(preferences=SimpleNamespace(openvr=str(path)))}
    context = SimpleNamespace(preferences=SimpleNamespace(addons=addons))
    monkeypatch.setattr(preferences, "bpy", SimpleNamespace(context=context, path=bpy.path))


def test_devices_of_steamvr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = {"running": True, "events": [], "devices": DEVICES}
    (tmp_path / "state.json").write_text(json.dumps(state))
    monkeypatch.setenv("STAND_IN", str(tmp_path / "state.json"))
    choose(STAND_IN, monkeypatch)
    live = bpy.context.scene.ssrhmr_live
    live.protocol = "STEAMVR"
    # It is on this computer: nobody needs the network.
    live.everywhere = True
    threads = threading.active_count()
    assert bpy.ops.ssrhmr.live_start() == {"FINISHED"}, bpy.context.scene.ssrhmr.message
    current = capture.running()
    assert current is not None
    assert "start SteamVR and switch devices on" in panel.why_silent(current)
    limit = time.monotonic() + 600.0
    while time.monotonic() < limit and len(current.session.roles) < 6:
        current.tick()
        time.sleep(0.01)
    assert {row.role for row in live.devices} == set(TRACKERS)
    assert live.devices["LHR-1"].role == "pelvis" and live.devices["LHR-L"].role == "left_hand"
    described = devices._describe(current.heard["LHR-2"])
    assert described.startswith("left foot: ") and described.endswith("last seen: now")
    process = current.receiver._process
    assert process.poll() is None
    assert bpy.ops.ssrhmr.live_stop() == {"FINISHED"}
    assert process.poll() is not None
    assert threading.active_count() == threads


def test_without_the_package_the_panel_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert preferences.openvr_package() is None
    bpy.context.scene.ssrhmr_live.protocol = "STEAMVR"
    choose(tmp_path, monkeypatch)
    with pytest.raises(RuntimeError, match="has no package openvr: choose the wheel"):
        bpy.ops.ssrhmr.live_start()
    assert capture.running() is None


def test_the_package_is_chosen_in_the_preferences_not_in_files() -> None:
    assert preferences.SSRHMR_Preferences.bl_idname == "ssrhmr_blender"
    names = {prop.identifier for prop in bpy.context.scene.ssrhmr_live.bl_rna.properties}
    assert not any("openvr" in name for name in names)
