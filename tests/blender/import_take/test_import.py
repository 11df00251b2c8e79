# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes from files: imported as empties, baked directly."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest

from ssrhmr_core import Calibration, Motion, Reconstructor, Take
from ssrhmr_core.body.skeleton import TRACKERS
from ssrhmr_core.formats.trackers_csv import save_trackers
from tests.blender.conftest import TO_BLENDER, choose, joint_worlds, make_armature


@pytest.fixture
def recorded(performance: Motion, tmp_path: Path) -> tuple[Path, Take]:
    """A take at 90 frames a second, without the head for a while."""
    take = Take.from_motion(performance).resampled(90.0)
    take.valid[60:75, 1] = False
    path = tmp_path / "take_007.csv"
    save_trackers(path, take)
    return path, take


def test_import_keys_every_frame_that_was_seen(recorded: tuple[Path, Take]) -> None:
    path, take = recorded
    assert bpy.ops.ssrhmr.import_take(filepath=str(path)) == {"FINISHED"}
    scene, setup = bpy.context.scene, bpy.context.scene.ssrhmr
    assert setup.range == "TRACKERS"
    from ssrhmr_blender.animation.actions import curves_of

    for number, role in enumerate(TRACKERS):
        empty = getattr(setup, role)
        valid = take.valid[:, number]
        for curve in curves_of(empty):
            assert len(curve.keyframe_points) == valid.sum()
        for row in np.flatnonzero(valid)[::17]:
            frame = scene.frame_start + take.times[row] * 60.0
            scene.frame_set(int(frame // 1), subframe=frame % 1)
            place = np.array(empty.matrix_world.translation)
            np.testing.assert_allclose(place, TO_BLENDER @ take.positions[row, number], atol=1e-4)


def test_import_says_what_is_wrong_with_a_file(tmp_path: Path) -> None:
    path = tmp_path / "broken.csv"
    path.write_text("time,tracker\n", encoding="utf-8")
    before = len(bpy.data.objects)
    with pytest.raises(RuntimeError, match="was not imported"):
        bpy.ops.ssrhmr.import_take(filepath=str(path))
    assert len(bpy.data.objects) == before


def test_baking_a_recorded_take_is_what_the_core_makes_of_it(
    recorded: tuple[Path, Take], performance: Motion
) -> None:
    path, take = recorded
    armature = make_armature("Hero", performance.skeleton)
    choose(armature, {})
    setup = bpy.context.scene.ssrhmr
    setup.calibration = Calibration.none().to_json()
    done = bpy.ops.ssrhmr.bake_take(filepath=str(path), frame_start=11)
    assert done == {"FINISHED"}, setup.message
    action = armature.animation_data.action
    assert action.name == "take_007"
    frames = np.arange(11, 12 + int(take.times[-1] * 60.0 + 1e-3))
    assert action.frame_range[:] == (frames[0], frames[-1])
    expected = Reconstructor(performance.skeleton).clip(take, (frames - 11) / 60.0)
    positions, _ = joint_worlds(armature, frames)
    assert np.abs(positions - expected.positions() @ TO_BLENDER.T).max() < 1e-3


def test_a_file_that_is_not_there_is_said_without_the_system_s_numbers(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"none\.csv: No such file or directory\. Check that"):
        bpy.ops.ssrhmr.import_take(filepath=str(tmp_path / "none.csv"))


def test_a_take_needs_a_calibration(recorded: tuple[Path, Take], performance: Motion) -> None:
    choose(make_armature("Hero", performance.skeleton), {})
    with pytest.raises(RuntimeError, match="Not calibrated"):
        bpy.ops.ssrhmr.bake_take(filepath=str(recorded[0]))
    assert not bpy.data.actions


def test_scenes_in_centimetres(recorded: tuple[Path, Take]) -> None:
    path, take = recorded
    scene = bpy.context.scene
    scene.unit_settings.scale_length = 0.01
    bpy.ops.ssrhmr.import_take(filepath=str(path))
    scene.frame_set(1)
    place = np.array(scene.ssrhmr.pelvis.matrix_world.translation)
    np.testing.assert_allclose(place, 100.0 * TO_BLENDER @ take.positions[0, 0], rtol=1e-4)
