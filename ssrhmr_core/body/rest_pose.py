# SPDX-License-Identifier: GPL-3.0-or-later
"""Convert between any rest pose and the canonical T-pose.

A rig's own rest pose (T, A, arms down, spread legs, any bone roll) is related to the canonical
T-pose by one rotation for each joint, the *alignment* A: a bone that points along d at rest points
along ``A d`` in the canonical T-pose. If a joint has rotated by the global rotation Q since its
rest pose, its canonical global rotation is ``Q A^-1``. Readers and writers need nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from ..geometry.arrays import normalize
from ..geometry.rotations import rotate, rotation_between, transpose
from .feet import FootEvidence, find_ankle_heights, find_balls, find_shown_balls
from .skeleton import (
    INDEX,
    JOINTS,
    LIMB_DIRECTIONS,
    PARENTS,
    REQUIRED_JOINTS,
    TRUNK,
    Skeleton,
)

_LIMB_CHAINS: tuple[tuple[str, ...], ...] = (
    ("left_hip", "left_knee", "left_ankle"),
    ("right_hip", "right_knee", "right_ankle"),
    ("left_shoulder", "left_elbow", "left_wrist", "left_hand_end"),
    ("right_shoulder", "right_elbow", "right_wrist", "right_hand_end"),
)
_OPTIONAL_CHAINS: tuple[tuple[str, ...], ...] = (
    ("lower_spine", "middle_spine", "chest"),
    ("neck", "head"),
    ("left_clavicle", "left_shoulder"),
    ("right_clavicle", "right_shoulder"),
)
"""Joints that may be missing, each followed by the one that it then lies on."""
_SIDES = ("left", "right")


class MissingJointError(ValueError):
    """A skeleton lacks a joint that no other can stand in for."""


@dataclass(frozen=True, eq=False)
class RestPose:
    """A rest pose in canonical terms.

    Attributes:
        skeleton: The proportions, in the unit of the positions that they were read from.
        alignments: (22, 3, 3) float32 rotations A, as the module describes them. They include the
            rotation that makes the rest pose face +Z with +Y up.
    """

    skeleton: Skeleton
    alignments: np.ndarray

    def to_canonical(self, rotations: np.ndarray) -> np.ndarray:
        """Convert global rotations since the rest pose (..., 22, 3, 3) to canonical ones."""
        return rotations @ transpose(self.alignments)

    def from_canonical(self, rotations: np.ndarray, joint: int | None = None) -> np.ndarray:
        """Convert canonical global rotations to those since the rest pose.

        Args:
            rotations: (..., 22, 3, 3) of all joints, or (..., 3, 3) of one.
            joint: Index of that one.
        """
        return rotations @ (self.alignments if joint is None else self.alignments[joint])


def read_rest_pose(
    positions: np.ndarray,
    present: np.ndarray,
    hand_ends: np.ndarray | None = None,
    toe_ends: np.ndarray | None = None,
    up: np.ndarray | None = None,
    feet: FootEvidence | None = None,
) -> RestPose:
    """Derive the canonical T-pose from the joint positions of a rest pose.

    Args:
        positions: (22, 3) joint positions at rest, in any axes and unit; rows of missing joints are
            ignored.
        present: (22,) bool, True for the joints that the source has.
        hand_ends: (2, 3) points at the middle of the fingers of the left and right hand, NaN where
            unknown. An unknown hand continues straight from its forearm.
        toe_ends: (2, 3) tips of the feet, for skeletons without toe joints; NaN where unknown.
        up: (3,) upward direction in the rest pose, inferred from the body by default.
        feet: What shows where the feet end, where tips alone mean little; ``toe_ends`` are ignored
            then.

    Returns:
        The rest pose. Missing spine joints, necks and clavicles are put onto the next joint down
        their chain, so that they turn nothing; a missing toe is put onto the foot's tip.

    Raises:
        MissingJointError: A joint is missing that no other can stand in for.
        ValueError: The body is degenerate, see :class:`~ssrhmr_core.body.skeleton.Skeleton`.
    """
    present = np.array(present, bool)
    missing = [JOINTS[joint] for joint in REQUIRED_JOINTS if not present[joint]]
    if missing:
        raise MissingJointError(
            f"the skeleton has no {', '.join(missing)}: choose or add these joints"
        )
    positions = np.array(positions, np.float64)
    for chain in _OPTIONAL_CHAINS:
        for following, name in pairwise(reversed(chain)):
            if not present[INDEX[name]]:
                positions[INDEX[name]] = positions[INDEX[following]]

    facing = _facing(positions, up)
    positions = rotate(facing, positions)
    hand_ends, toe_ends = (_rotate_ends(facing, ends) for ends in (hand_ends, toe_ends))
    balls, heights = find_balls(positions, toe_ends), np.full(2, np.nan)
    if feet is not None:
        feet = _rotate_feet(facing, feet)
        heights = find_ankle_heights(positions, feet)
        balls = find_shown_balls(positions, feet, heights)
    for side, ball in zip(_SIDES, balls, strict=True):
        toe = INDEX[f"{side}_toe"]
        if not present[toe]:
            positions[toe] = ball

    alignments = _align_limbs(positions, hand_ends)
    offsets = np.zeros((len(JOINTS), 3))
    for child, parent in enumerate(PARENTS[1:], 1):
        offsets[child] = rotate(alignments[parent], positions[child] - positions[parent])
    sole = None
    if np.isfinite(heights).all():
        toes = offsets[[INDEX["left_toe"], INDEX["right_toe"]], 1].mean()
        sole = float(heights.mean() - max(-toes, 0.0))
    return RestPose(Skeleton(offsets, present, sole), (alignments @ facing).astype(np.float32))


def _rotate_feet(rotation: np.ndarray, feet: FootEvidence) -> FootEvidence:
    left, right = (rotate(rotation, np.asarray(skin, np.float64)) for skin in feet.skins)
    return replace(feet, skins=(left, right), tips=_rotate_ends(rotation, feet.tips))


def _rotate_ends(rotation: np.ndarray, ends: np.ndarray | None) -> np.ndarray:
    """Rotate the ends (2, 3) of hands or feet; they are NaN where there are none."""
    if ends is None:
        return np.full((2, 3), np.nan)
    return np.stack([rotate(rotation, end) for end in np.asarray(ends, np.float64)])


def _align_limbs(positions: np.ndarray, hand_ends: np.ndarray) -> np.ndarray:
    """Return the rotations (22, 3, 3) that straighten the limbs of a body that faces +Z."""
    points = {name: positions[joint] for name, joint in INDEX.items()}
    points |= {f"{side}_hand_end": end for side, end in zip(_SIDES, hand_ends, strict=True)}
    alignments = np.broadcast_to(np.eye(3), (len(JOINTS), 3, 3)).copy()
    for chain in _LIMB_CHAINS:
        alignment = np.eye(3)
        for name, following in pairwise(chain):
            bone = points[following] - points[name]
            if np.isfinite(bone).all() and np.linalg.norm(bone) > 1e-9:
                direction = normalize(rotate(alignment, bone))
                straight = np.array(LIMB_DIRECTIONS[INDEX[name]])
                # A nominal hand end that points away from the fingers' side says nothing.
                if "hand" not in following or direction @ straight > 0.5:
                    alignment = rotation_between(direction, straight) @ alignment
            alignments[INDEX[name]] = alignment
    return alignments


def is_standing(rest: RestPose) -> bool:
    """Return whether a body can stand in the rest pose that ``rest`` was read from.

    Some files have a zero pose in which every bone lies along one axis of its parent. The spine,
    feet and facing of such a pose mean nothing, and a frame of the motion must stand in for it.
    """
    tilt = rest.alignments @ transpose(rest.alignments[0])
    legs = [INDEX["left_hip"], INDEX["right_hip"], INDEX["left_knee"], INDEX["right_knee"]]
    offsets = rest.skeleton.offsets
    feet = normalize(offsets[[INDEX["left_toe"], INDEX["right_toe"]]])
    trunk = normalize(offsets[list(TRUNK)].sum(0))
    return bool(
        (np.trace(tilt[legs], axis1=-2, axis2=-1) > 1.0 + 2.0 * np.cos(np.radians(50.0))).all()
        and (feet[:, 2] > 0.3).all()
        and trunk[1] > 0.7
    )


def _facing(positions: np.ndarray, up: np.ndarray | None) -> np.ndarray:
    """Return the rotation (3, 3) that makes a body with these joints face +Z with +Y up."""
    left = sum(
        positions[INDEX[f"left_{part}"]] - positions[INDEX[f"right_{part}"]]
        for part in ("hip", "shoulder")
    )
    y = normalize(_infer_up(positions) if up is None else np.asarray(up, np.float64))
    x = left - (left @ y) * y
    if np.linalg.norm(x) < 1e-9:
        raise ValueError(
            "left and right hips and shoulders lie on top of each other: choose other bones"
        )
    x = normalize(x)
    # Files face along axes too: a deviation of a few degrees is asymmetry of the body.
    snapped = _nearest_axis(x)
    if abs(snapped @ y) < 1e-6 and snapped @ x > np.cos(np.radians(15.0)):
        x = snapped
    return np.stack([x, y, np.cross(x, y)])


def _infer_up(positions: np.ndarray) -> np.ndarray:
    """Return the direction (3,) from the feet to the head, of any length."""
    feet = 0.5 * (positions[INDEX["left_ankle"]] + positions[INDEX["right_ankle"]])
    rise = positions[INDEX["head"]] - feet
    # A rest pose stands along an axis of its file; the head may be a little in front of it.
    axis = _nearest_axis(rise)
    return axis if axis @ normalize(rise) > np.cos(np.radians(30.0)) else rise


def _nearest_axis(direction: np.ndarray) -> np.ndarray:
    """Return the positive or negative unit vector (3,) along the axis nearest to a direction."""
    axis = int(np.argmax(np.abs(direction)))
    return np.eye(3)[axis] * np.sign(direction[axis])
