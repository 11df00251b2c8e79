"""Writes bone motions as keyframes, whole curves at a time."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import bpy
import numpy as np
from bpy.types import Action, Object

from ..lookup import ObjectRef
from .actions import active_curves, assign_action, copy_curve, new_action
from .armature import RigData
from .channels import rotation_values
from .pose import BoneMotion

_LINEAR = 1


def write_keys(
    armature: ObjectRef,
    name: str,
    rig: RigData,
    motions: Sequence[BoneMotion],
    frames: np.ndarray,
) -> Generator[float, None, str]:
    """Write a new action and make it the armature's; it is there completely or not at all.

    Keys of the object itself, which carry the armature around, are taken over from its action.

    Args:
        armature: the armature.
        name: for the action.
        rig: its bones.
        motions: of the bones, F frames each.
        frames: (F,) where to put the keys.

    Yields:
        The share done, 0..1.

    Returns:
        Name of the action.
    """
    owner = armature.get()
    action, holder = new_action(name, owner)
    made = action.session_uid
    try:
        for curve in active_curves(owner):
            if not curve.data_path.startswith("pose.bones"):
                copy_curve(curve, holder)
        for number, motion in enumerate(motions):
            path = f'pose.bones["{bpy.utils.escape_identifier(rig.names[motion.bone])}"]'
            group = holder.groups.new(rig.names[motion.bone])
            channel, values = rotation_values(motion.rotations, rig.modes[motion.bone])
            if motion.locations is not None:
                _write(holder, f"{path}.location", group, frames, motion.locations)
            _write(holder, f"{path}.{channel}", group, frames, values)
            del holder, group
            yield (number + 1) / len(motions)
            # Nothing that Blender gave out is kept while others may have been at work.
            action = _find(made)
            holder = _holder(action)
        assign_action(armature.get(), action)
    except BaseException:
        # GeneratorExit too: cancelled.
        found = next((a for a in bpy.data.actions if a.session_uid == made), None)
        if found is not None:
            bpy.data.actions.remove(found)
        raise
    return action.name


def _find(uid: int) -> Action:
    return next(action for action in bpy.data.actions if action.session_uid == uid)


def _holder(action: Action) -> Any:
    if hasattr(action, "slots"):
        return action.layers[0].strips[0].channelbag(action.slots[0])
    return action


def _write(holder: Any, path: str, group: Any, frames: np.ndarray, values: np.ndarray) -> None:
    count = len(frames)
    points = np.empty((count, 2), np.float32)
    points[:, 0] = frames
    linear = np.full(count, _LINEAR, np.int32)
    for index in range(values.shape[1]):
        curve = holder.fcurves.new(path, index=index)
        curve.group = group
        keys = curve.keyframe_points
        keys.add(count)
        points[:, 1] = values[:, index]
        keys.foreach_set("co", points.ravel())
        # A key a frame: straight lines are true to the motion between frames, too. Handles are
        # set all the same, for the day that keys are thinned out and made Bezier.
        keys.foreach_set("interpolation", linear)
        if keys[0].handle_left_type != "AUTO_CLAMPED":
            automatic = np.full(count, 4, np.int32)
            keys.foreach_set("handle_left_type", automatic)
            keys.foreach_set("handle_right_type", automatic)
        curve.update()


def keep_action(owner: Object) -> tuple[Action | None, bool]:
    """Return an armature's action, and whether it is lost when the armature gets another one."""
    action = owner.animation_data.action if owner.animation_data else None
    return action, bool(action and action.users == 1 and not action.use_fake_user)
