# SPDX-License-Identifier: GPL-3.0-or-later
"""Many takes at once: found in actions and collections, baked one by one, nothing else changed."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest

from ssrhmr_blender.animation.actions import ActionWriter
from ssrhmr_blender.animation.assignment import assign, curves_in
from ssrhmr_blender.batch.job import BatchReport, bake_takes
from ssrhmr_blender.common.compat import object_slots
from ssrhmr_blender.common.typed import scene_of
from ssrhmr_blender.properties.tracker import TRACKERS
from ssrhmr_core import Motion, Take
from tests.blender.conftest import (
    choose,
    joint_worlds,
    key_transforms,
    make_armature,
    make_trackers,
    snapshot,
    with_t_pose,
)
from tests.core.conftest import make_motion

LAYERED = hasattr(bpy.types, "ActionChannelbag")
Trackers = dict[str, bpy.types.Object]


def takes() -> dict[str, bpy.types.PropertyGroup]:
    return {take.name: take for take in bpy.context.scene.ssrhmr_batch.takes}


def record(trackers: Trackers, motion: Motion, name: str) -> None:
    """Give the trackers the actions of another take, one for each, called after both."""
    other = make_trackers(Take.from_motion(motion))
    for role, tracker in trackers.items():
        action = other[role].animation_data.action
        action.name = f"{name} {tracker.name}"
        action.use_fake_user = True
        if LAYERED:
            action.slots[0].name_display = tracker.name
        bpy.data.objects.remove(other[role])


@pytest.fixture
def hero(performance: Motion) -> bpy.types.Object:
    """A calibrated character whose trackers have two takes; the first is assigned."""
    armature = make_armature("Hero", performance.skeleton)
    trackers = make_trackers(Take.from_motion(performance))
    for tracker in trackers.values():
        tracker.animation_data.action.name = f"Walk {tracker.name}"
    moving = make_motion(performance.skeleton, frames=60, seed=9)
    record(trackers, with_t_pose(moving), "Run")
    choose(armature, trackers)
    setup = bpy.context.scene.ssrhmr
    setup.calibration_frame, setup.range = 20, "TRACKERS"
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
    bpy.context.scene.frame_set(7)
    return armature


def single(armature: bpy.types.Object, take: str, frames: np.ndarray) -> np.ndarray:
    """Joints when the trackers are given the take by hand and baked with the Bake button."""
    setup = bpy.context.scene.ssrhmr
    before = {role: getattr(setup, role).animation_data.action for role in TRACKERS}
    for role in TRACKERS:
        tracker = getattr(setup, role)
        assign(tracker, bpy.data.actions[f"{take} {tracker.name}"])
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}
    positions, _ = joint_worlds(armature, frames)
    for role, action in before.items():
        assign(getattr(setup, role), action)
    armature.animation_data_clear()
    return positions


def test_takes_of_actions_are_what_single_bakes_make(hero: bpy.types.Object) -> None:
    scene, frames = bpy.context.scene, np.arange(1, 101)
    expected = {take: single(hero, take, frames) for take in ("Walk", "Run")}
    for bone in hero.pose.bones:
        bone.matrix_basis.identity()
    assert bpy.ops.ssrhmr.find_takes() == {"FINISHED"}
    assert list(takes()) == ["Run", "Walk"]
    scene.frame_set(7, subframe=0.25)
    actions, before = set(bpy.data.actions), snapshot()
    assert bpy.ops.ssrhmr.bake_takes() == {"FINISHED"}
    made = set(bpy.data.actions) - actions
    assert {action.name for action in made} == {"Walk", "Run"}
    assert all(action.use_fake_user for action in made)
    assert [round(v) for v in bpy.data.actions["Walk"].frame_range] == [1, 130]
    assert [round(v) for v in bpy.data.actions["Run"].frame_range] == [1, 100]
    after = snapshot()
    assert {**after, "actions": None} == {**before, "actions": None}
    for take, wanted in expected.items():
        assert takes()[take].state == "DONE"
        assert bpy.ops.ssrhmr.show_take(take=take) == {"FINISHED"}
        positions, _ = joint_worlds(hero, frames)
        assert np.abs(positions - wanted).max() < 1e-5


def test_cancelled_anywhere_all_is_as_before(hero: bpy.types.Object) -> None:
    bpy.ops.ssrhmr.find_takes()
    hero.keyframe_insert("location", frame=1)
    mine = hero.animation_data.action
    bpy.context.scene.ssrhmr.head.animation_data.action = None
    bpy.context.scene.ssrhmr.head.location = (1.0, 2.0, 3.0)
    bpy.context.scene.ssrhmr.left_foot.animation_data_clear()
    before, state = snapshot(), mine.use_fake_user
    stop, finished = 0, False
    while not finished:
        report = BatchReport()
        steps = bake_takes(scene_of(bpy.context), report)
        try:
            for _ in range(stop + 1):
                next(steps)
        except StopIteration:
            finished = True
        else:
            steps.close()
        for name in report.done.values():
            bpy.data.actions.remove(bpy.data.actions[name])
        assert snapshot() == before, f"changed when cancelled at step {stop}"
        assert mine.use_fake_user == state
        assert bpy.context.scene.ssrhmr.left_foot.animation_data is None
        stop += 7
    assert len(report.done) == 2


def test_a_bad_take_is_skipped_with_its_reason(hero: bpy.types.Object) -> None:
    bpy.ops.ssrhmr.find_takes()
    scene = bpy.context.scene
    action = bpy.data.actions["Run Tracker head"]
    curves_in(action, object_slots(action)[0][0])[0].keyframe_points[5].co[1] = float("nan")
    before = snapshot()
    assert bpy.ops.ssrhmr.bake_takes() == {"FINISHED"}
    assert takes()["Walk"].state == "DONE"
    assert "not a number at frame 6" in takes()["Run"].result
    assert {**snapshot(), "actions": None} == {**before, "actions": None}
    bpy.data.actions.remove(action)
    bpy.ops.ssrhmr.bake_takes()
    assert "'Run Tracker head' is not in the file any more" in takes()["Run"].result
    bpy.ops.ssrhmr.find_takes()
    assert (
        takes()["Run"].problem == "no action for Head: give its object one"
        and not takes()["Run"].use
    )
    takes()["Run"].use = True
    bpy.ops.ssrhmr.bake_takes()
    assert (
        takes()["Run"].result == "no action for Head: give its object one"
        and scene.frame_current == 7
    )


def test_a_bug_restores_everything_too(
    hero: bpy.types.Object, monkeypatch: pytest.MonkeyPatch
) -> None:
    bpy.ops.ssrhmr.find_takes()
    before = snapshot()

    def broken(*_: object) -> None:
        raise KeyError("bug")

    monkeypatch.setattr("ssrhmr_blender.baking.job.write_bone_keys", broken)
    with pytest.raises(RuntimeError, match="bug"):
        bpy.ops.ssrhmr.bake_takes()
    assert snapshot() == before


def test_nothing_to_bake_is_said(hero: bpy.types.Object) -> None:
    with pytest.raises(RuntimeError, match="press Find Takes"):
        bpy.ops.ssrhmr.bake_takes()
    bpy.context.scene.ssrhmr.head = bpy.context.scene.ssrhmr.pelvis = None
    with pytest.raises(RuntimeError, match="Neither a Pelvis nor a Head tracker is chosen"):
        bpy.ops.ssrhmr.find_takes()


@pytest.mark.parametrize("mode", ["STASH", "SEQUENCE"])
def test_onto_nla_strips(hero: bpy.types.Object, mode: str) -> None:
    scene, frames = bpy.context.scene, np.arange(1, 101)
    expected = single(hero, "Run", frames)
    bpy.ops.ssrhmr.find_takes()
    scene.ssrhmr_batch.strips = mode
    assert bpy.ops.ssrhmr.bake_takes() == {"FINISHED"}
    data = hero.animation_data
    assert data.action is None
    if mode == "STASH":
        assert [(t.name, t.mute) for t in data.nla_tracks] == [("Run", True), ("Walk", True)]
        data.nla_tracks["Run"].mute = False
        # Blender plans what to evaluate anew only when something is added.
        scene.collection.objects.link(bpy.data.objects.new("Anything", None))
    else:
        strips = data.nla_tracks[0].strips
        assert [strip.action.name for strip in strips] == ["Run", "Walk"]
        assert strips[1].frame_start > strips[0].frame_end
    positions, _ = joint_worlds(hero, frames)
    assert np.abs(positions - expected).max() < 1e-5


def test_collections_of_trackers(performance: Motion) -> None:
    scene = bpy.context.scene
    armature = make_armature("Hero", performance.skeleton)
    first = make_trackers(Take.from_motion(performance))
    moving = with_t_pose(make_motion(performance.skeleton, frames=60, seed=9))
    second = make_trackers(Take.from_motion(moving))
    outer = bpy.data.collections.new("Session")
    scene.collection.children.link(outer)
    for name, trackers in (("Day 1", first), ("Day 2", second), ("Broken", {})):
        collection = bpy.data.collections.new(name)
        outer.children.link(collection)
        for tracker in trackers.values():
            collection.objects.link(tracker)
        if name == "Broken":
            for role in ("Head", "Hips", "Hand.L"):
                collection.objects.link(bpy.data.objects.new(f"{role} 3", None))
    choose(armature, first)
    scene.ssrhmr.calibration_frame = 20
    bpy.ops.ssrhmr.calibrate()
    scene.ssrhmr_batch.source = "COLLECTIONS"
    assert bpy.ops.ssrhmr.find_takes() == {"FINISHED"}
    assert sorted(takes()) == ["Broken", "Day 1", "Day 2"]
    assert "Right Hand, Left Foot, Right Foot" in takes()["Broken"].problem
    before = snapshot()
    assert bpy.ops.ssrhmr.bake_takes() == {"FINISHED"}
    assert {**snapshot(), "actions": None} == {**before, "actions": None}
    assert scene.ssrhmr.head == first["head"]
    bpy.ops.ssrhmr.show_take(take="Day 2")
    scene.frame_set(80)
    head = armature.pose.bones[scene.ssrhmr.bones[13].bone].head
    assert np.linalg.norm(np.array(head) - second["head"].matrix_world.translation) < 0.15


def test_actions_of_an_imported_performer(performance: Motion) -> None:
    """Empties follow a performer's bones, who has an action for each take."""
    scene = bpy.context.scene
    armature = make_armature("Hero", performance.skeleton)
    keyed = make_trackers(Take.from_motion(performance), mounted=False)
    performer = make_armature("Performer", performance.skeleton)
    choose(performer, keyed)
    scene.ssrhmr.calibration_frame, scene.ssrhmr.range = 20, "TRACKERS"
    bpy.ops.ssrhmr.calibrate()
    bpy.ops.ssrhmr.bake()
    performer.animation_data.action.name = "Dance"
    copy = performer.animation_data.action.copy()
    copy.name, copy.use_fake_user = "Dance Again", True
    unrelated = bpy.data.objects.new("Lamp", None)
    scene.collection.objects.link(unrelated)
    key_transforms(unrelated, np.array([1.0, 2.0]), [unrelated.matrix_world] * 2)
    followers = {}
    for role, joint in zip(TRACKERS, (0, 13, 17, 21, 3, 7), strict=True):
        empty = bpy.data.objects.new(f"Follow {role}", None)
        scene.collection.objects.link(empty)
        constraint = empty.constraints.new("COPY_TRANSFORMS")
        constraint.target, constraint.subtarget = performer, scene.ssrhmr.bones[joint].bone
        followers[role] = empty
    choose(armature, followers)
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}
    bpy.ops.ssrhmr.find_takes()
    assert sorted(takes()) == ["Dance", "Dance Again"]
    assert bpy.ops.ssrhmr.bake_takes() == {"FINISHED"}
    assert {take.baked for take in takes().values()} == {"Dance Hero", "Dance Again Hero"}
    assert performer.animation_data.action.name == "Dance"


