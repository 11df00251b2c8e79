# SPDX-License-Identifier: GPL-3.0-or-later
"""From a motion to the channels of pose bones: arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import bpy

from ..animation.actions import nla_paths
from ..common.axes import core_axes, flatten_matrix, split_transforms
from .reading import Character, RigError

if TYPE_CHECKING:
    import numpy as np

    from ssrhmr_core.body.motion import Motion

_OFF_PLACE = 1e-4
"""Share of the character's size by which a bone may miss its joint before it is moved there."""

_SCALED = 1e-3

_STRAIGHT = 0.01
"""How far the middle of a limb is out of line, as a share of its length, where its bend fades."""


@dataclass(frozen=True)
class Bone:
    """What the pose of a bone depends on besides its channels.

    Attributes:
        name: of the bone.
        parent: index in the list of bones of the one that it follows, or -1.
        rest: (4, 4) at rest, in the armature's space.
        relative: (4, 4) the same in the space of the bone that it follows.
        static: (4, 4) or (F, 4, 4) its own pose as it stands; used for bones that are not keyed.
        keyed: whether it is posed.
        constrained: whether constraints of its own, which nothing here imitates, move it.
        joint: index of the joint that it is put onto, or -1.
        arm: (3,) that joint's place at rest, from the bone's head along its axes.
        moves: whether it has location keys in any case.
        movable: whether it may have location keys.
        turns_along: whether it turns with its parent.
        local_place: whether its location channels are along its own axes.
        rotation_mode: Blender's name of it.
    """

    name: str
    parent: int
    rest: np.ndarray
    relative: np.ndarray
    static: np.ndarray
    keyed: bool
    constrained: bool
    joint: int
    arm: np.ndarray
    moves: bool
    movable: bool
    turns_along: bool
    local_place: bool
    rotation_mode: str


@dataclass(frozen=True)
class Channels:
    """Values to key for one bone.

    Attributes:
        bone: its name.
        rotation_mode: Blender's name of it.
        rotations: (F, 3, 3) in the bone's own axes.
        places: (F, 3) location channels, or None where the bone is not moved.
    """

    bone: str
    rotation_mode: str
    rotations: np.ndarray
    places: np.ndarray | None


def read_bones(armature: bpy.types.Object, character: Character) -> list[Bone]:
    """Read the bones to pose and all that they follow, parents before children.

    Raises:
        RigError: if the hips cannot be moved, or a bone is scaled in its pose.
    """
    import numpy as np

    controls = character.controls
    follows = controls.parents if controls else {}
    put = _put_onto(character)
    keyed = {*put, *_turned_as(character)}
    keyed |= {*controls.at_rest, *controls.poles} if controls else set()
    keyed |= {name for segment in character.segments for name in segment.bones}
    keyed |= set() if controls else _between(armature, keyed)
    moving = {*controls.places} if controls else {character.bones[0]}
    # The ends of what bends come a little nearer.
    moving |= {character.bones[segment.end] for segment in character.segments if segment.bends}
    found: list[Bone] = []
    index: dict[str, int] = {}
    carried = nla_paths(armature)

    def add(name: str) -> int:
        """Index of a bone, read after those that it follows."""
        if name in index:
            return index[name]
        pose, bone = armature.pose.bones[name], armature.data.bones[name]
        above = follows.get(name, bone.parent.name if bone.parent else "")
        parent = add(above) if above else -1
        connected = bone.use_connect and bone.parent is not None
        path = f'pose.bones["{bpy.utils.escape_identifier(name)}"].location'
        if name in moving and connected:
            raise RigError(
                f"the hips' bone '{bone.name}' is connected to '{bone.parent.name}' and cannot"
                " move: disconnect it in edit mode, or choose another bone"
            )
        if max(abs(value - 1.0) for value in pose.scale) > _SCALED:
            raise _scaled(name)
        rest = np.array(flatten_matrix(bone.matrix_local)).reshape(4, 4)
        joint = put.get(name, -1)
        if controls and name in controls.poles:
            joint = controls.poles[name] + 1
        arm = np.zeros(3)
        if controls and joint >= 0:
            head = np.array(armature.data.bones[character.bones[joint]].head_local)
            arm = rest[:3, :3].T @ (head - rest[:3, 3])
        index[name] = len(found)
        found.append(
            Bone(
                name,
                parent,
                rest,
                np.linalg.inv(found[parent].rest) @ rest if above else rest,
                np.array(flatten_matrix(pose.matrix_basis)).reshape(4, 4),
                name in keyed,
                controls is None and _is_constrained(pose),
                joint,
                arm,
                name in moving or (path in carried and not connected),
                not connected,
                bone.use_inherit_rotation,
                bone.use_local_location,
                pose.rotation_mode,
            )
        )
        return index[name]

    for bone in armature.data.bones:
        if bone.name in keyed:
            add(bone.name)
    return found


