# SPDX-License-Identifier: GPL-3.0-or-later
"""The training loop: motion in, a weights file out."""

from __future__ import annotations

import csv
import gc
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import distributed

from ..model.weights import load_weights, save_weights
from .augment import Augmentation, Windows
from .corpus import load_corpus
from .model import Stages, Terms
from .paper import Published
from .sensors import SensorModel, Sensors

_SAVE_SECONDS = 120.0
_LOG_STEPS = 50
_WARM_UP_STEPS = 100
_PLAN_STEPS = 40
"""Steps after which the length of a run of so many minutes is known."""


@dataclass(frozen=True)
class Recipe:
    """Everything that a training run depends on beside its data.

    Attributes:
        minutes: length of the run where ``steps`` is not given: the number of steps is worked out
            from the time of the first ones, and kept when an interrupted run goes on.
        steps: length of the run. The learning rate falls along a cosine over it.
        seed: of weights, windows, augmentation and sensors.
        windows: windows in a step, of each process.
        frames: frames of each window that are trained on.
        rate: highest learning rate.
        decay: of the running mean of the weights, which is what is saved.
        augmentation: how windows are varied.
        sensors: how bad trackers are.
        terms: of the loss of ours.
        preset: "ssrhmr", or "paper": the published architecture, losses and optimizer.
    """

    minutes: float = 60.0
    steps: int = 0
    seed: int = 0
    windows: int = 256
    frames: int = 8
    rate: float = 4e-3
    decay: float = 0.998
    augmentation: Augmentation = field(default_factory=Augmentation)
    sensors: Sensors = field(default_factory=Sensors)
    terms: Terms = field(default_factory=Terms)
    preset: str = "ssrhmr"

    def model(self) -> Stages | Published:
        """Return a new model with weights drawn by the seed."""
        if self.preset == "paper":
            return Published(self.seed)
        return Stages(self.seed, self.terms)


PAPER = Recipe(preset="paper", windows=64, frames=32, rate=1e-3)
"""Windows of 64 frames, as published: 32 to train on and 32 of the past."""


def train(
    paths: Sequence[Path],
    out: Path,
    recipe: Recipe,
    progress: Callable[[float, str], None],
    start: Path | None = None,
) -> None:
    """Train the stages and write the weights.

    Beside ``out`` lie a checkpoint (``.checkpoint.pt``), from which an interrupted run goes on as
    if nothing had happened, and a log (``.log.csv``). The checkpoint is removed when the run is
    complete. Under ``torchrun`` the processes share the work: gradients are averaged, and a step
    sees the windows of all of them.

    Args:
        paths: motion files.
        out: weights file to write; rewritten every two minutes.
        recipe: how to train.
        progress: called with the share done (0..1) and a line about the state.
        start: weights to begin with instead of random ones.
    """
    place = _join()
    torch.set_flush_denormal(True)  # Denormal gradients take a CPU a hundred times longer.
    try:
        _run(paths, out, recipe, progress, start, place)
    finally:
        torch.set_flush_denormal(False)
    _leave()


