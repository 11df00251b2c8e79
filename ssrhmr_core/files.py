# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives of arrays (.npz) from anywhere: read whole or refused, within bounds of memory."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

_MOST_BYTES = 1 << 28
"""Of all arrays together: half an hour of SMPL+H at 120 frames a second is as much."""


class ArchiveError(ValueError):
    """A file is no archive of arrays, is damaged or too large, or holds Python objects."""


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read all arrays of an archive; Python objects are refused, never unpacked.

    Raises:
        ArchiveError: saying what is wrong with the file.
        OSError: if it cannot be opened.
    """
    with path.open("rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                entries = archive.infolist()
                # More than is announced is never unpacked.
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
            # zipfile, its kinds of packing and numpy's parser of headers document a few of the
            # errors that damaged files make them raise, from zlib.error to tokenize.TokenError.
            raise ArchiveError(str(error) or type(error).__name__) from error
