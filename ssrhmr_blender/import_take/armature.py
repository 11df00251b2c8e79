# SPDX-License-Identifier: GPL-3.0-or-later
"""Trackers from an armature that is already animated: motion of any suit, file or app."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import bpy
from bpy.app.translations import pgettext_iface as iface_

from ..animation.actions import curves_of
from ..common.axes import metre
from ..common.modal_job import ModalJob, Steps
from ..common.steps import map_steps
from ..common.typed import OperatorResult, armature_of, scene_of, view_layer_of
from ..common.validation import SetupError
from ..properties.characters import all_setups
from ..properties.setup import setup_of
from ..properties.tracker import MORE_ITEMS, MORE_TRACKERS, TRACKER_LABELS
from ..rig.detection import detect_bone_names
from ..rig.reading import Character, read_character
from ..trackers.armature import read_joints, readable_extras
from ..trackers.empties import make_empties
from ..trackers.joints import use_joints
from ..trackers.sampling import is_animated

if TYPE_CHECKING:
    import numpy as np

_MODEL_RATE = 60.0


@dataclass(frozen=True)
class _Result:
    """What was made.

    Attributes:
        armature: Name of the armature.
        frames: Its first and last frame.
        trackers: Number of trackers.
        warnings: What may be wrong.
    """

    armature: str
    frames: tuple[int, int]
    trackers: int
    warnings: tuple[str, ...] = ()


class SSRHMR_OT_trackers_from_armature(ModalJob, bpy.types.Operator):
    """Make trackers from another animated armature: the active or selected one."""

    bl_idname = "ssrhmr.trackers_from_armature"
    bl_label = "Trackers from Armature"
    bl_options = {"REGISTER", "UNDO"}

    job = "Conversion to trackers"

    range: bpy.props.EnumProperty(
        name="Range",
        description="Frames to read",
        items=(
            (
                "ACTION",
                "Action",
                "From the first keyframe of the armature's action to the last; the scene's frame"
                " range if it has none",
            ),
            ("SCENE", "Scene", "The scene's frame range"),
        ),
    )

    more: bpy.props.EnumProperty(
        name="Trackers",
        description="Which trackers to make",
        items=MORE_ITEMS,
    )

    def start(self, context: bpy.types.Context) -> Steps:
        """Read the armature."""
        return _make_trackers(context, self.range == "ACTION", MORE_TRACKERS[self.more])

    def finish(self, context: bpy.types.Context, result: _Result) -> OperatorResult:
        """Report what was made."""
        for warning in result.warnings:
            self.report({"WARNING"}, warning)
        start, end = result.frames
        text = f"{result.trackers} trackers made from '{result.armature}', frames {start} to {end}"
        self.report({"INFO"}, text)
        return {"FINISHED"}


def _make_trackers(
    context: bpy.types.Context, of_action: bool, more: Sequence[str] = ()
) -> Generator[tuple[float, str], None, _Result]:
    """Make trackers for the active setup, and calibrate it.

    Nothing is changed before the last step.

    Args:
        context: Context of the operator.
        of_action: Whether to read the frames of the armature's action, not the scene's.
        more: Optional trackers to make besides the six.

    Raises:
        UserError, ValueError: with a message for the user.
    """
    scene = scene_of(context)
    scene_name = scene.name
    source = _find_source(context, setup_of(scene).armature)
    if armature_of(source).pose_position == "REST":
        raise SetupError(
            f"'{source.name}' is shown in its rest position: choose Pose Position in its data"
            " properties"
        )
    name = source.name
    character, warnings = _read_source(scene, source)
    start, end = _frame_range(scene, source, of_action)
    frames = _frames_to_read(scene, start, end)
    extras = readable_extras(character, more)
    if len(extras) < len(more):
        labels = ", ".join(TRACKER_LABELS[role] for role in more if role not in extras)
        warnings = (*warnings, f"'{name}' has no bones for {labels}: made without")
    steps = read_joints(scene, source, character, frames, extras)
    text = iface_("Reading the armature")
    take = yield from map_steps(steps, lambda share: (share, text))

    # References do not survive what may have happened meanwhile.
    scene = bpy.data.scenes[scene_name]
    unit = metre(scene)
    take = take.scaled(1.0 / unit)
    performer = character.rest.skeleton.scaled(1.0 / unit)
    empties = make_empties(scene, f"{name} Tracker", take, start=start, performer=performer)
    setup = setup_of(scene)
    problem = use_joints(scene, setup, empties)
    if problem and setup.armature is not None and setup.bones:
        warnings = (*warnings, f"Trackers made, but not calibrated. {problem}")
    return _Result(name, (start, end), len(empties), warnings)


def _find_source(
    context: bpy.types.Context, character: bpy.types.Object | None
) -> bpy.types.Object:
    """Return the armature to read: the active one, or the only other one that it can be.

    Raises:
        SetupError: if there is none, or several.
    """
    objects = scene_of(context).objects
    armatures = [obj for obj in objects if obj.type == "ARMATURE" and obj != character]
    active = view_layer_of(context).objects.active
    if active is not None and active in armatures:
        return active
    selected = [obj for obj in armatures if obj.select_get()]
    candidates = selected or [obj for obj in armatures if is_animated(obj)]
    if len(candidates) == 1:
        return candidates[0]
    if not armatures:
        raise SetupError(
            "There is no armature besides the character: import the one that holds the motion, and"
            " select it"
        )
    raise SetupError("Select the armature that holds the motion, and only that one")


def _read_source(
    scene: bpy.types.Scene, source: bpy.types.Object
) -> tuple[Character, tuple[str, ...]]:
    """Read the rest pose of an armature, with the bones that the user has chosen if there are any.

    Returns:
        The armature in the core's terms, and warnings about bones that may be wrong.

    Raises:
        RigError: naming the bone or joint at fault.
    """
    setups = (setup for setup in all_setups(scene) if setup.armature == source and setup.bones)
    setup = next(setups, None)
    if setup is not None:
        character = read_character(source, tuple(slot.bone for slot in setup.bones))
        return _check_rest_pose(source, character, ())
    bones, warnings = detect_bone_names(source)
    return _check_rest_pose(source, read_character(source, bones), warnings)


def _check_rest_pose(
    source: bpy.types.Object, character: Character, warnings: tuple[str, ...]
) -> tuple[Character, tuple[str, ...]]:
    """Add a warning if nobody stands in the rest pose, from which rotations are measured."""
    from ssrhmr_core.body.rest_pose import is_standing

    if not is_standing(character.rest):
        text = (
            f"'{source.name}' does not stand in its rest pose, so head, hands and feet may be"
            " rotated wrong: export it again with its mesh, or with the T-pose as its first frame"
        )
        warnings = (*warnings, text)
    return character, warnings


def _frame_range(
    scene: bpy.types.Scene, source: bpy.types.Object, of_action: bool
) -> tuple[int, int]:
    """Return the first and last frame to read."""
    spans = [curve.range() for curve in curves_of(source) if len(curve.keyframe_points)]
    if not of_action or not spans:
        return scene.frame_start, scene.frame_end
    return math.floor(min(span[0] for span in spans)), math.ceil(max(span[1] for span in spans))


def _frames_to_read(scene: bpy.types.Scene, start: int, end: int) -> np.ndarray:
    """Return frame numbers (F,) that are close enough for the model's rate."""
    import numpy as np

    rate = scene.render.fps / scene.render.fps_base
    between = int(np.ceil(_MODEL_RATE / rate - 1e-3)) if setup_of(scene).between_frames else 1
    frames: np.ndarray = start + np.arange((end - start) * between + 1) / between
    return frames


CLASSES = (SSRHMR_OT_trackers_from_armature,)
