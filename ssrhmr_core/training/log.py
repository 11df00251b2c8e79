# SPDX-License-Identifier: GPL-3.0-or-later
"""The log of a training run: means of the loss and its terms, a line every few steps."""

from __future__ import annotations

import csv
from pathlib import Path

import torch


class TrainingLog:
    """Writes means of the loss and its terms to a CSV file."""

    def __init__(self, path: Path, step: int, every: int) -> None:
        """Start a log, or continue one.

        Args:
            path: The file.
            step: Number of steps that the run has made. The log drops later lines, which an
                interrupted run wrote after its last checkpoint and will write again.
            every: Number of steps for each line.
        """
        self._path, self._every, self._count = path, every, 0
        self._sums: dict[str, torch.Tensor] = {}
        rows = []
        if step and path.exists():
            with path.open(encoding="utf-8", newline="") as file:
                rows = [row for row in csv.DictReader(file) if int(row["step"]) <= step]
        path.unlink(missing_ok=True)
        for row in rows:
            self._write(row)

    def add(self, step: int, seconds: float, values: dict[str, torch.Tensor]) -> str:
        """Add a step's values; return a line to show when the log got one, else nothing."""
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, torch.zeros(())) + value
        self._count += 1
        if step % self._every:
            return ""
        means = {name: float(value) / self._count for name, value in self._sums.items()}
        self._write({"step": step, "seconds": round(seconds, 1), **means})
        self._sums, self._count = {}, 0
        return f"step {step}, " + ", ".join(f"{name} {mean:.4f}" for name, mean in means.items())

    def _write(self, row: dict) -> None:
        new = not self._path.exists()
        with self._path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(row))
            if new:
                writer.writeheader()
            writer.writerow(row)
