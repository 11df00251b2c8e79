# SPDX-License-Identifier: GPL-3.0-or-later
"""Importing a take as six animated empties."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from ..common.errors import UserError, plain_message
from ..common.typed import ImportHelper, OperatorResult, layout_of, scene_of
from ..properties.setup import setup_of
from ..properties.tracker import TRACKER_LABELS, TRACKERS
from ..trackers.empties import make_empties

if TYPE_CHECKING:
    from ssrhmr_core.tracking.take import Take


class SSRHMR_OT_import_take(bpy.types.Operator, ImportHelper):
    """Import six trackers from a tracker CSV, or the joints of a BVH, as animated empties."""

    bl_idname = "ssrhmr.import_take"
    bl_label = "Import Take"
    bl_options = {"REGISTER", "UNDO"}

    filter_glob: bpy.props.StringProperty(default="*.csv;*.bvh", options={"HIDDEN"})
    use_in_setup: bpy.props.BoolProperty(
        name="Use as Trackers",
        description="Choose the new empties as the trackers of the active setup",
        default=True,
    )

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        """Import the file; the take begins at the scene's first frame."""
        scene = scene_of(context)
        path = Path(bpy.path.abspath(self.filepath))
        try:
            take = _load(path)
            empties = make_empties(scene, path.stem, take)
        except (UserError, ValueError, OSError) as error:
            self.report({"ERROR"}, f"'{path.name}' was not imported: {plain_message(error)}")
            return {"CANCELLED"}
        if self.use_in_setup:
            setup = setup_of(scene)
            for role in TRACKERS:
                setattr(setup, role, empties.get(role))
            setup.range = "TRACKERS"
            setup.calibration_frame = scene.frame_start
        missing = [TRACKER_LABELS[role] for role in TRACKERS if role not in empties]
        text = f"'{path.name}': {take.times[-1] - take.times[0]:.1f} s, {len(take)} frames"
        if missing:
            text += f"; never seen, choose other objects for: {', '.join(missing)}"
        self.report({"INFO"}, text)
        return {"FINISHED"}


def _load(path: Path) -> Take:
    from ssrhmr_core.formats import load_motion
    from ssrhmr_core.formats.trackers_csv import load_trackers
    from ssrhmr_core.tracking.take import Take

    if path.suffix.lower() == ".csv":
        return load_trackers(path)
    return Take.from_motion(load_motion(path))


def draw_menu(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    """Draw the entry of File > Import."""
    layout_of(self).operator("ssrhmr.import_take", text="SSR-HMR Trackers (.csv, .bvh)")


CLASSES = (SSRHMR_OT_import_take,)
