"""An armature's rest pose as a body of the core."""

from __future__ import annotations

import numpy as np

from ssrhmr_core.mapping import BoneMapping, map_bones
from ssrhmr_core.rest import Rest, read_rest
from ssrhmr_core.skeleton import INDEX

from .armature import RigData
from .axes import points_from_core, points_to_core, rotations_from_core, rotations_to_core


def detect(rig: RigData) -> BoneMapping:
    """Find the 22 joints among an armature's bones."""
    heads = points_to_core(rig.rest[:, :3, 3])
    return map_bones(rig.names, [int(parent) for parent in rig.parents], heads)


def read_body(rig: RigData, bones: np.ndarray, scale: float) -> Rest:
    """Read the rest pose.

    Args:
        rig: the armature.
        bones: (22,) int, index of the bone of each joint, -1 where it has none.
        scale: size of the armature in the world.

    Returns:
        The rest pose, its skeleton in the world's units.

    Raises:
        MissingJointError: if a joint is missing that no other can stand in for.
        ValueError: if the body is degenerate.
    """
    chosen = np.maximum(bones, 0)
    hands = [_fingers(rig, int(bones[INDEX[name]])) for name in ("left_wrist", "right_wrist")]
    feet = [_tail(rig, int(bones[INDEX[name]])) for name in ("left_ankle", "right_ankle")]
    return read_rest(
        scale * points_to_core(rig.rest[chosen, :3, 3]),
        bones >= 0,
        hand_ends=scale * points_to_core(np.array(hands)),
        toe_ends=scale * points_to_core(np.array(feet)),
    )


def _tail(rig: RigData, bone: int) -> np.ndarray:
    return rig.tails[bone] if bone >= 0 else np.full(3, np.nan)


def _fingers(rig: RigData, hand: int) -> np.ndarray:
    """Point (3,) amid the fingers of a hand, in armature space."""
    below = {hand}
    points = []
    for bone, parent in enumerate(rig.parents):
        if int(parent) in below and hand >= 0 and "thumb" not in rig.names[bone].lower():
            below.add(bone)
            points += [rig.rest[bone, :3, 3], rig.tails[bone]]
    return np.mean(points, axis=0) if points else _tail(rig, hand)


def pose_to_core(
    rest: Rest, rig: RigData, bones: np.ndarray, rotations: np.ndarray
) -> np.ndarray:
    """Canonical global rotations from the world rotations of bones.

    Args:
        rest: the armature's rest pose.
        rig: the armature.
        bones: (22,) int as in :func:`read_body`; joints without a bone give an identity.
        rotations: (..., 22, 3, 3) of the bones in Blender's world.

    Returns:
        (..., 22, 3, 3).
    """
    chosen = np.maximum(bones, 0)
    turned = rotations @ np.swapaxes(rig.rest[chosen, :3, :3], -1, -2)
    canonical = rest.to_canonical(rotations_to_core(turned))
    canonical[..., bones < 0, :, :] = np.eye(3)
    return canonical


def pose_from_core(
    rest: Rest,
    rig: RigData,
    bones: np.ndarray,
    rotations: np.ndarray,
    positions: np.ndarray,
    world: tuple[np.ndarray, np.ndarray, float],
) -> tuple[np.ndarray, np.ndarray]:
    """Where bones are to be, in armature space.

    Args:
        rest: the armature's rest pose.
        rig: the armature.
        bones: (22,) int as in :func:`read_body`.
        rotations: (F, 22, 3, 3) canonical global rotations.
        positions: (F, 22, 3) of the joints, in the core's axes.
        world: place (F, 3), rotation (F, 3, 3) and size of the armature object.

    Returns:
        Rotations (F, 22, 3, 3) of the bones and positions (F, 22, 3) of their heads.
    """
    place, turn, scale = world
    back = np.swapaxes(turn, -1, -2).astype(np.float32)[:, None]
    turned = rotations_from_core(rest.from_canonical(rotations.astype(np.float32)))
    heads = points_from_core(positions.astype(np.float64)) - place[:, None]
    rest_turn = rig.rest[np.maximum(bones, 0), :3, :3].astype(np.float32)
    return (
        back @ turned @ rest_turn,
        (np.swapaxes(turn, -1, -2)[:, None] @ heads[..., None])[..., 0] / scale,
    )
