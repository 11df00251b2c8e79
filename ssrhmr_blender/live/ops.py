# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting and stopping live capture, calibrating and recording in it."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, ClassVar

import bpy

from ..common.errors import UserError, plain_message
from ..properties.settings import TRACKER_LABELS, live_of, setup_of
from . import capture
from .capture import CaptureError

if TYPE_CHECKING:
    from ssrhmr_core.live.session import RawTake

_EXPLAINED = (UserError, ValueError, OSError)
_INTERVAL = 1.0 / 60.0
_PANEL_SECONDS = 0.25
"""How often the panel is drawn; the 3D view is drawn with every new pose."""


class SSRHMR_OT_live_start(bpy.types.Operator):
    """Listen to the trackers and show the performance on the character. Esc stops."""

    bl_idname = "ssrhmr.live_start"
    bl_label = "Start Live"
    bl_options: ClassVar = {"REGISTER"}

    _capture: capture.Capture
    _panel_drawn = 0.0

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Start; in a window the capture goes on until it is stopped."""
        try:
            self._capture = capture.start(context.scene)
        except _EXPLAINED as error:
            setup_of(context.scene).message = plain_message(error)
            self.report({"ERROR"}, plain_message(error))
            return {"CANCELLED"}
        setup_of(context.scene).message = ""
        _add_handlers()
        if bpy.app.background:
            # No event loop: scripts call ``tick`` of the capture themselves.
            return {"FINISHED"}
        manager = context.window_manager
        self._capture.timer = manager.event_timer_add(_INTERVAL, window=context.window)
        manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Move the capture on at each tick of the timer; everything else passes through."""
        if capture.running() is not self._capture:
            # Stopped from elsewhere: a button, another file, the add-on disabled.
            self._redraw_all(context)
            return {"CANCELLED"}
        if event.type == "ESC" and event.value == "PRESS":
            self._stop(context)
            return {"CANCELLED"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        if context.scene.name != self._capture.scene:
            self._stop(context)
            self.report({"WARNING"}, "Live capture ended: another scene was chosen")
            return {"CANCELLED"}
        try:
            new = self._capture.tick()
            begin_recording(self._capture)
        except _EXPLAINED as error:
            self._stop(context)
            setup_of(context.scene).message = plain_message(error)
            self.report({"ERROR"}, f"Live capture ended: {plain_message(error)}")
            return {"CANCELLED"}
        except BaseException:
            # A bug must not leave the port taken.
            self._stop(context)
            raise
        self._redraw(context, new)
        return {"PASS_THROUGH"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender ends the operator, as when it quits or the window is closed."""
        if capture.running() is self._capture:
            self._stop(context)

    def _redraw(self, context: bpy.types.Context, new: bool) -> None:
        now = time.monotonic()
        panel = now - self._panel_drawn > _PANEL_SECONDS
        if panel:
            self._panel_drawn = now
        changed = {"WINDOW"} if new else set()
        if panel:
            changed |= {"UI", "HEADER"}
        for window in context.window_manager.windows:
            for area in window.screen.areas:
                if area.type != "VIEW_3D":
                    continue
                for region in area.regions:
                    if region.type in changed:
                        region.tag_redraw()

    def _stop(self, context: bpy.types.Context) -> None:
        try:
            stop()
        except _EXPLAINED as error:
            self.report({"ERROR"}, plain_message(error))
        finally:
            self._redraw_all(context)

    def _redraw_all(self, context: bpy.types.Context) -> None:
        for window in context.window_manager.windows:
            for area in window.screen.areas:
                area.tag_redraw()


class SSRHMR_OT_live_stop(bpy.types.Operator):
    """Stop listening; the character stands as before. A recording is finished first."""

    bl_idname = "ssrhmr.live_stop"
    bl_label = "Stop Live"
    bl_options: ClassVar = {"REGISTER"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only while it runs."""
        return capture.running() is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Stop."""
        try:
            stop()
        except _EXPLAINED as error:
            self.report({"ERROR"}, plain_message(error))
            return {"CANCELLED"}
        return {"FINISHED"}


class SSRHMR_OT_live_calibrate(bpy.types.Operator):
    """Count down, then calibrate: stand still in the reference pose when it reaches zero."""

    bl_idname = "ssrhmr.live_calibrate"
    bl_label = "Calibrate"
    bl_options: ClassVar = {"REGISTER"}

    poll = SSRHMR_OT_live_stop.poll

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Begin the countdown, or end the one that runs."""
        from ssrhmr_core.tracking.calibration import CalibrationOptions
        from ssrhmr_core.tracking.reference_pose import ReferencePose

        found = _running()
        setup, live = setup_of(context.scene), live_of(context.scene)
        try:
            if found.status.countdown > 0.0:
                found.session.cancel_calibration()
            else:
                if setup.reference == "CHARACTER":
                    raise UserError("Live calibration needs a pose of the performer: choose T-Pose")
                options = CalibrationOptions(
                    # Without a character there are no proportions but the performer's.
                    setup.scale if found.has_character else "RETARGET",
                    ReferencePose(setup.reference),
                    setup.height / found.unit or None,
                )
                found.session.begin_calibration(live.countdown, options)
        except _EXPLAINED as error:
            self.report({"ERROR"}, plain_message(error))
            return {"CANCELLED"}
        return {"FINISHED"}


class SSRHMR_OT_live_pause(bpy.types.Operator):
    """Hold the pose; trackers are still listened to and recorded."""

    bl_idname = "ssrhmr.live_pause"
    bl_label = "Pause"
    bl_options: ClassVar = {"REGISTER"}

    poll = SSRHMR_OT_live_stop.poll

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Pause, or go on."""
        found = _running()
        if found.status.paused:
            found.session.resume()
        else:
            found.session.pause()
        return {"FINISHED"}


class SSRHMR_OT_live_character(bpy.types.Operator):
    """Show the performance on the character that is chosen now."""

    bl_idname = "ssrhmr.live_character"
    bl_label = "Use Character"
    bl_options: ClassVar = {"REGISTER"}

    poll = SSRHMR_OT_live_stop.poll

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Let go of the former character, take the setup's."""
        try:
            _running().take_character(setup_of(context.scene))
        except _EXPLAINED as error:
            self.report({"ERROR"}, plain_message(error))
            return {"CANCELLED"}
        return {"FINISHED"}


class SSRHMR_OT_live_wiggle(bpy.types.Operator):
    """Shake one tracker, keep the others still, press this: the one that moves is worn there."""

    bl_idname = "ssrhmr.live_wiggle"
    bl_label = "Wiggle to Assign"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    role: bpy.props.EnumProperty(
        name="Worn On",
        description="The tracker that is shaken",
        items=tuple((role, label, "") for role, label in TRACKER_LABELS.items()),
    )

    poll = SSRHMR_OT_live_stop.poll

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Give the role to the device that was shaken."""
        name = _running().session.wiggled()
        if name is None:
            self.report(
                {"WARNING"}, "No device moved alone: shake one, keep the others still, try again"
            )
            return {"CANCELLED"}
        devices = live_of(context.scene).devices
        if name not in devices:
            devices.add().name = name
        devices[name].role = self.role
        self.report({"INFO"}, f"'{name}' is worn as {TRACKER_LABELS[self.role]}")
        return {"FINISHED"}


class SSRHMR_OT_live_forget(bpy.types.Operator):
    """Remove devices from the table that are silent now."""

    bl_idname = "ssrhmr.live_forget"
    bl_label = "Forget Absent Devices"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Remove them; those that are heard stay."""
        found = capture.running()
        heard = set(found.heard) if found else set()
        devices = live_of(context.scene).devices
        for index in reversed(range(len(devices))):
            if devices[index].name not in heard:
                devices.remove(index)
        return {"FINISHED"}


class SSRHMR_OT_record(bpy.types.Operator):
    """Record the trackers, all of them at their own rate; press again to end and bake."""

    bl_idname = "ssrhmr.record"
    bl_label = "Record"
    bl_options: ClassVar = {"REGISTER"}

    poll = SSRHMR_OT_live_stop.poll

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Begin or end a recording."""
        found, live = _running(), live_of(context.scene)
        try:
            if found.recording:
                end_recording(found, context.scene)
                return {"FINISHED"}
            path = found.record(capture.takes_folder(live), live.pre_roll)
            begin_recording(found)
        except _EXPLAINED as error:
            self.report({"ERROR"}, plain_message(error))
            return {"CANCELLED"}
        self.report({"INFO"}, f"Recording {path.name}")
        return {"FINISHED"}


def stop() -> None:
    """End the capture; a recording that was under way is kept, and baked on request."""
    found = capture.running()
    take = _release()
    scene = bpy.data.scenes.get(found.scene) if found else None
    if scene is None:
        return
    if take is not None:
        _stop_timeline(scene)
    # What the character's own action says shows again.
    scene.frame_set(scene.frame_current, subframe=scene.frame_subframe)
    if take is not None:
        setup_of(scene).message = f"'{take.path.name}' was recorded: {take.seconds:.1f} s"


def begin_recording(found: capture.Capture) -> None:
    """Begin a recording that is due; the timeline runs along with it, if that is wanted."""
    if not found.due:
        return
    scene, screen = bpy.data.scenes[found.scene], bpy.context.screen
    plays = live_of(scene).play and screen is not None
    if plays:
        # First all that takes time: recording and timeline begin at once.
        _stop_timeline(scene)
        scene.frame_set(first_frame(scene))
    found.begin_recording()
    if plays:
        # Slow views leave frames out, so that it keeps up with the performer.
        bpy.ops.screen.animation_play(sync=True)


def first_frame(scene: bpy.types.Scene) -> int:
    """Where the timeline begins."""
    return scene.frame_preview_start if scene.use_preview_range else scene.frame_start


def _stop_timeline(scene: bpy.types.Scene) -> None:
    screen = bpy.context.screen
    if live_of(scene).play and screen is not None and screen.is_animation_playing:
        bpy.ops.screen.animation_cancel(restore_frame=False)


def end_recording(found: capture.Capture, scene: bpy.types.Scene) -> None:
    """Close the take, and bake it if the user wants that."""
    take = found.end_recording()
    _stop_timeline(scene)
    setup, live = setup_of(scene), live_of(scene)
    if take is None:
        setup.message = "Nothing was recorded: wait until the pre-roll is over before you stop"
        return
    setup.message = f"'{take.path.name}': {take.seconds:.1f} s, {take.readings:,} readings"
    if not (live.bake and take.readings and found.has_character and setup.calibration):
        return
    mode = "EXEC_DEFAULT" if bpy.app.background else "INVOKE_DEFAULT"
    # Where the timeline was when the first tracker was heard, were it played along.
    waited = round(take.first * scene.render.fps / scene.render.fps_base)
    start = first_frame(scene) + waited
    bpy.ops.ssrhmr.bake_take(mode, filepath=str(take.path), frame_start=start)


def _running() -> capture.Capture:
    found = capture.running()
    if found is None:
        raise CaptureError("Live capture is not running: press Start Live")
    return found


def _before_load(*_: object) -> None:
    """Another file is opened: nothing of this one may be touched any more."""
    stop_running()


def _after_frame(scene: bpy.types.Scene, *_: object) -> None:
    """The character's action has posed it for the new frame; the performance goes over it."""
    found = capture.running()
    if found is not None and scene.name == found.scene:
        found.show_again()


_HANDLERS = (
    (bpy.app.handlers.load_pre, _before_load),
    (bpy.app.handlers.frame_change_post, _after_frame),
)


def _release() -> RawTake | None:
    try:
        return capture.stop()
    finally:
        _remove_handlers()


def _add_handlers() -> None:
    for handlers, handler in _HANDLERS:
        if handler not in handlers:
            handlers.append(handler)


def _remove_handlers() -> None:
    for handlers, handler in _HANDLERS:
        if handler in handlers:
            handlers.remove(handler)


def stop_running() -> None:
    """End everything, as when the add-on is disabled; nobody is there to be told of a full disk."""
    with contextlib.suppress(*_EXPLAINED):
        _release()


CLASSES = (
    SSRHMR_OT_live_start,
    SSRHMR_OT_live_stop,
    SSRHMR_OT_live_calibrate,
    SSRHMR_OT_live_pause,
    SSRHMR_OT_live_character,
    SSRHMR_OT_live_wiggle,
    SSRHMR_OT_live_forget,
    SSRHMR_OT_record,
)
