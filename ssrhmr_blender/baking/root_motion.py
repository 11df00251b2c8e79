# SPDX-License-Identifier: GPL-3.0-or-later
"""Root motion: what carries a character through the room while its pose there stays the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import bpy

from ..animation.actions import ActionWriter
from ..common.axes import core_axes, flatten_matrix, split_transforms
from ..common.typed import armature_of
from ..common.validation import SetupError
from ..rig.bones import Bone
from ..rig.posing import Channels
from ..rig.reading import Character
from ..trackers.sampling import is_animated

if TYPE_CHECKING:
    import numpy as np

    from ssrhmr_core.body.motion import Motion
    from ssrhmr_core.body.root_motion import RootPath

    from ..properties.root_motion import SSRHMR_RootMotion

_SCALED = 1e-3


@dataclass(frozen=True)
class RootOptions:
    """What carries the character, read once.

    Attributes:
        target: "HIPS", "BONE", "OBJECT" or "IN_PLACE".
        bone: Name of the root bone if that is the target.
        heading: Whether the root turns.
        smoothing: Standard deviation in seconds of the filter of its path.
        context: (4, 4) transform from the object's own channels to the world, if the object is
            the target.
        rotation_mode: Rotation mode of the object.
    """

    target: str
    bone: str
    heading: bool
    smoothing: float
    context: np.ndarray | None = None
    rotation_mode: str = ""


@dataclass(frozen=True)
class Placement:
    """A motion, and what carries the character that performs it.

    Attributes:
        motion: The motion.
        bones: Bones with the poses that those without joints have at each frame.
        worlds: (F, 4, 4) world transforms of the armature object.
        bone: Channels of the root bone, None if it carries nothing.
        transforms: (F, 4, 4) the object's own transforms, None if it carries nothing.
        rotation_mode: Rotation mode of the object.
    """

    motion: Motion
    bones: list[Bone]
    worlds: np.ndarray
    bone: Channels | None = field(default=None)
    transforms: np.ndarray | None = field(default=None)
    rotation_mode: str = ""

    def channels(self) -> Iterator[Channels]:
        """Yield the channels of the root bone, if it is keyed."""
        if self.bone is not None:
            yield self.bone

    def write_object(self, writer: ActionWriter, frames: np.ndarray) -> None:
        """Write the object's own keys, if it carries the character."""
        from ..animation.rotation_values import rotation_values

        if self.transforms is None:
            return
        positions, rotations, _ = split_transforms(self.transforms)
        writer.write("Object Transforms", "location", frames, positions)
        channel, values = rotation_values(rotations, self.rotation_mode)
        writer.write("Object Transforms", channel, frames, values)


def read_root_options(
    armature: bpy.types.Object, character: Character, bones: list[Bone], root: SSRHMR_RootMotion
) -> RootOptions:
    """Read a setup's root motion.

    Raises:
        SetupError: if the root bone or the object cannot carry the character.
    """
    import numpy as np

    bone, context = "", None
    if root.target == "BONE":
        bone = _choose_root_bone(armature, character, bones, root.bone)
    elif root.target == "OBJECT":
        _check_object(armature)
        world, own = (
            np.array(flatten_matrix(matrix)).reshape(4, 4)
            for matrix in (armature.matrix_world, armature.matrix_basis)
        )
        context = world @ np.linalg.inv(own)
    return RootOptions(
        target=root.target,
        bone=bone,
        heading=root.heading,
        smoothing=root.smoothing,
        context=context,
        rotation_mode=armature.rotation_mode,
    )


def place_root(
    options: RootOptions,
    armature: bpy.types.Object,
    character: Character,
    placement: Placement,
    rate: float,
) -> Placement:
    """Let a root carry the character; hips carry what is left.

    Args:
        options: What carries it.
        armature: Armature object.
        character: Character that performs the motion.
        placement: The motion as it is without a root.
        rate: Frames per second.
    """
    import numpy as np

    from ssrhmr_core.body.root_motion import find_root_path, move_in_place
    from ssrhmr_core.body.skeleton import INDEX

    if options.target == "HIPS":
        return placement
    hips, axes = INDEX["hips"], core_axes()
    first = placement.worlds[0]
    _, facing, _ = split_transforms(first)
    since_rest = character.rest.from_canonical(placement.motion.matrices().astype(np.float64))
    turned = since_rest[:, hips] @ (axes @ facing.T @ axes.T)
    path = find_root_path(placement.motion.root, turned, rate, options.smoothing)
    if not options.heading:
        path = replace(path, headings=np.zeros_like(path.headings))
    if options.target == "IN_PLACE":
        motion = move_in_place(placement.motion, path, options.heading)
        return replace(placement, motion=motion)
    head = armature_of(armature).bones[character.bones[hips]].head_local
    carried = _transforms(path, (first @ np.array([*head[:], 1.0]))[:3]) @ first
    if options.target == "OBJECT":
        own = np.linalg.inv(_required(options.context)) @ carried
        return replace(
            placement, worlds=carried, transforms=own, rotation_mode=options.rotation_mode
        )
    return _place_bone(placement, options.bone, carried)


