# SPDX-License-Identifier: GPL-3.0-or-later
"""SSR-HMR for Blender: six tracked points in, a whole animated character out."""

from __future__ import annotations

import bpy

from . import properties, translations
from .bake import contacts as bake_contacts
from .bake import control_rig as bake_control_rig
from .bake import keys as bake_keys
from .bake import ops as bake_ops
from .bake import panel as bake_panel
from .batch import ops as batch_ops
from .batch import panel as batch_panel
from .batch import properties as batch_properties
from .calibration import ops as calibrate_ops
from .calibration import panel as calibrate_panel
from .calibration import refine as calibrate_refine
from .calibration import slips as calibrate_slips
from .characters import ops as setups_ops
from .characters import panel as setups_panel
from .common import core_version, log, modal_job
from .example import ops as example_ops
from .headless import command as farm_command
from .import_take import armature as takes_armature
from .import_take import ops as takes_ops
from .live import devices as live_devices
from .live import lifecycle as live_lifecycle
from .live import ops as live_ops
from .live import panel as live_panel
from .live import recording as live_recording
from .live import report as live_report
from .mapping import ops as setup_ops
from .mapping import panel as setup_panel
from .presets import menus as preset_menus
from .presets import ops as preset_ops
from .properties import handlers, preferences
from .support import ops as support_ops
from .support import panel as support_panel
from .support import report as support_report

# In this order: property groups before those that hold them, parent panels before children.
CLASSES: tuple[type, ...] = (
    *properties.CLASSES,
    *batch_properties.CLASSES,
    *setups_ops.CLASSES,
    *setup_ops.CLASSES,
    *calibrate_ops.CLASSES,
    *calibrate_refine.CLASSES,
    *calibrate_slips.CLASSES,
    *takes_ops.CLASSES,
    *takes_armature.CLASSES,
    *bake_ops.CLASSES,
    *live_ops.CLASSES,
    *live_devices.CLASSES,
    *live_recording.CLASSES,
    *batch_ops.CLASSES,
    *preset_ops.CLASSES,
    *example_ops.CLASSES,
    *support_ops.CLASSES,
    *preset_menus.CLASSES,
    *setups_panel.CLASSES,
    *setup_panel.CLASSES,
    *calibrate_panel.CLASSES,
    *bake_panel.CLASSES,
    *bake_control_rig.CLASSES,
    *bake_contacts.CLASSES,
    *bake_keys.CLASSES,
    *live_panel.CLASSES,
    *batch_panel.CLASSES,
    *support_panel.CLASSES,
)


def register() -> None:
    """Register classes and settings; nothing heavy is imported here."""
    core_version.drop_outdated_core()
    log.register()
    translations.register()
    for cls in CLASSES:
        if issubclass(cls, bpy.types.Operator):
            # Blender ends tooltips with a full stop of its own.
            cls.bl_description = (cls.__doc__ or "").removesuffix(".")
        bpy.utils.register_class(cls)
    properties.register()
    bpy.types.TOPBAR_MT_file_import.append(takes_ops.draw_menu)
    bpy.types.VIEW3D_MT_editor_menus.append(live_panel.draw_header)
    batch_properties.register()
    farm_command.register()
    support_report.set_sections(live_report.describe_live)
    preferences.use_stored_level()
    handlers.register()  # last: it migrates what the open file holds of all of the above


def unregister() -> None:
    """Unregister everything, and stop a bake or a capture that is running."""
    live_lifecycle.stop_running()
    modal_job.stop_running()
    handlers.unregister()
    bpy.types.TOPBAR_MT_file_import.remove(takes_ops.draw_menu)
    bpy.types.VIEW3D_MT_editor_menus.remove(live_panel.draw_header)
    farm_command.unregister()
    batch_properties.unregister()
    properties.unregister()
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
    translations.unregister()
    log.unregister()
