# SPDX-License-Identifier: GPL-3.0-or-later
"""Readings of the six trackers that have a position or a rotation alone.

Some senders give the rotation of a headset and no position, others positions of trackers and no
rotations. What is measured is kept exactly; here the other half is guessed from it and from where
the model expects the whole tracker.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..body.skeleton import FOOT_TRACKERS, INDEX, TRACKERS, Skeleton
from ..geometry.arrays import normalize
from ..geometry.rotations import (
    Y_AXIS,
    from_quat,
    from_rotvec,
    heading,
    rotate,
    rotation_about,
    rotation_between,
    to_quat,
    to_rotvec,
    transpose,
)
from .take import Take

_PELVIS, _HEAD = TRACKERS.index("pelvis"), TRACKERS.index("head")
_HANDS = (TRACKERS.index("left_hand"), TRACKERS.index("right_hand"))
_MOVES = 0.01
"""Metres from which on a tracker that never turns has no rotation, rather than stand still."""
_IDENTITY = (1.0, 0.0, 0.0, 0.0)
_CARRIED = (0.5, 0.1, 0.5, 0.5, 0.0, 0.0)
"""Share of an unexpected rotation of each tracker that the bone to its joint makes too."""
_SWUNG = (1.0, 0.0, 1.0, 1.0, 0.5, 0.5)
"""Share of an unexpected direction of each tracker, from the joint its limb begins at, by which it
is rotated too."""


class PartReadings(NamedTuple):
    """Half readings of some frames.

    Attributes:
        positions: (..., 6, 3) positions, anything finite where they are not measured.
        rotations: (..., 6, 3, 3) rotations, likewise.
        placed: (..., 6) bool, where the position alone is measured.
        turned: (..., 6) bool, where the rotation alone is measured.
    """

    positions: np.ndarray
    rotations: np.ndarray
    placed: np.ndarray
    turned: np.ndarray

    @property
    def known(self) -> np.ndarray:
        """Where (..., 6) a part is measured."""
        return self.placed | self.turned

    def part(self, frames: int | slice | np.ndarray) -> PartReadings:
        """Return some frames."""
        return PartReadings(*(values[frames] for values in self))


class PartCompleter:
    """Completes half readings of one body."""

    def __init__(self, skeleton: Skeleton) -> None:
        """Measure the bones that lead to the tracked joints of a skeleton."""
        self._joints = skeleton.t_pose().astype(np.float32)
        spine = self._joints[INDEX["head"]] - self._joints[INDEX["hips"]]
        offsets = skeleton.offsets
        bones = [-spine, spine]
        bones += [offsets[INDEX[f"{side}_wrist"]] for side in ("left", "right")]
        bones += [offsets[INDEX[f"{side}_ankle"]] for side in ("left", "right")]
        self._bones = np.stack(bones).astype(np.float32)

    def complete(
        self, positions: np.ndarray, rotations: np.ndarray, read: PartReadings
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return trackers with what is measured, and the other half of it to fit.

        Args:
            positions: (..., 6, 3) positions at which the whole trackers are expected.
            rotations: (..., 6, 3, 3) rotations that they are expected to have.
            read: What is measured of some of them.
        """
        placed, turned = read.placed[..., None], read.turned[..., None]
        unexpected = to_rotvec(read.rotations @ transpose(rotations))
        shares = np.array(_CARRIED, np.float32)[:, None]
        bones = rotate(rotations, self._bones)
        carried = positions + rotate(from_rotvec(shares * unexpected), bones) - bones
        starts = self._limb_starts(positions, rotations)
        swing = rotation_between(normalize(positions - starts), normalize(read.positions - starts))
        shares = np.array(_SWUNG, np.float32)[:, None]
        swung = from_rotvec(shares * to_rotvec(swing)) @ rotations
        return (
            np.where(placed, read.positions, np.where(turned, carried, positions)),
            np.where(
                turned[..., None],
                read.rotations,
                np.where(placed[..., None], swung, rotations),
            ),
        )

    def _limb_starts(self, positions: np.ndarray, rotations: np.ndarray) -> np.ndarray:
        """Return where (..., 6, 3) the chains of bones begin that end at each tracker."""
        starts = np.empty_like(positions)
        pelvis, turn = positions[..., _PELVIS, :], rotations[..., _PELVIS, :, :]
        starts[..., _PELVIS, :], starts[..., _HEAD, :] = positions[..., _HEAD, :], pelvis
        limbs = zip(("shoulder", "hip"), (_HANDS, FOOT_TRACKERS), strict=True)
        for joint, pair in limbs:
            for side, tracker in zip(("left", "right"), pair, strict=True):
                offset = self._joints[INDEX[f"{side}_{joint}"]] - self._joints[INDEX["hips"]]
                starts[..., tracker, :] = pelvis + rotate(turn, offset)
        return starts


