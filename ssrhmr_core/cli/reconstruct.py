# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn a take of trackers into a full-body BVH file.

TAKE is a table of trackers, or a motion file whose own joints become the trackers.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ..evaluation.evaluate import Disturbance
from ..formats import load_motion, load_take
from ..formats.bvh import save_bvh
from ..pipeline import Reconstructor
from ..tracking.taken_off import describe_taken_off
from .arguments import TAKE_HELP, add_extra_argument, add_file_arguments, extra_names, file_options
from .progress import Bar


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("take", type=Path, help=TAKE_HELP)
    parser.add_argument("-o", "--out", type=Path, required=True, help="the .bvh to write")
    parser.add_argument(
        "--skeleton", type=Path, help="motion file of the body to use; a table needs one"
    )
    parser.add_argument("--weights", type=Path, help="a weights file other than the shipped one")
    add_extra_argument(parser)
    add_file_arguments(parser, columns=True)


def run(chosen: argparse.Namespace) -> int:
    """Reconstruct a take and write it.

    Raises:
        ValueError: An input cannot be used.
        OSError: A file cannot be read or written.
    """
    options = file_options(chosen)
    take, own_skeleton = load_take(chosen.take, **options, extras=extra_names(chosen))
    if chosen.extra:
        # Some of them may measure a part only.
        take = Disturbance(extras=chosen.extra).apply(take, seed=0)
    skeleton = load_motion(chosen.skeleton).skeleton if chosen.skeleton else own_skeleton
    if skeleton is None:
        raise ValueError("a table of trackers says nothing about the body: add --skeleton FILE")
    bar = Bar("reconstruct")
    reconstructor = Reconstructor(skeleton, weights=chosen.weights)
    motion = reconstructor.clip(take, progress=lambda share: bar.show(min(share, 0.99)))
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    save_bvh(chosen.out, motion)
    bar.show(1.0)
    for taken_off in reconstructor.taken_off:
        print(f"{chosen.take}: {describe_taken_off(taken_off)}")
    print(f"{chosen.out}: {len(motion)} frames at {motion.rate:.4g} a second")
    return 0
