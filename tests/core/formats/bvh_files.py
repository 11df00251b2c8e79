# SPDX-License-Identifier: GPL-3.0-or-later
"""BVH files as programs write them, made of a motion whose joints are known."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import INDEX, JOINTS, LIMB_DIRECTIONS, PARENTS
from ssrhmr_core.formats.orientation import rotation_to_y_up
from ssrhmr_core.geometry.arrays import normalize
from ssrhmr_core.geometry.rotations import rotate, rotation_between, transpose
from tests.mixamo_names import MIXAMO

ORDERS = ("zxy", "xyz", "yzx", "zyx", "xzy", "yxz")


def axes_of(up: str) -> np.ndarray:
    """Our axes in those of a file with another up axis: the reader's rotation the other way."""
    return rotation_to_y_up(up).T


@dataclass
class FileJoint:
    """A joint of a file.

    Attributes:
        name: Its name.
        parent: Index of its parent, -1 for a root.
        offset: (3,) its OFFSET.
        rotations: (F, 3, 3) relative to its parent; None for a joint without rotation channels.
        positions: (F, 3) relative to its parent; None for a joint without position channels.
        order: Order of its rotation channels; fewer than three for hinges.
        end: (3,) offset of its end site, if nothing hangs on it.
    """

    name: str
    parent: int
    offset: np.ndarray
    rotations: np.ndarray | None = None
    positions: np.ndarray | None = None
    order: str = "zxy"
    end: np.ndarray = field(default_factory=lambda: np.array([0.0, 0.1, 0.0]))


@dataclass
class Convention:
    """How a program writes BVH.

    Attributes:
        axes: Our axes in the file's.
        unit: Metres in one unit of the file.
        zero: (22, 3, 3) global rotations of the zero pose, from the canonical T-pose.
        orders: Orders of the rotation channels, taken in turn by the joints.
        everywhere: Whether all joints have position channels.
        offset_scale: Factor on the OFFSETs that position channels overrule.
        extras: Name, joint and offset of leaves that are none of the 22 joints.
        names: Names of the 22 joints.
        hinges: Joints that have one rotation channel only, about X.
        rotations_first: Whether rotations come before positions.
        end_channels: Whether end sites have channels, of which all values are zero.
        socket: Degrees by which joints between hips and thighs are turned, if there are any.
        wrapper: (3, 3) rotation of a root above the hips, if there is one; without channels where
            it is None.
        has_wrapper: Whether there is a root above the hips.
    """

    axes: np.ndarray = field(default_factory=lambda: np.eye(3))
    unit: float = 0.01
    zero: np.ndarray = field(default_factory=lambda: np.tile(np.eye(3), (22, 1, 1)))
    orders: tuple[str, ...] = ("zxy",)
    everywhere: bool = False
    offset_scale: float = 1.0
    extras: tuple[tuple[str, int, tuple[float, float, float]], ...] = ()
    names: tuple[str, ...] = MIXAMO
    hinges: tuple[str, ...] = ()
    rotations_first: bool = False
    end_channels: bool = False
    socket: float | None = None
    wrapper: np.ndarray | None = None
    has_wrapper: bool = False


def write(path: Path, motion: Motion, how: Convention) -> Path:
    """Write a motion as another program would."""
    text = format_bvh(
        make_joints(motion, how),
        motion.rate,
        rotations_first=how.rotations_first,
        end_channels=how.end_channels,
    )
    path.write_text(text, encoding="utf-8")
    return path


