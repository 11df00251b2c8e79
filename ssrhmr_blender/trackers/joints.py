# SPDX-License-Identifier: GPL-3.0-or-later
"""Trackers that are the performer's joints: their body, and the calibration that it gives."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

import bpy

from ..animation.actions import curves_of
from ..common.axes import metre
from ..common.errors import UserError
from ..common.validation import SetupError, check_character
from ..properties.tracker import ALL_TRACKERS, EXTRA_TRACKERS, TRACKERS
from ..rig.reading import read_character
from .stored_calibration import clear_adjustments, store_assumptions
from .take import read_wearing

if TYPE_CHECKING:
    from ssrhmr_core.body.skeleton import Skeleton
    from ssrhmr_core.tracking.calibration import Calibration

    from ..properties.setup import SSRHMR_Setup

_PERFORMER = "ssrhmr_performer"
"""Custom property of pelvis and head: JSON of the performer's 22 offsets in metres."""


_SEGMENT = "ssrhmr_segment"
"""Custom property of an elbow's or a knee's object: "LOWER" if its tracker sits below the joint."""


def mark_as_lower(tracker: bpy.types.Object) -> None:
    """Store on the object of a tracker that it sits below its elbow or knee."""
    tracker[_SEGMENT] = "LOWER"


def store_performer(tracker: bpy.types.Object, performer: Skeleton) -> None:
    """Store the body of the performer, in metres, on the object of a tracker."""
    tracker[_PERFORMER] = json.dumps(performer.offsets.tolist())


def read_performer(setup: SSRHMR_Setup) -> Skeleton | None:
    """Return the body that is stored with the setup's trackers, in metres; None if none is."""
    import numpy as np

    from ssrhmr_core.body.skeleton import Skeleton

    anchors = [tracker for tracker in (setup.pelvis, setup.head) if tracker is not None]
    stored = [each.get(_PERFORMER) for each in anchors]
    text = next((value for value in stored if value is not None), None)
    try:
        return Skeleton(np.array(json.loads(text))) if isinstance(text, str) else None
    except (ValueError, TypeError, RecursionError):
        return None


def joint_calibration(
    character: Skeleton, proportions: str, performer: Skeleton | None
) -> Calibration:
    """Return the calibration of trackers that are the performer's joints.

    Args:
        character: Body of the character.
        proportions: Identifier of the setup's choice for other proportions.
        performer: Body of the performer in the character's unit, None if nothing says.

    Raises:
        SetupError: if ``proportions`` need the performer's body.
    """
    from dataclasses import replace

    from ssrhmr_core.tracking.calibration import Calibration

    calibration = Calibration.none()
    if proportions == "MATCH":
        return calibration
    if performer is None:
        raise SetupError(
            "Nothing says how large the performer is whose joints the trackers are: import the file"
            " again, or choose Match Trackers under Proportions"
        )
    if proportions == "FIT":
        return replace(calibration, scale=character.size / performer.size)
    return replace(calibration, performer=performer)


def calibrate_to_joints(scene: bpy.types.Scene, setup: SSRHMR_Setup, character: Skeleton) -> None:
    """Store the calibration of a setup whose trackers are the performer's joints.

    Args:
        scene: Scene of the setup.
        setup: Setup with trackers.
        character: Body of the character in scene units.

    Raises:
        SetupError: if the performer's body is needed and unknown.
    """
    from dataclasses import replace

    from ssrhmr_core.tracking.subsets import mask_of

    performer = read_performer(setup)
    if performer is not None:
        performer = performer.scaled(metre(scene))
    calibration = joint_calibration(character, setup.proportions, performer)
    chosen = [role for role, tracker in setup.tracker_objects().items() if tracker is not None]
    wearing = read_wearing(setup)
    placed = [role for role in chosen if role not in wearing.without_position]
    parts = {role: part for role, part in wearing.halves() if role in chosen}
    calibration = replace(
        calibration,
        tracked=mask_of(placed),
        measures=tuple(parts.get(role, "pose") for role in TRACKERS),
    )
    setup.calibration = calibration.to_json()
    store_assumptions(setup, calibration)
    # No pose was compared with anything.
    setup.fits.clear()
    setup.slips.clear()
    setup.warnings.clear()


def use_trackers(setup: SSRHMR_Setup, empties: dict[str, bpy.types.Object]) -> None:
    """Choose new objects as the trackers of a setup, and their keys as its range."""
    for role in ALL_TRACKERS:
        setattr(setup, role, empties.get(role))
        if role not in empties:
            continue
        tracker = setup.tracker(role)
        tracker.measures = _measures(empties[role])
        if role in EXTRA_TRACKERS:
            tracker.segment = "LOWER" if empties[role].get(_SEGMENT) == "LOWER" else "AUTO"
    setup.range = "TRACKERS"
    if setup.reference == "JOINTS":
        # That was said of the trackers before.
        setup.reference = "T_POSE"


def _measures(empty: bpy.types.Object) -> Literal["BOTH", "ROTATION", "POSITION"]:
    """Return what a tracker measures that was made of a take: what has keys."""
    paths = {curve.data_path for curve in curves_of(empty)}
    if "location" not in paths:
        return "ROTATION"
    return "BOTH" if "rotation_quaternion" in paths else "POSITION"


def use_joints(
    scene: bpy.types.Scene, setup: SSRHMR_Setup, empties: dict[str, bpy.types.Object]
) -> str:
    """Choose objects that are the performer's joints as trackers, and calibrate.

    Args:
        scene: Scene of the setup.
        setup: Setup that gets the trackers; its manual adjustments are reset.
        empties: Objects by tracker from :func:`~ssrhmr_blender.trackers.empties.make_empties`.

    Returns:
        Why the setup is not calibrated; empty if it is.
    """
    use_trackers(setup, empties)
    setup.reference = "JOINTS"
    # They corrected how other trackers sit.
    clear_adjustments(setup)
    try:
        armature = check_character(setup)
        character = read_character(armature, tuple(slot.bone for slot in setup.bones))
        calibrate_to_joints(scene, setup, character.rest.skeleton)
    except UserError as error:
        return str(error)
    return ""
