# SPDX-License-Identifier: GPL-3.0-or-later
"""Files: archives of arrays read within bounds of memory, results written whole or not at all."""

from __future__ import annotations

import contextlib
import math
import os
import secrets
import stat
import zipfile
from collections.abc import Callable, Collection
from pathlib import Path
from typing import IO, TypeVar

import numpy as np

_MOST_BYTES = 1 << 28
"""Limit for all arrays read: half an hour of SMPL+H at 120 frames a second needs as much."""
_MOST_RATIO, _ANY_RATIO_BYTES = 100, 1 << 24
"""Arrays above the second size must not be compressed by more than the first factor."""
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
"""Compressions that NumPy writes; zipfile unpacks others without a limit."""

_Result = TypeVar("_Result")


class ArchiveError(ValueError):
    """A file is not an archive of arrays, is damaged or too large, or holds Python objects."""


def list_arrays(path: Path) -> list[str]:
    """Return the names of the arrays in an archive (.npz) without reading them.

    Raises:
        ArchiveError: The message says what is wrong with the file.
        OSError: The file cannot be opened.
    """
    return _with_archive(path, lambda archive: list(_array_entries(archive)))


def read_arrays(path: Path, names: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """Read arrays of an archive (.npz) within bounds of time and memory.

    Sizes are checked before anything is unpacked, and Python objects are refused.

    Args:
        path: The archive to read.
        names: Arrays to read; what else the archive holds is not looked at, and names that it does
            not hold are left out. All arrays are read if this is None.

    Raises:
        ArchiveError: The message says what is wrong with the file.
        OSError: The file cannot be opened.
    """

    def read(archive: zipfile.ZipFile) -> dict[str, np.ndarray]:
        entries = _array_entries(archive)
        if names is not None:
            entries = {name: entry for name, entry in entries.items() if name in names}
        _check_sizes(entries)
        arrays = {}
        for name, entry in entries.items():
            with archive.open(entry) as member:
                arrays[name] = _read_array(member, entry.file_size, name)
        return arrays

    return _with_archive(path, read)


def _with_archive(path: Path, read: Callable[[zipfile.ZipFile], _Result]) -> _Result:
    with path.open("rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                return read(archive)
        except ArchiveError:
            raise
        except Exception as error:
            # zipfile, zlib and NumPy's parser of headers document few of the errors that damaged
            # files make them raise, from struct.error to tokenize.TokenError.
            raise ArchiveError(str(error) or type(error).__name__) from error


def _array_entries(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    return {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}


def _check_sizes(entries: dict[str, zipfile.ZipInfo]) -> None:
    """Check what a set of entries announces; zipfile never unpacks more than that.

    Raises:
        ArchiveError: The entries are too large, or compressed in a way that hides their size.
    """
    size = sum(entry.file_size for entry in entries.values())
    if size > _MOST_BYTES:
        most = _MOST_BYTES / 1e6
        raise ArchiveError(f"{size / 1e6:,.0f} MB of arrays, of {most:,.0f} at most")
    for name, entry in entries.items():
        if entry.compress_type not in _METHODS:
            raise ArchiveError(f"{name!r} is compressed in a way that NumPy does not write")
        ratio = entry.file_size / max(entry.compress_size, 1)
        if entry.file_size > _ANY_RATIO_BYTES and ratio > _MOST_RATIO:
            raise ArchiveError(f"{name!r} unpacks to {ratio:,.0f} times its size")


def _read_array(member: IO[bytes], size: int, name: str) -> np.ndarray:
    """Read one array from the ``size`` bytes of its entry.

    Raises:
        ArchiveError: The entry holds Python objects, or not what its header says.
        Exception: NumPy cannot read the header.
    """
    version = np.lib.format.read_magic(member)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in readers:
        raise ArchiveError(f"{name!r} has an unknown version of NumPy's format: {version}")
    shape, fortran_order, dtype = readers[version](member)
    if dtype.hasobject:
        raise ArchiveError(f"{name!r} holds Python objects, which are never unpacked")
    # Python integers: a product of NumPy's would overflow without a word.
    values = math.prod(shape)
    if min(shape, default=0) < 0 or values * dtype.itemsize != size - member.tell():
        raise ArchiveError(f"{name!r} does not hold the {shape} values that its header announces")
    content = member.read(size)
    if len(content) != values * dtype.itemsize:
        raise ArchiveError(f"{name!r} was cut off")
    array = np.frombuffer(bytearray(content), dtype, count=values)
    return array.reshape(shape, order="F" if fortran_order else "C")


def atomic_write(path: str | Path, content: bytes | str | Callable[[IO[bytes]], object]) -> None:
    """Write a file so that other programs see the old one or the whole new one, never a part.

    The content goes to a temporary file in the same folder, which then takes the place of ``path``.
    Missing folders are created. An existing file passes its permissions on to the new one. A
    symbolic link stays, and the file that it points to is replaced.

    Args:
        path: The file to write.
        content: Bytes, text (written as UTF-8 with its newlines as they are), or a function that
            writes to the open binary file that it is called with.

    Raises:
        OSError: The file cannot be written; ``path`` is then as it was.
    """
    target = Path(path).resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{secrets.token_hex(8)}.partial")
    # Mode "x" gives the file the permissions that any new file gets.
    with partial.open("xb") as file:
        try:
            if callable(content):
                content(file)
            else:
                file.write(content.encode("utf-8") if isinstance(content, str) else content)
            file.flush()
            # Otherwise a crash of the machine could leave the new name with an empty file.
            os.fsync(file.fileno())
            file.close()  # Windows does not move open files.
            with contextlib.suppress(OSError):
                partial.chmod(stat.S_IMODE(target.stat().st_mode))
            partial.replace(target)
        except BaseException:
            file.close()
            partial.unlink(missing_ok=True)
            raise
