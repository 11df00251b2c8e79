# SPDX-License-Identifier: GPL-3.0-or-later
"""Score the model on motion files and folders of them."""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path
from typing import Any

from ..evaluation.evaluate import Disturbance, ScoredModel, evaluate
from ..evaluation.glitches import CRITERIA, measure_glitches
from ..evaluation.worn.score import WornTrackers
from ..files import atomic_write
from ..formats import MOTION_SUFFIXES, find_motions, load_motion
from .arguments import add_file_arguments, drop, extras, file_options, halves, noise, roles
from .progress import Bar

_COLUMNS = {
    "mpjpe_mm": "MPJPE mm",
    "mpeepe_mm": "MPEEPE mm",
    "mpeepe_p95_mm": "95 % mm",
    "mpjre_deg": "MPJRE deg",
    "mpjve_cm_s": "MPJVE cm/s",
    "jitter": "jitter",
    "jitter_gt": "(truth's)",
    "foot_skate_cm_s": "skate cm/s",
    "foot_sunk_p99_mm": "sunk mm",
    "frames": "frames",
}
_WORST = ("worst_recovery_mm", "worst_excess_mm", "worst_speed")


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "paths", nargs="+", help=f"{', '.join(MOTION_SUFFIXES)}, folders of them, or FILE.json#KEY"
    )
    parser.add_argument("--preset", choices=("ssrhmr", "paper", "ik"), default="ssrhmr")
    parser.add_argument(
        "--stage", choices=("network", "exact"), default="exact", help="the stage to score"
    )
    parser.add_argument(
        "--noise", type=noise, default=(0.0, 0.0), metavar="MM,DEG", help="add noise to trackers"
    )
    parser.add_argument(
        "--drop",
        type=drop,
        action="append",
        default=[],
        metavar="TRACKER:SECONDS",
        help="lose a tracker for this long from a third of each clip on; TRACKER:all leaves it out",
    )
    parser.add_argument(
        "--only",
        type=roles,
        default=(),
        metavar="TRACKER,...",
        help="leave out all other trackers from the start, as in head,left_hand,right_hand",
    )
    parser.add_argument(
        "--measures",
        type=halves,
        default=(),
        metavar="TRACKER:PART,...",
        help="let some of the six measure only that, as in head:rotation,left_foot:position",
    )
    parser.add_argument(
        "--extra",
        type=extras,
        default=(),
        metavar="TRACKER,...",
        help="add optional trackers, as in elbows,knees,chest; chest:rotation has no position",
    )
    parser.add_argument(
        "--bodies",
        type=int,
        default=0,
        metavar="N",
        help="score each clip on N random bodies instead of its own",
    )
    parser.add_argument(
        "--planting", type=float, default=0.0, metavar="0..1", help="hold standing feet"
    )
    parser.add_argument(
        "--below-floor",
        action="store_true",
        help="leave knees and elbows that sink into the floor where they are",
    )
    parser.add_argument(
        "--worn",
        choices=("pose", "movement", "take"),
        help="also score trackers that drawn performers wear as people do, calibrated from the"
        " T-pose alone, from a guided movement too, or from the clip itself too",
    )
    parser.add_argument(
        "--proportions",
        choices=("match", "retarget"),
        default="match",
        help="with --worn: the performer's body is known, or measured",
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="with --worn: other performers"
    )
    parser.add_argument(
        "--glitches",
        type=int,
        default=0,
        metavar="N",
        help="instead of scoring, draw N glitches of trackers and judge how the body bears them",
    )
    parser.add_argument(
        "--causal",
        action="store_true",
        help="let the network know of the performer only what earlier frames show, as live",
    )
    parser.add_argument("--weights", type=Path, help="a weights file other than the shipped one")
    parser.add_argument(
        "--json", type=Path, metavar="OUT.json", help="also write all figures to a file"
    )
    parser.add_argument(
        "--strict", action="store_true", help="exit with 1 if a file cannot be read"
    )
    add_file_arguments(parser, columns=False)


def run(chosen: argparse.Namespace) -> int:
    """Evaluate, print a table and write the figures.

    Raises:
        ValueError: An input cannot be used.
        OSError: The figures cannot be written.
    """
    bar = Bar("evaluate")
    load = partial(load_motion, **file_options(chosen))
    if chosen.glitches:
        figures = measure_glitches(find_motions(chosen.paths), chosen.glitches, bar.show, load)
        _write(chosen.json, figures)
        _print_glitches(figures)
        return int(chosen.strict and bool(figures["unreadable"]))
    disturbance = Disturbance(
        chosen.noise[0],
        chosen.noise[1],
        tuple(chosen.drop),
        chosen.only,
        chosen.extra,
        chosen.measures,
    )
    figures = evaluate(
        find_motions(chosen.paths),
        ScoredModel(
            chosen.preset,
            chosen.stage,
            chosen.weights,
            chosen.planting,
            chosen.causal,
            above_floor=not chosen.below_floor,
        ),
        disturbance,
        chosen.bodies,
        progress=lambda done, total: bar.show(done / total),
        load=load,
        worn=WornTrackers(chosen.worn, chosen.proportions, chosen.seed) if chosen.worn else None,
    )
    _write(chosen.json, figures)
    _print_table(figures)
    if chosen.drop:
        pooled = figures["pooled"]
        print(
            f"While a tracker is lost: {_shown(pooled['lost_mpjpe_mm'])} mm; the largest jump of a"
            f" joint at loss or return: {_shown(pooled['lost_jump_mm'])} mm."
        )
    if chosen.worn:
        _print_worn(figures["pooled"])
    if figures["pooled"]["certainty_spearman"] is not None:
        _print_certainty(figures["pooled"])
    _print_anatomy(figures["pooled"])
    _print_feet(figures["pooled"])
    _print_low_kinds(figures)
    _print_counts(figures)
    return int(chosen.strict and bool(figures["unreadable"]))


