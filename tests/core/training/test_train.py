# SPDX-License-Identifier: GPL-3.0-or-later
"""Training runs: interrupted and resumed, in minutes and steps, in one process and two."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ssrhmr_core.model.weights import load_weights, weights_header
from ssrhmr_core.training import train as training
from ssrhmr_core.training.augment import Augmentation
from ssrhmr_core.training.checkpoint import CheckpointError
from ssrhmr_core.training.corpus import load_corpus
from ssrhmr_core.training.recipe import PAPER, Recipe
from ssrhmr_core.training.train import train

RECIPE = Recipe(steps=8, windows=4)


def losses(out: Path) -> list[str]:
    with out.with_suffix(".log.csv").open() as file:
        return [row["loss"] for row in csv.DictReader(file)]


class Killed(Exception):
    """A run was interrupted."""


def ignore(share: float, text: str) -> None:
    """Report nothing."""


Interrupt = Callable[[list[Path], Path, Recipe], None]


@pytest.fixture
def interrupt(monkeypatch: pytest.MonkeyPatch) -> Interrupt:
    """Return a function that starts a run and kills it some steps after a checkpoint."""
    monkeypatch.setattr(training, "_LOG_STEPS", 1)

    def start(files: list[Path], out: Path, recipe: Recipe) -> None:
        def kill(share: float, text: str) -> None:
            # Steps after the last checkpoint are lost and made again.
            monkeypatch.setattr(training, "_SAVE_SECONDS", 0.0 if "step 2," in text else 1e9)
            if text.startswith("step 5,"):
                raise Killed

        with pytest.raises(Killed):
            train(files, out, recipe, kill)
        assert out.with_suffix(".checkpoint.pt").exists()

    return start


def test_an_interrupted_run_ends_as_if_it_had_not_been(
    files: list[Path], tmp_path: Path, interrupt: Interrupt
) -> None:
    """Killed between two checkpoints and started again: the same log, the same weights."""
    whole, broken = tmp_path / "whole" / "run.npz", tmp_path / "broken" / "run.npz"
    train(files, whole, RECIPE, ignore)
    interrupt(files, broken, RECIPE)
    train(files, broken, RECIPE, ignore)
    assert len(losses(whole)) == 8
    assert losses(broken) == losses(whole)
    for name, array in load_weights(whole).items():
        np.testing.assert_array_equal(load_weights(broken)[name], array, err_msg=name)
    assert not broken.with_suffix(".checkpoint.pt").exists()


OTHER_RECIPES = {
    "seed 0, not 1": replace(RECIPE, seed=1),
    "steps 8, not 9": replace(RECIPE, steps=9),
    "steps 8, not 0": replace(RECIPE, steps=0),
    "preset ssrhmr, not paper": replace(PAPER, steps=8, windows=4),
    "augmentation.mix 0.65, not 0.5": replace(RECIPE, augmentation=Augmentation(mix=0.5)),
}


def test_an_interrupted_run_refuses_other_settings(
    files: list[Path], tmp_path: Path, interrupt: Interrupt
) -> None:
    out = tmp_path / "run.npz"
    interrupt(files, out, RECIPE)
    before = {path.name: path.read_bytes() for path in tmp_path.glob("run.*")}
    assert set(before) == {"run.npz", "run.log.csv", "run.checkpoint.pt"}
    for message, recipe in OTHER_RECIPES.items():
        with pytest.raises(CheckpointError, match=message):
            train(files, out, recipe, ignore)
    assert {path.name: path.read_bytes() for path in tmp_path.glob("run.*")} == before


def test_an_interrupted_run_refuses_other_motion_and_another_start(
    files: list[Path], tmp_path: Path, interrupt: Interrupt
) -> None:
    start, out = tmp_path / "start.npz", tmp_path / "run.npz"
    train(files, start, replace(RECIPE, steps=1), ignore)
    interrupt(files, out, RECIPE)
    with pytest.raises(CheckpointError, match="number of clips 3, not 2"):
        train(files[:2], out, RECIPE, ignore)
    with pytest.raises(CheckpointError, match=r"start weights \(SHA-256\) none, not"):
        train(files, out, RECIPE, ignore, start)


def test_minutes_have_no_effect_on_a_run_of_so_many_steps(
    files: list[Path], tmp_path: Path, interrupt: Interrupt
) -> None:
    out = tmp_path / "run.npz"
    interrupt(files, out, RECIPE)
    train(files, out, replace(RECIPE, minutes=1.0), ignore)
    assert weights_header(out)["steps"] == 8


def test_minutes_become_steps(files: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "run.npz"
    train(files, out, Recipe(minutes=0.01, windows=2), ignore)
    assert weights_header(out)["steps"] >= 41


def test_starting_from_weights(files: list[Path], tmp_path: Path) -> None:
    first, second = tmp_path / "first.npz", tmp_path / "second.npz"
    train(files, first, RECIPE, ignore)
    tiny = replace(RECIPE, steps=1, rate=1e-9, decay=0.0)
    train(files, second, tiny, ignore, start=first)
    for name, array in load_weights(first).items():
        np.testing.assert_allclose(load_weights(second)[name], array, atol=1e-5, err_msg=name)
    assert weights_header(second)["start"] == "first.npz"


_WORKER = """
import sys
from pathlib import Path
import torch
from ssrhmr_core.training import train as training
torch.set_num_threads(1)
training._LOG_STEPS = 1
windows, out, *paths = sys.argv[1:]
recipe = training.Recipe(steps=4, windows=int(windows))
training.train([Path(path) for path in paths], Path(out), recipe, lambda share, text: None)
"""


def test_two_processes_learn_as_one_with_the_doubled_batch(
    files: list[Path], tmp_path: Path
) -> None:
    worker = tmp_path / "worker.py"
    worker.write_text(_WORKER)
    one, two = tmp_path / "one" / "run.npz", tmp_path / "two" / "run.npz"
    # Both processes find the clips in the cache.
    for out in (one, two):
        load_corpus(files, out.parent / "cache", workers=1)
    paths = [str(path) for path in files]
    python = [sys.executable, str(worker), "8", str(one), *paths]
    run = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    address = ["--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0"]
    root = Path(__file__).resolve().parents[3]
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    for command in (python, [*run, *address, str(worker), "4", str(two), *paths]):
        subprocess.run(command, check=True, timeout=3600, env=environment)
    for name, array in load_weights(one).items():
        np.testing.assert_allclose(load_weights(two)[name], array, atol=2e-3, err_msg=name)
    for mine, theirs in zip(losses(one), losses(two), strict=True):
        assert float(mine) == pytest.approx(float(theirs), rel=1e-3)
