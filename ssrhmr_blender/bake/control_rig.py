# SPDX-License-Identifier: GPL-3.0-or-later
"""Control rigs: how their controls are keyed, and adding schemes of other rigs."""

from __future__ import annotations

import shutil
from pathlib import Path

import bpy

from ..common.errors import UserError
from ..common.typed import ImportHelper, OperatorResult, scene_of
from ..common.ui import draw_wrapped_text
from ..common.user_folder import user_folder
from ..properties.setup import SSRHMR_Setup, setup_of
from ..rig.control_schemes import FOLDER, load_scheme, schemes
from ..rig.controls import recognize
from ..rig.obstacles import store_obstacles
from .sub_panel import BakeSubPanel


class SSRHMR_OT_add_control_rig(bpy.types.Operator, ImportHelper):
    """Check a file that describes a kind of control rig, and use it from now on."""

    bl_idname = "ssrhmr.add_control_rig"
    bl_label = "Add Control Rig Scheme"

    filter_glob: bpy.props.StringProperty(default="*.json", options={"HIDDEN"})

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        """Copy the file to the user's folder if it is a scheme."""
        path = Path(bpy.path.abspath(self.filepath))
        try:
            scheme = load_scheme(path)
            target = user_folder(FOLDER, create=True) / path.with_suffix(".json").name
            if path.resolve() != target.resolve():
                shutil.copyfile(path, target)
        except UserError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        except OSError as error:
            self.report(
                {"ERROR"},
                f"'{path.name}' cannot be copied ({error.strerror or error}): choose another file",
            )
            return {"CANCELLED"}
        setup = setup_of(scene_of(context))
        if setup.armature is not None:
            store_obstacles(setup, setup.armature)
        self.report({"INFO"}, f"'{scheme.name}' is used for rigs that it recognizes: '{target}'")
        return {"FINISHED"}


class SSRHMR_PT_control_rig(BakeSubPanel, bpy.types.Panel):
    """Which kind of control rig the character is, and how its controls are keyed."""

    bl_label = "Control Rig"
    bl_idname = "SSRHMR_PT_control_rig"

    @staticmethod
    def draw_settings(
        layout: bpy.types.UILayout, context: bpy.types.Context, setup: SSRHMR_Setup
    ) -> None:
        """Draw the scheme, its options, and what is wrong with files of schemes."""
        found = recognize(setup.armature) if setup.armature is not None else []
        if found:
            layout.label(text=found[0].name, icon="ARMATURE_DATA", translate=False)
        column = layout.column()
        column.enabled = bool(found)
        column.prop(setup, "key_switches")
        column.prop(setup, "ik_controls")
        layout.operator("ssrhmr.add_control_rig", text="Add Scheme...")
        for problem in schemes()[1]:
            draw_wrapped_text(layout, context, problem, "ERROR")


CLASSES = (SSRHMR_OT_add_control_rig, SSRHMR_PT_control_rig)
