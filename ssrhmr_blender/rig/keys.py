"""Writing channels as keyframes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from .actions import ActionWriter
from .posing import Channels, to_axis_angle, to_euler

if TYPE_CHECKING:
    import numpy as np


def write_bone(writer: ActionWriter, channels: Channels, frames: np.ndarray) -> None:
    """Write rotation keys as the bone's rotation mode wants them, and location keys if it moves."""
    name = bpy.utils.escape_identifier(channels.bone)
    path = f'pose.bones["{name}"].'
    if channels.places is not None:
        writer.write(channels.bone, path + "location", frames, channels.places)
    match channels.rotation_mode:
        case "QUATERNION":
            writer.write(channels.bone, path + "rotation_quaternion", frames, channels.rotations)
        case "AXIS_ANGLE":
            turns = to_axis_angle(channels.rotations)
            writer.write(channels.bone, path + "rotation_axis_angle", frames, turns)
        case order:
            turns = to_euler(channels.rotations, order)
            writer.write(channels.bone, path + "rotation_euler", frames, turns)
