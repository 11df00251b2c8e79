"""The training loop: minutes in, a weights file out."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

from ..weights import save_weights
from .augment import Augmentation, Windows
from .corpus import load_corpus
from .model import Stages

_SAVE_SECONDS = 120.0
_LOG_STEPS = 50
_WARM_UP_STEPS = 200


@dataclass(frozen=True)
class Recipe:
    """Everything that a training run depends on beside its data.

    Attributes:
        minutes: length of the run; the learning rate falls along a cosine over it.
        seed: of weights, windows and augmentation.
        windows: windows in a step.
        frames: frames of each window that are trained on.
        rate: highest learning rate of AdamW.
        decay: of the running mean of the weights, which is what is saved.
        augmentation: how windows are varied.
    """

    minutes: float = 60.0
    seed: int = 0
    windows: int = 128
    frames: int = 8
    rate: float = 1e-3
    decay: float = 0.999
    augmentation: Augmentation = field(default_factory=Augmentation)


def train(
    paths: Sequence[Path],
    out: Path,
    recipe: Recipe,
    progress: Callable[[float, str], None],
) -> None:
    """Train the stages and write the weights.

    Beside ``out`` lie a checkpoint (``.checkpoint.pt``), from which an interrupted run goes on,
    and a log (``.log.csv``). The checkpoint is removed when the run is complete.

    Args:
        paths: motion files.
        out: weights file to write; rewritten every two minutes.
        recipe: how to train.
        progress: called with the share done (0..1) and a line about the state.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    def read(done: int, total: int) -> None:
        progress(0.0, f"reading clip {done} of {total}")

    corpus = load_corpus(paths, out.parent / "cache", progress=read)
    windows = Windows(corpus, recipe.frames, recipe.augmentation, device)
    generator = torch.Generator(device).manual_seed(recipe.seed)
    stages = Stages(recipe.seed).to(device)
    optimizer = torch.optim.AdamW(stages.parameters(), lr=recipe.rate, weight_decay=1e-2)
    mean = Stages(recipe.seed).to(device)
    checkpoint = out.with_suffix(".checkpoint.pt")
    state = {"step": 0, "seconds": 0.0}
    if checkpoint.exists():
        stored = torch.load(checkpoint, map_location=device, weights_only=True)
        stages.load_state_dict(stored["stages"])
        optimizer.load_state_dict(stored["optimizer"])
        mean.load_state_dict(stored["mean"])
        generator.set_state(stored["generator"].cpu())
        state = stored["state"]

    def save(final: bool) -> None:
        save_weights(
            out,
            mean.export(),
            recipe=asdict(recipe),
            steps=state["step"],
            minutes=round(state["seconds"] / 60.0, 1),
            clips=len(paths),
            corpus_minutes=round(corpus.minutes, 1),
            device=str(device),
        )
        if final:
            checkpoint.unlink(missing_ok=True)
            return
        partial = checkpoint.with_suffix(".partial")
        torch.save(
            {
                "stages": stages.state_dict(),
                "optimizer": optimizer.state_dict(),
                "mean": mean.state_dict(),
                "generator": generator.get_state(),
                "state": state,
            },
            partial,
        )
        partial.replace(checkpoint)

    log = _Log(out.with_suffix(".log.csv"), fresh=state["step"] == 0)
    torch.set_flush_denormal(True)  # Denormal gradients take a CPU a hundred times longer.
    saved = before = time.monotonic()
    while state["seconds"] < 60.0 * recipe.minutes:
        done = state["seconds"] / (60.0 * recipe.minutes)
        for group in optimizer.param_groups:
            warm = min(1.0, (state["step"] + 1) / _WARM_UP_STEPS)
            group["lr"] = recipe.rate * warm * (0.01 + 0.495 * (1.0 + math.cos(math.pi * done)))
        loss, terms = stages(windows.draw(recipe.windows, generator))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(stages.parameters(), 1.0)
        optimizer.step()
        state["step"] += 1
        # A short memory at first: the mean forgets the random weights that it began with.
        decay = min(recipe.decay, state["step"] / (state["step"] + 10.0))
        with torch.no_grad():
            for old, new in zip(mean.parameters(), stages.parameters(), strict=True):
                old.lerp_(new, 1.0 - decay)
        now = time.monotonic()
        state["seconds"] += now - before
        before = now
        row = log.add(state, loss, terms)
        if row:
            progress(done, row)
        if now - saved > _SAVE_SECONDS:
            saved = now
            save(final=False)
    save(final=True)


class _Log:
    """Means of the loss and its terms, a line every few steps."""

    def __init__(self, path: Path, fresh: bool) -> None:
        self._path, self._count = path, 0
        self._sums: dict[str, torch.Tensor] = {}
        if fresh:
            path.unlink(missing_ok=True)

    def add(self, state: dict, loss: torch.Tensor, terms: dict[str, torch.Tensor]) -> str:
        """Count a step; return a line to show when the means were written, else nothing."""
        for name, value in {"loss": loss, **terms}.items():
            self._sums[name] = self._sums.get(name, torch.zeros(())) + value.detach()
        self._count += 1
        if state["step"] % _LOG_STEPS:
            return ""
        means = {name: float(value) / self._count for name, value in self._sums.items()}
        row = {"step": state["step"], "seconds": round(state["seconds"], 1), **means}
        new = not self._path.exists()
        with self._path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(row))
            if new:
                writer.writeheader()
            writer.writerow(row)
        self._sums, self._count = {}, 0
        return f"step {state['step']}, " + ", ".join(f"{k} {v:.4f}" for k, v in means.items())
