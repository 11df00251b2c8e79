# SPDX-License-Identifier: GPL-3.0-or-later
"""How optional trackers are mounted, and the joints that follow from their readings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from pymotion.rotations import quat_np as quat

from ...body.extra_trackers import EXTRA_TRACKERS
from ...body.skeleton import TRACKERS
from ...geometry.arrays import normalize
from ...geometry.rotations import (
    from_quat,
    heading,
    rotate,
    rotation_angle,
    rotation_between,
    slerp,
    to_quat,
    transpose,
)
from ..take import Take, has_usable_values
from .readings import ExtraReadings

_COUNT = len(EXTRA_TRACKERS)
_HEAD = TRACKERS.index("head")
_NEGLIGIBLE = 1e-6
"""Metres below which a mount offset does not depend on how the tracker is turned."""


@dataclass(frozen=True, eq=False)
class ExtraMounts:
    """How optional trackers are mounted, in the order of ``EXTRA_TRACKERS``.

    A tracker that has a rotation carries its joint along as the six do. One that has a position
    alone cannot show how it turns: its offset turns with pelvis or head and, at an elbow or a knee,
    swings with the line from the shoulder or the hip to the tracker.

    Attributes:
        mount_offsets: (9, 3) float32 offsets of the joints, metres on the character: in the axes of
            the tracker, or in those of the carrier if it has a position alone.
        mount_rotations: (9, 4) float32 quaternions of the bones relative to their trackers.
        has_position: (9,) bool, which trackers give the position of a joint.
        has_rotation: (9,) bool, which trackers give the rotation of a bone.
        lower: (9,) bool, which trackers are worn below their elbow or knee; None if their readings
            say it.
        anchor: The index, among the six, of the tracker that carries those with a position alone.
        bone_starts: (9, 3) float32 where the bones of these start, from the anchor, in its axes.
        bone_directions: (9, 3) float32 directions in which they were from there, in its axes; zero
            if their offsets do not swing.
    """

    mount_offsets: np.ndarray
    mount_rotations: np.ndarray
    has_position: np.ndarray
    has_rotation: np.ndarray
    lower: np.ndarray | None
    anchor: int
    bone_starts: np.ndarray
    bone_directions: np.ndarray

    @classmethod
    def identity(cls) -> ExtraMounts:
        """Return the mounts of trackers that are the joints themselves."""
        rotations = np.tile(np.array([1.0, 0.0, 0.0, 0.0], np.float32), (_COUNT, 1))
        offsets, every = np.zeros((_COUNT, 3), np.float32), np.ones(_COUNT, bool)
        return cls(offsets, rotations, every, every, None, 0, offsets, offsets)

    @property
    def worn(self) -> tuple[str, ...]:
        """Names of the trackers that are calibrated."""
        calibrated = self.has_position | self.has_rotation
        return tuple(n for n, worn in zip(EXTRA_TRACKERS, calibrated, strict=True) if worn)

    @property
    def mount_distances(self) -> np.ndarray:
        """Distances (9,) of the joints from their trackers in metres."""
        return np.linalg.norm(self.mount_offsets, axis=-1)

    def apply(self, readings: ExtraReadings, joints: Take, scale: float) -> ExtraReadings:
        """Convert readings of devices to those of the joints and bones they are mounted on.

        Args:
            readings: Readings of the devices.
            joints: The six calibrated trackers in the same frames.
            scale: Size of the character relative to the performer.

        Returns:
            Readings of joints. Those of trackers that are not calibrated are missing, and so are
            positions where a tracker does not show how it is turned.
        """
        positions = (scale * readings.positions).astype(np.float64)
        identity = np.array([1.0, 0.0, 0.0, 0.0])
        turns = np.where(readings.has_rotation[..., None], readings.rotations, identity)
        turns = quat.normalize(turns.astype(np.float64))
        is_turned = readings.has_rotation | (self.mount_distances < _NEGLIGIBLE)
        carried = self.has_position & ~self.has_rotation
        carriers = turns
        if carried.any():
            carriers = np.where(carried[:, None], self._find_carriers(positions, joints), turns)
            is_turned = np.where(carried, joints.valid[:, self.anchor, None], is_turned)
        offsets = np.broadcast_to(self.mount_offsets, positions.shape).astype(np.float64)
        mounts = np.broadcast_to(self.mount_rotations, turns.shape).astype(np.float64)
        return ExtraReadings(
            (positions + quat.mul_vec(carriers, offsets)).astype(np.float32),
            quat.mul(turns, mounts).astype(np.float32),
            readings.has_position & self.has_position & is_turned,
            readings.has_rotation & self.has_rotation,
            readings.lower if self.lower is None else self.lower,
        )

    def _find_carriers(self, positions: np.ndarray, joints: Take) -> np.ndarray:
        """Return rotations (F, 9, 4) that carry the offsets of trackers without a rotation."""
        turns, starts = self.find_bone_starts(
            joints.positions[:, self.anchor], joints.rotations[:, self.anchor]
        )
        return find_carriers(turns, starts, self.bone_directions, positions)

    def find_bone_starts(
        self, positions: np.ndarray, rotations: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the axes (F, 3, 3) of the anchor and where bones (F, 9, 3) start.

        Args:
            positions: (F, 3) positions of the anchor's joint in metres.
            rotations: (F, 4) quaternions of the anchor's joint.
        """
        turns = find_anchor_axes(rotations, self.anchor)
        return turns, positions[:, None] + rotate(turns[:, None], self.bone_starts)

    def scaled(self, factor: float) -> ExtraMounts:
        """Return the mounts of the same trackers on a body ``factor`` times as large."""
        return replace(
            self,
            mount_offsets=(self.mount_offsets * factor).astype(np.float32),
            bone_starts=(self.bone_starts * factor).astype(np.float32),
        )

    def adjusted(
        self, offsets: np.ndarray | None = None, rotations: np.ndarray | None = None
    ) -> ExtraMounts:
        """Return mounts with joints moved and bones rotated by hand.

        Args:
            offsets: (9, 3) metres along the axes of each bone that carries a tracker: left, up and
                front in the T-pose. None to leave the joints as they are.
            rotations: (9, 4) quaternions about the same axes; None to leave the bones as they are.
        """
        mounts = self.mount_rotations.astype(np.float64)
        moved, rotated = self.mount_offsets, self.mount_rotations
        if offsets is not None:
            moved = moved + quat.mul_vec(mounts, np.asarray(offsets, np.float64))
        if rotations is not None:
            rotated = quat.normalize(quat.mul(mounts, np.asarray(rotations, np.float64)))
        return replace(
            self,
            mount_offsets=moved.astype(np.float32),
            mount_rotations=rotated.astype(np.float32),
        )

    def differ(self, other: ExtraMounts, distance: float, angle: float) -> np.ndarray:
        """Return which trackers (9,) other mounts place clearly elsewhere.

        Args:
            other: The other mounts.
            distance: Metres by which a joint differs clearly.
            angle: Radians by which a bone differs clearly.
        """
        moved = np.linalg.norm(self.mount_offsets - other.mount_offsets, axis=-1) > distance
        turns = from_quat(quat.normalize(self.mount_rotations.astype(np.float64)))
        others = from_quat(quat.normalize(other.mount_rotations.astype(np.float64)))
        turned = rotation_angle(transpose(turns) @ others) > angle
        position = self.has_position & other.has_position
        differs: np.ndarray = (moved & position) | (turned & self.has_rotation & other.has_rotation)
        return differs

    def without(self, left_out: np.ndarray) -> ExtraMounts:
        """Return the mounts without those of some trackers, given by a mask (9,)."""
        return replace(
            self,
            has_position=self.has_position & ~left_out,
            has_rotation=self.has_rotation & ~left_out,
        )

    def blended(self, other: ExtraMounts, share: float) -> ExtraMounts:
        """Return mounts between these and other ones of the same trackers.

        Args:
            other: The mounts at share 1. Trackers that lack a position or a rotation there keep
                these ones.
            share: Share of the way to them, 0 to 1.
        """
        position = share * other.has_position[:, None]
        rotation = share * other.has_rotation[:, None]
        offsets = (1.0 - position) * self.mount_offsets + position * other.mount_offsets
        carried = other.has_position & ~other.has_rotation
        starts, directions = (
            np.where(carried[:, None], new, old)
            for new, old in (
                (other.bone_starts, self.bone_starts),
                (other.bone_directions, self.bone_directions),
            )
        )
        return replace(
            self,
            mount_offsets=offsets.astype(np.float32),
            mount_rotations=slerp(self.mount_rotations, other.mount_rotations, rotation),
            bone_starts=starts,
            bone_directions=directions,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that :meth:`from_dict` reads."""
        values = {own.name: getattr(self, own.name) for own in fields(self)}
        values["anchor"] = TRACKERS[self.anchor]
        return {n: v.tolist() if isinstance(v, np.ndarray) else v for n, v in values.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ExtraMounts:
        """Read the values that :meth:`to_dict` returned.

        Raises:
            ValueError: If they are no mounts; KeyError and TypeError likewise.
        """
        mounts = cls(
            _read(values["mount_offsets"], 3),
            _read(values["mount_rotations"], 4),
            np.array(values["has_position"], bool).reshape(_COUNT),
            np.array(values["has_rotation"], bool).reshape(_COUNT),
            None if values["lower"] is None else np.array(values["lower"], bool).reshape(_COUNT),
            TRACKERS.index(values["anchor"]),
            _read(values["bone_starts"], 3),
            _read(values["bone_directions"], 3),
        )
        usable = has_usable_values(mounts.mount_offsets, mounts.mount_rotations)
        if not (usable.all() and np.isfinite([mounts.bone_starts, mounts.bone_directions]).all()):
            raise ValueError("not the mounts of optional trackers")
        return mounts


def find_anchor_axes(rotations: np.ndarray, anchor: int) -> np.ndarray:
    """Return the axes (F, 3, 3) of the joint that carries trackers without a rotation.

    Args:
        rotations: (F, 4) quaternions of that joint.
        anchor: Index of its tracker. A trunk does not nod with its head, so only the heading counts
            of the head.
    """
    turns = from_quat(quat.normalize(rotations.astype(np.float64)))
    return heading(turns) if anchor == _HEAD else turns


def find_carriers(
    turns: np.ndarray, starts: np.ndarray, directions: np.ndarray, positions: np.ndarray
) -> np.ndarray:
    """Return rotations (F, 9, 4) that turn with an anchor and swing with bones.

    Args:
        turns: (F, 3, 3) axes of the anchor.
        starts: (F, 9, 3) where bones start, in metres.
        directions: (9, 3) unit directions of the bones, in the anchor's axes, without a swing; zero
            for those that do not swing.
        positions: (F, 9, 3) positions of the trackers in metres.
    """
    toward = normalize(np.nan_to_num(positions - starts))
    swings = rotation_between(rotate(turns[:, None], directions.astype(np.float64)), toward)
    swings = np.where(directions.any(-1)[:, None, None], swings, np.eye(3))
    return to_quat(swings @ turns[:, None])


def _read(values: Any, width: int) -> np.ndarray:
    return np.array(values, np.float32).reshape(_COUNT, width)
