# SPDX-License-Identifier: GPL-3.0-or-later
"""Refining a calibration from what the performer does after the reference pose."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import bpy

from ..baking.plan import frame_range
from ..common.data_blocks import key_of
from ..common.modal_job import ModalJob, Steps
from ..common.steps import map_steps
from ..common.typed import OperatorResult, scene_of
from ..common.validation import SetupError, check_character, check_trackers
from ..properties.setup import setup_of
from ..properties.tracker import TRACKER_LABELS, TRACKERS
from ..properties.values import read_values, write_values
from ..rig.reading import read_character
from ..trackers.sampling import sample
from ..trackers.stored_calibration import check_calibrated, readable, store_calibration
from ..trackers.stored_slips import read_slips, store_slips
from ..trackers.take import read_wearing, take_from_samples

if TYPE_CHECKING:
    from ssrhmr_core.body.skeleton import Skeleton
    from ssrhmr_core.tracking.movement.calibration import MovementCalibration
    from ssrhmr_core.tracking.slip_corrections import SlipCorrection
    from ssrhmr_core.tracking.take import Take

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
        setup = setup_of(scene_of(context))
        refined: _Refined = result
        refinement = refined.refinement
        before = [read_values(slip) for slip in setup.slips]
        _store(setup, refined)
        if refined.slips is None:
            # What is known of the take stays so.
            write_values(setup, {"slips": before})
        else:
            store_slips(setup, refined.slips, refined.take, refined.first, refined.unit)
        if not refinement.refined:
            text = f"The calibration stays as it was: {refinement.warnings[0]}"
            self.report({"WARNING"}, text)
            # Slips are taken back all the same, which can be undone.
            is_same = before == [read_values(slip) for slip in setup.slips]
            return {"CANCELLED"} if is_same else {"FINISHED"}
        least = int(refinement.offset_deviations.argmax())
        self.report(
            {"INFO"},
            f"Refined; the least certain is {TRACKER_LABELS[TRACKERS[least]]}, to about"
            f" {100.0 * refinement.offset_deviations[least]:.0f} cm",
        )
        return {"FINISHED"}


class _Refined(NamedTuple):
    """What a movement tells.

    Attributes:
        refinement: The calibration, in metres.
        unit: Length of a metre in the scene.
        skeleton: The character's skeleton in metres.
        slips: What takes slips back that a whole take shows, in metres; None for other movements.
        take: The movement, in metres.
        first: Its first frame.
    """

    refinement: MovementCalibration
    unit: float
    skeleton: Skeleton
    slips: tuple[SlipCorrection, ...] | None
    take: Take
    first: int


def _refine(scene: bpy.types.Scene, guided: bool) -> Steps:
    import numpy as np

    from ssrhmr_core.body.skeleton import units_per_metre
    from ssrhmr_core.tracking.calibration import Calibration
    from ssrhmr_core.tracking.floor import add_floor
    from ssrhmr_core.tracking.movement.calibration import MovementOptions, calibrate_from_movement
    from ssrhmr_core.tracking.movement.slip_evidence import correct_slips_in_steps
    from ssrhmr_core.tracking.reference_pose import ReferencePose
    from ssrhmr_core.tracking.slip_corrections import take_back
    from ssrhmr_core.tracking.slips import describe_slips

    setup = setup_of(scene)
    _check_setup(setup)
    armature, trackers = check_character(setup), check_trackers(setup)
    skeleton = read_character(armature, tuple(slot.bone for slot in setup.bones)).rest.skeleton
    calibration = Calibration.from_json(setup.calibration).without_floor()
    # What a movement shows is weighed in metres.
    unit = units_per_metre((calibration.performer or skeleton).size)
    skeleton, calibration = skeleton.scaled(1.0 / unit), calibration.scaled(1.0 / unit)
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
    since = (setup.calibration_frame - first) / rate
    stored = read_slips(scene, setup, first, rate)
    known, _ = yield from map_steps(stored, lambda share: (0.0, "Reading trackers"))
    steps = sample(scene.name, keys, [*pose, *movement])
    worlds = yield from map_steps(steps, lambda share: (0.8 * share, "Reading trackers"))
    yield 0.8, "Reconstructing"
    take = take_from_samples(worlds[len(pose) :], movement, rate, names, wearing)
    if guided:
        take = take_back(take, known)
    reference = take_from_samples(worlds[: len(pose)], pose, rate, names, wearing)
    take, reference = take.scaled(1.0 / unit), reference.scaled(1.0 / unit)
    told: tuple[str, ...] = ()
    slips = None
    held = take
    if not guided:
        slipping = correct_slips_in_steps(skeleton, take, calibration, since)
        found = yield from map_steps(slipping, lambda share: (0.8 + 0.2 * share, "Reconstructing"))
        held, slips = found.take, found.corrections
        told = describe_slips(found.left, lambda time: f"frame {first + round(time * rate)}")
    refinement = calibrate_from_movement(skeleton, reference, held, calibration, options)
    refinement = add_floor(refinement, skeleton, held)
    refinement = replace(refinement, warnings=(*refinement.warnings, *told))
    return _Refined(refinement, unit, skeleton, slips, take, first)


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


def _store(setup: SSRHMR_Setup, refined: _Refined) -> None:
    import numpy as np

    refinement, unit = refined.refinement, refined.unit
    calibration = refinement.calibration
    speeds = np.array([fit.speed for fit in setup.fits] or [0.0] * len(TRACKERS))
    kept = [] if refinement.refined else [warning.name for warning in setup.warnings]
    store_calibration(
        setup,
        calibration.scaled(unit),
        (calibration.performer or refined.skeleton).scaled(unit),
        speeds,
        # Once, however often a movement was tried.
        list(dict.fromkeys((*kept, *map(readable, refinement.warnings)))),
        unit * refinement.offset_deviations if refinement.refined else None,
    )


CLASSES = (SSRHMR_OT_refine_calibration,)
