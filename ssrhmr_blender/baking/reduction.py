# SPDX-License-Identifier: GPL-3.0-or-later
"""Reducing the keys of an action within an error of the pose."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import bpy

from ..animation.assignment import curves_in
from ..animation.bezier import replace_keys, sample_curve
from ..common.axes import metre, split_transforms
from ..common.errors import UserError
from ..common.typed import armature_of, pose_of
from ..rig.bones import Bone
from ..rig.reading import Character

if TYPE_CHECKING:
    import numpy as np

    from ssrhmr_core.keyframes.posing import PoseBone
    from ssrhmr_core.keyframes.reduction import Channel, Reduction, Tolerance
    from ssrhmr_core.tracking.contacts import ContactRange

    from ..properties.keys import SSRHMR_Keys

_MILLIMETRE = 1e-3


class ReductionError(UserError):
    """The keys cannot be reduced; the message says why and what to do."""


@dataclass(frozen=True)
class ReductionOptions:
    """How far the pose may be off.

    Attributes:
        joints: Distance for joints and ends of bones, in scene units.
        ends: Distance for head, hands and feet.
        contacts: Distance for parts of the body that rest on the floor.
        angle: Radians by which bones may be rotated.
    """

    joints: float
    ends: float
    contacts: float
    angle: float


@dataclass(frozen=True)
class ReductionReport:
    """What a reduction did.

    Attributes:
        before: Number of keys before.
        after: Number of keys now.
        distance: Largest distance by which a joint or the end of a bone is off, in millimetres.
        angle: Largest angle by which a bone is off, in degrees.
    """

    before: int
    after: int
    distance: float
    angle: float

    def __str__(self) -> str:
        """Return a sentence for the user."""
        fewer = 100.0 * (1.0 - self.after / self.before)
        return (
            f"{self.after:,} keys instead of {self.before:,} ({fewer:.0f} % fewer), off by at most"
            f" {self.distance:.2f} mm and {self.angle:.2f}°"
        )


@dataclass(frozen=True)
class ReductionTask:
    """An action and what its pose depends on.

    Attributes:
        action: Name of the action.
        slot: Identifier of its slot, empty before Blender 4.4.
        armature: Armature object; read before the first step only.
        character: Character that it moves.
        bones: Bones from :func:`~ssrhmr_blender.rig.bones.read_bones`, with the poses that those
            without keys have at each frame.
        times: (F,) times of the frames on the curves, evenly spaced.
        contacts: When parts of the body rest; seconds count from the first frame.
    """

    action: str
    slot: str
    armature: bpy.types.Object
    character: Character
    bones: Sequence[Bone]
    times: np.ndarray
    contacts: Sequence[ContactRange] = ()


def read_options(scene: bpy.types.Scene, keys: SSRHMR_Keys) -> ReductionOptions:
    """Return what a setup says about the reduction."""
    unit = _MILLIMETRE * metre(scene)
    return ReductionOptions(
        joints=unit * keys.joint_error,
        ends=unit * keys.end_error,
        contacts=unit * keys.contact_error,
        angle=math.radians(keys.angle_error),
    )


def reduce_action(
    scene: bpy.types.Scene, task: ReductionTask, options: ReductionOptions
) -> Generator[float, None, ReductionReport]:
    """Replace the keys of a character's bones by few ones with handles.

    Nothing is changed before the last step.

    Args:
        scene: Scene of the window.
        task: The action.
        options: How far the pose may be off.

    Yields:
        The share done, 0 to 1.

    Raises:
        ReductionError: if there is nothing to reduce.
    """
    from ssrhmr_core.keyframes.reduction import reduce_keys

    rate = scene.render.fps / scene.render.fps_base
    to_millimetres = _unit(task.character) / metre(scene) / _MILLIMETRE
    reader = _ActionReader(task, rate)
    steps = reduce_keys(reader.bones, reader.channels, reader.tolerance(options))
    del scene
    reduction: Reduction = yield from steps
    before, after = reader.write(reduction)
    return ReductionReport(
        before=before,
        after=after,
        distance=to_millimetres * float(reduction.positions[reader.measured].max()),
        angle=math.degrees(float(reduction.angles.max())),
    )


class _ActionReader:
    """The channels of an action that move a character's bones."""

    def __init__(self, task: ReductionTask, rate: float) -> None:
        import numpy as np

        self._task = task
        self._masks = _contact_masks(task, rate)
        lengths = armature_of(task.armature).bones
        self.bones = [as_pose_bone(bone, lengths[bone.name].length) for bone in task.bones]
        self._moves = _find_moved(self.bones)
        self._paths: list[str] = []
        self.channels: list[Channel] = []
        self._read_channels()
        if not self.channels:
            raise ReductionError(
                f"'{task.action}' has no keys of this character's bones: bake first, or choose"
                " another action"
            )
        animated = np.array([channel.bone for channel in self.channels])
        below = self._moves[:, animated].any(1)
        self.measured = np.tile(below, 2)

    def tolerance(self, options: ReductionOptions) -> Tolerance:
        """Return how far each bone may be off at each frame."""
        import numpy as np

        from ssrhmr_core.body.skeleton import INDEX, TRACKER_JOINTS
        from ssrhmr_core.keyframes.reduction import Tolerance

        count = len(self.bones)
        positions = np.full((2 * count, len(self._task.times)), options.joints)
        ends = {*TRACKER_JOINTS[1:], INDEX["left_toe"], INDEX["right_toe"]}
        for number, bone in enumerate(self._task.bones):
            if bone.joint in ends:
                positions[[number, count + number]] = options.ends
            for joints, mask, _ in self._masks:
                if bone.joint in joints:
                    rows = np.array([number, count + number])[:, None]
                    frames = np.flatnonzero(mask)
                    positions[rows, frames] = np.minimum(positions[rows, frames], options.contacts)
        return Tolerance(positions / _unit(self._task.character), np.array(options.angle))

    def write(self, reduction: Reduction) -> tuple[int, int]:
        """Write the keys that are left and return how many there were and are."""
        curves = {
            (curve.data_path, curve.array_index): curve
            for curve in curves_in(bpy.data.actions[self._task.action], self._task.slot)
        }
        step = float(self._task.times[1] - self._task.times[0])
        before = after = 0
        for path, keys in zip(self._paths, reduction.keys, strict=True):
            for index in range(keys.values.shape[1]):
                curve = curves.get((path, index))
                if curve is None:
                    continue
                before += len(curve.keyframe_points)
                after += len(keys.frames)
                slopes = keys.slopes[:, index] / step
                replace_keys(curve, self._task.times[keys.frames], keys.values[:, index], slopes)
        return before, after

    def _read_channels(self) -> None:
        import numpy as np

        from ssrhmr_core.keyframes.fitting import Samples
        from ssrhmr_core.keyframes.reduction import Channel

        curves: dict[str, dict[int, Any]] = {}
        for curve in curves_in(bpy.data.actions[self._task.action], self._task.slot):
            curves.setdefault(curve.data_path, {})[curve.array_index] = curve
        pose = pose_of(self._task.armature).bones
        for number, bone in enumerate(self._task.bones):
            pinned = self._pinned(number)
            for mode, name in _channel_names(bone.rotation_mode):
                path = f'pose.bones["{bpy.utils.escape_identifier(bone.name)}"].{name}'
                present = curves.get(path, {})
                self._check(bone.name, present.values())
                if not present:
                    continue
                values = np.tile(
                    np.array(getattr(pose[bone.name], name)), (len(self._task.times), 1)
                )
                for index, curve in present.items():
                    values[:, index] = sample_curve(curve, self._task.times.tolist())
                self._paths.append(path)
                self.channels.append(Channel(number, mode, Samples(values, pinned)))

    def _check(self, bone: str, curves: Any) -> None:
        if any(len(curve.modifiers) for curve in curves):
            raise ReductionError(
                f"curves of bone '{bone}' have modifiers: remove or apply them first (graph"
                " editor), or leave Reduce Keys off"
            )

    def _pinned(self, number: int) -> np.ndarray:
        """Return where (F,) a bone keeps its keys: at both ends of contacts of what it carries."""
        import numpy as np

        pinned = np.zeros(len(self._task.times), bool)
        for joints, _, edges in self._masks:
            carried = [other for other, bone in enumerate(self._task.bones) if bone.joint in joints]
            if self._moves[carried, number].any():
                pinned[edges] = True
        return pinned


