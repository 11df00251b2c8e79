# SPDX-License-Identifier: GPL-3.0-or-later
"""The bake operators."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..baking.job import bake, bake_take
from ..baking.plan import BakeReport
from ..common.log import LOGGER
from ..common.modal_job import ModalJob, Steps
from ..common.typed import ImportHelper, OperatorResult, scene_of, window_manager_of
from ..properties.setup import setup_of
from ..rig.obstacles import store_obstacles


class _Baking(ModalJob):
    """What both operators report at their end."""

    job = "Bake"

    def finish(self, context: bpy.types.Context, result: BakeReport) -> OperatorResult:
        """Report what was baked."""
        seconds = sum(result.seconds.values())
        text = f"'{result.action}': {result.keys:,} keys on {result.bones} bones in {seconds:.1f} s"
        if result.reduction:
            text = f"{text}: {result.reduction}"
        setup = setup_of(scene_of(context))
        setup.message, setup.notes = text, "\n".join(result.notes)
        LOGGER.info("%s", "; ".join([text, *result.notes]))
        if setup.armature is not None:
            # The rig may have changed since it was calibrated.
            store_obstacles(setup, setup.armature)
        self.report({"WARNING"} if result.notes else {"INFO"}, "; ".join([text, *result.notes]))
        return {"FINISHED"}


class SSRHMR_OT_bake(_Baking, bpy.types.Operator):
    """Turn the trackers' animation into keyframes on the character, as a new action."""

    bl_idname = "ssrhmr.bake"
    bl_label = "Bake"
    bl_options = {"REGISTER", "UNDO"}

    def start(self, context: bpy.types.Context) -> Steps:
        """Bake the scene's setup."""
        return bake(scene_of(context))


class SSRHMR_OT_bake_take(_Baking, bpy.types.Operator, ImportHelper):
    """Turn a recorded take into keyframes on the character, as a new action."""

    bl_idname = "ssrhmr.bake_take"
    bl_label = "Bake Recorded Take"
    bl_options = {"REGISTER", "UNDO"}

    filter_glob: bpy.props.StringProperty(default="*.csv", options={"HIDDEN"})
    frame_start: bpy.props.IntProperty(
        name="Start",
        description="Frame at which the take begins; the scene's first frame if not set",
    )
    _asked = False

    def start(self, context: bpy.types.Context) -> Steps:
        """Bake the file onto the character of the scene's setup."""
        scene = scene_of(context)
        is_set = self.properties.is_property_set("frame_start")
        start = self.frame_start if is_set else scene.frame_start
        return bake_take(scene, Path(bpy.path.abspath(self.filepath)), start)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorResult:
        """Ask for the file unless a script has named it."""
        if self.filepath:
            return self.begin(context)
        self._asked = True
        self.frame_start = scene_of(context).frame_start
        window_manager_of(context).fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        """Bake at once, or step by step if a file was asked for."""
        return self.begin(context) if self._asked else super().execute(context)


CLASSES = (SSRHMR_OT_bake, SSRHMR_OT_bake_take)
