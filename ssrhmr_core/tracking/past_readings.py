# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of all trackers at some moments, and at moments long before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..body.interpolation import MODEL_RATE
from ..body.skeleton import TRACKERS
from ..model.tracker_predictor import AGO

Moment = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Positions (6, 3) and rotations (6, 3, 3), and (6,) bool, which of them are known."""

MEMORY = round(60.0 * MODEL_RATE)
"""Frames before a gap from which live use learns how the net errs."""


class Readings(NamedTuple):
    """What is known of all trackers at some moments.

    Attributes:
        positions: (..., 6, 3) positions.
        rotations: (..., 6, 3, 3) rotations.
        known: (..., 6) bool.
    """

    positions: np.ndarray
    rotations: np.ndarray
    known: np.ndarray

    @classmethod
    def stack(cls, past: Sequence[Moment]) -> Readings:
        """Return the moments of ``AGO`` (1, A, 6, ...) of a past, newest first."""
        oldest = len(past) - 1
        moments = [past[min(ago, oldest)] for ago in AGO]
        return cls(*(np.stack(values)[None] for values in zip(*moments, strict=True)))

    def part(self, chosen: Any) -> Readings:
        """Return some moments, chosen by an index of arrays."""
        return Readings(*(values[chosen] for values in self))

    def before(self, frames: np.ndarray) -> Readings:
        """Return the moments of ``AGO`` (F, A, 6, ...) before some frames of a take."""
        return self.part(np.maximum(frames[:, None] - np.array(AGO), 0))

    def with_own(self, tracker: int, other: Readings) -> Readings:
        """Return these readings with one tracker as others know it."""
        result = Readings(*(values.copy() for values in self))
        result.positions[..., tracker, :] = other.positions[..., tracker, :]
        result.rotations[..., tracker, :, :] = other.rotations[..., tracker, :, :]
        result.known[..., tracker] = other.known[..., tracker]
        return result

    def without(self, trackers: np.ndarray) -> Readings:
        """Return these readings with trackers (6,) unknown at all moments."""
        return self._replace(known=self.known & ~trackers)


class ReadingsMemory:
    """The readings of the last minute, frame by frame."""

    def __init__(self) -> None:
        """Create an empty memory."""
        # The oldest frames from which something is learned have a past themselves.
        size, count = MEMORY + max(AGO), len(TRACKERS)
        self._rows = Readings(
            np.zeros((size, count, 3), np.float32),
            np.zeros((size, count, 3, 3), np.float32),
            np.zeros((size, count), bool),
        )
        self.frames = 0
        """Number of frames noted so far."""

    def note(self, moment: Moment) -> None:
        """Add the next frame."""
        row = self.frames % len(self._rows.known)
        for rows, values in zip(self._rows, moment, strict=True):
            rows[row] = values
        self.frames += 1

    def interrupt(self) -> None:
        """Let the next frame have no past, because some are missing before it."""
        size = len(self._rows.known)
        if self.frames:
            self._rows.known[np.arange(self.frames, self.frames + max(AGO)) % size] = False
            self.frames += max(AGO)

    def forget(self, tracker: int) -> None:
        """Ignore all readings of a tracker so far, because they were wrong."""
        self._rows.known[:, tracker] = False

    def in_order(self) -> Readings:
        """Return a copy of the frames that are kept, oldest first; the last is the current one."""
        size = len(self._rows.known)
        kept = np.arange(max(0, self.frames - size), self.frames) % size
        return self._rows.part(kept)
