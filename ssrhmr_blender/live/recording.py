# SPDX-License-Identifier: GPL-3.0-or-later
"""Recording takes while a capture runs, in step with the timeline."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.app.translations import pgettext_iface as iface_

from ..common.errors import UserError, plain_message
from ..common.modal_job import EXPLAINED
from ..common.typed import OperatorResult, addon_operators, scene_of, window_manager_of
from ..properties.live import live_of, note_chosen_folder
from ..properties.setup import setup_of
from .capture import Capture, require_running, running
from .lifecycle import stop_timeline
from .takes import may_write, takes_folder


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
        """Begin or end a recording."""
        scene = scene_of(context)
        capture, live = require_running(), live_of(scene)
        try:
            if capture.recording:
                end_recording(capture, scene)
                return {"FINISHED"}
            path = capture.record(self._folder(takes_folder(live)), live.pre_roll)
            begin_recording(capture)
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


def begin_recording(capture: Capture) -> None:
    """Begin a recording that is due, and play the timeline along with it if the user wants that."""
    if not capture.due:
        return
    scene, screen = bpy.data.scenes[capture.scene], bpy.context.screen
    plays = live_of(scene).play and screen is not None
    if plays:
        # First all that takes time: recording and timeline begin at once.
        stop_timeline(scene)
        scene.frame_set(first_frame(scene))
    capture.begin_recording()
    if plays:
        # Slow views leave frames out, so that it keeps up with the performer.
        bpy.ops.screen.animation_play(sync=True)


def end_recording(capture: Capture, scene: bpy.types.Scene) -> None:
    """Close the take, and bake it if the user wants that."""
    take = capture.end_recording()
    stop_timeline(scene)
    setup, live = setup_of(scene), live_of(scene)
    if take is None:
        setup.message = "Nothing was recorded: wait until the pre-roll is over before you stop"
        return
    setup.message = f"'{take.path.name}': {take.seconds:.1f} s, {take.readings:,} readings"
    if not (live.bake and take.readings and capture.has_character and setup.calibration):
        return
    mode = "EXEC_DEFAULT" if bpy.app.background else "INVOKE_DEFAULT"
    # Where the timeline was, had it played, when the first reading arrived.
    delay = round(take.first * scene.render.fps / scene.render.fps_base)
    start = first_frame(scene) + delay
    addon_operators().bake_take(mode, filepath=str(take.path), frame_start=start)


def first_frame(scene: bpy.types.Scene) -> int:
    """Return the frame at which the timeline begins."""
    return scene.frame_preview_start if scene.use_preview_range else scene.frame_start


CLASSES = (SSRHMR_OT_record,)
