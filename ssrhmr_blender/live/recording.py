# SPDX-License-Identifier: GPL-3.0-or-later
"""Recording takes while a capture runs, in step with the timeline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import bpy
from bpy.app.translations import pgettext_iface as iface_

from ..common.errors import UserError, plain_message
from ..common.modal_job import EXPLAINED
from ..common.typed import OperatorResult, addon_operators, scene_of, window_manager_of
from ..properties.characters import activate
from ..properties.live import live_of, note_chosen_folder
from ..properties.setup import setup_of
from .capture import all_running, require_running, running
from .lifecycle import stop_timeline
from .takes import may_write, takes_folder

if TYPE_CHECKING:
    from ssrhmr_core.live import RawTake

    from ..properties.setup import SSRHMR_Setup


class SSRHMR_OT_record(bpy.types.Operator):
    """Record the trackers, all of them at their own rate; press again to end and bake."""

    bl_idname = "ssrhmr.record"
    bl_label = "Record"
    bl_options = {"REGISTER"}

    _asked: Path | None = None

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Return whether a capture runs."""
        return running() is not None

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorResult:
        """Ask before takes are written where only the file says."""
        folder = takes_folder(live_of(scene_of(context)))
        if require_running().recording or may_write(folder):
            return self.execute(context)
        self._asked = folder
        text = iface_("This file wants takes to be written into {folder}").format(folder=folder)
        manager = window_manager_of(context)
        return manager.invoke_confirm(self, event, message=text, confirm_text="Record")

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        """Begin or end a recording of all performers."""
        scene = scene_of(context)
        current, live = require_running(), live_of(scene)
        try:
            if current.recording:
                end_recordings(scene)
                return {"FINISHED"}
            folder = self._folder(takes_folder(live))
            path = current.record(folder, live.pre_roll)
            for other in all_running():
                if other is not current and other.session.roles and not other.recording:
                    other.record(folder, live.pre_roll)
            begin_recordings()
        except EXPLAINED as error:
            self.report({"ERROR"}, plain_message(error))
            return {"CANCELLED"}
        self.report({"INFO"}, f"Recording {path.name}")
        return {"FINISHED"}

    def _folder(self, folder: Path) -> Path:
        """Return the folder if takes may be written there."""
        if self._asked == folder:
            note_chosen_folder(folder)
        if not may_write(folder):
            raise UserError(
                f"This file wants takes to be written into '{folder}': choose a folder under Takes"
            )
        return folder


def begin_recordings() -> None:
    """Begin recordings that are due, and play the timeline along if the user wants that."""
    due = [capture for capture in all_running() if capture.due]
    if not due:
        return
    scene, screen = bpy.data.scenes[due[0].scene], bpy.context.screen
    plays = live_of(scene).play and screen is not None
    if plays:
        # First all that takes time: recording and timeline begin at once.
        stop_timeline(scene)
        scene.frame_set(first_frame(scene))
    for capture in due:
        capture.begin_recording()
    if plays:
        # Slow views leave frames out, so that it keeps up with the performer.
        bpy.ops.screen.animation_play(sync=True)


def end_recordings(scene: bpy.types.Scene) -> None:
    """Close the takes of all performers, and bake them if the user wants that."""
    takes = [(each, each.end_recording()) for each in all_running() if each.recording]
    stop_timeline(scene)
    baked: list[tuple[SSRHMR_Setup, RawTake]] = []
    for capture, take in takes:
        setup = capture.find_setup(scene)
        if take is None:
            text = "Nothing was recorded: wait until the pre-roll is over before you stop"
            (setup or setup_of(scene)).message = text
            continue
        text = f"'{take.path.name}': {take.seconds:.1f} s, {take.readings:,} readings"
        (setup or setup_of(scene)).message = text
        wanted = live_of(scene).bake and take.readings and capture.has_character
        if setup is not None and wanted and setup.calibration:
            baked.append((setup, take))
    active = setup_of(scene)
    for setup, take in baked:
        # One job runs at a time: the takes of several performers are baked one after the other.
        shown = bpy.app.background or len(baked) > 1
        mode = "EXEC_DEFAULT" if shown else "INVOKE_DEFAULT"
        # Where the timeline was, had it played, when the first reading arrived.
        delay = round(take.first * scene.render.fps / scene.render.fps_base)
        activate(scene, setup)
        start = first_frame(scene) + delay
        addon_operators().bake_take(mode, filepath=str(take.path), frame_start=start)
    activate(scene, active)


def first_frame(scene: bpy.types.Scene) -> int:
    """Return the frame at which the timeline begins."""
    return scene.frame_preview_start if scene.use_preview_range else scene.frame_start


CLASSES = (SSRHMR_OT_record,)
