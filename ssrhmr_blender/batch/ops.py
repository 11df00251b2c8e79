# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators that find takes, bake them and show one."""

from __future__ import annotations

import bpy

from ..animation.assignment import assign
from ..common.errors import UserError, plain_message
from ..common.modal_job import ModalJob, Steps, is_running
from ..common.typed import OperatorResult, scene_of
from ..common.validation import check_trackers
from ..properties.setup import setup_of
from ..trackers.stored_calibration import calibrated_roles
from .finding import TakeCandidate, find_in_actions, find_in_collections
from .job import BatchReport, bake_takes
from .properties import SSRHMR_Batch, batch_of


class SSRHMR_OT_find_takes(bpy.types.Operator):
    """List the takes of this file: actions of the trackers, or collections of trackers."""

    bl_idname = "ssrhmr.find_takes"
    bl_label = "Find Takes"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether no job works on the list."""
        return not is_running()

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        """Fill the list; takes that were unticked stay so."""
        scene, batch = scene_of(context), batch_of(scene_of(context))
        setup = setup_of(scene)
        try:
            if batch.source == "COLLECTIONS":
                takes = find_in_collections(scene, calibrated_roles(setup))
                advice = "name the objects of a take after the body: Head, Left Hand, ..."
            else:
                takes = find_in_actions(check_trackers(setup), setup.armature)
                advice = "import takes onto these trackers, or choose Collections"
        except UserError as error:
            self.report({"ERROR"}, plain_message(error))
            return {"CANCELLED"}
        unticked = {take.name for take in batch.takes if not take.use}
        batch.takes.clear()
        for take in takes:
            _add_take(batch, take, take.name not in unticked)
        batch.active = 0
        if not takes:
            self.report({"WARNING"}, f"No takes found: {advice}")
            return {"CANCELLED"}
        broken = sum(bool(take.problem) for take in takes)
        text = f"{len(takes) - broken} takes found"
        self.report({"INFO"}, text + f", {broken} incomplete: click one to see why" * bool(broken))
        return {"FINISHED"}


def _add_take(batch: SSRHMR_Batch, take: TakeCandidate, use: bool) -> None:
    item = batch.takes.add()
    item.name, item.use = take.name, use and not take.problem
    if take.problem:
        item.problem = item.result = take.problem
        item.state = "SKIPPED"
    for role, (name, library) in take.trackers.items():
        tracker = item.trackers.add()
        tracker.name, tracker.library, tracker.role = name, library or "", role
    for part in take.parts:
        entry = item.parts.add()
        entry.name, entry.library = part.owner[0], part.owner[1] or ""
        entry.slot = part.slot
        if part.action:
            entry.action, entry.action_library = part.action[0], part.action[1] or ""


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
        return bake_takes(scene_of(context), self._report)

    def finish(self, context: bpy.types.Context, result: BatchReport) -> OperatorResult:
        """Report how many takes were baked, and why the others were not."""
        text = f"{len(result.done)} of {result.chosen} takes baked"
        reasons = [f"'{name}' skipped: {reason}" for name, reason in result.skipped.items()]
        setup_of(scene_of(context)).message = text
        warn = bool(reasons or result.notes)
        self.report({"WARNING"} if warn else {"INFO"}, "; ".join([text, *reasons, *result.notes]))
        return {"FINISHED"} if result.done else {"CANCELLED"}

    def cancelled(self, context: bpy.types.Context) -> OperatorResult:
        """Report what is kept."""
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

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        """Assign the action; the former one is kept."""
        item = batch_of(scene_of(context)).takes.get(self.take)
        armature = setup_of(scene_of(context)).armature
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
