# SPDX-License-Identifier: GPL-3.0-or-later
"""Fewer keys: the operator, and the panel of how keys are written."""

from __future__ import annotations

import bpy

from ..baking.existing import reduce_bake
from ..baking.reduction import ReductionReport
from ..common.modal_job import ModalJob, Steps
from ..common.typed import OperatorResult, scene_of
from ..properties.setup import SSRHMR_Setup, setup_of
from .sub_panel import BakeSubPanel


class SSRHMR_OT_reduce_keys(ModalJob, bpy.types.Operator):
    """Keep only the keys of the character's action that its pose needs, with handles to edit."""

    bl_idname = "ssrhmr.reduce_keys"
    bl_label = "Reduce Keys"
    bl_options = {"REGISTER", "UNDO"}
    job = "Reduction"

    def start(self, context: bpy.types.Context) -> Steps:
        """Reduce the keys of the setup's character."""
        return reduce_bake(scene_of(context))

    def finish(self, context: bpy.types.Context, result: ReductionReport) -> OperatorResult:
        """Report how many keys are left."""
        setup_of(scene_of(context)).message = str(result)
        self.report({"INFO"}, str(result))
        return {"FINISHED"}


class SSRHMR_PT_keys(BakeSubPanel, bpy.types.Panel):
    """How the keys of a bake are written."""

    bl_label = "Keys"
    bl_idname = "SSRHMR_PT_keys"

    @staticmethod
    def draw_settings(
        layout: bpy.types.UILayout, context: bpy.types.Context, setup: SSRHMR_Setup
    ) -> None:
        """Draw where keys go, and by how much the pose may be off with fewer of them."""
        keys = setup.keyframes
        layout.prop(keys, "result")
        if keys.result == "LAYER":
            layout.prop(keys, "blend")
        layout.prop(keys, "reduce")
        column = layout.column(align=True)
        for name in ("joint_error", "end_error", "contact_error", "angle_error"):
            column.prop(keys, name)
        layout.operator("ssrhmr.reduce_keys")


class SSRHMR_PT_root_motion(BakeSubPanel, bpy.types.Panel):
    """What carries the character through the room."""

    bl_label = "Root Motion"
    bl_idname = "SSRHMR_PT_root_motion"

    @staticmethod
    def draw_settings(
        layout: bpy.types.UILayout, context: bpy.types.Context, setup: SSRHMR_Setup
    ) -> None:
        """Draw what carries the character, and its filter."""
        root = setup.root_motion
        layout.prop(root, "target")
        if root.target == "BONE" and setup.armature is not None:
            layout.prop_search(root, "bone", setup.armature.data, "bones")
        if root.target != "HIPS":
            layout.prop(root, "heading")
            layout.prop(root, "smoothing")


CLASSES = (SSRHMR_OT_reduce_keys, SSRHMR_PT_keys, SSRHMR_PT_root_motion)
