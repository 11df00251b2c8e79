# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding takes, baking them, showing one."""

from __future__ import annotations

import bpy

from ..animation.assignment import assign
from ..common.errors import UserError
from ..common.modal_job import ModalJob, Steps, is_running
from ..common.validation import check_trackers
from ..properties.setup import setup_of
from .finding import FoundTake, find_in_actions, find_in_collections
from .job import BatchReport, bake_takes
from .properties import batch_of


class SSRHMR_OT_find_takes(bpy.types.Operator):
    """List the takes of this file: actions of the trackers, or collections of six trackers."""

    bl_idname = "ssrhmr.find_takes"
    bl_label = "Find Takes"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether no job works on the list."""
        return not is_running()

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Fill the list; takes that were unticked stay so."""
        scene, batch = context.scene, batch_of(context.scene)
        try:
            if batch.source == "COLLECTIONS":
                found = find_in_collections(scene)
                advice = "name the six objects of a take after the body: Head, Left Hand, ..."
            else:
                setup = setup_of(scene)
                found = find_in_actions(check_trackers(setup), setup.armature)
                advice = "import takes onto these trackers, or choose Collections"
        except UserError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        left_out = {take.name for take in batch.takes if not take.use}
        batch.takes.clear()
        for take in found:
            self._add(context, take, take.name not in left_out)
        batch.active = 0
        if not found:
            self.report({"WARNING"}, f"No takes found: {advice}")
            return {"CANCELLED"}
        broken = sum(bool(take.problem) for take in found)
        text = f"{len(found) - broken} takes found"
        self.report({"INFO"}, text + f", {broken} incomplete: click one to see why" * bool(broken))
        return {"FINISHED"}

    @staticmethod
    def _add(context: bpy.types.Context, take: FoundTake, use: bool) -> None:
        item = batch_of(context.scene).takes.add()
        item.name, item.use = take.name, use and not take.problem
        if take.problem:
            item.problem = item.result = take.problem
            item.state = "SKIPPED"
        for name, library in take.trackers:
            part = item.trackers.add()
            part.name, part.library = name, library or ""
        for found in take.parts:
            part = item.parts.add()
            part.name, part.library = found.owner[0], found.owner[1] or ""
            part.slot = found.slot
            if found.action:
                part.action, part.action_library = found.action[0], found.action[1] or ""


class SSRHMR_OT_bake_takes(ModalJob, bpy.types.Operator):
    """Bake every ticked take onto the character, each as a new action named after it."""

    bl_idname = "ssrhmr.bake_takes"
    bl_label = "Bake Takes"
    bl_options = {"REGISTER", "UNDO"}
    job = "Batch"

    _report: BatchReport

    def start(self, context: bpy.types.Context) -> Steps:
        """Bake the scene's takes."""
        self._report = BatchReport()
        return bake_takes(context.scene, self._report)

    def finish(self, context: bpy.types.Context, result: BatchReport) -> set[str]:
        """Say how many were baked and why others were not."""
        text = f"{len(result.done)} of {result.chosen} takes baked"
        reasons = [f"'{name}' skipped: {reason}" for name, reason in result.skipped.items()]
        setup_of(context.scene).message = text
        warn = bool(reasons or result.notes)
        self.report({"WARNING"} if warn else {"INFO"}, "; ".join([text, *reasons, *result.notes]))
        return {"FINISHED"} if result.done else {"CANCELLED"}

    def cancelled(self, context: bpy.types.Context) -> set[str]:
        """Say what is kept."""
        if not self._report.done:
            return super().cancelled(context)
        done = f"{len(self._report.done)} of {self._report.chosen}"
        self.report({"INFO"}, f"Batch cancelled; {done} takes are done and kept")
        return {"FINISHED"}


class SSRHMR_OT_show_take(bpy.types.Operator):
    """Let the character play this take's action."""

    bl_idname = "ssrhmr.show_take"
    bl_label = "Show Take"
    bl_options = {"REGISTER", "UNDO"}

    take: bpy.props.StringProperty(name="Take", description="Name of the take")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Assign the action; the one before is kept."""
        item = batch_of(context.scene).takes.get(self.take)
        armature = setup_of(context.scene).armature
        action = bpy.data.actions.get(item.baked) if item else None
        if action is None or armature is None:
            self.report({"ERROR"}, f"'{self.take}' is not baked: press Bake Takes")
            return {"CANCELLED"}
        before = armature.animation_data.action if armature.animation_data else None
        assign(armature, action)
        if before is not None and before.users == 0:
            before.use_fake_user = True
        return {"FINISHED"}


CLASSES = (SSRHMR_OT_find_takes, SSRHMR_OT_bake_takes, SSRHMR_OT_show_take)
