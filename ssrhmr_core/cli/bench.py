# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure how fast the model is on this machine, with one thread."""

from __future__ import annotations

import argparse
import json
import platform
from pathlib import Path

from ..evaluation.bench import measure_speed
from ..files import atomic_write
from .progress import Bar

_TITLES = {
    ("frame", "ssrhmr"): "one frame, live",
    ("frame", "ssrhmr+elbows"): "the same, with elbows",
    ("frame", "ssrhmr+all"): "the same, all optional",
    ("frame", "ik"): "one frame, ik preset",
    ("frame", "solve"): "one frame, solve alone",
    ("frame", "paper"): "one frame, published",
    ("frame", "paper-onnx"): "published, ONNX Runtime",
    ("solve", "60"): "solve alone, 60 s",
}


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--json", type=Path, metavar="OUT.json", help="also write all figures to a file"
    )


def run(chosen: argparse.Namespace) -> int:
    """Measure, print a table and write the figures.

    Raises:
        ValueError: A case fails.
        OSError: The figures cannot be written.
    """
    bar = Bar("bench")
    rows = measure_speed(bar.show)
    if chosen.json:
        atomic_write(chosen.json, json.dumps(rows, indent=1) + "\n")
    print(f"{platform.machine()}, Python {platform.python_version()}, one thread")
    columns = ("median ms", "99 % ms", "seconds", "frames/s", "peak MB")
    print(f"{'':26}", *(f"{title:>10}" for title in columns))
    for row in rows:
        keys = ("median_ms", "p99_ms", "seconds", "frames_per_second", "memory_mb")
        print(f"{_title(row):26}", *(f"{_shown(row.get(key)):>10}" for key in keys))
    return 0


def _title(row: dict) -> str:
    case, argument = row["case"], row["argument"]
    if case == "characters":
        return f"{argument} live at once"
    return _TITLES.get((case, argument), f"clip of {argument} s")


def _shown(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if value >= 100.0 else f"{value:.2f}"
