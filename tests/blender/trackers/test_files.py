# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of takes, and what the core reports about them."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from ssrhmr_blender.trackers.files import is_take, read_take_file, take_name
from ssrhmr_core import Motion, Take
from ssrhmr_core.formats import MotionFileWarning
from ssrhmr_core.formats.bvh import save_bvh
from ssrhmr_core.formats.trackers_csv import save_trackers


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("walk.bvh", "walk"),
        ("Walk.v2.BVH.xz", "Walk.v2"),
        ("a.trc", "a"),
        ("a.npz", "a"),
        ("a.tsv.xz", "a"),
    ],
)
def test_names(name: str, stem: str) -> None:
    assert is_take(Path(name)) and take_name(Path(name)) == stem


@pytest.mark.parametrize("name", ["a.fbx", "a.xz", "shape.npz", "male_stagei.npz", "bvh"])
def test_other_files_of_folders(name: str) -> None:
    assert not is_take(Path(name))


def test_notes_and_other_warnings(
    performance: Motion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_bvh(tmp_path / "walk.bvh", performance)
    save_trackers(tmp_path / "walk.csv", Take.from_motion(performance))
    file = read_take_file(tmp_path / "walk.bvh")
    assert file.performer is not None and not file.notes
    assert read_take_file(tmp_path / "walk.csv").performer is None

    def load(*_: object, **__: object) -> tuple[Take, None]:
        for text in ("assumed metres", "assumed metres", "assumed Y up"):
            warnings.warn(text, MotionFileWarning, stacklevel=2)
        warnings.warn("old function", DeprecationWarning, stacklevel=2)
        return file.take, None

    monkeypatch.setattr("ssrhmr_core.formats.load_take", load)
    with pytest.warns(DeprecationWarning, match="old function"):
        notes = read_take_file(tmp_path / "walk.bvh").notes
    assert notes == ("assumed metres", "assumed Y up")
