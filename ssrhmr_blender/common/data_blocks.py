# SPDX-License-Identifier: GPL-3.0-or-later
"""Data-blocks by name: what outlives undo, file loads and deletion, where a reference would dangle.

Another file may be linked that holds a data-block of the same name, so the library counts too.
"""

from __future__ import annotations

import bpy

from .errors import UserError

DataBlockKey = tuple[str, str | None]
"""Name of a data-block and path of the library that it is linked from, None if it is local."""


class GoneError(UserError):
    """A data-block was deleted, or an object is switched off."""


def key_of(block: bpy.types.ID) -> DataBlockKey:
    """Return the key by which :func:`find_object` or :func:`find_action` returns a data-block."""
    return block.name, block.library.filepath if block.library else None


def find_object(key: DataBlockKey) -> bpy.types.Object | None:
    """Return the object of a key, or None if it was deleted."""
    return bpy.data.objects.get(key)


def find_action(key: DataBlockKey) -> bpy.types.Action | None:
    """Return the action of a key, or None if it was deleted."""
    return bpy.data.actions.get(key)
