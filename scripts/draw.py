# SPDX-License-Identifier: GPL-3.0-or-later
"""Draw pictures of the documents: stick figures, a gap, and the curve of a training run.

In stick figures the truth is grey behind the result in colour. Only this script needs matplotlib.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from ssrhmr_core.body.interpolation import MODEL_RATE  # noqa: E402
from ssrhmr_core.body.motion import Motion  # noqa: E402
from ssrhmr_core.body.skeleton import INDEX, JOINTS, PARENTS, TRACKER_JOINTS, TRACKERS  # noqa: E402
from ssrhmr_core.evaluation.metrics import FIRST_FRAME  # noqa: E402
from ssrhmr_core.formats import find_motions, load_motion  # noqa: E402
from ssrhmr_core.geometry.rotations import Y_AXIS, rotation_about  # noqa: E402
from ssrhmr_core.pipeline import Reconstructor  # noqa: E402
from ssrhmr_core.tracking.take import Take  # noqa: E402
from tests.core.stress import CASES  # noqa: E402

PICTURES = ROOT / "docs" / "pictures"
TRUTH_COLOUR = "0.7"
COLOURS = {"left": "tab:blue", "right": "tab:red"}
TRUNK_COLOUR = "tab:green"
_STRIP_FRAMES = 10
_STRIP_STEP = 1.3
"""Metres between two frames of a strip."""


class Moment(NamedTuple):
    """A pose to draw.

    Attributes:
        title: Text over the figures.
        truth: (22, 3) true joint positions.
        result: (22, 3) reconstructed joint positions.
        trackers: (6, 3) positions of the trackers.
        error: Mean distance of the joints, mm.
    """

    title: str
    truth: np.ndarray
    result: np.ndarray
    trackers: np.ndarray
    error: float = 0.0


def draw_pose(
    axes: Axes,
    positions: np.ndarray,
    view: np.ndarray,
    truth: bool,
    shift: np.ndarray | None = None,
) -> None:
    """Draw one pose (22, 3) in the axes of a view (3, 3), with its hips at a point (2,)."""
    flat = ((positions - positions[0]) @ view)[:, :2] + (0.0 if shift is None else shift)
    for joint, parent in enumerate(PARENTS[1:], 1):
        side = JOINTS[joint].partition("_")[0]
        axes.plot(
            flat[[parent, joint], 0],
            flat[[parent, joint], 1],
            color=TRUTH_COLOUR if truth else COLOURS.get(side, TRUNK_COLOUR),
            linewidth=5 if truth else 1.8,
            solid_capstyle="round",
        )


def draw_moments(moments: list[Moment], out: Path) -> None:
    """Draw moments side by side, each from the front and from the side."""
    figure, axes = plt.subplots(2, len(moments), figsize=(2.3 * len(moments), 6.0), squeeze=False)
    for column, moment in enumerate(moments):
        # The front is where the hips face: from the right hip to the left one is to the right.
        across = moment.truth[INDEX["left_hip"]] - moment.truth[INDEX["right_hip"]]
        front = rotation_about(Y_AXIS, np.arctan2(-across[2], across[0]))
        side = front @ np.array([[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
        for cell, view in zip(axes[:, column], (front, side), strict=True):
            draw_pose(cell, moment.truth, view, truth=True)
            draw_pose(cell, moment.result, view, truth=False)
            trackers = (moment.trackers - moment.truth[0]) @ view
            cell.plot(trackers[:, 0], trackers[:, 1], "k.", markersize=4)
            cell.set_aspect("equal")
            cell.axis("off")
        axes[0, column].set_title(moment.title, fontsize=8)
    _save(figure, out)


def find_moments(clips: str) -> list[Moment]:
    """Reconstruct clips and return a moment of every half second, from best to worst."""
    moments: list[Moment] = []
    for path in find_motions([clips]):
        truth = load_motion(path).resampled()
        if len(truth) <= FIRST_FRAME + 60:
            continue
        result = Reconstructor(truth.skeleton).clip(Take.from_motion(truth))
        true_positions, positions = truth.positions(), result.positions()
        errors = 1000.0 * np.linalg.norm(positions - true_positions, axis=-1).mean(-1)
        smooth = np.linalg.norm(np.diff(true_positions, axis=0), axis=-1).max(-1) < 0.2
        name = f"{path.parts[-3]}/{path.parts[-2]}\n{path.name.split('.')[0]}"
        for frame in range(FIRST_FRAME, len(truth) - 1, 30):
            if smooth[frame]:
                joints = true_positions[frame]
                trackers = joints[list(TRACKER_JOINTS)]
                moments.append(Moment(name, joints, positions[frame], trackers, errors[frame]))
    return sorted(moments, key=lambda moment: moment.error)


def draw_best_to_worst(clips: str, out: Path) -> None:
    """Draw three best, median and worst moments of clips, each from another clip."""
    moments = find_moments(clips)
    chosen: list[Moment] = []
    for candidates in (moments, moments[len(moments) // 2 :], moments[::-1]):
        names: set[str] = set()
        for moment in candidates:
            if moment.title not in names and len(names) < 3:
                names.add(moment.title)
                title = f"{moment.title}\n{moment.error:.1f} mm"
                chosen.append(moment._replace(title=title))
    draw_moments(chosen, out)


def draw_strips(clips: list[str], out: Path) -> None:
    """Draw clips as strips of frames, one below the other, seen from the side of the first frame.

    Args:
        clips: Motion files, each with the seconds from its first frame at which its strip begins
            and the seconds between frames, as in FILE@2.5@0.4.
        out: Picture to write.
    """
    figure, axes = plt.subplots(len(clips), figsize=(14.0, 2.6 * len(clips)), squeeze=False)
    for cell, clip in zip(axes[:, 0], clips, strict=True):
        name, begin, step = clip.rsplit("@", 2)
        truth = load_motion(Path(name)).resampled()
        result = Reconstructor(truth.skeleton).clip(Take.from_motion(truth))
        true_positions, positions = truth.positions(), result.positions()
        frames = np.arange(_STRIP_FRAMES) * round(float(step) * MODEL_RATE)
        frames = np.minimum(frames + round(float(begin) * MODEL_RATE), len(truth) - 1)
        view = _side_view(true_positions[frames])
        for number, frame in enumerate(frames):
            shift = np.array([_STRIP_STEP * number, true_positions[frame, 0, 1]])
            draw_pose(cell, true_positions[frame], view, truth=True, shift=shift)
            draw_pose(cell, positions[frame], view, truth=False, shift=shift)
        errors = 1000.0 * np.linalg.norm(positions - true_positions, axis=-1).mean(-1)
        cell.axhline(0.0, color="0.85", linewidth=1.0, zorder=0)
        cell.set_title(
            f"{Path(name).name.split('.')[0]}: {errors[FIRST_FRAME:].mean():.1f} mm", fontsize=9
        )
        cell.set_aspect("equal")
        cell.axis("off")
    _save(figure, out)


def _side_view(positions: np.ndarray) -> np.ndarray:
    """Return the axes (3, 3) of a view across the direction in which a body points or moves.

    Args:
        positions: (F, 22, 3) joints.
    """
    # From feet to head and from place to place: what is longer than it is wide, lies to the right.
    flat = (positions - positions[:, :1])[..., [0, 2]].reshape(-1, 2)
    flat = np.concatenate([flat, 2.0 * (positions[:, 0] - positions[:, 0].mean(0))[:, [0, 2]]])
    along = np.linalg.eigh(flat.T @ flat)[1][:, 1]
    return np.array([[along[0], 0.0, -along[1]], [0.0, 1.0, 0.0], [along[1], 0.0, along[0]]])


def draw_stress_set(out: Path) -> None:
    """Draw a telling moment of each motion of the stress set."""
    moments = []
    for name, make in CASES.items():
        motion, take = make()
        result = Reconstructor(motion.skeleton).clip(take)
        frame = _telling_frame(motion, take)
        truth, positions = motion.positions()[frame], result.positions()[frame]
        moments.append(Moment(name.replace(", ", "\n"), truth, positions, take.positions[frame]))
    draw_moments(moments, out)


def _telling_frame(motion: Motion, take: Take) -> int:
    """Return the last frame of a motion that ends in its pose, else the one far from the first."""
    relative = take.positions - take.positions[:, :1]
    if np.abs(relative[-1] - relative[-20]).max() < 0.01:
        return len(motion) - 1
    return int(np.linalg.norm(relative - relative[0], axis=-1).sum(-1).argmax())


def draw_gap(path: Path, begin: float, out: Path) -> None:
    """Draw how a lost left hand is filled in live and by a bake.

    Args:
        path: A motion file.
        begin: Seconds at which the hand is lost for two seconds.
        out: Picture to write.
    """
    truth = load_motion(path).resampled()
    take, hand = Take.from_motion(truth), TRACKERS.index("left_hand")
    first = round(begin * MODEL_RATE)
    gap = slice(first, first + 2 * round(MODEL_RATE))
    take.valid[gap, hand] = False
    reconstructor = Reconstructor(truth.skeleton)
    paths = {
        "true": (truth, TRUTH_COLOUR),
        "live": (reconstructor.replay(take)[0], COLOURS["left"]),
        "baked": (reconstructor.clip(take), TRUNK_COLOUR),
    }
    figure, axes = plt.subplots(figsize=(7, 2.8))
    shown = slice(gap.start - round(MODEL_RATE), gap.stop + round(MODEL_RATE))
    for name, (motion, colour) in paths.items():
        wrist = motion.positions()[shown, TRACKER_JOINTS[hand]]
        axes.plot(truth.times[shown] - truth.times[first], wrist[:, 1], color=colour, label=name)
    axes.axvspan(0.0, 2.0, color="0.95")
    axes.set_xlabel("seconds after the left hand was lost")
    axes.set_ylabel("height of the wrist, m")
    axes.legend()
    _save(figure, out)


def draw_log(path: Path, out: Path) -> None:
    """Draw the curve of a training run."""
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    figure, axes = plt.subplots(figsize=(7, 3.5))
    steps = [int(row["step"]) for row in rows]
    for name in ("position", "learned", "guess", "filled"):
        axes.plot(steps, [float(row[name]) for row in rows], label=name)
    axes.set_yscale("log")
    axes.set_xlabel("step")
    axes.set_ylabel("terms of the loss, sizes of the body")
    axes.legend()
    _save(figure, out)


def _save(figure: Figure, out: Path) -> None:
    figure.tight_layout()
    figure.savefig(out, dpi=90)
    print(out)


def main() -> None:
    """Draw one picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    pictures = parser.add_subparsers(dest="picture", required=True)
    moments = pictures.add_parser("moments", help="best, median and worst moments of clips")
    moments.add_argument("clips", metavar="SPLIT.json#KEY", help="clips, as evaluate takes them")
    strips = pictures.add_parser("strips", help="strips of frames of clips")
    strips.add_argument("clips", nargs="+", metavar="FILE@BEGIN@STEP", help="clips, and seconds")
    pictures.add_parser("stress", help="a moment of each motion of the stress set")
    lost = pictures.add_parser("gap", help="a lost hand, live and baked")
    lost.add_argument("file", type=Path, help="motion file")
    lost.add_argument("begin", type=float, help="seconds at which the hand is lost")
    log = pictures.add_parser("log", help="the curve of a training run")
    log.add_argument("file", type=Path, metavar="FILE.log.csv", help="log of `train`")
    for name, file in (
        ("moments", "moments"),
        ("strips", "strips"),
        ("stress", "stress"),
        ("gap", "gap"),
        ("log", "training"),
    ):
        pictures.choices[name].add_argument(
            "--out", type=Path, default=PICTURES / f"{file}.png", help="picture to write"
        )
    chosen = parser.parse_args()
    if chosen.picture == "moments":
        draw_best_to_worst(chosen.clips, chosen.out)
    elif chosen.picture == "strips":
        draw_strips(chosen.clips, chosen.out)
    elif chosen.picture == "stress":
        draw_stress_set(chosen.out)
    elif chosen.picture == "gap":
        draw_gap(chosen.file, chosen.begin, chosen.out)
    else:
        draw_log(chosen.file, chosen.out)


if __name__ == "__main__":
    main()