def guess_rotations(take: Take) -> Take:
    """Let trackers that have a position and no rotation rotate with the body.

    The pelvis' rotation serves, or else the heading of the head. Where neither has a rotation, the
    lines from right to left hands and feet show which way the performer faces.

    Args:
        take: Calibrated trackers: their rotations are those of joints.
    """
    if take.placed is None:
        return take
    has_rotation = take.has_rotation
    front = np.where(
        has_rotation[:, _HEAD, None],
        _to_headings(take.rotations[:, _HEAD]),
        _find_headings(take),
    )
    front = np.where(has_rotation[:, _PELVIS, None], take.rotations[:, _PELVIS], front)
    rotations = np.where(take.placed[..., None], front[:, None], take.rotations)
    return Take(
        take.times,
        take.positions,
        rotations.astype(np.float32),
        take.valid,
        take.extras,
        take.placed,
        take.turned,
    )


def mark_constant_parts(take: Take) -> Take:
    """Mark rotations that never begin while a tracker moves, and places of zero, as not measured.

    Recordings of senders without rotations or without positions have those.

    Args:
        take: A whole take in metres, not calibrated yet.
    """
    has_position, has_rotation = take.has_position.copy(), take.has_rotation.copy()
    for tracker, valid in enumerate(take.valid.T):
        positions, rotations = take.positions[valid, tracker], take.rotations[valid, tracker]
        if not len(positions):
            continue
        if (rotations == _IDENTITY).all():
            has_rotation[valid, tracker] = np.ptp(positions, axis=0).max() <= _MOVES
        elif not positions.any():
            has_position[valid, tracker] = False
    if (has_position & has_rotation)[take.valid].all():
        return take
    return take.with_masks(has_position, has_rotation)


def find_unturned(take: Take) -> list[str]:
    """Return the roles of trackers that move and never turn: they may have no rotation."""
    return [
        role
        for role, valid, positions, rotations in zip(
            TRACKERS,
            take.valid.T,
            take.positions.swapaxes(0, 1),
            take.rotations.swapaxes(0, 1),
            strict=True,
        )
        if valid.any()
        and np.ptp(positions[valid], axis=0).max() > _MOVES
        and not np.ptp(rotations[valid], axis=0).any()
    ]


def _to_headings(rotations: np.ndarray) -> np.ndarray:
    """Return the rotations (F, 4) about the vertical of some rotations (F, 4)."""
    return to_quat(heading(from_quat(rotations))).astype(np.float32)


def _find_headings(take: Take) -> np.ndarray:
    """Return rotations (F, 4) about the vertical from the places of hands and feet."""
    across = np.zeros((len(take), 3))
    has_position = take.has_position
    for left, right in (FOOT_TRACKERS, _HANDS):
        both = has_position[:, left] & has_position[:, right]
        line = take.positions[:, left] - take.positions[:, right]
        across += np.where(both[:, None], line, 0.0)
    # Facing +Z, the left is +X. Where nothing shows a direction, the performer faces +Z.
    across[:, 0] += 1e-6
    angles = np.arctan2(-across[:, 2], across[:, 0])
    return to_quat(rotation_about(Y_AXIS, angles)).astype(np.float32)
