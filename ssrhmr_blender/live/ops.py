# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators that start and stop live capture, calibrate in it and pause it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import bpy

from ..common.errors import UserError, plain_message
from ..common.log import LOGGER
from ..common.modal_job import EXPLAINED
from ..common.typed import OperatorMixin, OperatorResult, scene_of, window_manager_of
from ..common.ui import tag_redraw_regions
from ..properties.live import live_of
from ..properties.setup import setup_of
from ..trackers.take import chosen_segments
from . import capture
from .lifecycle import add_handlers, stop
from .recording import begin_recordings

if TYPE_CHECKING:
    from ssrhmr_core.tracking.calibration import CalibrationOptions

_INTERVAL = 1.0 / 60.0
_PANEL_SECONDS = 0.25
"""Time between two redraws of the panel; the 3D view is drawn with every new pose."""


class SSRHMR_OT_live_start(bpy.types.Operator):
    """Listen to the trackers and show the performance on the character. Esc stops."""

    bl_idname = "ssrhmr.live_start"
    bl_label = "Start Live"
    bl_options = {"REGISTER"}

    _timer: bpy.types.Timer | None = None
    _scene = ""
    _panel_drawn = 0.0

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        """Start; in a window the capture runs until it is stopped."""
        scene = scene_of(context)
        try:
            capture.start(scene)
        except EXPLAINED as error:
            message = plain_message(error)
            setup_of(scene).message = message
            self.report({"ERROR"}, message)
            return {"CANCELLED"}
        setup_of(scene).message = ""
        add_handlers()
        if bpy.app.background:
            # No event loop: scripts call ``tick`` of the capture themselves.
            return {"FINISHED"}
        if capture.timer() is not None:
            # The operator of another performer ticks this capture too.
            return {"FINISHED"}
        manager = window_manager_of(context)
        self._timer = manager.event_timer_add(_INTERVAL, window=context.window)
        self._scene = scene.name
        capture.set_timer(self._timer)
        manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorResult:
        """Tick the captures with the timer; everything else passes through."""
        if capture.timer() is not self._timer:
            # Stopped from elsewhere: a button, another file, the add-on disabled.
            self._redraw_all(context)
            return {"CANCELLED"}
        if event.type == "ESC" and event.value == "PRESS":
            guides = [each.guide for each in capture.all_running() if each.guide is not None]
            for guide in guides:
                guide.calibration.cancel()
            if guides:
                return {"RUNNING_MODAL"}
            self._stop(context)
            return {"CANCELLED"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        if scene_of(context).name != self._scene:
            self._stop(context)
            self.report({"WARNING"}, "Live capture ended: another scene was chosen")
            return {"CANCELLED"}
        return self._tick(context)

    def _tick(self, context: bpy.types.Context) -> OperatorResult:
        new = False
        for current in capture.all_running():
            try:
                new = current.tick() or new
            except EXPLAINED as error:
                self._end(context, current, error)
            except BaseException:
                LOGGER.exception("Live capture failed")
                # A bug must not leave the port taken.
                self._stop(context)
                raise
        try:
            begin_recordings()
        except EXPLAINED as error:
            self._end(context, None, error)
        if not capture.all_running():
            return {"CANCELLED"}
        self._redraw(context, new)
        return {"PASS_THROUGH"}

    def _end(
        self, context: bpy.types.Context, current: capture.Capture | None, error: Exception
    ) -> None:
        """End a capture that failed (all if None), and say why."""
        scene, message = scene_of(context), plain_message(error)
        setup = current.find_setup(scene) if current and current.scene == scene.name else None
        self._stop(context, current)
        (setup or setup_of(scene)).message = message
        self.report({"ERROR"}, f"Live capture ended: {message}")

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender ends the operator, as when it quits or the window is closed."""
        if capture.timer() is self._timer:
            self._stop(context)

    def _redraw(self, context: bpy.types.Context, new: bool) -> None:
        now = time.monotonic()
        kinds = {"WINDOW"} if new else set()
        if now - self._panel_drawn > _PANEL_SECONDS:
            self._panel_drawn = now
            kinds |= {"UI", "HEADER"}
        tag_redraw_regions(context, kinds)

    def _stop(self, context: bpy.types.Context, current: capture.Capture | None = None) -> None:
        try:
            stop(current)
        except EXPLAINED as error:
            self.report({"ERROR"}, plain_message(error))
        finally:
            self._redraw_all(context)

    def _redraw_all(self, context: bpy.types.Context) -> None:
        for window in window_manager_of(context).windows:
            for area in window.screen.areas:
                area.tag_redraw()


class _WhileRunning(OperatorMixin):
    """An operator that needs a running capture."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Return whether a capture runs."""
        return capture.running() is not None


class SSRHMR_OT_live_stop(_WhileRunning, bpy.types.Operator):
    """Stop listening; the character stands as before. A recording is finished first."""

    bl_idname = "ssrhmr.live_stop"
    bl_label = "Stop Live"
    bl_options = {"REGISTER"}

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        """Stop."""
        try:
            stop(capture.require_running())
        except EXPLAINED as error:
            self.report({"ERROR"}, plain_message(error))
            return {"CANCELLED"}
        return {"FINISHED"}


class SSRHMR_OT_live_calibrate(_WhileRunning, bpy.types.Operator):
    """Count down, then calibrate: stand still in the reference pose when it reaches zero."""

    bl_idname = "ssrhmr.live_calibrate"
    bl_label = "Calibrate"
    bl_options = {"REGISTER"}

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        """Begin the countdown, or end the one that runs."""
        current = capture.require_running()
        try:
            if current.guide is not None:
                current.guide.calibration.cancel()
            elif current.session.countdown > 0.0:
                current.session.cancel_calibration()
            else:
                self._begin(scene_of(context), current)
        except EXPLAINED as error:
            self.report({"ERROR"}, plain_message(error))
            return {"CANCELLED"}
        return {"FINISHED"}

    def _begin(self, scene: bpy.types.Scene, current: capture.Capture) -> None:
        options = _calibration_options(scene, current)
        current.session.begin_calibration(live_of(scene).countdown, options)


def _calibration_options(scene: bpy.types.Scene, current: capture.Capture) -> CalibrationOptions:
    """Return how the panels say to calibrate.

    Raises:
        UserError: if their reference is no pose of the performer.
    """
    from ssrhmr_core.tracking.calibration import CalibrationOptions
    from ssrhmr_core.tracking.reference_pose import ReferencePose

    setup = setup_of(scene)
    if setup.reference in ("CHARACTER", "JOINTS"):
        raise UserError("Live calibration needs a pose of the performer: choose T-Pose")
    return CalibrationOptions(
        # Without a character there are no proportions but the performer's.
        proportions=setup.proportions if current.has_character else "RETARGET",
        reference=ReferencePose(setup.reference),
        height=setup.height / current.unit or None,
        segments=chosen_segments(setup),
    )


class SSRHMR_OT_live_guide(_WhileRunning, bpy.types.Operator):
    """Count down to the pose, then show a movement to copy: it measures better. Esc cancels."""

    bl_idname = "ssrhmr.live_guide"
    bl_label = "Calibrate with Movement"
    bl_options = {"REGISTER"}

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        """Begin, or cancel what runs: the calibration of before comes back."""
        current, scene = capture.require_running(), scene_of(context)
        try:
            if current.guide is not None:
                current.guide.calibration.cancel()
            else:
                live, options = live_of(scene), _calibration_options(scene, current)
                current.begin_guide(live.countdown, options, live.sound)
        except EXPLAINED as error:
            self.report({"ERROR"}, plain_message(error))
            return {"CANCELLED"}
        return {"FINISHED"}


class SSRHMR_OT_live_guide_skip(_WhileRunning, bpy.types.Operator):
    """Leave out the rest of the movement and keep the calibration from the pose."""

    bl_idname = "ssrhmr.live_guide_skip"
    bl_label = "Use the Pose Alone"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Return whether a guided calibration runs."""
        current = capture.running()
        return current is not None and current.guide is not None

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        """Skip it."""
        guide = capture.require_running().guide
        if guide is not None:
            guide.calibration.use_pose()
        return {"FINISHED"}


class SSRHMR_OT_live_pause(_WhileRunning, bpy.types.Operator):
    """Hold the pose; trackers are still listened to and recorded."""

    bl_idname = "ssrhmr.live_pause"
    bl_label = "Pause"
    bl_options = {"REGISTER"}

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        """Pause, or resume."""
        current = capture.require_running()
        if current.session.paused:
            current.session.resume()
        else:
            current.session.pause()
        return {"FINISHED"}


class SSRHMR_OT_live_character(_WhileRunning, bpy.types.Operator):
    """Show the performance on the character that is chosen now."""

    bl_idname = "ssrhmr.live_character"
    bl_label = "Use Character"
    bl_options = {"REGISTER"}

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        """Release the former character and use the setup's."""
        try:
            capture.require_running().take_character(setup_of(scene_of(context)))
        except EXPLAINED as error:
            self.report({"ERROR"}, plain_message(error))
            return {"CANCELLED"}
        return {"FINISHED"}


CLASSES = (
    SSRHMR_OT_live_start,
    SSRHMR_OT_live_stop,
    SSRHMR_OT_live_calibrate,
    SSRHMR_OT_live_guide,
    SSRHMR_OT_live_guide_skip,
    SSRHMR_OT_live_pause,
    SSRHMR_OT_live_character,
)
