# SPDX-License-Identifier: GPL-3.0-or-later
"""Named angles and distances over time, from which a performer is animated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...body.interpolation import MODEL_RATE


class Channels:
    """Angles (degrees) and distances (metres on an adult) over time, by name.

    Attributes:
        times: (F,) seconds on the model's clock.
    """

    def __init__(self, seconds: float, random: np.random.Generator) -> None:
        self.times = np.arange(round(seconds * MODEL_RATE) + 1) / MODEL_RATE
        self._random = random
        self._values: dict[str, np.ndarray] = {}

    def __getitem__(self, name: str) -> np.ndarray:
        """Return the values (F,) of a channel, zeros if nothing was added to it."""
        return self._values.get(name, np.zeros(len(self.times)))

    def add(self, name: str, values: np.ndarray) -> None:
        """Add values (F,) to a channel."""
        self._values[name] = self[name] + values

    def move(self, name: str, times: Sequence[float], values: Sequence[float]) -> None:
        """Move a channel through values at some times, easing in and out of each; zero outside."""
        at = np.clip(np.searchsorted(times, self.times, side="right") - 1, 0, len(times) - 2)
        before, after = np.asarray(times)[at], np.asarray(times)[at + 1]
        share = np.clip((self.times - before) / np.maximum(after - before, 1e-6), 0.0, 1.0)
        share = share * share * share * (10.0 - 15.0 * share + 6.0 * share * share)
        start, end = np.asarray(values, float)[at], np.asarray(values, float)[at + 1]
        inside = (self.times >= times[0]) & (self.times <= times[-1])
        self.add(name, np.where(inside, start + share * (end - start), 0.0))

    def sway(self, name: str, amount: float, slowest: float = 3.0) -> None:
        """Let a channel wander by a standard deviation, with a knot each ``slowest`` / 2 s."""
        knots = np.arange(0.0, self.times[-1] + 2.0 * slowest, 0.5 * slowest)
        values = amount * self._random.standard_normal(len(knots))
        smooth = np.interp(self.times, knots, values)
        width = round(0.25 * slowest * MODEL_RATE)
        kernel = np.hanning(2 * width + 3)[1:-1]
        padded = np.pad(smooth, width, mode="edge")
        self.add(name, np.convolve(padded, kernel / kernel.sum(), "valid"))

    def wobble(self, name: str, amount: float, begin: float, end: float) -> None:
        """Let a channel wander quickly between two times."""
        before = self[name]
        self.sway(name, amount, slowest=1.2)
        share = np.clip((self.times - begin) / (end - begin), 0.0, 1.0)
        self._values[name] = before + np.sin(np.pi * share) ** 0.5 * (self[name] - before)
