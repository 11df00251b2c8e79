# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators that calibrate at a frame, find that frame and swap trackers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from ..baking.plan import frame_range
from ..common.data_blocks import key_of
from ..common.errors import UserError, plain_message
from ..common.steps import run_steps
from ..common.typed import OperatorResult, addon_operators, scene_of
from ..common.validation import SetupError, check_character, check_trackers
from ..properties.live import live_of
from ..properties.setup import setup_of
from ..rig.obstacles import store_obstacles
from ..rig.reading import Character, read_character
from ..trackers.armature import read_body, read_joints
from ..trackers.joints import calibrate_to_joints
from ..trackers.sampling import sample
from ..trackers.stored_calibration import store_calibration
from ..trackers.take import chosen_segments, read_wearing, take_from_samples
from ..translations import CONTEXT

if TYPE_CHECKING:
    import numpy as np

    from ssrhmr_core.tracking.extras.calibration import PosedExtras
    from ssrhmr_core.tracking.extras.readings import ExtraReadings
    from ssrhmr_core.tracking.take import Take

    from ..properties.setup import SSRHMR_Setup

_STILL_WINDOW = 0.25
"""Seconds before and after the frame in which the trackers should stand still."""
_SEARCH_RATE = 15.0
"""Frames per second that are read when a still frame is searched for."""


class SSRHMR_OT_calibrate(bpy.types.Operator):
    """Measure how each tracker sits on its joint, at a frame where the performer stands still."""

    bl_idname = "ssrhmr.calibrate"
    bl_label = "Calibrate"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        """Calibrate at the setup's calibration frame."""
        setup = setup_of(scene_of(context))
        try:
            _calibrate(context, setup)
        except (UserError, ValueError) as error:
            setup.message = plain_message(error)
            self.report({"ERROR"}, setup.message)
            return {"CANCELLED"}
        setup.message = ""
        if setup.warnings:
            self.report({"WARNING"}, setup.warnings[0].name)
        else:
            self.report({"INFO"}, "Calibrated")
        return {"FINISHED"}


class SSRHMR_OT_find_still(bpy.types.Operator):
    """Find the frame at which the performer stands still in a pose most like the reference."""

    bl_idname = "ssrhmr.find_still"
    bl_label = "Find Still Frame"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        """Set the calibration frame, and show it."""
        setup = setup_of(scene_of(context))
        try:
            frame = _find_still(scene_of(context), setup)
        except (UserError, ValueError) as error:
            setup.message = plain_message(error)
            self.report({"ERROR"}, setup.message)
            return {"CANCELLED"}
        setup.message = ""
        if frame != setup.calibration_frame:
            setup.calibration_frame = frame
        scene_of(context).frame_set(frame)
        self.report({"INFO"}, f"Frame {frame}: check that this is the pose, then calibrate")
        return {"FINISHED"}


class SSRHMR_OT_swap_trackers(bpy.types.Operator):
    """Swap the left and right tracker of a pair, here and in live capture."""

    bl_idname = "ssrhmr.swap_trackers"
    bl_label = "Swap Trackers"
    bl_options = {"REGISTER", "UNDO"}

    pair: bpy.props.EnumProperty(
        name="Pair",
        items=(
            ("HANDS", "Hands", "Swap the trackers of the hands"),
            ("FEET", "Feet", "Swap the trackers of the feet"),
            ("SHOULDERS", "Shoulders", "Swap the trackers of the shoulders"),
            ("ELBOWS", "Elbows", "Swap the trackers of the elbows"),
            ("KNEES", "Knees", "Swap the trackers of the knees"),
            ("TOES", "Toes", "Swap the trackers of the toes"),
        ),
        translation_context=CONTEXT,
    )

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        """Swap them, and calibrate again if there was a calibration."""
        setup = setup_of(scene_of(context))
        part = {"FEET": "foot"}.get(self.pair, self.pair[:-1].lower())
        left, right = setup.tracker(f"left_{part}"), setup.tracker(f"right_{part}")
        calibrated = bool(setup.calibration)
        left.object, right.object = right.object, left.object
        # What a device measures and where it is strapped goes with it.
        left.measures, right.measures = right.measures, left.measures
        left.segment, right.segment = right.segment, left.segment
        _swap_devices(scene_of(context), f"left_{part}", f"right_{part}")
        if calibrated and left.object is not None and right.object is not None:
            return addon_operators().calibrate()
        setup.clear_calibration()
        self.report({"INFO"}, "The trackers are swapped: calibrate again")
        return {"FINISHED"}


def _swap_devices(scene: bpy.types.Scene, left: str, right: str) -> None:
    """Swap the roles of the devices that are worn as either tracker."""
    others = {left: right, right: left}
    devices = [device for device in live_of(scene).devices if device.role in others]
    # A role that is given to one device is taken from the other, so all are read first.
    for device, role in [(device, others[device.role]) for device in devices]:
        device.role = role


