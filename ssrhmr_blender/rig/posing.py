# SPDX-License-Identifier: GPL-3.0-or-later
"""From a motion to the channels of pose bones: arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..common.axes import core_axes, split_transforms
from .bones import Bone, rotated_bones
from .reading import Character

if TYPE_CHECKING:
    import numpy as np

    from ssrhmr_core.body.motion import Motion
    from ssrhmr_core.rigs.twist_bones import Segment

_MISPLACED = 1e-4
"""Share of the character's size by which a bone may miss its joint before it is moved there."""

_STRAIGHT = 0.01
"""Share of a limb's length by which its middle is out of line where its bend fades."""


@dataclass(frozen=True)
class Channels:
    """Values to key for one bone.

    Attributes:
        bone: Name of the bone.
        rotation_mode: Blender's name of its rotation mode.
        rotations: (F, 3, 3) in the bone's own axes.
        locations: (F, 3) location channels, or None where the bone is not moved.
        clears_scale: Whether its scale has to be set to 1.
    """

    bone: str
    rotation_mode: str
    rotations: np.ndarray
    locations: np.ndarray | None
    clears_scale: bool = False


class _Targets:
    """Where joints and bones belong, in the armature's space.

    Matrices of all joints of an hour take a gigabyte, so each is computed when it is asked for.

    Attributes:
        to_armature: (F, 3, 3) from the core's axes to the armature's.
        margin: Distance by which a bone may miss its joint.
    """

    def __init__(self, motion: Motion, character: Character, worlds: np.ndarray) -> None:
        """Compute where the joints of a motion are."""
        axes = core_axes()
        origins, world_rotations, scales = split_transforms(worlds)
        self._origins, self._worlds = origins, world_rotations
        self._size = 1.0 / scales.mean(-1)[:, None]
        self._positions = motion.positions()
        self.to_armature: np.ndarray = world_rotations.swapaxes(-1, -2) @ axes.T
        self.margin = _MISPLACED * motion.skeleton.size / character.scale
        self._motion, self._rest = motion, character.rest
        self._joints = rotated_bones(character)
        self._segments = {
            name: (segment, number)
            for segment in character.segments
            for number, name in enumerate(segment.bones)
        }
        self._shared: tuple[Segment, np.ndarray] | None = None

    def position(self, joint: int) -> np.ndarray:
        """Return the positions (F, 3) of a joint."""
        joints = (core_axes().T @ self._positions[:, joint, :, None])[..., 0] - self._origins
        positions: np.ndarray = (joints[:, None] @ self._worlds)[:, 0] * self._size
        return positions

    def rotation(self, joint: int) -> np.ndarray:
        """Return rotations (F, 3, 3) of a joint since the rest pose, in the core's axes."""
        matrices = self._motion.matrices(joint).astype("float64")
        return self._rest.from_canonical(matrices, joint)

    def since_rest(self, bone: str) -> np.ndarray | None:
        """Return rotations (F, 3, 3) of a bone since the rest pose, in the core's axes.

        None means that no joint rotates it.
        """
        from ssrhmr_core.rigs.twist_bones import share_rotations

        if bone in self._segments:
            segment, number = self._segments[bone]
            # The bones of a segment mostly follow each other.
            if self._shared is None or self._shared[0] is not segment:
                self._shared = segment, share_rotations(segment, self.rotation)
            return self._shared[1][:, number]
        return self.rotation(self._joints[bone]) if bone in self._joints else None


@dataclass(frozen=True)
class _Frame:
    """Where a bone's channels count from, (F, ...) in the armature's space.

    Attributes:
        rotations: (F, 3, 3) of the bone without its rotation channels.
        heads: (F, 3) of the bone without its location channels.
        location_axes: (F, 3, 3) axes of the location channels.
        location_scales: (F,) length of a unit of the location channels.
        scales: (F,) scale of the bone without its scale channels.
    """

    rotations: np.ndarray
    heads: np.ndarray
    location_axes: np.ndarray
    location_scales: np.ndarray
    scales: np.ndarray

    def locations(self, offsets: np.ndarray) -> np.ndarray:
        """Return the location channels (F, 3) that move a bone by ``offsets`` (F, 3)."""
        locations: np.ndarray = self.location_axes.swapaxes(-1, -2) @ offsets[..., None]
        return locations[..., 0] / self.location_scales[:, None]


@dataclass(frozen=True)
class _Pose:
    """Rotations (F, 3, 3), heads (F, 3) and scales (F,) of a bone in the armature's space."""

    rotations: np.ndarray
    heads: np.ndarray
    scales: np.ndarray


def pose_bones(
    motion: Motion, character: Character, bones: list[Bone], worlds: np.ndarray
) -> Iterator[Channels]:
    """Compute the channels that put each bone where its joint is.

    Args:
        motion: Motion in the core's axes, in scene units.
        character: Character that performs it.
        bones: Bones from :func:`~ssrhmr_blender.rig.bones.read_bones`.
        worlds: (F, 4, 4) world transform of the armature object at each frame.

    Yields:
        Channels of the bones that are keyed, one bone at a time.
    """
    targets = _Targets(motion, character, worlds)
    parents = [bone.parent for bone in bones]
    last_child = {parent: number for number, parent in enumerate(parents)}
    poses: dict[int, _Pose] = {}
    for number, bone in enumerate(bones):
        frame = _frame_of(bone, poses[bone.parent] if bone.parent >= 0 else None, len(motion))
        if last_child.get(bone.parent) == number:
            poses.pop(bone.parent, None)
        channels: Channels | None = None
        if not bone.keyed:
            pose = _static_pose(bone, frame)
        else:
            since_rest = targets.since_rest(bone.name)
            if since_rest is None:
                pose = _Pose(frame.rotations, frame.heads, frame.scales)
                channels = _rest_channels(bone, frame, targets)
            else:
                pose, channels = _follow_joint(bone, frame, targets, since_rest)
        if number in last_child:
            poses[number] = pose
        if channels is not None:
            yield channels


