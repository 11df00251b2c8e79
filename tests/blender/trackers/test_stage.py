# SPDX-License-Identifier: GPL-3.0-or-later
"""Sampling evaluates nothing but what is read, and gives what the window's scene would."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import bpy
import numpy as np
import pytest

from ssrhmr_blender.common.data_blocks import key_of
from ssrhmr_blender.common.steps import run_steps
from ssrhmr_blender.common.typed import scene_of
from ssrhmr_blender.trackers.sampling import sample
from ssrhmr_blender.trackers.stage import Stage, open_stage
from ssrhmr_core import Motion
from tests.blender.bake.test_bake import calibrated, run
from tests.blender.conftest import make_armature
from tests.blender.skins import add_skin

FRAMES = [1, 7.25, 20, 33.5]


@pytest.fixture(autouse=True)
def scripts() -> Iterator[None]:
    """Restore whether drivers may run scripts."""
    paths = bpy.context.preferences.filepaths
    before = paths.use_scripts_auto_execute
    yield
    paths.use_scripts_auto_execute = before


def keyed(name: str = "Leader") -> bpy.types.Object:
    """An empty that moves along and turns."""
    empty = bpy.data.objects.new(name, None)
    bpy.context.scene.collection.objects.link(empty)
    for frame, value in ((1, 0.0), (40, 2.0)):
        empty.location, empty.rotation_euler = (value, 0.0, 1.0), (0.0, 0.3 * value, value)
        empty.keyframe_insert("location", frame=frame)
        empty.keyframe_insert("rotation_euler", frame=frame)
    return empty


def follower() -> bpy.types.Object:
    empty = bpy.data.objects.new("Follower", None)
    bpy.context.scene.collection.objects.link(empty)
    return empty


def by_parent() -> bpy.types.Object:
    empty = follower()
    empty.parent = keyed()
    return empty


def by_constraint() -> bpy.types.Object:
    empty = follower()
    empty.constraints.new("COPY_TRANSFORMS").target = keyed()
    return empty


def by_mesh() -> bpy.types.Object:
    """A vertex of a mesh that an armature deforms."""
    mesh = bpy.data.meshes.new("Skin")
    mesh.from_pydata([(0.0, 0.0, 0.5), (0.1, 0.0, 0.5), (0.0, 0.1, 0.5)], [], [(0, 1, 2)])
    skin = bpy.data.objects.new("Skin", mesh)
    bpy.context.scene.collection.objects.link(skin)
    modifier = skin.modifiers.new("Hook", "HOOK")
    modifier.object = keyed()
    skin.vertex_groups.new(name="All").add([0, 1, 2], 1.0, "REPLACE")
    modifier.vertex_group = "All"
    empty = follower()
    empty.parent, empty.parent_type = skin, "VERTEX"
    return empty


def driven(expression: str) -> bpy.types.Object:
    empty = follower()
    leader = keyed()
    curve = empty.driver_add("location", 0).driver
    variable = curve.variables.new()
    variable.name = "x"
    variable.targets[0].id, variable.targets[0].data_path = leader, "location[0]"
    curve.expression = expression
    return empty


def by_driver() -> bpy.types.Object:
    return driven("2.0 * sin(x) + frame / 10")


def by_script() -> bpy.types.Object:
    bpy.context.preferences.filepaths.use_scripts_auto_execute = True
    return driven("x + bpy.context.scene.frame_current")


def by_scene() -> bpy.types.Object:
    """A property of the scene, as riggers keep switches there."""
    scene = scene_of(bpy.context)
    scene["height"] = 0.0
    for frame, value in ((1, 0.0), (40, 4.0)):
        scene["height"] = value
        scene.keyframe_insert('["height"]', frame=frame)
    empty = follower()
    curve = empty.driver_add("location", 2).driver
    variable = curve.variables.new()
    variable.targets[0].id_type = "SCENE"
    variable.targets[0].id, variable.targets[0].data_path = scene, '["height"]'
    curve.expression = variable.name
    return empty


MOVERS = [keyed, by_parent, by_constraint, by_mesh, by_driver, by_script, by_scene]


@pytest.mark.parametrize("mover", MOVERS)
@pytest.mark.parametrize("remapped", [False, True])
def test_what_is_read_is_what_the_scene_shows(
    mover: Callable[[], bpy.types.Object], remapped: bool
) -> None:
    obj, scene = mover(), bpy.context.scene
    if remapped:
        scene.render.frame_map_new = 150
    wanted = []
    for frame in FRAMES:
        scene.frame_set(int(frame), subframe=frame % 1)
        wanted.append(np.array(obj.matrix_world))
    scene.frame_set(5)
    worlds = run_steps(sample(scene.name, [key_of(obj)], FRAMES))
    assert np.allclose(worlds[:, 0], wanted, atol=1e-5)
    assert np.ptp(worlds[:, 0, :3, 3], axis=0).max() > 0.3
    assert scene.frame_current == 5
    assert list(bpy.data.scenes) == [scene]


def test_nothing_of_the_window_is_touched() -> None:
    """Neither its frame nor what objects show, even while it is sampled."""
    obj, scene = keyed(), scene_of(bpy.context)
    scene.frame_set(5)
    before, users = np.array(obj.matrix_world), obj.users
    with open_stage(scene, [obj]) as stage:
        there = np.array(obj.evaluated_get(stage.set_frame(30)).matrix_world)
        assert not np.allclose(there, before)
        assert np.allclose(np.array(obj.matrix_world), before)
        assert scene.frame_current == 5
    assert obj.users == users and list(bpy.data.scenes) == [scene]
    with pytest.raises(ValueError, match="anything"), open_stage(scene, [obj]):
        raise ValueError("anything")
    assert list(bpy.data.scenes) == [scene]


def test_handlers_of_frames_see_the_window(scene: bpy.types.Scene) -> None:
    """A script that moves a tracker when the frame changes keeps working."""
    obj, seen = keyed(), []

    def follow(changed: bpy.types.Scene, *_: object) -> None:
        seen.append(changed.name)
        obj.delta_location.z = changed.frame_current

    bpy.app.handlers.frame_change_pre.append(follow)
    try:
        worlds = run_steps(sample(scene.name, [key_of(obj)], [1, 20]))
    finally:
        bpy.app.handlers.frame_change_pre.remove(follow)
    assert worlds[:, 0, 2, 3].tolist() == pytest.approx([2.0, 21.0])
    assert set(seen) == {scene.name}


def test_baking_again_evaluates_no_mesh(
    performance: Motion, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted, not timed: meshes are evaluated on the few frames on which they are looked at."""
    hero = make_armature("Hero", performance.skeleton)
    body = add_skin(hero)
    calibrated(hero, performance)
    set_frame, evaluated = Stage.set_frame, []

    def counting(self: Stage, frame: float) -> bpy.types.Depsgraph:
        depsgraph = set_frame(self, frame)
        evaluated.append(body.name in [block.name for block in depsgraph.ids])
        return depsgraph

    monkeypatch.setattr(Stage, "set_frame", counting)
    for _ in range(2):
        evaluated.clear()
        run(1, len(performance))
        assert len(evaluated) > len(performance)
        assert 0 < sum(evaluated) < 12
