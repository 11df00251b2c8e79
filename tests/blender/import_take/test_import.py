# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes from files: imported as empties, baked directly."""

from __future__ import annotations

import lzma
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import numpy as np
import pytest

import ssrhmr_blender
from ssrhmr_blender.import_take import ops
from ssrhmr_core import Calibration, Motion, Reconstructor, Take
from ssrhmr_core.body.skeleton import TRACKERS
from ssrhmr_core.formats import TAKE_SUFFIXES
from ssrhmr_core.formats.bvh import save_bvh
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


def test_import_says_that_the_scene_ends_before_the_take(
    recorded: tuple[Path, Take], capfd: pytest.CaptureFixture[str]
) -> None:
    path, take = recorded
    scene = bpy.context.scene
    rate = scene.render.fps / scene.render.fps_base
    last = round(scene.frame_start + float(take.times[-1] - take.times[0]) * rate)
    for end, said in ((last - 1, True), (last, False)):
        scene.frame_end = end
        bpy.ops.ssrhmr.import_take(filepath=str(path))
        text = f"the scene ends at frame {end}, the take at {last}: set End in the timeline"
        assert (text in capfd.readouterr().out) == said
        assert scene.frame_end == end


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


@pytest.mark.parametrize("more", [0, -1])
def test_a_bake_says_if_the_scene_ends_before_the_take(
    recorded: tuple[Path, Take], performance: Motion, more: int
) -> None:
    path, take = recorded
    choose(make_armature("Hero", performance.skeleton), {})
    scene = bpy.context.scene
    scene.ssrhmr.calibration = Calibration.none().to_json()
    last = 11 + int(take.times[-1] * 60.0 + 1e-3)
    scene.frame_end = last + more
    assert bpy.ops.ssrhmr.bake_take(filepath=str(path), frame_start=11) == {"FINISHED"}
    said = f"the scene ends at frame {last - 1}, the take at {last}: set End in the timeline"
    assert (said in scene.ssrhmr.notes) == (more < 0)


def test_a_file_that_is_not_there_is_said_without_the_system_s_numbers(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"none\.csv': No such file or directory\. Check that"):
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


@pytest.mark.parametrize(("proportions", "size"), [("MATCH", 1.0), ("FIT", 0.6), ("RETARGET", 0.6)])
def test_a_whole_body_file_can_be_baked_at_once(
    performance: Motion, tmp_path: Path, proportions: str, size: float
) -> None:
    save_bvh(tmp_path / "walk.bvh", performance)
    (tmp_path / "walk.bvh.xz").write_bytes(lzma.compress((tmp_path / "walk.bvh").read_bytes()))
    hero = performance.skeleton.scaled(size)
    choose(make_armature("Hero", hero), {})
    setup = bpy.context.scene.ssrhmr
    setup.proportions = proportions
    setup.tracker("head").offset = (0.1, 0.0, 0.0)
    assert bpy.ops.ssrhmr.import_take(filepath=str(tmp_path / "walk.bvh.xz")) == {"FINISHED"}
    assert setup.reference == "JOINTS" and setup.head.name == "walk Head"
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}, setup.message
    positions, _ = joint_worlds(setup.armature, 1 + np.arange(len(performance)))
    performer = performance.skeleton if proportions == "RETARGET" else None
    scale = size if proportions == "FIT" else 1.0
    take = replace(Calibration.none(), scale=scale).apply(Take.from_motion(performance))
    expected = Reconstructor(hero, performer=performer).clip(take)
    assert np.abs(positions - expected.positions() @ TO_BLENDER.T).max() < 1e-3


