# SPDX-License-Identifier: GPL-3.0-or-later
"""Other systems, as far as this one can play them: letters, encodings, open files, line ends."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pymotion.io.bvh import BVH

from ssrhmr_core import Motion, Take, load_motion, load_take
from ssrhmr_core.cli import main
from ssrhmr_core.files import atomic_write
from ssrhmr_core.formats.bvh import save_bvh
from ssrhmr_core.formats.trackers_csv import save_trackers

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose name has a blank, and letters that no region of Windows has together."""
    made = tmp_path / "Ünï 工程 ελ"
    made.mkdir()
    return made


@pytest.fixture
def take(folder: Path, motion: Motion) -> Path:
    save_bvh(folder / "工程.bvh", motion)
    return folder / "工程.bvh"


def test_names_that_the_output_cannot_show_end_no_command(
    take: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Windows, output that goes to a file or another program has the letters of one region."""
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="cp1252"))
    assert main(["reconstruct", str(take), "-o", str(take.with_name("結果.bvh"))]) == 0
    sys.stdout.flush()
    assert b"\\u7d50\\u679c.bvh: " in written.getvalue()


def test_a_system_without_utf8(take: Path) -> None:
    """No text file is read or written in the encoding of the system."""
    out = take.with_name("out.bvh")
    command = [*("-m", "ssrhmr_core", "reconstruct", str(take), "-o", str(out))]
    done = subprocess.run(
        [sys.executable, "-X", "warn_default_encoding", *command],
        cwd=ROOT,
        env={
            **os.environ,
            "LC_ALL": "C",
            "PYTHONUTF8": "0",
            "PYTHONCOERCECLOCALE": "0",
            "HOME": str(take.parent),
            "USERPROFILE": str(take.parent),
        },
        capture_output=True,
    )
    assert done.returncode == 0 and out.is_file(), done.stderr
    assert b"ssrhmr_core" not in done.stderr, "an EncodingWarning names one of our files"


def test_line_ends_are_the_same_everywhere(
    folder: Path, motion: Motion, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_bvh(folder / "here.bvh", motion)
    save = BVH.save

    def save_on_windows(self: BVH, filename: str) -> None:
        save(self, filename)
        path = Path(filename)
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))

    monkeypatch.setattr(BVH, "save", save_on_windows)
    save_bvh(folder / "there.bvh", motion)
    assert (folder / "there.bvh").read_bytes() == (folder / "here.bvh").read_bytes()


def test_files_are_closed_once_they_are_read(take: Path, motion: Motion) -> None:
    """Windows neither replaces nor removes an open file."""
    table = take.with_suffix(".csv")
    save_trackers(table, Take.from_motion(motion))
    take.with_suffix(".broken.bvh").write_text("HIERARCHY", encoding="utf-8")
    load_motion(take)
    load_take(table)
    with pytest.raises(ValueError) as kept:  # its traceback is alive, and with it all variables
        load_motion(take.with_suffix(".broken.bvh"))
    descriptors = Path("/proc/self/fd")
    links = descriptors.iterdir() if descriptors.exists() else ()
    opened = [str(link.readlink()) for link in links if link.is_symlink()]
    assert not [name for name in opened if name.startswith(str(take.parent))], kept
    for path in sorted(take.parent.iterdir()):
        path.replace(path.with_name(f"moved {path.name}"))


def test_a_file_that_another_program_holds_stays_as_it_is(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows refuses to replace it; nothing partial is left beside it."""
    path = folder / "held.json"
    path.write_text("old", encoding="utf-8")

    def refuse(self: Path, target: Path) -> Path:
        raise PermissionError(13, "The process cannot access the file", str(target))

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(PermissionError):
        atomic_write(path, "new")
    assert [path] == list(folder.iterdir()) and path.read_text(encoding="utf-8") == "old"
