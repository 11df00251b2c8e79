# SPDX-License-Identifier: GPL-3.0-or-later
"""Markers in TRC files: clusters of them on one rigid body make a device.

A TRC has positions of markers only. Three or more that are named alike but for a number or a letter
at the end (Head1, Head2, Head3) are taken to be on one rigid body. Its rotation is measured from
the first frame in which all of them are visible; calibration finds how trackers sit on joints.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from pymotion.rotations import quat_np as quat

from ..geometry.rotations import transpose
from .tables import LineError, split_rows
from .tracks import Recording, Track
from .units import UNITS

_FIRST_CELL = "pathfiletype"
_LARGEST = 1e6
"""Units of length: larger numbers are damage, and would overflow."""
_FEWEST = 3
"""Markers that give a rotation."""
_LONGEST_LINE = 0.2
"""Width over length below which markers lie on a line, and give no rotation about it."""


def is_trc(text: str) -> bool:
    """Return whether a text begins as TRC files do."""
    return text[: len(_FIRST_CELL)].lower() == _FIRST_CELL


def read_trc(text: str) -> Recording:
    """Read the clusters of markers.

    Raises:
        LineError: A line is damaged.
        ValueError: There are no clusters, or the headers are not complete.
    """
    rows = split_rows(text, "\t")
    head = [row for _, row in (next(rows, (0, [""])) for _ in range(5))]
    if not any(cell.strip().lower() == "time" for cell in head[3][:2]):
        raise ValueError("the headers of the TRC are not complete: export it again")
    settings = dict(zip((cell.strip().lower() for cell in head[1]), head[2], strict=False))
    unit = settings.get("units", "").strip().lower()
    if unit not in UNITS:
        raise ValueError(f"the unit of length {unit!r} is unknown: export the file in mm or m")
    # Each name stands over the first of its three columns.
    names = [(index, cell.strip()) for index, cell in enumerate(head[3]) if cell.strip()]
    markers = {name: index for index, name in names if index >= 2}
    width = max(markers.values(), default=0) + 3
    numbers = [_numbers(row, line, width) for line, row in rows]
    table = np.array(numbers, np.float64).reshape(len(numbers), width)
    if not len(table):
        raise ValueError("no frames: export the file again")
    clusters = _clusters(markers)
    if not clusters:
        raise ValueError(
            "no clusters of markers: a tracker needs three or more on one rigid body, named as in"
            " Head1, Head2, Head3"
        )
    tracks = []
    for name, indices in clusters.items():
        positions = np.stack([table[:, index : index + 3] for index in indices], 1)
        tracks.append(_track(name, table[:, 1], positions))
    return Recording(tracks=tracks, framed=True, seconds=1.0, metres=UNITS[unit])


def _clusters(markers: dict[str, int]) -> dict[str, list[int]]:
    """Return the columns of the markers of each rigid body, by what their names share."""
    clusters: dict[str, list[int]] = {}
    for name, index in markers.items():
        match = re.fullmatch(r"(?:.*:)?(.*?)[ _.\-]*(?:\d+|(?<![A-Z])[A-Z])", name)
        if match and match[1]:
            clusters.setdefault(match[1], []).append(index)
    return {name: indices for name, indices in clusters.items() if len(indices) >= _FEWEST}


def _numbers(row: Sequence[str], line: int, width: int) -> list[float]:
    """Read a row, NaN from empty cells.

    Raises:
        LineError: The row is damaged.
    """
    words = [word.strip() for word in row[:width]]
    words += [""] * (width - len(words))
    if any(word.strip() for word in row[width:]):
        raise LineError(f"{len(row)} values where {width} belong", line)
    try:
        numbers = [float(word) if word else np.nan for word in words]
    except ValueError as error:
        raise LineError(str(error), line) from error
    if not np.isfinite(numbers[1]):
        raise LineError(f"the time is {words[1]!r}", line)
    return numbers


def _track(name: str, times: np.ndarray, markers: np.ndarray) -> Track:
    """Fit a rigid body to markers (F, M, 3).

    Raises:
        ValueError: The markers lie on a line, or are never visible together.
    """
    # Programs write zeros for markers that are not visible.
    visible = (np.abs(markers) <= _LARGEST).all(-1) & (markers != 0.0).any(-1)
    whole = np.flatnonzero(visible.all(1))
    if not len(whole):
        raise ValueError(f"the markers of {name!r} are never visible together: export others")
    shape = markers[whole[0]] - markers[whole[0]].mean(0)
    sizes = np.linalg.svd(shape, compute_uv=False)
    if sizes[1] <= _LONGEST_LINE * sizes[0]:
        raise ValueError(f"the markers of {name!r} lie on a line: they give no rotation")
    valid = visible.sum(1) >= _FEWEST
    weights = np.where(valid[:, None], visible, True)[..., None].astype(np.float64)
    known = np.where(visible[..., None], markers, 0.0)
    count = weights.sum(1)
    centre, shape_centre = (known * weights).sum(1) / count, (shape * weights).sum(1) / count
    # Kabsch's method: the rotation of the body's shape that fits the markers best.
    covariance = transpose((known - centre[:, None]) * weights) @ (shape - shape_centre[:, None])
    left, fits, right = np.linalg.svd(covariance)
    # The visible ones of a frame may lie on a line.
    valid &= fits[:, 1] > _LONGEST_LINE**2 * fits[:, 0]
    mirrored = np.linalg.det(left @ right) < 0.0
    left[mirrored, :, 2] *= -1.0
    rotations = left @ right
    positions = centre - (rotations @ shape_centre[..., None])[..., 0]
    quaternions = quat.from_matrix(rotations)
    return Track(name, times, positions, quaternions, valid)
