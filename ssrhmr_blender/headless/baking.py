# SPDX-License-Identifier: GPL-3.0-or-later
"""Baking one task: open the character, import the take, bake, write the results."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from ..common.clock import curve_time_per_frame
from ..common.steps import run_steps
from ..common.typed import addon_operators, scene_of, view_layer_of
from .tasks import BakeOptions, BakeTask, HeadlessError, partial_path, put_in_place

if TYPE_CHECKING:
    from ..properties.setup import SSRHMR_Setup


def bake_task(task: BakeTask, options: BakeOptions) -> list[str]:
    """Bake a task, write its results and return what the user should know.

    Raises:
        UserError, ValueError, OSError, RuntimeError: with a message for the user. Blender's
            operators raise the last one, such as for a file that is not a .blend.
    """
    from ..baking.job import bake
    from ..baking.plan import BakeSource
    from ..trackers.empties import TrackerKeys, make_still_empties
    from ..trackers.files import read_take_file, take_name
    from ..trackers.joints import use_joints, use_trackers

    file = read_take_file(task.take, extras=options.extras)
    # Files may come from anywhere: scripts in them do not run.
    bpy.ops.wm.open_mainfile(filepath=str(task.character), load_ui=False, use_scripts=False)
    scene = scene_of(bpy.context)
    setup = _prepare_setup(scene, task.character)
    calibration = setup.calibration
    name = take_name(task.take)
    keys = TrackerKeys(scene, file.take)
    empties = make_still_empties(scene, f"{name} Tracker", keys.roles, performer=file.performer)
    former_range = setup.range
    rate = scene.render.fps / scene.render.fps_base
    calibrated_at = scene.frame_start + round((options.calibrate_at or 0.0) * rate)
    # Only what a calibration looks at is keyed until the character is baked.
    keys.write(empties, calibrated_at - rate, calibrated_at + rate)
    view_layer_of(bpy.context).update()
    if options.calibrate_at is not None:
        use_trackers(setup, empties)
        setup.calibration_frame = calibrated_at
        addon_operators().calibrate()
    elif file.performer is not None:
        # Nobody has compared the character with this performer.
        setup.proportions = "FIT"
        problem = use_joints(scene, setup, empties)
        if problem:
            raise HeadlessError(problem)
    else:
        use_trackers(setup, empties)
        setup.calibration = _check_saved(calibration, task)
    notes = list(file.notes)
    kept = keys if options.trackers and "blend" in options.formats else None
    source = BakeSource(action=name, keys=keys, show=False)
    steps = bake(scene, source)
    # The bake forgets what it has read; nothing here may hold that longer than needed.
    del file, keys, source
    report = run_steps(steps)
    notes += report.notes
    if kept is not None:
        kept.write(empties)
    else:
        _remove_empties(empties)
        setup.range = former_range
    action = bpy.data.actions[report.action]
    scene.frame_start, scene.frame_end = (
        round(time / curve_time_per_frame(scene)) for time in action.frame_range[:]
    )
    scene.frame_current = scene.frame_start
    _write_results(task, options)
    return notes


def _prepare_setup(scene: bpy.types.Scene, character: Path) -> SSRHMR_Setup:
    """Return the setup that the file was saved with, or make one of its only armature."""
    from ..properties.setup import setup_of

    setup = setup_of(scene)
    if setup.armature is None:
        armatures = [obj for obj in scene.objects if obj.type == "ARMATURE"]
        if len(armatures) != 1:
            raise HeadlessError(
                f"{character.name} holds {len(armatures)} armatures: open it, choose the character"
                " in the SSR-HMR tab, and save"
            )
        setup.armature = armatures[0]
    if not setup.bones:
        addon_operators().detect_bones()
    return setup


def _check_saved(calibration: str, task: BakeTask) -> str:
    """Return the calibration that was saved with the character.

    Raises:
        HeadlessError: if there is none.
    """
    if calibration:
        return calibration
    raise HeadlessError(
        "nothing says how the trackers are worn: name a T-pose with --calibrate-at, or save"
        f" {task.character.name} with a calibration"
    )


def _write_results(task: BakeTask, options: BakeOptions) -> None:
    from ..properties.setup import setup_of

    armature = setup_of(scene_of(bpy.context)).armature
    for suffix in options.formats:
        partial = partial_path(task.result(suffix))
        try:
            _WRITERS[suffix](partial, armature)
            put_in_place(partial, task.result(suffix))
        finally:
            partial.unlink(missing_ok=True)


def _remove_empties(empties: Mapping[str, bpy.types.Object]) -> None:
    """Remove empties, their actions and the collection that was made for them."""
    collections = {each for empty in empties.values() for each in empty.users_collection}
    actions = {
        empty.animation_data.action for empty in empties.values() if empty.animation_data
    } - {None}
    blocks = [*empties.values(), *actions, *collections]
    bpy.data.batch_remove([block for block in blocks if block is not None])


def _write_blend(path: Path, armature: bpy.types.Object | None) -> None:
    """Save the file without evaluating its scene, which would copy all keys.

    An operator updates the view layer of the context before it runs; this one gets an empty one,
    in a scene that is not saved.
    """
    empty = bpy.data.scenes.new("SSR-HMR Saving")
    try:
        empty.is_runtime_data = True
        with bpy.context.temp_override(scene=empty, view_layer=empty.view_layers[0]):
            bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True, compress=True)
    finally:
        bpy.data.scenes.remove(empty)


def _write_bvh(path: Path, armature: bpy.types.Object | None) -> None:
    import addon_utils

    if not hasattr(bpy.types, "EXPORT_ANIM_OT_bvh"):
        addon_utils.enable("io_anim_bvh")
    scene, view_layer = scene_of(bpy.context), view_layer_of(bpy.context)
    for obj in view_layer.objects:
        obj.select_set(obj == armature)
    view_layer.objects.active = armature
    bpy.ops.export_anim.bvh(
        filepath=str(path), frame_start=scene.frame_start, frame_end=scene.frame_end
    )


_WRITERS = {"blend": _write_blend, "bvh": _write_bvh}
FORMATS = tuple(_WRITERS)
