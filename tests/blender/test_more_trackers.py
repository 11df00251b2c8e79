# SPDX-License-Identifier: GPL-3.0-or-later
"""Optional trackers at chest, shoulders, elbows, knees and toes, from panel to keyframes."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
import pytest

from ssrhmr_blender.common.data_blocks import key_of
from ssrhmr_blender.common.steps import run_steps
from ssrhmr_blender.common.validation import SetupError, check_trackers
from ssrhmr_blender.import_take.armature import _MORE
from ssrhmr_blender.presets.kinds import KINDS
from ssrhmr_blender.properties.tracker import EXTRA_TRACKERS, TRACKER_LABELS
from ssrhmr_blender.properties.values import read_values
from ssrhmr_blender.trackers.empties import make_empties
from ssrhmr_blender.trackers.joints import use_trackers
from ssrhmr_blender.trackers.sampling import sample
from ssrhmr_blender.trackers.take import read_wearing, take_from_samples
from ssrhmr_core import Motion, Take
from ssrhmr_core.body.skeleton import TRACKERS
from ssrhmr_core.tracking.extra_readings import ExtraReadings
from tests.blender.conftest import choose, make_armature
from tests.blender.performers import perform


def wear(motion: Motion, *roles: str) -> Take:
    """Ideal trackers with some optional ones."""
    return Take.from_motion(motion, roles)


def sample_setup(frames: int) -> Take:
    """Read the setup's trackers as a bake does, at whole frames from the first."""
    scene: Any = bpy.context.scene
    trackers = check_trackers(scene.ssrhmr)
    bpy.context.view_layer.update()
    numbers = np.arange(1, frames + 1)
    keys = [key_of(obj) for obj in trackers.values()]
    worlds = run_steps(sample(scene.name, keys, numbers.tolist()))
    names = {role: obj.name for role, obj in trackers.items()}
    return take_from_samples(worlds, numbers, 60.0, names, read_wearing(scene.ssrhmr))


def same_rotations(one: np.ndarray, other: np.ndarray) -> None:
    np.testing.assert_allclose(np.abs((one * other).sum(-1)), 1.0, atol=1e-5)


def test_a_take_is_read_from_the_empties_that_were_made_of_it(performance: Motion) -> None:
    scene: Any = bpy.context.scene
    take = wear(performance, "chest", "left_elbow", "right_knee", "left_toe")
    extras: Any = take.extras
    rotation_only, position_only = (EXTRA_TRACKERS.index(r) for r in ("left_elbow", "left_toe"))
    extras.has_position[:, rotation_only] = False
    extras.has_rotation[:, position_only] = False
    extras.lower[EXTRA_TRACKERS.index("right_knee")] = True
    empties = make_empties(scene, "Take", take)
    assert list(empties) == [*TRACKERS, "chest", "left_elbow", "right_knee", "left_toe"]
    assert empties["left_elbow"].name == "Take Left Elbow"
    use_trackers(scene.ssrhmr, empties)
    worn = [scene.ssrhmr.tracker(role).measures for role in list(empties)[6:]]
    assert worn == ["BOTH", "ROTATION", "BOTH", "POSITION"]
    read = sample_setup(len(take))
    np.testing.assert_allclose(read.positions, take.positions, atol=1e-5)
    assert read.extras is not None and read.extras.worn == extras.worn
    np.testing.assert_array_equal(read.extras.has_position, extras.has_position)
    np.testing.assert_array_equal(read.extras.has_rotation, extras.has_rotation)
    shown = extras.has_position
    np.testing.assert_allclose(read.extras.positions[shown], extras.positions[shown], atol=1e-5)
    shown = extras.has_rotation
    same_rotations(read.extras.rotations[shown], extras.rotations[shown])
    np.testing.assert_array_equal(read.extras.lower, extras.lower)
    segments = [scene.ssrhmr.tracker(role).segment for role in ("left_elbow", "right_knee")]
    assert segments == ["AUTO", "LOWER"]


