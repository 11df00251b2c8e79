# SPDX-License-Identifier: GPL-3.0-or-later
"""The training loop: it turns motion files into a weights file."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..model.weights import load_weights, save_weights
from .augment import Windows
from .checkpoint import CheckpointError, load_checkpoint, run_settings, save_checkpoint
from .corpus import Corpus, load_corpus
from .log import TrainingLog
from .processes import Processes
from .recipe import PAPER, Recipe
from .sensors import SensorModel

__all__ = ["PAPER", "CheckpointError", "Recipe", "train"]

_SAVE_SECONDS = 120.0
_LOG_STEPS = 50
_WARM_UP_STEPS = 100
_PLAN_STEPS = 40
"""Number of steps after which a run of so many minutes fixes its length."""


def train(
    paths: Sequence[Path],
    out: Path,
    recipe: Recipe,
    progress: Callable[[float, str], None],
    start: Path | None = None,
) -> None:
    """Train the stages and write the weights.

    Next to ``out`` the run keeps a checkpoint (``.checkpoint.pt``) and a log (``.log.csv``). An
    interrupted run resumes from its checkpoint as if nothing had happened, and removes it when it
    is complete. It must resume with the settings that it began with. Under ``torchrun`` the
    processes share the work: gradients are averaged, and a step sees the windows of all of them.

    Args:
        paths: Motion files.
        out: Weights file to write, rewritten every two minutes.
        recipe: Settings of the run.
        progress: Function that is called with the share done (0..1) and a line about the state.
        start: Weights to begin with instead of random ones.

    Raises:
        CheckpointError: The checkpoint is damaged or belongs to a run with other settings.
        WeightsError: The weights to begin with cannot be used.
        ValueError: A motion file cannot be read.
    """
    processes = Processes.join()
    torch.set_flush_denormal(True)  # Denormal gradients take a CPU a hundred times longer.
    try:
        corpus = _share_corpus(paths, out.parent / "cache", progress, processes)
        run = _Run(corpus, recipe, processes, start, out)
        run.resume()
        run.complete(progress)
        del run  # It holds the parallel model, and that the group of processes.
    finally:
        torch.set_flush_denormal(False)
    processes.leave()


def _share_corpus(
    paths: Sequence[Path],
    cache: Path,
    progress: Callable[[float, str], None],
    processes: Processes,
) -> Corpus:
    """Let the first process read the clips, and the others its cache."""

    def report(done: int, total: int) -> None:
        progress(0.0, f"reading clip {done} of {total}")

    if not processes.is_first:
        processes.wait()
    corpus = load_corpus(paths, cache, progress=report)
    if processes.is_first:
        processes.wait()
    return corpus


@dataclass
class _Position:
    """How far a run is.

    Attributes:
        step: Number of steps made.
        steps: Number of steps planned, 0 until that is known.
        seconds: Time spent.
    """

    step: int
    steps: int
    seconds: float

    @property
    def share(self) -> float:
        """Share of the run that is done, 0 until its length is known."""
        return self.step / self.steps if self.steps else 0.0


class _Run:
    """A training run as one of its processes sees it."""

    def __init__(
        self, corpus: Corpus, recipe: Recipe, processes: Processes, start: Path | None, out: Path
    ) -> None:
        """Prepare a run from its beginning."""
        self._recipe, self._processes, self._start, self._out = recipe, processes, start, out
        self._corpus = corpus
        device = processes.device
        self._windows = Windows(corpus, recipe.frames, recipe.augmentation, device, recipe.context)
        self._sensors = SensorModel(recipe.sensors, device)
        self._generator = torch.Generator(device).manual_seed(recipe.seed)
        stages, mean = recipe.model(), recipe.model()
        if start:
            stages.load(load_weights(start))
        mean.load_state_dict(stages.state_dict())
        self._stages, self._mean = stages.to(device), mean.to(device)
        self._loss = (
            torch.nn.parallel.DistributedDataParallel(self._stages)
            if processes.count > 1
            else self._stages
        )
        self._optimizers = self._stages.optimizers(recipe.rate)
        self._rates = [group["lr"] for group in self._groups()]
        self._position = _Position(step=0, steps=recipe.steps, seconds=0.0)
        self._checkpoint = out.with_suffix(".checkpoint.pt")
        self._settings = run_settings(recipe, corpus, start, processes.count)

    def _groups(self) -> list[dict[str, Any]]:
        return [group for optimizer in self._optimizers for group in optimizer.param_groups]

    def resume(self) -> None:
        """Continue from the checkpoint, if there is one.

        Raises:
            CheckpointError: It is damaged or belongs to a run with other settings.
        """
        state = load_checkpoint(self._checkpoint, self._settings, self._processes.device)
        if state is None:
            return
        self._stages.load_state_dict(state["stages"])
        for optimizer, stored in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(stored)
        self._mean.load_state_dict(state["mean"])
        self._generator.set_state(state["generator"].cpu())
        self._position = _Position(**state["position"])

    def complete(self, progress: Callable[[float, str], None]) -> None:
        """Make all steps that are left, and write the weights."""
        position, log = self._position, None
        if self._processes.is_first:
            log = TrainingLog(self._out.with_suffix(".log.csv"), position.step, _LOG_STEPS)
        saved = before = time.monotonic()
        while not position.steps or position.step < position.steps:
            done = position.share
            values = self._step()
            now = time.monotonic()
            position.seconds += now - before
            before = now
            self._plan()
            means = self._processes.average(values)
            line = log.add(position.step, position.seconds, means) if log else ""
            if line:
                progress(done, line)
            if now - saved > _SAVE_SECONDS:
                saved = now
                self._save()
        self._save_weights()
        if self._processes.is_first:
            self._checkpoint.unlink(missing_ok=True)

    def _step(self) -> dict[str, Tensor]:
        """Make one step; return the loss and its terms."""
        recipe, processes, position = self._recipe, self._processes, self._position
        factor = _rate_factor(position.step, position.share)
        for group, rate in zip(self._groups(), self._rates, strict=True):
            group["lr"] = rate * factor
        # All processes draw the same windows, each keeps its own share of them.
        batch = self._windows.draw(recipe.windows * processes.count, self._generator)
        readings = self._sensors.read(batch, self._generator)
        own = slice(processes.rank * recipe.windows, (processes.rank + 1) * recipe.windows)
        loss, terms = self._loss(batch.part(own), readings.part(own))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._stages.parameters(), 1.0)
        for optimizer in self._optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        position.step += 1
        # A short memory at first: the mean forgets the random weights that it began with.
        decay = min(recipe.decay, position.step / (position.step + 10.0))
        with torch.no_grad():
            for old, new in zip(self._mean.parameters(), self._stages.parameters(), strict=True):
                old.lerp_(new, 1.0 - decay)
        return {"loss": loss, **terms}

    def _plan(self) -> None:
        """Fix the number of steps of a run of so many minutes once its speed is known."""
        position = self._position
        if not position.steps and position.step >= _PLAN_STEPS:
            steps = round(60.0 * self._recipe.minutes * position.step / position.seconds)
            position.steps = self._processes.agree(max(steps, position.step + 1))

    def _save(self) -> None:
        """Write the weights as they are, and a checkpoint."""
        self._save_weights()
        if not self._processes.is_first:
            return
        state = {
            "stages": self._stages.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self._optimizers],
            "mean": self._mean.state_dict(),
            "generator": self._generator.get_state(),
            "position": asdict(self._position),
        }
        save_checkpoint(self._checkpoint, self._settings, state)

    def _save_weights(self) -> None:
        if not self._processes.is_first:
            return
        save_weights(
            self._out,
            self._mean.export(),
            recipe=asdict(self._recipe),
            start=self._start.name if self._start else "",
            steps=self._position.step,
            minutes=round(self._position.seconds / 60.0, 1),
            clips=len(self._corpus.lengths),
            corpus_minutes=round(self._corpus.minutes, 1),
            device=str(self._processes.device),
            processes=self._processes.count,
        )


def _rate_factor(step: int, share: float) -> float:
    """Return the share of the highest learning rate: a warm-up, then a cosine down to 1 %."""
    warm = min(1.0, (step + 1) / _WARM_UP_STEPS)
    return warm * (0.01 + 0.495 * (1.0 + math.cos(math.pi * share)))
