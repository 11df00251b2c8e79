# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of captures, and the handlers that live as long as they."""

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


def stop(ending: capture.Capture | None = None) -> None:
    """End a capture; a recording that was under way is complete on disk.

    Args:
        ending: The capture; all that are running if not given.
    """
    names = {each.scene for each in ([ending] if ending else capture.all_running())}
    takes = _release(ending)
    for name in names:
        scene = bpy.data.scenes.get(name)
        if scene is None:
            continue
        if takes:
            stop_timeline(scene)
        # The characters' own actions show again.
        scene.frame_set(scene.frame_current, subframe=scene.frame_subframe)
        for ended, take in takes:
            setup = ended.find_setup(scene) or setup_of(scene)
            setup.message = f"'{take.path.name}' was recorded: {take.seconds:.1f} s"


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
    """Let captures follow frame changes and end with their file."""
    for handlers, handler in HANDLERS:
        if handler not in handlers:
            handlers.append(handler)


def _remove_handlers() -> None:
    for handlers, handler in HANDLERS:
        if handler in handlers:
            handlers.remove(handler)


def _release(ending: capture.Capture | None = None) -> list[tuple[capture.Capture, RawTake]]:
    try:
        return capture.stop(ending)
    finally:
        if not capture.all_running():
            _remove_handlers()


def _before_load(*_: object) -> None:
    """End captures before another file is opened: nothing of this one may be touched then."""
    stop_running()


def _after_frame(scene: bpy.types.Scene, *_: object) -> None:
    """Show the performance again after the character's action has posed it for a new frame."""
    for current in capture.all_running():
        if scene.name == current.scene:
            current.show_again()


HANDLERS = (
    (bpy.app.handlers.load_pre, _before_load),
    (bpy.app.handlers.frame_change_post, _after_frame),
)
