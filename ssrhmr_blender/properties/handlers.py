# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens to settings when Blender opens and saves files."""

from __future__ import annotations

import bpy

from ..common.compat import data_handlers
from ..common.typed import persistent
from .characters import release_deleted
from .migration import migrate_file


@persistent
def _before_save(*_: object) -> None:
    release_deleted()


@persistent
def _after_load(*_: object) -> None:
    migrate_file()


def register() -> None:
    """Listen to Blender, and look through the file that is open already."""
    bpy.app.handlers.save_pre.append(_before_save)
    for handlers in data_handlers():
        handlers.append(_after_load)
    # While Blender starts, data cannot be reached yet; a file is loaded right after.
    if isinstance(bpy.data, bpy.types.BlendData):
        migrate_file()


def unregister() -> None:
    """Stop listening."""
    for handlers in data_handlers():
        handlers.remove(_after_load)
    bpy.app.handlers.save_pre.remove(_before_save)
