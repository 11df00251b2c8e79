# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkpoints: what they hold, and what they refuse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ssrhmr_core.training.checkpoint import (
    CheckpointError,
    load_checkpoint,
    run_settings,
    save_checkpoint,
)
from ssrhmr_core.training.corpus import Corpus
from ssrhmr_core.training.model import Terms
from ssrhmr_core.training.recipe import PAPER, Recipe
from ssrhmr_core.training.sensors import Sensors
from tests.core.training.conftest import CPU

STEPS = Recipe(steps=8)


@pytest.fixture
def path(tmp_path: Path, corpus: Corpus) -> Path:
    path = tmp_path / "run.checkpoint.pt"
    state = {"tensor": torch.arange(3), "list": [1, {"a": 2.5}]}
    save_checkpoint(path, run_settings(STEPS, corpus, None, 1), state)
    return path


def test_round_trip(path: Path, corpus: Corpus) -> None:
    state = load_checkpoint(path, run_settings(STEPS, corpus, None, 1), CPU)
    assert state is not None
    assert state["tensor"].tolist() == [0, 1, 2] and state["list"] == [1, {"a": 2.5}]


def test_no_checkpoint(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path / "none.pt", {}, CPU) is None


@pytest.mark.parametrize(
    ("recipe", "name"),
    [
        (replace(STEPS, seed=1), "seed"),
        (replace(STEPS, steps=9), "steps"),
        (replace(STEPS, windows=128), "windows"),
        (replace(STEPS, rate=1e-3), "rate"),
        (replace(STEPS, sensors=Sensors(noise=0.5)), "sensors.noise"),
        (replace(STEPS, terms=Terms(guess=9.0)), "terms.guess"),
        (replace(PAPER, steps=8), "preset"),
    ],
)
def test_every_setting_counts(path: Path, corpus: Corpus, recipe: Recipe, name: str) -> None:
    settings = run_settings(recipe, corpus, None, 1)
    with pytest.raises(CheckpointError, match=f"belongs to a run with.*{name} "):
        load_checkpoint(path, settings, CPU)


def test_the_number_of_processes_counts(path: Path, corpus: Corpus) -> None:
    with pytest.raises(CheckpointError, match="processes 1, not 2"):
        load_checkpoint(path, run_settings(STEPS, corpus, None, 2), CPU)


def test_minutes_count_where_no_steps_are_given(corpus: Corpus) -> None:
    def settings(**changes: float) -> dict:
        return run_settings(replace(Recipe(), **changes), corpus, None, 1)  # type: ignore[arg-type]

    assert settings(minutes=1.0) != settings(minutes=2.0)
    assert settings(minutes=1.0, steps=5) == settings(minutes=2.0, steps=5)


def test_motion_counts_by_its_length_not_by_its_place(corpus: Corpus) -> None:
    longer = replace(corpus, local=np.concatenate([corpus.local, corpus.local[:1]]))
    assert run_settings(STEPS, longer, None, 1) != run_settings(STEPS, corpus, None, 1)
    moved = replace(corpus, group_names=("elsewhere",))
    assert run_settings(STEPS, moved, None, 1) == run_settings(STEPS, corpus, None, 1)


def test_a_start_counts_by_its_content(tmp_path: Path, corpus: Corpus) -> None:
    first, copy, other = (tmp_path / name for name in ("first", "copy", "other"))
    first.write_bytes(b"weights")
    copy.write_bytes(b"weights")
    other.write_bytes(b"others")
    settings = [run_settings(STEPS, corpus, start, 1) for start in (first, copy, other, None)]
    assert settings[0] == settings[1]
    assert settings[2] not in (settings[0], settings[3])


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04" + bytes(60)])
def test_damaged_checkpoints(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="cannot be read: delete it"):
        load_checkpoint(path, {}, CPU)


def test_checkpoints_without_settings(path: Path) -> None:
    torch.save({"stages": {}}, path)
    with pytest.raises(CheckpointError, match="cannot be read: delete it"):
        load_checkpoint(path, {}, CPU)