def _print_certainty(pooled: dict[str, Any]) -> None:
    print(
        f"Expected errors: rank correlation with the true ones {pooled['certainty_spearman']:.2f}"
        f" over frames, {pooled['certainty_joint_spearman']:.2f} over joints; the tenth of frames"
        f" that is least certain holds {100.0 * pooled['certainty_worst_tenth_share']:.0f} % of the"
        " error, the tenth with the largest errors"
        f" {100.0 * pooled['certainty_largest_tenth_share']:.0f} %; expected / true"
        f" {pooled['certainty_ratio']:.2f}."
    )


def _print_anatomy(pooled: dict[str, Any]) -> None:
    def both(name: str) -> str:
        return f"{_shown(pooled[name])} % (truth {_shown(pooled[f'{name}_gt'])} %)"

    print(
        f"Bent backwards by more than 5 degrees: {both('knees_backwards_percent')} of the knees,"
        f" {both('elbows_backwards_percent')} of the elbows; twisted by more than 90 degrees:"
        f" {both('forearms_twisted_percent')} of the forearms; out of range:"
        f" {both('shoulders_out_of_range_percent')} of the shoulders."
    )


def _print_feet(pooled: dict[str, Any]) -> None:
    print(
        "Balls of feet below the floor on which the true ones stand:"
        f" {_shown(pooled['foot_under_floor_p99_mm'])} mm (99th percentile); legs crossed in"
        f" {_shown(pooled['legs_crossed_percent'])} % of the frames"
        f" (truth {_shown(pooled['legs_crossed_percent_gt'])} %)."
    )


def _print_low_kinds(figures: dict[str, Any]) -> None:
    if figures["low_kinds"]:
        kinds = (
            f"{name} {_shown(kind['mpjpe_mm'])} ({kind['frames']} frames)"
            for name, kind in figures["low_kinds"].items()
        )
        print(f"MPJPE mm of low poses: {', '.join(kinds)}.")
    resting = (
        f"{name.replace('_', ' ')} {_shown(joint['sunk_p99_mm'])}"
        f" ({_shown(joint['sunk_over_20_percent'])} % over 20), floating"
        f" {_shown(joint['floating_p99_mm'])}"
        for name, joint in figures["resting"].items()
        if name.endswith(("knee", "elbow"))
    )
    if figures["resting"]:
        print(f"Lower than the true ones that rest, 99th percentile, mm: {', '.join(resting)}.")


def _print_table(figures: dict[str, Any]) -> None:
    rows = {**figures["sets"], "all": figures["pooled"]}
    width = max(len(name) for name in rows)
    print(" " * width, *(f"{title:>10}" for title in _COLUMNS.values()))
    for name, row in rows.items():
        print(f"{name:{width}}", *(f"{_shown(row[key]):>10}" for key in _COLUMNS))


def _print_worn(pooled: dict[str, Any]) -> None:
    print(
        f"As worn: MPJPE {_shown(pooled['worn_mpjpe_mm'])} mm relative to the root,"
        f" {_shown(pooled['worn_abs_mpjpe_mm'])} mm in the room, MPJRE"
        f" {_shown(pooled['worn_mpjre_deg'])} deg; mounts off by"
        f" {_shown(pooled['mount_mm']['mean'])} mm and {_shown(pooled['mount_deg']['mean'])} deg,"
        f" bones by {_shown(pooled['bone_percent'])} %;"
        f" {100.0 * pooled['refined_share']:.0f} % of the calibrations were refined."
    )


def _print_counts(figures: dict[str, Any]) -> None:
    pooled = figures["pooled"]
    print(
        f"{len(figures['clips'])} clips, {len(figures['too_short'])} too short to score,"
        f" {pooled['glitch_frames_left_out']} frames left out where the truth itself jumps."
        f" One frame at a time: median {pooled['ms_per_frame_median']:.2f} ms,"
        f" 99th percentile {pooled['ms_per_frame_p99']:.2f} ms."
    )
    if figures["unreadable"]:
        print(f"{len(figures['unreadable'])} files could not be read:")
    for each in figures["unreadable"]:
        print(f"    {each['path']}: {each['reason']}")


def _write(path: Path | None, figures: dict[str, Any]) -> None:
    if path:
        atomic_write(path, json.dumps(figures, indent=1) + "\n")


def _print_glitches(figures: dict[str, Any]) -> None:
    titles = ("kind", "mode", "count", *(f"{name} %" for name in CRITERIA))
    print(*(f"{title:>10}" for title in titles), "   worst: mm after, mm beyond, m/s")
    for row in figures["rows"]:
        shares = (f"{100.0 * row[name]:10.2f}" for name in CRITERIA)
        worst = (f"{row[name]:8.1f}" for name in _WORST)
        print(f"{row['kind']:>10} {row['mode']:>10} {row['count']:10}", *shares, "  ", *worst)
    clean = figures["clean"]
    print(
        f"{figures['glitches']} glitches. Of clean readings {clean['baked']:.1e} are marked as lost"
        f" baked, {clean['live']:.1e} live."
    )


def _shown(value: float | int | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.2f}"
