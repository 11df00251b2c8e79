# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn a take of six trackers into a full-body BVH file.

TAKE is a tracker .csv, or a motion file whose own six joints become the trackers.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ..body.skeleton import Skeleton
from ..formats import load_motion
from ..formats.bvh import save_bvh
from ..formats.trackers_csv import load_trackers
from ..pipeline import Reconstructor
from ..tracking.take import Take
from .progress import Bar


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("take", type=Path, help="tracker .csv, or a .bvh, .bvh.xz or AMASS .npz")
    parser.add_argument("-o", "--out", type=Path, required=True, help="the .bvh to write")
    parser.add_argument(
        "--skeleton", type=Path, help="motion file with the body to use; needed for a .csv"
    )
    parser.add_argument("--weights", type=Path, help="another weights file")


def run(chosen: argparse.Namespace) -> None:
    """Reconstruct and write.

    Raises:
        ValueError: if an input cannot be used.
    """
    take, skeleton = _inputs(chosen.take, chosen.skeleton)
    bar = Bar("reconstruct")
    reconstructor = Reconstructor(skeleton, weights=chosen.weights)
    motion = reconstructor.clip(take, progress=lambda share: bar.show(min(share, 0.99)))
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    save_bvh(chosen.out, motion)
    bar.show(1.0)
    print(f"{chosen.out}: {len(motion)} frames at {motion.rate:.4g} a second")


def _inputs(path: Path, skeleton: Path | None) -> tuple[Take, Skeleton]:
    body = load_motion(skeleton).skeleton if skeleton else None
    if path.suffix.lower() == ".csv":
        if body is None:
            raise ValueError("a tracker file says nothing of the body: name one with --skeleton")
        return load_trackers(path), body
    performance = load_motion(path)
    return Take.from_motion(performance), body or performance.skeleton