@pytest.mark.skipif(not LAYERED, reason="actions have slots since Blender 4.4")
def test_one_action_with_a_slot_for_each_tracker(hero: bpy.types.Object) -> None:
    setup = bpy.context.scene.ssrhmr
    session = bpy.data.actions.new("Session")
    session.layers.new("Layer").strips.new(type="KEYFRAME")
    for role in TRACKERS:
        tracker = getattr(setup, role)
        slot = session.slots.new(id_type="OBJECT", name=tracker.name)
        bag = session.layers[0].strips[0].channelbag(slot, ensure=True)
        action = bpy.data.actions[f"Run {tracker.name}"]
        for old in curves_in(action, object_slots(action)[0][0]):
            curve = bag.fcurves.new(old.data_path, index=old.array_index)
            curve.keyframe_points.add(len(old.keyframe_points))
            values = np.zeros(2 * len(old.keyframe_points), np.float32)
            old.keyframe_points.foreach_get("co", values)
            curve.keyframe_points.foreach_set("co", values)
            curve.update()
    bpy.ops.ssrhmr.find_takes()
    assert list(takes()) == ["Run", "Session", "Walk"]
    takes()["Walk"].use = False
    assert bpy.ops.ssrhmr.bake_takes() == {"FINISHED"}
    run, made = (bpy.data.actions[takes()[name].baked] for name in ("Run", "Session"))
    for one, other in zip(*(curves_in(a, object_slots(a)[0][0]) for a in (run, made)), strict=True):
        assert one.data_path == other.data_path
        assert one.evaluate(50.0) == pytest.approx(other.evaluate(50.0), abs=1e-5)
    bpy.ops.ssrhmr.find_takes()
    assert not takes()["Walk"].use, "unticked takes stay so"
    assert list(takes()) == ["Run", "Session", "Walk"], "baked actions are no takes of trackers"


