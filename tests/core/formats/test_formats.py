# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding and reading motion files of any kind."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.formats import MotionFileError, find_motions, load_motion
from ssrhmr_core.formats.bvh import save_bvh


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Folders of motions and of files that are none."""
    for name in (
        "b/2.bvh",
        "b/1.bvh.xz",
        "b/deep/3.BVH",
        "a/walk_poses.npz",
        "a/shape.npz",
        "a/neutral_stagei.npz",
        "a/notes.txt",
        "c/take.csv",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    lists = {"train": ["b/2.bvh", "a"], "empty": [], "lost": ["b/9.bvh"], "number": 3}
    (tmp_path / "split.json").write_text(json.dumps(lists))
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "deep.json").write_text("[" * 100_000)
    return tmp_path


def found(library: Path, *paths: str) -> list[str]:
    motions = find_motions([f"{library}/{path}" for path in paths])
    return [path.relative_to(library).as_posix() for path in motions]


def test_files_folders_and_lists(library: Path) -> None:
    assert found(library, "b/2.bvh") == ["b/2.bvh"]
    assert found(library, "b") == ["b/1.bvh.xz", "b/2.bvh", "b/deep/3.BVH"]
    assert found(library, "a") == ["a/walk_poses.npz"]
    assert found(library, "split.json#train") == ["b/2.bvh", "a/walk_poses.npz"]
    assert find_motions([library / "b"]) == find_motions([str(library / "b")])
    assert find_motions([]) == []


def test_each_file_once_in_the_order_asked_for(library: Path) -> None:
    assert found(library, "b/deep/3.BVH", "a", "b", "split.json#train") == [
        "b/deep/3.BVH",
        "a/walk_poses.npz",
        "b/1.bvh.xz",
        "b/2.bvh",
    ]


def test_lists_of_lists_end(library: Path) -> None:
    """Lists that lead to themselves, and lists whose lists double thirty times."""
    lists = {str(i): [f"split.json#{i + 1}"] * 2 for i in range(30)}
    lists |= {"30": ["b/2.bvh"], "round": ["split.json#round", "a", "split.json#back"]}
    (library / "split.json").write_text(json.dumps({**lists, "back": ["split.json#round"]}))
    assert found(library, "split.json#0") == ["b/2.bvh"]
    assert found(library, "split.json#round") == ["a/walk_poses.npz"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("none", "none: no such file or folder"),
        ("none.bvh", r"none\.bvh: no such file"),
        ("c", "c: no motion files"),
        ("c/take.csv", r"take\.csv: not one of \.bvh, \.bvh\.xz, \.npz"),
        ("split.json", r"split\.json: not one of"),
        ("split.json#test", "no list of paths under 'test'; it has train, empty, lost, number"),
        ("split.json#empty", "no list of paths under 'empty'"),
        ("split.json#number", "no list of paths under 'number'"),
        ("split.json#lost", r"9\.bvh: no such file"),
        ("none.json#train", r"none\.json: No such file"),
        ("broken.json#train", r"broken\.json: not a JSON file"),
        ("deep.json#train", r"deep\.json: not a JSON file"),
    ],
)
def test_no_match(library: Path, path: str, message: str) -> None:
    with pytest.raises(MotionFileError, match=message):
        found(library, path)


def test_load_motion(tmp_path: Path, motion: Motion) -> None:
    save_bvh(tmp_path / "clip.bvh", motion)
    (tmp_path / "clip.bvh").rename(tmp_path / "CLIP.BVH")
    assert np.abs(load_motion(tmp_path / "CLIP.BVH").root - motion.root).max() < 1e-5
    poses = np.zeros((5, 156))
    np.savez(tmp_path / "clip.npz", poses=poses, trans=poses[:, :3], mocap_framerate=60.0)
    assert len(load_motion(str(tmp_path / "clip.npz"))) == 5
    with pytest.raises(MotionFileError, match=r"clip\.fbx: not one of"):
        load_motion(tmp_path / "clip.fbx")
