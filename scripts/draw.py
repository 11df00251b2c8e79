# SPDX-License-Identifier: GPL-3.0-or-later
"""Draw the model card's pictures: scripts/draw.py moments SPLIT.json#KEY | stress | log FILE.csv.

Stick figures, the truth in grey over the result in colour, and the curve of a training run. Needs
matplotlib, which nothing else here does.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from ssrhmr_core.body.motion import Motion  # noqa: E402
from ssrhmr_core.body.skeleton import PARENTS, TRACKER_JOINTS  # noqa: E402
from ssrhmr_core.evaluation.metrics import FIRST_FRAME  # noqa: E402
from ssrhmr_core.formats import find_motions, load_motion  # noqa: E402
from ssrhmr_core.pipeline import Reconstructor  # noqa: E402
from ssrhmr_core.tracking.take import Take  # noqa: E402
from tests.core.stress import CASES  # noqa: E402

COLOURS = {"truth": "0.7", "left": "tab:blue", "right": "tab:red", "middle": "tab:green"}


def stick(axes: plt.Axes, points: np.ndarray, turn: np.ndarray, truth: bool) -> None:
    """Draw one pose (22, 3) seen from a side."""
    seen = (points - points[0]) @ turn
    for joint, parent in enumerate(PARENTS[1:], 1):
        side = "left" if 1 <= joint <= 4 or 14 <= joint <= 17 else "right"
        side = "middle" if 9 <= joint <= 13 else side
        axes.plot(
            seen[[parent, joint], 0],
            seen[[parent, joint], 1],
            color=COLOURS["truth" if truth else side],
            linewidth=5 if truth else 1.8,
            solid_capstyle="round",
        )


def figure(moments: list[tuple[str, np.ndarray, np.ndarray, np.ndarray]], out: Path) -> None:
    """Draw moments: a title, true joints, found joints, trackers; from the front and the side."""
    rows = 2
    shown, axes = plt.subplots(rows, len(moments), figsize=(2.3 * len(moments), 6.0), squeeze=False)
    for column, (title, truth, result, trackers) in enumerate(moments):
        # The front is where the hips face: from the right hip to the left one is to the right.
        across = truth[1] - truth[5]
        heading = np.arctan2(-across[2], across[0])
        cosine, sine = np.cos(heading), np.sin(heading)
        front = np.array([[cosine, 0.0, sine], [0.0, 1.0, 0.0], [-sine, 0.0, cosine]])
        side = front @ np.array([[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
        for row, turn in enumerate((front, side)):
            place = axes[row, column]
            stick(place, truth, turn, truth=True)
            stick(place, result, turn, truth=False)
            spots = (trackers - truth[0]) @ turn
            place.plot(spots[:, 0], spots[:, 1], "k.", markersize=4)
            place.set_aspect("equal")
            place.axis("off")
        axes[0, column].set_title(title, fontsize=8)
    shown.tight_layout()
    shown.savefig(out, dpi=90)
    print(out)


def moments(clips: str) -> None:
    """Best, median and worst moments of the validation clips, each from another clip."""
    found: list[tuple[float, str, np.ndarray, np.ndarray]] = []
    for path in find_motions([clips]):
        truth = load_motion(path).resampled()
        if len(truth) <= FIRST_FRAME + 60:
            continue
        result = Reconstructor(truth.skeleton).clip(Take.from_motion(truth))
        wanted, points = truth.positions(), result.positions()
        errors = 1000.0 * np.linalg.norm(points - wanted, axis=-1).mean(-1)
        moving = np.linalg.norm(np.diff(wanted, axis=0), axis=-1).max(-1) < 0.2
        for frame in range(FIRST_FRAME, len(truth) - 1, 30):
            if moving[frame]:
                name = f"{path.parts[-3]}/{path.parts[-2]}\n{path.name.split('.')[0]}"
                found.append((errors[frame], name, wanted[frame], points[frame]))
    found.sort(key=lambda moment: moment[0])
    chosen: list[tuple[float, str, np.ndarray, np.ndarray]] = []
    middle = len(found) // 2
    for part in (found, found[middle:], found[::-1]):
        names: set[str] = set()
        for moment in part:
            if moment[1] not in names and len(names) < 3:
                names.add(moment[1])
                chosen.append(moment)
    figure(
        [
            (f"{name}\n{error:.1f} mm", truth, result, truth[list(TRACKER_JOINTS)])
            for error, name, truth, result in chosen
        ],
        HERE.parent / "docs" / "pictures" / "moments.png",
    )


def stress() -> None:
    """A telling moment of each motion of the stress set."""
    shown = []
    for name, make in CASES.items():
        motion, take = make()
        result = Reconstructor(motion.skeleton).clip(take)
        frame = _telling(motion, take)
        truth, points = motion.positions()[frame], result.positions()[frame]
        shown.append((name.replace(", ", "\n"), truth, points, take.positions[frame]))
    figure(shown, HERE.parent / "docs" / "pictures" / "stress.png")


def _telling(motion: Motion, take: Take) -> int:
    """The last frame where a motion ends in its pose, else that farthest from its first."""
    away = take.positions - take.positions[:, :1]
    if np.abs(away[-1] - away[-20]).max() < 0.01:
        return len(motion) - 1
    return int(np.linalg.norm(away - away[0], axis=-1).sum(-1).argmax())


def log(path: str) -> None:
    """The curve of a training run."""
    with Path(path).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    shown, axes = plt.subplots(figsize=(7, 3.5))
    steps = [int(row["step"]) for row in rows]
    for name in ("position", "learned", "guess", "filled"):
        axes.plot(steps, [float(row[name]) for row in rows], label=name)
    axes.set_yscale("log")
    axes.set_xlabel("step")
    axes.set_ylabel("terms of the loss, sizes of the body")
    axes.legend()
    shown.tight_layout()
    out = HERE.parent / "docs" / "pictures" / "training.png"
    shown.savefig(out, dpi=90)
    print(out)


if __name__ == "__main__":
    {"moments": moments, "stress": stress, "log": log}[sys.argv[1]](*sys.argv[2:])
