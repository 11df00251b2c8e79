# SPDX-License-Identifier: GPL-3.0-or-later
"""A jointed body with anatomical degrees of freedom and their derivatives, for fitting poses.

Hips, spine, neck, head, shoulders, hip joints and ankles are ball joints. Knees and elbows are
hinges, forearms twist, clavicles and wrists have two axes. Frames come first in all arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..body.skeleton import INDEX, PARENTS, TRACKER_JOINTS
from ..geometry.rotations import (
    X_AXIS,
    Y_AXIS,
    Z_AXIS,
    from_rotvec,
    rotate,
    rotation_about,
    to_rotvec,
    transpose,
)

SIDES = (("left", 1.0), ("right", -1.0))
"""Both sides of the body, and the sign of X on each."""
BALL_JOINTS = tuple(
    INDEX[name]
    for name in (
        *("hips", "lower_spine", "middle_spine", "chest", "neck", "head"),
        *("left_shoulder", "right_shoulder", "left_hip", "right_hip", "left_ankle", "right_ankle"),
    )
)
"""Joints that turn about three axes."""
BALL_ANGLES = 3 * len(BALL_JOINTS)
"""Number of the degrees of freedom of ball joints, which come first."""

# The signs make flexion, raising and bending up positive on both sides.
_HINGE_AXES: dict[str, tuple[tuple[str, int, float], ...]] = {
    "clavicle": (("raise", Z_AXIS, 1.0), ("front", Y_AXIS, -1.0)),
    "elbow": (("flex", Y_AXIS, -1.0), ("twist", X_AXIS, 1.0)),
    "wrist": (("up", Z_AXIS, 1.0), ("front", Y_AXIS, -1.0)),
    "knee": (("flex", X_AXIS, 1.0),),
}
_STRAIGHT, _BENT = 0.02, 0.07
"""Radians of a hinge below which its pole, and above which the limb itself says how it bends."""


class DegreeOfFreedom(NamedTuple):
    """One degree of freedom of a pose.

    Attributes:
        name: The joint and the kind of movement, such as "left_elbow.flex" or "neck.x".
        joint: Index of the joint that it turns.
        axis: The axis, 0 to 2, in the frame that earlier axes of the joint have turned.
        sign: The direction in which the angle counts.
    """

    name: str
    joint: int
    axis: int
    sign: float


def _degrees_of_freedom() -> tuple[DegreeOfFreedom, ...]:
    names = {index: name for name, index in INDEX.items()}
    degrees = [
        DegreeOfFreedom(f"{names[joint]}.{'xyz'[axis]}", joint, axis, 1.0)
        for joint in BALL_JOINTS
        for axis in range(3)
    ]
    for part, axes in _HINGE_AXES.items():
        for side, mirror in SIDES:
            for kind, axis, sign in axes:
                # Both sides turn alike about X, and mirrored about Y and Z.
                own = sign if axis == X_AXIS else sign * mirror
                name = f"{side}_{part}"
                degrees.append(DegreeOfFreedom(f"{name}.{kind}", INDEX[name], axis, own))
    return tuple(degrees)


DEGREES_OF_FREEDOM = _degrees_of_freedom()
DEGREES = len(DEGREES_OF_FREEDOM)
DEGREE_INDEX = {degree.name: number for number, degree in enumerate(DEGREES_OF_FREEDOM)}
DEGREE_JOINTS = [degree.joint for degree in DEGREES_OF_FREEDOM]
"""The joint of each degree of freedom."""
_HINGES = {
    joint: [n for n in range(BALL_ANGLES, DEGREES) if DEGREE_JOINTS[n] == joint]
    for joint in DEGREE_JOINTS[BALL_ANGLES:]
}


def joints_up_to_root(joint: int) -> list[int]:
    """Return a joint and all joints between it and the hips, which come last."""
    chain = [joint]
    while PARENTS[chain[-1]] >= 0:
        chain.append(PARENTS[chain[-1]])
    return chain


MOVES_TRACKER = np.array(
    [[joint in joints_up_to_root(end) for end in TRACKER_JOINTS] for joint in DEGREE_JOINTS]
)
"""(D, 6) bool: whether a degree of freedom moves a tracker."""


@dataclass(frozen=True, eq=False)
class Poses:
    """Poses of a body.

    Attributes:
        root: (F, 3) positions of the hips, metres.
        balls: (F, 12, 3, 3) rotations of the ball joints relative to their parents; those of the
            hips are global.
        angles: (F, D) angles of the other joints, radians. Columns of ball joints are zero.
    """

    root: np.ndarray
    balls: np.ndarray
    angles: np.ndarray

    def step(self, steps: np.ndarray) -> Poses:
        """Return the poses after small changes.

        Args:
            steps: (F, 3 + D) changes: of the root in metres, then of each degree of freedom in
                radians. Ball joints turn about the axes of their parents.
        """
        rotvecs = steps[:, 3 : 3 + BALL_ANGLES].reshape(len(steps), -1, 3)
        angles = self.angles + steps[:, 3:]
        angles[:, :BALL_ANGLES] = 0.0
        return Poses(self.root + steps[:, :3], from_rotvec(rotvecs) @ self.balls, angles)

    def values(self) -> np.ndarray:
        """Return all angles (F, D), radians; those of ball joints are rotation vectors."""
        values = self.angles.copy()
        values[:, :BALL_ANGLES] = to_rotvec(self.balls).reshape(len(values), -1)
        return values

    def changes(self) -> np.ndarray:
        """Return the change (F - 1, D) of each degree of freedom from frame to frame, radians."""
        changes = np.diff(self.angles, axis=0)
        between = self.balls[1:] @ transpose(self.balls[:-1])
        changes[:, :BALL_ANGLES] = to_rotvec(between).reshape(len(changes), -1)
        return changes


class PosedBody(NamedTuple):
    """A body in some poses.

    Attributes:
        rotations: (F, 22, 3, 3) global rotations.
        positions: (F, 22, 3) positions, metres.
        axes: (F, D, 3) global axes of the degrees of freedom.
    """

    rotations: np.ndarray
    positions: np.ndarray
    axes: np.ndarray

    def position_derivatives(self, tracker: int) -> np.ndarray:
        """Return derivatives (F, D, 3) of a tracked joint's position by the degrees of freedom."""
        levers = self.positions[:, TRACKER_JOINTS[tracker], None] - self.positions[:, DEGREE_JOINTS]
        return np.cross(self.axes, levers) * MOVES_TRACKER[None, :, tracker, None]

    def axis_derivatives(self, tracker: int, axis: int) -> np.ndarray:
        """Return the same of one of the joint's axes, 0 to 2."""
        value = self.rotations[:, TRACKER_JOINTS[tracker], :, axis]
        return np.cross(self.axes, value[:, None]) * MOVES_TRACKER[None, :, tracker, None]


