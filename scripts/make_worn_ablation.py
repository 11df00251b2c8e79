# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure where the errors of trackers as people wear them come from.

Each row calibrates drawn performers as `evaluate --worn` does, with some values replaced by the
true ones or with some evidence left out. Rows that the JSON file already has are not measured
again, so an interrupted run resumes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.kept_rows import KeptRows
from ssrhmr_core.body.skeleton import FOOT_TRACKERS, TRACKERS, Skeleton
from ssrhmr_core.evaluation.metrics import FIRST_FRAME
from ssrhmr_core.evaluation.worn import score
from ssrhmr_core.evaluation.worn.mounts import Mounts
from ssrhmr_core.evaluation.worn.score import (
    WornTrackers,
    pool_worn_errors,
    score_worn,
    summarize_worn_errors,
)
from ssrhmr_core.formats import find_motions, load_motion
from ssrhmr_core.pipeline import Reconstructor
from ssrhmr_core.tracking.calibration import Calibration
from ssrhmr_core.tracking.movement import calibration as movement_calibration
from ssrhmr_core.tracking.movement import fit as movement_fit
from ssrhmr_core.tracking.movement.calibration import calibrate_from_movement
from ssrhmr_core.tracking.movement.evidence import GUIDED
from ssrhmr_core.tracking.movement.residuals import add_changes
from ssrhmr_core.tracking.pose_priors import REDUCED_NAMES

_ALL = range(len(TRACKERS))
_HANDS = (TRACKERS.index("left_hand"), TRACKERS.index("right_hand"))
_COLUMNS = ("worn_mpjpe_mm", "worn_mpjre_deg", "bone_percent")

Alter = Callable[[Calibration, Mounts, Skeleton], Calibration]


def true_mounts(offsets: tuple[int, ...] = (), rotations: tuple[int, ...] = ()) -> Alter:
    """Return a function that gives some trackers their true offsets and rotations."""

    def alter(calibration: Calibration, mounts: Mounts, body: Skeleton) -> Calibration:
        moved, turned = calibration.mount_offsets.copy(), calibration.mount_rotations.copy()
        moved[list(offsets)] = mounts.mount_offsets()[list(offsets)]
        turned[list(rotations)] = mounts.mount_rotations()[list(rotations)]
        return replace(calibration, mount_offsets=moved, mount_rotations=turned)

    return alter


def true_bones(calibration: Calibration, mounts: Mounts, body: Skeleton) -> Calibration:
    """Give a performer the true body."""
    return replace(calibration, performer=body)


def _nothing(*_: Any) -> None:
    """Add no evidence."""


def _no_changes(equations: Any, *_: Any) -> np.ndarray:
    """Let joints change from frame to frame at no price."""
    frames = len(equations.poses) - 1
    return np.zeros((frames, len(REDUCED_NAMES)))


@dataclass(frozen=True)
class Row:
    """One row of the table.

    Attributes:
        worn: How trackers are worn and calibrated.
        alter: What is replaced by the truth, None for nothing.
        left_out: Evidence that the fit does without: name and replacement in `movement_fit`.
        habits: What is taken for usual of the guided movement instead.
    """

    worn: WornTrackers
    alter: Alter | None = None
    left_out: tuple[str, Any] | None = None
    habits: dict[str, float] | None = None


