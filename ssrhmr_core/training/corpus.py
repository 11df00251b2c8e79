# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips as flat tables of tensors, cached on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..body.motion import Motion
from ..formats import load_motion

_CACHE_VERSION = 1


@dataclass(frozen=True, eq=False)
class Corpus:
    """All clips one after the other, at the model's rate.

    Attributes:
        local: (F, 22, 4) float32 quaternions relative to the parent; the root's are global.
        root: (F, 3) float32 hips positions, metres.
        starts: (C,) int64 first frame of each clip.
        lengths: (C,) int64 number of frames of each clip.
        offsets: (C, 22, 3) float32 the body of each clip, metres.
        sizes: (C,) float32 size of each body, see :attr:`Skeleton.size`.
        groups: (C,) int64 index of the folder below the data folder that the clip came from.
        group_names: names of those folders.
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
        """Length of all clips together."""
        return len(self.local) / 3600.0


def load_corpus(
    paths: Sequence[Path],
    cache: Path,
    workers: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> Corpus:
    """Read clips, or the cached tables of an earlier run with the same files.

    Args:
        paths: motion files; a clip's group is the folder two levels above it.
        cache: folder for the cached tables.
        workers: processes that read files.
        progress: called with the number of clips read and of all clips.

    Raises:
        ValueError: if no clip could be used.
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
        cache.mkdir(parents=True, exist_ok=True)
        partial = table.with_suffix(".partial.npz")
        np.savez(partial, **tables)
        partial.rename(table)
    with np.load(table, allow_pickle=False) as stored:
        tables = {name: stored[name] for name in stored.files}
    names = tuple(str(name) for name in tables.pop("group_names"))
    return Corpus(**tables, group_names=names)


def _load(path: Path) -> Motion:
    return load_motion(path).resampled()


def _tables(motions: list[Motion], groups: list[str]) -> dict[str, np.ndarray]:
    if not motions:
        raise ValueError("there is no clip to train on")
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
