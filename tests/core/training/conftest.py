# SPDX-License-Identifier: GPL-3.0-or-later
"""Motion files and batches that the tests of training share."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ssrhmr_core.body.skeleton import Skeleton
from ssrhmr_core.formats.bvh import save_bvh
from ssrhmr_core.training.augment import Augmentation
from ssrhmr_core.training.corpus import Corpus, load_corpus
from tests.core.conftest import make_motion

CPU = torch.device("cpu")
CONTEXT_FRAMES = 6
PLAIN = Augmentation(
    mix=0.0,
    other_body=0.0,
    bone_scale=0.0,
    offset=0.0,
    short_spine=0.0,
    hold=0.0,
    warp=0.0,
    weights=(),
)
"""No variation but the mirror."""


@pytest.fixture
def files(tmp_path: Path, skeleton: Skeleton) -> list[Path]:
    paths = []
    for number in range(3):
        path = tmp_path / "data" / f"clip{number}.bvh"
        path.parent.mkdir(exist_ok=True)
        save_bvh(path, make_motion(skeleton, frames=90, seed=number))
        paths.append(path)
    return paths


@pytest.fixture
def corpus(files: list[Path], tmp_path: Path) -> Corpus:
    return load_corpus(files, tmp_path / "cache", workers=1)
