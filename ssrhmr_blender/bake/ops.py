"""The bake operator: in one go from scripts, in steps with progress and Esc from the panel."""

from __future__ import annotations

import bpy

from ..errors import UserError
from ..rig.baking import Report, Steps, bake
from ..settings import setup_of

# What a user can do something about; anything else is a bug and should be seen as one.
_EXPLAINED = (UserError, ValueError)
_INTERVAL = 0.01

_running: SSRHMR_OT_bake | None = None


class SSRHMR_OT_bake(bpy.types.Operator):
    """Turn the trackers' animation into keyframes on the character, as a new action."""

    bl_idname = "ssrhmr.bake"
    bl_label = "Bake"
    bl_options = {"REGISTER", "UNDO"}

    _steps: Steps
    _timer: bpy.types.Timer | None = None
    _scene: str

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Bake at once."""
        steps = bake(context.scene)
        try:
            while True:
                next(steps)
        except StopIteration as finished:
            return self._finished(context, finished.value)
        except _EXPLAINED as error:
            return self._failed(context, error)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Bake step by step; Esc cancels."""
        global _running
        if _running is not None:
            self.report({"ERROR"}, "A bake is running already: wait, or press Esc")
            return {"CANCELLED"}
        self._steps, self._scene = bake(context.scene), context.scene.name
        manager = context.window_manager
        self._timer = manager.event_timer_add(_INTERVAL, window=context.window)
        manager.progress_begin(0.0, 1.0)
        manager.modal_handler_add(self)
        _running = self
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Do one step at each tick of the timer."""
        if _running is not self:
            # The add-on was disabled, or another file was opened.
            return {"CANCELLED"}
        if event.type == "ESC":
            self._stop(context)
            self.report({"INFO"}, "Bake cancelled; nothing was changed")
            return {"CANCELLED"}
        if event.type != "TIMER":
            return {"RUNNING_MODAL"}
        if context.scene.name != self._scene:
            self._stop(context)
            self.report({"WARNING"}, "Bake cancelled: another scene was chosen")
            return {"CANCELLED"}
        try:
            share, text = next(self._steps)
        except StopIteration as finished:
            self._stop(context)
            return self._finished(context, finished.value)
        except _EXPLAINED as error:
            self._stop(context)
            return self._failed(context, error)
        except BaseException:
            # A bug must not leave the timer running and the next bake refused.
            self._stop(context)
            raise
        setup_of(context.scene).progress = share
        setup_of(context.scene).message = text
        context.window_manager.progress_update(share)
        context.workspace.status_text_set(f"{text}: {100.0 * share:.0f} %   Esc: cancel")
        for area in context.screen.areas:
            if area.type == "VIEW_3D":
                # The panel alone: drawing the view would cost more than the work between.
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()
        return {"RUNNING_MODAL"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender ends the operator, as when it quits."""
        self._stop(context)

    def _stop(self, context: bpy.types.Context) -> None:
        global _running
        _running = None
        self._steps.close()
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None
        context.window_manager.progress_end()
        context.workspace.status_text_set(None)
        setup_of(context.scene).progress = 0.0
        setup_of(context.scene).message = ""

    def _finished(self, context: bpy.types.Context, report: Report) -> set[str]:
        seconds = sum(report.seconds.values())
        text = f"'{report.action}': {report.keys:,} keys on {report.bones} bones in {seconds:.1f} s"
        setup_of(context.scene).message = text
        self.report({"WARNING"} if report.notes else {"INFO"}, "; ".join([text, *report.notes]))
        return {"FINISHED"}

    def _failed(self, context: bpy.types.Context, error: Exception) -> set[str]:
        setup_of(context.scene).message = str(error)
        self.report({"ERROR"}, str(error))
        return {"CANCELLED"}


def is_running() -> bool:
    """Tell whether a bake is under way."""
    return _running is not None


def stop_running() -> None:
    """End a bake under way without a trace, as when the add-on is disabled."""
    if _running is not None:
        _running._stop(bpy.context)


CLASSES = (SSRHMR_OT_bake,)
