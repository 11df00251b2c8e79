# SPDX-License-Identifier: GPL-3.0-or-later
"""Motion and tracker files, in and out."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from ..body.motion import Motion
from ..body.skeleton import Skeleton
from ..tracking.take import Take
from .bvh import load_bvh
from .errors import MotionFileError, MotionFileWarning
from .smpl import load_smpl
from .trackers_csv import load_trackers

__all__ = [
    "BODY_SHAPE_SUFFIXES",
    "MOTION_SUFFIXES",
    "TAKE_SUFFIXES",
    "TRACKER_SUFFIXES",
    "MotionFileError",
    "MotionFileWarning",
    "find_motions",
    "load_motion",
    "load_take",
]

MOTION_SUFFIXES = (".bvh", ".bvh.xz", ".npz")
"""Ends of the names of files that :func:`load_motion` reads."""
TRACKER_SUFFIXES = (".csv", ".csv.xz", ".tsv", ".tsv.xz", ".trc", ".trc.xz")
"""Ends of the names of files that hold trackers."""
TAKE_SUFFIXES = (*MOTION_SUFFIXES, *TRACKER_SUFFIXES)
"""Ends of the names of files that :func:`load_take` reads."""

BODY_SHAPE_SUFFIXES = ("shape.npz", "_stagei.npz")
"""Ends of the names of archives in which AMASS keeps body shapes, which hold no motion."""
_LOAD_PICKLE = 'import pickle, numpy; data = pickle.load(open("{name}", "rb"), encoding="latin1")'
_LOAD_TORCH = 'import torch, numpy; data = torch.load("{name}", map_location="cpu")'
_SAVE_FLAT = 'numpy.savez("{stem}.npz", **data)'
_SAVE_GROUPS = (
    'numpy.savez("{stem}.npz", **{{f"{{group}}/{{key}}": value for group, values in data.items()'
    " if isinstance(values, dict) for key, value in values.items()}})"
)
_CONVERSIONS = {
    **dict.fromkeys((".pkl", ".pickle"), (_LOAD_PICKLE, _SAVE_FLAT)),
    **dict.fromkeys((".pt", ".pth"), (_LOAD_TORCH, _SAVE_GROUPS)),
}
"""Two lines of Python that convert a file which holds Python objects."""


def load_motion(
    path: str | Path,
    *,
    up: str | None = None,
    unit: str | float | None = None,
    smpl_joints: str | Path | None = None,
    performer: str | None = None,
) -> Motion:
    """Read the motion of a whole body from a BVH or an archive of SMPL.

    What a file leaves open is inferred and reported in a :class:`MotionFileWarning`.

    Args:
        path: A file whose name ends in one of :data:`MOTION_SUFFIXES`.
        up: The up axis of the file, such as "z" or "-y"; inferred if None.
        unit: The unit of length of the file, a name such as "cm" or the metres in one unit;
            inferred if None.
        smpl_joints: A table of joints by shape for SMPL, see
            :func:`~ssrhmr_core.formats.smpl.load_smpl`.
        performer: Which body to read of a BVH that holds several, see
            :func:`~ssrhmr_core.formats.bvh.load_bvh`.

    Raises:
        MotionFileError: The name ends otherwise, or the file is damaged, not the motion of a human
            body, or without this performer.
        OSError: The file cannot be opened.
    """
    suffix = _suffix(path, MOTION_SUFFIXES)
    if suffix == ".npz":
        _refuse_performer(path, performer)
        return load_smpl(path, up=up, unit=unit, smpl_joints=smpl_joints)
    return load_bvh(path, up=up, unit=unit, performer=performer)


def load_take(
    path: str | Path,
    *,
    up: str | None = None,
    unit: str | float | None = None,
    smpl_joints: str | Path | None = None,
    columns: str | None = None,
    performer: str | None = None,
    extras: Collection[str] | None = None,
) -> tuple[Take, Skeleton | None]:
    """Read trackers from a table of trackers, or from the motion of a whole body.

    Args:
        path: A file whose name ends in one of :data:`TAKE_SUFFIXES`.
        up: See :func:`load_motion`.
        unit: See :func:`load_motion`.
        smpl_joints: See :func:`load_motion`.
        columns: The columns and devices of a table of trackers, see
            :func:`~ssrhmr_core.formats.trackers_csv.load_trackers`.
        performer: See :func:`load_motion`.
        extras: Names of the optional trackers to read; if None, those of a table of trackers, and
            none of a motion.

    Returns:
        The trackers, those of a motion being its own joints; and the body, None for a table of
        trackers, which does not say.

    Raises:
        MotionFileError: As :func:`load_motion`, or a table lacks one of ``extras``.
        ValueError: ``columns`` is wrong.
        OSError: The file cannot be opened.
    """
    if _suffix(path, TAKE_SUFFIXES) in TRACKER_SUFFIXES:
        _refuse_performer(path, performer)
        take = load_trackers(path, up=up, unit=unit, columns=columns)
        return (take if extras is None else _choose_extras(path, take, extras)), None
    motion = load_motion(path, up=up, unit=unit, smpl_joints=smpl_joints, performer=performer)
    return Take.from_motion(motion, extras or ()), motion.skeleton


def _choose_extras(path: str | Path, take: Take, extras: Collection[str]) -> Take:
    """Return a take without the optional trackers that are not wanted.

    Raises:
        MotionFileError: One that is wanted has no reading.
    """
    worn = take.extras.worn if take.extras else ()
    missing = [role for role in extras if role not in worn]
    if missing:
        there = f"it has {', '.join(worn)}" if worn else "it has none"
        raise MotionFileError(
            f"{path}: no readings of the optional trackers {', '.join(missing)}; {there}: choose"
            " among these"
        )
    chosen = take.extras.choose(extras) if take.extras and extras else None
    return replace(take, extras=chosen)


def find_motions(paths: Iterable[str | Path]) -> list[Path]:
    """List motion files.

    Args:
        paths: Motion files; folders, which are searched to the bottom; and ``FILE.json#KEY``, a
            list of paths relative to the JSON file, under one of its keys.

    Returns:
        The files, each once: in the order of ``paths``, and sorted within a folder.

    Raises:
        MotionFileError: One of ``paths`` leads to no motion file.
    """
    visited: set[str] = set()
    return list(dict.fromkeys(file for path in paths for file in _expand(path, visited)))


def _refuse_performer(path: str | Path, performer: str | None) -> None:
    """Refuse to look for a performer in a file that holds one body.

    Raises:
        MotionFileError: A performer is given.
    """
    if performer is not None:
        raise MotionFileError(
            f"{path}: performers are chosen from BVH files only: leave {performer!r} out"
        )


def _suffix(path: str | Path, suffixes: tuple[str, ...]) -> str:
    """Return which of some suffixes a path has.

    Raises:
        MotionFileError: The path has none of them.
    """
    path = Path(path)
    matching = [suffix for suffix in suffixes if path.name.lower().endswith(suffix)]
    if matching:
        return matching[0]
    lines = _CONVERSIONS.get(path.suffix.lower())
    if lines is None:
        raise MotionFileError(
            f"{path}: not one of {', '.join(suffixes)}: convert it, or choose another file"
        )
    code = "\n".join(f"    {line.format(name=path.name, stem=path.stem)}" for line in lines)
    raise MotionFileError(
        f"{path}: Python objects may run any program when they are read. Convert the file if you"
        f" trust its source:\n{code}"
    )


def _expand(path: str | Path, visited: set[str]) -> Iterator[Path]:
    listing, mark, key = str(path).rpartition("#")
    if mark and listing.lower().endswith(".json"):
        # A list adds nothing a second time; it may lead back to itself.
        if str(path) not in visited:
            visited.add(str(path))
            yield from _expand_list(Path(listing), key, visited)
    elif Path(path).is_dir():
        motions = sorted(file for file in Path(path).rglob("*") if _is_motion(file))
        if not motions:
            suffixes = ", ".join(MOTION_SUFFIXES)
            raise MotionFileError(
                f"{path}: no motion files ({suffixes}) in this folder: choose another one"
            )
        yield from motions
    elif not Path(path).is_file():
        raise MotionFileError(f"{path}: no such file or folder: check the path")
    else:
        _suffix(path, MOTION_SUFFIXES)
        yield Path(path)


def _is_motion(path: Path) -> bool:
    name = path.name.lower()
    return (
        name.endswith(MOTION_SUFFIXES) and not name.endswith(BODY_SHAPE_SUFFIXES) and path.is_file()
    )


def _expand_list(listing: Path, key: str, visited: set[str]) -> Iterator[Path]:
    """Yield the motion files named in a JSON file."""
    try:
        lists = json.loads(listing.read_text(encoding="utf-8"))
    except OSError as error:
        raise MotionFileError(f"{listing}: {error.strerror}: check the path") from error
    except (ValueError, RecursionError) as error:
        raise MotionFileError(f"{listing}: not a JSON file ({error}): write it again") from error
    names = lists.get(key) if isinstance(lists, dict) else None
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        keys = ", ".join(lists) if isinstance(lists, dict) else "nothing"
        raise MotionFileError(
            f"{listing}: no list of paths under {key!r}; it has {keys}: choose one of these"
        )
    for name in names:
        yield from _expand(listing.parent / name, visited)
