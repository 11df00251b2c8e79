# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments that several commands take."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from ..body.extra_trackers import EXTRA_GROUPS, EXTRA_TRACKERS, Measurement
from ..body.skeleton import TRACKERS
from ..formats import TAKE_SUFFIXES
from ..formats.columns import ColumnMapping
from ..formats.errors import MotionFileError
from ..formats.orientation import UP_AXES, parse_up
from ..formats.units import UNITS, parse_unit
from ..tracking.subsets import mask_of, require_anchor
from ..tracking.take import TrackerError

_MEASUREMENTS: dict[str, Measurement] = {name: name for name in get_args(Measurement)}
TAKE_HELP = f"file of trackers or of the motion of a whole body ({', '.join(TAKE_SUFFIXES)})"


def add_file_arguments(parser: argparse.ArgumentParser, *, columns: bool) -> None:
    """Declare what a user may say about files that leave it open.

    Args:
        parser: The parser of a command.
        columns: Whether the command reads tables of trackers.
    """
    group = parser.add_argument_group("what files leave open (inferred if not given)")
    group.add_argument("--up", type=up_axis, metavar="AXIS", help=f"up axis: {', '.join(UP_AXES)}")
    group.add_argument(
        "--unit",
        type=unit,
        metavar="UNIT",
        help=f"unit of length: {', '.join(UNITS)}, or the metres in one unit",
    )
    group.add_argument(
        "--smpl-joints",
        type=Path,
        metavar="FILE.npz",
        help="joints of a body model, J_template and J_shapedirs, that give SMPL motions the body"
        " of their betas",
    )
    group.add_argument(
        "--performer",
        metavar="NAME",
        help="the body to read of a BVH that holds several: its root joint, or its number from 1",
    )
    if columns:
        group.add_argument(
            "--columns",
            type=column_mapping,
            metavar="KEY=VALUE,...",
            help="columns and devices of a tracker table, as in"
            ' "time=t:ms,device=id,x=px,y=py,z=pz,qw=w,qx=i,qy=j,qz=k,head=LHR-1234"',
        )


def add_extra_argument(parser: argparse.ArgumentParser) -> None:
    """Declare the optional trackers of a command that reads one take."""
    parser.add_argument(
        "--extra",
        type=extras,
        metavar="TRACKER,...",
        help="optional trackers, as in elbows,knees,chest; chest:rotation has no position. By"
        " default those of a table of trackers, and none of a motion file",
    )


def extra_names(chosen: argparse.Namespace) -> tuple[str, ...] | None:
    """Return the names of the optional trackers that the user chose, None if there is no choice."""
    return None if chosen.extra is None else tuple(name for name, _ in chosen.extra)


def file_options(chosen: argparse.Namespace) -> dict[str, Any]:
    """Return the keyword arguments of ``load_motion`` or ``load_take`` that the user chose."""
    names = ("up", "unit", "smpl_joints", "columns", "performer")
    return {name: getattr(chosen, name) for name in names if hasattr(chosen, name)}


def join_up_axis(arguments: Sequence[str]) -> list[str]:
    """Write ``--up -z`` as ``--up=-z``, since argparse takes the axis for an option."""
    joined: list[str] = []
    for word in arguments:
        if joined and joined[-1] == "--up" and word in UP_AXES:
            joined[-1] = f"--up={word}"
        else:
            joined.append(word)
    return joined


def up_axis(text: str) -> str:
    """Read the name of an axis."""
    try:
        parse_up(text)
    except MotionFileError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def unit(text: str) -> str:
    """Read the name of a unit, or a number of metres."""
    try:
        parse_unit(text)
    except MotionFileError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def column_mapping(text: str) -> str:
    """Read names of columns and devices."""
    try:
        ColumnMapping.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def noise(text: str) -> tuple[float, float]:
    """Read ``MM,DEG``."""
    try:
        millimetres, degrees = (float(part) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError("write MM,DEG, as in 5,1") from error
    return millimetres, degrees


def drop(text: str) -> tuple[str, float]:
    """Read ``TRACKER:SECONDS`` or ``TRACKER:all``."""
    tracker, _, seconds = text.partition(":")
    if tracker not in TRACKERS:
        raise argparse.ArgumentTypeError("trackers are " + ", ".join(TRACKERS))
    try:
        return tracker, float("inf") if seconds == "all" else float(seconds)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            "write TRACKER:SECONDS, as in pelvis:2, or TRACKER:all"
        ) from error


def roles(text: str) -> tuple[str, ...]:
    """Read names of trackers, ``head,left_hand,right_hand``."""
    names = tuple(name.strip() for name in text.split(","))
    if not set(names) <= set(TRACKERS):
        raise argparse.ArgumentTypeError("trackers are " + ", ".join(TRACKERS))
    try:
        require_anchor(mask_of(names))
    except TrackerError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return names


def halves(text: str) -> tuple[tuple[str, Measurement], ...]:
    """Read what some of the six trackers measure, ``head:rotation,left_foot:position``."""
    chosen: dict[str, Measurement] = {}
    for item in text.split(","):
        name, _, kind = item.strip().partition(":")
        measurement = _MEASUREMENTS.get(kind)
        if name not in TRACKERS or measurement is None:
            raise argparse.ArgumentTypeError(
                f"trackers are {', '.join(TRACKERS)}, each followed by :position or :rotation"
            )
        chosen[name] = measurement
    return tuple(chosen.items())


def extras(text: str) -> tuple[tuple[str, Measurement], ...]:
    """Read optional trackers, ``elbows,left_knee,chest:rotation``."""
    chosen: dict[str, Measurement] = {}
    for item in text.split(","):
        name, _, kind = item.strip().partition(":")
        names = EXTRA_GROUPS.get(name, (name,))
        measurement = _MEASUREMENTS.get(kind or "pose")
        if not set(names) <= set(EXTRA_TRACKERS) or measurement is None:
            raise argparse.ArgumentTypeError(
                f"optional trackers are {', '.join(EXTRA_GROUPS)} and single ones such as"
                " left_elbow, each followed by :position or :rotation if it measures only that"
            )
        chosen |= dict.fromkeys(names, measurement)
    return tuple(chosen.items())
