# SPDX-License-Identifier: GPL-3.0-or-later
"""Baking one task: open the character, import the take, bake, write the results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from ..common.steps import run_steps
from ..common.typed import addon_operators, scene_of, view_layer_of
from .tasks import BakeOptions, BakeTask, HeadlessError, partial_path

if TYPE_CHECKING:
    from ssrhmr_core import Skeleton, Take

    from ..properties.setup import SSRHMR_Setup


def bake_task(task: BakeTask, options: BakeOptions) -> list[str]:
    """Bake a task, write its results and return what the user should know.

    Raises:
        UserError, ValueError, OSError, RuntimeError: with a message for the user. Blender's
            operators raise the last one, such as for a file that is not a .blend.
    """
    from ..baking.job import bake
    from ..baking.plan import BakeSource

    take, performer = _read_take(task.take)
    # Files may come from anywhere: scripts in them do not run.
    bpy.ops.wm.open_mainfile(filepath=str(task.character), load_ui=False, use_scripts=False)
    scene = scene_of(bpy.context)
    setup = _prepare_setup(scene, task.character)
    calibration = setup.calibration
    _import_trackers(scene, setup, f"{task.take.stem} Tracker", take)
    if options.calibrate_at is not None:
        rate = scene.render.fps / scene.render.fps_base
        setup.calibration_frame = scene.frame_start + round(options.calibrate_at * rate)
        addon_operators().calibrate()
    else:
        setup.calibration = _find_calibration(scene, setup, task, calibration, performer)
    report = run_steps(bake(scene, BakeSource(action=task.take.stem)))
    action = bpy.data.actions[report.action]
    scene.frame_start, scene.frame_end = (round(frame) for frame in action.frame_range[:])
    scene.frame_set(scene.frame_start)
    _write_results(task, options)
    return list(report.notes)


def _read_take(path: Path) -> tuple[Take, Skeleton | None]:
    """Return the trackers, and the performer's skeleton if the file describes it."""
    from ssrhmr_core import Take, load_motion
    from ssrhmr_core.formats.trackers_csv import load_trackers

    if path.suffix.lower() == ".csv":
        return load_trackers(path), None
    performance = load_motion(path)
    return Take.from_motion(performance), performance.skeleton


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


def _import_trackers(scene: bpy.types.Scene, setup: SSRHMR_Setup, name: str, take: Take) -> None:
    from ..properties.tracker import TRACKERS
    from ..trackers.empties import make_empties

    empties = make_empties(scene, name, take)
    for role in TRACKERS:
        setattr(setup, role, empties.get(role))
    view_layer_of(bpy.context).update()
    setup.range = "TRACKERS"


def _find_calibration(
    scene: bpy.types.Scene,
    setup: SSRHMR_Setup,
    task: BakeTask,
    saved: str,
    performer: Skeleton | None,
) -> str:
    """Return the calibration to bake with.

    Args:
        scene: Scene of the setup.
        setup: Setup of the character.
        task: The task, for messages.
        saved: Calibration that was saved with the character, empty if none was.
        performer: Skeleton of the performer where the trackers are its joints.

    Raises:
        HeadlessError: if there is none.
    """
    from ..trackers.stored_calibration import clear_adjustments

    if performer is not None:
        clear_adjustments(setup)
        return _calibrate_to_joints(scene, setup, performer)
    if saved:
        return saved
    raise HeadlessError(
        "nothing says how the trackers are worn: name a T-pose with --calibrate-at, or save"
        f" {task.character.name} with a calibration"
    )


def _calibrate_to_joints(scene: bpy.types.Scene, setup: SSRHMR_Setup, performer: Skeleton) -> str:
    """Return the calibration of trackers that are the performer's joints, scaled to the character.

    Raises:
        SetupError: if the character cannot be animated.
    """
    from dataclasses import replace

    from ssrhmr_core import Calibration

    from ..common.axes import metre
    from ..common.validation import check_character
    from ..rig.reading import read_character

    bones = tuple(slot.bone for slot in setup.bones)
    character = read_character(check_character(setup), bones)
    scale = character.rest.skeleton.size / (performer.size * metre(scene))
    return replace(Calibration.none(), scale=scale).to_json()


def _write_results(task: BakeTask, options: BakeOptions) -> None:
    from ..properties.setup import setup_of

    armature = setup_of(scene_of(bpy.context)).armature
    task.out.mkdir(parents=True, exist_ok=True)
    for suffix in options.formats:
        partial = partial_path(task.result(suffix))
        try:
            _WRITERS[suffix](partial, armature)
            partial.replace(task.result(suffix))
        finally:
            partial.unlink(missing_ok=True)


def _write_blend(path: Path, armature: bpy.types.Object | None) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True, compress=True)


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
