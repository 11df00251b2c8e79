# SPDX-License-Identifier: GPL-3.0-or-later
"""Causal smoothing of trackers, one frame at a time."""

from __future__ import annotations

import numpy as np
from pymotion.rotations import quat_np as quat

from ..body.interpolation import MODEL_RATE
from ..body.skeleton import TRACKERS


class OneEuro:
    """Smooth trackers causally, one frame of the model's clock after the other.

    Source: Casiez, Roussel and Vogel, "1 € Filter", CHI 2012: a low pass whose cutoff rises with
    speed, so that still trackers do not shake and fast ones do not lag.
    """

    _SPEED_CUTOFF = 1.0
    _PER_METRE, _PER_RADIAN = 12.0, 4.0
    """Hz by which the cutoff rises with each metre or radian per second."""

    def __init__(self, cutoff: float, trackers: int = len(TRACKERS)) -> None:
        """Create a filter without a past.

        Args:
            cutoff: The cutoff for trackers at rest in Hz; 0 turns the filter off.
            trackers: The number N of trackers; the six by default.
        """
        self._cutoff = cutoff
        self._trackers = trackers
        self.reset()

    def reset(self) -> None:
        """Forget the past."""
        self._last: tuple[np.ndarray, np.ndarray] | None = None
        self._speeds = (np.zeros((self._trackers, 3)), np.zeros((self._trackers, 4)))

    def frame(
        self,
        positions: np.ndarray,
        rotations: np.ndarray,
        valid: np.ndarray,
        has_rotation: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Smooth the next frame.

        Args:
            positions: (N, 3) finite positions in metres.
            rotations: (N, 4) finite quaternions.
            valid: (N,) bool. The filter of a tracker restarts when it becomes valid again.
            has_rotation: (N,) bool, which trackers have a rotation, if ``valid`` is about positions
                alone.

        Returns:
            The smoothed positions and rotations.
        """
        if self._cutoff <= 0.0:
            return positions, rotations
        if self._last is not None:
            signs = np.where((rotations * self._last[1]).sum(-1, keepdims=True) < 0.0, -1.0, 1.0)
            rotations = rotations * signs
        masks = (valid, valid if has_rotation is None else has_rotation)
        values = (np.asarray(positions, np.float64), np.asarray(rotations, np.float64))
        if self._last is None:
            self._last = values
            self._valid = masks
            return positions, rotations
        smoothed = []
        speed_share = self._smoothing_share(np.array(self._SPEED_CUTOFF))
        for value, last, speed, rise, before, now in zip(
            values,
            self._last,
            self._speeds,
            (self._PER_METRE, 2.0 * self._PER_RADIAN),
            self._valid,
            masks,
            strict=True,
        ):
            restarts = (~before | ~now)[:, None]
            speed += speed_share * ((value - last) * MODEL_RATE - speed)
            speed[restarts[:, 0]] = 0.0
            pace = np.linalg.norm(speed, axis=-1, keepdims=True)
            share = np.where(restarts, 1.0, self._smoothing_share(self._cutoff + rise * pace))
            smoothed.append(last + share * (value - last))
        self._last = (smoothed[0], quat.normalize(smoothed[1]))
        self._valid = masks
        return self._last[0].astype(np.float32), self._last[1].astype(np.float32)

    @staticmethod
    def _smoothing_share(cutoff: np.ndarray) -> np.ndarray:
        """Return the share of a new value that a low pass with this cutoff lets through."""
        return 1.0 / (1.0 + MODEL_RATE / (2.0 * np.pi * cutoff))
