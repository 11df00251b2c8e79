"""Motion and tracker files, in and out."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from ..motion import Motion
from .amass import load_amass
from .bvh import load_bvh

SUFFIXES = (".bvh", ".bvh.xz", ".npz")
"""Motion files that :func:`load_motion` reads."""


class NoMotionError(ValueError):
    """A path leads to no motion file."""


def load_motion(path: str | Path) -> Motion:
    """Read a BVH or AMASS file.

    Raises:
        NoMotionError: if the suffix is not one of :data:`SUFFIXES`.
        ValueError: if the file cannot be used; the message says why.
        OSError: if it cannot be opened.
    """
    path = Path(path)
    if not _is_motion(path):
        raise NoMotionError(f"{path}: not a motion file ({', '.join(SUFFIXES)})")
    return load_amass(path) if path.suffix.lower() == ".npz" else load_bvh(path)


def find_motions(paths: Iterable[str | Path]) -> list[Path]:
    """Expand files, folders and ``FILE.json#KEY`` into motion files, in a stable order.

    Raises:
        NoMotionError: naming the path that leads to nothing.
    """
    found: list[Path] = []
    for given in paths:
        text = str(given)
        if ".json#" in text:
            found += _listed(*text.rsplit("#", 1))
            continue
        path = Path(text)
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if _is_motion(file))
            if not inside:
                raise NoMotionError(f"{path}: no motion file in this folder")
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise NoMotionError(f"{path}: no such file or folder")
    return found


def _listed(file: str, key: str) -> list[Path]:
    try:
        names = json.loads(Path(file).read_text(encoding="utf-8"))[key]
    except OSError as error:
        raise NoMotionError(f"{file}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise NoMotionError(f"{file}: no list named {key!r} in it") from error
    paths = [Path(file).parent / str(name) for name in names]
    gone = [path for path in paths if not path.is_file()]
    if gone or not paths:
        raise NoMotionError(f"{file}#{key}: {gone[0] if gone else 'the list'} is not there")
    return paths


def _is_motion(path: Path) -> bool:
    return path.name.lower().endswith(SUFFIXES)