def make_joints(motion: Motion, how: Convention) -> list[FileJoint]:
    """Turn a motion into the joints of a file."""
    carriers = [*range(22), *(joint for _, joint, _ in how.extras)]
    parents = [*PARENTS, *(joint for _, joint, _ in how.extras)]
    steps = np.array([*motion.skeleton.offsets, *(offset for _, _, offset in how.extras)])
    zero = how.zero[carriers]
    offsets = rotate(zero[np.maximum(parents, 0)], steps) @ how.axes.T / how.unit
    matrices = motion.matrices().astype(float)[:, carriers]
    matrices = how.axes @ matrices @ transpose(zero) @ how.axes.T
    names = [*how.names, *(name for name, _, _ in how.extras)]
    joints = []
    for joint, parent in enumerate(parents):
        above = np.eye(3) if parent < 0 else matrices[:, parent]
        still = np.tile(offsets[joint], (len(motion), 1))
        scale = how.offset_scale if how.everywhere and parent >= 0 else 1.0
        joints.append(
            FileJoint(
                names[joint],
                parent,
                offsets[joint] * scale,
                transpose(above) @ matrices[:, joint],
                still if how.everywhere else None,
                how.orders[joint % len(how.orders)],
                how.axes @ zero[joint] @ tip(carriers[joint]) / how.unit,
            )
        )
    for name in how.hinges:
        joints[INDEX[name]].order = "x"
    joints[0].positions = motion.root @ how.axes.T / how.unit
    if how.socket is not None:
        turn_sockets(joints, np.full(len(motion), how.socket))
    if how.has_wrapper:
        _wrap(joints, how.wrapper, len(motion))
    return joints


def turn_sockets(joints: list[FileJoint], degrees: np.ndarray) -> None:
    """Put joints that are turned by (F,) degrees between hips and thighs.

    The thighs keep their directions, and their places as well where the angle is constant.
    """
    turned = quat.to_matrix(
        quat.from_scaled_angle_axis(np.radians(degrees)[:, None] * np.array([1.0, 0.0, 0.0]))
    )
    for side in ("left", "right"):
        thigh = joints[INDEX[f"{side}_hip"]]
        assert thigh.rotations is not None
        frames = len(thigh.rotations)
        socket = FileJoint(f"{side[0].upper()}HipJoint", 0, np.zeros(3), turned[:frames])
        thigh.parent = len(joints)
        thigh.offset = turned[0].T @ thigh.offset
        thigh.rotations = transpose(turned) @ thigh.rotations
        joints.append(socket)


def _wrap(joints: list[FileJoint], rotation: np.ndarray | None, frames: int) -> None:
    """Put a root above the hips, turned for good by ``rotation``."""
    for joint in joints:
        joint.parent += 1
    rotations = None if rotation is None else np.tile(rotation, (frames, 1, 1))
    joints.insert(0, FileJoint("Armature", -1, np.zeros(3), rotations))
    if rotation is not None:
        hips = joints[1]
        assert hips.rotations is not None and hips.positions is not None
        hips.rotations = rotation.T @ hips.rotations
        hips.positions = hips.positions @ rotation


def format_bvh(
    joints: list[FileJoint],
    rate: float,
    *,
    rotations_first: bool = False,
    end_channels: bool = False,
) -> str:
    """Write joints as the text of a file."""
    lines = ["HIERARCHY"]
    columns: list[np.ndarray] = []
    frames = max(
        len(part)
        for joint in joints
        for part in (joint.rotations, joint.positions)
        if part is not None
    )

    def write_joint(index: int) -> None:
        joint = joints[index]
        keyword = "ROOT" if joint.parent < 0 else "JOINT"
        lines.extend([f"{keyword} {joint.name}", "{", _offset_line(joint.offset)])
        parts = []
        if joint.positions is not None:
            parts.append(([f"{axis}position" for axis in "XYZ"], joint.positions))
        if joint.rotations is not None:
            names = [f"{axis.upper()}rotation" for axis in joint.order]
            parts.append((names, euler_angles(joint.rotations, joint.order)))
        parts = parts[::-1] if rotations_first else parts
        names = [name for part, _ in parts for name in part]
        lines.append(f"CHANNELS {len(names)} " + " ".join(names))
        columns.extend(values for _, values in parts)
        children = [child for child, other in enumerate(joints) if other.parent == index]
        for child in children:
            write_joint(child)
        if not children:
            lines.extend(["End Site", "{", _offset_line(joint.end)])
            if end_channels:
                lines.append("CHANNELS 3 Zrotation Xrotation Yrotation")
                columns.append(np.zeros((frames, 3)))
            lines.append("}")
        lines.append("}")

    for index, joint in enumerate(joints):
        if joint.parent < 0:
            write_joint(index)
    lines += ["MOTION", f"Frames: {frames}", f"Frame Time: {1.0 / rate:.6f}"]
    lines += [" ".join(f"{x:.6f}" for x in row) for row in np.concatenate(columns, axis=1)]
    return "\n".join(lines) + "\n"


