# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the shipped weights.

A long run with strong augmentation comes first, then a short one from there with gentle
augmentation, and the result is the mean of both: the first knows more bodies, the second is nearer
to people, and the mean is better than either on both (Wortsman et al., "Model soups", 2022). A
third run then learns to read optional trackers and to predict errors, with all else fixed; of what
reads optional trackers, half is used, again as the mean with what it began with.
With ``--start`` the first run begins with earlier weights, at a lower rate. Interrupted runs resume
from their checkpoints.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ssrhmr_core.formats import find_motions
from ssrhmr_core.model import certainty
from ssrhmr_core.model.network import extra_shapes
from ssrhmr_core.model.weights import load_weights, save_weights, weights_header
from ssrhmr_core.training.augment import Augmentation
from ssrhmr_core.training.recipe import EXTRAS
from ssrhmr_core.training.train import Recipe, train

STEPS, GENTLE_STEPS, EXTRA_STEPS = 3400, 1400, 2000
STARTED_RATE = 3e-3
"""Learning rate of a first run that begins with earlier weights."""
GENTLE = Recipe(
    rate=2e-3,
    augmentation=Augmentation(
        mix=0.3,
        other_body=0.3,
        bone_scale=0.05,
        offset=0.004,
        short_spine=0.15,
        hold=0.06,
        warp=0.12,
    ),
)


def save_mean(first: Path, second: Path, out: Path) -> None:
    """Write the mean of two weights files; the header keeps those of both."""
    headers = [weights_header(path) for path in (first, second)]
    for header in headers:
        header.pop("format")
    a, b = load_weights(first), load_weights(second)
    mean = {name: (0.5 * (a[name] + b[name])).astype(np.float32) for name in a}
    facts = {
        "clips": headers[0]["clips"],
        "corpus_minutes": headers[0]["corpus_minutes"],
        "minutes": sum(header["minutes"] for header in headers),
        "steps": sum(header["steps"] for header in headers),
    }
    save_weights(out, mean, **facts, mean_of=headers)


def add_extras(base: Path, trained: Path, out: Path) -> None:
    """Write weights with half of what a run has learned of optional trackers, and its certainty."""
    header, facts = weights_header(base), weights_header(trained)
    header.pop("format")
    facts.pop("format")
    weights, learned = load_weights(base), load_weights(trained)
    for name in extra_shapes():
        weights[name] = (0.5 * learned[name]).astype(np.float32)
    for name in certainty.shapes():
        weights[name] = learned[name]
    save_weights(out, weights, **header, added={"extras": facts})


def main() -> None:
    """Train all runs and write what is made of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path, help="folder with a split.json")
    parser.add_argument(
        "out",
        type=Path,
        metavar="WEIGHTS.npz",
        help="weights file to write; its runs lie next to it",
    )
    parser.add_argument("--steps", type=int, default=STEPS, help="length of the first run")
    parser.add_argument(
        "--gentle-steps", type=int, default=GENTLE_STEPS, help="length of the second run"
    )
    parser.add_argument(
        "--extra-steps", type=int, default=EXTRA_STEPS, help="length of the third run"
    )
    parser.add_argument("--start", type=Path, metavar="WEIGHTS.npz", help="weights to begin with")
    parser.add_argument("--seed", type=int, default=0, help="seed of all runs (default 0)")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    clips = find_motions([f"{chosen.corpus / 'split.json'}#train"])
    out: Path = chosen.out
    strong, gentle, six, extras = (
        out.with_name(f"{out.stem}-{name}.npz") for name in ("strong", "gentle", "six", "extras")
    )
    first = Recipe(steps=chosen.steps, seed=chosen.seed)
    second = replace(GENTLE, steps=chosen.gentle_steps, seed=chosen.seed)
    third = replace(EXTRAS, steps=chosen.extra_steps, seed=chosen.seed)
    if chosen.start:
        first = replace(first, rate=STARTED_RATE)
    train(clips, strong, first, _show, chosen.start)
    train(clips, gentle, second, _show, strong)
    save_mean(strong, gentle, six)
    train(clips, extras, third, _show, six)
    add_extras(six, extras, out)


def _show(share: float, line: str) -> None:
    print(f"{share:.1%} {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
