# SPDX-License-Identifier: GPL-3.0-or-later
"""What each kind of preset holds, and how it gets into a setup."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from ..properties.settings import TRACKER_LABELS, TRACKERS, SSRHMR_Live, SSRHMR_Setup, live_of
from ..properties.values import check_values, read_values, write_values
from .files import PresetError

if TYPE_CHECKING:
    from ..properties.values import Values

_CLEANUP = (
    *("smoothing", "cutoff", "planting", "between_frames"),
    *(f"{role}_weight" for role in TRACKERS),
)
_NUDGES = tuple(f"{role}_{part}" for role in TRACKERS for part in ("offset", "turn"))
_CALIBRATION = (
    *("reference", "scale", "height", "calibration_frame", "calibration"),
    *("fits", "warnings"),
    *_NUDGES,
)
_LIVE = (
    *("protocol", "port", "everywhere", "devices", "countdown"),
    *("overlay", "pre_roll", "play", "bake"),
)


@dataclass(frozen=True)
class Kind:
    """A kind of preset.

    Attributes:
        label: in menus.
        collect: returns what to store of a setup; raises PresetError if there is nothing yet.
        apply: puts stored values into a setup, all or nothing; returns what the user should know.
    """

    label: str
    collect: Callable[[SSRHMR_Setup], dict[str, Any]]
    apply: Callable[[SSRHMR_Setup, dict[str, Any]], list[str]]


def folder_of(kind: str, create: bool = False) -> Path:
    """Return the user's folder for presets of a kind."""
    package = __package__.rpartition(".presets")[0]
    inside = f"presets/{kind}"
    if package.startswith("bl_ext."):
        return Path(bpy.utils.extension_path_user(package, path=inside, create=create))
    inside = f"presets/ssrhmr/{kind}"
    return Path(bpy.utils.user_resource("SCRIPTS", path=inside, create=create))


def _collect_bones(setup: SSRHMR_Setup) -> dict[str, Any]:
    if not setup.bones:
        raise PresetError("There are no bones to save yet: press Detect Bones")
    return {"family": setup.family, "bones": {slot.name: slot.bone for slot in setup.bones}}


def _apply_bones(setup: SSRHMR_Setup, values: dict[str, Any]) -> list[str]:
    from ssrhmr_core.body.skeleton import JOINTS, REQUIRED_JOINTS

    armature = setup.armature
    if armature is None:
        raise PresetError("Choose a character first: an armature")
    bones = values.get("bones")
    if not isinstance(bones, dict) or not all(isinstance(b, str) for b in bones.values()):
        raise PresetError("The preset is damaged (it holds no names of bones): save it again")
    if not any(bones.get(joint, "") in armature.data.bones for joint in JOINTS):
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
        if bone in armature.data.bones:
            slot.bone = bone
        elif bone:
            missing.append(bone)
    setup.family, setup.obstacles = family, ""
    # Bones chosen one by one have forgotten it; a table that came out the same has to as well.
    setup.calibration = ""
    if not missing:
        return []
    shown = ", ".join(missing[:3]) + ", ..." * (len(missing) > 3)
    return [f"'{armature.name}' has no {shown}: choose other bones in the table"]


def _collect_trackers(setup: SSRHMR_Setup) -> dict[str, Any]:
    chosen = {role: getattr(setup, role) for role in TRACKERS}
    if not any(chosen.values()):
        raise PresetError("There are no trackers to save yet: choose them first")
    objects = {role: obj.name for role, obj in chosen.items() if obj is not None}
    return {"objects": objects, "settings": read_values(setup, _CLEANUP)}


def _apply_trackers(setup: SSRHMR_Setup, values: dict[str, Any]) -> list[str]:
    objects = values.get("objects", {})
    if not isinstance(objects, dict) or not all(isinstance(n, str) for n in objects.values()):
        raise PresetError("The preset is damaged (it holds no names of trackers): save it again")
    settings: Values = check_values(SSRHMR_Setup, values.get("settings", {}), _CLEANUP)
    scene: Any = setup.id_data
    missing = []
    for role in TRACKERS:
        name = objects.get(role)
        obj = scene.objects.get(name) if name else None
        if obj is not None and obj.type != "ARMATURE":
            if getattr(setup, role) != obj:
                setattr(setup, role, obj)
        elif name:
            missing.append(f"{TRACKER_LABELS[role]} ('{name[:40]}')")
    write_values(setup, settings)
    return [f"not in this scene: {', '.join(missing)}. Choose other objects"] if missing else []


def _collect_calibration(setup: SSRHMR_Setup) -> dict[str, Any]:
    if not setup.calibration:
        raise PresetError("There is no calibration to save yet: press Calibrate")
    return read_values(setup, _CALIBRATION)


def _apply_calibration(setup: SSRHMR_Setup, values: dict[str, Any]) -> list[str]:
    from ssrhmr_core.tracking.calibration import Calibration

    checked = check_values(SSRHMR_Setup, values, _CALIBRATION)
    if not checked.get("calibration"):
        raise PresetError("The preset holds no calibration: press Calibrate, and save it again")
    Calibration.from_json(checked["calibration"])  # refuses what is none
    # Older presets know of no nudges: there were none.
    unmoved = {name: [0.0, 0.0, 0.0] for name in _NUDGES}
    write_values(setup, {"fits": [], "warnings": [], **unmoved, **checked})
    return []


def _collect_live(setup: SSRHMR_Setup) -> dict[str, Any]:
    return read_values(live_of(setup.id_data), _LIVE)


def _apply_live(setup: SSRHMR_Setup, values: dict[str, Any]) -> list[str]:
    checked = check_values(SSRHMR_Live, values, _LIVE)
    worn = [device.get("role") for device in checked.get("devices", [])]
    worn = [role for role in worn if role in TRACKERS]
    if len(set(worn)) < len(worn):
        raise PresetError(
            "The preset is damaged (two devices are worn at one place): save it again"
        )
    write_values(live_of(setup.id_data), {"devices": [], **checked})
    return []


KINDS = {
    "bones": Kind("Bones", _collect_bones, _apply_bones),
    "trackers": Kind("Trackers", _collect_trackers, _apply_trackers),
    "calibration": Kind("Calibration", _collect_calibration, _apply_calibration),
    "live": Kind("Live", _collect_live, _apply_live),
}