def _run(
    paths: Sequence[Path],
    out: Path,
    recipe: Recipe,
    progress: Callable[[float, str], None],
    start: Path | None,
    place: tuple[int, int, torch.device],
) -> None:
    """Train in one process among others, of the place that ``_join`` gave it."""
    rank, world, device = place

    def read(done: int, total: int) -> None:
        progress(0.0, f"reading clip {done} of {total}")

    if rank:
        distributed.barrier()  # The first process reads the clips, the others its cache.
    corpus = load_corpus(paths, out.parent / "cache", progress=read)
    if world > 1 and not rank:
        distributed.barrier()
    windows = Windows(corpus, recipe.frames, recipe.augmentation, device)
    sensors = SensorModel(recipe.sensors, device)
    generator = torch.Generator(device).manual_seed(recipe.seed)
    stages = recipe.model()
    if start:
        stages.load(load_weights(start))
    mean = recipe.model()
    mean.load_state_dict(stages.state_dict())
    stages, mean = stages.to(device), mean.to(device)
    loss_of = torch.nn.parallel.DistributedDataParallel(stages) if world > 1 else stages
    optimizers = stages.optimizers(recipe.rate)
    rates = [group["lr"] for optimizer in optimizers for group in optimizer.param_groups]
    checkpoint = out.with_suffix(".checkpoint.pt")
    state: dict[str, Any] = {"step": 0, "steps": recipe.steps, "seconds": 0.0}
    if checkpoint.exists():
        stored = torch.load(checkpoint, map_location=device, weights_only=True)
        stages.load_state_dict(stored["stages"])
        for optimizer, old in zip(optimizers, stored["optimizers"], strict=True):
            optimizer.load_state_dict(old)
        mean.load_state_dict(stored["mean"])
        generator.set_state(stored["generator"].cpu())
        state = stored["state"]

    def save(final: bool) -> None:
        if rank:
            return
        save_weights(
            out,
            mean.export(),
            recipe=asdict(recipe),
            start=start.name if start else "",
            steps=state["step"],
            minutes=round(state["seconds"] / 60.0, 1),
            clips=len(paths),
            corpus_minutes=round(corpus.minutes, 1),
            device=str(device),
            processes=world,
        )
        if final:
            checkpoint.unlink(missing_ok=True)
            return
        partial = checkpoint.with_suffix(".partial")
        torch.save(
            {
                "stages": stages.state_dict(),
                "optimizers": [optimizer.state_dict() for optimizer in optimizers],
                "mean": mean.state_dict(),
                "generator": generator.get_state(),
                "state": state,
            },
            partial,
        )
        partial.replace(checkpoint)

    log = _Log(out.with_suffix(".log.csv"), state["step"]) if rank == 0 else None
    saved = before = time.monotonic()
    while not state["steps"] or state["step"] < state["steps"]:
        done = state["step"] / state["steps"] if state["steps"] else 0.0
        warm = min(1.0, (state["step"] + 1) / _WARM_UP_STEPS)
        share = warm * (0.01 + 0.495 * (1.0 + math.cos(math.pi * done)))
        groups = [group for optimizer in optimizers for group in optimizer.param_groups]
        for group, rate in zip(groups, rates, strict=True):
            group["lr"] = rate * share
        # All processes draw the same windows, each keeps its own share of them.
        batch = windows.draw(recipe.windows * world, generator)
        readings = sensors.read(batch, generator)
        own = slice(rank * recipe.windows, (rank + 1) * recipe.windows)
        loss, terms = loss_of(batch.part(own), readings.part(own))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(stages.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        state["step"] += 1
        # A short memory at first: the mean forgets the random weights that it began with.
        decay = min(recipe.decay, state["step"] / (state["step"] + 10.0))
        with torch.no_grad():
            for old, new in zip(mean.parameters(), stages.parameters(), strict=True):
                old.lerp_(new, 1.0 - decay)
        now = time.monotonic()
        state["seconds"] += now - before
        before = now
        if not state["steps"] and state["step"] >= _PLAN_STEPS:
            planned = round(60.0 * recipe.minutes * state["step"] / state["seconds"])
            state["steps"] = _agreed(max(planned, state["step"] + 1), device)
        means = _averaged({"loss": loss, **terms}, world)
        row = log.add(state, means) if log else ""
        if row:
            progress(done, row)
        if now - saved > _SAVE_SECONDS:
            saved = now
            save(final=False)
    save(final=True)


def _join() -> tuple[int, int, torch.device]:
    """Meet the other processes of a torchrun; return own number, how many, and the device."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if torch.cuda.is_available():
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    else:
        device = torch.device("cpu")
    if world > 1 and not distributed.is_initialized():
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return int(os.environ.get("RANK", "0")), world, device


def _leave() -> None:
    """Part from the other processes.

    A process that ends while threads of its group still run is aborted every now and then, and
    torchrun then calls a complete run a failed one.
    """
    if distributed.is_initialized():
        distributed.barrier()  # The first one may still be writing.
        gc.collect()  # The parallel model refers to itself, and holds on to the group.
        distributed.destroy_process_group()


def _agreed(steps: int, device: torch.device) -> int:
    """Return the first process' number of steps."""
    if not distributed.is_initialized():
        return steps
    value = torch.tensor(steps, device=device)
    distributed.broadcast(value, 0)
    return int(value)


def _averaged(values: dict[str, torch.Tensor], world: int) -> dict[str, torch.Tensor]:
    """Mean of the values over all processes."""
    stacked = torch.stack([value.detach() for value in values.values()])
    if world > 1:
        distributed.all_reduce(stacked)
        stacked = stacked / world
    return dict(zip(values, stacked.unbind(), strict=True))


class _Log:
    """Means of the loss and its terms, a line every few steps."""

    def __init__(self, path: Path, step: int) -> None:
        """Start a log, or go on with one after ``step``."""
        self._path, self._count = path, 0
        self._sums: dict[str, torch.Tensor] = {}
        rows = []
        if step and path.exists():
            # Lines that were written after the checkpoint are about to be written again.
            with path.open(encoding="utf-8", newline="") as file:
                rows = [row for row in csv.DictReader(file) if int(row["step"]) <= step]
        path.unlink(missing_ok=True)
        for row in rows:
            self._write(row)

    def add(self, state: dict, values: dict[str, torch.Tensor]) -> str:
        """Count a step; return a line to show when the means were written, else nothing."""
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, torch.zeros(())) + value
        self._count += 1
        if state["step"] % _LOG_STEPS:
            return ""
        means = {name: float(value) / self._count for name, value in self._sums.items()}
        self._write({"step": state["step"], "seconds": round(state["seconds"], 1), **means})
        self._sums, self._count = {}, 0
        return f"step {state['step']}, " + ", ".join(f"{k} {v:.4f}" for k, v in means.items())

    def _write(self, row: dict) -> None:
        new = not self._path.exists()
        with self._path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(row))
            if new:
                writer.writeheader()
            writer.writerow(row)