def _offset_line(offset: np.ndarray) -> str:
    return "OFFSET " + " ".join(f"{x:.6f}" for x in offset)


def euler_angles(rotations: np.ndarray, order: str) -> np.ndarray:
    """Return (F, len(order)) degrees of rotations (F, 3, 3); a hinge turns about its axis only."""
    whole = order + "".join(axis for axis in "xyz" if axis not in order)
    orders = np.tile(np.array(list(whole)), (len(rotations), 1))
    return np.degrees(quat.to_euler(quat.from_matrix(rotations), orders))[:, : len(order)]


def tip(joint: int) -> np.ndarray:
    """Tip of a hand, foot or head in the canonical T-pose."""
    if joint in LIMB_DIRECTIONS:
        return 0.08 * np.array(LIMB_DIRECTIONS[joint])
    return np.array([0.0, 0.1, 0.0] if joint == INDEX["head"] else [0.0, 0.0, 0.05])


def pose(**rotvecs: tuple[float, float, float]) -> np.ndarray:
    """Global rotations of a rest pose: rotation vectors in degrees of joints and all below them."""
    rotations = np.tile(np.eye(3), (22, 1, 1))
    for joint, name in enumerate(JOINTS):
        if joint:
            rotations[joint] = rotations[PARENTS[joint]]
        if name in rotvecs:
            turn = quat.from_scaled_angle_axis(np.radians(np.array(rotvecs[name])))
            rotations[joint] = quat.to_matrix(turn) @ rotations[joint]
    return rotations


HANGING = pose(left_shoulder=(0, 0, -90), right_shoulder=(0, 0, 90))
A_POSE = pose(
    left_shoulder=(0, 0, -40),
    right_shoulder=(0, 0, 40),
    left_hip=(0, 0, 12),
    right_hip=(0, 0, -12),
    left_ankle=(0, 0, -12),
    right_ankle=(0, 0, 12),
)
"""Arms half down, legs spread, feet flat on the floor."""
FACING_X = pose(hips=(0, 90, 0))


def along_one_axis(motion: Motion) -> np.ndarray:
    """Zero pose in which every bone with one joint after it lies along X, as in LaFAN1."""
    zero = np.tile(np.eye(3), (22, 1, 1))
    for joint, parent in enumerate(PARENTS):
        below = [other for other, above in enumerate(PARENTS) if above == joint]
        if len(below) == 1:
            step = motion.skeleton.offsets[below[0]].astype(float)
            zero[joint] = rotation_between(normalize(step), np.array([1.0, 0.0, 0.0]))
        elif parent >= 0:
            zero[joint] = zero[parent]
    return zero


def tilted(motion: Motion, rotvec: tuple[float, float, float], height: float = 0.0) -> Motion:
    """The same motion of a body turned as a whole by degrees, and lifted by metres."""
    turn = quat.from_scaled_angle_axis(np.radians(np.array(rotvec)))
    root = motion.root @ quat.to_matrix(turn).T + np.array([0.0, height, 0.0])
    rotations = quat.mul(np.broadcast_to(turn, motion.rotations.shape), motion.rotations)
    return Motion(motion.skeleton, motion.times, rotations.astype("f4"), root.astype("f4"))


def standing(motion: Motion, share: float = 0.15) -> Motion:
    """The same motion with joints turned by a share of their angles: somebody who stands."""
    local = motion.local_rotations().astype(float)
    local = quat.from_scaled_angle_axis(share * quat.to_scaled_angle_axis(local))
    turned = local.copy()
    for joint, parent in enumerate(PARENTS[1:], 1):
        turned[:, joint] = quat.mul(turned[:, parent], local[:, joint])
    return Motion(motion.skeleton, motion.times, turned.astype("f4"), motion.root)
