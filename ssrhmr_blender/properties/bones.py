# SPDX-License-Identifier: GPL-3.0-or-later
"""Which bone of the character represents which joint."""

from __future__ import annotations

from collections.abc import Sequence

import bpy
from bpy.app.translations import pgettext_iface as iface_

from .tracker import setup_holding

LIKELY = 0.3
"""Least confidence in a bone that is more than a guess."""


def joint_label(joint: str) -> str:
    """Turn ``left_upper_arm`` into ``Left Upper Arm``."""
    return joint.replace("_", " ").title()


def bone_question(joint: str, bones: Sequence[str]) -> str:
    """Ask which of some bones represents a joint."""
    names = ", ".join(f"'{bone}'" for bone in bones[:3]) + ", ..." * (len(bones) > 3)
    label = iface_(joint_label(joint)).lower()
    return iface_("Which of {bones} is the {joint}?").format(bones=names, joint=label)


def _confirm_bone(slot: SSRHMR_BoneSlot, _context: bpy.types.Context) -> None:
    slot.confidence = 1.0 if slot.bone else 0.0
    setup_holding(slot, "bones").clear_calibration()


class SSRHMR_BoneSlot(bpy.types.PropertyGroup):
    """The bone of one joint."""

    name: bpy.props.StringProperty(name="Joint")
    bone: bpy.props.StringProperty(
        name="Bone",
        description="Bone of the character that represents this joint",
        update=_confirm_bone,
    )
    confidence: bpy.props.FloatProperty(
        name="Confidence",
        description="Confidence of the detection: 1 if name and hierarchy agree, 0.5 by structure"
        " alone",
        min=0.0,
        max=1.0,
    )
    choices: bpy.props.StringProperty(
        name="Choices",
        description="Candidate bones, one per line; empty if the detection is unambiguous",
    )
    required: bpy.props.BoolProperty(
        name="Required", description="Whether the character must have a bone for this joint"
    )


CLASSES = (SSRHMR_BoneSlot,)
