# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of former versions of the add-on, in files and in presets, in the places of this one.

Files and presets are the only things that outlive a version, and this module is all that knows how
they used to be. A file is migrated once, when it is opened: values move and nothing is lost, so
nothing is said. Presets carry the number of their format and are migrated whenever they are read.

Former versions, as files tell them apart:

1. ``scene.ssrhmr`` was itself the only setup of the scene.
2. Scenes have a list of setups. A setup held the properties of its trackers side by side:
   ``head``, ``head_weight``, ``head_offset`` and ``head_turn``.
"""

from __future__ import annotations

from typing import Any

import bpy
from idprop.types import IDPropertyGroup

from ..common.compat import stored_properties
from .characters import active_setup, characters_of
from .tracker import TRACKERS
from .values import reset_invalid

PRESET_FORMAT = 2
"""Number of the format in which presets are written."""

_CHARACTERS, _ONLY_SETUP = "ssrhmr_characters", "ssrhmr"
_TRACKER_FIELDS = {"": "object", "_weight": "weight", "_offset": "offset", "_turn": "rotation"}
"""Property of a tracker by the ending that its name had in the setup."""
_SETUP_FIELDS = {"scale": "proportions", "nudged": "adjusted_tracker"}
_FIT_FIELDS = {"arm": "mount_distance"}


def migrate_file() -> None:
    """Move what former versions stored in the open file to where it belongs now."""
    for scene in bpy.data.scenes:
        stored = stored_properties(scene)
        if stored is None:
            continue
        if _ONLY_SETUP in stored:
            _adopt_only_setup(scene, stored)
        if _CHARACTERS in stored:
            for setup in _stored_setups(stored[_CHARACTERS]):
                _migrate_setup(setup)
    _reset_unknown_values()


def migrate_preset(kind: str, version: int, values: dict[str, Any]) -> dict[str, Any]:
    """Return the values of a preset as this version writes them.

    Values are moved as they are, whatever they are: who applies them checks them.

    Args:
        kind: What the preset is about, such as "trackers".
        version: Number of the format it was written in.
        values: What it holds.
    """
    if version < 2 and kind == "trackers":
        return _migrate_tracker_preset(values)
    if version < 2 and kind == "calibration":
        return _migrate_calibration_preset(values)
    return values


def _adopt_only_setup(scene: bpy.types.Scene, stored: Any) -> None:
    """Make the only setup of the first version the base of the list."""
    if not characters_of(scene).entries:
        if _CHARACTERS not in stored:
            stored[_CHARACTERS] = {}
        characters = stored[_CHARACTERS]
        if "base" in characters:
            del characters["base"]
        characters["base"] = stored[_ONLY_SETUP]
    del stored[_ONLY_SETUP]


def _stored_setups(characters: Any) -> list[Any]:
    """Return what is stored of each setup of a list."""
    holders = [(characters, "base"), *((entry, "setup") for entry in characters.get("entries", ()))]
    return [holder[name] for holder, name in holders if name in holder]


def _migrate_setup(setup: Any) -> None:
    """Move what a setup held under former names; values under today's names win."""
    for role in TRACKERS:
        fields = {f"{role}{ending}": name for ending, name in _TRACKER_FIELDS.items()}
        if not any(former in setup for former in fields):
            continue
        if "trackers" not in setup:
            setup["trackers"] = {}
        if role not in setup["trackers"]:
            setup["trackers"][role] = {}
        _move(setup, setup["trackers"][role], fields)
    _move(setup, setup, _SETUP_FIELDS)
    for fit in setup.get("fits", ()):
        _move(fit, fit, _FIT_FIELDS)


def _move(source: Any, target: Any, names: dict[str, str]) -> None:
    """Move stored values to other names."""
    for former, name in names.items():
        if former not in source:
            continue
        value = source[former]
        if name in target and _is_empty_pointer(target[name]):
            del target[name]
        if name not in target:
            # An array is a view of what is deleted next.
            target[name] = value.to_list() if hasattr(value, "to_list") else value
        del source[former]


def _is_empty_pointer(value: Any) -> bool:
    """Return whether a stored value is what Blender stores as soon as an empty pointer is read."""
    is_group = isinstance(value, IDPropertyGroup)
    return value is None or (is_group and len(value) == 0)


def _reset_unknown_values() -> None:
    """Reset what another version saved and this one does not know; report it."""
    for scene in bpy.data.scenes:
        if scene.library is not None:
            continue
        reset: list[str] = []
        for prop in scene.bl_rna.properties:
            if prop.identifier.startswith("ssrhmr_"):
                reset += reset_invalid(getattr(scene, prop.identifier))
        if reset:
            names = ", ".join(dict.fromkeys(reset))
            active_setup(scene).message = (
                f"Another version of the add-on saved values that this one does not know. Check"
                f" these settings, which are back at their defaults: {names}"
            )


def _migrate_tracker_preset(values: dict[str, Any]) -> dict[str, Any]:
    """Put names of objects and weights together, tracker by tracker."""
    objects, settings = values.get("objects", {}), values.get("settings", {})
    if not isinstance(objects, dict) or not isinstance(settings, dict):
        return {"trackers": None}
    settings = dict(settings)
    trackers: dict[str, Any] = {}
    for role in TRACKERS:
        trackers[role] = {"object": objects[role]} if role in objects else {}
        if f"{role}_weight" in settings:
            trackers[role]["weight"] = settings.pop(f"{role}_weight")
    return {"trackers": trackers, "settings": settings}


def _migrate_calibration_preset(values: dict[str, Any]) -> dict[str, Any]:
    """Put adjustments together, tracker by tracker, and rename what has another name now."""
    values = dict(values)
    trackers: dict[str, Any] = {role: {} for role in TRACKERS}
    for role in TRACKERS:
        _move(values, trackers[role], {f"{role}_offset": "offset", f"{role}_turn": "rotation"})
    _move(values, values, _SETUP_FIELDS)
    fits = values.get("fits")
    if isinstance(fits, list):
        values["fits"] = [dict(fit) if isinstance(fit, dict) else fit for fit in fits]
        for fit in values["fits"]:
            if isinstance(fit, dict):
                _move(fit, fit, _FIT_FIELDS)
    return {**values, "trackers": trackers}
