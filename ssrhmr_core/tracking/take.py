# SPDX-License-Identifier: GPL-3.0-or-later
"""Trackers over time: the six, and optional ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np
from pymotion.rotations import quat_np as quat

from ..body.interpolation import MODEL_RATE, interpolate, interpolate_rotations, regular_times
from ..body.motion import Motion
from ..body.skeleton import TRACKER_JOINTS
from .extra_readings import ExtraReadings

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
    """

    times: np.ndarray
    positions: np.ndarray
    rotations: np.ndarray
    valid: np.ndarray
    extras: ExtraReadings | None = None

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

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.times)

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
        )

    def extras_at(self, frame: int) -> ExtraReadings | None:
        """Return one frame of the optional trackers, None if there are none."""
        return self.extras.part(slice(frame, frame + 1)) if self.extras else None

    def at(self, times: np.ndarray) -> Take:
        """Return the take at other times, interpolating across gaps.

        Args:
            times: (G,) seconds.

        Returns:
            A take of G frames. A tracker is valid at a time if it is valid in both frames around
            it; elsewhere its values run straight from one end of the gap to the other.
        """
        times = np.asarray(times, np.float64)
        positions = np.empty((len(times), 6, 3), np.float32)
        rotations = np.empty((len(times), 6, 4), np.float32)
        valid = np.empty((len(times), 6), bool)
        for tracker in range(6):
            valid_frames = self.valid[:, tracker]
            if not valid_frames.any():
                positions[:, tracker], rotations[:, tracker] = 0.0, (1.0, 0.0, 0.0, 0.0)
                valid[:, tracker] = False
                continue
            valid_times = self.times[valid_frames]
            positions[:, tracker] = interpolate(
                valid_times, self.positions[valid_frames, tracker], times
            )
            rotations[:, tracker] = interpolate_rotations(
                valid_times, self.rotations[valid_frames, tracker], times
            )
            share = interpolate(self.times, valid_frames.astype(np.float32), times)
            valid[:, tracker] = share > 0.999
        rotations = quat.normalize(rotations).astype(np.float32)
        extras = self.extras.at(self.times, times) if self.extras else None
        return Take(times, positions, rotations, valid, extras)

    def resampled(self, rate: float = MODEL_RATE) -> Take:
        """Resample the take to ``rate`` frames per second, starting at its first frame."""
        return self.at(regular_times(self.times, rate))


def has_usable_values(positions: np.ndarray, rotations: np.ndarray) -> np.ndarray:
    """Return (...) bool: True where all numbers are finite and the quaternion is not zero.

    Args:
        positions: (..., 3) positions.
        rotations: (..., 4) quaternions.
    """
    finite = np.isfinite(positions).all(-1) & np.isfinite(rotations).all(-1)
    return finite & (np.abs(rotations) > _ZERO_QUAT).any(-1)


def is_usable(position: Sequence[float], rotation: Sequence[float]) -> bool:
    """Return the same for a single reading in plain floats, which is much faster."""
    is_long = abs(rotation[0]) > _ZERO_QUAT or max(map(abs, rotation)) > _ZERO_QUAT
    return is_long and isfinite(sum(position) + sum(rotation))
