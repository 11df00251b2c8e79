# SPDX-License-Identifier: GPL-3.0-or-later
"""A report of what a maintainer needs to know, without names and paths."""

from __future__ import annotations

import os
import platform
import sys
import tomllib
from collections.abc import Callable, Iterator
from importlib import resources

import bpy

from ..common.log import RECENT
from ..common.redaction import private_names, redact
from ..properties.bones import LIKELY
from ..properties.setup import SSRHMR_Setup, setup_of
from ..properties.tracker import ALL_TRACKERS, EXTRA_TRACKERS, SEGMENT_LABELS

Section = Callable[[bpy.types.Scene], list[str]]
"""Returns a heading and the lines below it, free of names and paths."""

_CERTAIN = 0.95
_OTHER_FEATURES: list[Section] = []


def set_sections(*sections: Section) -> None:
    """Choose what other features add to reports, in this order."""
    _OTHER_FEATURES[:] = sections


def make_report(scene: bpy.types.Scene) -> str:
    """Return the report of a scene's active setup."""
    setup = setup_of(scene)
    sections = [
        ["SSR-HMR report", *_list_versions()],
        ["Character", *_describe_character(setup)],
        ["Trackers", *_describe_trackers(setup)],
        ["Calibration", *_describe_calibration(setup)],
        ["Bake", *_describe_bake(scene, setup)],
        *(section(scene) for section in _OTHER_FEATURES),
        ["Last messages", *_list_messages(setup)],
    ]
    return "\n\n".join("\n".join([heading, *lines]) for heading, *lines in sections) + "\n"


def addon_version() -> str:
    """Return the version in the manifest; "checkout" where no built extension runs."""
    manifest = resources.files(__package__.rpartition(".")[0]) / "blender_manifest.toml"
    if not manifest.is_file():
        return "checkout"
    return str(tomllib.loads(manifest.read_text(encoding="utf-8")).get("version", "checkout"))


def _list_versions() -> Iterator[str]:
    import numpy as np

    import ssrhmr_core

    window = "background" if bpy.app.background else "window"
    yield f"add-on {addon_version()}, core {ssrhmr_core.__version__}"
    yield f"Blender {bpy.app.version_string}, {window}, language {bpy.app.translations.locale}"
    yield f"Python {platform.python_version()}, NumPy {np.__version__}"
    yield f"{platform.system()} {platform.release()}, {platform.machine()}, {os.cpu_count()} cores"
    yield f"file encoding {sys.getfilesystemencoding()}, online access {bpy.app.online_access}"


def _describe_character(setup: SSRHMR_Setup) -> Iterator[str]:
    armature = setup.armature
    if armature is None:
        yield "none chosen"
        return
    x, y, z = armature.matrix_world.to_scale()[:]
    linked = " linked" * bool(armature.library) + " override" * bool(armature.override_library)
    count = len(armature.pose.bones) if armature.pose else 0
    yield f"{count} bones, scale {x:.4g}, {y:.4g}, {z:.4g}{linked}"
    if not setup.bones:
        yield "bones not detected"
        return
    mapped = [slot for slot in setup.bones if slot.bone]
    yield f"family {setup.family or 'unknown'}, {len(mapped)} of {len(setup.bones)} joints mapped"
    unsure = [slot for slot in mapped if slot.confidence < _CERTAIN]
    if unsure:
        yield "below 95 %: " + ", ".join(f"{slot.name} {slot.confidence:.0%}" for slot in unsure)
    missing = [slot for slot in setup.bones if not slot.bone]
    if missing:
        yield "no bone: " + ", ".join(
            slot.name + " (required)" * slot.required + " (asks)" * slot.is_unclear
            for slot in missing
        )
    yield f"asks below {LIKELY:.0%}; obstacles: {len(setup.obstacles.splitlines())}"


def _describe_trackers(setup: SSRHMR_Setup) -> Iterator[str]:
    for role in ALL_TRACKERS:
        tracker = setup.tracker(role)
        if tracker.object is None:
            if role not in EXTRA_TRACKERS:
                yield f"{role}: none"
            continue
        parts = [tracker.object.type.lower(), *_list_movers(tracker.object)]
        if role in SEGMENT_LABELS:
            parts.append(f"worn {tracker.segment.lower()}")
        if tracker.weight != 1.0:
            parts.append(f"weight {tracker.weight:.2f}")
        if any(tracker.offset) or any(tracker.rotation):
            parts.append("adjusted by hand")
        yield f"{role}: {', '.join(parts)}"


def _list_movers(obj: bpy.types.Object) -> Iterator[str]:
    data = obj.animation_data
    if data and data.action:
        first, last = data.action.frame_range[:]
        yield f"action from {first:g} to {last:g}"
    if data and data.nla_tracks:
        yield "NLA"
    if data and data.drivers:
        yield "drivers"
    if obj.parent:
        yield f"child of {obj.parent_type.lower()}"
    if obj.constraints:
        yield "constraints " + " ".join(constraint.type for constraint in obj.constraints)


def _describe_calibration(setup: SSRHMR_Setup) -> Iterator[str]:
    given = "given" if setup.height else "estimated"
    yield f"{setup.reference} at frame {setup.calibration_frame}, {setup.proportions}"
    yield f"height {given}, {'calibrated' if setup.calibration else 'not calibrated'}"
    for fit in setup.fits:
        yield (
            f"{fit.name}: {fit.error:.1f} cm off, mount {fit.mount_distance:.3f},"
            f" {100.0 * fit.speed:.0f} cm/s, quality {fit.quality:.2f}"
        )
    for slip in setup.slips:
        amount = f"{slip.distance:.0f} cm at frame {slip.frame:.0f}"
        yield f"{slip.tracker} slipped, taken back: {amount}"
    for warning in setup.warnings:
        yield "warning: " + redact(warning.name, private_names())


def _describe_bake(scene: bpy.types.Scene, setup: SSRHMR_Setup) -> Iterator[str]:
    rate = scene.render.fps / scene.render.fps_base
    yield f"range {setup.range}, scene {scene.frame_start} to {scene.frame_end} at {rate:g} fps"
    unit = scene.unit_settings.scale_length
    yield f"unit scale {unit:g}, between frames {setup.between_frames}"
    yield f"smoothing {setup.smoothing} {setup.cutoff:g} Hz, planting {setup.planting:.2f}"
    yield f"key switches {setup.key_switches}, IK controls {setup.ik_controls}"


def _list_messages(setup: SSRHMR_Setup) -> Iterator[str]:
    lines = RECENT.lines()
    if setup.message:
        lines.append("in the panel: " + redact(setup.message, private_names()))
    yield from lines or ["none"]
