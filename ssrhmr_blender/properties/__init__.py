# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings that are stored in the scene."""

from __future__ import annotations

import bpy

from ..common.typed import add_scene_property, remove_scene_property
from . import (
    bones,
    calibration,
    characters,
    contacts,
    keys,
    live,
    preferences,
    root_motion,
    setup,
    tracker,
)

CLASSES: tuple[type, ...] = (
    *bones.CLASSES,
    *calibration.CLASSES,
    *tracker.CLASSES,
    *contacts.CLASSES,
    *keys.CLASSES,
    *root_motion.CLASSES,
    *setup.CLASSES,
    *live.CLASSES,
    *characters.CLASSES,
    *preferences.CLASSES,
)
"""Groups before those that hold them."""


def register() -> None:
    """Give scenes their settings."""
    characters.register()
    add_scene_property("ssrhmr_live", bpy.props.PointerProperty(type=live.SSRHMR_Live))


def unregister() -> None:
    """Remove them."""
    remove_scene_property("ssrhmr_live")
    characters.unregister()
