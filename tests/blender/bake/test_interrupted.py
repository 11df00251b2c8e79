# SPDX-License-Identifier: GPL-3.0-or-later
"""A bake that ends early, cancelled or broken at any point, leaves the whole file as it was."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any

import bpy
import pytest

from ssrhmr_blender.animation.actions import ActionWriter
from ssrhmr_blender.baking import job
from ssrhmr_blender.common.typed import action_of, scene_of
from ssrhmr_blender.properties.values import read_values
from ssrhmr_core import Motion, Take
from ssrhmr_core.pipeline import Reconstructor
from tests.blender.conftest import choose, make_armature, make_trackers
from tests.mixamo_names import mixamo_name

_KEY = ("co", "handle_left", "handle_right", "interpolation", "handle_left_type", "easing")


def curves_in(action: bpy.types.Action) -> Iterator[tuple[str, bpy.types.FCurve]]:
    """Every curve of an action with the slot that it belongs to."""
    if not hasattr(action, "layers"):
        yield from (("", curve) for curve in action.fcurves)
        return
    for layer in action.layers:
        for strip in layer.strips:
            for bag in strip.channelbags:
                yield from ((bag.slot.identifier, curve) for curve in bag.fcurves)


def plain(value: Any) -> Any:
    return value if isinstance(value, (str, int, float, bool, type(None))) else list(value)


def facts_of(strip: bpy.types.NlaStrip) -> list[object]:
    names = ("name", "frame_start", "frame_end", "blend_type", "influence", "mute")
    return [strip.action.name, *(getattr(strip, name) for name in names)]


def animation(owner: bpy.types.ID) -> object:
    """What moves a data-block, NLA tracks included."""
    data = owner.animation_data
    if data is None:
        return None
    return {
        "action": data.action.name if data.action else None,
        "slot": getattr(getattr(data, "action_slot", None), "identifier", None),
        "last slot": getattr(data, "last_slot_identifier", None) if data.action else None,
        "how": [data.use_nla, data.action_blend_type, data.action_influence],
        "drivers": [(d.data_path, d.driver.expression) for d in data.drivers],
        "tracks": [
            (track.name, track.mute, track.is_solo, [facts_of(strip) for strip in track.strips])
            for track in data.nla_tracks
        ],
    }


def everything() -> dict[str, object]:
    """The data of the whole file, but for what says how the job went."""
    scene, layer = bpy.context.scene, bpy.context.view_layer
    state: dict[str, object] = {
        "frame": (scene.frame_current, scene.frame_subframe, scene.frame_start, scene.frame_end),
        "keying": (scene.tool_settings.use_keyframe_insert_auto, scene.render.fps),
        "active": layer.objects.active and layer.objects.active.name,
        "mode": bpy.context.mode,
        "selected": sorted(obj.name for obj in layer.objects if obj.select_get()),
        "setup": {k: str(v) for k, v in read_values(scene.ssrhmr).items()},
    }
    for kind in ("objects", "actions", "armatures", "meshes", "collections", "scenes", "texts"):
        for block in getattr(bpy.data, kind):
            state[f"{kind} {block.name}"] = (block.users, block.use_fake_user)
    for action in bpy.data.actions:
        state[f"{action.name} curves"] = [
            (
                *(slot, curve.data_path, curve.array_index, curve.mute, curve.extrapolation),
                curve.group and curve.group.name,
                [[plain(getattr(key, fact)) for fact in _KEY] for key in curve.keyframe_points],
            )
            for slot, curve in curves_in(action)
        ]
    for obj in bpy.data.objects:
        state[f"{obj.name} animation"] = animation(obj)
        state[f"{obj.name} place"] = (
            *(obj.rotation_mode, obj.hide_viewport, obj.hide_get()),
            *(list(row[:]) for row in (*obj.matrix_basis[:], *obj.matrix_world[:])),
        )
        for bone in obj.pose.bones if obj.pose else ():
            state[f"{obj.name} {bone.name}"] = (
                bone.rotation_mode,
                [list(row[:]) for row in (*bone.matrix_basis[:], *bone.matrix[:])],
                {key: plain(value) for key, value in bone.items()},
            )
    return state


def changed(before: dict[str, object], after: dict[str, object]) -> list[str]:
    return [name for name in {**before, **after} if before.get(name) != after.get(name)]


@pytest.fixture(params=["bare", "worked on"])
def hero(performance: Motion, request: pytest.FixtureRequest) -> bpy.types.Object:
    """A character ready to bake: new, or one that somebody has long worked on."""
    armature = make_armature("Hero", performance.skeleton)
    trackers = make_trackers(Take.from_motion(performance))
    if request.param == "worked on":
        work_on(armature)
    choose(armature, trackers)
    setup, scene = bpy.context.scene.ssrhmr, bpy.context.scene
    setup.calibration_frame = 20
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
    setup.frame_start, setup.frame_end = 1, 30
    trackers["head"].select_set(True)
    scene.frame_set(7, subframe=0.25)
    return armature


def work_on(armature: bpy.types.Object) -> None:
    """Keys of its own, NLA tracks, a driver, other rotation modes and a pose that is not keyed."""
    bones = armature.pose.bones
    for joint, mode in (("head", "XYZ"), ("left_elbow", "AXIS_ANGLE"), ("chest", "ZXY")):
        bones[mixamo_name(joint)].rotation_mode = mode
    bones[mixamo_name("right_knee")].rotation_quaternion = (0.8, 0.6, 0.0, 0.0)
    bones[mixamo_name("hips")]["mood"] = 0.5
    armature.keyframe_insert("location", frame=1)
    strip_action = action_of(armature)
    track = armature.animation_data.nla_tracks.new()
    track.strips.new("Walk", 1, strip_action)
    armature.animation_data.action = None
    head = bones[mixamo_name("head")]
    for frame, angle in ((1, 0.0), (9, 0.4), (40, -0.2)):
        head.rotation_euler.x = angle
        head.keyframe_insert("rotation_euler", frame=frame)
    driver = armature.driver_add("hide_render").driver
    driver.expression = "frame < 0"


def end_early(after: int) -> bool:
    """Close a bake after some steps; tell whether it had finished before."""
    steps = job.bake(scene_of(bpy.context))
    try:
        for _ in range(after):
            next(steps)
    except StopIteration:
        return True
    steps.close()
    return False


def test_cancelled_after_each_step(hero: bpy.types.Object) -> None:
    before, after = everything(), 1
    while not end_early(after):
        assert changed(before, everything()) == [], f"cancelled after step {after}"
        after += 1
    assert after > 22, "a step for each bone at least"
    assert changed(before, everything()) != []


class Break(Exception):
    """What nobody foresees."""


def breaking(
    function: Callable[..., Any], call: int, error: type[Exception], after: bool = False
) -> Callable[..., Any]:
    """The same function, failing at one of its calls, before or after it did its work."""
    calls = iter(range(1, 10**9))

    def broken(*arguments: Any, **named: Any) -> Any:
        fails = next(calls) == call
        if fails and not after:
            raise error("broken")
        result = function(*arguments, **named)
        if fails:
            raise error("broken")
        return result

    return broken


def breaking_steps(
    function: Callable[..., Generator[Any, None, Any]], step: int, error: type[Exception]
) -> Callable[..., Generator[Any, None, Any]]:
    """The same generator, failing at one of its steps."""

    def broken(*arguments: Any, **named: Any) -> Generator[Any, None, Any]:
        for number, value in enumerate(function(*arguments, **named), 1):
            if number == step:
                raise error("broken")
            yield value

    return broken


POINTS: dict[str, tuple[object, str, Callable[..., Any]]] = {
    "reading": (job, "take_from_samples", lambda f, error: breaking(f, 1, error)),
    "the model": (
        Reconstructor,
        "steps_with_contacts",
        lambda f, error: breaking_steps(f, 1, error),
    ),
    "the first bone's pose": (job, "pose_bones", lambda f, error: breaking_steps(f, 1, error)),
    "the tenth bone's pose": (job, "pose_bones", lambda f, error: breaking_steps(f, 10, error)),
    "the first keys": (ActionWriter, "write", lambda f, error: breaking(f, 1, error)),
    "keys that are written": (ActionWriter, "write", lambda f, error: breaking(f, 12, error, True)),
    "the last keys": (ActionWriter, "write", lambda f, error: breaking(f, 23, error)),
    "a curve": (ActionWriter, "_curve", lambda f, error: breaking(f, 31, error, True)),
    "the assignment": (ActionWriter, "assign", lambda f, error: breaking(f, 1, error)),
    "after the assignment": (ActionWriter, "assign", lambda f, error: breaking(f, 1, error, True)),
    "handing over": (job, "_assign_action", lambda f, error: breaking(f, 1, error, True)),
}


@pytest.mark.parametrize("error", [Break, ValueError, MemoryError])
@pytest.mark.parametrize("point", POINTS)
def test_broken_anywhere(
    hero: bpy.types.Object, monkeypatch: pytest.MonkeyPatch, point: str, error: type[Exception]
) -> None:
    owner, name, breaks = POINTS[point]
    before = everything()
    monkeypatch.setattr(owner, name, breaks(getattr(owner, name), error))
    # From Python both what is explained and what is not are a RuntimeError of the operator.
    with pytest.raises(RuntimeError, match="broken"):
        bpy.ops.ssrhmr.bake()
    monkeypatch.undo()
    bpy.context.scene.ssrhmr.message = ""
    assert changed(before, everything()) == []
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}
    assert hero.animation_data.action.name.startswith("Hero SSR-HMR")
