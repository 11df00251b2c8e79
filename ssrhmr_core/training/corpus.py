# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips as flat tables, cached on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..body.interpolation import MODEL_RATE
from ..body.motion import Motion
from ..files import atomic_write
from ..formats import load_motion

_CACHE_VERSION = 1


@dataclass(frozen=True, eq=False)
class Corpus:
    """All clips in a row, at the model's rate.

    Attributes:
        local: (F, 22, 4) float32 quaternions relative to the parent; the root's are global.
        root: (F, 3) float32 positions of the hips, metres.
        starts: (C,) int64 first frame of each clip.
        lengths: (C,) int64 number of frames of each clip.
        offsets: (C, 22, 3) float32 offsets of each clip's body, metres.
        sizes: (C,) float32 size of each body, see :attr:`Skeleton.size`.
        groups: (C,) int64 index of each clip's group.
        group_names: Names of the groups: the folders two levels above the clips.
    """

    local: np.ndarray
    root: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray
    offsets: np.ndarray
    sizes: np.ndarray
    groups: np.ndarray
    group_names: tuple[str, ...]

    @property
    def minutes(self) -> float:
        """The length of all clips together."""
        return len(self.local) / MODEL_RATE / 60.0


def load_corpus(
    paths: Sequence[Path],
    cache: Path,
    workers: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> Corpus:
    """Read clips, or the cached tables of an earlier run with the same files.

    Args:
        paths: Motion files; a clip's group is the folder two levels above it.
        cache: Folder for the cached tables.
        workers: Number of processes that read files.
        progress: Function that is called with the number of clips read and of all clips.

    Raises:
        ValueError: There is no clip, or one cannot be read.
    """
    paths = sorted(paths)
    key = hashlib.sha256(str(_CACHE_VERSION).encode())
    for path in paths:
        key.update(f"{path}:{path.stat().st_size}:{path.stat().st_mtime_ns}\n".encode())
    table = cache / f"corpus-{key.hexdigest()[:16]}.npz"
    if not table.exists():
        with ProcessPoolExecutor(workers) as pool:
            motions = []
            for done, motion in enumerate(pool.map(_load, paths, chunksize=4), 1):
                motions.append(motion)
                if progress:
                    progress(done, len(paths))
        tables = _tables(motions, [path.parts[-3] if len(path.parts) > 2 else "" for path in paths])
        atomic_write(table, lambda file: np.savez(file, **tables))
    with np.load(table, allow_pickle=False) as stored:
        tables = dict(stored)
    names = tuple(str(name) for name in tables.pop("group_names"))
    return Corpus(**tables, group_names=names)


def _load(path: Path) -> Motion:
    return load_motion(path).resampled()


def _tables(motions: list[Motion], groups: list[str]) -> dict[str, np.ndarray]:
    if not motions:
        raise ValueError("there is no clip to train on: name a folder with motion files")
    lengths = np.array([len(motion) for motion in motions])
    names = sorted(set(groups))
    return {
        "local": np.concatenate([motion.local_rotations() for motion in motions]).astype("f4"),
        "root": np.concatenate([motion.root for motion in motions]).astype("f4"),
        "starts": np.cumsum(lengths) - lengths,
        "lengths": lengths,
        "offsets": np.stack([motion.skeleton.offsets for motion in motions]),
        "sizes": np.array([motion.skeleton.size for motion in motions], "f4"),
        "groups": np.array([names.index(group) for group in groups]),
        "group_names": np.array(names),
    }