def _frame_of(bone: Bone, parent: _Pose | None, frames: int) -> _Frame:
    """Return where the channels of a bone count from.

    Args:
        bone: The bone.
        parent: Pose of the bone that it follows, None if it follows none.
        frames: Number of frames.
    """
    import numpy as np

    at_rest = np.broadcast_to(bone.rest[:3, :3], (frames, 3, 3))
    if parent is None:
        heads = np.broadcast_to(bone.rest[:3, 3], (frames, 3))
        unit = np.broadcast_to(np.eye(3), at_rest.shape)
        unscaled = np.ones(frames)
        axes = at_rest if bone.local_location else unit
        return _Frame(at_rest, heads, axes, unscaled, unscaled)
    inherited = parent.rotations @ bone.relative[:3, :3]
    offsets = parent.rotations @ bone.relative[:3, 3]
    return _Frame(
        rotations=inherited if bone.inherits_rotation else at_rest,
        heads=parent.heads + parent.scales[:, None] * offsets,
        # A bone that does not rotate with its parent is still carried along by it.
        location_axes=inherited if bone.local_location else parent.rotations,
        location_scales=parent.scales,
        scales=parent.scales if bone.inherits_scale else np.ones(frames),
    )


def _static_pose(bone: Bone, frame: _Frame) -> _Pose:
    locations, rotations, scales = split_transforms(bone.static)
    offsets = (frame.location_axes @ locations[..., None])[..., 0]
    return _Pose(
        rotations=frame.rotations @ rotations,
        heads=frame.heads + frame.location_scales[:, None] * offsets,
        scales=frame.scales * scales.mean(-1),
    )


def _rest_channels(bone: Bone, frame: _Frame, targets: _Targets) -> Channels:
    """Key a bone at rest; a pole is moved to where its limb bends."""
    import numpy as np

    frames = len(frame.heads)
    locations = np.zeros((frames, 3))
    if bone.joint >= 0:
        start = bone.joint - 1
        upper = targets.to_armature @ targets.rotation(start) @ core_axes()
        outwards = -upper @ (bone.rest[:3, :3] @ bone.joint_offset)
        limb = np.stack([targets.position(joint) for joint in range(start, start + 3)], 1)
        locations = frame.locations(_pole_positions(limb, outwards) - frame.heads)
    unit = np.broadcast_to(np.eye(3), (frames, 3, 3))
    return Channels(bone.name, bone.rotation_mode, unit, locations, bone.clears_scale)


def _follow_joint(
    bone: Bone, frame: _Frame, targets: _Targets, since_rest: np.ndarray
) -> tuple[_Pose, Channels]:
    """Rotate a bone as its joint does, and move it there if it is off.

    Args:
        bone: The bone.
        frame: Where its channels count from.
        targets: Where joints belong.
        since_rest: (F, 3, 3) rotations of the bone since the rest pose, in the core's axes.

    Returns:
        The pose of the bone, and its channels.
    """
    import numpy as np

    axes = core_axes()
    rotations = targets.to_armature @ since_rest @ (axes @ bone.rest[:3, :3])
    local = frame.rotations.swapaxes(-1, -2) @ rotations
    locations, heads, offsets = None, frame.heads, np.zeros_like(frame.heads)
    if bone.joint >= 0:
        to_joint = frame.scales[:, None] * (rotations @ bone.joint_offset)
        offsets = targets.position(bone.joint) - to_joint - heads
    # Without keys, an earlier location of the bone would stay.
    earlier = float(np.linalg.norm(bone.static[:3, 3]))
    farthest = max(float(np.linalg.norm(offsets, axis=-1).max()), earlier)
    if bone.moves or (bone.can_move and farthest > targets.margin):
        locations = frame.locations(offsets)
        heads = heads + offsets
    channels = Channels(bone.name, bone.rotation_mode, local, locations, bone.clears_scale)
    return _Pose(rotations, heads, frame.scales), channels


def _pole_positions(limb: np.ndarray, outwards: np.ndarray) -> np.ndarray:
    """Return where the pole of a limb belongs: out of its bend, in its plane.

    Args:
        limb: (F, 3, 3) positions of its three joints.
        outwards: (F, 3) from the middle joint to the pole, if the pole were fixed to the limb's
            first bone; what a straight limb has instead of a plane.

    Returns:
        (F, 3) positions.
    """
    import numpy as np

    line = limb[:, 2] - limb[:, 0]
    line = line / np.linalg.norm(line, axis=-1, keepdims=True)
    bend, out_of_line = (
        v - (v * line).sum(-1, keepdims=True) * line for v in (limb[:, 1] - limb[:, 0], outwards)
    )
    length = np.linalg.norm(outwards, axis=-1, keepdims=True)
    reach = np.linalg.norm(limb[:, 1] - limb[:, 0], axis=-1, keepdims=True)
    share = np.linalg.norm(bend, axis=-1, keepdims=True) / (_STRAIGHT * reach)
    bend = bend + _STRAIGHT * reach * np.exp(-(share**2)) * out_of_line / length
    positions: np.ndarray = limb[:, 1] + length * bend / np.linalg.norm(
        bend, axis=-1, keepdims=True
    )
    return positions