_POSE, _MOVEMENT = WornTrackers("pose"), WornTrackers("movement")
_MEASURED_POSE, _MEASURED = (
    WornTrackers("pose", "retarget"),
    WornTrackers("movement", "retarget"),
)
_EVERY = tuple(_ALL)
ROWS: dict[str, Row] = {
    "match, pose": Row(_POSE),
    "match, pose; true offsets": Row(_POSE, true_mounts(_EVERY)),
    "match, pose; true rotations": Row(_POSE, true_mounts((), _EVERY)),
    "match, pose; true mounts": Row(_POSE, true_mounts(_EVERY, _EVERY)),
    "match, movement": Row(_MOVEMENT),
    "match, movement; true offsets": Row(_MOVEMENT, true_mounts(_EVERY)),
    "match, movement; true rotations": Row(_MOVEMENT, true_mounts((), _EVERY)),
    "match, movement; true pelvis": Row(_MOVEMENT, true_mounts((0,), (0,))),
    "match, movement; true head": Row(_MOVEMENT, true_mounts((1,), (1,))),
    "match, movement; true hands": Row(_MOVEMENT, true_mounts(_HANDS, _HANDS)),
    "match, movement; true feet": Row(_MOVEMENT, true_mounts(FOOT_TRACKERS, FOOT_TRACKERS)),
    "match, movement without standing feet": Row(
        _MOVEMENT, left_out=("add_standing_foot", _nothing)
    ),
    "match, movement without held poses": Row(_MOVEMENT, left_out=("add_holds", _nothing)),
    "match, movement without usual mounts, floor": Row(
        _MOVEMENT, left_out=("add_usual_shared", _nothing)
    ),
    "match, movement without usual angles": Row(_MOVEMENT, left_out=("add_usual_angles", _nothing)),
    "match, movement without the price of changes": Row(
        _MOVEMENT, left_out=("add_changes", _no_changes)
    ),
    "match, movement, all joints equally free to change": Row(
        _MOVEMENT,
        habits=dict.fromkeys(
            ("neck_change", "leg_change", "proximal_change"), GUIDED.distal_change
        ),
    ),
    "retarget, pose": Row(_MEASURED_POSE),
    "retarget, pose; true bones": Row(_MEASURED_POSE, true_bones),
    "retarget, pose; true mounts": Row(_MEASURED_POSE, true_mounts(_EVERY, _EVERY)),
    "retarget, movement": Row(_MEASURED),
    "retarget, movement; true bones": Row(_MEASURED, true_bones),
    "retarget, movement; true mounts": Row(_MEASURED, true_mounts(_EVERY, _EVERY)),
}


_fits: dict[tuple[Any, ...], Any] = {}
"""What the movements of sessions told; rows that only put in true values share it."""


@contextmanager
def changed_fit(row: Row, number: int) -> Iterator[None]:
    """Leave out what a row leaves out."""
    key = (row.worn, row.left_out, tuple((row.habits or {}).items()), number)

    def calibrate(*arguments: Any) -> Any:
        if key not in _fits:
            _fits[key] = calibrate_from_movement(*arguments)
        return _fits[key]

    habits = replace(GUIDED, **(row.habits or {}))
    name, replacement = row.left_out or ("add_changes", add_changes)
    with (
        mock.patch.object(score, "calibrate_from_movement", calibrate),
        mock.patch.object(movement_calibration, "GUIDED", habits),
        mock.patch.object(movement_fit, name, replacement),
    ):
        yield


def measure_row(paths: list[Path], every: int, row: Row) -> dict[str, Any]:
    """Score every so many clips, numbered as `evaluate` numbers the whole list."""
    errors = []
    for number in range(0, len(paths), every):
        clip = load_motion(paths[number]).resampled()
        if len(clip) <= FIRST_FRAME:
            continue
        with changed_fit(row, number):
            errors.append(
                score_worn(
                    clip,
                    row.worn,
                    number,
                    lambda skeleton, take: Reconstructor(skeleton).clip(take),
                    alter=row.alter,
                )
            )
    return summarize_worn_errors(pool_worn_errors(errors)) | {"clips": len(errors)}


def print_table(figures: dict[str, dict[str, Any]]) -> None:
    """Print the measured rows as Markdown."""
    print("| calibration | MPJPE mm | MPJRE deg | mounts mm | mounts deg | bones % |")
    print("|---|---|---|---|---|---|")
    for name in ROWS:
        if name not in figures:
            continue
        own = figures[name]
        cells = (
            *(own[column] for column in _COLUMNS[:2]),
            own["mount_mm"]["mean"],
            own["mount_deg"]["mean"],
            own["bone_percent"],
        )
        print(f"| {name} |", " | ".join(f"{value:.1f}" for value in cells), "|")


def main() -> None:
    """Measure what is missing, and print all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clips", metavar="SPLIT.json#KEY", help="clips, as evaluate takes them")
    parser.add_argument("out", type=Path, metavar="OUT.json", help="file that keeps the figures")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="each Nth clip alone")
    chosen = parser.parse_args()
    paths, figures = find_motions([chosen.clips]), KeptRows(chosen.out)
    for name, row in ROWS.items():
        if name in figures:
            continue
        figures.keep(name, measure_row(paths, chosen.every, row))
        print(f"measured: {name}", file=sys.stderr, flush=True)
    print_table(figures)


if __name__ == "__main__":
    main()
