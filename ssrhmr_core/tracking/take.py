# SPDX-License-Identifier: GPL-3.0-or-later
"""Six trackers over time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pymotion.rotations import quat_np as quat

from ..body.interpolation import MODEL_RATE, interpolate, interpolate_rotations, regular_times
from ..body.motion import Motion
from ..body.skeleton import TRACKER_JOINTS

_NO_TURN = 1e-6
"""Quaternions shorter than this are no rotation."""


class TrackerError(ValueError):
    """Trackers that cannot be used; the message names the tracker."""


@dataclass(frozen=True, eq=False)
class Take:
    """Frames of six trackers, in the order of :data:`ssrhmr_core.body.skeleton.TRACKERS`.

    Attributes:
        times: (F,) float64, seconds, rising.
        positions: (F, 6, 3) float32, metres, Y up.
        rotations: (F, 6, 4) float32 quaternions w, x, y, z.
        valid: (F, 6) bool, False where a tracker was not seen. Numbers that are not finite count
            as not seen.
    """

    times: np.ndarray
    positions: np.ndarray
    rotations: np.ndarray
    valid: np.ndarray

    def __post_init__(self) -> None:
        """Check shapes and values.

        Raises:
            TrackerError: if shapes or times are wrong.
        """
        frames = len(self.times)
        shapes = ((frames, 6, 3), (frames, 6, 4), (frames, 6))
        if frames == 0 or (self.positions.shape, self.rotations.shape, self.valid.shape) != shapes:
            raise TrackerError("a take needs at least one frame, and six trackers in each")
        if not np.isfinite(self.times).all() or (np.diff(self.times) <= 0.0).any():
            raise TrackerError("the times of a take must rise from frame to frame: sort its frames")
        # What is no number, or no turn, was not seen, whatever the source says.
        object.__setattr__(self, "valid", self.valid & usable(self.positions, self.rotations))

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.times)

    @classmethod
    def from_motion(cls, motion: Motion) -> Take:
        """Six ideal trackers: the tracked joints themselves."""
        joints = list(TRACKER_JOINTS)
        return cls(
            motion.times,
            motion.positions()[:, joints],
            motion.rotations[:, joints],
            np.ones((len(motion), 6), bool),
        )

    def at(self, times: np.ndarray) -> Take:
        """Return the take at other times (G,), in seconds; gaps are bridged from end to end.

        A frame counts as valid where both frames around it are.
        """
        times = np.asarray(times, np.float64)
        positions = np.empty((len(times), 6, 3), np.float32)
        rotations = np.empty((len(times), 6, 4), np.float32)
        valid = np.empty((len(times), 6), bool)
        for tracker in range(6):
            seen = self.valid[:, tracker]
            if not seen.any():
                positions[:, tracker], rotations[:, tracker] = 0.0, (1.0, 0.0, 0.0, 0.0)
                valid[:, tracker] = False
                continue
            known = self.times[seen]
            positions[:, tracker] = interpolate(known, self.positions[seen, tracker], times)
            rotations[:, tracker] = interpolate_rotations(
                known, self.rotations[seen, tracker], times
            )
            share = interpolate(self.times, seen.astype(np.float32), times)
            valid[:, tracker] = share > 0.999
        return Take(times, positions, quat.normalize(rotations).astype(np.float32), valid)

    def resampled(self, rate: float = MODEL_RATE) -> Take:
        """Return the take on an even clock of ``rate`` frames a second from its first frame."""
        return self.at(regular_times(self.times, rate))


def usable(positions: np.ndarray, rotations: np.ndarray) -> np.ndarray:
    """Whether positions (..., 3) and quaternions (..., 4) are a place and a turn: (...) bool."""
    finite = np.isfinite(positions).all(-1) & np.isfinite(rotations).all(-1)
    return finite & (np.abs(rotations) > _NO_TURN).any(-1)
