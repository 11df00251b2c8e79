# SPDX-License-Identifier: GPL-3.0-or-later
"""Clean optional trackers as frames come: leave out dropouts, smooth, fade."""

from __future__ import annotations

import numpy as np

from ...body.extra_trackers import EXTRA_TRACKERS
from ...body.skeleton import Skeleton
from ..one_euro import OneEuro
from .live_dropout import LiveExtraDropouts
from .readings import ExtraReadings
from .trust import LiveTrust, TrustedReadings


class LiveExtras:
    """Cleans optional trackers causally, one frame of the model's clock after the other."""

    def __init__(self, body: Skeleton, cutoff: float = 0.0) -> None:
        """Create a cleaner without a past.

        Args:
            body: The body that wears the trackers.
            cutoff: The cutoff of the smoothing for trackers at rest in Hz; 0 smooths nothing.
        """
        self._detector = LiveExtraDropouts(body)
        self._filter = OneEuro(cutoff, len(EXTRA_TRACKERS))
        self._trust = LiveTrust()
        self.reset()

    def reset(self) -> None:
        """Forget the past: trackers of the next frame count fully at once."""
        self._detector.reset()
        self._filter.reset()
        self._trust.reset()
        nothing = ExtraReadings.empty(1)
        self._positions, self._rotations = nothing.positions[0], nothing.rotations[0]

    @property
    def ignored(self) -> tuple[str, ...]:
        """Names of the trackers whose readings have been implausible most of the time."""
        return self._detector.ignored

    def frame(
        self, readings: ExtraReadings, positions: np.ndarray, believed: np.ndarray
    ) -> TrustedReadings:
        """Return what optional trackers say in the next frame, and how far it counts.

        Args:
            readings: One frame of calibrated readings.
            positions: (6, 3) positions of the six in metres.
            believed: (6,) bool, which of the six are believed.
        """
        poses = readings.positions[0], readings.rotations[0]
        has_position, has_rotation = self._detector.frame(
            poses, (readings.has_position[0], readings.has_rotation[0]), positions, believed
        )
        # Filters run on finite numbers.
        self._positions = np.where(has_position[:, None], poses[0], self._positions)
        self._rotations = np.where(has_rotation[:, None], poses[1], self._rotations)
        smooth_positions, smooth_rotations = self._filter.frame(
            self._positions, self._rotations, has_position, has_rotation
        )
        return self._trust.frame(smooth_positions, smooth_rotations, has_position, has_rotation)
