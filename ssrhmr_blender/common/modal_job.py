# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators that work in steps: at once from scripts, with progress and Esc from panels."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import bpy
from bpy.app.translations import pgettext_iface as iface_

from ..properties.setup import setup_of
from .errors import UserError, plain_message
from .log import LOGGER
from .steps import run_steps
from .typed import OperatorMixin, OperatorResult, scene_of, window_manager_of
from .ui import tag_redraw_regions

# Errors that the user can do something about; anything else is a bug and must show as one.
EXPLAINED = (UserError, ValueError, OSError)
_INTERVAL = 0.01

Steps = Generator[tuple[float, str], None, Any]
"""Yields the share done (0..1) and what to show; closing it early leaves no trace."""

_running: ModalJob | None = None


class ModalJob(OperatorMixin):
    """An operator that runs the generator of :meth:`start` to its end.

    Only one of them runs at a time, whichever feature it belongs to.
    """

    job = "Job"
    """Name of the job in messages."""

    _steps: Steps
    _timer: bpy.types.Timer | None = None
    _scene: str

    def start(self, context: bpy.types.Context) -> Steps:
        """Return the generator; nothing happens before its first step."""
        raise NotImplementedError

    def finish(self, context: bpy.types.Context, result: Any) -> OperatorResult:
        """Report the result of the generator."""
        raise NotImplementedError

    def cancelled(self, context: bpy.types.Context) -> OperatorResult:
        """Report that the user cancelled."""
        self.report({"INFO"}, f"{self.job} cancelled: nothing was changed")
        return {"CANCELLED"}

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        """Run the whole job at once."""
        setup_of(scene_of(context)).notes = ""
        try:
            result = run_steps(self.start(context))
        except EXPLAINED as error:
            return self._failed(context, error)
        return self.finish(context, result)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorResult:
        """Run the job step by step; Esc cancels it."""
        return self.begin(context)

    def begin(self, context: bpy.types.Context) -> OperatorResult:
        """Start to run the job step by step; Esc cancels it."""
        global _running
        if _running is not None:
            self.report(
                {"ERROR"},
                f"A {_running.job.lower()} is already running: wait for it, or press Esc to cancel",
            )
            return {"CANCELLED"}
        setup_of(scene_of(context)).notes = ""
        self._steps, self._scene = self.start(context), scene_of(context).name
        manager = window_manager_of(context)
        self._timer = manager.event_timer_add(_INTERVAL, window=context.window)
        manager.progress_begin(0.0, 1.0)
        manager.modal_handler_add(self)
        _running = self
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorResult:
        """Run one step at each tick of the timer."""
        if _running is not self:
            # The add-on was disabled, or another file was opened.
            return {"CANCELLED"}
        if event.type == "ESC":
            self._stop(context)
            return self.cancelled(context)
        if event.type != "TIMER":
            return {"RUNNING_MODAL"}
        if scene_of(context).name != self._scene:
            self._stop(context)
            self.report(
                {"WARNING"},
                f"{self.job} cancelled, because the scene was switched: start it again, and stay in"
                " the scene until it is done",
            )
            return {"CANCELLED"}
        return self._step(context)

    def _step(self, context: bpy.types.Context) -> OperatorResult:
        try:
            share, text = next(self._steps)
        except StopIteration as finished:
            self._stop(context)
            return self.finish(context, finished.value)
        except EXPLAINED as error:
            self._stop(context)
            return self._failed(context, error)
        except BaseException:
            LOGGER.exception("%s failed", self.job)
            # A bug must not leave the timer running and the next job refused.
            self._stop(context)
            raise
        _show_progress(context, share, text)
        return {"RUNNING_MODAL"}

    def cancel(self, context: bpy.types.Context) -> None:
        """End the job when Blender cancels the operator, such as on quitting."""
        self._stop(context)

    def _stop(self, context: bpy.types.Context) -> None:
        global _running
        _running = None
        self._steps.close()
        if self._timer is not None:
            window_manager_of(context).event_timer_remove(self._timer)
            self._timer = None
        window_manager_of(context).progress_end()
        _show_status(context, None)
        setup_of(scene_of(context)).progress = 0.0
        setup_of(scene_of(context)).message = ""

    def _failed(self, context: bpy.types.Context, error: Exception) -> OperatorResult:
        message = plain_message(error)
        setup_of(scene_of(context)).message = message
        self.report({"ERROR"}, message)
        return {"CANCELLED"}


def _show_progress(context: bpy.types.Context, share: float, text: str) -> None:
    setup = setup_of(scene_of(context))
    setup.progress, setup.message = share, text
    window_manager_of(context).progress_update(share)
    status = iface_("{step}: {percent:.0f} %   Esc: cancel")
    _show_status(context, status.format(step=text, percent=100.0 * share))
    # The panel alone: drawing the view would cost more than the work between.
    tag_redraw_regions(context, {"UI"})


def _show_status(context: bpy.types.Context, text: str | None) -> None:
    if context.workspace is not None:
        context.workspace.status_text_set(text)


def is_running() -> bool:
    """Return whether a job is running."""
    return _running is not None


def stop_running() -> None:
    """End a running job without a trace, such as when the add-on is disabled."""
    if _running is not None:
        _running._stop(bpy.context)


def draw_progress(layout: bpy.types.UILayout, context: bpy.types.Context) -> bool:
    """Draw the progress bar of a running job, and return whether there is one."""
    if not is_running():
        return False
    setup = setup_of(scene_of(context))
    layout.progress(factor=setup.progress, text=setup.message, translate=False)
    layout.label(text="Esc cancels", icon="INFO")
    return True
