# SPDX-License-Identifier: GPL-3.0-or-later
"""The batch as a job of many steps around the single bake."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from functools import partial

import bpy

from ..animation.actions import animation_data_of, curves_of
from ..animation.assignment import assign, assignment_of, restore
from ..baking.job import bake
from ..baking.plan import BakeSource
from ..common.clock import curve_time_per_frame
from ..common.compat import assign_slot, assigned_slot, first_slot
from ..common.data_blocks import DataBlockKey, find_action, find_object, key_of
from ..common.errors import UserError, plain_message
from ..common.modal_job import EXPLAINED
from ..common.steps import map_steps
from ..common.validation import SetupError, check_character, check_trackers
from ..properties.setup import setup_of
from ..properties.tracker import TRACKERS
from ..trackers.stored_calibration import check_calibrated
from .finding import ActionPart
from .properties import SSRHMR_Take, SSRHMR_TakePart, batch_of


class BatchTakeError(UserError):
    """A take that cannot be baked; the message says why."""


@dataclass(frozen=True)
class PlannedTake:
    """A take of the list, copied from Blender's data.

    Attributes:
        name: Name of the take.
        trackers: Keys of objects by role, or none where they are those of the setup.
        parts: Actions to assign, and the objects to assign them to.
        problem: Why it cannot be baked, empty if it can.
    """

    name: str
    trackers: dict[str, DataBlockKey]
    parts: tuple[ActionPart, ...]
    problem: str


@dataclass
class BatchReport:
    """What a batch has done so far.

    Attributes:
        chosen: Number of takes to bake.
        done: Name of the new action by take.
        skipped: Reason by take.
        notes: What the user should know.
    """

    chosen: int = 0
    done: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def bake_takes(
    scene: bpy.types.Scene, report: BatchReport
) -> Generator[tuple[float, str], None, BatchReport]:
    """Bake the ticked takes of the scene's list onto its character.

    Trackers, character and frame are restored after every take, also when the generator is closed
    early. Takes that are finished by then are kept.

    Args:
        scene: Scene of the window.
        report: Report that is filled as takes are finished.

    Yields:
        The share done (0..1) and what is being done.

    Raises:
        UserError: if the character cannot be baked at all; problems of a take are reported.
    """
    setup, batch = setup_of(scene), batch_of(scene)
    armature = check_character(setup)
    check_calibrated(setup)
    takes = [_plan_take(item) for item in batch.takes if item.use]
    if not takes:
        raise SetupError("No takes are ticked: press Find Takes, and tick those to bake")
    owner, scene_name, strips = key_of(armature), scene.name, batch.strips
    whole = batch.span == "TAKE"
    report.chosen = len(takes)
    for item in batch.takes:
        item.state, item.result, item.baked = "WAITING", "", ""
    for number, take in enumerate(takes):
        progress = partial(_batch_progress, take.name, number, len(takes))
        try:
            report.done[take.name] = yield from map_steps(
                _bake_one(scene_name, owner, take, whole), progress
            )
        except EXPLAINED as error:
            report.skipped[take.name] = plain_message(error)
        _show_result(bpy.data.scenes[scene_name], take.name, report)
    if report.done and strips in _STRIPS:
        _STRIPS[strips](bpy.data.scenes[scene_name], owner, report)
    return report


def _batch_progress(
    take: str, number: int, count: int, step: tuple[float, str]
) -> tuple[float, str]:
    """Turn the progress of a take into that of the batch."""
    share, text = step
    return (number + share) / count, f"{take}: {text}"


def _bake_one(
    scene_name: str, owner: DataBlockKey, take: PlannedTake, whole: bool
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
        trackers = {role: _object(key) for role, key in take.trackers.items()}
        followed = trackers or check_trackers(setup_of(scene))
        moving = [*followed.values(), *(obj for obj, _ in pairs)]
        span = _keyed_range(scene, moving) if whole else None
        name = take.name
        if name in bpy.data.actions:
            name = f"{take.name} {armature.name}"
        report = yield from bake(scene, BakeSource(trackers, span, name, layer=False))
        # Nothing else uses it: Blender would throw it away with the next save.
        bpy.data.actions[report.action].use_fake_user = True
        return report.action
    finally:
        for each in before:
            restore(each)
        if scene_name in bpy.data.scenes:
            bpy.data.scenes[scene_name].frame_set(frame[0], subframe=frame[1])


def _keyed_range(scene: bpy.types.Scene, objects: list[bpy.types.Object]) -> tuple[int, int] | None:
    """Return the first and last key; None if there are none, as with trackers moved by drivers."""
    spans = [
        curve.range() for obj in objects for curve in curves_of(obj) if len(curve.keyframe_points)
    ]
    if not spans:
        return None
    factor = curve_time_per_frame(scene)
    first, last = min(span[0] for span in spans), max(span[1] for span in spans)
    return round(first / factor), round(last / factor)


def _add_strips(scene: bpy.types.Scene, owner: DataBlockKey, report: BatchReport) -> None:
    """Put each new action on a muted NLA track of its own."""
    data = animation_data_of(_object(owner))
    for take, name in report.done.items():
        action = bpy.data.actions[name]
        track = data.nla_tracks.new()
        track.name = take
        _add_strip(track, action, round(action.frame_range[0]))
        track.mute = True


def _add_sequence(scene: bpy.types.Scene, owner: DataBlockKey, report: BatchReport) -> None:
    """Put the new actions one after the other on one NLA track."""
    data = animation_data_of(_object(owner))
    track, start = data.nla_tracks.new(), scene.frame_start
    track.name = "SSR-HMR"
    for name in report.done.values():
        strip = _add_strip(track, bpy.data.actions[name], start)
        start = int(strip.frame_end) + 1
    if data.action is not None:
        report.notes.append(
            f"'{data.action.name}' still covers the strips: unlink it in the action editor"
        )


def _add_strip(
    track: bpy.types.NlaTrack, action: bpy.types.Action, start: int
) -> bpy.types.NlaStrip:
    strip = track.strips.new(action.name, start, action)
    assign_slot(strip, assigned_slot(strip) or first_slot(action))
    return strip


_STRIPS = {"STASH": _add_strips, "SEQUENCE": _add_sequence}


def _show_result(scene: bpy.types.Scene, name: str, report: BatchReport) -> None:
    """Show the result of a take in the list."""
    item = batch_of(scene).takes.get(name)
    if item is None:
        return
    if name in report.done:
        item.state, item.baked = "DONE", report.done[name]
        item.result = f"'{item.baked}'"
    else:
        item.state, item.result = "SKIPPED", report.skipped[name]


def _plan_take(item: SSRHMR_Take) -> PlannedTake:
    return PlannedTake(
        name=item.name,
        # Files of earlier versions list all six, without their roles.
        trackers={
            part.role or role: _key(part)
            for role, part in zip(TRACKERS, item.trackers, strict=False)
        },
        parts=tuple(
            ActionPart(_key(part), (part.action, part.action_library or None), part.slot)
            for part in item.parts
        ),
        problem=item.problem,
    )


def _key(part: SSRHMR_TakePart) -> DataBlockKey:
    return part.name, part.library or None


def _object(key: DataBlockKey) -> bpy.types.Object:
    obj = find_object(key)
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
