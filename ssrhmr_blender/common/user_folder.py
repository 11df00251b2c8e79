# SPDX-License-Identifier: GPL-3.0-or-later
"""The only folder that the add-on writes to without having been given one."""

from __future__ import annotations

from pathlib import Path

import bpy


def user_folder(inside: str, create: bool = False) -> Path:
    """Return a folder for the user's files, which an update keeps and Blender's Uninstall removes.

    Args:
        inside: The folder, relative to that of the extension.
        create: Whether to create it.
    """
    package = __package__.rpartition(".common")[0]
    if package.startswith("bl_ext."):
        return Path(bpy.utils.extension_path_user(package, path=inside, create=create))
    # A checkout is no extension, and Blender refuses it a folder of its own.
    inside = f"presets/ssrhmr/{inside.removeprefix('presets/')}"
    return Path(bpy.utils.user_resource("SCRIPTS", path=inside, create=create))
