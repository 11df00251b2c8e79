# SPDX-License-Identifier: GPL-3.0-or-later
"""What each kind of preset holds, and how it gets into a setup."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..common.typed import armature_of
from ..common.user_folder import user_folder
from ..properties.live import SSRHMR_Live, live_of
from ..properties.migration import PRESET_FORMAT, migrate_preset
from ..properties.setup import SSRHMR_Setup
from ..properties.tracker import ALL_TRACKERS, TRACKER_LABELS, TRACKERS, SSRHMR_Tracker
from ..properties.values import ValuesError, check_values, read_values, write_values
from . import files
from .files import PresetError, PresetFile

_CLEANUP = (
    *("smoothing", "cutoff", "planting", "between_frames"),
    *("contacts", "keyframes", "root_motion"),
)
_CONTACTS = ("sensitivity", "gap", "release", "whole_body", "above_floor")
"""How contacts are found; where they are belongs to one take."""
_WEARING = ("weight", "measures")
_WEARING_EXTRA = ("weight", "segment", "measures")
_ADJUSTMENT = ("offset", "rotation")
_CALIBRATION = (
    *("reference", "proportions", "height", "calibration_frame", "calibration"),
    "correct_floor",
    *("fits", "measures", "warnings", "assumed"),
)
_LIVE = (
    *("protocol", "port", "everywhere", "allowed", "sender", "announce", "details"),
    *("devices", "countdown", "overlay", "certainty", "sound", "pre_roll", "play", "bake"),
)


@dataclass(frozen=True)
class Kind:
    """A kind of preset.

    Attributes:
        label: Its name in menus.
        collect: Returns what to store of a setup; raises PresetError if there is nothing yet.
        apply: Puts stored values into a setup, all or nothing; returns what the user should know.
    """

    label: str
    collect: Callable[[SSRHMR_Setup], dict[str, Any]]
    apply: Callable[[SSRHMR_Setup, dict[str, Any]], list[str]]


def folder_of(kind: str, create: bool = False) -> Path:
    """Return the user's folder for presets of a kind."""
    return user_folder(f"presets/{kind}", create)


def read_preset(path: Path, kind: str) -> PresetFile:
    """Read a preset file of any version, as this version would have written it.

    Raises:
        PresetError: If the file cannot be used.
    """
    preset = files.load(path, kind, PRESET_FORMAT)
    values = migrate_preset(kind, preset.version, preset.values)
    return replace(preset, version=PRESET_FORMAT, values=values)


def collect_preset(setup: SSRHMR_Setup, kind: str, name: str) -> PresetFile:
    """Return what a preset of some kind stores of a setup.

    Raises:
        PresetError: If there is nothing to store yet.
    """
    return PresetFile(kind, name, PRESET_FORMAT, KINDS[kind].collect(setup))


def _collect_bones(setup: SSRHMR_Setup) -> dict[str, Any]:
    if not setup.bones:
        raise PresetError("There are no bones to save yet: press Detect Bones")
    return {"family": setup.family, "bones": {slot.name: slot.bone for slot in setup.bones}}


def _apply_bones(setup: SSRHMR_Setup, values: dict[str, Any]) -> list[str]:
    from ssrhmr_core.body.skeleton import JOINTS, REQUIRED_JOINTS

    armature = setup.armature
    if armature is None:
        raise PresetError("No character is chosen: choose an armature first")
    bones = values.get("bones")
    if not isinstance(bones, dict) or not all(isinstance(b, str) for b in bones.values()):
        raise PresetError("The preset is damaged (it holds no names of bones): save it again")
    if not any(bones.get(joint, "") in armature_of(armature).bones for joint in JOINTS):
        raise PresetError(
            f"None of the preset's bones is on '{armature.name}': choose a preset of this rig, or"
            " press Detect Bones"
        )
    family = check_values(SSRHMR_Setup, values, ("family",)).get("family", "")
    setup.bones.clear()
    missing = []
    for number, joint in enumerate(JOINTS):
        slot = setup.bones.add()
        slot.name, slot.required = joint, number in REQUIRED_JOINTS
        bone = bones.get(joint, "")
        if bone in armature_of(armature).bones:
            slot.bone = bone
        elif bone:
            missing.append(bone)
    setup.family, setup.obstacles, setup.has_constraints = family, "", False
    setup.clear_calibration()
    if not missing:
        return []
    shown = ", ".join(missing[:3]) + ", ..." * (len(missing) > 3)
    return [f"'{armature.name}' has no {shown}: choose other bones in the table"]


