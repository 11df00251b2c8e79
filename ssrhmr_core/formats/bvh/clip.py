# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole BVH file in numbers: joints, channels and frames, and where the joints are in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pymotion.rotations import quat_np as quat

from ...geometry.rotations import rotate
from ...rigs.bone_mapping import NONE
from .errors import BVHError
from .hierarchy import Hierarchy, HierarchyParser
from .rows import read_rows
from .text import split_numbers

_MOST_POSED = 8_000_000
"""Joints times frames: more than an hour of a body with all its fingers at 30 frames a second."""
_MOST_SAMPLED = 1000
"""Frames that are enough to take medians of."""
_LEAST_POSITIONED = 5
_LEFT_OUT, _MOSTLY = 0.2, 0.8
"""Share of an offset's length below which position channels cannot be the joint's position, and
share of the joints for which this must be so."""


@dataclass(frozen=True, eq=False)
class BVHClip:
    """A file as it stands, in its own axes and unit.

    Attributes:
        hierarchy: Joints and channels.
        offsets: (J, 3) positions of the joints relative to their parents in the zero pose: their
            OFFSET, or the median of their position channels.
        rows: (F, C) the frames, a column for each channel.
    """

    hierarchy: Hierarchy
    offsets: np.ndarray
    rows: np.ndarray

    @property
    def parents(self) -> np.ndarray:
        """Index of each joint's parent (J,), ``NONE`` for roots."""
        return np.array(self.hierarchy.parents)

    def pose_joints(
        self, joints: Sequence[int], frames: slice = slice(None)
    ) -> tuple[np.ndarray, np.ndarray]:
        """Compute where joints are.

        Args:
            joints: (n,) joints to compute: each after its parent, which must be one of them.
            frames: Which frames.

        Returns:
            Global positions (F, n, 3), and rotation matrices (F, n, 3, 3) since the zero pose.

        Raises:
            BVHError: If there are too many frames to keep in memory.
        """
        rows = self.rows[frames]
        if len(rows) * len(joints) > _MOST_POSED:
            raise BVHError(f"{len(rows):,} frames are too many to read at once: cut the take")
        place = {joint: index for index, joint in enumerate(joints)}
        positions = _local_positions(self.hierarchy, self.offsets, rows, joints)
        matrices = quat.to_matrix(self._local_rotations(rows, joints))
        for index, joint in enumerate(joints):
            parent = self.hierarchy.parents[joint]
            if parent != NONE:
                above = matrices[:, place[parent]]
                step = rotate(above, positions[:, index])
                positions[:, index] = positions[:, place[parent]] + step
                matrices[:, index] = above @ matrices[:, index]
        return positions, matrices

    def pose_zero(self) -> np.ndarray:
        """Return the positions (J, 3) of the joints in the zero pose, roots at their OFFSET."""
        positions = self.offsets.copy()
        for joint, parent in enumerate(self.hierarchy.parents):
            if parent != NONE:
                positions[joint] = positions[parent] + self.offsets[joint]
        return positions

    def _local_rotations(self, rows: np.ndarray, joints: Sequence[int]) -> np.ndarray:
        """Return quaternions (F, len(joints), 4) of chosen joints relative to their parents."""
        place = {joint: index for index, joint in enumerate(joints)}
        angles = np.zeros((len(rows), len(joints), 3))
        axes = np.tile(np.arange(3), (len(joints), 1))
        used = [0] * len(joints)
        for column, (joint, kind, axis) in enumerate(self.hierarchy.channels):
            if kind == "rotation" and joint in place:
                index = place[joint]
                angles[:, index, used[index]] = np.radians(rows[:, column])
                axes[index, used[index]] = axis
                used[index] += 1
        first, second, third = (
            quat.from_angle_axis(angles[..., n, None], np.eye(3)[axes[:, n]]) for n in range(3)
        )
        return quat.normalize(quat.mul(first, quat.mul(second, third)))


def parse_clip(text: str, notes: list[str]) -> BVHClip:
    """Parse the text of a BVH file.

    Args:
        text: The whole file.
        notes: What was assumed is added to this list.

    Raises:
        BVHError: If the file is damaged or incomplete; the message names the line.
    """
    lines = text.splitlines()
    parser = HierarchyParser(notes)
    number = 0
    for number, line in enumerate(lines, 1):
        if parser.expects_clock and _is_row(line, len(parser.hierarchy.channels)):
            parser.finish_without_clock()
            number -= 1
        else:
            parser.read(number, line)
        if parser.is_complete:
            break
    if not parser.is_complete:
        raise BVHError("not a BVH file, or cut off before its motion begins: export it again")
    hierarchy = parser.hierarchy
    width = len(hierarchy.channels)
    rows = read_rows(lines[number:], number + 1, width, hierarchy.frames, notes)
    if parser.has_decimal_commas:
        notes.append("numbers are written with decimal commas: read these as points")
    return _place_joints(hierarchy, rows, notes)


def _is_row(line: str, width: int) -> bool:
    words = split_numbers(line)
    return len(words) == width > 0 and words[0][0] in "+-.0123456789"


def _local_positions(
    hierarchy: Hierarchy, offsets: np.ndarray, rows: np.ndarray, joints: Sequence[int]
) -> np.ndarray:
    """Return the positions (F, n, 3) of chosen joints relative to their parents."""
    place = {joint: index for index, joint in enumerate(joints)}
    local = np.tile(offsets[list(joints)], (len(rows), 1, 1))
    for column, (joint, kind, axis) in enumerate(hierarchy.channels):
        if kind == "position" and joint in place:
            local[:, place[joint], axis] = rows[:, column]
    return local


def _place_joints(hierarchy: Hierarchy, rows: np.ndarray, notes: list[str]) -> BVHClip:
    """Decide where joints are that have both an OFFSET and position channels: the latter win."""
    offsets = np.array(hierarchy.offsets)
    positioned = sorted(
        {
            channel.joint
            for channel in hierarchy.channels
            if channel.kind == "position"
            and channel.joint != NONE
            and hierarchy.parents[channel.joint] != NONE
        }
    )
    if not positioned:
        return BVHClip(hierarchy, offsets, rows)
    sampled = rows[:: max(len(rows) // _MOST_SAMPLED, 1)]
    medians = np.median(_local_positions(hierarchy, offsets, sampled, positioned), axis=0)
    lengths = np.linalg.norm(offsets[positioned], axis=-1)
    left_out = (np.linalg.norm(medians, axis=-1) < _LEFT_OUT * lengths)[lengths > 0.0]
    if left_out.sum() >= _LEAST_POSITIONED and left_out.mean() > _MOSTLY:
        notes.append(
            "position channels of joints are near zero where their OFFSET is not: took them as"
            " added to the OFFSET"
        )
        rows = rows.copy()
        for column, (joint, kind, axis) in enumerate(hierarchy.channels):
            if kind == "position" and joint in positioned:
                rows[:, column] += offsets[joint, axis]
        return BVHClip(hierarchy, offsets, rows)
    offsets[positioned] = medians
    return BVHClip(hierarchy, offsets, rows)
