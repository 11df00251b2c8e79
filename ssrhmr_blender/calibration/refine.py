# SPDX-License-Identifier: GPL-3.0-or-later
"""Refining a calibration from what the performer does after the reference pose."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import bpy

from ..baking.plan import frame_range
from ..common.data_blocks import key_of
from ..common.modal_job import ModalJob, Steps
from ..common.steps import map_steps
from ..common.typed import OperatorResult, scene_of
from ..common.validation import SetupError, check_character, check_trackers
from ..properties.setup import setup_of
from ..properties.tracker import TRACKER_LABELS, TRACKERS
from ..rig.reading import read_character
from ..trackers.sampling import sample
from ..trackers.stored_calibration import check_calibrated, store_calibration
from ..trackers.stored_slips import store_slips, stored_slips
from ..trackers.take import read_wearing, take_from_samples

if TYPE_CHECKING:
    from ssrhmr_core.tracking.movement.calibration import MovementCalibration

    from ..properties.setup import SSRHMR_Setup

_REFERENCE_WINDOW = 0.5
"""Seconds before and after the calibration frame that show the reference pose."""
_RATE = 12.0
"""Frames per second that are read of a movement; the refinement looks at half of them."""


class SSRHMR_OT_refine_calibration(ModalJob, bpy.types.Operator):
    """Measure the trackers more exactly from the movement in the range of the Bake panel."""

    bl_idname = "ssrhmr.refine_calibration"
    bl_label = "Refine from Movement"
    bl_options = {"REGISTER", "UNDO"}
    job = "Refinement"

    evidence: bpy.props.EnumProperty(
        name="Movement",
        description="What the performer does in the range of the Bake panel",
        items=(
            (
                "GUIDED",
                "Guided Movement",
                "Nod, lift and turn the arms, bend the elbows, circle the hands, squat, swing each"
                " leg and circle its foot, twist, bow, lay one hand on the other, put the palms"
                " together: 17 to 26 seconds",
            ),
            ("TAKE", "Whole Take", "Anything: the take itself. Less exact"),
        ),
    )

    def start(self, context: bpy.types.Context) -> Steps:
        """Return the generator that reads the movement and refines the calibration."""
        return _refine(scene_of(context), guided=self.evidence == "GUIDED")

    def finish(self, context: bpy.types.Context, result: Any) -> OperatorResult:
        """Store the refined calibration, or report why the reference pose's stays."""
        scene = scene_of(context)
        setup = setup_of(scene)
        refinement, skeleton, slips, first = result
        _store(setup, refinement, skeleton)
        store_slips(setup, slips, first, scene.render.fps / scene.render.fps_base)
        if not refinement.refined:
            text = f"The calibration stays as it was: {refinement.warnings[0]}"
            self.report({"WARNING"}, text)
            # Slips are taken back all the same, which can be undone.
            return {"FINISHED"} if slips and self.evidence == "TAKE" else {"CANCELLED"}
        least = int(refinement.offset_deviations.argmax())
        self.report(
            {"INFO"},
            f"Refined; the least certain is {TRACKER_LABELS[TRACKERS[least]]}, to about"
            f" {100.0 * refinement.offset_deviations[least]:.0f} cm",
        )
        return {"FINISHED"}


def _refine(scene: bpy.types.Scene, guided: bool) -> Steps:
    import numpy as np

    from ssrhmr_core.tracking.calibration import Calibration
    from ssrhmr_core.tracking.floor import add_floor
    from ssrhmr_core.tracking.movement.calibration import MovementOptions, calibrate_from_movement
    from ssrhmr_core.tracking.movement.slip_evidence import hold_straps_in_steps
    from ssrhmr_core.tracking.reference_pose import ReferencePose
    from ssrhmr_core.tracking.slip_corrections import describe_corrections
    from ssrhmr_core.tracking.slips import describe_slips

    setup = setup_of(scene)
    _check_setup(setup)
    armature, trackers = check_character(setup), check_trackers(setup)
    skeleton = read_character(armature, tuple(slot.bone for slot in setup.bones)).rest.skeleton
    calibration = Calibration.from_json(setup.calibration).without_floor()
    options = MovementOptions(ReferencePose(setup.reference), guided)
    rate = scene.render.fps / scene.render.fps_base
    around = max(1, round(_REFERENCE_WINDOW * rate))
    first, last = frame_range(scene, setup)
    pose = np.arange(-around, around + 1) + setup.calibration_frame
    # Slips show in every frame of a take, its movement in some of them.
    movement = np.arange(first, last + 1, max(1, round(rate / _RATE)) if guided else 1)
    keys = [key_of(obj) for obj in trackers.values()]
    names = {role: obj.name for role, obj in trackers.items()}
    wearing = read_wearing(setup)
    steps = sample(scene.name, keys, [*pose, *movement])
    worlds = yield from map_steps(steps, lambda share: (0.8 * share, "Reading trackers"))
    yield 0.8, "Reconstructing"
    take = take_from_samples(worlds[len(pose) :], movement, rate, names, wearing)
    reference = take_from_samples(worlds[: len(pose)], pose, rate, names, wearing)
    told: tuple[str, ...] = ()
    slips = stored_slips(setup, first, rate)
    if not guided:
        since = (setup.calibration_frame - first) / rate
        slipping = hold_straps_in_steps(skeleton, take, calibration, since)
        held = yield from map_steps(slipping, lambda share: (0.8 + 0.2 * share, "Reconstructing"))
        take, slips = held.take, held.corrections

        def name_frame(time: float) -> str:
            return f"frame {first + round(time * rate)}"

        told = (*describe_corrections(slips, name_frame), *describe_slips(held.left, name_frame))
    refinement = calibrate_from_movement(skeleton, reference, take, calibration, options)
    refinement = add_floor(refinement, skeleton, take)
    refinement = replace(refinement, warnings=(*refinement.warnings, *told))
    return refinement, refinement.calibration.performer or skeleton, slips, first


def _check_setup(setup: SSRHMR_Setup) -> None:
    """Raise SetupError if there is no calibration that a movement could refine."""
    check_calibrated(setup)
    if setup.reference in ("CHARACTER", "JOINTS"):
        raise SetupError(
            "Only a calibration from a reference pose can be refined: choose T-Pose or another"
            " reference, and press Calibrate"
        )
    if setup.proportions == "FIT":
        raise SetupError(
            "A performance that is scaled to the character cannot be refined: choose Retarget under"
            " Proportions, and press Calibrate"
        )
    if None in setup.tracker_objects().values():
        raise SetupError(
            "A movement refines the calibration of six trackers only: keep the one from the pose,"
            " or choose the missing trackers and press Calibrate"
        )


def _store(setup: SSRHMR_Setup, refinement: MovementCalibration, skeleton: Any) -> None:
    import numpy as np

    speeds = np.array([fit.speed for fit in setup.fits] or [0.0] * len(TRACKERS))
    kept = [] if refinement.refined else [warning.name for warning in setup.warnings]
    store_calibration(
        setup,
        refinement.calibration,
        skeleton,
        speeds,
        [*kept, *refinement.warnings],
        refinement.offset_deviations if refinement.refined else None,
    )


CLASSES = (SSRHMR_OT_refine_calibration,)
