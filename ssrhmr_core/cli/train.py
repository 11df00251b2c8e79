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
        help="folder of motion files (of one with a split.json, its train list), or FILE.json#KEY",
    )
    parser.add_argument("--out", type=Path, required=True, help="the weights file to write")
    parser.add_argument(
        "--preset",
        choices=("ssrhmr", "paper"),
        default="ssrhmr",
        help="paper: the published architecture and losses, to compare with",
    )
    parser.add_argument("--minutes", type=float, default=60.0, help="length of the run")
    parser.add_argument(
        "--steps", type=int, default=0, help="length in steps instead, for the same result again"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--start", type=Path, metavar="FILE.npz", help="go on from these weights, on your own data"
    )


def run(chosen: argparse.Namespace) -> None:
    """Train; an interrupted run goes on where its checkpoint is.

    Raises:
        ValueError: if there is no motion, or no torch.
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
