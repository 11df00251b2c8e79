"""The bake operator."""

from __future__ import annotations

import bpy

from ..jobs import Steps, StepsOperator
from ..rig.baking import Report, bake
from ..settings import setup_of


class SSRHMR_OT_bake(StepsOperator, bpy.types.Operator):
    """Turn the trackers' animation into keyframes on the character, as a new action."""

    bl_idname = "ssrhmr.bake"
    bl_label = "Bake"
    bl_options = {"REGISTER", "UNDO"}
    job = "Bake"

    def start(self, context: bpy.types.Context) -> Steps:
        """Bake the scene's setup."""
        return bake(context.scene)

    def finish(self, context: bpy.types.Context, result: Report) -> set[str]:
        """Say what was baked."""
        seconds = sum(result.seconds.values())
        text = f"'{result.action}': {result.keys:,} keys on {result.bones} bones in {seconds:.1f} s"
        setup_of(context.scene).message = text
        self.report({"WARNING"} if result.notes else {"INFO"}, "; ".join([text, *result.notes]))
        return {"FINISHED"}


CLASSES = (SSRHMR_OT_bake,)
