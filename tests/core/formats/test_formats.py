# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding and reading motion files of any kind."""

from __future__ import annotations

import json
import lzma
import pickle
from pathlib import Path

import numpy as np
import pytest

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import TRACKER_JOINTS
from ssrhmr_core.formats import (
    TAKE_SUFFIXES,
    MotionFileError,
    find_motions,
    load_motion,
    load_take,
)
from ssrhmr_core.formats.bvh import save_bvh
from ssrhmr_core.formats.trackers_csv import save_trackers
from ssrhmr_core.tracking.take import Take
from tests.core.formats.tracker_files import Style, trc_table


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Folders of motions and of other files."""
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


def find(library: Path, *paths: str) -> list[str]:
    motions = find_motions([f"{library}/{path}" for path in paths])
    return [path.relative_to(library).as_posix() for path in motions]


def test_files_folders_and_lists(library: Path) -> None:
    assert find(library, "b/2.bvh") == ["b/2.bvh"]
    assert find(library, "b") == ["b/1.bvh.xz", "b/2.bvh", "b/deep/3.BVH"]
    assert find(library, "a") == ["a/walk_poses.npz"]
    assert find(library, "split.json#train") == ["b/2.bvh", "a/walk_poses.npz"]
    assert find_motions([library / "b"]) == find_motions([str(library / "b")])
    assert find_motions([]) == []


def test_each_file_once_in_the_order_asked_for(library: Path) -> None:
    assert find(library, "b/deep/3.BVH", "a", "b", "split.json#train") == [
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
    assert find(library, "split.json#0") == ["b/2.bvh"]
    assert find(library, "split.json#round") == ["a/walk_poses.npz"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("none", "none: no such file or folder"),
        ("none.bvh", r"none\.bvh: no such file"),
        ("c", "c: no motion files"),
        ("c/take.csv", r"take\.csv: not one of \.bvh, \.bvh\.xz, \.npz: convert it"),
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
        find(library, path)


def test_load_motion(tmp_path: Path, motion: Motion) -> None:
    save_bvh(tmp_path / "clip.bvh", motion)
    (tmp_path / "clip.bvh").rename(tmp_path / "CLIP.BVH")
    assert np.abs(load_motion(tmp_path / "CLIP.BVH").root - motion.root).max() < 1e-5
    poses = np.zeros((5, 156))
    np.savez(tmp_path / "clip.npz", poses=poses, trans=poses[:, :3], mocap_framerate=60.0)
    assert len(load_motion(str(tmp_path / "clip.npz"))) == 5
    with pytest.raises(MotionFileError, match=r"clip\.fbx: not one of"):
        load_motion(tmp_path / "clip.fbx")


def test_load_take_of_a_motion(tmp_path: Path, motion: Motion) -> None:
    path = tmp_path / "clip.bvh"
    save_bvh(path, motion)
    (tmp_path / "clip.BVH.xz").write_bytes(lzma.compress(path.read_bytes()))
    for each in (path, str(tmp_path / "clip.BVH.xz")):
        take, skeleton = load_take(each)
        assert skeleton is not None
        np.testing.assert_allclose(skeleton.offsets, motion.skeleton.offsets, atol=1e-4)
        joints = motion.positions()[:, list(TRACKER_JOINTS)]
        np.testing.assert_allclose(take.positions, joints, atol=1e-4)
        assert take.valid.all()


def test_load_take_of_trackers(tmp_path: Path, motion: Motion) -> None:
    truth = Take.from_motion(motion)
    path = tmp_path / "take.CSV"
    save_trackers(path, truth)
    (tmp_path / "take.csv.xz").write_bytes(lzma.compress(path.read_bytes()))
    (tmp_path / "take.tsv").write_text(path.read_text().replace(",", "\t"))
    (tmp_path / "take.trc").write_text(trc_table(truth, Style()))
    for name in ("take.CSV", "take.csv.xz", "take.tsv", "take.trc"):
        take, skeleton = load_take(tmp_path / name)
        assert skeleton is None
        np.testing.assert_allclose(take.positions, truth.positions, atol=1e-4)


def test_load_take_passes_on_what_the_user_says(tmp_path: Path) -> None:
    poses = np.zeros((5, 156))
    np.savez(tmp_path / "clip.npz", poses=poses, trans=poses[:, :3], mocap_framerate=60.0)
    upright, _ = load_take(tmp_path / "clip.npz", up="y", unit="cm")
    lying, _ = load_take(tmp_path / "clip.npz", up="z", unit="cm")
    heights = [float(np.ptp(take.positions[0, :, 1])) for take in (upright, lying)]
    assert heights[0] > 1.2 and heights[1] < 0.3


def test_other_files(tmp_path: Path) -> None:
    with pytest.raises(MotionFileError, match=r"clip\.c3d: not one of \.bvh, .*\.trc\.xz: convert"):
        load_take(tmp_path / "clip.c3d")
    assert all(suffix == suffix.lower() for suffix in TAKE_SUFFIXES)


@pytest.mark.parametrize(
    ("name", "data"), [("walk.pkl", {"a": 1.5}), ("walk.pickle", {"a": 1.5}), ("walk.pt", None)]
)
def test_python_objects_are_refused_with_a_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, data: object
) -> None:
    """The two lines of the message make an archive of the same arrays."""
    path = tmp_path / name
    with pytest.raises(MotionFileError, match="if you trust its source:\n    import ") as error:
        load_motion(path)
    lines = [line[4:] for line in str(error.value).splitlines()[1:]]
    assert len(lines) == 2
    if data is None:
        torch = pytest.importorskip("torch")
        torch.save({"group": {"a": torch.tensor(1.5)}, "other": 1}, path)
    else:
        path.write_bytes(pickle.dumps(data))
    monkeypatch.chdir(tmp_path)
    exec("\n".join(lines), {})
    with np.load(tmp_path / "walk.npz") as arrays:
        assert dict(arrays) == {"a" if data else "group/a": 1.5}


def test_load_take_reads_the_optional_trackers_that_are_wanted(
    tmp_path: Path, motion: Motion
) -> None:
    wanted = ("left_elbow", "right_knee")
    save_bvh(tmp_path / "clip.bvh", motion)
    assert load_take(tmp_path / "clip.bvh")[0].extras is None
    take, _ = load_take(tmp_path / "clip.bvh", extras=wanted)
    assert take.extras is not None and take.extras.worn == wanted
    save_trackers(tmp_path / "clip.csv", take)
    for extras, worn in ((None, wanted), (wanted[1:], wanted[1:])):
        read, _ = load_take(tmp_path / "clip.csv", extras=extras)
        assert read.extras is not None and read.extras.worn == worn
    assert load_take(tmp_path / "clip.csv", extras=())[0].extras is None
    with pytest.raises(
        MotionFileError, match="trackers chest; it has left_elbow, right_knee: choose among these"
    ):
        load_take(tmp_path / "clip.csv", extras=("left_elbow", "chest"))
