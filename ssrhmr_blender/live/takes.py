# SPDX-License-Identifier: GPL-3.0-or-later
"""Where recorded takes are written, and under which names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from ..common.user_folder import user_folder

if TYPE_CHECKING:
    from ..properties.live import SSRHMR_Live


def takes_folder(live: SSRHMR_Live) -> Path:
    """Return the folder in which takes are recorded."""
    if live.folder:
        return Path(bpy.path.abspath(live.folder))
    if bpy.data.filepath:
        return Path(bpy.data.filepath).parent / "takes"
    return user_folder("takes")


def next_take(folder: Path) -> Path:
    """Return the first file of ``take_001.csv`` and on whose number a folder never had."""
    used = [re.match(r"take_(\d+)\b", path.name) for path in folder.glob("take_*")]
    number = max((int(match.group(1)) for match in used if match), default=0) + 1
    return folder / f"take_{number:03d}.csv"
