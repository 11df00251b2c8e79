# SPDX-License-Identifier: GPL-3.0-or-later
"""Importing a take as animated empties."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from ..animation.actions import curves_of
from ..common.clock import curve_time_per_frame
from ..common.errors import UserError, plain_message
from ..common.typed import ImportHelper, OperatorResult, layout_of, scene_of, window_manager_of
from ..properties.setup import setup_of
from ..properties.tracker import MORE_ITEMS, MORE_TRACKERS, TRACKER_LABELS, TRACKERS
from ..trackers.empties import make_empties
from ..trackers.files import TakeFile, read_take_file, take_name
from ..trackers.joints import use_joints, use_trackers

if TYPE_CHECKING:
    from ..properties.setup import SSRHMR_Setup

# Those of ssrhmr_core.formats.TAKE_SUFFIXES, written out because the core is imported on first use
# only. A test compares them.
_FILTER = "*.bvh;*.bvh.xz;*.npz;*.csv;*.csv.xz;*.tsv;*.tsv.xz;*.trc;*.trc.xz"
_EXTENSIONS = ".bvh;.npz;.csv;.tsv;.trc;.xz"
"""Blender compares what stands behind the last dot."""


class SSRHMR_OT_import_take(bpy.types.Operator, ImportHelper):
    """Import a table of trackers, or the joints of a whole-body motion, as animated empties."""

    bl_idname = "ssrhmr.import_take"
    bl_label = "Import Take"
    bl_options = {"REGISTER", "UNDO"}

    # Not kept for the next import, which must ask for a file again.
    filepath: bpy.props.StringProperty(
        subtype="FILE_PATH", maxlen=1024, options={"HIDDEN", "SKIP_SAVE", "SKIP_PRESET"}
    )
    filter_glob: bpy.props.StringProperty(default=_FILTER, options={"HIDDEN"})
    use_in_setup: bpy.props.BoolProperty(
        name="Use as Trackers",
        description="Choose the new empties as the trackers of the active setup",
        default=True,
    )
    up: bpy.props.EnumProperty(
        name="Up",
        description="Axis of the file that points up",
        items=(
            ("AUTO", "Automatic", "Infer it from the body and its movement"),
            *((axis, axis, "") for axis in ("X", "-X", "Y", "-Y", "Z", "-Z")),
        ),
    )
    unit: bpy.props.EnumProperty(
        name="Unit",
        description="Unit of the positions in the file",
        items=(
            ("AUTO", "Automatic", "Infer it from the file and the size of the body"),
            ("M", "Metres", ""),
            ("CM", "Centimetres", ""),
            ("MM", "Millimetres", ""),
            ("DM", "Decimetres", ""),
            ("IN", "Inches", ""),
            ("FT", "Feet", ""),
        ),
    )
    performer: bpy.props.StringProperty(
        name="Performer",
        description="Root joint, or number from 1, of the body to import from a BVH file that holds"
        " several. Empty for the first",
    )
    more: bpy.props.EnumProperty(
        name="Trackers",
        description="Which joints of a whole-body motion become trackers; of tables, all are read",
        items=MORE_ITEMS,
    )
    columns: bpy.props.StringProperty(
        name="Columns",
        description="Columns and devices of a table of trackers that are not recognised, such as"
        " time=t,device=id,x=px,y=py,z=pz or head=HMD",
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorResult:
        """Ask for a file; for one that was dropped into the view, ask how to read it."""
        manager = window_manager_of(context)
        if not self.filepath:
            manager.fileselect_add(self)
            return {"RUNNING_MODAL"}
        result: OperatorResult = manager.invoke_props_dialog(self)
        return result

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        """Import the file; the take begins at the scene's first frame."""
        scene = scene_of(context)
        path = Path(bpy.path.abspath(self.filepath))
        try:
            file = self._read(path)
            empties = make_empties(scene, take_name(path), file.take, performer=file.performer)
        except (UserError, ValueError, OSError) as error:
            self.report({"ERROR"}, f"'{path.name}' was not imported: {plain_message(error)}")
            return {"CANCELLED"}
        for note in file.notes:
            self.report({"WARNING"}, note)
        if self.use_in_setup:
            problem = _use_take(scene, setup_of(scene), file, empties)
            if problem:
                self.report({"WARNING"}, f"Imported, but not calibrated. {problem}")
        take = file.take
        missing = [TRACKER_LABELS[role] for role in TRACKERS if role not in empties]
        text = f"'{path.name}': {take.times[-1] - take.times[0]:.1f} s, {len(take)} frames"
        if missing:
            text += f"; no readings of {', '.join(missing)}: the model fills in what is missing"
        last = _last_frame(scene, empties.values())
        if last > scene.frame_end:
            text += (
                f"; the scene ends at frame {scene.frame_end}, the take at {last}: set End in the"
                " timeline to play all of it"
            )
        self.report({"INFO"}, text)
        return {"FINISHED"}

    def _read(self, path: Path) -> TakeFile:
        return read_take_file(
            path,
            up=None if self.up == "AUTO" else self.up.lower(),
            unit=None if self.unit == "AUTO" else self.unit.lower(),
            columns=self.columns.strip() or None,
            performer=self.performer.strip() or None,
            extras=MORE_TRACKERS[self.more],
        )


def _last_frame(scene: bpy.types.Scene, empties: Iterable[bpy.types.Object]) -> int:
    """Return the last frame of the scene at which a tracker has a key."""
    ends = [curve.range()[1] for empty in empties for curve in curves_of(empty)]
    return round(max(ends, default=0.0) / curve_time_per_frame(scene))


def _use_take(
    scene: bpy.types.Scene,
    setup: SSRHMR_Setup,
    file: TakeFile,
    empties: dict[str, bpy.types.Object],
) -> str:
    """Choose empties as the trackers of a setup.

    Returns:
        Why the setup is not calibrated where it could be; empty otherwise.
    """
    if file.performer is None:
        use_trackers(setup, empties)
        setup.calibration_frame = scene.frame_start
        return ""
    problem = use_joints(scene, setup, empties)
    return problem if setup.armature is not None and setup.bones else ""


class SSRHMR_FH_take(bpy.types.FileHandler):
    """Imports takes that are dropped into a 3D view."""

    bl_idname = "SSRHMR_FH_take"
    bl_label = "SSR-HMR Trackers"
    bl_import_operator = "ssrhmr.import_take"
    bl_file_extensions = _EXTENSIONS

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        """Return whether files may be dropped here."""
        return context.area is not None and context.area.type == "VIEW_3D"


def draw_menu(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    """Draw the entry of File > Import."""
    layout_of(self).operator("ssrhmr.import_take", text="SSR-HMR Trackers (.csv, .bvh, .npz, .trc)")


CLASSES = (SSRHMR_OT_import_take, SSRHMR_FH_take)
