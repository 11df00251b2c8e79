# SPDX-License-Identifier: GPL-3.0-or-later
"""What Mixamo calls the joints: the names of most characters in the tests."""

from __future__ import annotations

from ssrhmr_core.body.skeleton import INDEX

MIXAMO = (
    "Hips",
    "LeftUpLeg",
    "LeftLeg",
    "LeftFoot",
    "LeftToeBase",
    "RightUpLeg",
    "RightLeg",
    "RightFoot",
    "RightToeBase",
    "Spine",
    "Spine1",
    "Spine2",
    "Neck",
    "Head",
    "LeftShoulder",
    "LeftArm",
    "LeftForeArm",
    "LeftHand",
    "RightShoulder",
    "RightArm",
    "RightForeArm",
    "RightHand",
)
"""Names without the prefix of bones, in the order of ``JOINTS``."""


def mixamo_name(joint: str) -> str:
    """Return the name of a joint's bone."""
    return f"mixamorig:{MIXAMO[INDEX[joint]]}"
