# SPDX-License-Identifier: GPL-3.0-or-later
"""What a bake writes about its certainty: curves and markers of its own action."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
import pytest

from ssrhmr_blender.animation.actions import ActionWriter, curves_of
from ssrhmr_blender.baking import certainty, job
from ssrhmr_core import Motion, Take
from ssrhmr_core.body.skeleton import INDEX
from tests.blender.conftest import choose, make_armature, make_trackers, snapshot


@pytest.fixture
def hero() -> Any:
    armature = bpy.data.objects.new("Hero", bpy.data.armatures.new("Hero"))
    bpy.context.scene.collection.objects.link(armature)
    # Blender 4.5 crashes if an action is assigned to an armature that never had a pose.
    bpy.context.view_layer.update()
    return armature


def errors_with(peaks: dict[int, tuple[str, float]], frames: int = 600) -> np.ndarray:
    errors = np.full((frames, 22), 0.01, np.float32)
    for frame, (joint, error) in peaks.items():
        errors[frame, INDEX[joint]] = error
    return errors


def test_curves_in_millimetres(hero: Any) -> None:
    errors = errors_with({30: ("left_elbow", 0.12)}, 60)
    writer = ActionWriter("Take", hero)
    assert certainty.add_properties(hero) == (certainty.MEAN, certainty.WORST)
    certainty.write_certainty(writer, errors, np.arange(1.0, 61.0), 60.0)
    writer.assign(hero)
    scene: Any = bpy.context.scene
    for frame, mean, worst in ((5, 10.0, 10.0), (31, 15.0, 120.0)):
        scene.frame_set(frame)
        shown = hero.evaluated_get(bpy.context.evaluated_depsgraph_get())
        assert shown[certainty.MEAN] == pytest.approx(mean)
        assert shown[certainty.WORST] == pytest.approx(worst)
    assert {curve.data_path for curve in curves_of(hero)} == set(certainty.PATHS)


def test_properties_that_are_there_keep_their_values(hero: Any) -> None:
    hero[certainty.MEAN] = 7.0
    assert certainty.add_properties(hero) == (certainty.WORST,)
    assert hero[certainty.MEAN] == 7.0 and hero[certainty.WORST] == 0.0


def test_markers_where_it_is_worst(hero: Any) -> None:
    """Named by joint, a second apart, the worst ones only, in the action alone."""
    errors = errors_with(
        {
            100: ("left_elbow", 0.2),
            130: ("right_knee", 0.19),  # within a second of the one before
            200: ("right_knee", 0.15),
            400: ("chest", 0.08),  # not even half as much
        }
    )
    writer = ActionWriter("Take", hero)
    certainty.write_certainty(writer, errors, np.arange(600) + 11.0, 60.0)
    markers = [(marker.name, marker.frame) for marker in writer.action.pose_markers]
    assert markers == [("Left Elbow 200 mm", 111), ("Right Knee 150 mm", 211)]
    assert len(bpy.context.scene.timeline_markers) == 0


def test_there_are_few_markers() -> None:
    worst = np.where(np.arange(6000) < 4000, 0.1, np.linspace(0.0, 1.0, 6000))
    rows = certainty.find_least_certain(worst, 60)
    assert len(rows) == 5 and rows[-1] == 5999
    assert np.diff(rows).min() >= 60


@pytest.mark.parametrize(
    "worst", [np.zeros(10), np.zeros(1), np.full(300, 0.02), np.linspace(1.0, 1.2, 300)]
)
def test_nothing_to_mark(worst: np.ndarray) -> None:
    assert certainty.find_least_certain(worst, 60) == []


@pytest.fixture
def ready(performance: Motion) -> Any:
    """A calibrated character with an action, whose setup writes certainty."""
    armature = make_armature("Hero", performance.skeleton)
    choose(armature, make_trackers(Take.from_motion(performance)))
    setup: Any = bpy.context.scene.ssrhmr
    setup.calibration_frame, setup.frame_start, setup.frame_end = 20, 1, 60
    armature["prop"] = 1.0
    armature.keyframe_insert('["prop"]', frame=1)
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}
    setup.write_certainty = True
    return armature


def paths(armature: Any) -> set[str]:
    found = {curve.data_path for curve in curves_of(armature)}
    return {path for path in found if not path.startswith("pose.bones")}


def test_a_bake_writes_its_own_action_only(ready: Any) -> None:
    former = ready.animation_data.action
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}, bpy.context.scene.ssrhmr.message
    baked = ready.animation_data.action
    assert paths(ready) == {*certainty.PATHS, '["prop"]'}
    (curve,) = [c for c in curves_of(ready) if c.data_path == certainty.PATHS[0]]
    assert len(curve.keyframe_points) == 60
    # Millimetres, and of a size that people have.
    assert 1.0 < curve.evaluate(30.0) < 200.0
    assert former != baked and len(former.pose_markers) == 0
    assert len(bpy.context.scene.timeline_markers) == 0
    # What was certain in one bake is not in the next.
    bpy.context.scene.ssrhmr.write_certainty = False
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}
    assert paths(ready) == {'["prop"]'}


def test_a_bake_that_fails_leaves_no_property(ready: Any, monkeypatch: Any) -> None:
    before = snapshot()

    def fail(*_: object) -> None:
        raise ValueError("stop")

    monkeypatch.setattr(job, "_set_switches", fail)
    with pytest.raises(RuntimeError, match="stop"):
        bpy.ops.ssrhmr.bake()
    assert snapshot() == before
    assert certainty.MEAN not in ready and certainty.WORST not in ready


def test_it_can_be_undone(ready: Any) -> None:
    bpy.context.preferences.edit.use_global_undo = True
    bpy.ops.ed.undo_push(message="ready")
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}
    bpy.ops.ed.undo_push(message="baked")
    assert certainty.MEAN in ready
    bpy.ops.ed.undo()
    undone: Any = bpy.data.objects["Hero"]
    assert certainty.MEAN not in undone
