# SPDX-License-Identifier: GPL-3.0-or-later
"""Readings of optional trackers over time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from pymotion.rotations import quat_np as quat

from ...body.extra_trackers import EXTRA_ROLES, EXTRA_TRACKERS, Measurement, Segment
from ...body.interpolation import interpolate, interpolate_rotations
from ...body.motion import Motion
from ...geometry.rotations import rotate

_ZERO_QUAT = 1e-6
"""Quaternions shorter than this do not describe a rotation."""
_COUNT = len(EXTRA_TRACKERS)


def _all_upper() -> np.ndarray:
    return np.zeros(_COUNT, bool)


@dataclass(frozen=True, eq=False)
class ExtraReadings:
    """Frames of the optional trackers, in the order of ``EXTRA_TRACKERS``.

    As recorded they are poses of the devices. Calibrated, they are positions of joints and global
    rotations of bones, see :class:`ssrhmr_core.body.extra_trackers.ExtraRole`.

    Attributes:
        positions: (F, 9, 3) float32 positions in metres, Y up.
        rotations: (F, 9, 4) float32 quaternions w, x, y, z.
        has_position: (F, 9) bool, False where a tracker has no position: it is lost, or measures
            rotations alone (an IMU).
        has_rotation: (F, 9) bool, False where a tracker has no rotation.
        lower: (9,) bool, True for trackers that are worn below their elbow or knee.
    """

    positions: np.ndarray
    rotations: np.ndarray
    has_position: np.ndarray
    has_rotation: np.ndarray
    lower: np.ndarray = field(default_factory=_all_upper)

    def __post_init__(self) -> None:
        """Mark unusable readings as missing.

        Raises:
            ValueError: If the arrays do not fit each other.
        """
        frames = len(self.positions)
        shapes = (self.positions.shape, self.rotations.shape)
        masks = (self.has_position.shape, self.has_rotation.shape)
        if shapes != ((frames, _COUNT, 3), (frames, _COUNT, 4)) or masks != ((frames, _COUNT),) * 2:
            raise ValueError(f"there must be readings of {_COUNT} optional trackers in each frame")
        has_position = self.has_position & np.isfinite(self.positions).all(-1)
        has_rotation = self.has_rotation & np.isfinite(self.rotations).all(-1)
        has_rotation &= (np.abs(self.rotations) > _ZERO_QUAT).any(-1)
        object.__setattr__(self, "has_position", has_position)
        object.__setattr__(self, "has_rotation", has_rotation)

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.positions)

    @property
    def worn(self) -> tuple[str, ...]:
        """Names of the trackers that have any reading."""
        some = self.has_position.any(0) | self.has_rotation.any(0)
        return tuple(name for name, has in zip(EXTRA_TRACKERS, some, strict=True) if has)

    @classmethod
    def empty(cls, frames: int) -> ExtraReadings:
        """Return frames in which no optional tracker has a reading."""
        rotations = np.zeros((frames, _COUNT, 4), np.float32)
        rotations[..., 0] = 1.0
        positions = np.zeros((frames, _COUNT, 3), np.float32)
        nothing = np.zeros((frames, _COUNT), bool)
        return cls(positions, rotations, nothing, nothing.copy())

    @classmethod
    def from_motion(
        cls,
        motion: Motion,
        trackers: Iterable[str],
        segments: Mapping[str, Segment] | None = None,
    ) -> ExtraReadings:
        """Return ideal, calibrated readings of a motion.

        Args:
            motion: The motion.
            trackers: Names of the optional trackers that are worn.
            segments: The bones that trackers at elbows and knees sit on; "upper" without an entry.
        """
        readings, joints = cls.empty(len(motion)), motion.positions()
        for name in trackers:
            role, index = EXTRA_ROLES[name], EXTRA_TRACKERS.index(name)
            segment = (segments or {}).get(name, "upper")
            readings.positions[:, index] = joints[:, role.position]
            readings.rotations[:, index] = motion.rotations[:, role.rotation(segment)]
            readings.has_position[:, index] = readings.has_rotation[:, index] = True
            readings.lower[index] = segment == "lower"
        return readings

    def part(self, frames: slice | np.ndarray) -> ExtraReadings:
        """Return some frames."""
        return replace(
            self,
            positions=self.positions[frames],
            rotations=self.rotations[frames],
            has_position=self.has_position[frames],
            has_rotation=self.has_rotation[frames],
        )

    def at(self, times: np.ndarray, moments: np.ndarray) -> ExtraReadings:
        """Return the readings at other moments, interpolating across gaps.

        A tracker has a reading at a moment if it has one in both frames around it.

        Args:
            times: (F,) seconds of the frames.
            moments: (G,) seconds.
        """
        result = ExtraReadings.empty(len(moments))
        for tracker in range(_COUNT):
            for values, has, resampled, resampled_has, between in (
                (
                    self.positions,
                    self.has_position,
                    result.positions,
                    result.has_position,
                    interpolate,
                ),
                (
                    self.rotations,
                    self.has_rotation,
                    result.rotations,
                    result.has_rotation,
                    interpolate_rotations,
                ),
            ):
                rows = has[:, tracker]
                if rows.any():
                    resampled[:, tracker] = between(times[rows], values[rows, tracker], moments)
                    share = interpolate(times, rows.astype(np.float32), moments)
                    resampled_has[:, tracker] = share > 0.999
        result.rotations[:] = quat.normalize(result.rotations)
        return replace(result, lower=self.lower)

    def choose(self, trackers: Collection[str]) -> ExtraReadings:
        """Return the readings of some trackers only."""
        return self.where(np.isin(EXTRA_TRACKERS, list(trackers)))

    def where(self, mask: np.ndarray) -> ExtraReadings:
        """Return the readings of which some are missing.

        Args:
            mask: (F, 9) or (9,) bool, which of them there still are.
        """
        return replace(
            self, has_position=self.has_position & mask, has_rotation=self.has_rotation & mask
        )

    def measuring(self, trackers: Iterable[tuple[str, Measurement]]) -> ExtraReadings:
        """Return the readings without what some trackers do not measure.

        Args:
            trackers: Names of trackers, and what each of them measures.
        """
        placed, turned = measured_parts(EXTRA_TRACKERS, trackers)
        return replace(
            self, has_position=self.has_position & placed, has_rotation=self.has_rotation & turned
        )

    @classmethod
    def concatenate(cls, parts: Sequence[ExtraReadings]) -> ExtraReadings:
        """Return the frames of several readings of the same trackers, one after the other."""
        return cls(
            np.concatenate([part.positions for part in parts]),
            np.concatenate([part.rotations for part in parts]),
            np.concatenate([part.has_position for part in parts]),
            np.concatenate([part.has_rotation for part in parts]),
            parts[0].lower,
        )

    def rotated(self, rotation: np.ndarray) -> ExtraReadings:
        """Return the readings rotated about the origin.

        Args:
            rotation: (3, 3) matrix.
        """
        rotations = quat.mul(quat.from_matrix(rotation), self.rotations.astype(np.float64))
        return replace(
            self,
            positions=rotate(rotation, self.positions).astype(np.float32),
            rotations=rotations.astype(np.float32),
        )

    def scaled(self, factor: float) -> ExtraReadings:
        """Return the readings with positions ``factor`` times as far from the origin."""
        return replace(self, positions=(self.positions * factor).astype(np.float32))


def measured_parts(
    names: Sequence[str], trackers: Iterable[tuple[str, Measurement]]
) -> tuple[np.ndarray, np.ndarray]:
    """Return which of N trackers measure their positions (N,) and which their rotations (N,).

    Args:
        names: Names of all N trackers.
        trackers: Names of some of them, and what each measures; the others measure both.
    """
    placed, turned = np.ones(len(names), bool), np.ones(len(names), bool)
    for name, measurement in trackers:
        placed[names.index(name)] &= measurement != "rotation"
        turned[names.index(name)] &= measurement != "position"
    return placed, turned