def _calibrate(context: bpy.types.Context, setup: SSRHMR_Setup) -> None:
    import numpy as np

    from ssrhmr_core.body.skeleton import ADULT_SIZE
    from ssrhmr_core.tracking.calibration import (
        CalibrationOptions,
        calibrate,
        calibrate_to_pose,
        measure_peak_speeds,
        measures_of,
        warn_of_movement,
    )
    from ssrhmr_core.tracking.reference_pose import ReferencePose

    armature, trackers = check_character(setup), check_trackers(setup)
    character = read_character(armature, tuple(slot.bone for slot in setup.bones))
    # The rig may have changed since its bones were detected.
    store_obstacles(setup, armature)
    skeleton = character.rest.skeleton
    scene = scene_of(context)
    if setup.reference == "JOINTS":
        calibrate_to_joints(scene, setup, skeleton)
        return
    around = max(1, round(_STILL_WINDOW * _frame_rate(scene)))
    take = _read_take(scene, trackers, np.arange(-around, around + 1) + setup.calibration_frame)
    positions, rotations = take.positions[around], take.rotations[around]
    tracked = (take.has_position | take.has_rotation)[around]
    measures = measures_of(take)
    extras = take.extras_at(around)
    if setup.reference == "CHARACTER":
        joint_positions, joint_rotations = _read_posed_joints(scene, setup, character)
        posed = _pose_extras(scene, setup, character, extras) if extras else None
        calibration = calibrate_to_pose(
            joint_positions,
            joint_rotations,
            positions,
            rotations,
            skeleton.size,
            tracked,
            posed,
            measures,
        )
    else:
        options = CalibrationOptions(
            setup.proportions,
            ReferencePose(setup.reference),
            setup.height or None,
            chosen_segments(setup),
        )
        calibration = calibrate(skeleton, positions, rotations, options, tracked, extras, measures)
    speeds = measure_peak_speeds(take, float(take.times[around]), _STILL_WINDOW)
    body = calibration.performer or skeleton
    # Speeds of a scene in other units mean what they mean on an adult.
    speeds = speeds * ADULT_SIZE * calibration.scale / body.size
    warnings = (*calibration.warnings, *warn_of_movement(speeds))
    store_calibration(setup, calibration, body, speeds, warnings)


def _find_still(scene: bpy.types.Scene, setup: SSRHMR_Setup) -> int:
    """Return the frame at which the performer stands still, most like the reference pose."""
    import numpy as np

    from ssrhmr_core.tracking.calibration import find_still_time
    from ssrhmr_core.tracking.reference_pose import ReferencePose

    if setup.reference == "CHARACTER":
        raise SetupError(
            "The character's pose can be any, so it cannot be searched for: choose T-Pose or"
            " another reference"
        )
    if setup.reference == "JOINTS":
        raise SetupError(
            "Trackers that are the performer's joints need no pose: press Calibrate, or choose"
            " T-Pose or another reference"
        )
    armature, trackers = check_character(setup), check_trackers(setup)
    character = read_character(armature, tuple(slot.bone for slot in setup.bones))
    start, end = frame_range(scene, setup)
    frames = np.arange(start, end + 1, max(1, round(_frame_rate(scene) / _SEARCH_RATE)))
    take = _read_take(scene, trackers, frames)
    reference = ReferencePose(setup.reference)
    time = find_still_time(character.rest.skeleton, take, reference, _STILL_WINDOW)
    return int(frames[np.abs(take.times - time).argmin()])


def _frame_rate(scene: bpy.types.Scene) -> float:
    return scene.render.fps / scene.render.fps_base


def _read_take(
    scene: bpy.types.Scene, trackers: dict[str, bpy.types.Object], frames: np.ndarray
) -> Take:
    """Read the trackers, objects by role, at some frames."""
    steps = sample(scene.name, [key_of(obj) for obj in trackers.values()], list(frames))
    names = {role: obj.name for role, obj in trackers.items()}
    wearing = read_wearing(setup_of(scene))
    return take_from_samples(run_steps(steps), frames, _frame_rate(scene), names, wearing)


def _pose_extras(
    scene: bpy.types.Scene, setup: SSRHMR_Setup, character: Character, extras: ExtraReadings
) -> PosedExtras:
    """Return optional trackers next to the character's evaluated pose at the calibration frame."""
    from ssrhmr_core.tracking.extras.calibration import PosedExtras

    steps = read_body(scene, check_character(setup), character, setup.calibration_frame)
    return PosedExtras(extras, run_steps(steps), chosen_segments(setup))


def _read_posed_joints(
    scene: bpy.types.Scene, setup: SSRHMR_Setup, character: Character
) -> tuple[np.ndarray, np.ndarray]:
    """Return positions (6, 3) and canonical rotations (6, 4) of the tracked joints.

    They are those of the character's evaluated pose at the calibration frame.
    """
    import numpy as np

    frames = np.array([setup.calibration_frame])
    take = run_steps(read_joints(scene, check_character(setup), character, frames))
    return take.positions[0], take.rotations[0]


CLASSES = (SSRHMR_OT_calibrate, SSRHMR_OT_find_still, SSRHMR_OT_swap_trackers)
