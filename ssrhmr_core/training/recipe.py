# SPDX-License-Identifier: GPL-3.0-or-later
"""Recipes: all settings of a training run but its data."""

from __future__ import annotations

from dataclasses import dataclass, field

from .augment import Augmentation
from .model import Scope, Stages, Terms
from .paper import Published
from .sensors import Sensors


@dataclass(frozen=True)
class Recipe:
    """All settings of a training run but its data.

    Attributes:
        minutes: Length of the run where ``steps`` is 0. The run works out its number of steps from
            the time of the first ones, and keeps it when it is interrupted and resumed.
        steps: Length of the run. The learning rate falls along a cosine over it.
        seed: Seed of weights, windows, augmentation and sensors.
        windows: Number of windows in a step, for each process.
        frames: Number of frames of each window that are trained on.
        context: Number of frames of the performer context.
        rate: Highest learning rate.
        decay: Decay of the running mean of the weights, which is what a run saves.
        augmentation: How windows are varied.
        sensors: How bad trackers are.
        terms: Weights of the terms of the loss of "ssrhmr".
        preset: "ssrhmr", or "paper" for the published architecture, losses and optimizer.
        scope: The weights to train: "six", those that six trackers need, or "extras", those that
            read optional trackers and predict how certain poses are. The second leaves what six
            trackers give as it is.
    """

    minutes: float = 60.0
    steps: int = 0
    seed: int = 0
    windows: int = 256
    frames: int = 8
    context: int = 24
    rate: float = 4e-3
    decay: float = 0.998
    augmentation: Augmentation = field(default_factory=Augmentation)
    sensors: Sensors = field(default_factory=Sensors)
    terms: Terms = field(default_factory=Terms)
    preset: str = "ssrhmr"
    scope: Scope = "six"

    def model(self) -> Stages | Published:
        """Return a new model with weights drawn by the seed."""
        if self.preset == "paper":
            return Published(self.seed)
        return Stages(self.seed, self.terms, self.scope)


EXTRAS = Recipe(
    rate=2e-3,
    sensors=Sensors(extra=0.9, lost=0.25),
    terms=Terms(certainty=0.1),
    scope="extras",
)
"""Reading optional trackers, learned after everything else."""
PAPER = Recipe(preset="paper", windows=64, frames=32, context=0, rate=1e-3)
"""Windows of 64 frames, as published: 32 to train on and 32 of the past."""
