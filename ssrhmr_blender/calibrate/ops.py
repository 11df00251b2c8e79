"""Calibrating at one frame."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import bpy

from ..checks import check_character, check_trackers
from ..errors import UserError
from ..rig.reading import Character, read_character
from ..rig.sampling import key_of, sample
from ..rig.spaces import core_axes, numbers, split
from ..rig.takes import to_take
from ..settings import TRACKER_LABELS, TRACKERS, setup_of

if TYPE_CHECKING:
    import numpy as np

    from ..settings import SSRHMR_Setup

_LOOK_AROUND = 0.25
"""Seconds before and after the frame in which the trackers should stand still."""


class SSRHMR_OT_calibrate(bpy.types.Operator):
    """Work out how each tracker sits on its joint, at a frame where the performer stands still."""

    bl_idname = "ssrhmr.calibrate"
    bl_label = "Calibrate"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Calibrate at the setup's calibration frame."""
        setup = setup_of(context.scene)
        try:
            self._calibrate(context, setup)
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

    @staticmethod
    def _calibrate(context: bpy.types.Context, setup: SSRHMR_Setup) -> None:
        import numpy as np

        from ssrhmr_core.calibration import (
            calibrate,
            calibrate_to_pose,
            quality,
            still_enough,
            stillness,
        )

        armature, trackers = check_character(setup), check_trackers(setup)
        character = read_character(armature, tuple(slot.bone for slot in setup.bones))
        scene = context.scene
        rate = scene.render.fps / scene.render.fps_base
        around = max(1, round(_LOOK_AROUND * rate))
        frames = np.arange(-around, around + 1) + setup.calibration_frame
        steps = sample(scene.name, [key_of(obj) for obj in trackers], list(frames))
        take = to_take(_finish(steps), frames, rate, [obj.name for obj in trackers])
        spots, turns = take.positions[around], take.rotations[around]
        if setup.reference == "CHARACTER":
            joints, rotations = _posed(scene, setup, character)
            found = calibrate_to_pose(joints, rotations, spots, turns)
        else:
            found = calibrate(character.rest.skeleton, spots, turns, setup.scale == "FIT")

        speeds = stillness(take, float(take.times[around]), _LOOK_AROUND)
        # Speeds of a scene in other units mean what they mean on an adult.
        speeds = speeds * 1.4 * found.scale / character.rest.skeleton.size
        setup.calibration = found.to_json()
        setup.fits.clear()
        values = zip(
            TRACKERS,
            found.arm_lengths,
            speeds,
            quality(found, character.rest.skeleton),
            strict=True,
        )
        for role, arm, speed, fit in values:
            line = setup.fits.add()
            line.name = TRACKER_LABELS[role]
            line.arm, line.speed, line.quality = float(arm), float(speed), float(fit)
        setup.warnings.clear()
        for warning in (*found.warnings, *still_enough(speeds)):
            setup.warnings.add().name = _readable(warning)


def _posed(
    scene: bpy.types.Scene, setup: SSRHMR_Setup, character: Character
) -> tuple[np.ndarray, np.ndarray]:
    """Places (6, 3) and canonical rotations (6, 4) of the tracked joints as the character stands.

    Taken at the calibration frame, from the evaluated pose.
    """
    import numpy as np
    from pymotion.rotations import quat_np as quat

    from ssrhmr_core.skeleton import TRACKER_JOINTS

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


def _readable(warning: str) -> str:
    """Put the trackers' labels for their names, and begin with a capital."""
    for role in TRACKERS:
        warning = warning.replace(role, TRACKER_LABELS[role])
    return warning[0].upper() + warning[1:]


CLASSES = (SSRHMR_OT_calibrate,)
