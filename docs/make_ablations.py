"""Measure the model card's table of ingredients: docs/make_ablations.py CORPUS OUT.json [STEPS].

Every row is trained for so many steps from the same random weights and windows, with one ingredient
left out, and scored on every third of the corpus' validation clips. CORPUS is a folder with a
split.json. Rows that OUT.json has already are not trained again, so an interrupted run goes on.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import torch

from ssrhmr_core.evaluation.evaluate import Disturbance, evaluate
from ssrhmr_core.formats import find_motions
from ssrhmr_core.training.augment import Augmentation
from ssrhmr_core.training.model import Terms
from ssrhmr_core.training.sensors import Sensors
from ssrhmr_core.training.train import Recipe, train

_NOISE = Disturbance(noise_mm=5.0, noise_deg=1.0)
_LOSS = Disturbance(lost=(("pelvis", 2.0),))
ROWS = {
    "ours": Recipe(),
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


def main() -> None:
    """Train and score what is missing, print all."""
    corpus, out = Path(sys.argv[1]), Path(sys.argv[2])
    steps = int(sys.argv[3]) if len(sys.argv) > 3 else 400
    torch.set_num_threads(1)
    split = corpus / "split.json"
    clips = find_motions([f"{split}#train"])
    unseen = find_motions([f"{split}#validation"])[::3]
    found = json.loads(out.read_text(encoding="utf-8")) if out.exists() else {}
    for number, (name, recipe) in enumerate(ROWS.items()):
        if name in found:
            continue
        weights = out.with_name(f"{out.stem}-{number}.npz")
        train(clips, weights, replace(recipe, steps=steps), _show)
        few = unseen[::3]  # For what takes long.
        pooled = evaluate(unseen, weights=weights)["pooled"]
        found[name] = {
            "steps": steps,
            "mpjpe_mm": pooled["mpjpe_mm"],
            "network": evaluate(unseen, stage="network", weights=weights)["pooled"]["mpjpe_mm"],
            "mpjre_deg": pooled["mpjre_deg"],
            "jitter": pooled["jitter"],
            "noisy": evaluate(few, disturbance=_NOISE, weights=weights)["pooled"]["mpjpe_mm"],
            "pelvis lost": evaluate(few, disturbance=_LOSS, weights=weights)["pooled"][
                "lost_mpjpe_mm"
            ],
            "bodies": evaluate(few, weights=weights, bodies=5)["pooled"]["mpjpe_mm"],
        }
        out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print("| left out |", " | ".join(COLUMNS), "|")
    print("|---|" + "---|" * len(COLUMNS))
    for name, row in found.items():
        print(f"| {name} |", " | ".join(f"{row[column]:.2f}" for column in COLUMNS), "|")


def _show(share: float, line: str) -> None:
    if share:
        print(f"{share:.0%} {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
