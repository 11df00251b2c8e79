# SPDX-License-Identifier: GPL-3.0-or-later
"""Motion and tracker files, in and out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..body.motion import Motion
from .smpl import load_smpl
from .bvh import load_bvh
from .errors import MotionFileError, MotionFileWarning

__all__ = ["MotionFileError", "MotionFileWarning", "find_motions", "load_motion"]

_LOADERS = {".bvh": load_bvh, ".bvh.xz": load_bvh, ".npz": load_smpl}
# AMASS keeps body shapes beside the motions, in archives of their own.
_NO_MOTIONS = ("shape.npz", "_stagei.npz")


def load_motion(path: str | Path) -> Motion:
    """Read a ``.bvh``, ``.bvh.xz`` or AMASS ``.npz`` file.

    Raises:
        MotionFileError: if the name ends in none of these.
        ValueError: if the file is damaged or no motion of a human body; see
            :class:`~ssrhmr_core.formats.bvh.BVHError` and
            :class:`~ssrhmr_core.formats.amass.AmassError`.
        OSError: if it cannot be opened.
    """
    suffix = _suffix(Path(path))
    if suffix is None:
        raise MotionFileError(_unknown(path))
    return _LOADERS[suffix](path)


def find_motions(paths: Iterable[str | Path]) -> list[Path]:
    """List motion files.

    Args:
        paths: motion files; folders, which are searched to the bottom; and ``FILE.json#KEY``, a
            list of paths relative to the JSON file, under one of its keys.

    Returns:
        The files, each once: in the order of ``paths``, and sorted within a folder.

    Raises:
        MotionFileError: if one of ``paths`` leads to no motion file.
    """
    known: set[str] = set()
    return list(dict.fromkeys(file for path in paths for file in _expand(path, known)))


def _unknown(path: str | Path) -> str:
    return f"{path}: not one of {', '.join(_LOADERS)}: convert it, or choose another file"


def _suffix(path: Path) -> str | None:
    return next((end for end in _LOADERS if path.name.lower().endswith(end)), None)


def _expand(path: str | Path, known: set[str]) -> Iterator[Path]:
    listing, mark, key = str(path).rpartition("#")
    if mark and listing.lower().endswith(".json"):
        # A list adds nothing a second time; it may lead back to itself.
        if str(path) not in known:
            known.add(str(path))
            yield from _listed(Path(listing), key, known)
    elif Path(path).is_dir():
        found = sorted(file for file in Path(path).rglob("*") if _is_motion(file))
        if not found:
            raise MotionFileError(
                f"{path}: no motion files ({', '.join(_LOADERS)}) in this folder: choose another"
            )
        yield from found
    elif not Path(path).is_file():
        raise MotionFileError(f"{path}: no such file or folder: check the path")
    elif _suffix(Path(path)) is None:
        raise MotionFileError(_unknown(path))
    else:
        yield Path(path)


def _is_motion(path: Path) -> bool:
    return _suffix(path) is not None and not path.name.endswith(_NO_MOTIONS) and path.is_file()


def _listed(listing: Path, key: str, known: set[str]) -> Iterator[Path]:
    """Motion files named in a JSON file."""
    try:
        lists = json.loads(listing.read_text(encoding="utf-8"))
    except OSError as error:
        raise MotionFileError(f"{listing}: {error.strerror}: check the path") from error
    except (ValueError, RecursionError) as error:
        raise MotionFileError(f"{listing}: not a JSON file ({error}): write it anew") from error
    names = lists.get(key) if isinstance(lists, dict) else None
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        held = ", ".join(lists) if isinstance(lists, dict) else "nothing"
        raise MotionFileError(
            f"{listing}: no list of paths under {key!r}; it has {held}: choose one of these"
        )
    for name in names:
        yield from _expand(listing.parent / name, known)
