# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing channels as keyframes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from ..animation.actions import ActionWriter
from ..rig.posing import Channels

if TYPE_CHECKING:
    import numpy as np


def write_bone_keys(writer: ActionWriter, channels: Channels, frames: np.ndarray) -> str:
    """Write rotation keys in the bone's rotation mode, and location keys if it moves.

    Returns:
        The bone's data path.
    """
    import numpy as np

    from ..animation.rotation_values import rotation_values

    name = bpy.utils.escape_identifier(channels.bone)
    path = f'pose.bones["{name}"]'
    if channels.clears_scale:
        writer.write(channels.bone, f"{path}.scale", frames[:1], np.ones((1, 3)))
    if channels.locations is not None:
        writer.write(channels.bone, f"{path}.location", frames, channels.locations)
    channel, values = rotation_values(channels.rotations, channels.rotation_mode)
    writer.write(channels.bone, f"{path}.{channel}", frames, values)
    return path
