# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives of arrays: bounded, whole or refused."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ssrhmr_core.files import ArchiveError, read_arrays


def test_round_trip(tmp_path: Path) -> None:
    held = {"a": np.arange(6.0).reshape(2, 3), "b": np.array("text"), "c": np.zeros((0, 3), "f4")}
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "some.npz", **held)
        found = read_arrays(tmp_path / "some.npz")
        assert set(found) == set(held)
        for name, array in held.items():
            np.testing.assert_array_equal(found[name], array)
            assert found[name].dtype == array.dtype


class Hostile:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.folder),)


def test_pickles_are_not_unpacked(tmp_path: Path) -> None:
    np.savez(tmp_path / "some.npz", a=np.array([Hostile(tmp_path / "made")], dtype=object))
    with pytest.raises(ArchiveError, match="Object arrays cannot be loaded"):
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