def as_pose_bone(bone: Bone, length: float) -> PoseBone:
    """Return a bone in the terms of the core, without the scale of its pose."""
    from ssrhmr_core.keyframes.posing import PoseBone

    positions, rotations, _ = split_transforms(bone.static)
    static = bone.static.copy()
    static[..., :3, :3], static[..., :3, 3] = rotations, positions
    return PoseBone(
        parent=bone.parent,
        rest=bone.rest,
        relative=bone.relative,
        static=static,
        length=length,
        inherits_rotation=bone.inherits_rotation,
        local_location=bone.local_location,
    )


def _unit(character: Character) -> float:
    """Return the scene units in one unit of the armature as it is posed."""
    return character.scale * character.pose_scale


def _find_moved(bones: Sequence[PoseBone]) -> np.ndarray:
    from ssrhmr_core.keyframes.reduction import find_ancestors

    return find_ancestors(bones)


def _channel_names(rotation_mode: str) -> list[tuple[str, str]]:
    """Return kind and property of a bone's location and of its rotation."""
    rotation = {
        "QUATERNION": "rotation_quaternion",
        "AXIS_ANGLE": "rotation_axis_angle",
    }.get(rotation_mode, "rotation_euler")
    return [("LOCATION", "location"), (rotation_mode, rotation)]


def _contact_masks(
    task: ReductionTask, rate: float
) -> list[tuple[tuple[int, ...], np.ndarray, list[int]]]:
    """Return each contact's joints, where (F,) they rest, and its first and last frame."""
    import numpy as np

    from ssrhmr_core.tracking.contacts import RESTING_JOINTS

    seconds = np.arange(len(task.times)) / rate
    masks = []
    for contact in task.contacts:
        half = 0.5 / rate
        mask = (seconds >= contact.begin - half) & (seconds <= contact.end + half)
        if mask.any():
            inside = np.flatnonzero(mask)
            masks.append((RESTING_JOINTS[contact.part], mask, [int(inside[0]), int(inside[-1])]))
    return masks
