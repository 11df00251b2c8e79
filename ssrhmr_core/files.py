# SPDX-License-Identifier: GPL-3.0-or-later
"""Files: archives of arrays read within bounds of memory, results written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

import numpy as np

_MOST_BYTES = 1 << 28
"""Limit for all arrays of an archive: half an hour of SMPL+H at 120 frames a second needs it."""


class ArchiveError(ValueError):
    """A file is not an archive of arrays, is damaged or too large, or holds Python objects."""


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read all arrays of an archive (.npz); refuse Python objects instead of unpacking them.

    Raises:
        ArchiveError: The message says what is wrong with the file.
        OSError: The file cannot be opened.
    """
    with path.open("rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                entries = archive.infolist()
                # zipfile never unpacks more than an entry announces.
                size = sum(entry.file_size for entry in entries)
                if size > _MOST_BYTES:
                    most = _MOST_BYTES / 1e6
                    raise ArchiveError(f"{size / 1e6:,.0f} MB of arrays, of {most:,.0f} at most")
                arrays = {}
                for entry in entries:
                    with archive.open(entry) as member:
                        array = np.lib.format.read_array(member, allow_pickle=False)
                    arrays[entry.filename.removesuffix(".npy")] = array
                return arrays
        except ArchiveError:
            raise
        except Exception as error:
            # zipfile, its kinds of compression and NumPy's parser of headers document few of the
            # errors that damaged files make them raise, from zlib.error to tokenize.TokenError.
            raise ArchiveError(str(error) or type(error).__name__) from error


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
