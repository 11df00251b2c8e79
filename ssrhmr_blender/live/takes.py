# SPDX-License-Identifier: GPL-3.0-or-later
"""Where recorded takes are written, and under which names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from ..common.user_folder import user_folder
from ..properties.live import is_chosen_folder

if TYPE_CHECKING:
    from ..properties.live import SSRHMR_Live


def takes_folder(live: SSRHMR_Live) -> Path:
    """Return the folder in which takes are recorded."""
    if live.folder:
        return Path(bpy.path.abspath(live.folder))
    if bpy.data.filepath:
        return Path(bpy.data.filepath).parent / "takes"
    return user_folder("takes")


def may_write(folder: Path) -> bool:
    """Return whether takes may be written into a folder without asking the user.

    A file from somebody else may name any folder of this computer. Folders that the user chose,
    the user's own, and those that really lie next to the file may be used.
    """
    nearby = [user_folder("takes")]
    if bpy.data.filepath:
        nearby.append(Path(bpy.data.filepath).parent)
    # Resolved, since a file may bring links along that lead elsewhere.
    real = folder.resolve()
    return is_chosen_folder(folder) or any(real.is_relative_to(each.resolve()) for each in nearby)


def next_take(folder: Path) -> Path:
    """Return the first file of ``take_001.csv`` and on whose number a folder never had."""
    used = [re.match(r"take_(\d+)\b", path.name) for path in folder.glob("take_*")]
    number = max((int(match.group(1)) for match in used if match), default=0) + 1
    return folder / f"take_{number:03d}.csv"