def _between(armature: bpy.types.Object, keyed: set[str]) -> set[str]:
    """Bones between those that are keyed: they are the body's too, and stay as they are at rest.

    What was made of them before, as in an old action, would carry the body away.
    """
    found: set[str] = set()
    for name in keyed:
        above: list[str] = []
        bone = armature.data.bones[name].parent
        while bone is not None and bone.name not in keyed:
            above.append(bone.name)
            bone = bone.parent
        if bone is not None:
            found |= {name for name in above if not _is_constrained(armature.pose.bones[name])}
    return found


def _is_constrained(pose: bpy.types.PoseBone) -> bool:
    return any(not constraint.mute for constraint in pose.constraints)


def moved_bones(bones: list[Bone], poses: np.ndarray) -> list[Bone]:
    """Let bones that are not keyed go on moving as they do.

    Args:
        bones: from :func:`read_bones`.
        poses: (F, n, 4, 4) of those that are not keyed, each in its own space.

    Raises:
        RigError: if one of them is scaled at some frame.
    """
    found, column = [], 0
    for bone in bones:
        if not bone.keyed:
            bone, column = replace(bone, static=poses[:, column]), column + 1
            if abs(split_transforms(bone.static)[2] - 1.0).max() > _SCALED:
                raise _scaled(bone.name)
        found.append(bone)
    return found


def _scaled(bone: str) -> RigError:
    return RigError(
        f"bone '{bone}' is scaled in its pose, so the bones below it are not where"
        " their joints are: clear its scale (Alt S in pose mode)"
    )


def _put_onto(character: Character) -> dict[str, int]:
    """Bones that are put onto joints."""
    if character.controls:
        return character.controls.places
    return {name: joint for joint, name in enumerate(character.bones) if name}


def _turned_as(character: Character) -> dict[str, int]:
    """Bones that turn as joints do."""
    if character.controls:
        return character.controls.joints
    return _put_onto(character)


