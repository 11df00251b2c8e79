# SPDX-License-Identifier: GPL-3.0-or-later
"""The log of a training run."""

from __future__ import annotations

import csv
from pathlib import Path

import torch

from ssrhmr_core.training.log import TrainingLog


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def add(log: TrainingLog, *steps: int) -> list[str]:
    """Add steps whose loss is their number."""
    return [log.add(step, 0.5 * step, {"loss": torch.tensor(float(step))}) for step in steps]


def test_lines_are_means(tmp_path: Path) -> None:
    path = tmp_path / "run.log.csv"
    lines = add(TrainingLog(path, 0, every=2), 1, 2, 3, 4, 5)
    assert lines == ["", "step 2, loss 1.5000", "", "step 4, loss 3.5000", ""]
    assert rows(path) == [
        {"step": "2", "seconds": "1.0", "loss": "1.5"},
        {"step": "4", "seconds": "2.0", "loss": "3.5"},
    ]


def test_a_resumed_log_drops_the_lines_that_will_be_written_again(tmp_path: Path) -> None:
    path = tmp_path / "run.log.csv"
    add(TrainingLog(path, 0, every=2), 1, 2, 3, 4, 5, 6)
    add(TrainingLog(path, 4, every=2), 5, 6)
    assert [row["step"] for row in rows(path)] == ["2", "4", "6"]


def test_a_new_run_starts_a_new_log(tmp_path: Path) -> None:
    path = tmp_path / "run.log.csv"
    add(TrainingLog(path, 0, every=1), 1, 2)
    add(TrainingLog(path, 0, every=1), 1)
    assert [row["step"] for row in rows(path)] == ["1"]
