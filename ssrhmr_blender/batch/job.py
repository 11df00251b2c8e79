# SPDX-License-Identifier: GPL-3.0-or-later
"""The batch as a job of many steps around the single bake."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field

import bpy

from ..animation.actions import curves_of
from ..animation.assignment import assign, assignment_of, find_action, restore
from ..baking.job import BakeSource, bake
from ..common.errors import UserError, plain_message
from ..common.modal_job import EXPLAINED
from ..common.validation import SetupError, check_character, check_trackers
from ..properties.setup import setup_of
from ..trackers.sampling import Key, find, key_of
from ..trackers.stored_calibration import check_calibrated
from .finding import ActionPart
from .properties import SSRHMR_Take, SSRHMR_TakePart, batch_of


class BatchTakeError(UserError):
    """A take that cannot be baked; the message says why."""


@dataclass(frozen=True)
class PlannedTake:
    """A take of the list, apart from Blender's data."""

    name: str
    trackers: tuple[Key, ...]
    parts: tuple[ActionPart, ...]
    problem: str


@dataclass
class BatchReport:
    """What a batch did so far.

    Attributes:
        chosen: number of takes to bake.
        done: new action by take.
        skipped: reason by take.
        notes: what the user should know.
    """

    chosen: int = 0
    done: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def bake_takes(
    scene: bpy.types.Scene, report: BatchReport
) -> Generator[tuple[float, str], None, BatchReport]:
    """Bake the ticked takes of the scene's list onto its character.

    Trackers, character and frame are as before after every take, also when the generator is closed
    early. Takes that are finished by then are kept.

    Args:
        scene: the window's.
        report: filled as takes are finished.

    Yields:
        The share done (0..1) and what is being done.

    Raises:
        UserError: if the character cannot be baked at all; what is wrong with a take is reported.
    """
    setup, batch = setup_of(scene), batch_of(scene)
    armature = check_character(setup)
    check_calibrated(setup)
    takes = [_plain(item) for item in batch.takes if item.use]
    if not takes:
        raise SetupError("No takes are ticked: press Find Takes, and tick those to bake")
    owner, scene_name, strips = key_of(armature), scene.name, batch.strips
    whole = batch.span == "TAKE"
    report.chosen = len(takes)
    for item in batch.takes:
        item.state, item.result, item.baked = "WAITING", "", ""
    for number, take in enumerate(takes):
        steps = _bake_one(scene_name, owner, take, whole)
        try:
            while True:
                share, text = next(steps)
                yield (number + share) / len(takes), f"{take.name}: {text}"
        except StopIteration as finished:
            report.done[take.name] = finished.value
        except EXPLAINED as error:
            report.skipped[take.name] = plain_message(error)
        finally:
            steps.close()
        _note(bpy.data.scenes[scene_name], take.name, report)
    if strips != "NONE" and report.done:
        _put_on_tracks(bpy.data.scenes[scene_name], owner, report, strips == "SEQUENCE")
    return report


def _bake_one(
    scene_name: str, owner: Key, take: PlannedTake, whole: bool
) -> Generator[tuple[float, str], None, str]:
    """Bake one take and return the name of its action."""
    if take.problem:
        raise BatchTakeError(take.problem)
    scene = bpy.data.scenes[scene_name]
    frame = scene.frame_current, scene.frame_subframe
    armature = _object(owner)
    pairs = [(_object(part.owner), part) for part in take.parts]
    before = [assignment_of(obj) for obj in [armature, *(obj for obj, _ in pairs)]]
    try:
        for obj, part in pairs:
            assign(obj, _action(part), part.slot)
        trackers = tuple(_object(key) for key in take.trackers)
        followed = trackers or tuple(check_trackers(setup_of(scene)))
        span = _span([*followed, *(obj for obj, _ in pairs)]) if whole else None
        name = take.name
        if name in bpy.data.actions:
            name = f"{take.name} {armature.name}"
        steps = bake(scene, BakeSource(trackers, span, name))
        try:
            while True:
                try:
                    step = next(steps)
                except StopIteration as finished:
                    made = finished.value.action
                    break
                yield step
        finally:
            steps.close()
        # Nothing else uses it: Blender would throw it away with the next save.
        bpy.data.actions[made].use_fake_user = True
        return made
    finally:
        for each in before:
            restore(each)
        if scene_name in bpy.data.scenes:
            bpy.data.scenes[scene_name].frame_set(frame[0], subframe=frame[1])


def _span(objects: list[bpy.types.Object]) -> tuple[int, int] | None:
    """First and last key; None if there are none, as with trackers moved by drivers."""
    spans = [
        curve.range() for obj in objects for curve in curves_of(obj) if len(curve.keyframe_points)
    ]
    if not spans:
        return None
    return round(min(span[0] for span in spans)), round(max(span[1] for span in spans))


def _put_on_tracks(scene: bpy.types.Scene, owner: Key, report: BatchReport, sequence: bool) -> None:
    armature = _object(owner)
    data = armature.animation_data or armature.animation_data_create()
    track, start = None, scene.frame_start
    for take, name in report.done.items():
        action = bpy.data.actions[name]
        if track is None or not sequence:
            track = data.nla_tracks.new()
            track.name = "SSR-HMR" if sequence else take
        first = start if sequence else round(action.frame_range[0])
        strip = track.strips.new(name, first, action)
        if hasattr(strip, "action_slot") and strip.action_slot is None:
            strip.action_slot = action.slots[0]
        start = int(strip.frame_end) + 1
        if not sequence:
            track.mute = True
    if sequence and data.action is not None:
        report.notes.append(
            f"'{data.action.name}' still covers the strips: unlink it in the action editor"
        )


def _note(scene: bpy.types.Scene, name: str, report: BatchReport) -> None:
    """Show the result of a take in the list."""
    item = batch_of(scene).takes.get(name)
    if item is None:
        return
    if name in report.done:
        item.state, item.baked = "DONE", report.done[name]
        item.result = f"'{item.baked}'"
    else:
        item.state, item.result = "SKIPPED", report.skipped[name]


def _plain(item: SSRHMR_Take) -> PlannedTake:
    return PlannedTake(
        item.name,
        tuple(_key(part) for part in item.trackers),
        tuple(
            ActionPart(_key(part), (part.action, part.action_library or None), part.slot)
            for part in item.parts
        ),
        item.problem,
    )


def _key(part: SSRHMR_TakePart) -> Key:
    return part.name, part.library or None


def _object(key: Key) -> bpy.types.Object:
    obj = find(key)
    if obj is None:
        raise BatchTakeError(f"'{key[0]}' is not in the file any more: press Find Takes again")
    return obj


def _action(part: ActionPart) -> bpy.types.Action | None:
    if part.action is None:
        return None
    action = find_action(part.action)
    if action is None:
        raise BatchTakeError(
            f"the action '{part.action[0]}' is not in the file any more: press Find Takes again"
        )
    return action