def pose_body(poses: Poses, offsets: np.ndarray) -> PosedBody:
    """Compute joints and axes.

    Args:
        poses: The poses.
        offsets: (22, 3) offsets of the skeleton, metres.
    """
    frames = len(poses.root)
    rotations = np.empty((frames, len(PARENTS), 3, 3))
    positions = np.empty((frames, len(PARENTS), 3))
    axes = np.empty((frames, DEGREES, 3))
    for joint, parent in enumerate(PARENTS):
        if parent < 0:
            base, positions[:, joint] = np.broadcast_to(np.eye(3), (frames, 3, 3)), poses.root
        else:
            base = rotations[:, parent]
            positions[:, joint] = positions[:, parent] + base @ offsets[joint]
        if joint in BALL_JOINTS:
            number = BALL_JOINTS.index(joint)
            axes[:, 3 * number : 3 * number + 3] = transpose(base)
            rotations[:, joint] = base @ poses.balls[:, number]
            continue
        own = base
        for number in _HINGES.get(joint, ()):
            degree = DEGREES_OF_FREEDOM[number]
            axes[:, number] = degree.sign * own[..., degree.axis]
            own = own @ rotation_about(degree.axis, degree.sign * poses.angles[:, number])
        rotations[:, joint] = own
    return PosedBody(rotations, positions, axes)


def decompose(
    rotations: np.ndarray, root: np.ndarray, offsets: np.ndarray, poles: np.ndarray
) -> Poses:
    """Read poses from the global rotations of a solved body.

    Bone directions and the rotations of tracked joints are kept; how bones turn about themselves
    follows from the hinges.

    Args:
        rotations: (F, 22, 3, 3) global rotations.
        root: (F, 3) positions of the hips, metres.
        offsets: (22, 3) offsets of the skeleton, metres.
        poles: (F, 4, 3) directions towards which left and right leg, left and right arm bend.
    """
    own = rotations.astype(np.float64)
    angles = np.zeros((len(root), DEGREES))
    for number, (side, mirror) in enumerate(SIDES):
        _decompose_clavicle(own, angles, side, mirror, offsets[INDEX[f"{side}_shoulder"]])
        _decompose_arm(own, angles, side, mirror, poles[:, 2 + number])
        _decompose_leg(own, angles, side, poles[:, number])
    local = own.copy()
    for joint, parent in enumerate(PARENTS[1:], 1):
        local[:, joint] = transpose(own[:, parent]) @ own[:, joint]
    return Poses(root.astype(np.float64), local[:, list(BALL_JOINTS)], angles)