def test_a_character_that_is_not_ready_yet(
    performance: Motion, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Trackers are joints in any case; bones and calibration can follow."""
    path = tmp_path / "walk.bvh"
    save_bvh(path, performance)
    setup = bpy.context.scene.ssrhmr
    assert bpy.ops.ssrhmr.import_take(filepath=str(path)) == {"FINISHED"}
    assert setup.reference == "JOINTS" and not setup.calibration
    hero = make_armature("Hero", performance.skeleton)
    choose(hero, {})
    setup.bones["left_knee"].bone = ""
    assert bpy.ops.ssrhmr.import_take(filepath=str(path)) == {"FINISHED"}
    assert "not calibrated. No bone for Left Knee" in capfd.readouterr().out
    assert setup.reference == "JOINTS" and not setup.calibration
    assert bpy.ops.ssrhmr.detect_bones() == {"FINISHED"}
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}
    # What is imported for something else changes nothing.
    setup.reference = "A_POSE"
    pelvis = setup.pelvis
    assert bpy.ops.ssrhmr.import_take(filepath=str(path), use_in_setup=False) == {"FINISHED"}
    assert setup.reference == "A_POSE" and setup.pelvis == pelvis


def test_up_and_unit(performance: Motion, tmp_path: Path) -> None:
    """A table in decimetres whose Z axis points up, of which nothing says so."""
    take = Take.from_motion(performance)
    to_file = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]], np.float32)
    w, x, y, z = np.moveaxis(take.rotations, -1, 0)
    turned = Take(
        take.times,
        (10.0 * take.positions @ to_file.T).astype(np.float32),
        np.stack([w, x, -z, y], -1),
        take.valid,
    )
    path = tmp_path / "take.csv"
    save_trackers(path, turned)
    scene = bpy.context.scene
    assert bpy.ops.ssrhmr.import_take(filepath=str(path), up="Z", unit="DM") == {"FINISHED"}
    for row in (0, 77):
        scene.frame_set(1 + row)
        for number, role in enumerate(TRACKERS):
            world = getattr(scene.ssrhmr, role).matrix_world
            wanted = TO_BLENDER @ take.positions[row, number]
            np.testing.assert_allclose(world.translation, wanted, atol=1e-4)
    assert bpy.ops.ssrhmr.import_take(filepath=str(path), up="Y", unit="M") == {"FINISHED"}
    scene.frame_set(1)
    height = 10.0 * performance.root[0, 1]
    assert abs(scene.ssrhmr.pelvis.matrix_world.translation.y) == pytest.approx(height, rel=1e-3)


def test_columns_that_only_the_user_knows(performance: Motion, tmp_path: Path) -> None:
    take = Take.from_motion(performance)
    path = tmp_path / "take.csv"
    save_trackers(path, take)
    path.write_text(path.read_text(encoding="utf-8").replace(",head,", ",thing,"), encoding="utf-8")
    bpy.ops.ssrhmr.import_take(filepath=str(path))
    setup = bpy.context.scene.ssrhmr
    assert setup.head is None
    assert bpy.ops.ssrhmr.import_take(filepath=str(path), columns="head=thing") == {"FINISHED"}
    assert setup.head is not None


def test_what_the_core_assumed_is_shown(
    performance: Motion, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A giant: the unit is a guess."""
    path = tmp_path / "giant.bvh"
    giant = performance.skeleton.scaled(3.0)
    save_bvh(path, Motion(giant, performance.times, performance.rotations, 3.0 * performance.root))
    assert bpy.ops.ssrhmr.import_take(filepath=str(path)) == {"FINISHED"}
    shown = [line for line in capfd.readouterr().out.splitlines() if line.startswith("Warning")]
    assert len(shown) == 1 and "set the unit" in shown[0]
    assert bpy.ops.ssrhmr.import_take(filepath=str(path), unit="M", up="Y") == {"FINISHED"}
    assert "Warning" not in capfd.readouterr().out


def test_files_that_can_be_chosen_and_dropped() -> None:
    operator = bpy.ops.ssrhmr.import_take.get_rna_type()
    shown = operator.properties["filter_glob"].default.split(";")
    assert sorted(shown) == sorted(f"*{suffix}" for suffix in TAKE_SUFFIXES)
    handler = bpy.types.FileHandler.bl_rna_get_subclass_py("SSRHMR_FH_take")
    assert handler is ops.SSRHMR_FH_take
    dropped = set(handler.bl_file_extensions.split(";"))
    assert dropped == {Path(f"take{suffix}").suffix for suffix in TAKE_SUFFIXES}
    assert handler.bl_import_operator == ops.SSRHMR_OT_import_take.bl_idname
    # Without a window there is no 3D view under the mouse.
    assert not handler.poll_drop(bpy.context)
    for kind in ("VIEW_3D", "OUTLINER"):
        under_mouse: Any = SimpleNamespace(area=SimpleNamespace(type=kind))
        assert handler.poll_drop(under_mouse) == (kind == "VIEW_3D")
    assert hasattr(bpy.types, "SSRHMR_FH_take")
    ssrhmr_blender.unregister()
    gone = not hasattr(bpy.types, "SSRHMR_FH_take")
    ssrhmr_blender.register()
    assert gone and hasattr(bpy.types, "SSRHMR_FH_take")
