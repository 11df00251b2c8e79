# SPDX-License-Identifier: GPL-3.0-or-later
"""What a bake writes about its certainty: curves and markers of its own action."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
import pytest

from ssrhmr_blender.animation.actions import ActionWriter, curves_of
from ssrhmr_blender.baking import certainty
from ssrhmr_core.body.skeleton import INDEX


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
    with certainty.properties_for(hero):
        certainty.write_errors(writer, errors, np.arange(1.0, 61.0))
        writer.assign(hero)
    scene: Any = bpy.context.scene
    for frame, mean, worst in ((5, 10.0, 10.0), (31, 15.0, 120.0)):
        scene.frame_set(frame)
        shown = hero.evaluated_get(bpy.context.evaluated_depsgraph_get())
        assert shown[certainty.MEAN] == pytest.approx(mean)
        assert shown[certainty.WORST] == pytest.approx(worst)
    assert {curve.data_path for curve in curves_of(hero)} == set(certainty.PATHS)


def test_properties_are_taken_back_at_an_error(hero: Any) -> None:
    hero[certainty.MEAN] = 7.0
    with pytest.raises(ValueError, match="stop"), certainty.properties_for(hero):
        raise ValueError("stop")
    assert hero[certainty.MEAN] == 7.0 and certainty.WORST not in hero


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
    action = bpy.data.actions.new("Take")
    certainty.mark_least_certain(action, errors, np.arange(600) + 11.0, 60.0)
    markers = [(marker.name, marker.frame) for marker in action.pose_markers]
    assert markers == [("Left Elbow 200 mm", 111), ("Right Knee 150 mm", 211)]
    assert len(bpy.context.scene.timeline_markers) == 0


def test_there_are_few_markers() -> None:
    worst = np.linspace(0.9, 1.0, 6000)
    rows = certainty.find_least_certain(worst, 60)
    assert len(rows) == 5 and rows[-1] == 5999
    assert np.diff(rows).min() >= 60


@pytest.mark.parametrize("worst", [np.zeros(10), np.zeros(1)])
def test_nothing_to_mark(worst: np.ndarray) -> None:
    assert certainty.find_least_certain(worst, 60) == []
