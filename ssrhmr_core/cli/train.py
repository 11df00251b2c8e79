# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the model on motion files (needs torch)."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from ..formats import find_motions
from ..model.weights import weights_header
from .progress import Bar


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--data",
        required=True,
        help="folder of motion files, or FILE.json#KEY; a folder with a split.json stands for its"
        " train list",
    )
    parser.add_argument("--out", type=Path, required=True, help="the weights file to write")
    parser.add_argument(
        "--preset",
        choices=("ssrhmr", "paper"),
        default="ssrhmr",
        help="paper stands for the published architecture and losses",
    )
    parser.add_argument("--minutes", type=float, default=60.0, help="how long to train")
    parser.add_argument(
        "--steps",
        type=int,
        default=0,
        help="how many steps to train instead, which gives the same result each time",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the random numbers")
    parser.add_argument(
        "--start",
        type=Path,
        metavar="FILE.npz",
        help="weights to start from, to fine-tune them on your own data",
    )


def run(chosen: argparse.Namespace) -> int:
    """Train, resuming an interrupted run from its checkpoint.

    Raises:
        ValueError: There is no motion, or torch is not installed.
        OSError: A file cannot be read or written.
    """
    try:
        from ..training.train import PAPER, Recipe, train
    except ImportError as error:
        raise ValueError(f"training needs torch: pip install torch ({error})") from error
    split = Path(chosen.data) / "split.json"
    paths = find_motions([f"{split}#train" if split.is_file() else chosen.data])
    bar = Bar("train")
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    recipe = PAPER if chosen.preset == "paper" else Recipe()
    recipe = replace(recipe, minutes=chosen.minutes, steps=chosen.steps, seed=chosen.seed)

    def show(share: float, text: str) -> None:
        bar.show(min(share, 0.99), text)

    train(paths, chosen.out, recipe, show, chosen.start)
    bar.show(1.0)
    header = weights_header(chosen.out)
    print(
        f"{chosen.out}: trained on {len(paths)} clips, {header['steps']} steps in"
        f" {header['minutes']:g} minutes"
    )
    return 0