def _collect_trackers(setup: SSRHMR_Setup) -> dict[str, Any]:
    objects = setup.tracker_objects(ALL_TRACKERS)
    if not any(objects.values()):
        raise PresetError("There are no trackers to save yet: choose them first")
    trackers = {
        role: read_values(setup.tracker(role), _WEARING if role in TRACKERS else _WEARING_EXTRA)
        for role in ALL_TRACKERS
    }
    for role, obj in objects.items():
        if obj is not None:
            trackers[role]["object"] = obj.name
    settings = read_values(setup, _CLEANUP)
    settings["contacts"] = read_values(setup.contacts, _CONTACTS)
    return {"trackers": trackers, "settings": settings}


def _apply_trackers(setup: SSRHMR_Setup, values: dict[str, Any]) -> list[str]:
    trackers = _checked_trackers(values, _WEARING_EXTRA)
    settings = check_values(SSRHMR_Setup, values.get("settings", {}), _CLEANUP)
    if "contacts" in settings:
        ways = settings["contacts"]
        settings["contacts"] = {name: ways[name] for name in _CONTACTS if name in ways}
    stored = values.get("trackers", {})
    names = {role: stored.get(role, {}).get("object", "") for role in ALL_TRACKERS}
    if not all(isinstance(name, str) for name in names.values()):
        raise PresetError("The preset is damaged (it holds no names of trackers): save it again")
    scene: Any = setup.id_data
    missing = []
    for role, name in names.items():
        tracker = setup.tracker(role)
        obj = scene.objects.get(name) if name else None
        if obj is not None and obj.type != "ARMATURE":
            # Choosing an object clears the calibration, even if it is the same one.
            if tracker.object != obj:
                tracker.object = obj
        elif name:
            missing.append(f"{TRACKER_LABELS[role]} ('{name[:40]}')")
        elif role in stored and tracker.object is not None:
            # The performer of the preset does not wear it.
            tracker.object = None
        write_values(tracker, trackers[role])
    write_values(setup, settings)
    return [f"not in this scene: {', '.join(missing)}. Choose other objects"] if missing else []


def _collect_calibration(setup: SSRHMR_Setup) -> dict[str, Any]:
    if not setup.calibration:
        raise PresetError("There is no calibration to save yet: press Calibrate")
    trackers = {role: read_values(setup.tracker(role), _ADJUSTMENT) for role in ALL_TRACKERS}
    return {**read_values(setup, _CALIBRATION), "trackers": trackers}


def _apply_calibration(setup: SSRHMR_Setup, values: dict[str, Any]) -> list[str]:
    from ssrhmr_core.tracking.calibration import Calibration

    checked = check_values(SSRHMR_Setup, values, _CALIBRATION)
    if not checked.get("calibration"):
        raise PresetError("The preset holds no calibration: press Calibrate, and save it again")
    Calibration.from_json(checked["calibration"])  # raises if the text is not a calibration
    trackers = _checked_trackers(values, _ADJUSTMENT)
    none = {name: [0.0, 0.0, 0.0] for name in _ADJUSTMENT}
    for role in ALL_TRACKERS:
        write_values(setup.tracker(role), {**none, **trackers[role]})
    cleared = {"fits": [], "measures": [], "slips": [], "warnings": [], "assumed": ""}
    write_values(setup, {**cleared, **checked})
    return []


def _checked_trackers(values: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Return some settings of each tracker that a preset holds; none for those it does not have.

    Raises:
        ValuesError: If one is invalid.
    """
    trackers = values.get("trackers", {})
    if not isinstance(trackers, dict):
        raise ValuesError("'trackers' must be pairs of names and settings")
    return {
        role: check_values(SSRHMR_Tracker, trackers.get(role, {}), names) for role in ALL_TRACKERS
    }


def _collect_live(setup: SSRHMR_Setup) -> dict[str, Any]:
    scene: Any = setup.id_data
    return read_values(live_of(scene), _LIVE)


def _apply_live(setup: SSRHMR_Setup, values: dict[str, Any]) -> list[str]:
    checked = check_values(SSRHMR_Live, values, _LIVE)
    roles = [device.get("role") for device in checked.get("devices", [])]
    roles = [role for role in roles if role in ALL_TRACKERS]
    if len(set(roles)) < len(roles):
        raise PresetError(
            "The preset is damaged (two devices are worn in one place): save it again"
        )
    scene: Any = setup.id_data
    write_values(live_of(scene), {"devices": [], **checked})
    return []


KINDS = {
    "bones": Kind("Bones", _collect_bones, _apply_bones),
    "trackers": Kind("Trackers", _collect_trackers, _apply_trackers),
    "calibration": Kind("Calibration", _collect_calibration, _apply_calibration),
    "live": Kind("Live", _collect_live, _apply_live),
}
