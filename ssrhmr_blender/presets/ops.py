# SPDX-License-Identifier: GPL-3.0-or-later
"""Saving, loading, deleting, importing and exporting presets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy

from ..common.errors import plain_message
from ..common.typed import OperatorMixin, OperatorResult, scene_of, window_manager_of
from ..properties.setup import setup_of
from ..properties.values import ValuesError
from . import files
from .kinds import KINDS, collect_preset, folder_of, read_preset

_KINDS = [(key, kind.label, f"Presets of {kind.label.lower()}") for key, kind in KINDS.items()]


class _PresetOperator(OperatorMixin):
    """Holds the kind of preset, and reports errors in a sentence."""

    kind: bpy.props.EnumProperty(name="Kind", items=_KINDS, options={"HIDDEN"})

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        """Run :meth:`work`, and report what the user can fix."""
        try:
            text, notes = self.work(context)
        except ValuesError as error:
            self.report(
                {"ERROR"}, f"The preset is damaged: {error}. Correct its file, or save it again"
            )
            return {"CANCELLED"}
        except ValueError as error:
            self.report({"ERROR"}, plain_message(error))
            return {"CANCELLED"}
        self.report({"WARNING"} if notes else {"INFO"}, "; ".join([text, *notes]))
        return {"FINISHED"}

    def work(self, context: bpy.types.Context) -> tuple[str, list[str]]:
        """Return what was done, and notes for the user."""
        raise NotImplementedError


class SSRHMR_OT_preset_save(_PresetOperator, bpy.types.Operator):
    """Save these settings as a preset for other files, replacing one of the same name."""

    bl_idname = "ssrhmr.preset_save"
    bl_label = "Save Preset"

    name: bpy.props.StringProperty(name="Name", description="Name of the preset", maxlen=63)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorResult:
        """Ask for the name."""
        armature = setup_of(scene_of(context)).armature
        if not self.name and armature is not None:
            self.name = armature.name
        chosen: Any = window_manager_of(context).invoke_props_dialog(self)
        return chosen

    def work(self, context: bpy.types.Context) -> tuple[str, list[str]]:
        """Write the file."""
        name = self.name.strip()
        preset = collect_preset(setup_of(scene_of(context)), self.kind, name)
        files.save(files.path_of(folder_of(self.kind, create=True), name), preset)
        return f"Saved '{name}'", []


class SSRHMR_OT_preset_load(_PresetOperator, bpy.types.Operator):
    """Apply this preset to the active character."""

    bl_idname = "ssrhmr.preset_load"
    bl_label = "Load Preset"
    bl_options = {"REGISTER", "UNDO"}

    name: bpy.props.StringProperty(name="Name", description="Name of the preset")

    def work(self, context: bpy.types.Context) -> tuple[str, list[str]]:
        """Read the file and apply it."""
        preset = read_preset(files.path_of(folder_of(self.kind), self.name), self.kind)
        notes = KINDS[self.kind].apply(setup_of(scene_of(context)), preset.values)
        return f"Loaded '{self.name}'", notes


class SSRHMR_OT_preset_delete(_PresetOperator, bpy.types.Operator):
    """Delete the file of this preset; settings that it was applied to stay."""

    bl_idname = "ssrhmr.preset_delete"
    bl_label = "Delete Preset"

    name: bpy.props.StringProperty(name="Name", description="Name of the preset")

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorResult:
        """Ask first: there is no undo for files."""
        chosen: Any = window_manager_of(context).invoke_confirm(self, event)
        return chosen

    def work(self, context: bpy.types.Context) -> tuple[str, list[str]]:
        """Remove the file."""
        path = files.path_of(folder_of(self.kind), self.name)
        try:
            path.unlink()
        except OSError as error:
            why = error.strerror or error
            raise files.PresetError(
                f"'{self.name}' cannot be deleted ({why}): delete {path} by hand"
            ) from error
        return f"Deleted '{self.name}'", []


class SSRHMR_OT_preset_import(_PresetOperator, bpy.types.Operator):
    """Add a preset file to your presets, and apply it to the active character."""

    bl_idname = "ssrhmr.preset_import"
    bl_label = "Import Preset"
    bl_options = {"REGISTER", "UNDO"}

    filepath: bpy.props.StringProperty(name="File", subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: bpy.props.StringProperty(default="*.json", options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorResult:
        """Open the file browser."""
        window_manager_of(context).fileselect_add(self)
        return {"RUNNING_MODAL"}

    def work(self, context: bpy.types.Context) -> tuple[str, list[str]]:
        """Apply first: what cannot be used is not added."""
        preset = read_preset(Path(bpy.path.abspath(self.filepath)), self.kind)
        notes = KINDS[self.kind].apply(setup_of(scene_of(context)), preset.values)
        folder = folder_of(self.kind, create=True)
        name = files.unused_name(folder, preset.name)
        files.save(files.path_of(folder, name), replace(preset, name=name))
        return f"Imported '{name}'", notes


class SSRHMR_OT_preset_export(_PresetOperator, bpy.types.Operator):
    """Write these settings to a preset file that can be shared."""

    bl_idname = "ssrhmr.preset_export"
    bl_label = "Export Preset"

    filepath: bpy.props.StringProperty(name="File", subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: bpy.props.StringProperty(default="*.json", options={"HIDDEN"})
    check_existing: bpy.props.BoolProperty(default=True, options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorResult:
        """Open the file browser with a suggested name."""
        armature = setup_of(scene_of(context)).armature
        title = armature.name if armature else "Preset"
        self.filepath = files.path_of(Path(), f"{title[:40]} {self.kind}".strip()).name
        window_manager_of(context).fileselect_add(self)
        return {"RUNNING_MODAL"}

    def work(self, context: bpy.types.Context) -> tuple[str, list[str]]:
        """Write the file."""
        path = Path(bpy.path.ensure_ext(bpy.path.abspath(self.filepath), ".json"))
        preset = collect_preset(setup_of(scene_of(context)), self.kind, files.name_of(path))
        files.save(path, preset)
        return f"Exported '{path.name}'", []


CLASSES = (
    SSRHMR_OT_preset_save,
    SSRHMR_OT_preset_load,
    SSRHMR_OT_preset_delete,
    SSRHMR_OT_preset_import,
    SSRHMR_OT_preset_export,
)
