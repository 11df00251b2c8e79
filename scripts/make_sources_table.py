# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure how recipes carry over to a source that training never saw.

For each recipe, the model is trained without one of the corpus' sources, from the same random
weights, and scored on clips of that source from the ``train`` list; the ``validation`` list is not
looked at. All of CMU is one source. Rows that the JSON file already has are not measured again, so
an interrupted run resumes.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.kept_rows import KeptRows
from scripts.make_ablations import show
from ssrhmr_core.evaluation.evaluate import ScoredModel, evaluate
from ssrhmr_core.formats import find_motions
from ssrhmr_core.training.sensors import Sensors
from ssrhmr_core.training.train import Recipe, train

SOURCES = ("accad", "mhad", "cmu")
RECIPES = {
    "shipped": Recipe(),
    "no performer context": Recipe(sensors=Sensors(unknown=1.0, unknown_lost=1.0)),
}
_SCORED = 48
"""Number of clips of a source that are scored, spread over it."""


def source_of(path: Path) -> str:
    """Return the source of a clip ``SET/SUBJECT/CLIP``."""
    return path.parts[-3].partition("_")[0]


def main() -> None:
    """Train and score what is missing, and print all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path, help="folder with a split.json")
    parser.add_argument("out", type=Path, metavar="OUT.json", help="file that keeps the figures")
    parser.add_argument("--steps", type=int, default=400, help="length of each run (default 400)")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    out: Path = chosen.out
    clips = find_motions([f"{chosen.corpus / 'split.json'}#train"])
    rows = KeptRows(out)
    for number, (name, recipe) in enumerate(RECIPES.items()):
        key = f"{name}, {chosen.steps} steps"
        for source in SOURCES:
            row = rows.get(key, {})
            if source in row:
                continue
            weights = out.with_name(f"{out.stem}-{source}-{number}-{chosen.steps}.npz")
            others = [clip for clip in clips if source_of(clip) != source]
            train(others, weights, replace(recipe, steps=chosen.steps), show)
            own = [clip for clip in clips if source_of(clip) == source]
            spread = np.linspace(0, len(own) - 1, min(_SCORED, len(own))).astype(int)
            pooled = evaluate([own[row] for row in spread], ScoredModel(weights=weights))["pooled"]
            figures = {field: float(pooled[field]) for field in ("mpjpe_mm", "mpjre_deg", "jitter")}
            rows.keep(key, {**row, source: figures})
    print("| recipe |", " | ".join(SOURCES), "|")
    print("|---|" + "---|" * len(SOURCES))
    for key, row in rows.items():
        cells = (f"{each['mpjpe_mm']:.2f} / {each['mpjre_deg']:.2f}" for each in row.values())
        print(f"| {key} |", " | ".join(cells), "|")


if __name__ == "__main__":
    main()
