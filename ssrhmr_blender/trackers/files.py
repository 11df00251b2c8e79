# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of takes: which ones they are, and what the core reports about them."""

from __future__ import annotations

import warnings
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ssrhmr_core.body.skeleton import Skeleton
    from ssrhmr_core.tracking.take import Take


@dataclass(frozen=True)
class TakeFile:
    """The contents of a file.

    Attributes:
        take: Trackers in metres.
        performer: Body of the performer in metres, whose joints the trackers are; None for tables
            of trackers, which do not say.
        notes: What the file leaves open and what was assumed instead, one sentence or more each.
    """

    take: Take
    performer: Skeleton | None
    notes: tuple[str, ...] = ()


def read_take_file(
    path: Path,
    up: str | None = None,
    unit: str | None = None,
    columns: str | None = None,
    performer: str | None = None,
    extras: Collection[str] = (),
) -> TakeFile:
    """Read the trackers of a file, or the joints of a whole-body motion as trackers.

    Args:
        path: File of any kind that :func:`ssrhmr_core.formats.load_take` reads.
        up: Up axis of the file, such as "z"; inferred if None.
        unit: Unit of the file, such as "cm"; inferred if None.
        columns: Columns and devices of a table of trackers, if they cannot be recognised.
        performer: Which body of a BVH that holds several; the first if None.
        extras: Optional trackers to make of a whole-body motion; those of a table are always read.

    Raises:
        ValueError, OSError: with a message for the user.
    """
    from ssrhmr_core.formats import TRACKER_SUFFIXES, MotionFileWarning, load_take

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        take, body = load_take(
            path,
            up=up,
            unit=unit,
            columns=columns,
            performer=performer,
            extras=None if path.name.lower().endswith(TRACKER_SUFFIXES) else extras,
        )
    notes = []
    for each in caught:
        if issubclass(each.category, MotionFileWarning):
            notes.append(str(each.message))
        else:
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
    return TakeFile(take, body, tuple(dict.fromkeys(notes)))


def is_take(path: Path) -> bool:
    """Return whether a file of a folder is a take, going by its name."""
    from ssrhmr_core.formats import BODY_SHAPE_SUFFIXES, TAKE_SUFFIXES

    name = path.name.lower()
    return name.endswith(TAKE_SUFFIXES) and not name.endswith(BODY_SHAPE_SUFFIXES)


def take_name(path: Path) -> str:
    """Return the name of a file without the ending of its kind, both parts of ``.bvh.xz``."""
    from ssrhmr_core.formats import TAKE_SUFFIXES

    suffixes = [suffix for suffix in TAKE_SUFFIXES if path.name.lower().endswith(suffix)]
    return path.name[: -len(max(suffixes, key=len))] if suffixes else path.stem
