# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives are read whole or refused, results are written whole or not at all."""

from __future__ import annotations

import io
import os
import time
import zipfile
from pathlib import Path
from typing import IO

import numpy as np
import pytest

from ssrhmr_core.files import ArchiveError, atomic_write, list_arrays, read_arrays


def test_round_trip(tmp_path: Path) -> None:
    held = {"a": np.arange(6.0).reshape(2, 3), "b": np.array("text"), "c": np.zeros((0, 3), "f4")}
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "some.npz", **held)
        arrays = read_arrays(tmp_path / "some.npz")
        assert set(arrays) == set(held)
        for name, array in held.items():
            np.testing.assert_array_equal(arrays[name], array)
            assert arrays[name].dtype == array.dtype


class Hostile:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.folder),)


def test_pickles_are_not_unpacked(tmp_path: Path) -> None:
    np.savez(tmp_path / "some.npz", a=np.array([Hostile(tmp_path / "made")], dtype=object))
    with pytest.raises(ArchiveError, match="Python objects, which are never unpacked"):
        read_arrays(tmp_path / "some.npz")
    assert not (tmp_path / "made").exists()


def member(header: str) -> bytes:
    raw = header.encode("latin-1")
    return b"\x93NUMPY\x01\x00" + len(raw).to_bytes(2, "little") + raw + bytes(80)


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f8', 'fortran_order': False, 'shape': (999999999999999,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '<U2000000000', 'fortran_order': False, 'shape': (3,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (100,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (" + "(" * 5000,
        "{'descr': ",
        "",
    ],
)
def test_headers_that_lie(tmp_path: Path, header: str) -> None:
    path = tmp_path / "some.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", member(header))
    with pytest.raises(ArchiveError):
        read_arrays(path)


def test_a_small_file_that_unpacks_to_a_large_one(tmp_path: Path) -> None:
    """In one array or in many: what is announced is added up before anything is unpacked."""
    path = tmp_path / "some.npz"
    zeros = io.BytesIO()
    np.save(zeros, np.zeros(10_000_000))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number in range(4):
            archive.writestr(f"{number}.npy", zeros.getvalue())
    with pytest.raises(ArchiveError, match="320 MB of arrays"):
        read_arrays(path)


def test_only_named_arrays_are_read(tmp_path: Path) -> None:
    """Neither objects nor huge arrays matter unless they are asked for."""
    path = tmp_path / "some.npz"
    objects = np.array([Hostile(tmp_path / "made")], dtype=object)
    np.savez_compressed(path, a=np.arange(3), b=objects, c=np.zeros(40_000_000))
    assert list_arrays(path) == ["a", "b", "c"]
    arrays = read_arrays(path, ["a", "d"])
    assert list(arrays) == ["a"] and arrays["a"].tolist() == [0, 1, 2]
    arrays["a"][0] = 1  # Arrays are the caller's own.
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compression_without_a_limit_is_refused(tmp_path: Path, method: int) -> None:
    """A small entry that announces little would be unpacked whole: gigabytes, for minutes."""
    path = tmp_path / "some.npz"
    bomb = io.BytesIO()
    np.save(bomb, np.zeros(100_000_000, "u1"))
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("a.npy", bomb.getvalue())
    data = path.read_bytes()
    lying = data.replace(len(bomb.getvalue()).to_bytes(4, "little"), (928).to_bytes(4, "little"))
    assert lying != data
    path.write_bytes(lying)
    began = time.process_time()
    with pytest.raises(ArchiveError, match="compressed in a way that NumPy does not write"):
        read_arrays(path)
    # Milliseconds; unpacking it would take minutes.
    assert time.process_time() - began < 2.0


def test_one_array_that_shrinks_too_well_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "some.npz"
    np.savez_compressed(path, a=np.zeros(20_000_000, "u1"))
    with pytest.raises(ArchiveError, match=r"unpacks to 1,0\d\d times its size"):
        read_arrays(path)


def test_fortran_order(tmp_path: Path) -> None:
    array = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    np.savez(tmp_path / "some.npz", a=array)
    np.testing.assert_array_equal(read_arrays(tmp_path / "some.npz")["a"], array)


def test_more_than_is_announced(tmp_path: Path) -> None:
    path = tmp_path / "some.npz"
    np.savez_compressed(path, a=np.zeros(1000))
    data, size = path.read_bytes(), (8000 + 128).to_bytes(4, "little")
    assert size in data
    path.write_bytes(data.replace(size, (200).to_bytes(4, "little")))
    with pytest.raises(ArchiveError):
        read_arrays(path)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04" + bytes(60)])
def test_no_archive(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "some.npz"
    path.write_bytes(content)
    with pytest.raises(ArchiveError, match="not a zip file"):
        read_arrays(path)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        read_arrays(path)


def test_writes_bytes_text_and_by_function(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "some.txt"
    for content, expected in (
        (b"\x00\xff", b"\x00\xff"),
        ("ä\nb\r\n", "ä\nb\r\n".encode()),
        (lambda file: file.write(b"by function"), b"by function"),
    ):
        atomic_write(path, content)
        assert path.read_bytes() == expected
        assert list(path.parent.iterdir()) == [path]


def test_a_reader_sees_the_old_file_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "some.txt"
    path.write_text("old")
    seen = []

    def write(file: IO[bytes]) -> None:
        file.write(b"ne")
        file.flush()
        seen.append(path.read_text())
        file.write(b"w")

    atomic_write(path, write)
    assert seen == ["old"] and path.read_text() == "new"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("existing", [True, False])
def test_a_failure_leaves_things_as_they_were(
    tmp_path: Path, error: type[BaseException], existing: bool
) -> None:
    path = tmp_path / "some.txt"
    if existing:
        path.write_text("old")

    def write(file: IO[bytes]) -> None:
        file.write(b"half of it")
        raise error

    with pytest.raises(error):
        atomic_write(path, write)
    assert [file.read_text() for file in tmp_path.iterdir()] == ["old"] * existing


def test_a_failed_replacement_leaves_no_partial_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise PermissionError(target)

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(PermissionError):
        atomic_write(tmp_path / "some.txt", "text")
    assert list(tmp_path.iterdir()) == []


def test_content_is_on_the_disk_before_it_takes_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, order = tmp_path / "some.txt", []
    sync = os.fsync

    def note(handle: int) -> None:
        order.append((os.fstat(handle).st_size, path.exists()))
        sync(handle)

    monkeypatch.setattr(os, "fsync", note)
    atomic_write(path, "text")
    assert order == [(4, False)]


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such permissions")
def test_permissions(tmp_path: Path) -> None:
    """A new file gets those that any new file gets; an existing one keeps its own."""
    plain, path = tmp_path / "plain.txt", tmp_path / "some.txt"
    plain.write_text("")
    atomic_write(path, "text")
    assert path.stat().st_mode == plain.stat().st_mode
    path.chmod(0o640)
    atomic_write(path, "new")
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
def test_a_link_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.txt", tmp_path / "link.txt"
    real.write_text("old")
    link.symlink_to(real)
    atomic_write(link, "new")
    assert link.is_symlink() and real.read_text() == "new"
