# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the model card's table: scripts/make_ablations.py CORPUS OUT.json [STEPS [PAPER.npz]].

Its first rows are finished models: the shipped one, the published architecture if PAPER.npz has
weights of `train --preset paper`, and the ik preset. The others are trained for so many steps from
the same random weights and windows, with one ingredient left out. All are scored on the same clips,
every third of the corpus' validation list. CORPUS is a folder with a split.json. Rows that OUT.json
has already are not measured again, so an interrupted run goes on.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ssrhmr_core.evaluation.evaluate import Disturbance, Scored, evaluate
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
    "no sensor model": Recipe(sensors=Sensors(worn=0.0, lost=0.0)),
    "not trained through the solve": Recipe(
        terms=Terms(position=0.0, rotation=0.0, velocity=0.0, learned=12.0)
    ),
}
COLUMNS = ("mpjpe_mm", "network", "mpjre_deg", "jitter", "noisy", "pelvis lost", "bodies")


def scored(clips: list[Path], preset: Scored = "ssrhmr", weights: Path | None = None) -> dict:
    """Measure the columns of one model; what takes long on every third clip."""
    few = clips[::3]

    def pooled(paths: list[Path], **how: Any) -> dict:
        return evaluate(paths, preset, weights=weights, **how)["pooled"]

    ideal = pooled(clips)
    row = {
        "mpjpe_mm": ideal["mpjpe_mm"],
        "network": pooled(clips, stage="network")["mpjpe_mm"],
        "mpjre_deg": ideal["mpjre_deg"],
        "jitter": ideal["jitter"],
        "noisy": pooled(few, disturbance=_NOISE)["mpjpe_mm"],
        "bodies": pooled(few, bodies=5)["mpjpe_mm"],
    }
    if preset == "ssrhmr":  # The others cannot fill in.
        row["pelvis lost"] = pooled(few, disturbance=_LOSS)["lost_mpjpe_mm"]
    return row


def main() -> None:
    """Train and score what is missing, print all."""
    corpus, out = Path(sys.argv[1]), Path(sys.argv[2])
    steps = int(sys.argv[3]) if len(sys.argv) > 3 else 400
    paper = Path(sys.argv[4]) if len(sys.argv) > 4 else None
    torch.set_num_threads(1)
    split = corpus / "split.json"
    clips = find_motions([f"{split}#train"])
    unseen = find_motions([f"{split}#validation"])[::3]
    found = json.loads(out.read_text(encoding="utf-8")) if out.exists() else {}

    def note(name: str, row: dict) -> None:
        found[name] = row
        out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")

    finished: dict[str, tuple[Scored, Path | None]] = {
        "shipped": ("ssrhmr", None),
        "no network (ik)": ("ik", None),
    }
    if paper:
        finished["published architecture"] = ("paper", paper)
    for name, (preset, file) in finished.items():
        if name not in found:
            note(name, scored(unseen, preset, file))
    for number, (name, recipe) in enumerate(ROWS.items()):
        if name in found:
            continue
        weights = out.with_name(f"{out.stem}-{number}.npz")
        train(clips, weights, replace(recipe, steps=steps), _show)
        note(name, {"steps": steps, **scored(unseen, weights=weights)})
    print("| model, or what is left out |", " | ".join(COLUMNS), "|")
    print("|---|" + "---|" * len(COLUMNS))
    for name, row in found.items():
        cells = (f"{row[column]:.2f}" if column in row else "-" for column in COLUMNS)
        print(f"| {name} |", " | ".join(cells), "|")


def _show(share: float, line: str) -> None:
    if share:
        print(f"{share:.0%} {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
