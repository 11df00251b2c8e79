# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of a setup before it is calibrated or baked, with messages that say what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from ..properties.bones import bone_question, joint_label
from ..properties.tracker import ALL_TRACKERS, TRACKER_LABELS
from .errors import UserError
from .typed import scene_of

if TYPE_CHECKING:
    from ..properties.setup import SSRHMR_Setup


class SetupError(UserError):
    """Something has to be chosen or changed first; the message says what."""


def check_character(setup: SSRHMR_Setup) -> bpy.types.Object:
    """Return the armature if it can be animated.

    Raises:
        SetupError: If there is none, it cannot be animated now, or required bones are missing.
    """
    armature = setup.armature
    if armature is None:
        raise SetupError("No character is chosen: choose an armature")
    _check_armature(armature)
    _check_bones(setup)
    return armature


def check_trackers(setup: SSRHMR_Setup) -> dict[str, bpy.types.Object]:
    """Return the objects of the trackers that the performer wears by role.

    The optional trackers follow the others, each kind in its order.

    Raises:
        SetupError: If there is neither a head nor a pelvis, or if an object is chosen twice or not
            in the scene; the message names it.
    """
    roles: dict[bpy.types.Object, str] = {}
    for role, tracker in setup.tracker_objects(ALL_TRACKERS).items():
        label = TRACKER_LABELS[role]
        if tracker is None:
            continue
        if tracker.name not in scene_of(bpy.context).objects:
            raise SetupError(
                f"{label}: '{tracker.name}' is not in this scene: choose another object"
            )
        if tracker in roles:
            other = TRACKER_LABELS[roles[tracker]]
            raise SetupError(
                f"'{tracker.name}' is chosen for both {other} and {label}: choose a different"
                " object for one of them"
            )
        roles[tracker] = role
    if not setup.has_anchor():
        raise SetupError(
            "Neither a Pelvis nor a Head tracker is chosen: choose the object that follows one of"
            " them; the model fills in the other trackers"
        )
    return {role: tracker for tracker, role in roles.items()}


def _check_armature(armature: bpy.types.Object) -> None:
    name = armature.name
    if name not in scene_of(bpy.context).objects:
        raise SetupError(f"'{name}' is not in this scene: choose another character")
    if armature.mode == "EDIT":
        raise SetupError(f"'{name}' is in edit mode: leave it first (Tab)")
    if armature.library is not None:
        raise SetupError(
            f"'{name}' is linked from another file and cannot be animated: make a library override"
            " (Object > Library Override > Make)"
        )
    data = armature.animation_data
    if data is not None and data.use_tweak_mode:
        raise SetupError(f"'{name}' is in NLA tweak mode: leave it first (Tab in the NLA)")


def _check_bones(setup: SSRHMR_Setup) -> None:
    if not setup.bones:
        raise SetupError("The bones have not been detected yet: press Detect Bones")
    missing = [slot for slot in setup.bones if slot.required and not slot.bone]
    for slot in missing:
        if slot.choices:
            raise SetupError(f"{bone_question(slot.name, slot.choices.splitlines())} Choose one")
    if missing:
        labels = ", ".join(joint_label(slot.name) for slot in missing)
        raise SetupError(f"No bone for {labels}: choose it in the table of bones")
