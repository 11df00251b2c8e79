# SPDX-License-Identifier: GPL-3.0-or-later
"""How well bones are detected: family by family, and what confidence is worth.

python -m tests.core.rigs.table [--rigs N] [--asked CONFIDENCE] [--wrong]
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from ssrhmr_core.body.skeleton import JOINTS, REQUIRED_JOINTS
from ssrhmr_core.rigs.bone_mapping import NONE, BoneMapping, map_bones
from tests.core.example_rigs import RIGS, family_of
from tests.core.rigs.generator import HOMEMADE, GeneratedRig, draw_rig

ASKED = 0.7
"""Confidence below which the user is asked."""
BINS = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 1.01)


@dataclass
class Score:
    """Counts of slots, and the confidence of each mapped bone with whether it is right."""

    counts: Counter[str] = field(default_factory=Counter)
    mapped: list[tuple[float, bool]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def add(self, rig: GeneratedRig, mapping: BoneMapping, asked_below: float) -> None:
        """Count the slots of a rig."""
        for joint, name in enumerate(JOINTS):
            bone, right = int(mapping.bones[joint]), rig.right.get(joint, frozenset())
            confidence = round(float(mapping.confidence[joint]), 4)
            fits = bone in right if bone != NONE else not right or joint in rig.optional
            if bone != NONE:
                self.mapped.append((confidence, fits))
            missing = bone == NONE and joint in REQUIRED_JOINTS
            asked = joint in mapping.ambiguous or missing or 0.0 < confidence < asked_below
            kind = "asked" if asked else "right" if fits else "wrong"
            if kind == "wrong" and bone == NONE:
                kind = "left empty"
            self.counts[kind] += 1
            self.counts["asked, right"] += kind == "asked" and fits
            self.counts["wrong at 0.9"] += confidence >= 0.9 and not fits
            if kind in ("wrong", "left empty"):
                chosen = rig.names[bone] if bone != NONE else "-"
                wanted = "/".join(sorted(rig.names[b] for b in right)) or "-"
                self.wrong.append(
                    f"{rig.kind} {rig.traits}: {name} {chosen} ({confidence:.2f}), not {wanted}"
                    f" [{mapping.family}]"
                )

    def row(self, title: str) -> str:
        """Return a line of the table."""
        columns = ("right", "asked", "asked, right", "wrong", "left empty", "wrong at 0.9")
        return f"{title:38}" + "".join(f"{self.counts[column]:13}" for column in columns)


def score_rigs(rigs: int, asked_below: float = ASKED) -> dict[str, Score]:
    """Draw rigs of every kind and map them; return a score a family and one for all."""
    scores: dict[str, Score] = {"all": Score(), "all, named": Score(), "all, nameless": Score()}
    for kind in (*sorted(RIGS), HOMEMADE):
        for seed in range(rigs):
            rig = draw_rig(kind, seed)
            mapping = map_bones(rig.names, rig.parents, rig.positions)
            group = "all, nameless" if rig.nameless else "all, named"
            for title in (family_of(kind), "all", group):
                scores.setdefault(title, Score()).add(rig, mapping, asked_below)
    return scores


def print_calibration(score: Score) -> None:
    """Print the share of right bones by confidence."""
    confidence = np.array([entry[0] for entry in score.mapped])
    right = np.array([entry[1] for entry in score.mapped])
    print("\nconfidence    bones    right")
    for low, high in pairwise(BINS):
        inside = (confidence >= low) & (confidence < high)
        share = f"{100.0 * right[inside].mean():7.2f} %" if inside.any() else "        -"
        print(f"{low:.1f} - {min(high, 1.0):.1f}  {inside.sum():7}  {share}")
    sure = confidence >= 0.9
    print(f"0.9 and above: {100.0 * right[sure].mean():.2f} % of {sure.sum()}")


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rigs", type=int, default=6, help="rigs to draw of each kind")
    parser.add_argument("--asked", type=float, default=ASKED, help="confidence that is asked below")
    parser.add_argument("--wrong", action="store_true", help="list every wrong slot")
    options = parser.parse_args()
    scores = score_rigs(options.rigs, options.asked)
    titles = ("right", "asked", "asked, right", "wrong", "left empty", "wrong at 0.9")
    print(f"{options.rigs * (len(RIGS) + 1)} rigs, {len(JOINTS)} slots each")
    print(f"{'family':38}" + "".join(f"{title:>13}" for title in titles))
    for title in (*sorted(set(scores) - {"all", "all, named", "all, nameless"}),):
        print(scores[title].row(title))
    for title in ("all, named", "all, nameless", "all"):
        print(scores[title].row(title))
    print_calibration(scores["all"])
    if options.wrong:
        print("\n" + "\n".join(scores["all"].wrong))


if __name__ == "__main__":
    main()