def _decompose_clavicle(
    own: np.ndarray, angles: np.ndarray, side: str, mirror: float, bone: np.ndarray
) -> None:
    """Write the angles of a clavicle into (F, D), its rotation into (F, 22, 3, 3)."""
    clavicle, chest = INDEX[f"{side}_clavicle"], own[:, INDEX["chest"]]
    now = rotate(transpose(chest) @ own[:, clavicle], bone.astype(np.float64))
    # In the plane of the floor the bone has this length and angle; a raise does not change its Z.
    length, angle = np.hypot(bone[0], bone[2]) + 1e-9, np.arctan2(bone[2], mirror * bone[0])
    turned = np.arcsin(np.clip(now[:, 2] / length, -1.0, 1.0))
    front = turned - angle
    lifted_before = np.arctan2(bone[1], length * np.cos(turned))
    raised = np.arctan2(now[:, 1], mirror * now[:, 0]) - lifted_before
    angles[:, DEGREE_INDEX[f"{side}_clavicle.raise"]] = raised
    angles[:, DEGREE_INDEX[f"{side}_clavicle.front"]] = front
    lifted = chest @ rotation_about(Z_AXIS, mirror * raised)
    own[:, clavicle] = lifted @ rotation_about(Y_AXIS, -mirror * front)


def _decompose_arm(
    own: np.ndarray, angles: np.ndarray, side: str, mirror: float, pole: np.ndarray
) -> None:
    """Write the angles of elbow and wrist, and the shoulder's rotation."""
    shoulder, elbow, wrist = (INDEX[f"{side}_{part}"] for part in ("shoulder", "elbow", "wrist"))
    upper, lower = mirror * own[:, shoulder, :, 0], mirror * own[:, elbow, :, 0]
    flex, front = _hinge(upper, lower, -pole)
    # X lies along the arm, Z points to where the forearm bends.
    own[:, shoulder] = np.stack([mirror * upper, np.cross(front, mirror * upper), front], -1)
    bent = own[:, shoulder] @ rotation_about(Y_AXIS, -mirror * flex)
    hand = transpose(bent) @ own[:, wrist]
    twist = np.arctan2(hand[:, 2, 1], hand[:, 1, 1])
    up = -np.arcsin(np.clip(hand[:, 0, 1], -1.0, 1.0))
    ahead = np.arctan2(hand[:, 0, 2], hand[:, 0, 0])
    angles[:, DEGREE_INDEX[f"{side}_elbow.flex"]] = flex
    angles[:, DEGREE_INDEX[f"{side}_elbow.twist"]] = twist
    angles[:, DEGREE_INDEX[f"{side}_wrist.up"]] = mirror * up
    angles[:, DEGREE_INDEX[f"{side}_wrist.front"]] = -mirror * ahead


def _decompose_leg(own: np.ndarray, angles: np.ndarray, side: str, pole: np.ndarray) -> None:
    """Write the angle of the knee, and the rotations of hip and knee."""
    hip, knee = INDEX[f"{side}_hip"], INDEX[f"{side}_knee"]
    thigh, shin = -own[:, hip, :, 1], -own[:, knee, :, 1]
    flex, back = _hinge(thigh, shin, -pole)
    own[:, hip] = np.stack([np.cross(thigh, back), -thigh, -back], -1)
    own[:, knee] = own[:, hip] @ rotation_about(X_AXIS, flex)
    angles[:, DEGREE_INDEX[f"{side}_knee.flex"]] = flex


def _hinge(
    upper: np.ndarray, lower: np.ndarray, fallback: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the angle of a hinge (F,) and the unit direction (F, 3) to which it bends.

    Args:
        upper: (F, 3) unit direction of the bone above.
        lower: (F, 3) unit direction of the bone below.
        fallback: (F, 3) direction to which a limb bends that is almost straight.
    """
    cosine = (upper * lower).sum(-1, keepdims=True)
    flex = np.arccos(np.clip(cosine[:, 0], -1.0, 1.0))
    share = np.clip((flex - _STRAIGHT) / (_BENT - _STRAIGHT), 0.0, 1.0)[:, None]
    along = (upper * fallback).sum(-1, keepdims=True)
    bend = share * _unit(lower - cosine * upper) + (1.0 - share) * _unit(fallback - along * upper)
    return flex, _unit(bend)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / (np.linalg.norm(vectors, axis=-1, keepdims=True) + 1e-9)
