# SPDX-License-Identifier: GPL-3.0-or-later
"""What must be true before a character can be calibrated or baked, and how to say what is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from ..properties.settings import TRACKER_LABELS, TRACKERS, label_of, question
from .errors import UserError

if TYPE_CHECKING:
    from ..properties.settings import SSRHMR_Setup


class SetupError(UserError):
    """Something has to be chosen or changed first; the message says what."""


def check_character(setup: SSRHMR_Setup) -> bpy.types.Object:
    """Return the armature if it can be animated.

    Raises:
        SetupError: saying what to do.
    """
    armature = setup.armature
    if armature is None:
        raise SetupError("Choose a character: an armature")
    if armature.name not in bpy.context.scene.objects:
        raise SetupError(f"'{armature.name}' is not in this scene: choose another character")
    if armature.mode == "EDIT":
        raise SetupError(f"'{armature.name}' is in edit mode: leave it first (Tab)")
    if armature.library is not None:
        raise SetupError(
            f"'{armature.name}' is linked from another file and cannot be animated:"
            " make a library override (Object > Library Override > Make)"
        )
    data = armature.animation_data
    if data is not None and data.use_tweak_mode:
        raise SetupError(f"'{armature.name}' is in NLA tweak mode: leave it first (Tab in the NLA)")
    if not setup.bones:
        raise SetupError("The bones are not known yet: press Detect Bones")
    for slot in setup.bones:
        if slot.required and slot.choices and not slot.bone:
            raise SetupError(f"{question(slot.name, slot.choices.splitlines())} Choose one")
    missing = [label_of(slot.name) for slot in setup.bones if slot.required and not slot.bone]
    if missing:
        raise SetupError(f"No bone for {', '.join(missing)}: choose it in the table of bones")
    return armature


def check_trackers(setup: SSRHMR_Setup) -> list[bpy.types.Object]:
    """Return the six tracker objects.

    Raises:
        SetupError: naming the one that is missing or chosen twice.
    """
    found: list[bpy.types.Object] = []
    for role in TRACKERS:
        tracker = getattr(setup, role)
        if tracker is None:
            raise SetupError(
                f"The {TRACKER_LABELS[role]} tracker is missing: choose the object that follows it"
            )
        if tracker.name not in bpy.context.scene.objects:
            raise SetupError(
                f"{TRACKER_LABELS[role]}: '{tracker.name}' is not in this scene:"
                " choose another object"
            )
        if tracker in found:
            other = TRACKER_LABELS[TRACKERS[found.index(tracker)]]
            raise SetupError(
                f"'{tracker.name}' is chosen for both {other} and {TRACKER_LABELS[role]}:"
                " each tracker needs an object of its own"
            )
        found.append(tracker)
    return found
