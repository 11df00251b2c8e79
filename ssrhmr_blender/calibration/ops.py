# SPDX-License-Identifier: GPL-3.0-or-later
"""Calibrating at one frame."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import bpy

from ..baking.job import frame_range
from ..common.axes import core_axes, numbers, split
from ..common.errors import UserError
from ..common.validation import SetupError, check_character, check_trackers
from ..properties.settings import live_of, setup_of
from ..rig.obstacles import obstacles
from ..rig.reading import Character, read_character
from ..trackers.sampling import key_of, sample
from ..trackers.stored_calibration import store_calibration
from ..trackers.take import take_from_samples
from ..translations import CONTEXT

if TYPE_CHECKING:
    import numpy as np

    from ssrhmr_core.tracking.take import Take

    from ..properties.settings import SSRHMR_Setup

_LOOK_AROUND = 0.25
"""Seconds before and after the frame in which the trackers should stand still."""
_LOOKS_PER_SECOND = 15.0
"""How often trackers are looked at where a still frame is searched for."""


class SSRHMR_OT_calibrate(bpy.types.Operator):
    """Work out how each tracker sits on its joint, at a frame where the performer stands still."""

    bl_idname = "ssrhmr.calibrate"
    bl_label = "Calibrate"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Calibrate at the setup's calibration frame."""
        setup = setup_of(context.scene)
        try:
            _calibrate(context, setup)
        except (UserError, ValueError) as error:
            setup.message = str(error)
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        setup.message = ""
        if setup.warnings:
            self.report({"WARNING"}, setup.warnings[0].name)
        else:
            self.report({"INFO"}, "Calibrated")
        return {"FINISHED"}


class SSRHMR_OT_find_still(bpy.types.Operator):
    """Find the frame at which the performer stands still, most like the reference pose."""

    bl_idname = "ssrhmr.find_still"
    bl_label = "Find Still Frame"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Set the calibration frame, and go there to look at it."""
        setup = setup_of(context.scene)
        try:
            frame = _find_still(context.scene, setup)
        except (UserError, ValueError) as error:
            setup.message = str(error)
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        setup.message = ""
        if frame != setup.calibration_frame:
            setup.calibration_frame = frame
        context.scene.frame_set(frame)
        self.report({"INFO"}, f"Frame {frame}: look whether this is the pose, then calibrate")
        return {"FINISHED"}


class SSRHMR_OT_swap_trackers(bpy.types.Operator):
    """Exchange the left and the right tracker of a pair, here and in live capture."""

    bl_idname = "ssrhmr.swap_trackers"
    bl_label = "Swap Trackers"
    bl_options = {"REGISTER", "UNDO"}

    pair: bpy.props.EnumProperty(
        name="Pair",
        items=(
            ("HANDS", "Hands", "Exchange the trackers of both hands"),
            ("FEET", "Feet", "Exchange the trackers of both feet"),
        ),
        translation_context=CONTEXT,
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Exchange them, and calibrate anew if that can be done at a frame."""
        setup = setup_of(context.scene)
        part = {"HANDS": "hand", "FEET": "foot"}[self.pair]
        left, right = f"left_{part}", f"right_{part}"
        objects = getattr(setup, left), getattr(setup, right)
        calibrated = bool(setup.calibration)
        setattr(setup, left, objects[1])
        setattr(setup, right, objects[0])
        worn = {left: right, right: left}
        devices = [d for d in live_of(context.scene).devices if d.role in worn]
        for device, role in [(device, worn[device.role]) for device in devices]:
            device.role = role
        if not calibrated or None in objects:
            setup.calibration = ""
            setup.warnings.clear()
            self.report({"INFO"}, "Exchanged: calibrate again")
            return {"FINISHED"}
        return bpy.ops.ssrhmr.calibrate()


