# SPDX-License-Identifier: GPL-3.0-or-later
"""Which bone of the character represents which joint."""

from __future__ import annotations

from collections.abc import Sequence

import bpy
from bpy.app.translations import pgettext_iface as iface_

from .tracker import setup_holding

LIKELY = 0.7
"""Least confidence in a bone that the user is not asked about: the core's ``ASKED``."""


def joint_label(joint: str) -> str:
    """Turn ``left_upper_arm`` into ``Left Upper Arm``."""
    return joint.replace("_", " ").title()


def bone_question(joint: str, bones: Sequence[str]) -> str:
    """Ask which of some bones represents a joint."""
    label = iface_(joint_label(joint)).lower()
    if len(bones) == 1:
        return iface_("Is '{bone}' the {joint}?").format(bone=bones[0], joint=label)
    names = ", ".join(f"'{bone}'" for bone in bones[:3]) + ", ..." * (len(bones) > 3)
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
        description="Confidence of the detection: 1 if name and hierarchy agree, 0.75 by structure"
        " alone; it asks below 0.7",
        min=0.0,
        max=1.0,
    )
    choices: bpy.props.StringProperty(
        name="Choices",
        description="Candidate bones, one per line; empty if the detection is confident",
    )
    required: bpy.props.BoolProperty(
        name="Required", description="Whether the character must have a bone for this joint"
    )

    @property
    def is_unclear(self) -> bool:
        """Whether there are bones to choose from and none of them is likely."""
        return bool(self.choices) and (not self.bone or self.confidence < LIKELY)


CLASSES = (SSRHMR_BoneSlot,)
