# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a capture, and the handlers that live as long as it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import bpy

from ..common.modal_job import EXPLAINED
from ..properties.live import live_of
from ..properties.setup import setup_of
from . import capture

if TYPE_CHECKING:
    from ssrhmr_core.live import RawTake


def stop() -> None:
    """End the capture; a recording that was under way is complete on disk."""
    stopped = capture.running()
    take = _release()
    scene = bpy.data.scenes.get(stopped.scene) if stopped else None
    if scene is None:
        return
    if take is not None:
        stop_timeline(scene)
    # The character's own action shows again.
    scene.frame_set(scene.frame_current, subframe=scene.frame_subframe)
    if take is not None:
        setup_of(scene).message = f"'{take.path.name}' was recorded: {take.seconds:.1f} s"


def stop_running() -> None:
    """End everything, as when the add-on is disabled; nobody is there to read of a full disk."""
    with contextlib.suppress(*EXPLAINED):
        _release()


def stop_timeline(scene: bpy.types.Scene) -> None:
    """Stop the timeline where recordings play it."""
    screen = bpy.context.screen
    if live_of(scene).play and screen is not None and screen.is_animation_playing:
        bpy.ops.screen.animation_cancel(restore_frame=False)


def add_handlers() -> None:
    """Let the capture follow frame changes and end with its file."""
    for handlers, handler in HANDLERS:
        if handler not in handlers:
            handlers.append(handler)


def _remove_handlers() -> None:
    for handlers, handler in HANDLERS:
        if handler in handlers:
            handlers.remove(handler)


def _release() -> RawTake | None:
    try:
        return capture.stop()
    finally:
        _remove_handlers()


def _before_load(*_: object) -> None:
    """End the capture before another file is opened: nothing of this one may be touched then."""
    stop_running()


def _after_frame(scene: bpy.types.Scene, *_: object) -> None:
    """Show the performance again after the character's action has posed it for a new frame."""
    current = capture.running()
    if current is not None and scene.name == current.scene:
        current.show_again()


HANDLERS = (
    (bpy.app.handlers.load_pre, _before_load),
    (bpy.app.handlers.frame_change_post, _after_frame),
)
