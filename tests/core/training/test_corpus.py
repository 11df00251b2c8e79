# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips as tables, and their cache."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ssrhmr_core.body.skeleton import Skeleton
from ssrhmr_core.formats.bvh import save_bvh
from ssrhmr_core.training import corpus as corpora
from ssrhmr_core.training.corpus import Corpus, load_corpus
from tests.core.conftest import make_motion


def test_tables_are_the_clips(corpus: Corpus, skeleton: Skeleton) -> None:
    assert corpus.lengths.tolist() == [90, 90, 90] and corpus.starts.tolist() == [0, 90, 180]
    assert corpus.minutes == pytest.approx(270 / 3600)
    second = make_motion(skeleton, frames=90, seed=1)
    np.testing.assert_allclose(corpus.root[90:180], second.root, atol=1e-4)
    same = np.abs((corpus.local[90:180] * second.local_rotations()).sum(-1))
    np.testing.assert_allclose(same, 1.0, atol=1e-5)
    np.testing.assert_allclose(corpus.offsets, np.tile(skeleton.offsets, (3, 1, 1)), atol=1e-5)
    np.testing.assert_allclose(corpus.sizes, skeleton.size, rtol=1e-4)


def test_groups_are_the_folders_two_levels_above(tmp_path: Path, skeleton: Skeleton) -> None:
    paths = []
    for group, subject in (("b", "1"), ("a", "1"), ("a", "2")):
        path = tmp_path / group / subject / "clip.bvh"
        path.parent.mkdir(parents=True)
        save_bvh(path, make_motion(skeleton, frames=50))
        paths.append(path)
    corpus = load_corpus(paths, tmp_path / "cache", workers=1)
    assert corpus.group_names == ("a", "b")
    assert corpus.groups.tolist() == [0, 0, 1]


def test_the_cache_serves_the_same_files(
    files: list[Path], tmp_path: Path, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise AssertionError(f"{path} was read again")

    monkeypatch.setattr(corpora, "_load", refuse)
    again = load_corpus(files[::-1], tmp_path / "cache", workers=1)
    for name in ("local", "root", "starts", "lengths", "offsets", "sizes", "groups"):
        np.testing.assert_array_equal(getattr(again, name), getattr(corpus, name))
    assert again.group_names == corpus.group_names
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_a_changed_file_is_read_again(
    files: list[Path], tmp_path: Path, corpus: Corpus, skeleton: Skeleton
) -> None:
    save_bvh(files[0], make_motion(skeleton, frames=60))
    again = load_corpus(files, tmp_path / "cache", workers=1)
    assert again.lengths.tolist() == [60, 90, 90]


def test_no_clips(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no clip to train on"):
        load_corpus([], tmp_path / "cache", workers=1)
