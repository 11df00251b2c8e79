"""From bones in armature space to what their channels must hold, whatever hangs between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .armature import RigData


@dataclass(frozen=True, eq=False)
class BoneMotion:
    """What one bone adds to its rest pose over time.

    Attributes:
        bone: its index in the armature.
        rotations: (F, 3, 3) float32.
        locations: (F, 3), or None where the bone keeps its place on its parent.
    """

    bone: int
    rotations: np.ndarray
    locations: np.ndarray | None


@dataclass(frozen=True, eq=False)
class _Placed:
    """A bone over time in armature space, (F, ...), or (1, ...) where it does not move."""

    rotations: np.ndarray
    heads: np.ndarray


def bone_motions(
    rig: RigData,
    bones: np.ndarray,
    rotations: np.ndarray,
    heads: np.ndarray,
    tolerance: float,
) -> tuple[list[BoneMotion], list[int]]:
    """Work out the channels of the mapped bones.

    Bones that are not mapped keep the pose that they have on their parents.

    Args:
        rig: the armature; no bone concerned may be scaled in its pose.
        bones: (22,) int, index of the bone of each joint, -1 where it has none; first the hips.
        rotations: (F, 22, 3, 3) where the bones are to point, in armature space.
        heads: (F, 22, 3) where their heads are to be, in armature space.
        tolerance: distance from there at which a bone is moved with location keys. The hips
            always are.

    Returns:
        Motions in the order of ``bones``, and the indices of bones that ought to move but cannot
        because they are connected to their parents.
    """
    joint_of = {int(bone): joint for joint, bone in enumerate(bones) if bone >= 0}
    needed = sorted({link for bone in joint_of for link in rig.chain(bone)})
    placed: dict[int, _Placed] = {}
    motions: dict[int, BoneMotion] = {}
    stuck = []
    for bone in needed:  # indices of parents are smaller
        base, origin, axes = _parent_space(rig, bone, placed)
        joint = joint_of.get(bone)
        if joint is None:
            own = rig.basis[bone]
            shift = np.zeros(3) if rig.connected[bone] else own[:3, 3]
            placed[bone] = _Placed(base @ own[:3, :3], origin + _turn(axes, shift))
            continue
        wanted, spot = rotations[:, joint], heads[:, joint]
        added = (np.swapaxes(base, -1, -2).astype(np.float32) @ wanted).astype(np.float32)
        away = spot - origin
        moves = joint == 0 or float(np.linalg.norm(away, axis=-1).max()) > tolerance
        if moves and rig.connected[bone]:
            moves = False
            stuck.append(bone)
        locations = _turn(np.swapaxes(axes, -1, -2), away) if moves else None
        motions[bone] = BoneMotion(bone, added, locations)
        placed[bone] = _Placed(wanted, spot if moves else np.broadcast_to(origin, spot.shape))
    return [motions[int(bone)] for bone in bones if bone >= 0], stuck


def _parent_space(
    rig: RigData, bone: int, placed: dict[int, _Placed]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where a bone is as long as its channels are zero: BKE_bone_parent_transform_calc.

    Returns:
        Rotation (F, 3, 3), place of the head (F, 3), and the axes (F, 3, 3) along which its
        location moves it; F is 1 where nothing above moves.
    """
    rest, parent = rig.rest[bone], int(rig.parents[bone])
    local = bool(rig.local_location[bone])
    if parent < 0:
        turn = rest[None, :3, :3]
        return turn, rest[None, :3, 3], turn if local else np.eye(3)[None]
    above, rest_above = placed[parent], rig.rest[parent]
    offset = rest_above[:3, :3].T @ rest[:3, :3]
    arm = rest_above[:3, :3].T @ (rest[:3, 3] - rest_above[:3, 3])
    followed = above.rotations @ offset.astype(above.rotations.dtype)
    base = followed if rig.inherit_rotation[bone] else rest[None, :3, :3]
    return base, above.heads + _turn(above.rotations, arm), followed if local else above.rotations


def _turn(rotations: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Rotations (F, 3, 3) applied to vectors (F, 3) or (3,)."""
    return (rotations @ np.asarray(vectors)[..., None])[..., 0]