def test_a_take_without_optional_trackers_chooses_none(performance: Motion) -> None:
    """Those of the take before are not taken for its own."""
    scene: Any = bpy.context.scene
    use_trackers(scene.ssrhmr, make_empties(scene, "More", wear(performance, "chest")))
    assert scene.ssrhmr.chest is not None
    use_trackers(scene.ssrhmr, make_empties(scene, "Six", wear(performance)))
    assert scene.ssrhmr.chest is None
    assert sample_setup(2).extras is None


def test_an_object_is_worn_in_one_place_only(performance: Motion) -> None:
    scene: Any = bpy.context.scene
    empties = make_empties(scene, "Take", wear(performance))
    use_trackers(scene.ssrhmr, empties)
    scene.ssrhmr.left_knee = empties["left_foot"]
    with pytest.raises(SetupError, match="both Left Foot and Left Knee"):
        check_trackers(scene.ssrhmr)


@pytest.mark.parametrize("choice", _MORE)
def test_trackers_from_an_armature(performance: Motion, choice: str) -> None:
    source = make_armature("Suit", performance.skeleton, rolls={"left_shoulder": 1.0})
    perform(source, performance)
    choose(make_armature("Hero", performance.skeleton), {})
    bpy.context.view_layer.objects.active = source
    assert bpy.ops.ssrhmr.trackers_from_armature(more=choice) == {"FINISHED"}
    setup: Any = bpy.context.scene.ssrhmr
    chosen = [role for role, obj in setup.tracker_objects(EXTRA_TRACKERS).items() if obj]
    assert tuple(chosen) == _MORE[choice]
    assert setup.calibration
    if choice == "NONE":
        return
    read = sample_setup(len(performance)).extras
    expected = ExtraReadings.from_motion(performance, chosen)
    assert read is not None and read.worn == expected.worn == tuple(chosen)
    shown = expected.has_position
    np.testing.assert_allclose(read.positions[shown], expected.positions[shown], atol=2e-4)
    same_rotations(read.rotations[shown], expected.rotations[shown])


def test_an_armature_without_toes(performance: Motion) -> None:
    source = make_armature("Suit", performance.skeleton)
    perform(source, performance)
    scene: Any = bpy.context.scene
    choose(source, {})
    scene.ssrhmr.bones["left_toe"].bone = ""
    bpy.ops.ssrhmr.setup_add()
    choose(make_armature("Hero", performance.skeleton), {})
    bpy.context.view_layer.objects.active = source
    assert bpy.ops.ssrhmr.trackers_from_armature(more="ALL") == {"FINISHED"}
    assert scene.ssrhmr.left_toe is None and scene.ssrhmr.right_toe is not None


def test_presets_keep_optional_trackers(performance: Motion) -> None:
    scene: Any = bpy.context.scene
    empties = make_empties(scene, "Take", wear(performance, "chest", "left_elbow"))
    use_trackers(scene.ssrhmr, empties)
    tracker = scene.ssrhmr.trackers.left_elbow
    tracker.weight, tracker.segment, tracker.measures = 0.5, "LOWER", "ROTATION"
    expected = read_values(scene.ssrhmr.trackers)
    values = KINDS["trackers"].collect(scene.ssrhmr)
    bpy.ops.ssrhmr.setup_add()
    scene.ssrhmr.right_knee = empties["head"]
    assert KINDS["trackers"].apply(scene.ssrhmr, values) == []
    assert read_values(scene.ssrhmr.trackers) == expected
    # A preset of six from before there were more says nothing of them.
    values["trackers"] = {role: values["trackers"][role] for role in TRACKERS}
    assert KINDS["trackers"].apply(scene.ssrhmr, values) == []
    assert read_values(scene.ssrhmr.trackers) == expected


def test_a_device_of_a_preset_is_an_optional_tracker() -> None:
    scene: Any = bpy.context.scene
    device = scene.ssrhmr_live.devices.add()
    device.name, device.role = "LHR-1", "left_elbow"
    values = KINDS["live"].collect(scene.ssrhmr)
    scene.ssrhmr_live.devices.clear()
    assert KINDS["live"].apply(scene.ssrhmr, values) == []
    assert scene.ssrhmr_live.devices["LHR-1"].role == "left_elbow"
    assert TRACKER_LABELS["left_elbow"] == "Left Elbow"
