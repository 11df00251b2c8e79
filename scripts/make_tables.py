# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the model card's table of disturbances, or the table of any number of trackers.

Each row is one run of `python -m ssrhmr_core evaluate` with the arguments that the table prints
with it, or two of them in the table of trackers. Rows that the JSON file already has are not
measured again, so an interrupted run resumes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.kept_rows import KeptRows
from ssrhmr_core import TRACKERS

NO_FEET, NO_PELVIS = ("left_foot:all", "right_foot:all"), ("pelvis:all",)


def drops(*lost: str) -> list[str]:
    """Return the arguments that lose trackers, each TRACKER:SECONDS or TRACKER:all."""
    return [word for tracker in lost for word in ("--drop", tracker)]


ROWS: dict[str, list[str]] = {
    "ideal": [],
    "the performer known from earlier frames only": ["--causal"],
    "feet planted": ["--planting", "1"],
    "network stage alone": ["--stage", "network"],
    "ik preset": ["--preset", "ik"],
    "noise 1 mm, 0.2 degrees": ["--noise", "1,0.2"],
    "noise 5 mm, 1 degree": ["--noise", "5,1"],
    "noise 10 mm, 2 degrees": ["--noise", "10,2"],
    "20 random bodies a clip": ["--bodies", "20"],
    "no pelvis": drops(*NO_PELVIS),
    "no feet": drops(*NO_FEET),
    "head and hands alone": drops(*NO_FEET, *NO_PELVIS),
    **{
        f"{tracker} lost for {seconds} s": drops(f"{tracker}:{seconds}")
        for tracker in TRACKERS
        for seconds in (0.1, 0.5, 2, 10)
    },
}
POINTS: dict[str, list[str]] = {
    "six": [],
    "and elbows": ["--extra", "elbows"],
    "and knees": ["--extra", "knees"],
    "and elbows, knees": ["--extra", "elbows,knees"],
    "and elbows, knees, chest": ["--extra", "elbows,knees,chest"],
    "and elbows' rotations": ["--extra", "elbows:rotation"],
    "and knees' rotations": ["--extra", "knees:rotation"],
    "and rotations of elbows, knees": ["--extra", "elbows:rotation,knees:rotation"],
    "and rotations of elbows, knees, chest": [
        "--extra",
        "elbows:rotation,knees:rotation,chest:rotation",
    ],
    "five, no pelvis": ["--only", "head,left_hand,right_hand,left_foot,right_foot"],
    "four, no feet": ["--only", "pelvis,head,left_hand,right_hand"],
    "three, head and hands": ["--only", "head,left_hand,right_hand"],
}
"""The trackers that performers wear, by the names of the table's rows."""
NOISY, WORN = ["--noise", "5,1"], ["--worn", "pose"]
POINT_RUNS = {
    **{name: [*arguments, *WORN] for name, arguments in POINTS.items()},
    **{f"{name}; noisy": [*arguments, *NOISY] for name, arguments in POINTS.items()},
}
POINT_COLUMNS = (
    "mpjpe_mm",
    "mpjre_deg",
    "noisy mpjpe_mm",
    "noisy mpjre_deg",
    "worn_mpjpe_mm",
    "worn_mpjre_deg",
    "foot_skate_cm_s",
    "certainty_spearman",
    "certainty_worst_tenth_share",
    "certainty_ratio",
)
COLUMNS = (
    "mpjpe_mm",
    "mpeepe_mm",
    "mpeepe_p95_mm",
    "mpjre_deg",
    "mpjve_cm_s",
    "jitter",
    "jitter_gt",
    "foot_skate_cm_s",
    "foot_sunk_p99_mm",
    "lost_mpjpe_mm",
    "lost_jump_mm",
)


def run_evaluation(clips: str, arguments: list[str]) -> dict:
    """Run one evaluation in a process of its own and return its figures."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "figures.json"
        command = [sys.executable, "-m", "ssrhmr_core", "evaluate", clips, *arguments]
        subprocess.run(
            [*command, "--json", str(out)],
            check=True,
            capture_output=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        return json.loads(out.read_text(encoding="utf-8"))


def measure_rows(
    clips: str, out: Path, rows: dict[str, list[str]], jobs: int | None = None
) -> dict[str, dict]:
    """Measure the rows that ``out`` lacks, some at a time, and return all that it has."""
    figures = KeptRows(out)
    lock = Lock()

    def run(name: str) -> None:
        row = run_evaluation(clips, rows[name])
        with lock:
            figures.keep(name, row)
        print(f"measured: {name}", file=sys.stderr)

    with ThreadPoolExecutor(jobs or os.cpu_count()) as pool:
        list(pool.map(run, [name for name in rows if name not in figures]))
    return figures


def print_table(figures: dict[str, dict]) -> None:
    """Print the measured rows of disturbances as Markdown."""
    _print_head(COLUMNS)
    for name, arguments in ROWS.items():
        if name in figures:
            _print_row(name, [figures[name]["pooled"][column] for column in COLUMNS], arguments)


def print_points(figures: dict[str, dict]) -> None:
    """Print the measured rows of trackers as Markdown: ideal ones, noisy ones, worn ones."""
    _print_head(POINT_COLUMNS)
    for name, arguments in POINTS.items():
        if name not in figures or f"{name}; noisy" not in figures:
            continue
        row = figures[name]["pooled"]
        noisy = {
            f"noisy {column}": value
            for column, value in figures[f"{name}; noisy"]["pooled"].items()
        }
        _print_row(name, [(row | noisy)[column] for column in POINT_COLUMNS], arguments)


def _print_head(columns: tuple[str, ...]) -> None:
    print("| trackers |", " | ".join(columns), "| command |")
    print("|---|" + "---|" * (len(columns) + 1))


def _print_row(name: str, values: list[float | None], arguments: list[str]) -> None:
    cells = ("-" if value is None else f"{value:.2f}" for value in values)
    print(f"| {name} |", " | ".join(cells), f"| `{' '.join(arguments)}` |")


def main() -> None:
    """Measure what is missing, and print all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clips", metavar="SPLIT.json#KEY", help="clips, as evaluate takes them")
    parser.add_argument("out", type=Path, metavar="OUT.json", help="file that keeps the figures")
    parser.add_argument(
        "words", nargs="*", help="measure only rows whose names contain these words"
    )
    parser.add_argument(
        "--points",
        action="store_true",
        help="the table of any number of trackers: ideal, noisy, and as worn",
    )
    parser.add_argument("--jobs", type=int, help="rows at a time; by default one for each core")
    chosen = parser.parse_intermixed_args()
    words = " ".join(chosen.words)
    rows = POINT_RUNS if chosen.points else ROWS
    rows = {name: arguments for name, arguments in rows.items() if words in name}
    figures = measure_rows(chosen.clips, chosen.out, rows, chosen.jobs)
    (print_points if chosen.points else print_table)(figures)


if __name__ == "__main__":
    main()
