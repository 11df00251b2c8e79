# SPDX-License-Identifier: GPL-3.0-or-later
"""From any rest pose to the canonical T-pose, and back.

A rig's own rest pose (T, A, arms down, spread legs, any bone roll) is related to the canonical
T-pose by one rotation a joint, the *alignment* A: a bone that points along d at rest points along
``A d`` in the canonical T-pose. If a joint has turned by the global rotation Q since its rest pose,
its canonical global rotation is ``Q A^-1``; that is all that readers and writers need.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..geometry.arrays import normalize
from ..geometry.rotations import between, rotate, transpose
from .skeleton import INDEX, JOINTS, LIMB_DIRECTIONS, PARENTS, REQUIRED_JOINTS, Skeleton

_CHAINS: tuple[tuple[str, ...], ...] = (
    ("left_hip", "left_knee", "left_ankle"),
    ("right_hip", "right_knee", "right_ankle"),
    ("left_shoulder", "left_elbow", "left_wrist", "left_hand_end"),
    ("right_shoulder", "right_elbow", "right_wrist", "right_hand_end"),
)
_NEXT_PRESENT: tuple[tuple[str, ...], ...] = (
    ("lower_spine", "middle_spine", "chest"),
    ("neck", "head"),
    ("left_clavicle", "left_shoulder"),
    ("right_clavicle", "right_shoulder"),
)


class MissingJointError(ValueError):
    """A skeleton lacks a joint that no other can stand in for."""


@dataclass(frozen=True, eq=False)
class RestPose:
    """A rest pose in canonical terms.

    Attributes:
        skeleton: the proportions, in the unit of the positions that it was made from.
        alignments: (22, 3, 3) float32, the rotations A of the module's text. They include the turn
            that makes the rest pose face +Z with +Y up.
    """

    skeleton: Skeleton
    alignments: np.ndarray

    def to_canonical(self, turned: np.ndarray) -> np.ndarray:
        """Global rotations since the rest pose (..., 22, 3, 3) -> canonical ones."""
        return turned @ transpose(self.alignments)

    def from_canonical(self, rotations: np.ndarray) -> np.ndarray:
        """Canonical global rotations (..., 22, 3, 3) -> global rotations since the rest pose."""
        return rotations @ self.alignments


def read_rest_pose(
    positions: np.ndarray,
    present: np.ndarray,
    hand_ends: np.ndarray | None = None,
    toe_ends: np.ndarray | None = None,
    up: np.ndarray | None = None,
) -> RestPose:
    """Work out the canonical T-pose of a rest pose given by its joint positions.

    Args:
        positions: (22, 3) joint positions at rest, any axes and unit; rows of joints that are not
            present are ignored.
        present: (22,) bool, which joints the source has.
        hand_ends: (2, 3) a point at the middle of the fingers of the left and right hand, NaN
            where it is unknown: the hand is then taken to go on straight from the forearm.
        toe_ends: (2, 3) tips of the feet, for skeletons without toe joints; NaN where unknown.
        up: (3,) which way is up in the rest pose; worked out from the body if it is not given.

    Returns:
        The rest pose. Missing spine joints, necks and clavicles are put onto the next joint down
        their chain, so that they turn nothing; a missing toe onto the foot's tip.

    Raises:
        MissingJointError: if a joint is missing that no other can stand in for.
        ValueError: if the body is degenerate, see :class:`~ssrhmr_core.body.skeleton.Skeleton`.
    """
    present = np.array(present, bool)
    missing = [JOINTS[joint] for joint in REQUIRED_JOINTS if not present[joint]]
    if missing:
        raise MissingJointError(
            f"the skeleton has no {', '.join(missing)}: choose or add these joints"
        )
    points = np.array(positions, np.float64)
    for chain in _NEXT_PRESENT:
        for following, name in pairwise(reversed(chain)):
            if not present[INDEX[name]]:
                points[INDEX[name]] = points[INDEX[following]]

    turn = _facing(points, up)
    points = rotate(turn, points)
    for side, toe, ankle in (
        (0, INDEX["left_toe"], INDEX["left_ankle"]),
        (1, INDEX["right_toe"], INDEX["right_ankle"]),
    ):
        if not present[toe]:
            known = toe_ends is not None and np.isfinite(toe_ends[side]).all()
            points[toe] = (
                rotate(turn, np.asarray(toe_ends, np.float64)[side])
                if known
                else points[ankle] + _guess_foot(points)
            )

    alignments = np.broadcast_to(np.eye(3), (len(JOINTS), 3, 3)).copy()
    for chain in _CHAINS:
        alignment = np.eye(3)
        for joint, following in pairwise(chain):
            tip = _tip(points, following, hand_ends, turn)
            direction = tip - points[INDEX[joint]]
            if np.isfinite(direction).all() and np.linalg.norm(direction) > 1e-9:
                turned = normalize(rotate(alignment, direction))
                wanted = np.array(LIMB_DIRECTIONS[INDEX[joint]])
                # A hand end that points away from the fingers' side says nothing (nominal ends).
                if "hand" not in following or turned @ wanted > 0.5:
                    alignment = between(turned, wanted) @ alignment
            alignments[INDEX[joint]] = alignment

    offsets = np.zeros((len(JOINTS), 3))
    for child, parent in enumerate(PARENTS[1:], 1):
        offsets[child] = rotate(alignments[parent], points[child] - points[parent])
    return RestPose(Skeleton(offsets, present), (alignments @ turn).astype(np.float32))


def is_standing(rest: RestPose) -> bool:
    """Tell whether the rest pose that ``rest`` was read from is one that a body can stand in.

    Some files have a zero pose in which every bone lies along one axis of its parent; the spine,
    feet and facing of such a pose mean nothing, and a frame of the motion must stand in for it.
    """
    tilt = rest.alignments @ transpose(rest.alignments[0])
    legs = [INDEX["left_hip"], INDEX["right_hip"], INDEX["left_knee"], INDEX["right_knee"]]
    offsets = rest.skeleton.offsets
    feet = normalize(offsets[[INDEX["left_toe"], INDEX["right_toe"]]])
    trunk = normalize(offsets[9:14].sum(0))
    return bool(
        (np.trace(tilt[legs], axis1=-2, axis2=-1) > 1.0 + 2.0 * np.cos(np.radians(50.0))).all()
        and (feet[:, 2] > 0.3).all()
        and trunk[1] > 0.7
    )


def _facing(points: np.ndarray, up: np.ndarray | None) -> np.ndarray:
    """Rotation (3, 3) that makes a body with these joint positions face +Z with +Y up."""
    left = sum(
        points[INDEX[f"left_{part}"]] - points[INDEX[f"right_{part}"]]
        for part in ("hip", "shoulder")
    )
    feet = 0.5 * (points[INDEX["left_ankle"]] + points[INDEX["right_ankle"]])
    rise = points[INDEX["head"]] - feet if up is None else np.asarray(up, np.float64)
    if up is None:
        # A rest pose stands along an axis of its file; the head may be a little in front of it.
        axis = int(np.argmax(np.abs(rise)))
        straight = np.eye(3)[axis] * np.sign(rise[axis])
        rise = straight if straight @ normalize(rise) > np.cos(np.radians(30.0)) else rise
    y = normalize(rise)
    x = left - (left @ y) * y
    if np.linalg.norm(x) < 1e-9:
        raise ValueError(
            "left and right hips and shoulders lie on top of each other: choose other bones"
        )
    x = normalize(x)
    # Files point along axes too: a turn of a few degrees is asymmetry of the body, not its facing.
    snapped = np.eye(3)[int(np.argmax(np.abs(x)))] * np.sign(x[int(np.argmax(np.abs(x)))])
    if abs(snapped @ y) < 1e-6 and snapped @ x > np.cos(np.radians(15.0)):
        x = snapped
    return np.stack([x, y, np.cross(x, y)])


def _tip(
    points: np.ndarray, name: str, hand_ends: np.ndarray | None, turn: np.ndarray
) -> np.ndarray:
    if name in INDEX:
        return points[INDEX[name]]
    if hand_ends is None:
        return np.full(3, np.nan)
    return rotate(turn, np.asarray(hand_ends, np.float64)[0 if name.startswith("left") else 1])


def _guess_foot(points: np.ndarray) -> np.ndarray:
    """Ankle to ball of a foot, from the length of the shin (means of the training bodies)."""
    shin = np.linalg.norm(points[INDEX["left_ankle"]] - points[INDEX["left_knee"]])
    return shin * np.array([0.0, -0.13, 0.31])