def test_a_batch_is_saved_and_undone(hero: bpy.types.Object, tmp_path: Path) -> None:
    bpy.ops.ssrhmr.find_takes()
    bpy.context.preferences.edit.use_global_undo = True
    bpy.ops.ed.undo_push(message="before")
    before = snapshot()
    bpy.ops.ssrhmr.bake_takes()
    bpy.ops.ed.undo_push(message="after")
    path = str(tmp_path / "batch.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path, copy=True)
    bpy.ops.ed.undo()
    assert snapshot() == before
    bpy.ops.wm.open_mainfile(filepath=path)
    assert {"Walk", "Run"} <= set(bpy.data.actions.keys())


def test_names_without_their_tracker() -> None:
    from ssrhmr_core.tracking.roles import strip_role

    assert strip_role("Walk 2_LeftFoot") == strip_role("walk 2 head") == "walk 2"
    assert strip_role("L_Hand") == "" and strip_role("Take") == "take"


def test_actions_named_by_body_part_only(hero: bpy.types.Object) -> None:
    setup = bpy.context.scene.ssrhmr
    labels = ("Hips", "HMD", "LeftHand", "RightHand", "foot.L", "foot.R")
    for role, label in zip(TRACKERS, labels, strict=True):
        writer = ActionWriter(f"Jump_{label}", bpy.data.objects["Hero"])
        writer.write("Object", "location", np.array([1.0, 9.0]), np.zeros((2, 3)))
        writer.action.use_fake_user = True
        if LAYERED:
            writer.action.slots[0].name_display = getattr(setup, role).name + " of old"
    bpy.ops.ssrhmr.find_takes()
    assert list(takes()) == ["Run", "Walk", "jump"]
