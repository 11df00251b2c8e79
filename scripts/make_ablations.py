# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the model card's table of ingredients.

Its first rows are finished models: the shipped one, the published architecture if weights of
`train --preset paper` are given, and the ik preset. The others are trained for so many steps from
the same random weights and windows, with one ingredient left out. All are scored on the same clips,
every third of the corpus' validation list. Rows that the JSON file already has are not measured
again, so an interrupted run resumes.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.kept_rows import KeptRows
from ssrhmr_core.evaluation.evaluate import Disturbance, ScoredModel, evaluate
from ssrhmr_core.formats import find_motions
from ssrhmr_core.training.augment import Augmentation
from ssrhmr_core.training.model import Terms
from ssrhmr_core.training.sensors import Sensors
from ssrhmr_core.training.train import Recipe, train

_NOISE = Disturbance(noise_mm=5.0, noise_deg=1.0)
_LOSS = Disturbance(lost=(("pelvis", 2.0),))
ROWS = {
    "nothing": Recipe(),
    "no mixing of body parts": Recipe(augmentation=Augmentation(mix=0.0)),
    "no other proportions": Recipe(
        augmentation=Augmentation(other_body=0.0, bone_scale=0.0, offset=0.0, short_spine=0.0)
    ),
    "no change of speed and grip": Recipe(augmentation=Augmentation(warp=0.0, hold=0.0)),
    "no augmentation but the mirror": Recipe(
        augmentation=Augmentation(
            mix=0.0, other_body=0.0, bone_scale=0.0, offset=0.0, short_spine=0.0, hold=0.0, warp=0.0
        )
    ),
    "no sensor model": Recipe(sensors=Sensors(imperfect=0.0, lost=0.0)),
    "not trained through the solve": Recipe(
        terms=Terms(position=0.0, rotation=0.0, velocity=0.0, learned=12.0)
    ),
}
COLUMNS = ("mpjpe_mm", "network", "mpjre_deg", "jitter", "noisy", "pelvis lost", "bodies")


def score(clips: list[Path], model: ScoredModel) -> dict:
    """Measure the columns of one model; columns that take long use every third clip."""
    few = clips[::3]

    def pooled(paths: list[Path], **options: Any) -> dict:
        return evaluate(paths, model, **options)["pooled"]

    ideal = pooled(clips)
    network = evaluate(clips, replace(model, stage="network"))["pooled"]
    row = {
        "mpjpe_mm": ideal["mpjpe_mm"],
        "network": network["mpjpe_mm"],
        "mpjre_deg": ideal["mpjre_deg"],
        "jitter": ideal["jitter"],
        "noisy": pooled(few, disturbance=_NOISE)["mpjpe_mm"],
        "bodies": pooled(few, bodies=5)["mpjpe_mm"],
    }
    if model.preset == "ssrhmr":  # The others cannot fill in lost trackers.
        row["pelvis lost"] = pooled(few, disturbance=_LOSS)["lost_mpjpe_mm"]
    return row


def print_table(rows: KeptRows) -> None:
    """Print the rows as Markdown."""
    print("| model, or what is left out |", " | ".join(COLUMNS), "|")
    print("|---|" + "---|" * len(COLUMNS))
    for name, row in rows.items():
        cells = (f"{row[column]:.2f}" if column in row else "-" for column in COLUMNS)
        print(f"| {name} |", " | ".join(cells), "|")


def score_finished(rows: KeptRows, clips: list[Path], paper: Path | None) -> None:
    """Add the missing rows of models that need no training here."""
    models = {"shipped": ScoredModel(), "no network (ik)": ScoredModel(preset="ik")}
    if paper:
        models["published architecture"] = ScoredModel(preset="paper", weights=paper)
    for name, model in models.items():
        if name not in rows:
            rows.keep(name, score(clips, model))


def main() -> None:
    """Train and score what is missing, and print all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path, help="folder with a split.json")
    parser.add_argument("out", type=Path, metavar="OUT.json", help="file that keeps the figures")
    parser.add_argument("--steps", type=int, default=400, help="length of each run (default 400)")
    parser.add_argument(
        "--paper", type=Path, metavar="PAPER.npz", help="weights of `train --preset paper`"
    )
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    split = chosen.corpus / "split.json"
    clips = find_motions([f"{split}#train"])
    unseen = find_motions([f"{split}#validation"])[::3]
    rows = KeptRows(chosen.out)
    score_finished(rows, unseen, chosen.paper)
    for number, (name, recipe) in enumerate(ROWS.items()):
        if name in rows:
            continue
        weights = chosen.out.with_name(f"{chosen.out.stem}-{number}.npz")
        train(clips, weights, replace(recipe, steps=chosen.steps), show)
        rows.keep(name, {"steps": chosen.steps, **score(unseen, ScoredModel(weights=weights))})
    print_table(rows)


def show(share: float, line: str) -> None:
    """Print how far a run is."""
    if share:
        print(f"{share:.0%} {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