def pose_bones(
    motion: Motion, character: Character, bones: list[Bone], worlds: np.ndarray
) -> Iterator[Channels]:
    """Work out the channels that put each bone where its joint is.

    Args:
        motion: in the core's axes, in scene units.
        character: whose rest pose it is.
        bones: from :func:`read_bones`.
        worlds: (F, 4, 4) the armature object's world transform at each frame.

    Yields:
        Channels of the bones that are keyed, one bone at a time.
    """
    import numpy as np

    from ssrhmr_core.rigs.twist_bones import spread

    axes = core_axes()
    places, turns, scales = split_transforms(worlds)
    to_armature = turns.swapaxes(-1, -2) @ axes.T
    size = 1.0 / scales.mean(-1)[:, None]
    joints = ((axes.T @ motion.positions()[..., None])[..., 0] - places[:, None]) @ turns
    joints = joints * size[:, None]
    turned = character.rest.from_canonical(motion.matrices().astype(np.float64))

    since_rest = {name: turned[:, joint] for name, joint in _turned_as(character).items()}
    for segment in character.segments:
        spread_out = spread(segment, turned)
        since_rest |= {name: spread_out[:, n] for n, name in enumerate(segment.bones)}

    frames = len(motion)
    poses: list[tuple[np.ndarray, np.ndarray]] = []
    margin = _OFF_PLACE * motion.skeleton.size / character.scale
    for bone in bones:
        relative = bone.relative
        if bone.parent < 0:
            turn = np.broadcast_to(bone.rest[:3, :3], (frames, 3, 3))
            head = np.broadcast_to(bone.rest[:3, 3], (frames, 3))
        else:
            up_turn, up_head = poses[bone.parent]
            head = up_head + up_turn @ relative[:3, 3]
            turn = (
                up_turn @ relative[:3, :3]
                if bone.turns_along
                else np.broadcast_to(bone.rest[:3, :3], (frames, 3, 3))
            )
        along = _location_axes(bone, turn, up_turn if bone.parent >= 0 else None, relative)
        if not bone.keyed:
            stands, place = bone.static[..., :3, :3], bone.static[..., :3, 3, None]
            poses.append((turn @ stands, head + (along @ place)[..., 0]))
            continue
        if bone.name not in since_rest:  # keyed to stay at rest, but for the places of poles
            moved = np.zeros((frames, 3))
            if bone.joint >= 0:
                start = bone.joint - 1
                upper = to_armature @ turned[:, start] @ axes
                out = -upper @ (bone.rest[:3, :3] @ bone.arm)
                away = _pole(joints[:, start : start + 3], out) - head
                moved = (along.swapaxes(-1, -2) @ away[..., None])[..., 0]
            poses.append((turn, head))
            still = np.broadcast_to(np.eye(3), (frames, 3, 3))
            yield Channels(bone.name, bone.rotation_mode, still, moved)
            continue
        wanted = to_armature @ since_rest[bone.name] @ (axes @ bone.rest[:3, :3])
        local = turn.swapaxes(-1, -2) @ wanted
        moved, away = None, np.zeros((frames, 3))
        if bone.joint >= 0:
            away = joints[:, bone.joint] - wanted @ bone.arm - head
        # Without keys, a place that it was given before would stay.
        before = np.linalg.norm(bone.static[:3, 3])
        off = max(float(np.linalg.norm(away, axis=-1).max()), float(before))
        if bone.moves or (bone.movable and off > margin):
            moved = (along.swapaxes(-1, -2) @ away[..., None])[..., 0]
            head = head + away
        poses.append((wanted, head))
        yield Channels(bone.name, bone.rotation_mode, local, moved)


def _pole(limb: np.ndarray, out: np.ndarray) -> np.ndarray:
    """Where the pole of a limb belongs: out of its bend, in its plane.

    Args:
        limb: (F, 3, 3) places of its three joints.
        out: (F, 3) from the middle joint to the pole, if the pole were fixed to the limb's first
            bone; what a straight limb has instead of a plane.

    Returns:
        (F, 3) places.
    """
    import numpy as np

    line = limb[:, 2] - limb[:, 0]
    line = line / np.linalg.norm(line, axis=-1, keepdims=True)
    bend, out_of_line = (
        v - (v * line).sum(-1, keepdims=True) * line for v in (limb[:, 1] - limb[:, 0], out)
    )
    length = np.linalg.norm(out, axis=-1, keepdims=True)
    reach = np.linalg.norm(limb[:, 1] - limb[:, 0], axis=-1, keepdims=True)
    share = np.linalg.norm(bend, axis=-1, keepdims=True) / (_STRAIGHT * reach)
    bend = bend + _STRAIGHT * reach * np.exp(-(share**2)) * out_of_line / length
    return limb[:, 1] + length * bend / np.linalg.norm(bend, axis=-1, keepdims=True)


def _location_axes(
    bone: Bone, turn: np.ndarray, parent_turn: np.ndarray | None, relative: np.ndarray
) -> np.ndarray:
    """Axes (F, 3, 3) along which a bone's location channels count, as Blender has them."""
    import numpy as np

    if parent_turn is None:
        return turn if bone.local_place else np.broadcast_to(np.eye(3), turn.shape)
    # A bone that does not turn with its parent is still carried along by it.
    return parent_turn @ relative[:3, :3] if bone.local_place else parent_turn