def _transforms(path: RootPath, rest: np.ndarray) -> np.ndarray:
    """Return the transforms (F, 4, 4) in Blender's axes that carry a point on the floor along.

    Args:
        path: The path, in the core's axes.
        rest: (3,) position of the hips at rest in the world; its height does not matter.
    """
    import numpy as np

    axes = core_axes()
    transforms = np.tile(np.eye(4), (len(path.headings), 1, 1))
    transforms[:, :3, :3] = axes.T @ path.rotations @ axes
    start = rest * (1.0, 1.0, 0.0)
    transforms[:, :3, 3] = path.positions @ axes - transforms[:, :3, :3] @ start
    return transforms


def _place_bone(placement: Placement, name: str, carried: np.ndarray) -> Placement:
    """Key the root bone so that it moves as if the object were carried."""
    import numpy as np

    from ssrhmr_core.keyframes.posing import pose_chain

    from .reduction import as_pose_bone

    number = next(n for n, bone in enumerate(placement.bones) if bone.name == name)
    bone = placement.bones[number]
    chain = [as_pose_bone(each, 0.0) for each in placement.bones[: number + 1]]
    nothing = [None] * len(chain)
    frames = len(carried)
    pose = pose_chain(chain, nothing, nothing, frames)
    bases, location_axes = pose.bases[number], pose.location_axes[number]
    moved = np.broadcast_to(bone.static, (frames, 4, 4))[:, :3, 3, None]
    starts = pose.heads[number] - (location_axes @ moved)[..., 0]
    wanted = np.linalg.inv(placement.worlds) @ carried @ bone.rest
    positions, rotations, _ = split_transforms(wanted)
    own = np.tile(np.eye(4), (frames, 1, 1))
    own[:, :3, :3] = bases.swapaxes(-1, -2) @ rotations
    own[:, :3, 3] = (location_axes.swapaxes(-1, -2) @ (positions - starts)[..., None])[..., 0]
    bones = list(placement.bones)
    bones[number] = replace(bone, static=own)
    channels = Channels(name, bone.rotation_mode, own[:, :3, :3], own[:, :3, 3])
    return replace(placement, bones=bones, bone=channels)


def _choose_root_bone(
    armature: bpy.types.Object, character: Character, bones: list[Bone], name: str
) -> str:
    """Return the bone that carries the character: the chosen or the topmost one above the hips."""
    number = next(n for n, bone in enumerate(bones) if bone.name == character.keyed[0])
    above = []
    while bones[number].parent >= 0:
        number = bones[number].parent
        above.append(bones[number])
    chosen = next((bone for bone in above if bone.name == name), None)
    if name and chosen is None:
        raise SetupError(
            f"The hips of '{armature.name}' do not follow '{name}': choose a bone above the hips as"
            " root bone"
        )
    chosen = chosen or (above[-1] if above else None)
    if chosen is None or chosen.keyed:
        raise SetupError(
            f"'{armature.name}' has no bone above the hips: add one in edit mode and parent the"
            " hips to it, or choose Object under Root Motion"
        )
    if abs(character.pose_scale - 1.0) > _SCALED:
        raise SetupError(
            f"The bones above the hips of '{armature.name}' are scaled, so a root cannot carry"
            " them: clear their scale (Alt S in pose mode), or choose Object under Root Motion"
        )
    if chosen.held or not chosen.can_move:
        raise SetupError(
            f"The root bone '{chosen.name}' is held by constraints or connected to its parent:"
            " mute the constraints or disconnect it"
        )
    return chosen.name


def _check_object(armature: bpy.types.Object) -> None:
    held = any(not constraint.mute for constraint in armature.constraints)
    if held or (armature.parent is not None and is_animated(armature.parent)):
        raise SetupError(
            f"'{armature.name}' follows constraints or a moving parent: remove them, or choose"
            " another Root Motion"
        )


def _required(matrix: np.ndarray | None) -> np.ndarray:
    if matrix is None:
        raise ValueError("the object's transform was not read")
    return matrix
