# SPDX-License-Identifier: GPL-3.0-or-later
"""Print the body shapes of ssrhmr_core/tracking/body_shapes.py, measured on training clips.

    python scripts/measure_bodies.py SPLIT.json#train

One clip per performer counts; the folders of a path name the performer. Collections measure bodies
differently, so that each counts by the square root of its performers.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ssrhmr_core.body.skeleton import ADULT_SIZE, INDEX, MIRROR
from ssrhmr_core.formats import load_motion
from ssrhmr_core.tracking.proportions import make_adult

COMPONENTS = 6
TEXTBOOK_ADULTS = 9
SAME_SOURCE = {"cmu_amc2": "cmu_amc", "cmu_mb": "cmu_amc", "cmu_acrobatics": "cmu_amc"}
"""Collections that read the same recordings with the same skeletons."""
SIZES = (1.2, 2.08)
"""Sizes of adults in metres (:attr:`Skeleton.size`); others are recorded in unknown units."""


def measure_offsets(path: Path) -> np.ndarray | None:
    """Return the offsets (22, 3) of the symmetric body of adult size, None if it is no adult."""
    body = load_motion(path).skeleton
    if not SIZES[0] < body.size < SIZES[1]:
        return None
    offsets = body.offsets.astype(np.float64) * ADULT_SIZE / body.size
    symmetric: np.ndarray = 0.5 * (offsets + offsets[list(MIRROR)] * [-1.0, 1.0, 1.0])
    return symmetric


def main() -> None:
    """Print mean and components in tenths of a millimetre, one line a joint."""
    split, _, key = sys.argv[1].partition("#")
    first: dict[tuple[str, ...], str] = {}
    for clip in json.loads(Path(split).read_text(encoding="utf-8"))[key]:
        first.setdefault(tuple(clip.split("/")[:2]), clip)
    bodies, sources = [], []
    for (source, _), clip in first.items():
        offsets = measure_offsets(Path(split).parent / clip)
        if offsets is not None:
            bodies.append(offsets.ravel())
            sources.append(SAME_SOURCE.get(source, source))
    # The adult of textbooks counts like a collection of a few performers.
    adult = make_adult()
    bodies += [(adult.offsets * np.float64(ADULT_SIZE / adult.size)).ravel()] * TEXTBOOK_ADULTS
    sources += ["textbooks"] * TEXTBOOK_ADULTS
    weights = np.array([sources.count(source) ** -0.5 for source in sources])
    weights /= weights.sum()
    mean = weights @ np.array(bodies)
    _, spreads, axes = np.linalg.svd(np.sqrt(weights)[:, None] * (np.array(bodies) - mean))
    shapes = [mean, *(spreads[:COMPONENTS, None] * axes[:COMPONENTS])]
    for name, joint in INDEX.items():
        if name.startswith("right_") or name == "hips":
            continue
        row = np.rint(10000.0 * np.stack(shapes).reshape(-1, 22, 3)[:, joint]).astype(int)
        print(f'    "{name.removeprefix("left_")}": (')
        for vector in row.tolist():
            print(f"        ({vector[0]}, {vector[1]}, {vector[2]}),")
        print("    ),")


if __name__ == "__main__":
    main()
