# SPDX-License-Identifier: GPL-3.0-or-later
"""Trackers over time: the six, and optional ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import isfinite

import numpy as np
from pymotion.rotations import quat_np as quat

from ..body.extra_trackers import Measurement
from ..body.interpolation import MODEL_RATE, interpolate, interpolate_rotations, regular_times
from ..body.motion import Motion
from ..body.skeleton import TRACKER_JOINTS, TRACKERS
from .extras.readings import ExtraReadings, measured_parts

_ZERO_QUAT = 1e-6
"""Quaternions shorter than this do not describe a rotation."""


class TrackerError(ValueError):
    """The trackers cannot be used; the message names the tracker and says what to do."""


@dataclass(frozen=True, eq=False)
class Take:
    """Frames of six trackers, in the order of :data:`ssrhmr_core.body.skeleton.TRACKERS`.

    Attributes:
        times: (F,) float64 seconds, strictly increasing.
        positions: (F, 6, 3) float32 positions in metres, Y up.
        rotations: (F, 6, 4) float32 quaternions w, x, y, z.
        valid: (F, 6) bool, False where a tracker has no reading. Non-finite values and zero
            quaternions are treated as not valid, whatever the caller passes.
        extras: What optional trackers measure in the same frames; None if there are none.
        placed: (F, 6) bool, True where a tracker that is not valid has a position all the same;
            None if there is no such reading.
        turned: (F, 6) bool, True where one that is not valid has a rotation all the same.
    """

    times: np.ndarray
    positions: np.ndarray
    rotations: np.ndarray
    valid: np.ndarray
    extras: ExtraReadings | None = None
    placed: np.ndarray | None = None
    turned: np.ndarray | None = None

    def __post_init__(self) -> None:
        """Check shapes and times, and mark unusable readings as not valid.

        Raises:
            TrackerError: If the arrays do not fit each other or the times do not increase.
        """
        frames = len(self.times)
        shapes = ((frames, 6, 3), (frames, 6, 4), (frames, 6))
        if frames == 0 or (self.positions.shape, self.rotations.shape, self.valid.shape) != shapes:
            raise TrackerError("a take needs at least one frame, and six trackers in each")
        if self.extras is not None and len(self.extras) != frames:
            raise TrackerError("optional trackers need a reading in each frame of the take")
        if not np.isfinite(self.times).all() or (np.diff(self.times) <= 0.0).any():
            raise TrackerError("the times of a take must rise from frame to frame: sort its frames")
        valid = self.valid & has_usable_values(self.positions, self.rotations)
        object.__setattr__(self, "valid", valid)
        if self.placed is not None:
            placed = self.placed & np.isfinite(self.positions).all(-1) & ~valid
            object.__setattr__(self, "placed", placed if placed.any() else None)
        if self.turned is not None:
            turned = self.turned & has_usable_rotations(self.rotations) & ~valid
            object.__setattr__(self, "turned", turned if turned.any() else None)

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.times)

    @property
    def is_partial(self) -> bool:
        """Whether some readings have a position or a rotation alone."""
        return self.placed is not None or self.turned is not None

    @property
    def has_position(self) -> np.ndarray:
        """Where (F, 6) trackers have a position."""
        return self.valid if self.placed is None else self.valid | self.placed

    @property
    def has_rotation(self) -> np.ndarray:
        """Where (F, 6) trackers have a rotation."""
        return self.valid if self.turned is None else self.valid | self.turned

    def with_masks(self, has_position: np.ndarray, has_rotation: np.ndarray) -> Take:
        """Return the same numbers of which others count.

        Args:
            has_position: (F, 6) bool, where the position counts.
            has_rotation: (F, 6) bool, where the rotation counts.
        """
        valid = has_position & has_rotation
        return replace(
            self, valid=valid, placed=has_position & ~valid, turned=has_rotation & ~valid
        )

    def measuring(self, trackers: Iterable[tuple[str, Measurement]]) -> Take:
        """Return the take without what some of the six trackers do not measure.

        Args:
            trackers: Names of trackers, and what each of them measures.
        """
        placed, turned = measured_parts(TRACKERS, trackers)
        return self.with_masks(self.has_position & placed, self.has_rotation & turned)

    @classmethod
    def from_motion(cls, motion: Motion, extras: Iterable[str] = ()) -> Take:
        """Return ideal trackers: the tracked joints of a motion, and those of optional trackers.

        Args:
            motion: The motion.
            extras: Names of optional trackers.
        """
        extras = tuple(extras)
        joints = list(TRACKER_JOINTS)
        return cls(
            motion.times,
            motion.positions()[:, joints],
            motion.rotations[:, joints],
            np.ones((len(motion), 6), bool),
            ExtraReadings.from_motion(motion, extras) if extras else None,
        )

    def part(self, frames: slice | np.ndarray) -> Take:
        """Return some frames: a range of them, their rising numbers (G,), or a mask (F,)."""
        return Take(
            self.times[frames],
            self.positions[frames],
            self.rotations[frames],
            self.valid[frames],
            self.extras.part(frames) if self.extras else None,
            None if self.placed is None else self.placed[frames],
            None if self.turned is None else self.turned[frames],
        )

    def scaled(self, factor: float) -> Take:
        """Return the take in other units of length.

        Args:
            factor: Number of new units in an old one.
        """
        positions = self.positions * np.float32(factor)
        extras = self.extras and self.extras.scaled(factor)
        return replace(self, positions=positions, extras=extras)

    def extras_at(self, frame: int) -> ExtraReadings | None:
        """Return one frame of the optional trackers, None if there are none."""
        return self.extras.part(slice(frame, frame + 1)) if self.extras else None

    def at(self, times: np.ndarray) -> Take:
        """Return the take at other times, interpolating across gaps.

        Args:
            times: (G,) seconds.

        Returns:
            A take of G frames. A tracker has a position, or a rotation, at a time if it has one in
            both frames around it; elsewhere its values run straight from one end of the gap to the
            other.
        """
        times = np.asarray(times, np.float64)
        positions = np.zeros((len(times), 6, 3), np.float32)
        rotations = np.tile(np.array([1.0, 0.0, 0.0, 0.0], np.float32), (len(times), 6, 1))
        masks = np.zeros((2, len(times), 6), bool)
        for tracker in range(6):
            placed, turned = self.has_position[:, tracker], self.has_rotation[:, tracker]
            if placed.any():
                positions[:, tracker] = interpolate(
                    self.times[placed], self.positions[placed, tracker], times
                )
            if turned.any():
                rotations[:, tracker] = interpolate_rotations(
                    self.times[turned], self.rotations[turned, tracker], times
                )
            for mask, frames in zip(masks, (placed, turned), strict=True):
                share = interpolate(self.times, frames.astype(np.float32), times)
                mask[:, tracker] = share > 0.999
        rotations = quat.normalize(rotations).astype(np.float32)
        extras = self.extras.at(self.times, times) if self.extras else None
        valid = masks[0] & masks[1]
        return Take(times, positions, rotations, valid, extras, *(masks & ~valid))

    def resampled(self, rate: float = MODEL_RATE) -> Take:
        """Resample the take to ``rate`` frames per second, starting at its first frame."""
        return self.at(regular_times(self.times, rate))


def has_usable_values(positions: np.ndarray, rotations: np.ndarray) -> np.ndarray:
    """Return (...) bool: True where all numbers are finite and the quaternion is not zero.

    Args:
        positions: (..., 3) positions.
        rotations: (..., 4) quaternions.
    """
    return np.isfinite(positions).all(-1) & has_usable_rotations(rotations)


def has_usable_rotations(rotations: np.ndarray) -> np.ndarray:
    """Return (...) bool: True where quaternions (..., 4) are finite and not zero."""
    return np.isfinite(rotations).all(-1) & (np.abs(rotations) > _ZERO_QUAT).any(-1)


def is_usable(position: Sequence[float], rotation: Sequence[float]) -> bool:
    """Return the same for a single reading in plain floats, which is much faster."""
    is_long = abs(rotation[0]) > _ZERO_QUAT or max(map(abs, rotation)) > _ZERO_QUAT
    return is_long and isfinite(sum(position) + sum(rotation))
