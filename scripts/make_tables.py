# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the model card's tables again: scripts/make_tables.py SPLIT.json#KEY OUT.json [WORDS].

Each row is one run of `python -m ssrhmr_core evaluate` with the arguments that are printed with
it. With WORDS, only rows whose names have them are measured. Rows that OUT.json has already are not
measured again, so an interrupted run goes on.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TRACKERS = ("pelvis", "head", "left_hand", "right_hand", "left_foot", "right_foot")
FEET, WORN = ["left_foot:all", "right_foot:all"], ["pelvis:all"]


def drops(*lost: str) -> list[str]:
    """Arguments that lose trackers."""
    return [word for tracker in lost for word in ("--drop", tracker)]


ROWS: dict[str, list[str]] = {
    "ideal": [],
    "feet planted": ["--planting", "1"],
    "network stage alone": ["--stage", "network"],
    "ik preset": ["--preset", "ik"],
    "noise 1 mm, 0.2 degrees": ["--noise", "1,0.2"],
    "noise 5 mm, 1 degree": ["--noise", "5,1"],
    "noise 10 mm, 2 degrees": ["--noise", "10,2"],
    "20 random bodies a clip": ["--bodies", "20"],
    "no pelvis": drops(*WORN),
    "no feet": drops(*FEET),
    "head and hands alone": drops(*FEET, *WORN),
    **{
        f"{tracker} lost for {seconds} s": drops(f"{tracker}:{seconds}")
        for tracker in TRACKERS
        for seconds in (0.1, 0.5, 2, 10)
    },
}
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


def measured(clips: str, arguments: list[str]) -> dict:
    """Run one evaluation in a process of its own."""
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


def main() -> None:
    """Measure what is missing, print all."""
    clips, out, words = sys.argv[1], Path(sys.argv[2]), " ".join(sys.argv[3:])
    found = json.loads(out.read_text(encoding="utf-8")) if out.exists() else {}

    def run(name: str) -> None:
        found[name] = measured(clips, ROWS[name])
        out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        print(f"measured: {name}", file=sys.stderr)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(run, [name for name in ROWS if words in name and name not in found]))
    print("| trackers |", " | ".join(COLUMNS), "| command |")
    print("|---|" + "---|" * (len(COLUMNS) + 1))
    for name, arguments in ROWS.items():
        if name not in found:
            continue
        values = (found[name]["pooled"][column] for column in COLUMNS)
        cells = ("-" if value is None else f"{value:.2f}" for value in values)
        print(f"| {name} |", " | ".join(cells), f"| `{' '.join(arguments)}` |")


if __name__ == "__main__":
    main()
