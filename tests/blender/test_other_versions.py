# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that other versions of the add-on saved, and Blender files of its own ones."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import bpy
import pytest

from ssrhmr_blender.properties.tracker import TRACKERS
from ssrhmr_blender.properties.values import read_values
from ssrhmr_core import Motion, Take
from tests.blender.conftest import choose, make_armature, make_trackers


def opened(version: str, path: Path) -> Any:
    """Let another version write a file, and open it here."""
    script = Path(__file__).with_name("other_versions.py")
    command = [sys.executable, str(script), version, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3600)
    assert done.returncode == 0, done.stdout + done.stderr
    bpy.ops.wm.open_mainfile(filepath=str(path))
    return bpy.context.scene


def reopened(path: Path) -> Any:
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.open_mainfile(filepath=str(path))
    return bpy.context.scene


FIRST: dict[str, Any] = {
    "family": "Rokoko",
    "calibration": '{"scale": 1.0}',
    "active_bone": 3,
    "calibration_frame": 42,
    "frame_start": -10,
    "frame_end": 77,
    "cutoff": 5.5,
    "planting": 0.25,
    "between_frames": False,
    "reference": "CHARACTER",
    "proportions": "FIT",
    "range": "TRACKERS",
    "smoothing": "CUTOFF",
}


def test_settings_of_the_first_version(tmp_path: Path) -> None:
    """All that it knew keeps its value; the rest is as in a new file. Also after saving again."""
    fresh = read_values(bpy.context.scene.ssrhmr)
    scene = opened("FIRST", tmp_path / "first.blend")
    for again in range(2):
        setup = scene.ssrhmr
        values = read_values(setup)
        assert {name: values[name] for name in FIRST} == FIRST
        assert setup.armature == bpy.data.objects["Hero"]
        for number, role in enumerate(TRACKERS):
            assert getattr(setup, role) == bpy.data.objects[f"Tracker {role}"]
            assert values["trackers"][role]["weight"] == pytest.approx(0.1 * number)
        (slot,), (fit,), (warning,) = setup.bones, setup.fits, setup.warnings
        assert (slot.name, slot.bone, slot.required) == ("hips", "Hips", True)
        assert slot.confidence == pytest.approx(0.9) and slot.choices == ""
        assert (fit.name, fit.error) == ("head", 0.0)
        assert (fit.mount_distance, fit.speed, fit.quality) == pytest.approx((0.11, 0.02, 0.75))
        assert warning.name.startswith("the character is 1.20") and warning.pair == ""
        known = {*FIRST, "trackers", "armature", "bones", "fits", "warnings"}
        for name in set(fresh) - known:
            assert values[name] == fresh[name], name
        assert not setup.message
        if not again:
            scene = reopened(tmp_path / "again.blend")


def test_settings_of_a_later_version(tmp_path: Path) -> None:
    """What cannot be here is as in a new file, and said; what can be keeps its value."""
    fresh = read_values(bpy.context.scene.ssrhmr)
    live = read_values(bpy.context.scene.ssrhmr_live)
    scene = opened("LATER", tmp_path / "later.blend")
    setup = scene.ssrhmr
    for name in ("Smoothing", "Cutoff", "Body Height", "Proportions"):
        assert name in setup.message
    for again in range(2):
        setup = scene.ssrhmr
        values = read_values(setup)
        for name in ("planting", "calibration_frame", "key_switches", "bones", "cutoff", "height"):
            assert values[name] == fresh[name], name
        for name in ("proportions", "smoothing", "reference"):
            assert values[name] == fresh[name], name
        assert (setup.frame_end, setup.range) == (77, "CUSTOM")
        trackers = {role: setup.tracker(role) for role in ("pelvis", "head", "left_hand")}
        assert [tracker.weight for tracker in trackers.values()] == [0.25, 1.0, 1.0]
        assert list(trackers["head"].offset) == pytest.approx([0.01, 0.02, 0.03])
        assert not any(trackers["left_hand"].offset)
        assert setup.armature.name == "Hero"
        assert scene.ssrhmr_characters.active == 0
        assert read_values(scene.ssrhmr_live) == live
        if not again:
            setup.message = ""
            scene = reopened(tmp_path / "again.blend")
            assert not scene.ssrhmr.message


def test_scripts_that_set_what_cannot_be(performance: Motion, tmp_path: Path) -> None:
    """Not a number gets past Blender's own limits; a file with it opens and bakes."""
    choose(
        make_armature("Hero", performance.skeleton), make_trackers(Take.from_motion(performance))
    )
    setup = bpy.context.scene.ssrhmr
    setup.calibration_frame = 20
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}
    setup.frame_start, setup.frame_end = 1, 20
    setup.planting = setup.tracker("head").offset[1] = math.nan
    scene = reopened(tmp_path / "odd.blend")
    assert scene.ssrhmr.planting == 0.0 and not any(scene.ssrhmr.tracker("head").offset)
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}