def _calibrate(context: bpy.types.Context, setup: SSRHMR_Setup) -> None:
    import numpy as np

    from ssrhmr_core.body.skeleton import ADULT_SIZE
    from ssrhmr_core.tracking.calibration import (
        CalibrationOptions,
        calibrate,
        calibrate_to_pose,
        measure_peak_speeds,
        warn_of_movement,
    )
    from ssrhmr_core.tracking.reference_pose import ReferencePose

    armature, trackers = check_character(setup), check_trackers(setup)
    character = read_character(armature, tuple(slot.bone for slot in setup.bones))
    # The rig may have changed since its bones were found.
    setup.obstacles = "\n".join(obstacles(armature, character.keyed, character.keyed[0]))
    skeleton = character.rest.skeleton
    scene = context.scene
    around = max(1, round(_LOOK_AROUND * _rate(scene)))
    take = _sampled(scene, trackers, np.arange(-around, around + 1) + setup.calibration_frame)
    spots, turns = take.positions[around], take.rotations[around]
    if setup.reference == "CHARACTER":
        joints, rotations = _posed(scene, setup, character)
        found = calibrate_to_pose(joints, rotations, spots, turns, skeleton.size)
    else:
        options = CalibrationOptions(
            setup.scale, ReferencePose(setup.reference), setup.height or None
        )
        found = calibrate(skeleton, spots, turns, options)
    speeds = measure_peak_speeds(take, float(take.times[around]), _LOOK_AROUND)
    worn = found.performer or skeleton
    # Speeds of a scene in other units mean what they mean on an adult.
    speeds = speeds * ADULT_SIZE * found.scale / worn.size
    store_calibration(setup, found, worn, speeds, (*found.warnings, *warn_of_movement(speeds)))


def _find_still(scene: bpy.types.Scene, setup: SSRHMR_Setup) -> int:
    """Frame at which the performer stands most like the reference pose."""
    import numpy as np

    from ssrhmr_core.tracking.calibration import find_still_time
    from ssrhmr_core.tracking.reference_pose import ReferencePose

    if setup.reference == "CHARACTER":
        raise SetupError("The character's pose can be any: choose the reference T-pose or another")
    armature, trackers = check_character(setup), check_trackers(setup)
    character = read_character(armature, tuple(slot.bone for slot in setup.bones))
    start, end = frame_range(scene, setup)
    frames = np.arange(start, end + 1, max(1, round(_rate(scene) / _LOOKS_PER_SECOND)))
    take = _sampled(scene, trackers, frames)
    reference = ReferencePose(setup.reference)
    found = find_still_time(character.rest.skeleton, take, reference, _LOOK_AROUND)
    return int(frames[np.abs(take.times - found).argmin()])


def _rate(scene: bpy.types.Scene) -> float:
    return scene.render.fps / scene.render.fps_base


def _sampled(scene: bpy.types.Scene, trackers: list[bpy.types.Object], frames: np.ndarray) -> Take:
    steps = sample(scene.name, [key_of(obj) for obj in trackers], list(frames))
    return take_from_samples(_finish(steps), frames, _rate(scene), [obj.name for obj in trackers])


def _posed(
    scene: bpy.types.Scene, setup: SSRHMR_Setup, character: Character
) -> tuple[np.ndarray, np.ndarray]:
    """Places (6, 3) and canonical rotations (6, 4) of the tracked joints as the character stands.

    Taken at the calibration frame, from the evaluated pose.
    """
    import numpy as np
    from pymotion.rotations import quat_np as quat

    from ssrhmr_core.body.skeleton import TRACKER_JOINTS

    before = scene.frame_current, scene.frame_subframe
    scene.frame_set(setup.calibration_frame)
    try:
        armature = setup.armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
        world = np.array(numbers(armature.matrix_world)).reshape(4, 4)
        bones = [character.bones[joint] for joint in TRACKER_JOINTS]
        poses = np.array([numbers(armature.pose.bones[name].matrix) for name in bones])
        rests = np.array([numbers(armature.data.bones[name].matrix_local) for name in bones])
    finally:
        scene.frame_set(before[0], subframe=before[1])
    places, turns, _ = split(world @ poses.reshape(-1, 4, 4))
    rests = rests.reshape(-1, 4, 4)[:, :3, :3]
    axes = core_axes()
    # Turn since rest, both in the core's axes; the alignment leads on to the canonical pose.
    turned = (axes @ turns) @ (axes @ rests).swapaxes(-1, -2)
    alignments = character.rest.alignments[list(TRACKER_JOINTS)]
    canonical = turned @ alignments.swapaxes(-1, -2)
    return places @ axes.T, quat.normalize(quat.from_matrix(canonical))


def _finish(steps: Generator[float, None, np.ndarray]) -> np.ndarray:
    """Run a generator to its end; a calibration is too short for a progress bar."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return done.value


CLASSES = (SSRHMR_OT_calibrate, SSRHMR_OT_find_still, SSRHMR_OT_swap_trackers)
