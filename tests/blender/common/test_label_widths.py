# SPDX-License-Identifier: GPL-3.0-or-later
"""No word on a panel is cut at the default width of the sidebar, in any of the languages.

Names of the user's in rows of lists are an exception. In the table of devices a serial's last
figures are worth more than the end of the longest roles.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import pytest

import ssrhmr_blender
from ssrhmr_blender.live import capture
from ssrhmr_blender.properties.bones import joint_label
from ssrhmr_blender.properties.tracker import EXTRA_TRACKERS
from ssrhmr_core.body.skeleton import JOINTS
from ssrhmr_core.live import LiveStatus
from ssrhmr_core.streaming import Device
from tests.blender.drawing import PANEL, SCROLLED, Measured, draw
from tests.ports import free_port

STATES: dict[str, tuple[str, dict[str, Any]]] = {
    "custom range": ("", {"range": "CUSTOM"}),
    "few frames a second": ("scene", {"fps": 24}),
    "cutoff": ("", {"smoothing": "CUTOFF"}),
    "layer": ("keyframes", {"result": "LAYER"}),
    "root bone": ("root_motion", {"target": "BONE"}),
    "root object": ("root_motion", {"target": "OBJECT"}),
    **{
        f"{protocol}, open": ("live", {"protocol": protocol, "everywhere": True, "sender": "a"})
        for protocol in ("VMC", "VRCHAT", "STEAMVR", "MOCOPI", "JSON")
    },
}


LONG_ROLES = {"Left Shoulder", "Right Shoulder"}
"""Roles of devices that are cut."""


def cut() -> set[str]:
    """Texts that are cut on all panels."""
    _, layouts = draw(Measured)
    return {text for layout in layouts for text in layout.cut()} - LONG_ROLES


@pytest.fixture(params=["en_US", "zh_HANS", "ja_JP"], autouse=True)
def language(request: pytest.FixtureRequest) -> Iterator[None]:
    """A language that panels are drawn in: a bpy module is built without any."""
    folder = Path(ssrhmr_blender.__file__).parent / "translations"
    with pytest.MonkeyPatch.context() as patch:
        if request.param != "en_US":
            words = json.loads((folder / f"{request.param}.json").read_text(encoding="utf-8"))
            patch.setattr(Measured, "words", words)
            for name, module in list(sys.modules.items()):
                if name.startswith("ssrhmr_blender") and hasattr(module, "iface_"):
                    patch.setattr(module, "iface_", lambda text, *_: words.get(text, text))
        yield


def choose(where: str, values: dict[str, Any]) -> None:
    scene = bpy.context.scene
    owner = {"": scene.ssrhmr, "live": scene.ssrhmr_live, "scene": scene.render}.get(where)
    for name, value in values.items():
        setattr(owner or getattr(scene.ssrhmr, where), name, value)


@pytest.fixture
def running() -> Iterator[capture.Capture]:
    """A capture that hears nobody."""
    bpy.context.scene.ssrhmr_live.port = free_port()
    assert bpy.ops.ssrhmr.live_start() == {"FINISHED"}
    current = capture.running()
    assert current is not None
    yield current
    capture.stop()


@pytest.mark.parametrize("language", ["en_US"], indirect=True)
def test_the_measure_knows_what_a_window_cuts() -> None:
    """As pictures of Blender's window show it, of labels that this add-on had."""
    setup, live = bpy.context.scene.ssrhmr, bpy.context.scene.ssrhmr_live
    layout = Measured(SimpleNamespace(), [])
    layout.use_property_split = True
    for text in ("Sample Between Frames", "Bake After Recording", "From Other Computers"):
        layout.prop(live, "play", text=text)
    for text in ("Write Certainty", "Colour by Certainty", "Fingers and Face"):
        layout.prop(live, "play", text=text)
    for text in ("Allowed Addresses", "Performer's Height", "Proportions"):
        layout.prop(setup, "height", text=text)
    split = layout.split(factor=0.6)
    split.label(text="Left Shoulder", icon="CHECKMARK")
    split.label(text="3.2 cm from its joint")
    row = layout.row()
    for text in ("Automatic", "Forearm and more", "Upper Arm and more"):
        row.operator("ssrhmr.bake", text=text)
    assert set(layout.cut()) == {
        *("Sample Between Frames", "Bake After Recording", "From Other Computers"),
        *("Allowed Addresses", "Performer's Height", "3.2 cm from its joint"),
        *("Automatic", "Forearm and more", "Upper Arm and more"),
    }


def test_a_new_scene() -> None:
    assert cut() == set()


@pytest.mark.parametrize("language", ["en_US"], indirect=True)
def test_the_measure_knows_what_rows_of_lists_cut() -> None:
    """As pictures show them of former columns, which cut joints from "Lower Spine" on."""
    layout = Measured(SimpleNamespace(), [])
    layout.in_list = True
    for joint in JOINTS:
        split = layout._part(PANEL - SCROLLED).split(factor=0.47)
        split.label(text=joint_label(joint), icon="CHECKMARK")
    assert set(layout.cut()) == {
        *("Lower Spine", "Middle Spine", "Left Shoulder", "Right Shoulder"),
        *("Left Clavicle", "Right Clavicle", "Right Elbow"),
    }


def test_bones_that_are_not_sure_and_characters_that_are_gone(full: None) -> None:
    scene = bpy.context.scene
    scene.ssrhmr.active_bone = list(scene.ssrhmr.bones.keys()).index("right_shoulder")
    scene.ssrhmr.bones["right_shoulder"].confidence = 0.75
    bpy.data.objects["Hero"].users_collection[0].objects.unlink(bpy.data.objects["Hero"])
    bpy.ops.ssrhmr.add_contact()
    active = scene.ssrhmr_characters.active
    bpy.ops.ssrhmr.setup_add()
    scene.ssrhmr_characters.active = active
    texts, _ = draw()
    assert ("Right Shoulder: 75% sure" in texts) == (not Measured.words)
    assert cut() == set()


@pytest.mark.parametrize("state", STATES)
def test_all_that_panels_show(full: None, state: str) -> None:
    choose(*STATES[state])
    assert cut() == set()


@pytest.mark.parametrize("deviation", [0.0, 12.3])
def test_all_trackers(full: None, deviation: float) -> None:
    setup = bpy.context.scene.ssrhmr
    setup.fits.clear()
    for role in EXTRA_TRACKERS:
        fit = setup.fits.add()
        fit.name, fit.optional, fit.mount_distance = role.replace("_", " ").title(), True, 0.1
        fit.error, fit.deviation, fit.speed = 12.3, deviation, 1.23
        setattr(setup, role, setup.pelvis)
    assert cut() == set()


def test_a_capture(full: None, running: capture.Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cut() == set()
    status = LiveStatus(720.0, 12.3, 123.0, frames_lost=123, recording=1, recorded_seconds=99.9)
    monkeypatch.setattr(capture.Capture, "status", status)
    running.heard["LHR-0"] = Device(
        "LHR-0", "tracker", 120.0, 0.0, True, (0.0, 1.0, 0.0), (1.0, 0.0, 0.0, 0.0)
    )
    counters = replace(running.receiver.counters, datagrams=123456, late=123, duplicate=12)
    monkeypatch.setattr(type(running.receiver), "counters", counters)
    assert cut() == set()
    monkeypatch.setattr(capture.Capture, "status", replace(status, paused=True, countdown=2.9))
    assert cut() == set()
